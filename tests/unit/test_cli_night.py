"""What the commands tell of a night: states and shards as they come, counts, commands that can be pasted."""

import io
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from key_desk import KeyDesk, staged
from nightlake.core.dates import run_id
from nightlake.core.errors import SnapshotNotFoundError
from nightlake.core.run_record import Failure, ReportRecord, RunRecord, SourceRecord
from rich.console import Console

from cli import api_keys, backfill, execution
from cli.errors import FunctionFailedError, PipelineUnknownError
from cli.execution import Ended, StateTime, follow
from cli.functions import invoke
from cli.night import Night, delivered, machine
from cli.run import summary

BEGAN = datetime(2017, 6, 13, 3, tzinfo=UTC)
ARN = "arn:aws:states:us-east-1:000000000000:execution:nightlake-local-sales-daily:one"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:nightlake-local-{}-{}"


def entered(name: str, second: float) -> dict[str, Any]:
    kind = "Fail" if name == "Failed" else "Task"
    return {
        "type": f"{kind}StateEntered",
        "stateEnteredEventDetails": {"name": name},
        "timestamp": BEGAN + timedelta(seconds=second),
    }


def exited(name: str, second: float) -> dict[str, Any]:
    return {"stateExitedEventDetails": {"name": name}, "timestamp": BEGAN + timedelta(seconds=second)}


def failed(error: str, cause: str) -> dict[str, Any]:
    return {"taskFailedEventDetails": {"error": error, "cause": cause}, "timestamp": BEGAN}


class States:
    """Step Functions with one execution that ends at the second look."""

    def __init__(self, history: Sequence[Sequence[Mapping[str, Any]]], **end: Any) -> None:
        self._history, self._end, self._looks = history, end, 0

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self._looks += 1
        known = {"executionArn": executionArn, "startDate": BEGAN, "status": "RUNNING"}
        if self._looks < len(self._history):
            return known
        return known | {"stopDate": BEGAN + timedelta(seconds=9)} | self._end

    def get_paginator(self, _name: str) -> Any:
        events = self._history[min(self._looks, len(self._history)) - 1]
        return SimpleNamespace(paginate=lambda **_: [{"events": list(events)}])

    def list_map_runs(self, **_: str) -> dict[str, Any]:
        done = {"mapRunArn": "arn:aws:states:x:0:mapRun:m/products:1", "stopDate": BEGAN}
        return {"mapRuns": [done, {"mapRunArn": "arn:aws:states:x:0:mapRun:m/transactions:2"}]}

    def describe_map_run(self, **_: str) -> dict[str, Any]:
        return {"itemCounts": {"succeeded": self._looks, "failed": 0, "total": 5}}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed as progress."""
    text = io.StringIO()
    monkeypatch.setattr(execution, "progress", Console(file=text, width=80))
    monkeypatch.setattr(execution, "_POLL_SECONDS", 0.0)
    return text


def test_states_are_told_once_and_timed_in_all(told: io.StringIO) -> None:
    first = [entered("Prepare", 0), exited("Prepare", 1), entered("Plan sales", 1), entered("Plan shops", 1)]
    later = [
        *first, exited("Plan sales", 2), exited("Plan shops", 4), entered("Plan sales", 5), exited("Plan sales", 5.5),
        entered("Failed", 6),
    ]  # fmt: skip
    ended = follow(States([first, later], status="SUCCEEDED"), ARN)
    assert (ended.good, ended.seconds) == (True, 9.0)
    assert ended.states == (
        StateTime("Prepare", 1.0, 1),
        StateTime("Plan sales", 1.5, 2),
        StateTime("Plan shops", 3.0, 1),
    )
    assert [line.strip() for line in told.getvalue().splitlines()] == [
        "Prepare", "Plan sales", "Plan shops", "transactions: 1 of 5 shards",
        "Plan sales", "Failed", "transactions: 2 of 5 shards",
    ]  # fmt: skip


def scheduled(kind: str, resource: str) -> dict[str, Any]:
    return {"taskScheduledEventDetails": {"resourceType": kind, "resource": resource}, "timestamp": BEGAN}


def test_transitions_and_calls_are_counted_with_retries_and_children(told: io.StringIO) -> None:
    tasks = [scheduled("lambda", "invoke"), scheduled("lambda", "arn:aws:states:::lambda:invoke")]
    tasks += [scheduled("aws-sdk:glue", "getTable"), scheduled("states", "arn:aws:states:::aws-sdk:glue:getTable")]
    tasks += [scheduled("athena", "startQueryExecution.sync")]
    ended = follow(States([[entered("Prepare", 0), *tasks, exited("Prepare", 1)]], status="SUCCEEDED"), ARN)
    # Two Maps of five children each: a start and a state, which calls a function.
    assert ended.calls == {"transitions": 1 + 1 + 2 * 10, "lambda": 2 + 10, "glue": 2, "athena": 1}


def test_a_failure_is_told_in_its_own_words_and_an_answer_is_none(told: io.StringIO) -> None:
    cause = json.dumps({"errorMessage": "Run x holds the lock", "errorType": "RunInProgressError", "stackTrace": []})
    history = [
        [entered("Prepare", 0), failed("RunInProgressError", cause), failed("Glue.EntityNotFoundException", "t")]
    ]
    ended = follow(States(history, status="FAILED", error="RunInProgressError", cause=cause), ARN)
    assert (ended.good, ended.error, ended.cause) == (False, "RunInProgressError", "Run x holds the lock")
    assert "RunInProgressError: Run x holds the lock" in told.getvalue()
    assert "EntityNotFound" not in told.getvalue()


def record_of(**changed: Any) -> RunRecord:
    source = SourceRecord(
        dataset="transactions", status="good", objects=1, bytes=9, shards=2, reused=1, records=11, rows=8, quarantined=2
    )
    facts: dict[str, Any] = {
        "pipeline": "sales", "date": date(2017, 6, 12), "run_id": "run", "execution_id": ARN, "outcome": "succeeded",
        "error": None, "started_at": "", "ended_at": "", "contract_hash": "", "sources": (source,), "audits": (),
        "tables": (), "snapshot": 3, "reports": (ReportRecord(name="top products", rows=4, key="k"),),
    }  # fmt: skip
    return RunRecord.model_validate(facts | changed)


def ended_as(status: str, **told: Any) -> Ended:
    return Ended(
        arn=ARN,
        status=status,
        started=BEGAN,
        seconds=9.0,
        states=(),
        **{"error": None, "cause": None} | told,
    )


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine keeps its key of the API."""
    monkeypatch.setattr(api_keys, "HOME", tmp_path)
    return tmp_path


