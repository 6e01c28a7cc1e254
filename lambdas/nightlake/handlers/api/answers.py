"""What every answer of the API has in common: JSON, an ETag, a size that Lambda carries, problem documents."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from nightlake.core.errors import (
    AnswerTooCostlyError,
    CallerUnknownError,
    CursorExpiredError,
    DatasetNotFoundError,
    InvalidCursorError,
    InvalidParameterError,
    NightlakeError,
    NothingPublishedError,
    PageNotFoundError,
    ReportNotFoundError,
    RunNotFoundError,
    ScopeMissingError,
    UnknownParameterError,
)
from nightlake.handlers.task import logger

PROBLEM_JSON: Final = "application/problem+json"

CLIENT_ERRORS: Final[dict[type[NightlakeError], HTTPStatus]] = {
    UnknownParameterError: HTTPStatus.BAD_REQUEST,
    InvalidParameterError: HTTPStatus.BAD_REQUEST,
    InvalidCursorError: HTTPStatus.BAD_REQUEST,
    AnswerTooCostlyError: HTTPStatus.BAD_REQUEST,
    CallerUnknownError: HTTPStatus.UNAUTHORIZED,
    ScopeMissingError: HTTPStatus.FORBIDDEN,
    DatasetNotFoundError: HTTPStatus.NOT_FOUND,
    NothingPublishedError: HTTPStatus.NOT_FOUND,
    ReportNotFoundError: HTTPStatus.NOT_FOUND,
    RunNotFoundError: HTTPStatus.NOT_FOUND,
    PageNotFoundError: HTTPStatus.NOT_FOUND,
    CursorExpiredError: HTTPStatus.GONE,
}

# Lambda answers with at most 6 MiB of JSON, in which the body is a string and stands beside its headers.
_MOST_BYTES: Final = 6 * 1024 * 1024 - 65_536

router: Final = APIGatewayRouter()  # type: ignore[no-untyped-call]


def etag(parts: Iterable[str]) -> str:
    """The ETag of an answer that depends on these texts alone."""
    return f'"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"'


def answer(body: object) -> Response[str]:
    """The body as JSON, or 304 where the caller has it already. Raises AnswerTooCostlyError."""
    text = json.dumps(body)
    if len(json.dumps(text)) > _MOST_BYTES:
        raise AnswerTooCostlyError(f"The answer has {len(text)} bytes, more than the API can send; ask for less")
    return answer_if_new(etag([text]), lambda: text)


def answer_if_new(tag: str, make: Callable[[], str]) -> Response[str]:
    """What `make` makes, unless the caller has the answer of this ETag already: then 304, and nothing is made."""
    headers: dict[str, str | list[str]] = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = router.current_event.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in re.findall(r'"[^"]*"', known):
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, body="", headers=headers)
    return Response(status_code=HTTPStatus.OK.value, content_type="application/json", body=make(), headers=headers)


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
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": event.path,
        "request_id": event.request_context.request_id,
    }
    return Response(
        status_code=status.value,
        content_type=PROBLEM_JSON,
        body=json.dumps(body),
        headers={"Cache-Control": "no-store"},
    )
