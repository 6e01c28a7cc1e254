"""Tasks Statement and Report in Lambda: what is asked of Athena for each kind, and what is kept of its answers."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto import mock_aws
from nightlake.core.errors import PipelineNotDeployedError, StatementError
from nightlake.handlers import report, statement

SQL = Path(__file__).resolve().parents[2] / "sql"
BUCKET = "nightlake-dev-lake-123456789012-eu-west-1"
MOTO_ATHENA = "http://motoapi.amazonaws.com/moto-api/static/athena/query-results"
RUN = {"pipeline": "sales", "date": "2017-06-12", "run_id": "r1"}

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def aws(environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage whose buckets and databases are empty."""
    environment(SQL=str(SQL), AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        boto3.client("glue").create_database(DatabaseInput={"Name": "nightlake_dev"})
        yield


@pytest.fixture
def ask(aws: None, lambda_context: Any) -> Ask:
    return lambda **event: statement.handler(RUN | event, lambda_context)


def test_each_attempt_of_a_merge_has_a_new_table_and_audits_read_the_newest(ask: Ask) -> None:
    first, second = (ask(kind="merge", name="sales_enriched") for _ in range(2))
    assert first.keys() == {"name", "query", "database", "table", "location"}
    assert first["table"] != second["table"]
    assert first["location"] != second["location"]
    assert f"s3://{BUCKET}/{second['location']}" in second["query"]
    audit = ask(kind="audit", name="sales_enriched")
    assert audit["database"] == "nightlake_dev_staging"
    assert second["table"] in audit["query"]
    assert first["table"] not in audit["query"]
    for name in ("rows", "totals", "keys", "products"):
        assert f"'sales_enriched_{name}' AS audit" in audit["query"]


def test_a_merge_has_to_be_made_before_it_is_audited(ask: Ask) -> None:
    with pytest.raises(StatementError, match="this run has not made"):
        ask(kind="audit", name="sales_enriched")


def test_the_checks_across_datasets_are_of_the_runs_day_in_staging(ask: Ask) -> None:
    asked = ask(kind="across", part={"part": 0, "parts": 1})
    assert asked["database"] == "nightlake_dev_staging"
    assert '"nightlake_dev_staging"."transactions"' in asked["query"]
    assert "'2000'" not in asked["query"]


def test_a_view_is_run_only_when_the_catalog_has_another(ask: Ask) -> None:
    asked = ask(kind="view", name="daily_revenue")
    assert asked["changed"]
    query = asked["query"][asked["query"].index("SELECT") :]
    kept = base64.b64encode(json.dumps({"originalSql": query}).encode()).decode()
    definition = {"Name": "daily_revenue", "ViewOriginalText": f"/* Presto View: {kept} */"}
    glue = boto3.client("glue")
    glue.create_table(DatabaseName="nightlake_dev", TableInput=definition)
    assert not ask(kind="view", name="daily_revenue")["changed"]
    glue.create_table(DatabaseName="nightlake_dev", TableInput={"Name": "sales_enriched"})  # newer than its view
    assert ask(kind="view", name="daily_revenue")["changed"]
    glue.update_table(DatabaseName="nightlake_dev", TableInput=definition)
    assert not ask(kind="view", name="daily_revenue")["changed"]


def test_a_report_reads_the_published_tables(ask: Ask) -> None:
    asked = ask(kind="report", name="revenue_trend")
    assert asked.keys() == {"name", "query", "database"}
    assert asked["database"] == "nightlake_dev"
    assert '"nightlake_dev"."daily_revenue"' in asked["query"]
    assert "DATE '2017-06-12'" in asked["query"]


def test_what_is_not_deployed_is_named(ask: Ask) -> None:
    with pytest.raises(StatementError, match=r"no sql/sales/reports/revenue\.sql \(there are: basket_size, "):
        ask(kind="report", name="revenue")
    with pytest.raises(PipelineNotDeployedError):
        ask(kind="report", name="revenue_trend", pipeline="music")


def test_a_report_is_kept_where_the_api_looks(aws: None, lambda_context: Any) -> None:
    rows = [("department", "revenue"), ("GROCERY", "8011.10"), ("unknown", None)]
    columns = [("department", "varchar", 0, 0), ("revenue", "decimal", 18, 2)]
    info = [{"Name": name, "Type": kind, "Precision": p, "Scale": s} for name, kind, p, s in columns]
    data = [{"Data": [{"VarCharValue": value} if value else {} for value in row]} for row in rows]
    answer = {"account_id": "123456789012", "region": "eu-west-1", "results": [{"rows": data, "column_info": info}]}
    requests.post(MOTO_ATHENA, json=answer, timeout=5).raise_for_status()
    athena = boto3.client("athena")
    query = athena.start_query_execution(
        QueryString="SELECT 1", ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"}
    )["QueryExecutionId"]
    event = RUN | {"name": "revenue_by_department", "snapshot": 3, "query_id": query}
    kept = report.handler(event, lambda_context)
    assert kept == {"name": "revenue_by_department", "rows": 2, "key": "reports/sales/revenue_by_department/r1.json"}
    body = json.loads(boto3.client("s3").get_object(Bucket=BUCKET, Key=kept["key"])["Body"].read())
    assert body["snapshot"] == 3
    assert body["columns"][1] == {"name": "revenue", "type": "decimal(18,2)"}
    assert body["rows"] == [
        {"department": "GROCERY", "revenue": "8011.10"},
        {"department": "unknown", "revenue": None},
    ]
