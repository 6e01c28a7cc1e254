"""Athena in the local AWS, as boto3, state machines and the command line use it."""

import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from local import aws

pytestmark = pytest.mark.e2e

BUCKET = "athena-service"
DATABASE = "athena_service"
OUTPUT = f"s3://{BUCKET}/results/"
ENDLESS = "SELECT count(*) FROM " + ", ".join(f"UNNEST(sequence(1, 10000)) AS t{n}(x{n})" for n in range(4))  # noqa: S608
FINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def lake(cloud: aws.Endpoint) -> aws.Endpoint:
    """A table of sales in two registered partitions, of which one lies elsewhere; and one of 12 MB."""
    s3, glue = cloud.client("s3"), cloud.client("glue")
    s3.create_bucket(Bucket=BUCKET)
    glue.create_database(DatabaseInput={"Name": DATABASE})
    sales = {
        "2026-01-01": ("sales/day=2026-01-01", [1, 2], ["apple", "péar"], [Decimal("1.50"), None]),
        "2026-01-02": ("elsewhere", [3], [None], [Decimal("2.25")]),
    }
    columns = [("id", "int"), ("name", "string"), ("price", "decimal(10,2)")]
    create_table(glue, "sales", columns, f"s3://{BUCKET}/sales/", keys=[("day", "string")])
    for day, (prefix, ids, names, prices) in sales.items():
        kept = {"id": (ids, pa.int32()), "name": (names, pa.string()), "price": (prices, pa.decimal128(10, 2))}
        table = pa.table({name: pa.array(*values) for name, values in kept.items()})
        put(s3, f"{prefix}/part.parquet", table)
        glue.create_partition(
            DatabaseName=DATABASE,
            TableName="sales",
            PartitionInput={"Values": [day], "StorageDescriptor": storage(columns, f"s3://{BUCKET}/{prefix}/")},
        )
    create_table(glue, "noise", [("x", "bigint")], f"s3://{BUCKET}/noise/")
    put(s3, "noise/part.parquet", pa.table({"x": np.random.default_rng(7).integers(0, 2**62, 1_600_000)}))
    return cloud


def storage(columns: list[tuple[str, str]], location: str) -> dict[str, Any]:
    parquet = "org.apache.hadoop.hive.ql.io.parquet"
    return {
        "Columns": [{"Name": name, "Type": kind} for name, kind in columns],
        "Location": location,
        "InputFormat": f"{parquet}.MapredParquetInputFormat",
        "OutputFormat": f"{parquet}.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": f"{parquet}.serde.ParquetHiveSerDe"},
    }


def create_table(
    glue: Any, name: str, columns: list[tuple[str, str]], location: str, keys: list[tuple[str, str]] | None = None
) -> None:
    table = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": key, "Type": kind} for key, kind in keys or []],
        "StorageDescriptor": storage(columns, location),
    }
    glue.create_table(DatabaseName=DATABASE, TableInput=table)


def put(s3: Any, key: str, table: pa.Table) -> None:
    body = io.BytesIO()
    pq.write_table(table, body, compression="none", use_dictionary=False)
    s3.put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())


@pytest.fixture(scope="module")
def athena(lake: aws.Endpoint) -> Any:
    return lake.client("athena")


@pytest.fixture(scope="module")
def run(athena: Any) -> Run:
    """Start a statement, wait for its end, give its execution."""

    def start(sql: str, **request: Any) -> dict[str, Any]:
        started = athena.start_query_execution(
            QueryString=sql,
            **{"QueryExecutionContext": {"Database": DATABASE}, "ResultConfiguration": {"OutputLocation": OUTPUT}}
            | request,
        )
        return ended(athena, started["QueryExecutionId"])

    return start


