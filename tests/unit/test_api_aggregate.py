"""Measures of groups: exact, equal to what DuckDB computes, refused where they cannot be."""

import os
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.api import aggregate, groups
from nightlake.core.api.file_list import write_file_list
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Published
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.result import body
from nightlake.core.api.scan import AHEAD
from nightlake.core.errors import AnswerTooCostlyError, InvalidParameterError, UnknownParameterError
from nightlake.core.table import Table, arrow_schema
from published_lake import PublishedLake, Row
from test_api_rows import COLUMNS, MONDAY, TUESDAY, row

SCHEMA = arrow_schema(Table(name="sales", description="", columns=COLUMNS))
RANGE = "from=2017-06-12&to=2017-06-13"


def lake_of(*files: list[Row]) -> PublishedLake:
    lake = PublishedLake()
    lake.publish("sales", COLUMNS, {MONDAY: files[:1], TUESDAY: files[1:]}, row_group=3)
    return lake


def ask(lake: PublishedLake, query: str, **limits: Any) -> Any:
    asked = aggregate.ask(Published(lake.store), "sales", "sales", parse_qs(query, keep_blank_values=True))
    return body(aggregate.answer(Kept(lake.store, most=0), asked, **limits))


LAKE = lake_of(
    [row(1, name="a", price=Decimal("0.10")), row(2, name="b", price=Decimal("0.25")), row(3, name=None, price=None)],
    [row(4, name="a", price=Decimal("9999999999.99"), sold_at=datetime(2017, 7, 1)), row(5, name="b", weight=None)],  # noqa: DTZ001
)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("measures=count", [{"count": 2}]),
        (f"{RANGE}", [{"count": 5}]),
        (
            f"{RANGE}&group_by=day,year&measures=count,max(id),distinct(name)&month=06",
            [
                {"day": "12", "year": "2017", "count": 3, "max(id)": 3, "distinct(name)": 2},
                {"day": "13", "year": "2017", "count": 2, "max(id)": 5, "distinct(name)": 2},
            ],
        ),
        (f"{RANGE}&group_by=year", [{"year": "2017", "count": 5}]),
        (f"{RANGE}&group_by=month&measures=sum(weight)&id=9", []),
        (
            f"{RANGE}&group_by=name&measures=count,sum(price),avg(price)",
            [
                {"name": "a", "count": 2, "sum(price)": "10000000000.09", "avg(price)": "5000000000.05"},
                {"name": "b", "count": 2, "sum(price)": "0.30", "avg(price)": "0.15"},
                {"name": None, "count": 1, "sum(price)": None, "avg(price)": None},
            ],
        ),
        (
            f"{RANGE}&bucket=month(sold_at)&measures=min(name),max(id),avg(id),distinct(name),count(price)",
            [
                {"month(sold_at)": "2017-06-01", "min(name)": "a", "max(id)": 5, "avg(id)": 2.75}
                | {"distinct(name)": 2, "count(price)": 3},
                {"month(sold_at)": "2017-07-01", "min(name)": "a", "max(id)": 4, "avg(id)": 4.0}
                | {"distinct(name)": 1, "count(price)": 1},
            ],
        ),
        (f"{RANGE}&group_by=day&measures=sum(id)", [{"day": "12", "sum(id)": 6}, {"day": "13", "sum(id)": 9}]),
        (f"{RANGE}&group_by=name&order_by=-count,-name&limit=1", [{"name": "b", "count": 2}]),
        (
            f"{RANGE}&group_by=name&measures=count&order_by=-max(id),sum(price)",
            [{"name": "b", "count": 2}, {"name": "a", "count": 2}, {"name": None, "count": 1}],
        ),
        (f"{RANGE}&paid=true&measures=sum(id)", [{"sum(id)": 6}]),
        (f"{RANGE}&id=7&measures=count,sum(id),distinct(id)", [{"count": 0, "sum(id)": None, "distinct(id)": 0}]),
        (f"{RANGE}&id=7&group_by=name", []),
        ("date=2018-01-01", [{"count": 0}]),
        (f"{RANGE}&measures=count(tags),min(paid)", [{"count(tags)": 5, "min(paid)": False}]),
    ],
)
def test_what_is_measured(query: str, wanted: list[dict[str, Any]]) -> None:
    assert ask(LAKE, query)["rows"] == wanted


