"""How long a night took, and what of it was ours: told by its notes, and measured once."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.metrics import Measured
from nightlake.core.night_metrics import night_metrics
from nightlake.core.night_times import PARTS, Times, night_times, ready_at
from nightlake.core.prices import load_prices
from nightlake.core.run_record import RunRecord, SourceRecord, TableRecord
from nightlake.core.shard_bill import conversion_bill
from nightlake.handlers.task import emit

DAY = date(2026, 11, 20)
RUN = "20261121T030000Z-1f3a9c07"
STARTED = datetime(2026, 11, 21, 3, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return STARTED + timedelta(minutes=minutes)


class Notes:
    """A night's notes, each written so many minutes after its start."""

    def __init__(self) -> None:
        self.now = STARTED
        self.store = MemoryObjects("lake", now=lambda: self.now)

    def write(self, minutes: float, *keys: str) -> None:
        self.now = at(minutes)
        for key in keys:
            self.store.put(key, b"{}")

    def times(self, *, published: float | None, ended: float) -> Times:
        published_at = None if published is None else at(published)
        return night_times(
            self.store, "sales", DAY, RUN, started_at=STARTED, published_at=published_at, ended_at=at(ended)
        )


def plan(dataset: str, attempt: int = 1, cutting: int = 0) -> str:
    return layout.plan("sales", DAY, RUN, dataset, attempt, cutting=cutting)


def verdict(dataset: str) -> str:
    return layout.validation("sales", DAY, RUN, dataset)


@pytest.fixture
def notes() -> Notes:
    """Products are ready at once; transactions come late, are rejected, and are ready again after half an hour."""
    notes = Notes()
    notes.write(1, plan("products"))
    notes.write(3, verdict("products"))
    notes.write(20, plan("transactions"))
    notes.write(30, plan("transactions", attempt=2))
    notes.write(34, plan("transactions", attempt=2, cutting=1))
    notes.write(40, verdict("transactions"))
    return notes


def test_processing_begins_when_the_last_source_is_ready_for_good(notes: Notes) -> None:
    times = notes.times(published=45, ended=50)
    assert (times.processing, times.ready_at) == (20 * 60, at(30))
    assert times.sources == {"products": 2 * 60, "transactions": 10 * 60}


def test_the_parts_of_a_night_add_up_to_the_night(notes: Notes) -> None:
    notes.write(42, f"{layout.sealed_tables('sales', DAY, RUN)}products.json")
    notes.write(44, layout.merge_audit("sales", DAY, RUN, "sales_enriched"))
    times = notes.times(published=45, ended=50)
    assert times.parts == {"wait": 1800, "ingest": 600, "seal": 120, "merge": 120, "publish": 60, "report": 300}
    assert tuple(times.parts) == PARTS
    assert sum(times.parts.values()) == 50 * 60


def test_a_night_that_failed_has_the_parts_that_it_came_to(notes: Notes) -> None:
    assert notes.times(published=None, ended=41).parts == {"wait": 1800, "ingest": 600}


def test_a_night_that_never_had_a_source_was_all_processing() -> None:
    assert Notes().times(published=None, ended=5) == Times(processing=300)


def test_what_is_waited_for_is_not_ready(notes: Notes) -> None:
    assert ready_at(notes.store, "sales", DAY, RUN) == {"products": at(1), "transactions": at(30)}


def record(**changed: Any) -> RunRecord:
    bill = conversion_bill(converted=3, gb_seconds=120.0, prices=load_prices())
    good = SourceRecord(
        dataset="products", status="good", bytes=1000, shards=4, reused=1, rows=97, quarantined=3, gb_seconds=120.0
    )
    rejected = SourceRecord(dataset="customers", status="rejected")
    told = {
        "pipeline": "sales",
        "date": DAY,
        "run_id": RUN,
        "execution_id": "arn",
        "outcome": "succeeded",
        "error": None,
        "started_at": "2026-11-21T03:00:00Z",
        "ended_at": "2026-11-21T03:20:00Z",
        "contract_hash": "c",
        "sources": (good, rejected),
        "audits": (),
        "tables": (TableRecord(table="products", rows=97, files=1, bytes=500),),
        "snapshot": 7,
        "reports": (),
        "conversion": bill,
        "times": Times(processing=1140.0, parts={"wait": 60.0}, sources={"products": 300.0}),
    }
    return RunRecord.model_validate(told | changed)


def values(measured: Measured) -> dict[str, float]:
    return {name: value for name, (_, value) in measured.values.items()}


def test_a_night_is_measured_by_source_as_a_whole_and_by_part() -> None:
    products, customers, night, wait = night_metrics(record())
    assert products.dimensions == {"pipeline": "sales", "dataset": "products"}
    cost = sum(item.usd for item in record().conversion)
    assert values(products) == {
        "RowsRead": 100,
        "RowsAccepted": 97,
        "RowsQuarantined": 3,
        "QuarantinedPercent": 3,
        "BytesRead": 1000,
        "Rejected": 0,
        "Cost": cost,
        "IngestSeconds": 300,
    }
    assert (values(customers)["Rejected"], values(customers)["QuarantinedPercent"]) == (1, 0)
    assert "IngestSeconds" not in customers.values
    assert values(night) == {
        "RowsPublished": 97,
        "RowsQuarantined": 3,
        "BytesRead": 1000,
        "Cost": cost,
        "ProcessingSeconds": 1140,
    }
    assert (wait.dimensions, values(wait)) == ({"pipeline": "sales", "part": "wait"}, {"PartSeconds": 60})


def test_what_was_not_published_is_not_counted_as_such() -> None:
    night = next(each for each in night_metrics(record(snapshot=None)) if each.dimensions == {"pipeline": "sales"})
    assert values(night)["RowsPublished"] == 0


def test_a_night_that_failed_before_it_knew_its_day_has_no_times() -> None:
    (night,) = night_metrics(record(date=None, sources=(), times=None))
    assert "ProcessingSeconds" not in night.values


@pytest.fixture
def emitted(environment: Any, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What a night writes into its log, as CloudWatch reads it."""
    environment(POWERTOOLS_SERVICE_NAME="complete")
    emit(night_metrics(record()))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def described(lines: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Nightlake"
        (dimensions,) = directive["Dimensions"]
        yield line, dimensions


def test_every_metric_has_the_stage_and_no_dimension_that_grows_with_the_nights(emitted: list[dict[str, Any]]) -> None:
    allowed = [["stage", "pipeline", "dataset"], ["stage", "pipeline"], ["stage", "pipeline", "part"]]
    for line, dimensions in described(emitted):
        assert dimensions in allowed
        assert line["stage"] == "dev"
        assert RUN not in json.dumps(line)


def test_all_metrics_of_one_thing_are_one_line_of_numbers(emitted: list[dict[str, Any]]) -> None:
    assert len(emitted) == 4
    for line, _ in described(emitted):
        names = [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
        assert [line[name] for name in names] == [[float(value) for value in line[name]] for name in names]
