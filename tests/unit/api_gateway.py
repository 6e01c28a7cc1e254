"""A stand-in for API Gateway and its authorizer, before the real function: a WSGI application, and a way to ask it."""

import base64
import json
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, make_server

from nightlake.core import layout
from nightlake.core.api.queries import Execution
from nightlake.core.column_type import INTEGER_BITS, ColumnType, parse
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import QueryResult, ResultColumn
from nightlake.core.report import build
from nightlake.core.table import tables
from nightlake.handlers.query import handler
from published_lake import PublishedLake
from serving import serving

SCOPES = {
    "everything": "read:* private:* query:* operate:*",
    "reader": "read:*",
    "operator": "operate:*",
    "nothing": "read:elsewhere",
}
"""What each key may."""
_REFUSED = {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "Send a key.", "request_id": "r"}


STAGE = "/dev"
PERSONAL = "a-value-that-is-personal"
DAYS = [date(2017, 6, 12) + timedelta(days=number) for number in range(3)]


def fill(lake: PublishedLake, pipeline: Pipeline) -> None:
    """Three days of every table of the pipeline, whose private texts are PERSONAL."""
    for dataset in pipeline.datasets:
        for place, table in enumerate(tables(dataset)):
            kinds = {column.name: parse(column.type) for column in table.columns}
            days = {
                day: [
                    [
                        {name: _value(kind, row, private=place > 0) for name, kind in kinds.items()}
                        for row in range(number * 7, number * 7 + 7)
                    ]
                ]
                for number, day in enumerate(DAYS)
            }
            lake.publish(table.name, table.columns, days, private=place > 0)


def leave_report(lake: PublishedLake, name: str) -> None:
    """A report of the newest run, as it has left it."""
    run, values = lake.run_id(lake.nights), {"department": "GROCERY"} if name == "department_products" else {}
    columns = (ResultColumn(name="product_id", type="bigint"), ResultColumn(name="revenue", type="decimal(18,2)"))
    result = QueryResult(columns=columns, rows=((1, Decimal("4.20")),))
    made = build(
        pipeline="sales", name=name, day=DAYS[-1], run_id=run, snapshot=lake.nights, result=result, values=values
    )
    lake.store.put_model(layout.report("sales", name, run), made)


def _value(kind: ColumnType, row: int, *, private: bool) -> object:
    if kind.name in INTEGER_BITS:
        return row
    plain: dict[str, object] = {
        "string": PERSONAL if private else string.printable[-row:] if row % 5 else "=1+1",
        "decimal": Decimal(row).scaleb(-kind.scale),
        "double": float(row),
        "boolean": bool(row % 2),
        "date": DAYS[0],
        "timestamp": datetime(2017, 6, 12, 8, row % 60),  # noqa: DTZ001 (as Parquet holds it)
    }
    return plain[kind.name]


class PromptAthena:
    """An engine that has answered every query at once, with one row."""

    def start(self, _query: str, *, token: str, **_other: object) -> str:
        """The token is as good a name as any."""
        return token

    def execution(self, _query_id: str) -> Execution | None:
        """Done."""
        return Execution("succeeded", 0, None)

    def stop(self, _query_id: str) -> None:
        """It has ended."""

    def page(self, _query_id: str, **_other: object) -> tuple[QueryResult, str | None]:
        """The one row."""
        return QueryResult(columns=(ResultColumn(name="number", type="bigint"),), rows=((1,),)), None


@dataclass
class Gateway:
    """The API of one stage; `event` and `context` are as Lambda passes them."""

    event: Callable[[str], dict[str, Any]]
    context: Any

    def __call__(self, environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """One request as a WSGI server passes it on."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        length = int(environ.get("CONTENT_LENGTH") or 0)
        status, answered, body = self._pass_on(
            environ["REQUEST_METHOD"],
            environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace").removeprefix(STAGE),
            parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True),
            headers,
            environ["wsgi.input"].read(length) if length else b"",
        )
        start(f"{status} {HTTPStatus(status).phrase}", list(answered.items()))
        return [body]

    def ask(
        self,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        *,
        key: str = "everything",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (by their names in lower case) and body of the answer."""
        sent = {"x-api-key": key, "accept": "application/json"} | dict(headers or {})
        status, answered, content = self._pass_on(method, path, list(query), sent, body)
        return status, {name.lower(): value for name, value in answered.items()}, content

    def document(self, key: str = "everything") -> dict[str, Any]:
        """The OpenAPI document that this key gets."""
        status, _, body = self.ask("/v1/openapi.json", key=key)
        assert status == HTTPStatus.OK, body
        document: dict[str, Any] = json.loads(body)
        return document

    def _pass_on(
        self, method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        key = headers.get("x-api-key", "")
        if key not in SCOPES:
            refused = {"Content-Type": "application/problem+json", "X-Request-Id": "r", "Vary": "x"}
            return 401, refused, json.dumps(_REFUSED).encode()
        values: dict[str, list[str]] = {}
        for name, value in query:
            values.setdefault(name, []).append(value)
        request = self.event("api_get")
        request["requestContext"]["authorizer"] |= {"caller": key, "scopes": SCOPES[key]}
        request["requestContext"]["path"] = f"{STAGE}{path}"
        request |= {
            "path": path,
            "httpMethod": method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": {name: each[-1] for name, each in values.items()} or None,
            "multiValueQueryStringParameters": values or None,
            "body": base64.b64encode(body).decode() if body else None,
            "isBase64Encoded": bool(body),
        }
        answer = handler(request, self.context)
        text: str = answer["body"]
        content = base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
        told = {name: ", ".join(each) for name, each in answer["multiValueHeaders"].items()}
        return answer["statusCode"], told, content


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Whoever asks knows what was answered."""


@contextmanager
def served(gateway: Gateway) -> Iterator[str]:
    """The address at which the API answers over HTTP meanwhile."""
    with serving(make_server("127.0.0.1", 0, gateway, handler_class=_Quiet)) as server:
        yield f"http://127.0.0.1:{server.server_port}{STAGE}"
