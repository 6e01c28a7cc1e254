"""Athena's statements in the local AWS: what boto3 gets, what Glue and S3 hold then."""

import io
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local import aws

pytestmark = pytest.mark.e2e

BUCKET = "athena-statements"
DATABASE = "athena_statements"
OUTPUT = f"s3://{BUCKET}/results/"
FINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}
Run = Callable[..., dict[str, Any]]
Lines = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def run(cloud: aws.Endpoint) -> Run:
    """run(sql): the finished execution; it must have succeeded unless `state` says otherwise."""
    athena = cloud.client("athena")
    cloud.client("s3").create_bucket(Bucket=BUCKET)

    def start(sql: str, state: str = "SUCCEEDED") -> dict[str, Any]:
        identifier = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": DATABASE},
            ResultConfiguration={"OutputLocation": OUTPUT},
        )["QueryExecutionId"]
        deadline = time.monotonic() + 60
        execution: dict[str, Any] = {}
        while execution.get("Status", {}).get("State") not in FINAL and time.monotonic() < deadline:
            time.sleep(0.05)
            execution = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
        assert execution["Status"]["State"] == state, execution["Status"]
        return execution

    start(f"CREATE DATABASE {DATABASE}")
    return start


@pytest.fixture(scope="module")
def lines(cloud: aws.Endpoint, run: Run) -> Lines:
    """lines(sql): a statement's rows, each as one text, with no header for what is not a query."""

    def found(sql: str) -> list[str]:
        identifier = run(sql)["QueryExecutionId"]
        rows = cloud.client("athena").get_query_results(QueryExecutionId=identifier)["ResultSet"]["Rows"]
        return ["|".join(cell.get("VarCharValue", "-") for cell in row["Data"]) for row in rows]

    return found


def keys(cloud: aws.Endpoint, prefix: str) -> list[str]:
    answer = cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [each["Key"] for each in answer.get("Contents", ())]


def test_an_external_table_reads_its_registered_partitions(cloud: aws.Endpoint, run: Run, lines: Lines) -> None:
    body = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2]}), body)
    for place in ("sales/day=1", "moved"):
        cloud.client("s3").put_object(Bucket=BUCKET, Key=f"{place}/f.parquet", Body=body.getvalue())
    run(
        "CREATE EXTERNAL TABLE sales (id bigint, note string) PARTITIONED BY (day string)"
        f" STORED AS PARQUET LOCATION 's3://{BUCKET}/sales/'"
    )
    assert lines("SELECT count(*) FROM sales") == ["_col0", "0"]
    run("MSCK REPAIR TABLE sales")
    run(f"ALTER TABLE sales ADD PARTITION (day='2') LOCATION 's3://{BUCKET}/moved/'")
    assert lines("SHOW PARTITIONS sales") == ["day=1", "day=2"]
    assert lines("SELECT * FROM sales WHERE day = '2' ORDER BY id") == ["id|note|day", "1|-|2", "2|-|2"]


def test_ctas_insert_and_unload_write_s3_and_glue(cloud: aws.Endpoint, run: Run, lines: Lines) -> None:
    properties = f"external_location = 's3://{BUCKET}/kept/', partitioned_by = ARRAY['day']"
    query = "SELECT id, day FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, day)"
    done = run(f"CREATE TABLE kept WITH ({properties}) AS {query}")
    assert done["StatementType"] == "DDL"
    assert [key.rsplit("/", 1)[0] for key in keys(cloud, "kept/")] == ["kept/day=a", "kept/day=b"]
    manifest = done["Statistics"]["DataManifestLocation"].removeprefix(f"s3://{BUCKET}/")
    listed = cloud.client("s3").get_object(Bucket=BUCKET, Key=manifest)["Body"].read().decode().split()
    assert listed == [f"s3://{BUCKET}/{key}" for key in keys(cloud, "kept/")]
    run("INSERT INTO kept VALUES (3, 'c')")
    assert lines("SELECT id, day FROM kept ORDER BY id") == ["id|day", "1|a", "2|b", "3|c"]
    target = f"'s3://{BUCKET}/out/'"
    run(f"UNLOAD (SELECT id FROM kept) TO {target} WITH (format = 'JSON', compression = 'GZIP')")  # noqa: S608 (our own)
    assert all(key.endswith(".gz") for key in keys(cloud, "out/"))
    refused = run(f"CREATE TABLE more WITH (external_location = 's3://{BUCKET}/kept/') AS SELECT 1 AS id", "FAILED")
    assert refused["Status"]["StateChangeReason"].startswith("HIVE_PATH_ALREADY_EXISTS: Target directory for table")


def test_views_describe_and_show(run: Run, lines: Lines) -> None:
    run("CREATE OR REPLACE VIEW one AS SELECT 1 AS id, 'x' AS name")
    assert lines("SELECT * FROM one") == ["id|name", "1|x"]
    assert lines("SHOW CREATE VIEW one") == [f"CREATE VIEW {DATABASE}.one AS ", "SELECT 1 AS id, 'x' AS name"]
    assert lines("DESCRIBE one")[0].split() == ["id", "int"]
    run("DROP VIEW one")
    assert "one" not in lines("SHOW TABLES")


def test_a_prepared_statement_outlives_its_statement(run: Run, lines: Lines) -> None:
    run("PREPARE pick FROM SELECT x FROM (VALUES 1, 2, 3) AS v(x) WHERE x > ?")
    assert lines("EXECUTE pick USING 2") == ["x", "3"]
    run("DEALLOCATE PREPARE pick")
