"""Reports with other values than the night's: asked of Athena once a question, kept a while, told to their asker alone.

What is asked is known by its content: the same question to the same snapshot is the same query, which runs once.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, Protocol

from nightlake.core import layout
from nightlake.core.api import sealed
from nightlake.core.errors import (
    InvalidCursorError,
    InvalidParameterError,
    QueryCancelledError,
    QueryEndedError,
    QueryExpiredError,
    QueryNotFoundError,
    QueryTooCostlyError,
    QueryUnfinishedError,
    ReportQueryFailedError,
    TooManyQueriesError,
)
from nightlake.core.frozen import Frozen
from nightlake.core.query_result import QueryResult, ResultGoneError
from nightlake.core.report import Json, json_value
from nightlake.core.store import ObjectInfo, PreconditionFailedError, Store

MAX_ROWS: Final = 999
"""Rows of a page: Athena gives 1,000, of which the first is the names of the columns."""
DEFAULT_LISTED: Final = 20
MAX_LISTED: Final = 50
PLACE: Final = "[0-9]{8}T[0-9]{12}-[0-9a-f]{32}"
"""A query's place among its asker's, as a regular expression: when it was submitted, and its name."""
State = Literal["queued", "running", "succeeded", "failed", "cancelled", "too_costly"]
_UNDER_WAY: Final = ("queued", "running")
_ID: Final = re.compile(r"[0-9a-f]{32}")
_ADVICE: Final = "send the next_cursor of the page before"
_TRIES: Final = 5
# A place that was taken and whose query never was: longer than its request can have lasted.
_BEGINNING: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Execution:
    """How a query stands in Athena; `too_costly` is one that was stopped by its workgroup's limit on scanned bytes."""

    state: State
    scanned_bytes: int
    ended_at: datetime | None


class Engine(Protocol):
    """Athena, as far as the API uses it."""

    def start(self, query: str, *, parameters: tuple[str, ...], database: str, workgroup: str, token: str) -> str:
        """Begin a query and return its id; the same token begins the same query once. Raises TooManyQueriesError."""

    def execution(self, query_id: str) -> Execution | None:
        """How a query stands; None when Athena knows it no more."""

    def stop(self, query_id: str) -> None:
        """End a query that is under way; nothing happens to any other."""

    def page(self, query_id: str, *, token: str | None, limit: int) -> tuple[QueryResult, str | None]:
        """Rows of a query that succeeded, from a token on, and the token of the rows behind them.

        Raises ResultGoneError when the result is gone or the token is none of its own.
        """


@dataclass(frozen=True)
class Question:
    """A report of a business date with these values, of a snapshot, and how Athena is asked for it."""

    pipeline: str
    report: str
    day: date
    snapshot: int
    values: Mapping[str, Any]
    query: str
    database: str
    literals: tuple[str, ...]

    def id(self, caller: str) -> str:
        """Its name among all questions of all callers."""
        parts = [caller, self.pipeline, self.report, self.day.isoformat(), self.snapshot, self.query, *self.literals]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


class Query(Frozen):
    """A question that was put to Athena, which calls it `query_id`; `attempt` counts how often it had to be put."""

    id: str
    pipeline: str
    report: str
    date: date
    parameters: dict[str, Json]
    snapshot: int
    submitted_at: str
    attempt: int
    query_id: str


class Place(Frozen):
    """One of the queries that a caller may have under way."""

    id: str
    attempt: int
    since: str


class Places(Frozen):
    """All of them; some may have ended."""

    places: tuple[Place, ...]