def ended(athena: Any, identifier: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        execution: dict[str, Any] = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
        if execution["Status"]["State"] in FINAL:
            return execution
        time.sleep(0.05)
    raise AssertionError(execution)


@pytest.fixture(scope="module")
def rows(athena: Any, run: Run) -> Callable[..., list[list[str | None]]]:
    """The rows of a query that succeeds, without the header."""

    def found(sql: str, **request: Any) -> list[list[str | None]]:
        execution = run(sql, **request)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        answer = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        return [[datum.get("VarCharValue") for datum in row["Data"]] for row in answer["ResultSet"]["Rows"]][1:]

    return found


def test_rows_of_every_registered_partition_wherever_it_lies(rows: Callable[..., Any]) -> None:
    assert rows("SELECT id, name, price, day FROM sales ORDER BY id") == [
        ["1", "apple", "1.50", "2026-01-01"],
        ["2", "péar", None, "2026-01-01"],
        ["3", None, "2.25", "2026-01-02"],
    ]


def test_the_results_object_is_quoted_as_athenas(lake: aws.Endpoint, run: Run) -> None:
    execution = run("""SELECT 'say "hi"' AS a, '' AS b, CAST(NULL AS varchar) AS c, 1 AS "D d" """)

    location = execution["ResultConfiguration"]["OutputLocation"]
    body = lake.client("s3").get_object(Bucket=BUCKET, Key=location.split("/", 3)[3])["Body"].read()
    assert location == f"{OUTPUT}{execution['QueryExecutionId']}.csv"
    assert body == b'"a","b","c","D d"\n"say ""hi""","",,"1"\n'


def test_results_are_typed_and_printed_as_athena_prints_them(athena: Any, run: Run) -> None:
    cases = {
        "1": ("integer", "1"),
        "CAST(1 AS bigint)": ("bigint", "1"),
        "1/2": ("integer", "0"),
        "CAST(1 AS decimal(10,2))/3": ("decimal", "0.33"),
        "1e10": ("double", "1.0E10"),
        "CAST(0.1 AS double)": ("double", "0.1"),
        "CAST(1.5 AS real)": ("float", "1.5"),
        "true": ("boolean", "true"),
        "DATE '2024-02-29'": ("date", "2024-02-29"),
        "TIMESTAMP '2024-01-01 00:00:00'": ("timestamp", "2024-01-01 00:00:00.000"),
        "ARRAY[1, NULL, 2]": ("array", "[1, null, 2]"),
        "MAP(ARRAY['a'], ARRAY[1])": ("map", "{a=1}"),
        "CAST(ROW(1, 'a') AS ROW(x integer, y varchar))": ("row", "{x=1, y=a}"),
        "X'CAFE'": ("varbinary", "ca fe"),
        "CAST(NULL AS varchar)": ("varchar", None),
        "''": ("varchar", ""),
    }

    execution = run("SELECT " + ", ".join(cases))
    answer = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]

    header, values = answer["Rows"]
    kinds = [column["Type"] for column in answer["ResultSetMetadata"]["ColumnInfo"]]
    assert (
        dict(zip(cases, zip(kinds, (datum.get("VarCharValue") for datum in values["Data"]), strict=True), strict=True))
        == cases
    )
    assert header["Data"][0]["VarCharValue"] == "_col0"


def test_a_large_result_is_paged_whole(athena: Any, run: Run) -> None:
    execution = run("SELECT a.x * 100 + b.x AS n FROM UNNEST(sequence(0, 24)) AS a(x), UNNEST(sequence(0, 99)) AS b(x)")

    pages = list(athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"]))

    values = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    assert (values[0], sorted(map(int, values[1:]))) == ("n", list(range(2500)))


def test_a_failing_query_says_why(run: Run) -> None:
    execution = run("SELECT nobody FROM sales")

    error = execution["Status"]["AthenaError"]
    assert (execution["Status"]["State"], error["ErrorCategory"]) == ("FAILED", 2)
    assert "Column 'nobody' cannot be resolved" in execution["Status"]["StateChangeReason"]


def test_a_malformed_statement_is_refused_at_once(athena: Any) -> None:
    with pytest.raises(ClientError) as caught:
        athena.start_query_execution(QueryString="SELEC 1", ResultConfiguration={"OutputLocation": OUTPUT})

    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    assert caught.value.response["AthenaErrorCode"] == "MALFORMED_QUERY"


def test_parameters_are_bound_as_the_literals_they_are(rows: Callable[..., Any]) -> None:
    found = rows("SELECT id FROM sales WHERE day = ? AND id > ?", ExecutionParameters=["'2026-01-01'", "1"])

    assert found == [["2"]]


def test_a_prepared_statement_is_executed(athena: Any, rows: Callable[..., Any]) -> None:
    athena.create_prepared_statement(
        StatementName="of_day", WorkGroup="primary", QueryStatement="SELECT id FROM sales WHERE day = ?"
    )

    assert rows("EXECUTE of_day USING '2026-01-02'") == [["3"]]


def test_a_running_query_is_stopped_wherever_it_is(athena: Any) -> None:
    started = athena.start_query_execution(QueryString=ENDLESS, ResultConfiguration={"OutputLocation": OUTPUT})
    identifier = started["QueryExecutionId"]
    while athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]["Status"]["State"] == "QUEUED":
        time.sleep(0.05)
    time.sleep(0.5)

    athena.stop_query_execution(QueryExecutionId=identifier)

    assert ended(athena, identifier)["Status"]["State"] == "CANCELLED"


