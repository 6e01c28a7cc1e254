"""Tasks Validate, AuditAcross and AuditMerge in Lambda: what they read of S3 and Athena, and what they answer."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from moto import mock_aws
from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.errors import DuplicateKeysError, MergeAuditError
from nightlake.core.merge_attempt import ROW_COUNT
from nightlake.core.pipeline import Pipeline
from nightlake.core.quarantine import quarantine_table
from nightlake.core.shard import Plan
from nightlake.core.snapshot import SealedTable
from nightlake.core.table import table_input
from nightlake.handlers import audit_across, audit_merge, validate

DAY = date(2017, 6, 12)
RUN = {"pipeline": "sales", "date": "2017-06-12", "run_id": "r1"}
LAKE = "nightlake-dev-lake-123456789012-eu-west-1"
REFUSED = "nightlake-dev-quarantine-123456789012-eu-west-1"
STAGING = "nightlake_dev_staging"
MOTO_ATHENA = "http://motoapi.amazonaws.com/moto-api/static/athena/query-results"


@pytest.fixture
def aws(environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage whose buckets and databases are empty."""
    environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        for bucket in (LAKE, REFUSED):
            place = {"LocationConstraint": "eu-west-1"}
            boto3.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        for database in (STAGING, "nightlake_dev_quarantine"):
            boto3.client("glue").create_database(DatabaseInput={"Name": database})
        yield


def answered(columns: Sequence[str], *rows: Sequence[object]) -> str:
    """The id of a finished query that answered these rows; the first column is text, the others are numbers."""
    info = [
        {"Name": name, "Type": "bigint" if number else "varchar", "Precision": 0, "Scale": 0}
        for number, name in enumerate(columns)
    ]
    data = [{"Data": [{"VarCharValue": str(value)} for value in row]} for row in (columns, *rows)]
    answer = {"account_id": "123456789012", "region": "eu-west-1", "results": [{"rows": data, "column_info": info}]}
    requests.post(MOTO_ATHENA, json=answer, timeout=5).raise_for_status()
    place = {"OutputLocation": f"s3://{LAKE}/results/"}
    asked = boto3.client("athena").start_query_execution(QueryString="SELECT 1", ResultConfiguration=place)
    return asked["QueryExecutionId"]


def test_a_source_that_delivered_nothing_is_rejected_with_what_the_alert_says(
    aws: None, sales: Pipeline, lambda_context: Any, log: Callable[[], list[dict[str, Any]]]
) -> None:
    Glue().create_table("nightlake_dev_quarantine", table_input(quarantine_table("sales"), "s3://empty/"))
    key = layout.plan("sales", DAY, "r1", "transactions", 0)
    Objects(LAKE).put_model(key, Plan(dataset="transactions", attempt=0, delivery="d", objects=(), shards=()))
    verdict = validate.handler(RUN | {"dataset": "transactions", "attempt": 0, "plan": key}, lambda_context)
    assert verdict | {"error": None} == {
        "dataset": "transactions",
        "status": "rejected",
        "rows": 0,
        "quarantined": 0,
        "reused": 0,
        "validation": layout.validation("sales", DAY, "r1", "transactions"),
        "error": None,
        "delivery": "d",
        "shards": None,
        "shard_file": None,
        "plan": None,
    }
    assert verdict["error"]["Error"] == "transactions.row_count"
    assert verdict["error"]["Cause"].startswith("transactions: 0 rows, must be greater than 0 (A chain of stores")
    assert "Look at s3://nightlake-dev-raw-" in verdict["error"]["Cause"]
    assert json.loads(json.dumps(verdict)) == verdict
    partitions = Glue().partitions("nightlake_dev_quarantine", "sales")
    assert partitions == {("2017", "06", "12"): f"s3://{REFUSED}/{layout.quarantine('sales', 'r1')}"}
    assert any(line.get("dataset") == "transactions" for line in log())


def test_repeated_keys_end_the_night_by_name(aws: None, lambda_context: Any, sales: Pipeline) -> None:
    for dataset in sales.datasets:
        sealed = SealedTable(table=dataset.name, private=False, columns=(), files=())
        Objects(LAKE).put_model(layout.sealed_table("sales", DAY, "r1", dataset.name), sealed)
    rules = [
        *("transactions.primary_key", "products.primary_key", "customers.primary_key"),
        *("transactions.product_id.products", "transactions.customer_id.customers"),
    ]
    columns = ("rule", "broken", "checked")
    query = answered(columns, *((rule, 0, 10) for rule in rules))
    answer = audit_across.handler(RUN | {"query_ids": [query]}, lambda_context)
    assert answer == {"verdict": layout.across_audit("sales", DAY, "r1"), "checks": 5, "warnings": 0}
    query = answered(columns, *((rule, int("products" in rule), 10) for rule in rules))
    with pytest.raises(DuplicateKeysError, match=r"products\.primary_key: .* 1 of 10 rows"):
        audit_across.handler(RUN | {"query_ids": [query]}, lambda_context)


def test_a_merge_is_audited_then_sealed(
    aws: None, environment: Callable[..., None], lambda_context: Any, tmp_path: Any
) -> None:
    folder = tmp_path / "sql" / "sales" / "merge"
    folder.mkdir(parents=True)
    (folder / "doubled.sql").write_text("CREATE TABLE doubled AS SELECT id, year, month, day FROM transactions")
    environment(SQL=str(tmp_path / "sql"))
    location = layout.merged("sales", "doubled", "r1", "a")
    file = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2]}), file)
    Objects(LAKE).put(f"{location}{layout.day_path(DAY)}/part-0", file.getvalue())
    definition = {
        "Name": "doubled__a",
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in ("year", "month", "day")],
        "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "bigint"}], "Location": f"s3://{LAKE}/{location}"},
    }
    Glue().create_table(STAGING, definition)
    event = RUN | {"merge": "doubled", "table": "doubled__a", "location": location}
    wrong = answered(("audit", "found"), (ROW_COUNT, 2), ("keys", 1))
    with pytest.raises(MergeAuditError, match=r"audits/keys\.sql"):
        audit_merge.handler(event | {"query_id": wrong}, lambda_context)
    good = answered(("audit", "found"), (ROW_COUNT, 2), ("keys", 0))
    assert audit_merge.handler(event | {"query_id": good}, lambda_context) == {
        "table": "doubled",
        "rows": 2,
        "files": 1,
        "verdict": layout.merge_audit("sales", DAY, "r1", "doubled"),
    }
    sealed = Objects(LAKE).get_model(layout.sealed_table("sales", DAY, "r1", "doubled"), SealedTable)
    assert [column.name for column in sealed.columns] == ["id"]
    assert Glue().partitions(STAGING, "doubled") == {
        ("2017", "06", "12"): f"s3://{LAKE}/{layout.sealed('sales', 'doubled', 'r1')}"
    }
