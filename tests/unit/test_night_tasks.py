"""Prepare, Seal, Publish, Complete, rollback and garbage collection as Lambda runs them, over S3 and Glue of moto."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from landed import land
from moto import mock_aws
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.dates import parse_date
from nightlake.core.errors import (
    InvalidInputError,
    PipelineNotDeployedError,
    RunInProgressError,
    SnapshotNotFoundError,
)
from nightlake.core.run_record import RunRecord
from nightlake.handlers import collect_garbage, complete, prepare, publish, rollback, seal
from nightlake.handlers.settings import settings

from infra.lake import SUPERSEDED_TAG

MACHINE = '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": true}}}'
STARTED = "2026-11-21T03:00:00.000Z"


class Stage:
    """The buckets, databases and the state machine of a stage, and its functions."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.lake = Objects(settings().lake_bucket)
        self.glue = boto3.client("glue")
        self._states = boto3.client("stepfunctions")
        self._machine = self._states.create_state_machine(
            name="nightlake-dev-sales-daily", definition=MACHINE, roleArn="arn:aws:iam::123456789012:role/night"
        )["stateMachineArn"]

    def start(self) -> str:
        """A running execution."""
        return str(self._states.start_execution(stateMachineArn=self._machine)["executionArn"])

    def stop(self, execution_id: str) -> None:
        self._states.stop_execution(executionArn=execution_id)

    def prepare(self, execution_id: str, **given: str) -> dict[str, Any]:
        event = {"pipeline": "sales", "input": given, "execution_id": execution_id, "started_at": STARTED}
        return prepare.handler(event, self._context)

    def publish(self, run: dict[str, Any]) -> dict[str, Any]:
        """Seal a delivery of one product, and publish it."""
        tables = {"products": [(parse_date(run["date"]), {"product": 1})]}
        key = land(self.lake, "products", parse_date(run["date"]), run["run_id"], tables, pipeline="sales")
        about = {name: run[name] for name in ("pipeline", "date", "run_id")}
        sealed = seal.handler(about | {"validations": [key]}, self._context)
        assert sealed == {
            "tables": [{"table": "products", "rows": 1, "files": 1}],
            "parts": [{"part": 0, "parts": 1}],
        }
        return publish.handler(about | {"contract_hash": run["contract_hash"]}, self._context)

    def complete(self, run: dict[str, Any], execution_id: str) -> dict[str, Any]:
        event = {"pipeline": "sales", "date": run["date"], "run_id": run["run_id"], "execution_id": execution_id}
        return complete.handler(event | {"started_at": STARTED, "outcome": "succeeded"}, self._context)

    def night(self, **given: str) -> dict[str, Any]:
        execution_id = self.start()
        run = self.prepare(execution_id, **given)
        published = self.publish(run)
        self.complete(run, execution_id)
        self.stop(execution_id)
        return published

    def rollback(self, **given: Any) -> dict[str, Any]:
        return rollback.handler({"pipeline": "sales"} | given, self._context)

    def collect(self, **given: Any) -> dict[str, Any]:
        return collect_garbage.handler({"pipeline": "sales", "keep": 1, "dry_run": False} | given, self._context)

    def tagged(self) -> list[str]:
        """The files that carry the tag by which the lake bucket expires them."""
        name, value = SUPERSEDED_TAG
        s3, bucket = boto3.client("s3"), settings().lake_bucket
        keys = [info.key for info in self.lake.list(layout.data("sales"))]
        tags = {key: s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] for key in keys}
        return [key for key in keys if {"Key": name, "Value": value} in tags[key]]

    def days(self) -> dict[str, str]:
        """The partitions of the served table of products."""
        found = self.glue.get_partitions(DatabaseName="nightlake_dev", TableName="products")["Partitions"]
        return {"-".join(each["Values"]): each["StorageDescriptor"]["Location"] for each in found}


@pytest.fixture
def stage(environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch, lambda_context: Any) -> Iterator[Stage]:
    environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3, place = boto3.client("s3"), {"LocationConstraint": "eu-west-1"}
        for bucket in (settings().lake_bucket, settings().raw_bucket):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for database in ("nightlake_dev", "nightlake_dev_staging"):
            boto3.client("glue").create_database(DatabaseInput={"Name": database})
        yield Stage(lambda_context)


def test_a_night_ends_published_served_and_recorded(stage: Stage) -> None:
    execution_id = stage.start()
    run = stage.prepare(execution_id, date="2017-06-12")
    assert stage.publish(run) == {
        "snapshot": 1,
        "parent": None,
        "tables": [{"table": "products", "rows": 1, "partitions": 1}],
    }
    location = f"s3://{settings().lake_bucket}/data/sales/products/run={run['run_id']}/year=2017/month=06/day=12/"
    assert stage.days() == {"2017-06-12": location}
    record = stage.lake.get_model(stage.complete(run, execution_id)["record"], RunRecord)
    assert (record.outcome, record.snapshot) == ("succeeded", 1)


def test_only_the_night_of_the_last_day_is_the_newest(stage: Stage) -> None:
    newest = []
    for day in ("2017-06-12", "2017-06-11", "2017-06-12", "2017-06-13"):
        execution_id = stage.start()
        run = stage.prepare(execution_id, date=day)
        stage.publish(run)
        newest.append(stage.complete(run, execution_id)["newest"])
        stage.stop(execution_id)
    assert newest == [True, False, True, True]
    execution_id = stage.start()
    run = stage.prepare(execution_id, date="2017-06-14")
    assert stage.complete(run, execution_id)["newest"] is False  # it published nothing


