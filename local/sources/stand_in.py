"""An HTTP API that stands in for a real one on 127.0.0.1: it answers as that one does, and misbehaves on command.

GET is answered by a function of the path and the query. PUT /control takes `{"faults": [{"kind": "fail", "times": 2}]}`
(local/sources/faults.py) and, of a service that has some, its `settings`; GET /control says what was told and asked.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import JsonValue, ValidationError

from local.home import HOST
from local.sources.faults import Control, Fault, State

_PAGE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We are back soon.</h1></body></html>"
_CONTROL = "/control"

Query = Mapping[str, Sequence[str]]


class RefusedError(Exception):
    """A request that the API does not answer: the status, and the words it uses."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class StandIn(ThreadingHTTPServer):
    """The server, bound and not yet serving.

    Args:
        port: of 127.0.0.1; 0 takes a free one.
        answer: gives the JSON for a path and its query, or raises RefusedError.
        lie: gives that JSON as a fault tells it.
        refusal: the JSON of a refusal with these words.
        configure: takes settings of the service, where it has some; raises ValidationError for what they cannot be.
    """

    def __init__(
        self,
        port: int,
        *,
        answer: Callable[[str, Query], Any],
        lie: Callable[[Any, Fault], Any],
        refusal: Callable[[str], Any],
        configure: Callable[[dict[str, JsonValue]], None] | None = None,
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.control = Control()
        self.answer, self.lie, self.refusal = answer, lie, refusal
        self.configure = configure


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == _CONTROL:
            self._json(HTTPStatus.OK, self._state())
            return
        fault = self.server.control.asked(self.path)
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault and self._trouble(fault):
            return
        try:
            answer = self.server.answer(asked.path, parse_qs(asked.query, keep_blank_values=True))
        except RefusedError as refused:
            self._refuse(refused.status, str(refused))
            return
        body = _json(self.server.lie(answer, fault) if fault else answer)
        half = body[: len(body) // 2]
        match fault.kind if fault else None:
            case "half_json":
                self._send(HTTPStatus.OK, half)
            case "half_body":
                self._send(HTTPStatus.OK, half, announced=len(body))
                self.close_connection = True
            case _:
                self._send(HTTPStatus.OK, body)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != _CONTROL:
            self._refuse(HTTPStatus.NOT_FOUND, "Not Found")
            return
        try:
            told = State.model_validate_json(body)
            if told.settings is not None and self.server.configure is not None:
                self.server.configure(told.settings)
            self.server.control.tell(told)
        except ValidationError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        else:
            self._json(HTTPStatus.OK, self._state())

    def _state(self) -> dict[str, Any]:
        """What was told and asked; of a service that has no settings without them."""
        state = self.server.control.state()
        return state.model_dump(exclude={"settings"} if state.settings is None else None)

    def log_message(self, *_arguments: object) -> None:
        """GET /control says what was asked."""

    def _trouble(self, fault: Fault) -> bool:
        """Whether the fault takes the place of an answer."""
        match fault.kind:
            case "fail":
                self._refuse(HTTPStatus(fault.status), "Something went wrong.")
            case "rate_limit":
                reason = "Minutely API request limit exceeded. Please try again in one minute."
                later = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
                self._json(HTTPStatus.TOO_MANY_REQUESTS, self.server.refusal(reason), later)
            case "drop":
                self.close_connection = True
            case "html":
                self._send(HTTPStatus.OK, _PAGE, {"Content-Type": "text/html; charset=utf-8"})
            case "refusal":
                self._refuse(HTTPStatus.OK, "Something went wrong.")
            case _:
                return False
        return True

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._json(status, self.server.refusal(reason))

    def _json(self, status: HTTPStatus, content: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, _json(content), headers)

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        announced: int | None = None,
    ) -> None:
        self.send_response(status)
        length = {"Content-Length": str(len(body) if announced is None else announced)}
        for name, value in ({"Content-Type": "application/json; charset=utf-8"} | length | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
