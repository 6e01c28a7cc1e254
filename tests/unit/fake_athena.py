"""Athena as the API's queries see it: what was started, and states and rows that a test sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from nightlake.core.api.queries import Execution, State
from nightlake.core.query_result import QueryResult, ResultColumn, ResultGoneError

ENDED = datetime(2017, 6, 13, 9, 0, 7, tzinfo=UTC)


@dataclass
class Started:
    """One query: what it was started with and how it stands."""

    query: str
    parameters: tuple[str, ...]
    database: str
    workgroup: str
    token: str
    execution: Execution = field(default_factory=lambda: Execution("queued", 0, None))
    rows: Sequence[tuple[Any, ...]] = ()
    is_kept: bool = True


@dataclass
class FakeAthena:
    """Queries by id; a token that is known starts none. Once `knows` is False, it has forgotten all of them."""

    started: dict[str, Started] = field(default_factory=dict)
    knows: bool = True

    def start(self, query: str, *, parameters: tuple[str, ...], database: str, workgroup: str, token: str) -> str:
        for query_id, each in self.started.items():
            if each.token == token:
                return query_id
        query_id = f"execution-{len(self.started) + 1}"
        self.started[query_id] = Started(query, parameters, database, workgroup, token)
        return query_id

    def end(self, state: State = "succeeded", *, scanned: int = 0, rows: Sequence[tuple[Any, ...]] = ()) -> None:
        """What becomes of the query that was started last."""
        last = self.started[f"execution-{len(self.started)}"]
        last.execution = replace(last.execution, state=state, scanned_bytes=scanned, ended_at=ENDED)
        last.rows = rows

    def execution(self, query_id: str) -> Execution | None:
        return self.started[query_id].execution if self.knows else None

    def stop(self, query_id: str) -> None:
        self.started[query_id].execution = replace(self.started[query_id].execution, state="cancelled", ended_at=ENDED)

    def page(self, query_id: str, *, token: str | None, limit: int) -> tuple[QueryResult, str | None]:
        found = self.started[query_id]
        if not found.is_kept:
            raise ResultGoneError("gone")
        start = int(token or 0)
        columns = (ResultColumn(name="product_id", type="bigint"), ResultColumn(name="revenue", type="decimal(18,2)"))
        following = str(start + limit) if start + limit < len(found.rows) else None
        return QueryResult(columns=columns, rows=tuple(found.rows[start : start + limit])), following
