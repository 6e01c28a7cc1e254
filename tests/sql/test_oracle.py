"""Every case of the oracle: the engine answers as Trino's and Athena's documentation says.

With ATHENA_ORACLE_OUTPUT=s3://bucket/prefix/ (and AWS credentials) the same cases are put to AWS too, with
TRINO_ORACLE_URL=http://host:port to a Trino.
"""

import os
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from local.athena import results, runtime, types
from local.athena.compiler import compile_query
from local.athena.errors import QueryError, from_duckdb
from local.athena.functions.registry import Session
from local.athena.parser import parse

CASES = [
    pytest.param(case, id=f"{file.stem}:{place}")
    for file in sorted((Path(__file__).parent / "oracle").glob("*.yaml"))
    for place, case in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")))
]
Rows = list[list[str | None]]


class NoTables:
    """A catalog without databases: the oracle's statements bring their own rows."""

    def resolve(self, *_: str) -> None:
        return None


@pytest.fixture(scope="session")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute("SET TimeZone = 'UTC'")
    runtime.prepare(connection)
    connection.execute(results.MACROS)
    return connection


def answer(connection: duckdb.DuckDBPyConnection, statement: str) -> tuple[list[str], Rows]:
    """The types and the rows of a statement. Raises QueryError."""
    compiled = compile_query(parse(statement), NoTables(), Session())
    shown = ", ".join(results.rendered(kind, f"c{place}") for place, (_, kind) in enumerate(compiled.columns))
    names = ", ".join(f"c{place}" for place in range(len(compiled.columns)))
    try:
        rows = connection.execute(f"SELECT {shown} FROM ({compiled.sql}) AS q({names})").fetchall()  # noqa: S608
    except duckdb.Error as error:
        raise from_duckdb(error) from error
    return [str(kind) for _, kind in compiled.columns], [
        [None if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell) for cell in row]
        for row in rows
    ]


@pytest.mark.parametrize("case", CASES)
def test_the_engine_answers_as_documented(connection: duckdb.DuckDBPyConnection, case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(QueryError) as error:
            answer(connection, case["statement"])
        assert error.value.code == case["error"]
        return
    kinds, rows = answer(connection, case["statement"])
    assert rows == case["rows"]
    assert kinds == case["types"]


def test_the_oracle_is_large_enough() -> None:
    assert len(CASES) >= 150


# The same cases elsewhere


def agreed(case: dict[str, Any], kinds: list[str], rows: Rows) -> None:
    """Asserts an answer; a map's entries have no order, so that its text may have them in any."""

    def loose(cells: list[str | None]) -> list[Any]:
        pairs = zip(cells, kinds, strict=True)
        return [sorted(cell) if cell is not None and "map(" in kind else cell for cell, kind in pairs]

    assert kinds == case["types"]
    assert [loose(row) for row in rows] == [loose(row) for row in case["rows"]]


@pytest.mark.skipif("ATHENA_ORACLE_OUTPUT" not in os.environ, reason="asks AWS only with ATHENA_ORACLE_OUTPUT")
@pytest.mark.parametrize("case", CASES)
def test_athena_itself_answers_as_documented(case: dict[str, Any]) -> None:
    import boto3

    athena = boto3.client("athena")
    query = athena.start_query_execution(
        QueryString=case["statement"], ResultConfiguration={"OutputLocation": os.environ["ATHENA_ORACLE_OUTPUT"]}
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.1)
    if "error" in case:
        assert status["State"] == "FAILED"
        assert status["StateChangeReason"].startswith(case["error"])
        return
    assert status["State"] == "SUCCEEDED", status.get("StateChangeReason")
    shown = athena.get_query_results(QueryExecutionId=query)["ResultSet"]
    rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in shown["Rows"][1:]]
    kinds = [column["Type"] for column in shown["ResultSetMetadata"]["ColumnInfo"]]
    assert kinds == [types.athena_name(types.parse_type(kind)) for kind in case["types"]]
    agreed(case, case["types"], rows)


@pytest.mark.skipif("TRINO_ORACLE_URL" not in os.environ, reason="asks a Trino only with TRINO_ORACLE_URL")
@pytest.mark.parametrize("case", CASES)
def test_trino_itself_answers_as_documented(ask_trino: Any, case: dict[str, Any]) -> None:
    answered = ask_trino(os.environ["TRINO_ORACLE_URL"], case["statement"])
    assert answered.error == case.get("error")
    if "error" not in case:
        agreed(case, answered.kinds, answered.rows)
