"""Questions to Athena: one query each, at most so many of a caller, told to nobody else, their results while kept."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fake_athena import FakeAthena
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.api.queries import Desk, Execution, Query, Question
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
from nightlake.core.store import PreconditionFailedError

NOW = datetime(2017, 6, 13, 9, tzinfo=UTC)
ROWS = [(number, Decimal("4.20")) for number in range(5)]


@pytest.fixture
def athena() -> FakeAthena:
    return FakeAthena()


@pytest.fixture
def desk(athena: FakeAthena) -> Desk:
    return Desk(MemoryObjects("lake"), athena, caller="shop", workgroup="api", most=2)


def other(desk: Desk, caller: str) -> Desk:
    return Desk(desk.store, desk.engine, caller=caller, workgroup="api", most=2)


def question(department: str = "FUEL", snapshot: int = 3) -> Question:
    return Question(
        pipeline="sales",
        report="department_products",
        day=date(2017, 6, 12),
        snapshot=snapshot,
        values={"department": department, "least": Decimal("2.50")},
        query="SELECT 1 WHERE ? = 1",
        database="lake",
        literals=(f"'{department}'",),
    )


def test_a_question_is_started_with_its_values_and_told_without_its_sql(desk: Desk, athena: FakeAthena) -> None:
    query = desk.submit(question(), NOW)
    (started,) = athena.started.values()
    assert (started.query, started.parameters, started.database) == ("SELECT 1 WHERE ? = 1", ("'FUEL'",), "lake")
    assert (started.workgroup, len(started.token) >= 32) == ("api", True)
    assert desk.describe(query) == {
        "id": query.id,
        "pipeline": "sales",
        "report": "department_products",
        "date": "2017-06-12",
        "parameters": {"department": "FUEL", "least": "2.50"},
        "snapshot": 3,
        "state": "queued",
        "submitted_at": "2017-06-13T09:00:00Z",
        "ended_at": None,
        "scanned_bytes": 0,
    }
    athena.end(scanned=70)
    told = desk.describe(desk.find(query.id))
    assert (told["state"], told["ended_at"], told["scanned_bytes"]) == ("succeeded", "2017-06-13T09:00:07Z", 70)


def test_the_same_question_to_the_same_snapshot_is_asked_once(desk: Desk, athena: FakeAthena) -> None:
    first = desk.submit(question(), NOW)
    athena.end()
    assert desk.submit(question(), NOW + timedelta(days=1)) == first
    assert len(athena.started) == 1
    assert desk.submit(question(snapshot=4), NOW).id != first.id
    athena.end()
    assert desk.submit(question("GROCERY"), NOW).id != first.id
    assert other(desk, "office").submit(question(), NOW).id != first.id
    assert len(athena.started) == 4


@pytest.mark.parametrize(
    ("state", "again"), [("failed", True), ("cancelled", True), ("too_costly", False), ("running", False)]
)
def test_what_ended_without_rows_can_be_asked_again_unless_it_is_too_costly(
    desk: Desk, athena: FakeAthena, state: Any, again: bool
) -> None:
    first = desk.submit(question(), NOW)
    athena.end(state)
    second = desk.submit(question(), NOW)
    assert second.id == first.id
    assert (second.query_id != first.query_id) == again
    assert desk.find(first.id) == second


def test_a_result_that_is_gone_is_told_and_made_again(desk: Desk, athena: FakeAthena) -> None:
    query = desk.submit(question(), NOW)
    athena.end(rows=ROWS)
    athena.started[query.query_id].is_kept = False
    with pytest.raises(QueryExpiredError, match="no longer kept; submit it again"):
        desk.result(query, limit=1, cursor=None)
    assert desk.submit(question(), NOW).query_id != query.query_id
    athena.knows = False
    assert desk.describe(query)["state"] == "expired"
    with pytest.raises(QueryExpiredError):
        desk.result(query, limit=1, cursor=None)


def test_two_submits_at_the_same_moment_are_one_query(
    desk: Desk, athena: FakeAthena, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[Query] = []
    put = MemoryObjects.put_model

    def overtaken(store: MemoryObjects, key: str, model: Any, **conditions: Any) -> str:
        if isinstance(model, Query) and not ahead:
            ahead.append(model)
            put(store, key, model)
        return put(store, key, model, **conditions)

    monkeypatch.setattr(MemoryObjects, "put_model", overtaken)
    assert desk.submit(question(), NOW) == ahead[0]
    assert len(athena.started) == 1


def test_a_caller_has_so_many_queries_under_way_and_no_more(desk: Desk, athena: FakeAthena) -> None:
    desk.submit(question("a"), NOW)
    second = desk.submit(question("b"), NOW)
    with pytest.raises(TooManyQueriesError, match="2 of your queries are under way"):
        desk.submit(question("c"), NOW)
    assert desk.submit(question("b"), NOW) == second  # one that is there costs no place
    other(desk, "office").submit(question("c"), NOW)
    assert len(athena.started) == 3
    athena.started[second.query_id].execution = Execution("failed", 0, NOW)
    desk.submit(question("c"), NOW)
    with pytest.raises(TooManyQueriesError):
        desk.submit(question("d"), NOW)


def test_a_place_whose_query_never_began_is_free_after_a_minute(
    desk: Desk, athena: FakeAthena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> str:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(athena, "start", breaks)
        for department in ("a", "b"):
            with pytest.raises(ConnectionError):
                desk.submit(question(department), NOW)
    with pytest.raises(TooManyQueriesError):
        desk.submit(question("c"), NOW + timedelta(seconds=59))
    assert desk.submit(question("c"), NOW + timedelta(seconds=61)).attempt == 1


def test_a_place_that_is_always_taken_meanwhile_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def contended(*_: Any, **__: Any) -> str:
        raise PreconditionFailedError("another one")

    monkeypatch.setattr(MemoryObjects, "put_model", contended)
    with pytest.raises(TooManyQueriesError):
        desk.submit(question(), NOW)


def test_a_query_is_its_askers_alone(desk: Desk) -> None:
    query = desk.submit(question(), NOW)
    for stranger in ("office", "shop/..", ""):
        with pytest.raises(QueryNotFoundError, match=f"There is no query '{query.id}' of yours"):
            other(desk, stranger).find(query.id)
    assert desk.find(query.id) == query


def test_an_askers_queries_are_listed_from_the_newest_on_in_pages(desk: Desk, athena: FakeAthena) -> None:
    submitted = []
    for department in ("a", "b", "c"):
        submitted.append(desk.submit(question(department), NOW).id)
        athena.end()
    other(desk, "office").submit(question(), NOW)
    page = desk.listed(["sales"], limit=2, cursor=None)
    assert [each["id"] for each in page["queries"]] == [submitted[2], submitted[1]]
    assert page["queries"][0] == desk.describe(desk.find(submitted[2]))
    rest = desk.listed(["sales"], limit=2, cursor=page["next_cursor"])
    assert ([each["id"] for each in rest["queries"]], rest["next_cursor"]) == ([submitted[0]], None)
    assert desk.listed(["orders"], limit=2, cursor=None)["queries"] == []
    for wrong in ("", "1", page["next_cursor"] + "\n", page["next_cursor"].upper()):
        with pytest.raises(InvalidParameterError, match="cursor is none of ours"):
            desk.listed(["sales"], limit=2, cursor=wrong)


def test_a_query_under_way_is_cancelled_and_gives_its_place_free(desk: Desk, athena: FakeAthena) -> None:
    query = desk.submit(question("a"), NOW)
    desk.submit(question("b"), NOW)
    desk.cancel(query)
    desk.cancel(query)
    assert desk.describe(query)["state"] == "cancelled"
    desk.submit(question("c"), NOW)
    athena.end()
    with pytest.raises(QueryEndedError, match="has ended; there is nothing to cancel"):
        desk.cancel(desk.submit(question("c"), NOW))
    assert desk.submit(question("a"), NOW).attempt == 2


@pytest.mark.parametrize("name", ["running", "../shop", "", "0" * 31, "0" * 33, "G" * 32, "\ud800"])
def test_no_other_name_is_looked_up(desk: Desk, name: str) -> None:
    desk.submit(question(), NOW)
    assert desk.store.head(layout.running_queries("shop"))
    with pytest.raises(QueryNotFoundError):
        desk.find(name)


def test_the_rows_come_in_pages(desk: Desk, athena: FakeAthena) -> None:
    query = desk.submit(question(), NOW)
    athena.end(rows=ROWS)
    page = desk.result(query, limit=3, cursor=None)
    assert page["columns"][1] == {"name": "revenue", "type": "decimal(18,2)"}
    assert page["rows"][0] == {"product_id": 0, "revenue": "4.20"}
    rest = desk.result(query, limit=3, cursor=page["next_cursor"])
    assert [row["product_id"] for row in page["rows"] + rest["rows"]] == [0, 1, 2, 3, 4]
    assert rest["next_cursor"] is None
    assert (rest["id"], rest["snapshot"], "query_id" in rest) == (query.id, 3, False)


def test_a_cursor_is_of_its_query_and_cannot_be_made_up(desk: Desk, athena: FakeAthena) -> None:
    first = desk.submit(question("a"), NOW)
    athena.end(rows=ROWS)
    second = desk.submit(question("b"), NOW)
    athena.end(rows=ROWS)
    cursor = desk.result(first, limit=1, cursor=None)["next_cursor"]
    for forged in (("A" if cursor[0] != "A" else "B") + cursor[1:], "A" * len(cursor), cursor + "AAAA"):
        with pytest.raises(InvalidCursorError):
            desk.result(first, limit=1, cursor=forged)
    for other in (cursor[5:], "2", "", "é", "\ud800", "=" * 9):
        with pytest.raises(InvalidParameterError):
            desk.result(first, limit=1, cursor=other)
    with pytest.raises(InvalidCursorError):
        desk.result(second, limit=1, cursor=cursor)


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("queued", QueryUnfinishedError, "is queued; ask for its result when it succeeded"),
        ("running", QueryUnfinishedError, "is running"),
        ("cancelled", QueryCancelledError, "was stopped before its end; submit it again"),
        ("too_costly", QueryTooCostlyError, "was stopped after 12,000,000 bytes"),
        ("failed", ReportQueryFailedError, "of report 'department_products' failed in Athena"),
    ],
)
def test_a_query_without_rows_says_why(
    desk: Desk, athena: FakeAthena, state: Any, error: type[Exception], said: str
) -> None:
    query = desk.submit(question(), NOW)
    athena.end(state, scanned=12_000_000)
    with pytest.raises(error) as told:
        desk.result(query, limit=1, cursor=None)
    assert said in str(told.value)
    assert "SELECT" not in str(told.value)
