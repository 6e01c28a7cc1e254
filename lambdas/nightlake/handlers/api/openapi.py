"""The routes about the API itself: its OpenAPI document, for programs and for people."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api import openapi
from nightlake.core.api.caller import OPERATE, QUERY, READ
from nightlake.core.api.datasets import served
from nightlake.core.api.reports import newest_columns
from nightlake.core.report_parameters import read_header
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, answer_page, header, router
from nightlake.handlers.contracts import pipelines, statements
from nightlake.handlers.settings import settings


@router.get("/v1/openapi.json")
def get_openapi() -> Response[str]:
    """The OpenAPI document of what the caller may ask."""
    asked.parameters_of()
    return answer(_document())


@router.get("/v1/docs")
def get_docs() -> Response[str]:
    """The same as a page to be read, which loads nothing from elsewhere."""
    asked.parameters_of()
    from nightlake.core.api.openapi_page import page

    return answer_page(page(_document()))


def _document() -> dict[str, Any]:
    caller = asked.caller()
    known = pipelines()
    readable = {name: known[name] for name in caller.of(READ, known)}
    newest = {name: asked.published().newest(name) for name in readable}
    shown = openapi.Shown(
        datasets=[
            (each, newest[each.pipeline.name]) for each in served(readable.values(), private=asked.private()).values()
        ],
        reports={
            name: {report: read_header(text) for report, text in statements(name, "reports").items()}
            for name in {*readable, *caller.of(QUERY, known)}
        },
        columns={
            report: tuple(newest_columns(asked.lake(), asked.published(), name, report))
            for name in readable
            for report in statements(name, "reports")
        },
        operated=caller.of(OPERATE, known),
        queried=caller.of(QUERY, known),
    )
    event = router.current_event
    base = event.raw_event["requestContext"].get("path", "").removesuffix(event.path)
    version = router.lambda_context.function_version
    return openapi.document(shown, security=_security(), server=base or "/", version=version)


def _security() -> str:
    if settings().callers:
        return "iam"
    return "key" if header("x-api-key") else "jwt"