def test_the_end_of_a_night_is_measured_once_by_its_last_task(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    def emitted() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]

    execution_id = stage.start()
    run = stage.prepare(execution_id, date="2017-06-12")
    stage.publish(run)
    assert emitted() == []
    stage.complete(run, execution_id)
    lines = emitted()
    assert [line["RowsPublished"] for line in lines if "RowsPublished" in line] == [[1.0]]
    assert all(line["stage"] == "dev" and line["pipeline"] == "sales" for line in lines)


def test_a_night_leaves_a_page_to_look_at(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    execution_id = stage.start()
    run = stage.prepare(execution_id, date="2017-06-12")
    stage.publish(run)
    stage.complete(run, execution_id)
    page = layout.page("sales", parse_date("2017-06-12"), run["run_id"])
    found = boto3.client("s3").get_object(Bucket=settings().lake_bucket, Key=page)
    assert found["ContentType"] == "text/html; charset=utf-8"
    assert run["run_id"] in found["Body"].read().decode()
    assert '"PageFailed":[0.0]' in capsys.readouterr().out


def test_a_page_that_cannot_be_written_fails_no_night_and_is_told(
    stage: Stage, environment: Callable[..., None], tmp_path: Path, log: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    execution_id = stage.start()
    run = stage.prepare(execution_id, date="2017-06-12")
    stage.publish(run)
    environment(LIBRARIES=str(tmp_path / "nowhere"))
    record = stage.lake.get_model(stage.complete(run, execution_id)["record"], RunRecord)
    assert (record.outcome, record.snapshot) == ("succeeded", 1)
    (told,) = [line for line in log() if line["level"] == "ERROR"]
    assert told["message"] == "The page of the run was not written"
    assert "FileNotFoundError" in told["exception"]
    assert '"PageFailed":[1.0]' in capsys.readouterr().out
    assert stage.prepare(stage.start(), date="2017-06-12")["duplicate"] is False  # its locks are released


def test_the_second_of_two_runs_of_a_date_is_refused_until_the_first_has_ended(stage: Stage) -> None:
    first, second = stage.start(), stage.start()
    stage.prepare(first, date="2017-06-12")
    with pytest.raises(RunInProgressError, match=first):
        stage.prepare(second, date="2017-06-12")
    stage.stop(first)
    assert stage.prepare(second, date="2017-06-12")["duplicate"] is False


def test_two_nights_never_run_at_once_and_the_one_that_waits_keeps_nothing(stage: Stage) -> None:
    first, second = stage.start(), stage.start()
    stage.prepare(first, date="2017-06-12")
    with pytest.raises(RunInProgressError, match=r"night\.json"):
        stage.prepare(second, date="2017-06-13")
    stage.complete(stage.prepare(first, date="2017-06-12"), first)
    third = stage.start()
    assert stage.prepare(third, date="2017-06-13")["date"] == "2017-06-13"


def test_a_trigger_that_is_delivered_twice_runs_once(stage: Stage) -> None:
    first, second = stage.start(), stage.start()
    assert stage.prepare(first, scheduled_time="2026-11-21T03:00:00Z")["duplicate"] is False
    assert stage.prepare(second, scheduled_time="2026-11-21T03:00:00Z")["duplicate"] is True
    assert stage.prepare(first, scheduled_time="2026-11-21T03:00:00Z")["duplicate"] is False


def test_the_next_prepare_completes_a_catalog_that_a_crash_left_behind(stage: Stage) -> None:
    stage.night(date="2017-06-12")
    published = stage.days()
    stage.glue.delete_table(DatabaseName="nightlake_dev", Name="products")
    stage.prepare(stage.start(), date="2017-06-13")
    assert stage.days() == published


def test_rollback_takes_a_day_away_and_brings_it_back(stage: Stage) -> None:
    stage.night(date="2017-06-12")
    stage.night(date="2017-06-13")
    both = stage.days()
    assert stage.rollback() == {"from": 2, "to": 1}
    assert stage.days().keys() == {"2017-06-12"}
    assert stage.rollback(to=2) == {"from": 1, "to": 2}
    assert stage.days() == both
    with pytest.raises(SnapshotNotFoundError, match="no snapshot 9"):
        stage.rollback(to=9)


def test_garbage_is_tagged_as_the_bucket_expires_it(stage: Stage) -> None:
    for _ in range(2):
        stage.night(date="2017-06-12")
    assert stage.collect(dry_run=True)["superseded_files"] == 1
    assert stage.tagged() == []
    assert stage.collect()["superseded_files"] == 1
    (tagged,) = stage.tagged()
    assert tagged not in "".join(stage.days().values())
    assert stage.collect(keep=5)["kept_snapshots"] == 1


@pytest.mark.parametrize("given", [{"keep": 0}, {"keep": "all"}, {"kept": 3}])
def test_garbage_is_collected_only_by_a_request_that_makes_sense(stage: Stage, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="keep at least 1"):
        stage.collect(**given)


def test_a_pipeline_that_was_not_deployed_is_not_rolled_back(stage: Stage) -> None:
    with pytest.raises(PipelineNotDeployedError, match="'weather' is not in this deployment"):
        stage.rollback(pipeline="weather")
