"""Results of Athena queries are typed and read page by page."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from nightlake.adapters.athena import Athena
from nightlake.core.errors import QueryResultUnreadableError
from nightlake.core.query_result import ResultColumn

COLUMNS = {
    "n": "bigint",
    "small": "tinyint",
    "share": "double",
    "sum": "decimal",
    "on": "date",
    "at": "timestamp",
    "ok": "boolean",
    "name": "varchar",
    "tags": "array",
}
ROW = (
    "9007199254740993",
    "-1",
    "0.1",
    "12345678901234567.89",
    "2017-06-12",
    "2017-06-12 03:00:00.250",
    "true",
    "",
    "[]",
)


def page(*rows: tuple[str | None, ...], token: str | None = None) -> dict[str, Any]:
    info = [
        {"Name": name, "Type": kind, "Precision": 19, "Scale": 2 if kind == "decimal" else 0}
        for name, kind in COLUMNS.items()
    ]
    data = [{"Data": [{} if text is None else {"VarCharValue": text} for text in row]} for row in rows]
    answer = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": info}}}
    return answer | ({"NextToken": token} if token else {})


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("athena", "eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stub:
        yield stub


def test_values_have_the_types_of_their_columns(stub: Stubber) -> None:
    stub.add_response("get_query_results", page(tuple(COLUMNS), ROW), {"QueryExecutionId": "q"})
    result = Athena(stub.client).result("q")
    assert result.columns[3] == ResultColumn(name="sum", type="decimal(19,2)")
    assert result.records() == (
        {
            "n": 9007199254740993,
            "small": -1,
            "share": 0.1,
            "sum": Decimal("12345678901234567.89"),
            "on": date(2017, 6, 12),
            "at": datetime(2017, 6, 12, 3, 0, 0, 250_000),  # noqa: DTZ001 (Athena's timestamps have no zone)
            "ok": True,
            "name": "",
            "tags": "[]",
        },
    )


def test_pages_follow_each_other_and_only_the_first_has_a_header(stub: Stubber) -> None:
    nothing = (None,) * len(COLUMNS)
    stub.add_response("get_query_results", page(tuple(COLUMNS), ROW, token="2"), {"QueryExecutionId": "q"})
    stub.add_response("get_query_results", page(nothing, ROW), {"QueryExecutionId": "q", "NextToken": "2"})
    rows = Athena(stub.client).result("q").rows
    assert [row[0] for row in rows] == [9007199254740993, None, 9007199254740993]
    assert set(rows[1]) == {None}


def test_a_limit_leaves_later_pages_unread(stub: Stubber) -> None:
    stub.add_response("get_query_results", page(tuple(COLUMNS), ROW, ROW, ROW, token="2"), {"QueryExecutionId": "q"})
    assert len(Athena(stub.client).result("q", limit=2).rows) == 2
    stub.assert_no_pending_responses()


def test_a_result_that_is_not_there_is_told_with_its_query(stub: Stubber) -> None:
    stub.add_client_error("get_query_results", "InvalidRequestException", "Query has not yet finished")
    with pytest.raises(QueryResultUnreadableError, match=r"query q-1 cannot be read .*not yet finished.*rerun"):
        Athena(stub.client).result("q-1")
