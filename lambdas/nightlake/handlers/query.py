"""The query API behind API Gateway: what the lake holds, as its contracts say it."""

import json
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.core.datasets import describe_dataset, list_datasets
from nightlake.core.errors import DatasetNotFoundError, NightlakeError, UnknownParameterError
from nightlake.handlers.contracts import pipelines
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, tracer

PROBLEM_JSON: Final = "application/problem+json"

CLIENT_ERRORS: Final[dict[type[NightlakeError], HTTPStatus]] = {
    DatasetNotFoundError: HTTPStatus.NOT_FOUND,
    UnknownParameterError: HTTPStatus.BAD_REQUEST,
}

router: Final = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.get("/v1/health")
def get_health() -> dict[str, Any]:
    """200 when the function runs and reads its contracts."""
    deployed = [{"name": each.name, "version": each.version} for each in pipelines().values()]
    return {"status": "ok", "stage": settings().stage, "pipelines": deployed}


@router.get("/v1/datasets")
def get_datasets() -> dict[str, Any]:
    """Every dataset in short."""
    return {"datasets": list_datasets(pipelines().values())}


@router.get("/v1/datasets/<name>")
def get_dataset(name: str) -> dict[str, Any]:
    """One dataset with its columns; 404 when no contract describes it."""
    return describe_dataset(pipelines().values(), name)


def refuse_unknown_parameters(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """400 for any query parameter: a misspelt filter must not silently answer another question."""
    unknown = ", ".join(f"'{name}'" for name in app.current_event.query_string_parameters or {})
    if unknown:
        raise UnknownParameterError(f"{app.current_event.path} knows no query parameter {unknown}; leave it out")
    return next_middleware(app)


router.use(middlewares=[refuse_unknown_parameters])


def answer_client_error(error: NightlakeError) -> Response[str]:
    """What the caller can mend."""
    return _problem(CLIENT_ERRORS[type(error)], str(error))


def answer_unknown_route(_error: NotFoundError) -> Response[str]:
    """A method and path that the API does not have."""
    event = router.current_event
    return _problem(HTTPStatus.NOT_FOUND, f"There is no {event.http_method} {event.path}; start at /v1/datasets")


def answer_internal_error(error: Exception) -> Response[str]:
    """Anything else is ours: the log has it, the caller gets the request id only."""
    logger.exception("Request failed", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed on our side; report its request_id")


def _problem(status: HTTPStatus, detail: str) -> Response[str]:
    """An error in the shape of RFC 9457."""
    event = router.current_event
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": event.path,
        "request_id": event.request_context.request_id,
    }
    return Response(status_code=status.value, content_type=PROBLEM_JSON, body=json.dumps(body))


@cache
def api() -> APIGatewayRestResolver:
    """The routes and their errors, for every caller and for pages of the origins that the stage's settings list."""
    origins = settings().cors_origins
    resolver = APIGatewayRestResolver(
        cors=CORSConfig(allow_origin=origins[0], extra_origins=list(origins[1:])) if origins else None
    )
    resolver.include_router(router)
    resolver.exception_handler(list(CLIENT_ERRORS))(answer_client_error)
    resolver.not_found(answer_unknown_route)
    resolver.exception_handler(Exception)(answer_internal_error)
    return resolver


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """API Gateway REST proxy event to proxy response."""
    answer = api().resolve(event, context)
    if settings().cors_origins:
        # The answer differs by origin: a cache between must not give one page's answer to another.
        answer["multiValueHeaders"]["Vary"] = ["Origin"]
    return answer
