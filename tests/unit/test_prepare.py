"""Task Prepare: day, run and tables of a night, for the trigger, for a person, and for everything that is wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from memory_objects import MemoryObjects
from moto import mock_aws
from nightlake.core.databases import Databases
from nightlake.core.errors import (
    InvalidDateError,
    InvalidInputError,
    InvalidScheduledTimeError,
    PayloadTooLargeError,
    PipelineNotDeployedError,
)
from nightlake.core.payload import EVENT_LIMIT_BYTES
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.prepare import Start, prepare
from nightlake.core.table import tables
from nightlake.handlers.prepare import handler
from nightlake.handlers.settings import settings

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def aws(environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage in which nothing ever ran."""
    environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        place = {"LocationConstraint": "eu-west-1"}
        boto3.client("s3").create_bucket(Bucket=settings().lake_bucket, CreateBucketConfiguration=place)
        yield


@pytest.fixture
def run(aws: None, event: Callable[[str], dict[str, Any]], lambda_context: Any) -> Run:
    """`run(name=value, ...)`: Prepare's answer to the trigger's event with these fields replaced."""
    return lambda **fields: handler(event("prepare") | fields, lambda_context)


def test_the_trigger_prepares_the_day_before(run: Run, sales: Pipeline) -> None:
    prepared = run()
    assert prepared["pipeline"] == "sales"
    assert (prepared["date"], prepared["year"], prepared["month"], prepared["day"]) == (
        *("2026-11-20", "2026", "11"),
        "20",
    )
    assert prepared["run_id"].startswith("20261121T030000Z-")
    assert prepared["contract_hash"] == sales.contract_hash


def test_a_retry_of_the_same_execution_prepares_the_same_run(run: Run) -> None:
    assert run() == run()
    assert run()["run_id"] != run(execution_id="another")["run_id"]


def test_every_table_of_the_contract_is_wanted_and_one_for_all_refused_rows(run: Run, sales: Pipeline) -> None:
    published = [table.name for dataset in sales.datasets for table in tables(dataset)]
    assert [(table["database"], table["name"]) for table in run()["tables"]] == [
        *(("nightlake_dev", name) for name in published),
        *(("nightlake_dev_staging", name) for name in published),
        ("nightlake_dev_quarantine", "sales"),
    ]


def test_the_run_names_the_merges_views_and_reports_that_were_deployed(
    run: Run, environment: Callable[..., object], tmp_path: Path, sales: Pipeline
) -> None:
    for file in ("views/daily.sql", "reports/b.sql", "reports/a.sql"):
        path = tmp_path / "sql" / "sales" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("-- parameter n: int = 1\nSELECT 1")
    # Nobody says in the night for whom.
    (tmp_path / "sql/sales/reports/asked.sql").write_text("-- parameter n: int\nSELECT 1")
    environment(SQL=str(tmp_path / "sql"))
    prepared = run()
    assert (prepared["merges"], prepared["views"], prepared["reports"]) == ([*sales.merge], ["daily"], ["a", "b"])


def test_a_night_waits_for_a_delivery_from_its_scheduled_time_on_and_a_person_for_none(run: Run) -> None:
    assert run()["scheduled_at"] == "2026-11-21T03:00:00+00:00"
    assert run(input={"date": "2017-06-12"})["scheduled_at"] is None
    assert run(input={"date": "2017-06-12", "backfill": True})["backfill"] is True


def test_a_hundred_datasets_of_two_hundred_columns_make_a_small_answer(
    run: Run, environment: Callable[..., object], tmp_path: Path, sales: Pipeline
) -> None:
    key = Column(name="key", type="bigint", required=True, description="x" * 255)
    others = tuple(
        Column(name=f"column_{number:03}", type="decimal(38,18)", private=number % 2 == 0, description="x" * 255)
        for number in range(199)
    )
    datasets = tuple(
        Dataset(name=f"dataset_of_many_columns_{number:03}", columns=(key, *others), primary_key=("key",))
        for number in range(100)
    )
    (tmp_path / "sales.json").write_text(sales.model_copy(update={"datasets": datasets}).model_dump_json())
    environment(CONTRACTS=str(tmp_path))
    prepared = run()
    assert len(prepared["tables"]) == 2 * 2 * 100 + 1
    assert len(json.dumps(prepared)) < 100_000


def test_a_late_trigger_still_prepares_the_day_it_was_scheduled_for(run: Run) -> None:
    assert run(started_at="2026-11-22T01:00:00.000Z")["date"] == "2026-11-20"


