"""Starts Athena queries, tells how they stand, and reads the rows of those that succeeded."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nightlake.core.api.queries import Execution, State
from nightlake.core.errors import QueryResultUnreadableError, TooManyQueriesError
from nightlake.core.query_result import QueryResult, ResultColumn, ResultGoneError, Value, typed

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import ColumnInfoTypeDef, GetQueryResultsOutputTypeDef, RowTypeDef

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 8})
_STATES: Final[dict[str, State]] = {
    "QUEUED": "queued",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
_TOO_COSTLY: Final = "Bytes scanned limit was exceeded"


class Athena:
    """Queries by their ids."""

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

    def start(self, query: str, *, parameters: tuple[str, ...], database: str, workgroup: str, token: str) -> str:
        """Begin a query in a workgroup and return its id; the same token begins the same query once.

        `parameters` are literals for its question marks. Raises TooManyQueriesError when the account has its fill.
        Source: https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
        """
        values: dict[str, Any] = {"ExecutionParameters": list(parameters)} if parameters else {}
        try:
            answer = self._client.start_query_execution(
                QueryString=query,
                QueryExecutionContext={"Database": database},
                WorkGroup=workgroup,
                ClientRequestToken=token,
                **values,
            )
        except self._client.exceptions.TooManyRequestsException as error:
            raise TooManyQueriesError("Athena has as many queries as it takes; try again in a minute") from error
        return answer["QueryExecutionId"]

    def execution(self, query_id: str) -> Execution | None:
        """How a query stands; None when Athena knows it no more."""
        try:
            with self._gone():
                found = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        except ResultGoneError:
            return None
        status = found["Status"]
        state = _STATES[status["State"]]
        if state in ("cancelled", "failed") and _TOO_COSTLY in status.get("StateChangeReason", ""):
            state = "too_costly"
        ended = status.get("CompletionDateTime")
        return Execution(
            state=state,
            scanned_bytes=found.get("Statistics", {}).get("DataScannedInBytes", 0),
            ended_at=ended.astimezone(UTC) if ended else None,
        )

    def stop(self, query_id: str) -> None:
        """End a query that is under way; nothing happens to any other.

        Source: https://docs.aws.amazon.com/athena/latest/APIReference/API_StopQueryExecution.html
        """
        with suppress(ResultGoneError), self._gone():
            self._client.stop_query_execution(QueryExecutionId=query_id)

    def page(self, query_id: str, *, token: str | None, limit: int) -> tuple[QueryResult, str | None]:
        """At most `limit` rows of a SELECT that succeeded, from a token on, and the token of the rows behind them.

        Raises ResultGoneError when the result is gone or the token is none of its own.
        """
        place: dict[str, Any] = {"NextToken": token} if token else {}
        header = 0 if token else 1
        with self._gone():
            answer = self._client.get_query_results(QueryExecutionId=query_id, MaxResults=limit + header, **place)
        columns = tuple(map(_column, answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]))
        rows = tuple(_values(columns, row) for row in answer["ResultSet"]["Rows"][header:])
        return QueryResult(columns=columns, rows=rows), answer.get("NextToken")

    @contextmanager
    def _gone(self) -> Iterator[None]:
        try:
            yield
        except self._client.exceptions.InvalidRequestException as error:
            raise ResultGoneError(f"Athena knows nothing of it ({error})") from error

    def _pages(self, query_id: str) -> Iterator["GetQueryResultsOutputTypeDef"]:
        yield from self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)


def _column(info: "ColumnInfoTypeDef") -> ResultColumn:
    kind = f"decimal({info['Precision']},{info['Scale']})" if info["Type"] == "decimal" else info["Type"]
    return ResultColumn(name=info["Name"], type=kind)


def _values(columns: tuple[ResultColumn, ...], row: "RowTypeDef") -> tuple[Value, ...]:
    return tuple(
        typed(column.type, datum.get("VarCharValue")) for column, datum in zip(columns, row["Data"], strict=True)
    )
