"""The routes about reports with other values than the night's: submit, poll, read, cancel."""

import json
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api.caller import QUERY
from nightlake.core.api.queries import DEFAULT_LISTED, MAX_LISTED, MAX_ROWS, Desk, Engine, Query
from nightlake.core.api.question import DEFAULT_LIMIT, read_limit
from nightlake.core.api.report_question import Reports, ask, read_body
from nightlake.core.errors import InvalidParameterError, QueryNotFoundError
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, router
from nightlake.handlers.api.reports import answer_report
from nightlake.handlers.contracts import statements
from nightlake.handlers.settings import settings


@cache
def engine() -> Engine:
    """Athena; its client takes a while to make."""
    from nightlake.adapters.athena import Athena

    return Athena()


@router.get("/v1/queries")
def get_queries() -> Response[str]:
    """The caller's own queries, the newest first: how each stands."""
    parameters = asked.parameters_of("limit", "cursor")
    limit = read_limit(parameters, default=DEFAULT_LISTED, most=MAX_LISTED)
    return answer(_desk().listed(asked.visible(QUERY), limit=limit, cursor=parameters.get("cursor")))


@router.post("/v1/queries")
def post_query() -> Response[str]:
    """Submits a report with other values than the night's; 202 and the `Location` of the query, which runs once."""
    asked.parameters_of()
    known = asked.visible(QUERY)
    reports = [
        Reports(pipeline, statements(name, "reports"), statements(name, "views")) for name, pipeline in known.items()
    ]
    question = ask(read_body(_body()), reports, asked.published(), settings().databases)
    desk = _desk()
    query = desk.submit(question, datetime.now(UTC))
    # Relative to what was asked: stages and domains put other paths before it.
    place = query.id if router.current_event.path.endswith("/") else f"queries/{query.id}"
    return Response(
        status_code=HTTPStatus.ACCEPTED.value,
        content_type="application/json",
        body=json.dumps(desk.describe(query)),
        headers={"Location": place, "Cache-Control": "no-store"},
    )


@router.get("/v1/queries/<query_id>")
def get_query(query_id: str) -> Response[str]:
    """How a query stands: `queued`, `running`, `succeeded`, `failed`, `cancelled`, `too_costly` or `expired`."""
    asked.parameters_of()
    desk = _desk()
    return answer(desk.describe(_own(desk, query_id)))


@router.delete("/v1/queries/<query_id>")
def delete_query(query_id: str) -> Response[str]:
    """Cancels a query that is under way: 204; 409 when it has ended."""
    asked.parameters_of()
    desk = _desk()
    desk.cancel(_own(desk, query_id))
    return Response(status_code=HTTPStatus.NO_CONTENT.value, body="", headers={"Cache-Control": "no-store"})


@router.get("/v1/queries/<query_id>/result")
def get_query_result(query_id: str) -> Response[str]:
    """A page of the rows that a query answered."""
    parameters = asked.parameters_of("limit", "cursor")
    limit = read_limit(parameters, default=DEFAULT_LIMIT, most=MAX_ROWS)
    desk = _desk()
    return answer_report(desk.result(_own(desk, query_id), limit=limit, cursor=parameters.get("cursor")))


def _desk() -> Desk:
    return Desk(
        store=asked.lake(),
        engine=engine(),
        caller=asked.caller().name,
        workgroup=settings().api_workgroup,
        most=settings().queries_at_once,
    )


def _own(desk: Desk, query_id: str) -> Query:
    """The caller's query, while he may still ask its pipeline. Raises QueryNotFoundError, ScopeMissingError."""
    known = asked.visible(QUERY)
    query = desk.find(query_id)
    if query.pipeline not in known:
        raise QueryNotFoundError(f"There is no query '{query_id}' of yours; POST /v1/queries submits one")
    return query


def _body() -> str | None:
    try:
        return router.current_event.decoded_body
    except ValueError:
        raise InvalidParameterError("body: it is not text in UTF-8") from None