def test_a_person_may_name_the_day_or_nothing(run: Run) -> None:
    assert run(input={"date": "2017-06-12"})["date"] == "2017-06-12"
    assert run(input={"date": "2017-06-12", "scheduled_time": "2026-11-21T03:00:00Z"})["date"] == "2017-06-12"
    assert run(input={})["date"] == "2026-11-20"


DELIVERED = {"key": "sales/customers/2017/06/12/customers.csv", "sequencer": "0A", "at": "2026-11-21T05:00:00Z"}


def test_a_delivery_is_a_run_of_the_day_that_its_key_names(run: Run) -> None:
    prepared = run(input={"delivered": DELIVERED})
    assert (prepared["date"], prepared["scheduled_at"]) == ("2017-06-12", "2026-11-21T05:00:00+00:00")


def test_a_delivery_that_is_told_of_twice_is_one_run(sales: Pipeline) -> None:
    class Ended:
        def status(self, _execution_id: str) -> str:
            return "SUCCEEDED"

    lake = MemoryObjects()

    def told(execution: str, **fields: str) -> bool:
        given = {"delivered": DELIVERED | fields}
        start = Start(pipeline="sales", input=given, execution_id=execution, started_at="2026-11-21T05:00:01Z")
        names = Databases(served="served", staging="staging", quarantine="quarantine")
        run = prepare(start, sales, store=lake, executions=Ended(), databases=names, views=(), reports=())
        return run.duplicate

    assert [told("first"), told("first"), told("second"), told("third", sequencer="0B")] == [False, False, True, False]


@pytest.mark.parametrize(
    ("given", "error", "reason"),
    [
        (
            {"delivered": {"key": "sales/x.csv", "sequencer": "0A", "at": "2026-11-21T05:00:00Z"}},
            InvalidInputError,
            r"'sales/x\.csv' .* is of no day that 'sales' reads",
        ),
        (
            {"delivered": {"key": "sales/customers/2042/06/12/a.csv", "sequencer": "0A", "at": "2026-11-21T05:00:00Z"}},
            InvalidDateError,
            "lies in the future",
        ),
        ({"delivered": {"key": "sales/x.csv"}}, InvalidInputError, r"delivered\.sequencer"),
        ({"dat": "2017-06-12"}, InvalidInputError, r"input\.dat: Extra inputs.*give scheduled_time, date, or nothing"),
        ({"date": 20170612}, InvalidInputError, r"input\.date: Input should be a valid string"),
        ([], InvalidInputError, r"input: Input should be"),
        ({"date": ""}, InvalidDateError, "not a day"),
        ({"date": "2026-11-31"}, InvalidDateError, "'2026-11-31' is not a day of the calendar"),
        ({"date": "2026-11-22"}, InvalidDateError, "lies in the future"),
        ({"scheduled_time": ""}, InvalidScheduledTimeError, "not a time"),
        ({"scheduled_time": "<aws.scheduler.scheduled-time>"}, InvalidScheduledTimeError, "not a time"),
        ({"scheduled_time": "2026-11-21T03:00:00"}, InvalidScheduledTimeError, "no time zone"),
    ],
)
def test_a_wrong_input_is_refused_by_name(run: Run, given: object, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason) as refused:
        run(input=given)
    assert type(refused.value) is error, "Step Functions knows no inheritance"


def test_a_pipeline_that_was_not_deployed_is_refused_with_those_that_were(run: Run) -> None:
    with pytest.raises(PipelineNotDeployedError, match=r"'weather' is not in this deployment \(it has: sales\)"):
        run(pipeline="weather")


def test_an_event_that_step_functions_would_not_carry_is_refused(run: Run) -> None:
    with pytest.raises(PayloadTooLargeError, match="The event is"):
        run(input={"date": "x" * EVENT_LIMIT_BYTES})


def test_every_line_of_the_log_names_pipeline_date_and_run(run: Run, log: Callable[[], list[dict[str, Any]]]) -> None:
    prepared = run()
    (line,) = log()
    assert line["message"] == "Run prepared"
    assert (line["pipeline"], line["date"], line["run_id"]) == ("sales", "2026-11-20", prepared["run_id"])
    assert line["function_request_id"]


def test_one_run_does_not_log_under_the_name_of_the_one_before(
    run: Run, log: Callable[[], list[dict[str, Any]]]
) -> None:
    run()
    run(input={"date": "2017-06-12"})
    assert [line["date"] for line in log()] == ["2026-11-20", "2017-06-12"]
