"""A function as Lambda runs it: environment, compiled contracts, context, events, log, and a chat it can post to."""

import io
import json
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from api_gateway import Gateway, PromptAthena, fill, leave_report
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline
from nightlake.handlers import contracts, notify, page, query
from nightlake.handlers.api import asked, queries
from nightlake.handlers.query import handler
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger
from published_lake import PublishedLake
from recommended_lake import RecommendedLake, only, recommend
from serving import serving

from local import tls

TESTS = Path(__file__).resolve().parents[1]
READ_ONCE = (
    settings,
    contracts.pipelines,
    contracts.statements,
    notify.secrets,
    page.assets,
    query.api,
    asked.lake,
    asked.kept,
    asked.published,
)


@dataclass(frozen=True)
class Context:
    """What the Lambda runtime passes beside the event, as far as Powertools reads it."""

    function_name: str = "nightlake-dev-function"
    function_version: str = "7"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:nightlake-dev-function:7"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"


@pytest.fixture
def lambda_context() -> Context:
    return Context()


@pytest.fixture
def event() -> Callable[[str], dict[str, Any]]:
    """`event(name)`: a fresh copy of tests/events/<name>.json."""

    def load(name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((TESTS / "events" / f"{name}.json").read_text())
        return loaded

    return load


@pytest.fixture
def send(event: Callable[[str], dict[str, Any]], lambda_context: Context) -> Callable[..., dict[str, Any]]:
    """`send(path, query, ...)`: the proxy response to a request as API Gateway passes it on.

    `headers` come besides those that every request has, `authorizer` and the like are of the request's context.
    """

    def ask(
        path: str,
        query: Mapping[str, str | list[str]] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: str | None = None,
        **context: Any,
    ) -> dict[str, Any]:
        request = event("api_get")
        values = {name: [value] if isinstance(value, str) else value for name, value in (query or {}).items()}
        request |= {
            "path": path,
            "httpMethod": method,
            "body": body,
            "queryStringParameters": {name: each[-1] for name, each in values.items() if each} or None,
            "multiValueQueryStringParameters": values or None,
        }
        request["headers"] |= headers or {}
        request["multiValueHeaders"] |= {name: [value] for name, value in (headers or {}).items()}
        request["requestContext"] |= {"path": f"/dev{path}", "httpMethod": method, **context}
        return handler(request, lambda_context)

    return ask


@pytest.fixture(scope="session")
def every_pipeline() -> dict[str, Pipeline]:
    """By name."""
    return {each.name: each for each in load_pipelines(TESTS.parent / "pipelines")}


@pytest.fixture(scope="session")
def sales(every_pipeline: dict[str, Pipeline]) -> Pipeline:
    return every_pipeline["sales"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sales: Pipeline) -> Iterator[Callable[..., None]]:
    """Stage dev's environment; `environment(NAME="value")` adds to it. What functions read once is forgotten."""
    directory = tmp_path / "contracts"
    directory.mkdir()
    (directory / "sales.json").write_text(sales.model_dump_json())

    def change(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for read_once in READ_ONCE:
            read_once.cache_clear()

    change(
        STAGE="dev",
        RAW_BUCKET="nightlake-dev-raw-123456789012-eu-west-1",
        LAKE_BUCKET="nightlake-dev-lake-123456789012-eu-west-1",
        QUARANTINE_BUCKET="nightlake-dev-quarantine-123456789012-eu-west-1",
        DATABASE="nightlake_dev",
        STAGING_DATABASE="nightlake_dev_staging",
        QUARANTINE_DATABASE="nightlake_dev_quarantine",
        CONTRACTS=str(directory),
        LIBRARIES=str(TESTS.parent / "node_modules"),
        AWS_DEFAULT_REGION="eu-west-1",
    )
    yield change
    for read_once in READ_ONCE:
        read_once.cache_clear()


@pytest.fixture
def gateway(
    environment: Callable[..., None],
    event: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    every_pipeline: dict[str, Pipeline],
    tmp_path: Path,
) -> Gateway:
    """The API over three published days, two reports and a model, with the keys that `api_gateway.SCOPES` tells of."""
    reports = tmp_path / "sql" / "sales" / "reports"
    reports.mkdir(parents=True)
    for name in ("top_products.sql", "department_products.sql"):
        shutil.copy(TESTS.parent / "sql" / "sales" / "reports" / name, reports)
    lake = PublishedLake()
    fill(lake, every_pipeline["sales"])
    for name in ("top_products", "department_products"):
        leave_report(lake, name)
    listeners = only(every_pipeline["music"], "listeners")
    (tmp_path / "contracts" / "music.json").write_text(listeners.model_dump_json())
    recommend(RecommendedLake(listeners, every_pipeline["recommendations"], lake.store))
    monkeypatch.setattr(asked, "lake", lambda: lake.store)
    monkeypatch.setattr(queries, "engine", PromptAthena)
    environment(SQL=str(tmp_path / "sql"), SERVES_PRIVATE="true", STAGE="local")
    return Gateway(event, Context())


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """`log()`: what the handlers have logged in this test, one dict a line."""
    written = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@dataclass
class Chat:
    """An https server that takes what is posted to it; `answers` maps a path to the statuses of its next answers."""

    url: str = ""
    answers: dict[str, list[int]] = field(default_factory=dict)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    silent: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, body: bytes) -> int:
        """Keep the message and say with which status to answer it."""
        self.received.append((path, json.loads(body)))
        if self.silent:
            self.ended.wait()
        statuses = self.answers.get(path)
        return statuses.pop(0) if statuses else 200


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Chat]:
    """A running chat whose certificate this process trusts; a redirect of it leads to /elsewhere."""
    chat = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = chat.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            if status in range(300, 400):
                self.send_header("Location", f"{chat.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Tests look at `received` instead."""

    certificates = tls.ensure(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    chat.url = f"https://localhost:{server.server_port}"
    with serving(server):
        yield chat
        chat.ended.set()
