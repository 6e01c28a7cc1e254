"""Reads the rows of finished Athena queries."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nightlake.core.errors import QueryResultUnreadableError
from nightlake.core.query_result import QueryResult, ResultColumn, Value, typed

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import ColumnInfoTypeDef, GetQueryResultsOutputTypeDef, RowTypeDef

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 8})


class Athena:
    """Results of queries by their ids."""

    def __init__(self, client: "AthenaClient | None" = None) -> None:
        self._client = client or boto3.client("athena", config=_CONFIG)

    def result(self, query_id: str, *, limit: int | None = None) -> QueryResult:
        """The typed columns and the rows, at most `limit`, of a SELECT that succeeded, page by page.

        Raises QueryResultUnreadableError when Athena does not give them.
        Source: https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
        """
        try:
            pages = self._pages(query_id)
            first = next(pages)
            columns = tuple(map(_column, first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]))
            # The first row of the first page is the header.
            texts = chain(
                first["ResultSet"]["Rows"][1:], chain.from_iterable(page["ResultSet"]["Rows"] for page in pages)
            )
            rows = tuple(_values(columns, row) for row in islice(texts, limit))
        except (BotoCoreError, ClientError) as error:
            raise QueryResultUnreadableError(
                f"The result of query {query_id} cannot be read ({error}); "
                "look at the query in the Athena console, then rerun the date"
            ) from error
        return QueryResult(columns=columns, rows=rows)

    def _pages(self, query_id: str) -> Iterator["GetQueryResultsOutputTypeDef"]:
        yield from self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)


def _column(info: "ColumnInfoTypeDef") -> ResultColumn:
    kind = f"decimal({info['Precision']},{info['Scale']})" if info["Type"] == "decimal" else info["Type"]
    return ResultColumn(name=info["Name"], type=kind)


def _values(columns: tuple[ResultColumn, ...], row: "RowTypeDef") -> tuple[Value, ...]:
    return tuple(
        typed(column.type, datum.get("VarCharValue")) for column, datum in zip(columns, row["Data"], strict=True)
    )