def test_types_are_told() -> None:
    answer = ask(LAKE, "group_by=name&bucket=week(sold_on)&measures=count,sum(price),avg(price),avg(id),max(sold_at)")
    assert [(each["name"], each["type"]) for each in answer["columns"]] == [
        ("name", "string"),
        ("week(sold_on)", "date"),
        ("count", "bigint"),
        ("sum(price)", "decimal(38,2)"),
        ("avg(price)", "decimal(12,2)"),
        ("avg(id)", "double"),
        ("max(sold_at)", "timestamp"),
    ]
    assert (answer["snapshot"], answer["days"]) == (1, ["2017-06-13"])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("measures=median(id)", r"measures: 'median\(id\)' is not function\(column\); there are: count, sum"),
        ("measures=sum(nme)", "measures: there is no column 'nme'; there are: id"),
        ("measures=sum(name)", "measures: there is no sum of 'name', which is string"),
        ("measures=distinct(tags)", "there is no distinct of 'tags'"),
        ("measures=count,count", "each once"),
        ("measures=", "measures: ''"),
        ("group_by=tags", "group_by: 'tags' is no column to group by"),
        ("group_by=id,id", "each once"),
        ("bucket=hour(sold_at)", "there are: day, week, month, quarter, year"),
        ("bucket=day(name)", "bucket: 'name' is string"),
        ("order_by=id", "order_by: there is no column 'id'; there are: count"),
        ("order_by=sum(name)", "order_by: there is no sum of 'name', which is string"),
        ("order_by=max(none)", "order_by: there is no column 'none'; there are: "),
        ("limit=10001", "from 1 to 10000"),
        ("id=x", "not a number"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(query: str, said: str) -> None:
    with pytest.raises(InvalidParameterError, match=said):
        ask(LAKE, query)


def test_a_parameter_of_rows_is_none_of_aggregates() -> None:
    with pytest.raises(UnknownParameterError, match="no parameter or column 'select'; parameters are date, from"):
        ask(LAKE, "select=id")


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnswerTooCostlyError, match="ask for fewer days"):
        ask(LAKE, RANGE, budget=Budget(left=1))
    with pytest.raises(AnswerTooCostlyError, match="ask for fewer days"):
        ask(LAKE, RANGE, budget=Budget(rows=4))
    assert ask(LAKE, RANGE, budget=Budget(rows=5))["rows"] == [{"count": 5}]
    monkeypatch.setattr(groups, "MAX_GROUPS", 4)
    with pytest.raises(AnswerTooCostlyError, match="more than 4 groups; group by fewer columns"):
        ask(LAKE, f"{RANGE}&group_by=id")
    monkeypatch.setattr(groups, "MAX_DISTINCT", 4)
    with pytest.raises(AnswerTooCostlyError, match=r"distinct\(id\) finds more than 4 different values"):
        ask(LAKE, f"{RANGE}&measures=distinct(id)")


def test_a_year_costs_a_request_a_file() -> None:
    days = [MONDAY + timedelta(days=number) for number in range(40)]
    texts = [(os.urandom(60_000).hex(), os.urandom(85_000).hex()) for _ in days]  # on either side of the weights
    rows = [row(place, name=name, tags=[tag], weight=float(place)) for place, (name, tag) in enumerate(texts)]
    lake = PublishedLake()
    snapshot = lake.publish("sales", COLUMNS, {day: [[row]] for day, row in zip(days, rows, strict=True)})
    write_file_list(lake.store, "sales", snapshot.tables[0], None)
    published, kept = Published(lake.store), Kept(lake.store)
    published.newest("sales")
    query = parse_qs(f"from={days[0]}&to={days[-1]}&measures=count,sum(weight)")
    for most in (1 + 1 + 40 + AHEAD, 1):  # HEAD, the list of files, the files; until a footer is read, that of each
        lake.store.read_keys.clear()
        found = body(aggregate.answer(kept, aggregate.ask(published, "sales", "sales", query)))
        assert found["rows"] == [{"count": 40, "sum(weight)": 780.0}]
        assert len(lake.store.read_keys) <= most


def test_a_sum_never_begins_again_below_zero() -> None:
    lake = lake_of([row(1, id=2**62), row(1, id=2**62)], [row(1)])
    with pytest.raises(AnswerTooCostlyError, match="The sum of 'id' may be larger than a bigint"):
        ask(lake, f"{RANGE}&measures=sum(id)")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_measures_equal_those_of_duckdb(data: st.DataObject) -> None:
    cells = st.fixed_dictionaries(
        {
            "id": st.none() | st.integers(-9, 9),
            "price": st.none() | st.decimals(-3, 3, places=2),
            "name": st.none() | st.sampled_from(["", "a", "b", "é"]),
            "sold_on": st.none() | st.dates(date(1969, 12, 1), date(1970, 3, 4)),
            "weight": st.none() | st.integers(-5, 5).map(lambda number: number / 4),
        }
    )
    files = data.draw(st.lists(st.lists(cells, max_size=8), min_size=2, max_size=4))
    filled = [[row(0) | each for each in rows] for rows in files]
    group = data.draw(st.lists(st.sampled_from(["id", "name", "sold_on"]), max_size=2, unique=True))
    span = data.draw(st.sampled_from(["", *aggregate.SPANS]))
    columns = data.draw(st.lists(st.sampled_from(["id", "price", "weight"]), min_size=1, max_size=2, unique=True))
    calls = [f"{name}({column})" for column in columns for name in aggregate.FUNCTIONS]
    calls = [call for call in calls if call != "avg(price)"]  # which is a double in DuckDB
    query = f"{RANGE}&measures=count,{','.join(calls)}" + (f"&group_by={','.join(group)}" if group else "")
    asked = ask(lake_of(*filled), query + (f"&bucket={span}(sold_on)" if span else ""))
    sales = pa.Table.from_pylist([each for rows in filled for each in rows], SCHEMA)  # noqa: F841 (DuckDB reads it)
    keys = [*group, *([f"date_trunc('{span}', sold_on)::DATE"] if span else [])]
    measured = [call.replace("distinct(", "count(DISTINCT ") for call in calls]
    sql = f"SELECT {', '.join([*keys, 'count(*)', *measured])} FROM sales"  # noqa: S608
    wanted = duckdb.sql(f"{sql} GROUP BY {', '.join(keys)}" if keys else sql).fetchall()

    kinds = [each["type"] for each in asked["columns"]]
    found = [tuple(map(typed, each.values(), kinds)) for each in asked["rows"]]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted))


def typed(value: Any, kind: str) -> Any:
    """The value as DuckDB has it."""
    if value is None:
        return None
    return {"date": date.fromisoformat, "decimal": Decimal}.get(kind.partition("(")[0], lambda same: same)(value)
