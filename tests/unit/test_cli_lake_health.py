"""`nightlake doctor` on the lake: a catalog that is not what HEAD says is found and completed, stale locks named."""

import io
import json
from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from nightlake.core import layout
from nightlake.core.lock import Lock, Owner
from nightlake.core.snapshot import Head, Partition, PublishedTable, Snapshot
from pydantic import BaseModel

from cli.cloud import Cloud, Stage
from cli.finding import Finding, Verdict
from cli.lake_health import lake_health

DAY = date(2017, 6, 12)
VALUES = ["2017", "06", "12"]
OUTPUTS = {
    "LakeBucket": "lake",
    "Database": "served",
    "RollbackFunction": "rollback",
    "StateMachineSales": "arn:aws:states:us-east-1:000000000000:stateMachine:nightlake-local-sales-daily",
}


class Nights:
    """Step Functions that knows one running execution."""

    exceptions = SimpleNamespace(ExecutionDoesNotExist=KeyError)

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803 - boto3's name
        return {"status": {"running": "RUNNING", "ended": "FAILED"}[executionArn]}


class Account(Cloud):
    """A lake with one published partition; its rollback function completes the catalog."""

    def client(self, service: str) -> Any:
        if service == "stepfunctions":
            return Nights()
        if service == "lambda":
            return SimpleNamespace(invoke=self._rollback)
        return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]

    def put(self, key: str, model: BaseModel) -> None:
        self.client("s3").put_object(Bucket="lake", Key=key, Body=model.model_dump_json().encode())

    def point(self, location: str) -> None:
        given = {"Values": VALUES, "StorageDescriptor": {"Location": f"s3://lake/{location}"}}
        self.client("glue").create_partition(DatabaseName="served", TableName="sold", PartitionInput=given)

    def findings(self, *, mend: bool = False) -> dict[str, Finding]:
        return {found.subject: found for found in lake_health(self, OUTPUTS, mend=mend)}

    def _rollback(self, **asked: Any) -> dict[str, Any]:
        assert json.loads(asked["Payload"]) == {"pipeline": "sales", "to": 3}
        self.point("data/new/")
        return {"Payload": io.BytesIO(b'{"from": 3, "to": 3}')}


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        account = Account(Stage.LOCAL, None)
        account.client("s3").create_bucket(Bucket="lake")
        glue = account.client("glue")
        glue.create_database(DatabaseInput={"Name": "served"})
        glue.create_table(DatabaseName="served", TableInput={"Name": "sold"})
        partition = Partition(
            day=DAY, location="data/new/", manifest="m", files=1, rows=1, bytes=1, run_id="r", contributions=(DAY,)
        )
        snapshot = Snapshot(
            pipeline="sales", number=3, parent=2, run_id="r", date=DAY, contract_hash="", created_at="",
            tables=(PublishedTable(table="sold", private=False, columns=(), partitions=(partition,)),),
        )  # fmt: skip
        account.put("snapshot", snapshot)
        account.put(layout.head("sales"), Head(pipeline="sales", snapshot=3, key="snapshot", latest=3))
        yield account


def test_a_catalog_as_head_says_is_well(account: Account) -> None:
    account.point("data/new/")
    found = account.findings()["catalog of sales"]
    assert (found.verdict, found.found) == (Verdict.OK, "1 partitions, as snapshot 3 says")


def test_a_partition_that_points_elsewhere_is_found(account: Account) -> None:
    account.point("data/old/")
    found = account.findings()["catalog of sales"]
    assert found.verdict is Verdict.FAIL
    assert "1 partitions are not as snapshot 3 says" in found.found
    assert "nightlake doctor --mend" in found.advice


def test_mending_completes_a_catalog_that_lacks_a_partition(account: Account) -> None:
    assert account.findings()["catalog of sales"].verdict is Verdict.FAIL
    assert account.findings(mend=True)["catalog of sales"].verdict is Verdict.OK


def test_a_lake_without_a_table_yet_is_behind_and_not_broken(account: Account) -> None:
    account.client("glue").delete_table(DatabaseName="served", Name="sold")
    assert account.findings()["catalog of sales"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("execution", "verdict", "told"),
    [("running", Verdict.OK, "held by running night"), ("ended", Verdict.WARN, "night"), (None, Verdict.OK, "free")],
)
def test_only_a_lock_whose_run_ended_is_stale(
    account: Account, execution: str | None, verdict: Verdict, told: str
) -> None:
    owner = Owner(execution_id=execution, run_id="night", since="") if execution else None
    account.put(layout.pipeline_lock("sales"), Lock(owner=owner))
    found = account.findings()["locks of sales"]
    assert found.verdict is verdict
    assert told in found.found
