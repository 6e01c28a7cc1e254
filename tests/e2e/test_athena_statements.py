"""Athena's statements: what boto3 gets, what Glue and S3 hold then.

They run in the local AWS; with ATHENA_ORACLE_OUTPUT=s3://bucket/prefix/ (and AWS credentials) in AWS, where a database
and a folder below the prefix are made and removed.
"""

import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.e2e

FINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}
Run = Callable[..., dict[str, Any]]
Lines = Callable[[str], list[str]]


@dataclass(frozen=True)
class Place:
    """Where the statements run: an AWS, a database, and a folder `s3://bucket/prefix` for all objects."""

    client: Callable[[str], Any]
    bucket: str
    prefix: str
    database: str

    def uri(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{name}"

    def put(self, name: str, body: bytes) -> None:
        self.client("s3").put_object(Bucket=self.bucket, Key=f"{self.prefix}{name}", Body=body)

    def read(self, uri: str) -> str:
        key = uri.removeprefix(f"s3://{self.bucket}/")
        body: bytes = self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body.decode()

    def objects(self, name: str = "") -> list[str]:
        """The objects under a folder, their names without the place's own prefix."""
        answer = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}{name}")
        return [each["Key"].removeprefix(self.prefix) for each in answer.get("Contents", ())]


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    mark, output = uuid4().hex, os.environ.get("ATHENA_ORACLE_OUTPUT")
    if output:
        bucket, _, prefix = output.removeprefix("s3://").partition("/")
        found = Place(boto3.client, bucket, f"{prefix}statements-{mark}/", f"statements_{mark}")
    else:
        found = Place(request.getfixturevalue("cloud").client, f"statements-{mark}", "", f"statements_{mark}")
        found.client("s3").create_bucket(Bucket=found.bucket)
    yield found
    for name in found.objects():
        found.client("s3").delete_object(Bucket=found.bucket, Key=f"{found.prefix}{name}")
    found.client("glue").delete_database(Name=found.database)


@pytest.fixture(scope="module")
def run(place: Place) -> Run:
    """run(sql): the finished execution; it must have succeeded unless `state` says otherwise."""
    athena = place.client("athena")

    def start(sql: str, state: str = "SUCCEEDED") -> dict[str, Any]:
        identifier = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": place.database},
            ResultConfiguration={"OutputLocation": place.uri("results/")},
        )["QueryExecutionId"]
        deadline = time.monotonic() + 60
        execution: dict[str, Any] = {}
        while execution.get("Status", {}).get("State") not in FINAL and time.monotonic() < deadline:
            time.sleep(0.05)
            execution = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
        assert execution["Status"]["State"] == state, execution["Status"]
        return execution

    start(f"CREATE DATABASE {place.database}")
    return start


@pytest.fixture(scope="module")
def lines(place: Place, run: Run) -> Lines:
    """lines(sql): a statement's rows, each as one text, with no header for what is not a query."""

    def found(sql: str) -> list[str]:
        identifier = run(sql)["QueryExecutionId"]
        rows = place.client("athena").get_query_results(QueryExecutionId=identifier)["ResultSet"]["Rows"]
        return ["|".join(cell.get("VarCharValue", "-") for cell in row["Data"]) for row in rows]

    return found


def test_an_external_table_reads_its_registered_partitions(place: Place, run: Run, lines: Lines) -> None:
    body = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2]}), body)
    for folder in ("sales/day=1", "moved"):
        place.put(f"{folder}/f.parquet", body.getvalue())
    run(
        "CREATE EXTERNAL TABLE sales (id bigint, note string) PARTITIONED BY (day string)"
        f" STORED AS PARQUET LOCATION '{place.uri('sales/')}'"
    )
    assert lines("SELECT count(*) FROM sales") == ["_col0", "0"]
    run("MSCK REPAIR TABLE sales")
    run(f"ALTER TABLE sales ADD PARTITION (day='2') LOCATION '{place.uri('moved/')}'")
    assert lines("SHOW PARTITIONS sales") == ["day=1", "day=2"]
    assert lines("SELECT * FROM sales WHERE day = '2' ORDER BY id") == ["id|note|day", "1|-|2", "2|-|2"]


def test_columns_come_later_and_partitions_move_and_go(place: Place, run: Run, lines: Lines) -> None:
    place.put("notes/day=1/f.json", b'{"id": 1}\n{"id": 2, "note": "two"}\n')
    run(
        "CREATE EXTERNAL TABLE notes (id int) PARTITIONED BY (day string)"
        f" ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION '{place.uri('notes/')}'"
    )
    run(f"ALTER TABLE notes ADD IF NOT EXISTS PARTITION (day='9') LOCATION '{place.uri('nowhere/')}'")
    run("ALTER TABLE notes DROP PARTITION (day='9')")
    run("ALTER TABLE notes ADD COLUMNS (note string)")
    run("ALTER TABLE notes ADD PARTITION (day='1')")
    assert lines("SELECT note, id FROM notes ORDER BY id") == ["note|id", "-|1", "two|2"]
    run(f"ALTER TABLE notes PARTITION (day='1') SET LOCATION '{place.uri('nowhere/')}'")
    assert lines("SELECT count(*) AS n FROM notes") == ["n", "0"]


