"""Queries of the API in Athena: the adapter over the local Athena, whose statements really run."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from athena_lake import athena_lake
from nightlake.adapters.athena import Athena
from nightlake.core import column_type
from nightlake.core.api.queries import Execution
from nightlake.core.errors import TooManyQueriesError
from nightlake.core.query_result import ResultColumn, ResultGoneError
from nightlake.core.report_parameters import literal

from local.athena import service
from local.athena.service import RequestError, Stores

OUTPUT = {"OutputLocation": "s3://results/api/"}
ECHO = "SELECT v FROM (VALUES 'it''s', '\\', '\u2019', '', '?') AS t (v) WHERE v = ?"


def workgroup(name: str, **configuration: Any) -> dict[str, Any]:
    return {"Name": name, "State": "ENABLED", "Configuration": {"ResultConfiguration": OUTPUT} | configuration}


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Athena]:
    """The adapter, whose client's calls the local Athena answers; the workgroup `tight` may scan next to nothing."""
    stores = Stores({}, {"api": workgroup("api"), "tight": workgroup("tight", BytesScannedCutoffPerQuery=1)}, {})
    with pytest.MonkeyPatch.context() as patch, athena_lake(tmp_path_factory.mktemp("lake"), patch) as lake:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="results")
        lake.put("s3://lake/t/part.parquet", {"n": [1, 2, 3]})
        storage = {
            "Columns": [{"Name": "n", "Type": "bigint"}],
            "Location": "s3://lake/t/",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
        }
        table = {"Name": "t", "TableType": "EXTERNAL_TABLE", "PartitionKeys": [], "StorageDescriptor": storage}
        lake.glue.create_table(DatabaseName="db", TableInput=table)
        local = service.Athena(stores, lambda: lake.engine, lambda: s3, lambda _: None)

        def answered(model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
            try:
                found = local.call(model.name, json.loads(params["body"]))
            except RequestError as error:
                refused = {"Error": {"Code": error.code, "Message": str(error)}, "ResponseMetadata": {}}
                return SimpleNamespace(status_code=400), refused
            status = found.get("QueryExecution", {}).get("Status", {})
            times = {key: datetime.fromtimestamp(status[key], UTC) for key in status if key.endswith("DateTime")}
            if status:
                found = {"QueryExecution": found["QueryExecution"] | {"Status": status | times}}
            return SimpleNamespace(status_code=200), found

        client = boto3.client("athena", region_name="us-east-1")
        client.meta.events.register("before-call.athena", answered)
        yield Athena(client)
        local.close()


def start(athena: Athena, query: str, *parameters: str, group: str = "api", token: str = "") -> str:
    return athena.start(
        query, parameters=parameters, database="db", workgroup=group, token=token or f"{time.monotonic_ns():032}"
    )


def ended(athena: Athena, query_id: str) -> Execution:
    while (found := athena.execution(query_id)) is None or found.state in ("queued", "running"):
        time.sleep(0.01)
    return found


@pytest.mark.parametrize(
    "text", ["it's", "\\", "\u2019", "", "?", "' OR '1'='1", "\\' OR 1=1 --", "'; DROP TABLE t; --"]
)
def test_a_text_is_compared_as_it_is(athena: Athena, text: str) -> None:
    query = start(athena, ECHO, literal(column_type.parse("string"), text))
    assert ended(athena, query).state == "succeeded"
    result, following = athena.page(query, token=None, limit=10)
    assert result.rows == (((text,),) if text in ("it's", "\\", "\u2019", "", "?") else ())
    assert following is None


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        ("bigint", -5_000_000_000, "BIGINT '-5000000000'"),
        ("decimal(12,2)", Decimal("2.50"), "DECIMAL '2.50'"),
        ("double", 1e-7, "DOUBLE '1e-7'"),
        ("float", 0.5, "REAL '0.5'"),
        ("boolean", True, "true"),
        ("date", datetime(2017, 6, 12).date(), "DATE '2017-06-12'"),  # noqa: DTZ001 (as stored)
        ("timestamp", datetime(2017, 6, 12, 3), "TIMESTAMP '2017-06-12 03:00:00'"),  # noqa: DTZ001
    ],
)
def test_a_value_is_of_its_type(athena: Athena, kind: str, value: Any, column: str) -> None:
    written = literal(column_type.parse(kind), value)
    query = start(athena, f"SELECT v FROM (VALUES {column}) AS t (v) WHERE v = ?", written)  # noqa: S608 (a test's own)
    assert ended(athena, query).state == "succeeded"
    assert len(athena.page(query, token=None, limit=1)[0].rows) == 1


def test_rows_come_page_by_page_without_the_names_of_columns(athena: Athena) -> None:
    query = start(athena, "SELECT n, CAST(n AS decimal(5, 2)) AS d FROM t WHERE n > ? ORDER BY n", "0")
    told = ended(athena, query)
    assert (told.state, told.scanned_bytes > 0, told.ended_at is not None) == ("succeeded", True, True)
    first, token = athena.page(query, token=None, limit=2)
    assert first.columns[1] == ResultColumn(name="d", type="decimal(5,2)")
    assert first.rows == ((1, Decimal("1.00")), (2, Decimal("2.00")))
    rest, end = athena.page(query, token=token, limit=2)
    assert (rest.columns, rest.rows, end) == (first.columns, ((3, Decimal("3.00")),), None)


def test_the_same_token_starts_one_query(athena: Athena) -> None:
    token = "0" * 32 + "-1"
    first = start(athena, "SELECT n FROM t WHERE n > ?", "0", token=token)
    assert start(athena, "SELECT n FROM t WHERE n > ?", "0", token=token) == first


def test_what_becomes_of_a_query_is_told(athena: Athena) -> None:
    assert ended(athena, start(athena, "SELECT 1 / n AS a FROM t WHERE n / 0 = ?", "1")).state == "failed"
    stopped = ended(athena, start(athena, "SELECT n FROM t WHERE n > ?", "0", group="tight"))
    assert (stopped.state, stopped.scanned_bytes > 1) == ("too_costly", True)
    assert athena.execution("00000000-0000-0000-0000-000000000000") is None


def test_a_query_is_stopped_before_its_end(athena: Athena) -> None:
    # Two thousand million pairs: nobody waits for its own end.
    many = "UNNEST(SEQUENCE(1, 45000))"
    query = start(athena, f"SELECT SUM(a * b % 7) AS n FROM {many} AS x (a) CROSS JOIN {many} AS y (b)")  # noqa: S608
    athena.stop(query)
    assert ended(athena, query).state == "cancelled"
    athena.stop(query)
    athena.stop("00000000-0000-0000-0000-000000000000")


def test_a_result_that_is_gone_or_a_token_of_another_is_told(athena: Athena) -> None:
    query = start(athena, "SELECT n FROM t WHERE n > ?", "0")
    ended(athena, query)
    with pytest.raises(ResultGoneError):
        athena.page(query, token="another:1", limit=1)
    boto3.client("s3", region_name="us-east-1").delete_object(Bucket="results", Key=f"api/{query}.csv")
    with pytest.raises(ResultGoneError):
        athena.page(query, token=None, limit=1)


def test_an_account_that_has_its_fill_is_told(athena: Athena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(service.QUOTAS, "DML", 0)
    with pytest.raises(TooManyQueriesError, match="Athena has as many queries as it takes"):
        start(athena, "SELECT 1 AS n")
