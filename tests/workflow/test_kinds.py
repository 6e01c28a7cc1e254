"""A night of three kinds of sources: each calls its own functions, and none waits for, stops or repeats another."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.http_source import HttpSource
from nightlake.core.machine import read_templates, render
from nightlake.core.pipeline import Pipeline
from nightlake.core.postgres_source import PostgresSource

ROOT = Path(__file__).parents[2]
TRIGGER = {"scheduled_time": "2026-11-21T03:00:00Z"}
KINDS = {"transactions": "plan", "products": "plan_http", "customers": "plan_postgres"}
ENDS = 60  # seconds; a test that waits longer than this fails


def mixed(pipeline: Pipeline, **changes: Any) -> Pipeline:
    """The pipeline with its second source behind an API and its third in a database, each with these `changes`."""
    s3, api, table = pipeline.sources
    http = {"from": "http", "dataset": api.dataset, "url": "https://api.example.com/products"}
    postgres = {"from": "postgres", "dataset": table.dataset, "database": "app", "table": "t", "watermark": "at"}
    sources = (s3, HttpSource.model_validate(http), PostgresSource.model_validate(postgres | {"connections": 3}))
    return pipeline.model_copy(update={"sources": tuple(each.model_copy(update=changes) for each in sources)})


@pytest.fixture
def three(night: Any) -> Any:
    """A night of three kinds of sources."""
    night.redeploy(mixed(night.pipeline))
    return night


def asked(night: Any, function: str) -> dict[str, int]:
    """How often a function was called for each dataset."""
    names = [event["dataset"] for event in night.function.events(function)]
    return {name: names.count(name) for name in names}


def test_each_kind_calls_the_functions_of_its_kind(three: Any) -> None:
    ended = three.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert {name: list(asked(three, function)) for name, function in KINDS.items()} == {name: [name] for name in KINDS}
    count = three.function.count()
    assert (count["convert"], count["convert_postgres"]) == (4, 2)
    assert asked(three, "validate") == dict.fromkeys(KINDS, 1)
    assert three.alerts() == []


def test_a_database_is_read_over_no_more_connections_than_its_source_says(pipeline: Pipeline) -> None:
    def readers(of: Pipeline) -> dict[str, int]:
        branches = render(of, read_templates(ROOT / "statemachines"))["States"]["IngestSources"]["Branches"]
        maps = {name: state for branch in branches for name, state in branch["States"].items() if "Label" in state}
        return {name: state["MaxConcurrency"] for name, state in maps.items()}

    assert readers(mixed(pipeline)) == {"Convert transactions": 40, "Convert products": 40, "Convert customers": 3}
    as_of_one_moment = mixed(pipeline, snapshot="source")
    assert readers(as_of_one_moment)["Convert customers"] == 1


@pytest.mark.parametrize("late", KINDS)
def test_a_source_that_is_late_holds_up_none_of_its_sisters(three: Any, late: str) -> None:
    sisters, judged, waits = KINDS.keys() - {late}, threading.Event(), []
    plan, validate = three.function.default(KINDS[late]), three.function.default("validate")
    seen: set[str] = set()

    def planned(event: Any) -> Any:
        waits.append(judged.wait(ENDS) if waits else False)
        return {**plan(event), "ready": waits[-1], "wait_seconds": 30}

    def validated(event: Any) -> Any:
        seen.add(event["dataset"])
        if sisters <= seen:
            judged.set()
        return validate(event)

    three.function.answers |= {KINDS[late]: planned, "validate": validated}
    ended = three.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert waits == [False, True]
    assert asked(three, "validate") == dict.fromkeys(KINDS, 1)
    assert three.alerts() == []


@pytest.mark.parametrize(
    ("broken", "step"), [("products", "plan"), ("customers", "convert"), ("transactions", "validate")]
)
def test_a_source_that_breaks_stops_none_of_its_sisters_and_is_told_of(three: Any, broken: str, step: str) -> None:
    function = {"plan": KINDS[broken], "convert": "convert_postgres", "validate": "validate"}[step]
    of_source = (lambda event: event["dataset"] == broken) if step != "convert" else bool
    three.function.fail(function, "SomethingBroke", when=of_source)
    if step == "convert":  # Validate says what became of shards without a receipt
        validate = three.function.default("validate")
        error = {"Error": "receipt.missing", "Cause": "was not converted"}
        three.function.answers["validate"] = lambda event: (
            {**validate(event), **({"status": "rejected", "error": error} if event["dataset"] == broken else {})}
        )
    ended = three.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    stood = {each["dataset"]: each["status"] for each in json.loads(ended.cause)}
    assert stood == {name: "rejected" if name == broken else "good" for name in KINDS}
    (alert,) = three.alerts()
    assert alert["Subject"] == f"Nightlake: sales: {broken} was rejected, given up"
    assert three.function.events("seal") == []
    assert three.held_locks() == []


def test_three_sources_that_break_at_once_are_told_of_once_each(three: Any) -> None:
    for function in KINDS.values():
        three.function.fail(function, "SomethingBroke")
    ended = three.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    told = [alert["Subject"] for alert in three.alerts()]
    assert sorted(told) == sorted(f"Nightlake: sales: {name} was rejected, given up" for name in KINDS)


def test_optional_sources_of_every_kind_may_be_missing_as_long_as_one_is_there(night: Any) -> None:
    night.redeploy(mixed(night.pipeline, required=False))
    night.function.fail("plan_http", "SourceNotReadyError")
    night.function.fail("plan_postgres", "SourceNotReadyError")
    ended = night.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    (record,) = [each for key, each in night.objects("runs/sales/records/").items()]
    assert record["missing"] == ["products", "customers"]
    told = night.alerts()
    assert len(told) == 2
    assert all("the night goes on without it" in alert["Message"] for alert in told)

    night.function.fail("plan", "SourceNotReadyError")
    assert night.run(date="2026-11-19").error == "SourceRejectedError"


@pytest.mark.parametrize(
    ("kind", "error"),
    [("plan_http", "ApiUnavailableError"), ("plan_postgres", "DatabaseUnavailableError")],
)
def test_what_is_transient_is_tried_three_times_more_before_it_costs_an_attempt(
    three: Any, kind: str, error: str
) -> None:
    three.function.fail(kind, error, times=3)
    assert three.run(**TRIGGER).status == "SUCCEEDED"
    assert three.alerts() == []

    three.function.fail(kind, error, times=4)
    healed = three.run(scheduled_time="2026-11-22T03:00:00Z")
    assert healed.status == "SUCCEEDED"
    (alert,) = three.alerts()
    assert "attempt 1 of 4" in alert["Subject"]
    assert error in alert["Message"]
    assert [wait for wait in three.function.slept if wait >= 60] == [60]


def test_an_extraction_that_is_bad_once_is_made_anew_and_its_sisters_are_not(three: Any) -> None:
    source = "products"
    validate = three.function.default("validate")
    error = {"Error": "rows", "Cause": "too few rows"}

    def judged(event: Any) -> Any:
        bad = event["dataset"] == source and event["attempt"] == 1
        return {**validate(event), **({"status": "rejected", "error": error, "delivery": "bad"} if bad else {})}

    three.function.answers["validate"] = judged
    assert three.run(**TRIGGER).status == "SUCCEEDED"
    first, second = three.function.events(KINDS[source])
    assert (first["previous"], second["previous"], second["attempt"]) == (None, "bad", 2)
    assert asked(three, "validate") == {name: 2 if name == source else 1 for name in KINDS}
    assert len(three.alerts()) == 1