def test_eight_queries_at_once(rows: Callable[..., Any]) -> None:
    def count(number: int) -> Any:
        return rows(f"SELECT count(*), {number} FROM sales JOIN noise ON id = {number % 3 + 1}")  # noqa: S608

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(8))) == [[["1600000", str(number)]] for number in range(8)]


def test_a_cutoff_cancels_by_the_bytes_that_the_query_would_read(athena: Any, run: Run) -> None:
    athena.create_work_group(
        Name="thrifty",
        Configuration={"BytesScannedCutoffPerQuery": 10_000_000, "ResultConfiguration": {"OutputLocation": OUTPUT}},
    )

    dear = run("SELECT max(x) FROM noise", WorkGroup="thrifty")
    cheap = run("SELECT max(id) FROM sales", WorkGroup="thrifty")

    assert (dear["Status"]["State"], cheap["Status"]["State"]) == ("CANCELLED", "SUCCEEDED")
    assert dear["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"
    assert dear["Statistics"]["DataScannedInBytes"] > 10_000_000 > cheap["Statistics"]["DataScannedInBytes"] > 0


def test_an_enforcing_workgroup_decides_on_place_and_encryption(lake: aws.Endpoint, athena: Any, run: Run) -> None:
    athena.create_work_group(
        Name="strict",
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {
                "OutputLocation": f"s3://{BUCKET}/strict/",
                "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
            },
        },
    )

    execution = run("SELECT 1", WorkGroup="strict")
    table = run(
        f"CREATE TABLE placed WITH (external_location = 's3://{BUCKET}/placed/') AS SELECT 1 AS x", WorkGroup="strict"
    )

    place = execution["ResultConfiguration"]
    assert place["OutputLocation"] == f"s3://{BUCKET}/strict/{execution['QueryExecutionId']}.csv"
    assert place["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
    head = lake.client("s3").head_object(Bucket=BUCKET, Key=f"strict/{execution['QueryExecutionId']}.csv")
    assert head["ServerSideEncryption"] == "AES256"
    assert table["Status"]["State"] == "FAILED"


def test_a_table_is_made_from_a_query_filled_and_unloaded(
    lake: aws.Endpoint, athena: Any, run: Run, rows: Callable[..., Any]
) -> None:
    made = run("CREATE TABLE copied AS SELECT id, name FROM sales")
    more = run("INSERT INTO copied SELECT 4, 'fig'")
    unloaded = run(f"UNLOAD (SELECT id FROM copied) TO 's3://{BUCKET}/unloaded/' WITH (format = 'PARQUET')")  # noqa: S608

    states = [execution["Status"] for execution in (made, more, unloaded)]
    assert [status["State"] for status in states] == ["SUCCEEDED"] * 3, states
    assert athena.get_query_results(QueryExecutionId=made["QueryExecutionId"])["UpdateCount"] == 3
    assert rows("SELECT count(*), max(name) FROM copied") == [["4", "péar"]]
    manifest = unloaded["Statistics"]["DataManifestLocation"]
    files = lake.client("s3").get_object(Bucket=BUCKET, Key=manifest.split("/", 3)[3])["Body"].read().decode().split()
    assert files
    assert all(file.startswith(f"s3://{BUCKET}/unloaded/") for file in files)


def test_show_statements_give_lines_without_a_header(athena: Any, run: Run) -> None:
    execution = run("SHOW TABLES 'sa*'")

    answer = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert [row["Data"][0]["VarCharValue"] for row in answer["ResultSet"]["Rows"]] == ["sales"]
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")


def test_the_catalog_is_shown_by_the_api(athena: Any, run: Run) -> None:
    place = {"CatalogName": "AwsDataCatalog", "DatabaseName": DATABASE}

    table = athena.get_table_metadata(**place, TableName="sales")["TableMetadata"]
    listed = athena.list_table_metadata(**place, Expression="no*")["TableMetadataList"]

    assert [column["Type"] for column in table["Columns"]] == ["int", "string", "decimal(10,2)"]
    assert [key["Name"] for key in table["PartitionKeys"]] == ["day"]
    assert [each["Name"] for each in listed] == ["noise"]
    with pytest.raises(athena.exceptions.MetadataException, match="nobody"):
        athena.get_table_metadata(**place, TableName="nobody")


# Permissions


def test_a_role_queries_in_its_workgroup_only(lake: aws.Endpoint, athena: Any) -> None:
    iam, name = lake.client("iam"), f"analyst-{uuid4().hex[:8]}"
    athena.create_work_group(Name=name, Configuration={"ResultConfiguration": {"OutputLocation": OUTPUT}})
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": "athena:*", "Resource": f"arn:aws:athena:*:*:workgroup/{name}"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    iam.put_role_policy(
        RoleName=name, PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    )
    given = lake.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    analyst = boto3.client(
        "athena",
        endpoint_url=lake.url,
        region_name=aws.REGION,
        verify=str(lake.ca_bundle),
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )

    own = analyst.start_query_execution(QueryString="SELECT 1", WorkGroup=name)["QueryExecutionId"]
    others = athena.start_query_execution(QueryString="SELECT 1", ResultConfiguration={"OutputLocation": OUTPUT})

    assert ended(analyst, own)["Status"]["State"] == "SUCCEEDED"
    assert len(analyst.get_query_results(QueryExecutionId=own)["ResultSet"]["Rows"]) == 2
    for refused in (
        lambda: analyst.get_query_results(QueryExecutionId=others["QueryExecutionId"]),
        lambda: analyst.start_query_execution(QueryString="SELECT 1", ResultConfiguration={"OutputLocation": OUTPUT}),
    ):
        with pytest.raises(ClientError, match="not authorized to perform: athena:"):
            refused()