@dataclass(frozen=True)
class Desk:
    """Where a caller's questions are taken: what is known of them, who runs them, and how many at the same time."""

    store: Store
    engine: Engine
    caller: str
    workgroup: str
    most: int

    def submit(self, question: Question, now: datetime) -> Query:
        """The query that answers the question; the one that is there already, unless it ended without a result.

        Raises TooManyQueriesError.
        """
        name = question.id(self.caller)
        key = layout.query(self.caller, name)
        found = self.store.find_model(key, Query)
        if found and self._stands(found[0]):
            return found[0]
        attempt = found[0].attempt + 1 if found else 1
        self._take_place(Place(id=name, attempt=attempt, since=now.isoformat()), now)
        query_id = self.engine.start(
            question.query,
            parameters=question.literals,
            database=question.database,
            workgroup=self.workgroup,
            token=f"{name}-{attempt}",
        )
        query = Query(
            id=name,
            pipeline=question.pipeline,
            report=question.report,
            date=question.day,
            parameters={parameter: json_value(value) for parameter, value in question.values.items()},
            snapshot=question.snapshot,
            submitted_at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            attempt=attempt,
            query_id=query_id,
        )
        try:
            self.store.put_model(key, query, if_match=found[1] if found else None, if_none_match=found is None)
        except PreconditionFailedError:
            # The same question at the same moment: Athena runs it once, as both have the same token.
            return self.store.get_model(key, Query)
        return query

    def find(self, name: str) -> Query:
        """The caller's query of this name. Raises QueryNotFoundError."""
        found = self.store.find_model(layout.query(self.caller, name), Query) if _ID.fullmatch(name) else None
        if found is None:
            raise QueryNotFoundError(f"There is no query '{name}' of yours; POST /v1/queries submits one")
        return found[0]

    def listed(self, pipelines: Collection[str], *, limit: int, cursor: str | None) -> dict[str, Any]:
        """How the caller's last queries of these pipelines stand, the newest first, and the cursor of those before.

        At most `limit` are looked at. Raises InvalidParameterError for a cursor that is none.
        """
        if cursor is not None and not re.fullmatch(PLACE, cursor, re.ASCII):
            raise InvalidParameterError(f"cursor is none of ours; {_ADVICE}", "cursor")
        own = layout.queries(self.caller)
        names = ((each, each.key.removeprefix(own).removesuffix(".json")) for each in self.store.list(own))
        places = {_place(each, name): name for each, name in names if _ID.fullmatch(name)}
        behind = sorted((place for place in places if cursor is None or place < cursor), reverse=True)
        found = [self.find(places[place]) for place in behind[:limit]]
        return {
            "queries": [self.describe(query) for query in found if query.pipeline in pipelines],
            "next_cursor": behind[limit - 1] if len(behind) > limit else None,
        }

    def cancel(self, query: Query) -> None:
        """End the query before its time; one that was cancelled stays so. Raises QueryEndedError."""
        execution = self.engine.execution(query.query_id)
        if execution and execution.state in _UNDER_WAY:
            self.engine.stop(query.query_id)
        elif execution is None or execution.state != "cancelled":
            raise QueryEndedError(f"Query '{query.id}' has ended; there is nothing to cancel")

    def describe(self, query: Query) -> dict[str, Any]:
        """How the query stands; `expired` when its result is no longer kept."""
        execution = self.engine.execution(query.query_id)
        ended = execution.ended_at if execution else None
        return _about(query) | {
            "state": execution.state if execution else "expired",
            "submitted_at": query.submitted_at,
            "ended_at": f"{ended:%Y-%m-%dT%H:%M:%SZ}" if ended else None,
            "scanned_bytes": execution.scanned_bytes if execution else None,
        }

    def result(self, query: Query, *, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of the rows that the query answered, and the cursor of the next one.

        Raises QueryUnfinishedError, QueryCancelledError, QueryTooCostlyError, ReportQueryFailedError,
        QueryExpiredError, InvalidParameterError or InvalidCursorError.
        """
        _check_succeeded(query, self.engine.execution(query.query_id))
        token = _read_cursor(query, cursor) if cursor is not None else None
        try:
            result, following = self.engine.page(query.query_id, token=token, limit=limit)
        except ResultGoneError:
            raise _expired(query) from None
        return _about(query) | {
            "columns": [column.model_dump() for column in result.columns],
            "rows": [{name: json_value(value) for name, value in row.items()} for row in result.records()],
            "next_cursor": following and _write_cursor(query, following),
        }

    def _stands(self, query: Query) -> bool:
        """Whether asking again would give nothing new: one that was too costly would be so again."""
        execution = self.engine.execution(query.query_id)
        if execution is None or execution.state in ("failed", "cancelled"):
            return False
        if execution.state != "succeeded":
            return True
        try:
            self.engine.page(query.query_id, token=None, limit=1)
        except ResultGoneError:
            return False
        return True

    def _take_place(self, place: Place, now: datetime) -> None:
        key = layout.running_queries(self.caller)
        for _ in range(_TRIES):
            found = self.store.find_model(key, Places)
            taken = [each for each in (found[0].places if found else ()) if each.id != place.id]
            if len(taken) >= self.most:
                taken = [each for each in taken if self._is_under_way(each, now)]
            if len(taken) >= self.most:
                break
            try:
                self.store.put_model(
                    key,
                    Places(places=(*taken, place)),
                    if_match=found[1] if found else None,
                    if_none_match=found is None,
                )
            except PreconditionFailedError:
                continue
            return
        raise TooManyQueriesError(
            f"{self.most} of your queries are under way, which is as many as you may have; wait for one to end"
        )

    def _is_under_way(self, place: Place, now: datetime) -> bool:
        found = self.store.find_model(layout.query(self.caller, place.id), Query)
        if found is None or found[0].attempt < place.attempt:
            return now - datetime.fromisoformat(place.since) < _BEGINNING
        execution = self.engine.execution(found[0].query_id)
        return execution is not None and execution.state in _UNDER_WAY


def _place(kept: ObjectInfo, name: str) -> str:
    return f"{kept.modified:%Y%m%dT%H%M%S%f}-{name}"


def _about(query: Query) -> dict[str, Any]:
    return query.model_dump(mode="json", exclude={"attempt", "query_id", "submitted_at"})


def _check_succeeded(query: Query, execution: Execution | None) -> None:
    """Raise what is wrong when there are no rows to read."""
    if execution is None:
        raise _expired(query)
    match execution.state:
        case "queued" | "running":
            raise QueryUnfinishedError(f"Query '{query.id}' is {execution.state}; ask for its result when it succeeded")
        case "cancelled":
            raise QueryCancelledError(f"Query '{query.id}' was stopped before its end; submit it again")
        case "too_costly":
            raise QueryTooCostlyError(
                f"Query '{query.id}' was stopped after {execution.scanned_bytes:,} bytes, more than a query may scan; "
                "ask for less"
            )
        case "failed":
            raise ReportQueryFailedError(
                f"Query '{query.id}' of report '{query.report}' failed in Athena; if it is not for its values, "
                "tell the report's owner the request_id"
            )


def _expired(query: Query) -> QueryExpiredError:
    return QueryExpiredError(f"The result of query '{query.id}' is no longer kept; submit it again")


def _write_cursor(query: Query, token: str) -> str:
    """The opaque text of a cursor: Athena's token, sealed with the name that only we know of the query."""
    return sealed.write(query.query_id.encode(), token.encode())


def _read_cursor(query: Query, text: str) -> str:
    """Athena's token in a cursor that was written for this query.

    Raises InvalidParameterError for a text that is no cursor, InvalidCursorError for any other cursor.
    """
    if not sealed.looks_so(text):
        raise InvalidParameterError(f"cursor is none of ours; {_ADVICE}", "cursor")
    try:
        token = sealed.read(query.query_id.encode(), text)
    except ValueError:
        token = None
    if token is None:
        raise InvalidCursorError(f"cursor is none of this query's; {_ADVICE}", "cursor")
    return token.decode()
