"""Rows by their primary key: of a day, or of the newest that has it, found through an index in few requests."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core import layout
from nightlake.core.api import key_index, row_key
from nightlake.core.api.file_list import file_list_key, write_file_list
from nightlake.core.api.kept import Kept
from nightlake.core.api.key_index import build_index
from nightlake.core.api.published import Published
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.result import body
from nightlake.core.errors import (
    AnswerTooCostlyError,
    InvalidParameterError,
    RowNotFoundError,
    UnknownParameterError,
)
from nightlake.core.garbage import collect_garbage
from published_lake import PublishedLake, Row
from test_api_rows import COLUMNS, row

DAYS = [date(2017, 6, 1) + timedelta(days=number) for number in range(6)]


def lake_of(days: dict[date, list[Row]], lake: PublishedLake | None = None) -> PublishedLake:
    lake = lake or PublishedLake()
    lake.publish("sales", COLUMNS, {day: [rows] for day, rows in days.items()})
    return lake


def six_days() -> PublishedLake:
    """Keys 10 to 19 on the first day, 20 to 29 on the second; key 7 on every day."""
    return lake_of(
        {
            day: [row(7, name=f"of {day.day}"), *(row(10 * number + each) for each in range(10))]
            for number, day in enumerate(DAYS, start=1)
        }
    )


def ask(
    lake: PublishedLake,
    text: str,
    query: str = "",
    key: tuple[str, ...] = ("id",),
    kept: Kept | None = None,
    **limits: Any,
) -> Any:
    parameters = parse_qs(query, keep_blank_values=True)
    asked = row_key.ask(Published(lake.store), "sales", "sales", parameters, primary_key=key, text=text)
    return body(row_key.answer(kept or Kept(lake.store), asked, **limits))


def index(lake: PublishedLake, key: tuple[str, ...] = ("id",)) -> key_index.KeyIndex | None:
    newest = Published(lake.store).newest("sales")
    assert newest is not None
    (table,) = newest.snapshot.tables
    return build_index(lake.store, "sales", table, key)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_row_is_found_by_its_key(indexed: bool) -> None:
    lake = six_days()
    if indexed:
        assert index(lake) is not None
    answer = ask(lake, "35", "select=id,name")
    assert (answer["rows"], answer["from"], answer["to"]) == ([{"id": 35, "name": "n35"}], "2017-06-03", "2017-06-03")
    assert ask(lake, "7")["rows"][0]["name"] == "of 6"
    assert ask(lake, "7", "date=2017-06-02")["rows"][0]["name"] == "of 2"
    for text, query in (("35", "date=2017-06-02"), ("99", ""), ("35", "date=2018-01-01")):
        with pytest.raises(RowNotFoundError, match=f"'sales' has no row with the key {text}"):
            ask(lake, text, query)


def test_a_key_of_several_columns_is_written_with_commas() -> None:
    lake = lake_of({day: [row(1, name="a,b"), row(day.day, name="c")] for day in DAYS})
    for _ in range(2):
        assert ask(lake, '1,"a,b"', "select=id", key=("id", "name"))["days"] == ["2017-06-06"]
        assert ask(lake, "3,c", "select=id", key=("id", "name"))["days"] == ["2017-06-03"]
        index(lake, ("id", "name"))


@pytest.mark.parametrize(
    ("text", "query", "key", "said"),
    [
        ("x", "", ("id",), "key: not a number; the key is id bigint"),
        ("1,2", "", ("id",), "key: write the values of id in this order"),
        ("1", "", (), "'sales' has no primary key"),
        ("1", "", ("income",), "'sales' has no primary key"),
        ("1", "date=x", ("id",), "date: 'x' is not a day"),
        ("1", "select=nme", ("id",), "select: there is no column 'nme'"),
        ("1", "limit=1", ("id",), "A row by its key knows no parameter 'limit'"),
    ],
)
def test_what_names_no_row_is_refused(text: str, query: str, key: tuple[str, ...], said: str) -> None:
    with pytest.raises((InvalidParameterError, UnknownParameterError), match=said):
        ask(six_days(), text, query, key)


def test_a_key_costs_few_requests() -> None:
    lake = six_days()
    index(lake)
    published, kept = Published(lake.store), Kept(lake.store)
    newest = published.newest("sales")
    assert newest is not None
    write_file_list(lake.store, "sales", newest.snapshot.tables[0], None)
    for text, query, most in (("35", "date=2017-06-03", 3), ("45", "", 4)):
        lake.store.read_keys.clear()
        asked = row_key.ask(published, "sales", "sales", parse_qs(query), primary_key=("id",), text=text)
        assert len(row_key.answer(kept, asked).rows) == 1
        assert len(lake.store.read_keys) == most, lake.store.read_keys


def test_without_an_index_only_so_much_is_looked_into() -> None:
    with pytest.raises(AnswerTooCostlyError, match=r"No index says yet .* name the row's day: date="):
        ask(six_days(), "15", budget=Budget(left=3 << 17))


def test_only_new_partitions_are_read_for_an_index() -> None:
    lake = six_days()
    first = index(lake)
    assert first is not None
    assert first.starts[-1] == 66
    assert index(lake) is None  # nothing is new
    days = {day: [row(each) for each in range(3)] for day in DAYS[:3]}
    lake_of(days, lake)
    lake.store.read_keys.clear()
    second = index(lake)
    assert second is not None
    assert second.starts[-1] == 9
    head = Published(lake.store).newest("sales")
    assert head is not None
    with pytest.raises(RowNotFoundError):
        ask(lake, "35")


def test_an_index_that_lags_behind_or_is_lost_misses_no_row() -> None:
    lake = six_days()
    made = index(lake)
    assert made is not None
    lake_of({day: [row(100 + day.day)] for day in DAYS}, lake)
    assert ask(lake, "103")["days"] == ["2017-06-03"]
    again = index(lake)
    assert again is not None
    lake.store.delete([again.entries])
    assert ask(lake, "103")["days"] == ["2017-06-03"]
    lake_of({day: [row(200 + day.day)] for day in DAYS}, lake)
    assert index(lake) is not None
    assert ask(lake, "203")["days"] == ["2017-06-03"]


class NothingRuns:
    """No execution runs any more."""

    def status(self, _execution_id: str) -> str:
        return "SUCCEEDED"


def test_what_no_snapshot_needs_is_collected_and_the_rest_stays() -> None:
    lake, lists = six_days(), []
    for _ in range(2):
        lake_of({day: [row(300 + day.day)] for day in DAYS}, lake)
        newest = Published(lake.store).newest("sales")
        assert newest is not None
        write_file_list(lake.store, "sales", newest.snapshot.tables[0], None)
        lists.append(file_list_key("sales", newest.snapshot.tables[0]))
        assert index(lake) is not None
    prefix = layout.key_indexes("sales")
    before = {each.key for each in lake.store.list(prefix)}
    collect_garbage(lake.store, NothingRuns(), pipeline="sales", keep=1, dry_run=False)
    after = {each.key for each in lake.store.list(prefix)}
    made = lake.store.get_model(layout.key_index("sales", "sales"), key_index.KeyIndex)
    assert after == {layout.key_index("sales", "sales"), made.entries, lists[1]}
    assert lists[0] in before
    assert ask(lake, "303")["days"] == ["2017-06-03"]


@pytest.mark.parametrize(("name", "value"), [("MAX_ROWS", 65), ("FEW_PARTITIONS", 6)])
def test_a_table_that_is_too_large_or_small_has_no_index(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(key_index, name, value)
    lake = six_days()
    assert index(lake) is None
    assert lake.store.head(layout.key_index("sales", "sales")) is None


@pytest.fixture(scope="module", autouse=True)
def _small_buckets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_index, "_BUCKET_ENTRIES", 16)
        yield


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(DAYS), st.lists(st.integers(0, 400), max_size=60), min_size=3),
        max_size=3,
        min_size=1,
    )
)
def test_every_key_is_found_whatever_the_index_saw(nights: list[dict[date, list[int]]]) -> None:
    lake = PublishedLake()
    for number, night in enumerate(nights):
        lake_of({day: [row(key) for key in keys] for day, keys in night.items()}, lake)
        if number < 2:
            index(lake)
    last = nights[-1]
    for key in {0, 400, *(key for keys in last.values() for key in keys)}:
        having = [day for day, keys in last.items() if key in keys]
        if having:
            assert ask(lake, str(key), "select=id")["from"] == max(having).isoformat()
        else:
            with pytest.raises(RowNotFoundError):
                ask(lake, str(key))