def test_refused_rows_come_with_a_query_that_a_shell_can_run() -> None:
    facts = Night("sales", ended_as("SUCCEEDED"), record_of()).facts(staged(KeyDesk()))
    (refused,) = facts["quarantine"]
    assert (refused["dataset"], refused["rows"]) == ("transactions", 2)
    assert refused["location"].startswith("s3://refused/sales/run=run/transactions/")
    program, command, option, database, sql = shlex.split(refused["command"])
    assert (program, command, option, database) == ("nightlake", "query", "--database", "nightlake_local_quarantine")
    assert "FROM sales WHERE dataset = 'transactions' AND year = '2017' AND month = '06' AND day = '12'" in sql


def test_the_api_is_asked_by_a_command_that_names_the_file_of_its_key(home: Path) -> None:
    facts = Night("sales", ended_as("SUCCEEDED"), record_of()).facts(staged(KeyDesk()))
    words = shlex.split(facts["api"]["curl"])
    assert words[:3] == ["curl", "-H", f"@{home}/api-key"]
    assert words[3] == "http://127.0.0.1:4566/restapis/api/local/_user_request_/v1/reports/top products"


def shown(facts: Mapping[str, Any]) -> str:
    text = io.StringIO()
    Console(file=text, width=80).print(summary(facts), soft_wrap=True)
    return text.getvalue()


def test_the_summary_of_a_good_night_has_its_counts_and_commands_in_one_line_each() -> None:
    facts = Night("sales", ended_as("SUCCEEDED"), record_of()).facts(staged(KeyDesk()))
    lines = shown(facts).splitlines()
    (row,) = (line.split() for line in lines if line.strip().startswith("transactions"))
    assert row == ["transactions", "good", "1", "2", "1", "10", "8", "2", "0"]
    assert "Page: nightlake report sales --date 2017-06-12 --open" in lines
    assert f"  {facts['api']['curl']}" in lines
    assert f"  {facts['quarantine'][0]['command']}" in lines
    assert any("snapshot 3" in line for line in lines)


def test_the_summary_says_what_is_missing_and_why() -> None:
    error = {"Error": "SourceNotReadyError", "Cause": "no file has landed"}
    lost = SourceRecord(dataset="users", status="rejected", attempt=1, error=Failure.model_validate(error))
    night = Night("sales", ended_as("SUCCEEDED"), record_of(sources=(lost,), missing=("users",)))
    told = shown(night.facts(staged(KeyDesk())))
    assert "users is missing, the night went on without it: SourceNotReadyError: no file has landed" in told


def test_the_summary_counts_the_rules_and_lists_those_that_were_not_kept() -> None:
    rule = {"dataset": "transactions", "severity": "warn", "found": "", "expectation": "week must be at least 1"}
    kept = {**rule, "rule": "transactions.week.minimum", "verdict": "kept", "rows": 1_000, "broken": 0, "percent": 0.0}
    broken = {**kept, "rule": "transactions.week.maximum", "verdict": "broken", "broken": 12, "percent": 1.2}
    unchecked = {**rule, "rule": "transactions.row_count_change", "verdict": "not checked"}
    record = record_of()
    source = record.sources[0].model_dump() | {"rules": (kept, broken, unchecked)}
    night = Night("sales", ended_as("SUCCEEDED"), record_of(sources=(source,)))
    told = shown(night.facts(staged(KeyDesk())))
    assert "Rules: 1 kept, 1 broken, 1 not checked" in told
    assert "transactions.week.minimum" not in told
    (line,) = (line.split() for line in told.splitlines() if "week.maximum" in line)
    assert line[:6] == ["transactions.week.maximum", "broken", "warn", "1,000", "12", "1.2"]
    assert "transactions.row_count_change" in told


