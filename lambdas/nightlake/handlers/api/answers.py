"""What every answer of the API has in common: a format, an ETag, a size that Lambda carries, problem documents."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from nightlake.core import layout
from nightlake.core.api import formats, openapi
from nightlake.core.api.result import Result
from nightlake.core.errors import (
    AnswerTooCostlyError,
    CallerUnknownError,
    CursorExpiredError,
    DatasetNotFoundError,
    InvalidCursorError,
    InvalidParameterError,
    NightlakeError,
    NotAcceptableError,
    NothingPublishedError,
    PageNotFoundError,
    ParameterError,
    QueryCancelledError,
    QueryEndedError,
    QueryExpiredError,
    QueryNotFoundError,
    QueryTooCostlyError,
    QueryUnfinishedError,
    QuestionTooLongError,
    ReportNotFoundError,
    ReportQueryFailedError,
    RowNotFoundError,
    RunNotFoundError,
    ScopeMissingError,
    TooManyQueriesError,
    UnknownParameterError,
)
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger

PROBLEM_JSON: Final = "application/problem+json"

CLIENT_ERRORS: Final[dict[type[NightlakeError], HTTPStatus]] = {
    UnknownParameterError: HTTPStatus.BAD_REQUEST,
    InvalidParameterError: HTTPStatus.BAD_REQUEST,
    InvalidCursorError: HTTPStatus.NOT_FOUND,
    AnswerTooCostlyError: HTTPStatus.BAD_REQUEST,
    QuestionTooLongError: HTTPStatus.REQUEST_URI_TOO_LONG,
    NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    CallerUnknownError: HTTPStatus.UNAUTHORIZED,
    ScopeMissingError: HTTPStatus.FORBIDDEN,
    DatasetNotFoundError: HTTPStatus.NOT_FOUND,
    NothingPublishedError: HTTPStatus.NOT_FOUND,
    ReportNotFoundError: HTTPStatus.NOT_FOUND,
    RowNotFoundError: HTTPStatus.NOT_FOUND,
    RunNotFoundError: HTTPStatus.NOT_FOUND,
    PageNotFoundError: HTTPStatus.NOT_FOUND,
    CursorExpiredError: HTTPStatus.GONE,
    QueryNotFoundError: HTTPStatus.NOT_FOUND,
    QueryUnfinishedError: HTTPStatus.CONFLICT,
    QueryEndedError: HTTPStatus.CONFLICT,
    QueryCancelledError: HTTPStatus.CONFLICT,
    QueryExpiredError: HTTPStatus.GONE,
    QueryTooCostlyError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyQueriesError: HTTPStatus.TOO_MANY_REQUESTS,
    ReportQueryFailedError: HTTPStatus.BAD_GATEWAY,
}

# Lambda answers with at most 6 MiB of JSON, in which the body is a string and stands beside its headers.
_MOST_BYTES: Final = 6 * 1024 * 1024 - 65_536
_LINK_SECONDS: Final = 300
_MOST_ASKED: Final = 8_192
_TRY_AGAIN: Final = "10"  # seconds: most queries of a report take less
_WORTH_ZIPPING: Final = 1_024
_ZIP_LEVEL: Final = 5  # beyond it, a page costs more time than the wire saves

router: Final = APIGatewayRouter()  # type: ignore[no-untyped-call]


def header(name: str) -> str:
    """A header of the request, all its lines together; "" without it."""
    lines = router.current_event.resolved_headers_field.get(name, "")
    return lines if isinstance(lines, str) else ",".join(lines)


def etag(parts: Iterable[str]) -> str:
    """The ETag of an answer that depends on these texts alone; weak, because it is the same zipped and not."""
    return f'W/"{hashlib.sha256(chr(0).join(parts).encode(errors="surrogatepass")).hexdigest()[:32]}"'


def question() -> tuple[str, ...]:
    """What is asked, as far as path and query say it: a part of the ETag of an answer that is not made for it."""
    event = router.current_event
    return event.path, urlencode(
        sorted(event.multi_value_query_string_parameters.items()), doseq=True, errors="replace"
    )


def answer(body: object) -> Response[str]:
    """The body as JSON, or 304 where the caller has it already. Raises NotAcceptableError."""
    kind = formats.choose(header("accept"), (formats.JSON,))
    text = formats.write_json(body)
    return _if_new(etag([text.decode()]), kind, lambda: (text, None))


def answer_page(text: str) -> Response[str]:
    """An HTML page that may run nothing and load nothing. Raises as `answer` does."""
    kind = formats.choose(header("accept"), (formats.HTML,))
    answered = _if_new(etag([text]), kind, lambda: (text.encode(), None))
    answered.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    return answered


def answer_rows(parts: Iterable[str], find: Callable[[], Result]) -> Response[str]:
    """The rows that are found, in the format that the caller accepts best, or 304 where he has them already.

    `parts` are all that the answer depends on besides path, query and format. Where there may be more rows, a header
    `Link` leads to them, relative to what was asked. Raises as `answer` does.
    """
    kind = formats.choose(header("accept"), formats.FORMATS)

    def make() -> tuple[bytes, str | None]:
        found = find()
        return formats.write(found, kind), found.next_cursor

    return _if_new(etag((*parts, *question(), kind)), kind, make)


def _if_new(tag: str, kind: str, make: Callable[[], tuple[bytes, str | None]]) -> Response[str]:
    """What `make` makes, with the cursor of what comes behind it; or 304."""
    headers: dict[str, str | list[str]] = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = header("if-none-match")
    if known.strip() == "*" or tag.removeprefix("W/") in re.findall(r'"[^"]*"', known):
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, body="", headers=headers)
    content, cursor = make()
    if cursor:
        asked = router.current_event.multi_value_query_string_parameters
        headers["Link"] = f'<?{urlencode({**asked, "cursor": cursor}, doseq=True)}>; rel="next"'
    return _carried(content, kind, headers)


def _carried(content: bytes, kind: str, headers: dict[str, str | list[str]]) -> Response[str]:
    """The content as Lambda carries it: a text as it is, all else in base64; or the way to it, where it is too long."""
    plain = content
    # API Gateway makes bytes of base64 only for who says what he accepts.
    if len(content) >= _WORTH_ZIPPING and header("accept") and formats.accepts_gzip(header("accept-encoding")):
        content = gzip.compress(content, _ZIP_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    is_text = kind in formats.TEXTS and "Content-Encoding" not in headers
    body = content.decode() if is_text else base64.b64encode(content).decode()
    if len(json.dumps(body)) > _MOST_BYTES:
        return _led_to(plain, kind, headers)
    carried: Response[str] = Response(status_code=HTTPStatus.OK.value, content_type=kind, body=body, headers=headers)
    carried.base64_encoded = not is_text
    return carried


def _led_to(content: bytes, kind: str, headers: dict[str, str | list[str]]) -> Response[str]:
    """303 to an answer that Lambda cannot carry."""
    from nightlake.handlers.api import asked

    key = layout.api_answer(hashlib.sha256(content).hexdigest(), formats.ENDINGS[kind])
    asked.lake().put(key, content, content_type=kind)
    answered = answer_link(key)
    answered.headers |= {name: value for name, value in headers.items() if name == "Link"}
    return answered


def answer_link(key: str) -> Response[str]:
    """303 to an object of the lake, by a link that ends soon."""
    from nightlake.adapters.s3 import Objects

    link = Objects(settings().lake_bucket).link(key, seconds=_LINK_SECONDS)
    # The link is a key to the object: nobody between keeps it.
    headers: dict[str, str | list[str]] = {"Location": link, "Cache-Control": "no-store"}
    return Response(status_code=HTTPStatus.SEE_OTHER.value, body="", headers=headers)


def bounded(resolver: APIGatewayRestResolver, following: NextMiddleware) -> Response[Any]:
    """Refuse what is longer than anybody asks on purpose, before it is read. Raises QuestionTooLongError."""
    event = resolver.current_event
    given = event.multi_value_query_string_parameters
    length = len(event.path) + sum(len(name) + len(value) for name, values in given.items() for value in values)
    if length > _MOST_ASKED:
        raise QuestionTooLongError(f"Path and query have {length} characters, and at most {_MOST_ASKED} are read")
    return following(resolver)


def answer_client_error(error: NightlakeError) -> Response[str]:
    """What the caller can mend."""
    parameter = error.parameter if isinstance(error, ParameterError) else None
    refused = _problem(CLIENT_ERRORS[type(error)], str(error), parameter=parameter)
    if isinstance(error, TooManyQueriesError):
        refused.headers["Retry-After"] = _TRY_AGAIN
    return refused


def answer_unknown_route(_error: NotFoundError) -> Response[str]:
    """A method and path that the API does not have."""
    event = router.current_event
    there = openapi.methods_of(event.path)
    if not there or event.http_method in there:
        return _problem(HTTPStatus.NOT_FOUND, f"There is no {event.http_method} {event.path}; start at /v1/datasets")
    allowed = ", ".join(there)
    refused = _problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{event.path} knows no {event.http_method}, only {allowed}")
    refused.headers["Allow"] = allowed
    return refused


def answer_internal_error(error: Exception) -> Response[str]:
    """Anything else is ours: the log has it, the caller gets the request id only."""
    logger.exception("Request failed", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed on our side; report its request_id")


def _problem(status: HTTPStatus, detail: str, *, parameter: str | None = None) -> Response[str]:
    """An error in the shape of RFC 9457."""
    event = router.current_event
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": event.path,
        "request_id": event.request_context.request_id,
    } | ({"parameter": parameter} if parameter else {})
    return Response(
        status_code=status.value,
        content_type=PROBLEM_JSON,
        body=json.dumps(body),
        headers={"Cache-Control": "no-store"},
    )