def test_lines_of_text_are_split_as_their_serde_says(place: Place, run: Run, lines: Lines) -> None:
    place.put("comma/f.csv", b'id,name\n"1","a ""b"", c"\n2,\n')
    place.put("tab/f.tsv", b"1\tx\n\\N\ty\nno\tz\n")
    run(
        "CREATE EXTERNAL TABLE comma (id string, name string) ROW FORMAT SERDE"
        f" 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION '{place.uri('comma/')}'"
        " TBLPROPERTIES ('skip.header.line.count' = '1')"
    )
    run(
        "CREATE EXTERNAL TABLE tab (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t'"
        f" LOCATION '{place.uri('tab/')}'"
    )
    assert lines("SELECT * FROM comma ORDER BY id") == ["id|name", '1|a "b", c', "2|"]
    assert lines("SELECT * FROM tab ORDER BY name") == ["id|name", "1|x", "-|y", "-|z"]


def test_ctas_insert_and_unload_write_s3_and_glue(place: Place, run: Run, lines: Lines) -> None:
    properties = f"external_location = '{place.uri('kept/')}', partitioned_by = ARRAY['day']"
    query = "SELECT id, day FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, day)"
    done = run(f"CREATE TABLE kept WITH ({properties}) AS {query}")
    assert done["StatementType"] == "DDL"
    assert [name.rsplit("/", 1)[0] for name in place.objects("kept/")] == ["kept/day=a", "kept/day=b"]
    listed = place.read(done["Statistics"]["DataManifestLocation"]).split()
    assert sorted(listed) == [place.uri(name) for name in place.objects("kept/")]
    run("INSERT INTO kept VALUES (3, 'c')")
    assert lines("SELECT id, day FROM kept ORDER BY id") == ["id|day", "1|a", "2|b", "3|c"]
    target = f"'{place.uri('out/')}'"
    run(f"UNLOAD (SELECT id FROM kept) TO {target} WITH (format = 'JSON', compression = 'GZIP')")  # noqa: S608 (our own)
    assert all(name.endswith(".gz") for name in place.objects("out/"))
    refused = run(f"CREATE TABLE more WITH (external_location = '{place.uri('kept/')}') AS SELECT 1 AS id", "FAILED")
    assert refused["Status"]["StateChangeReason"].startswith("HIVE_PATH_ALREADY_EXISTS: Target directory for table")


def test_a_ctas_of_a_known_table_and_of_a_wrong_order_fails(place: Place, run: Run) -> None:
    run("CREATE TABLE known AS SELECT 1 AS id")
    again = run("CREATE TABLE known AS SELECT 1 AS id", "FAILED")
    query = "SELECT 'a' AS day, 1 AS id"
    disordered = run(f"CREATE TABLE disordered WITH (partitioned_by = ARRAY['day']) AS {query}", "FAILED")
    assert again["Status"]["AthenaError"]["ErrorCategory"] == 2
    assert disordered["Status"]["StateChangeReason"].startswith("HIVE_COLUMN_ORDER_MISMATCH")


def test_views_describe_and_show(place: Place, run: Run, lines: Lines) -> None:
    run("CREATE OR REPLACE VIEW one AS SELECT 1 AS id, 'x' AS name")
    assert lines("SELECT * FROM one") == ["id|name", "1|x"]
    assert lines("SHOW CREATE VIEW one")[0].rstrip() == f"CREATE VIEW {place.database}.one AS"
    assert lines("DESCRIBE one")[0].split()[0] == "id"
    run("DROP VIEW one")
    assert "one" not in lines("SHOW TABLES")


def test_a_prepared_statement_outlives_its_statement(run: Run, lines: Lines) -> None:
    run("PREPARE pick FROM SELECT x FROM (VALUES 1, 2, 3) AS v(x) WHERE x > ?")
    assert lines("EXECUTE pick USING 2") == ["x", "3"]
    run("DEALLOCATE PREPARE pick")


def test_databases_and_tables_go_as_they_came(place: Place, run: Run, lines: Lines) -> None:
    run("CREATE TABLE short_lived AS SELECT 1 AS id")
    assert "short_lived" in lines("SHOW TABLES 'short*'")
    run("DROP TABLE short_lived")
    assert lines("SHOW TABLES 'short*'") == []
    full = run(f"DROP DATABASE {place.database}", "FAILED")
    assert "not empty" in full["Status"]["StateChangeReason"]
    assert place.database in lines("SHOW DATABASES")
