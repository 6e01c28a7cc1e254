"""A function as Lambda runs it: its environment and compiled contracts, its context, its events, its log."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline
from nightlake.handlers import contracts, notify, query
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger

TESTS = Path(__file__).resolve().parents[1]
READ_ONCE = (settings, contracts.pipelines, notify.secrets, query.api)


@dataclass(frozen=True)
class Context:
    """What the Lambda runtime passes beside the event, as far as Powertools reads it."""

    function_name: str = "nightlake-dev-function"
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


@pytest.fixture(scope="session")
def sales() -> Pipeline:
    (pipeline,) = load_pipelines(TESTS.parent / "pipelines")
    return pipeline


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
        LAKE_BUCKET="nightlake-dev-lake-123456789012-eu-west-1",
        DATABASE="nightlake_dev",
        STAGING_DATABASE="nightlake_dev_staging",
        CONTRACTS=str(directory),
        AWS_DEFAULT_REGION="eu-west-1",
    )
    yield change
    for read_once in READ_ONCE:
        read_once.cache_clear()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """`log()`: what the handlers have logged in this test, one dict a line."""
    written = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]
