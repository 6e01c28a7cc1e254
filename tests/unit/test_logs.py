"""Every line of every function's log says what night it is of, and one id finds all lines of a run or of a request."""

import importlib
import json
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
from nightlake import handlers
from nightlake.core.dates import parse_instant, run_id
from nightlake.handlers import notify
from nightlake.handlers.task import about, logger, task

MODULES = [each.name for each in pkgutil.iter_modules(handlers.__path__)]
HANDLERS = [name for name in MODULES if hasattr(importlib.import_module(f"nightlake.handlers.{name}"), "handler")]
# Called by others than a state machine: each names its request, and what it is about where it knows.
BY_OTHERS = {"query", "notify", "authorize"}

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:nightlake-dev-nosuch-daily:one"
STARTED = "2026-11-21T03:00:00Z"
RUN = run_id(parse_instant(STARTED), EXECUTION)
NIGHT = {"pipeline": "nosuch", "date": "2017-06-12", "run_id": RUN}
START = {"pipeline": "nosuch", "input": {"date": "2017-06-12"}, "execution_id": EXECUTION, "started_at": STARTED}
SHARD = {"pipeline": "nosuch", "dataset": "products", "date": "2017-06-12"}
EVENTS = {
    "prepare": START,
    "convert": {"shard": SHARD, "run_id": RUN},
    "convert_postgres": {"shard": SHARD, "run_id": RUN},
    "watchdog": {"source": "aws.cloudformation", "detail": {"status-details": {"status": "UPDATE_COMPLETE"}}} | NIGHT,
}
OF_ONE_SOURCE = {"plan", "plan_http", "plan_postgres", "convert", "convert_postgres", "validate", "explain"}

Log = Callable[[], list[dict[str, Any]]]


def call(name: str, event: dict[str, Any], context: Any) -> None:
    """Let the function run into whatever stops it: there is no such pipeline, and no AWS."""
    module = importlib.import_module(f"nightlake.handlers.{name}")
    try:
        module.handler(event, context)
    except Exception:  # noqa: BLE001 - the test is about what was logged before
        return


@pytest.mark.parametrize("name", [name for name in HANDLERS if name not in BY_OTHERS])
def test_every_line_names_pipeline_date_run_and_source(
    environment: Callable[..., None], lambda_context: Any, log: Log, name: str
) -> None:
    environment(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    event = EVENTS.get(name, NIGHT | {"execution_id": EXECUTION, "started_at": STARTED})
    call(
        name,
        event | ({"dataset": "products"} if name in OF_ONE_SOURCE and "shard" not in event else {}),
        lambda_context,
    )
    lines = log()
    assert lines
    for line in lines:
        assert (line["pipeline"], line["run_id"], line["correlation_id"]) == ("nosuch", RUN, RUN)
        assert line.get("date", "2017-06-12") == "2017-06-12"
        assert ("date" in line) == (name != "prepare")  # which finds out
        assert line.get("dataset") == ("products" if name in OF_ONE_SOURCE else None)
        assert line["function_request_id"] == lambda_context.aws_request_id


@task
def _works(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    about(statement="s")
    logger.info("Works")
    return {}


@task
def _fails(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    raise LookupError("row 7 is not there")


def test_an_error_is_a_line_with_its_name_and_its_stack(lambda_context: Any, log: Log) -> None:
    with pytest.raises(LookupError):
        _fails(NIGHT, lambda_context)
    (line,) = log()
    assert (line["level"], line["error"], line["pipeline"]) == ("ERROR", "LookupError", "nosuch")
    assert "row 7 is not there" in line["exception"]
    assert line["stack_trace"]["frames"][-1]["function"] == "_fails"


def test_an_event_of_no_run_is_found_by_its_request(lambda_context: Any, log: Log) -> None:
    _works({"pipeline": "nosuch"}, lambda_context)
    (line,) = log()
    assert line["correlation_id"] == lambda_context.aws_request_id


def test_nothing_of_one_event_is_said_of_the_next(lambda_context: Any, log: Log) -> None:
    _works(NIGHT | {"dataset": "products"}, lambda_context)
    _works({}, lambda_context)
    first, second = log()
    assert (first["dataset"], first["statement"]) == ("products", "s")
    assert not {"pipeline", "date", "run_id", "dataset"} & second.keys()


def test_an_alert_is_found_by_its_message(
    environment: Callable[..., None], lambda_context: Any, log: Log, event: Callable[[str], dict[str, Any]]
) -> None:
    webhook = {"name": "ops", "kind": "slack", "secret_name": "nightlake/ops"}
    environment(WEBHOOKS=json.dumps([webhook]), AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    alert = event("sns_failed_night")
    with pytest.raises(Exception, match="ops"):
        notify.handler(alert, lambda_context)
    assert {line["correlation_id"] for line in log()} == {alert["Records"][0]["Sns"]["MessageId"]}