def test_the_summary_of_a_failed_night_says_why_what_it_means_and_what_readers_see() -> None:
    night = Night("sales", ended_as("FAILED", error="InvalidDateError", cause="'2017-02-30' is no day"), None)
    told = shown(night.facts(staged(KeyDesk())))
    assert "InvalidDateError: Raised when a requested date" in told
    assert "'2017-02-30' is no day" in told
    assert "readers see what they saw before" in told
    assert ARN in told


def test_a_night_that_its_sources_fail_names_each_of_them() -> None:
    sources = [
        {"dataset": "products", "status": "good"},
        {"dataset": "transactions", "status": "rejected", "error": {"Error": "HeaderMismatchError", "Cause": "no id"}},
    ]
    ended = ended_as("FAILED", error="SourceRejectedError", cause=json.dumps(sources))
    facts = Night("sales", ended, None).facts(staged(KeyDesk()))
    assert facts["rejected"] == [{"dataset": "transactions", "error": "HeaderMismatchError", "cause": "no id"}]
    assert "transactions: HeaderMismatchError: no id" in shown(facts)


def test_machines_are_found_by_pipeline_and_kind() -> None:
    cloud = staged(KeyDesk())
    assert machine(cloud, cloud.outputs(), "sales", "backfill") == MACHINE.format("sales", "backfill")
    with pytest.raises(PipelineUnknownError, match="it has: sales"):
        machine(cloud, cloud.outputs(), "nope", "daily")


@pytest.mark.parametrize(
    ("name", "kind"), [("SnapshotNotFoundError", SnapshotNotFoundError), ("KeyError", FunctionFailedError)]
)
def test_a_functions_error_is_raised_by_its_own_name(name: str, kind: type[Exception]) -> None:
    body = io.BytesIO(json.dumps({"errorType": name, "errorMessage": "no snapshot 9"}).encode())
    client = SimpleNamespace(invoke=lambda **_: {"FunctionError": "Unhandled", "Payload": body})
    with pytest.raises(kind, match="no snapshot 9"):
        invoke(staged(KeyDesk(), functions=client), "rollback", {"pipeline": "sales", "to": 9})


Execution = Callable[[str, str, str, int], dict[str, Any]]


class Account:
    """Step Functions with several executions of one machine."""

    def __init__(self, *executions: dict[str, Any]) -> None:
        self._executions = {found["executionArn"]: found for found in executions}

    def get_paginator(self, _name: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [{"executions": list(self._executions.values())}])

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return self._executions[executionArn]


def night_of(name: str, payload: Mapping[str, Any], status: str, second: int) -> dict[str, Any]:
    started = BEGAN + timedelta(seconds=second)
    ended = {} if status == "RUNNING" else {"stopDate": started + timedelta(seconds=5)}
    return {
        "executionArn": name, "input": json.dumps(payload), "status": status, "startDate": started,
        "error": "SourceRejectedError", "cause": "no file",
    } | ended  # fmt: skip


def test_a_backfill_knows_its_own_nights_from_all_others() -> None:
    days = [date(2017, 6, day) for day in (12, 13, 14)]
    account = Account(
        night_of("older", {"date": "2017-06-12", "backfill": True}, "SUCCEEDED", -60),
        night_of("nightly", {"scheduled_time": "2017-06-13T03:00:00Z"}, "RUNNING", 1),
        night_of("persons", {"date": "2017-06-14"}, "RUNNING", 1),
        night_of("good", {"date": "2017-06-12", "backfill": True}, "SUCCEEDED", 1),
        night_of("bad", {"date": "2017-06-13", "backfill": True}, "FAILED", 2),
    )
    found = backfill._Nights(account, "daily", days).now({"startDate": BEGAN})
    assert [(day.status, day.error) for day in found.values()] == [
        ("SUCCEEDED", None),
        ("FAILED", "SourceRejectedError"),
        ("WAITING", None),
    ]
    assert found[days[0]].run_id == run_id(BEGAN + timedelta(seconds=1), "good")
    assert found[days[1]].seconds == 5.0


@pytest.mark.parametrize(
    ("day", "followed"), [(None, "landed"), ("2026-11-20", "landed"), ("2026-11-19", None), ("2026-11-18", None)]
)
def test_a_run_that_a_delivery_has_started_is_followed(day: str | None, followed: str | None) -> None:
    inputs = {
        "asked": {"date": "2026-11-18"},
        "landed": {"delivered": {"key": "orders/2026/11/20/orders.csv", "sequencer": "1", "at": "x"}},
    }
    states = SimpleNamespace(
        list_executions=lambda **_: {"executions": [{"executionArn": arn} for arn in inputs]},
        describe_execution=lambda executionArn: {"input": json.dumps(inputs[executionArn])},  # noqa: N803 - boto3's name
    )
    assert delivered(states, "machine", "orders", day) == followed