# State machines


@pytest.fixture
def machine(lake: aws.Endpoint) -> Iterator[Callable[[dict[str, Any]], str]]:
    """Make a state machine from its states; the first is `Query`."""
    states, iam = lake.client("stepfunctions"), lake.client("iam")
    made: list[str] = []
    name = f"athena-{uuid4().hex[:8]}"
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

    def make(definition: dict[str, Any]) -> str:
        text = json.dumps({"StartAt": "Query", "States": definition})
        made.append(states.create_state_machine(name=name, roleArn=role, definition=text)["stateMachineArn"])
        return made[-1]

    yield make
    for arn in made:
        states.delete_state_machine(stateMachineArn=arn)


def task(action: str, parameters: dict[str, Any], **state: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::athena:{action}", "Parameters": parameters, **state}


def query(sql: str, **state: Any) -> dict[str, Any]:
    parameters = {
        "QueryString": sql,
        "QueryExecutionContext": {"Database": DATABASE},
        "ResultConfiguration": {"OutputLocation": OUTPUT},
    }
    return task("startQueryExecution.sync", parameters, **state)


def execute(cloud: aws.Endpoint, arn: str, until: Callable[..., Any]) -> dict[str, Any]:
    client = cloud.client("stepfunctions")
    started = client.start_execution(stateMachineArn=arn)["executionArn"]
    found: dict[str, Any] = until(
        lambda: client.describe_execution(executionArn=started), lambda execution: execution["status"] != "RUNNING"
    )
    return found


def test_a_state_machine_awaits_a_query_and_reads_its_result(
    lake: aws.Endpoint, machine: Callable[..., str], until: Callable[..., Any]
) -> None:
    arn = machine(
        {
            "Query": query("SELECT sum(price) AS total FROM sales", Next="Read", ResultPath="$.query"),
            "Read": task(
                "getQueryResults",
                {"QueryExecutionId.$": "$.query.QueryExecution.QueryExecutionId"},
                ResultSelector={"total.$": "$.ResultSet.Rows[1].Data[0].VarCharValue"},
                ResultPath="$.read",
                End=True,
            ),
        }
    )

    execution = execute(lake, arn, until)

    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert output["read"] == {"total": "3.75"}
    ran = output["query"]["QueryExecution"]
    assert (ran["Status"]["State"], ran["StatementType"]) == ("SUCCEEDED", "DML")
    assert ran["Statistics"]["DataScannedInBytes"] > 0
    assert abs(ran["Status"]["CompletionDateTime"] / 1000 - time.time()) < 3600


def test_a_failed_query_fails_its_task_with_its_execution_as_cause(
    lake: aws.Endpoint, machine: Callable[..., str], until: Callable[..., Any]
) -> None:
    caught = {"ErrorEquals": ["States.TaskFailed"], "Next": "Caught", "ResultPath": "$.error"}
    arn = machine(
        {"Query": query("SELECT nobody FROM sales", Catch=[caught], End=True), "Caught": {"Type": "Pass", "End": True}}
    )

    output = json.loads(execute(lake, arn, until)["output"])

    cause = json.loads(output["error"]["Cause"])
    assert output["error"]["Error"] == "States.TaskFailed"
    assert cause["Status"]["State"] == "FAILED"
    assert "nobody" in cause["Status"]["AthenaError"]["ErrorMessage"]


def test_a_refused_query_fails_its_task_by_the_apis_name(
    lake: aws.Endpoint, machine: Callable[..., str], until: Callable[..., Any]
) -> None:
    execution = execute(lake, machine({"Query": query("SELEC 1", End=True)}), until)

    assert (execution["status"], execution["error"]) == ("FAILED", "Athena.InvalidRequestException")


@pytest.mark.parametrize("how", ["abort", "time out"])
def test_a_task_that_is_given_up_stops_its_query(
    lake: aws.Endpoint, athena: Any, machine: Callable[..., str], until: Callable[..., Any], how: str
) -> None:
    mark = f"{ENDLESS} -- {uuid4()}"
    limit = {"TimeoutSeconds": 2} if how == "time out" else {}
    client = lake.client("stepfunctions")
    started = client.start_execution(stateMachineArn=machine({"Query": query(mark, End=True, **limit)}))

    def states() -> list[str]:
        identifiers = athena.list_query_executions(MaxResults=5)["QueryExecutionIds"]
        found = athena.batch_get_query_execution(QueryExecutionIds=identifiers)["QueryExecutions"]
        return [execution["Status"]["State"] for execution in found if execution["Query"] == mark]

    until(states, lambda found: found == ["RUNNING"])
    if how == "abort":
        client.stop_execution(executionArn=started["executionArn"])

    assert until(states, lambda found: found == ["CANCELLED"])


# What AWS does at a failure, and where a row is


def test_a_failed_ctas_leaves_its_files_in_a_workgroup_tagged_so(lake: aws.Endpoint, athena: Any, run: Run) -> None:
    name = f"orphans-{uuid4().hex[:8]}"
    athena.create_work_group(Name=name, Tags=[{"Key": "nightlake:orphans", "Value": "true"}])
    query = "SELECT x, 1 / (CASE WHEN x > 0 THEN 1 ELSE 0 END) AS y FROM (SELECT x FROM noise UNION ALL VALUES 0)"
    for workgroup, left in (("primary", False), (name, True)):
        prefix = f"failed/{workgroup}/"
        properties = f"external_location = 's3://{BUCKET}/{prefix}'"
        failed = run(f"CREATE TABLE failed WITH ({properties}) AS {query}", WorkGroup=workgroup)
        assert failed["Status"]["StateChangeReason"].startswith("DIVISION_BY_ZERO")
        assert bool(lake.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"]) == left


def test_a_query_that_is_stopped_as_soon_as_it_starts_ends(athena: Any) -> None:
    started = athena.start_query_execution(QueryString=ENDLESS, ResultConfiguration={"OutputLocation": OUTPUT})
    identifier = started["QueryExecutionId"]
    while athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]["Status"]["State"] == "QUEUED":
        time.sleep(0.001)
    athena.stop_query_execution(QueryExecutionId=identifier)
    assert ended(athena, identifier)["Status"]["State"] == "CANCELLED"


def test_the_path_of_a_row_is_its_object(rows: Callable[..., Any]) -> None:
    assert rows("""SELECT "$path", * FROM sales WHERE "$path" LIKE '%elsewhere%'""") == [
        [f"s3://{BUCKET}/elsewhere/part.parquet", "3", None, "2.25", "2026-01-02"]
    ]
