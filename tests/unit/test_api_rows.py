"""Rows of a dataset: typed conditions, exact values, pages that see one snapshot, and bounded work."""

import base64
import contextlib
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core import layout
from nightlake.core.api import rows
from nightlake.core.api.file_list import write_file_list
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Published
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.result import body
from nightlake.core.errors import (
    AnswerTooCostlyError,
    CursorExpiredError,
    InvalidCursorError,
    InvalidParameterError,
    NothingPublishedError,
    UnknownParameterError,
)
from nightlake.core.history import find_head, move_head
from nightlake.core.pipeline import Column
from nightlake.core.snapshot import PublishedTable
from nightlake.core.store import ObjectNotFoundError
from nightlake.core.table import RUN_COLUMNS, Table, arrow_schema
from published_lake import PublishedLake, Row, parquet, publish, put_file, put_partition

MONDAY, TUESDAY, WEDNESDAY = (date(2017, 6, 12) + timedelta(days=day) for day in range(3))
COLUMNS = (
    Column(name="id", type="bigint"),
    Column(name="price", type="decimal(12,2)"),
    Column(name="name", type="string"),
    Column(name="sold_on", type="date"),
    Column(name="sold_at", type="timestamp"),
    Column(name="weight", type="double"),
    Column(name="share", type="float"),
    Column(name="paid", type="boolean"),
    Column(name="tags", type="array<string>"),
    *RUN_COLUMNS,
)
Ask = Callable[..., dict[str, Any]]


def row(number: int, **values: Any) -> Row:
    """A row whose values follow from its number, where they are not given."""
    return {
        "id": number,
        "price": Decimal(number) / 100,
        "name": f"n{number}",
        "sold_on": date(2017, 6, 1) + timedelta(days=number % 28),
        "sold_at": datetime(2017, 6, 12, 8) + timedelta(seconds=number),  # noqa: DTZ001 (as Parquet holds it)
        "weight": number / 8,
        "share": 0.5,
        "paid": number % 2 == 0,
        "tags": ["a"],
        "_run_id": "r",
        "_loaded_at": datetime(2017, 6, 13, 3),  # noqa: DTZ001
        "_source": "s3://raw/f",
        "_position": number,
    } | values


def span(first: int, last: int) -> list[Row]:
    return [row(number) for number in range(first, last)]


@pytest.fixture
def lake() -> PublishedLake:
    """Ten rows of Monday in one file, twenty of Tuesday in two."""
    lake = PublishedLake()
    lake.publish("sales", COLUMNS, {MONDAY: [span(0, 10)], TUESDAY: [span(10, 20), span(20, 30)]})
    return lake


@pytest.fixture
def ask(lake: PublishedLake) -> Ask:
    """`ask("id.gte=3&limit=2")`: the answer to a query string, which knows `page_bytes` and `budget`."""
    return asker(lake)


def asker(lake: PublishedLake, published: Published | None = None) -> Ask:
    reader = published or Published(lake.store)

    def ask(query: str = "", table: str = "sales", **limits: Any) -> dict[str, Any]:
        parameters = parse_qs(query, keep_blank_values=True)
        return body(rows.answer(Kept(lake.store, most=0), rows.ask(reader, lake.pipeline, table, parameters), **limits))

    return ask


def ids(answer: dict[str, Any]) -> list[int]:
    return [each["id"] for each in answer["rows"]]


def pages(ask: Ask, query: str, **limits: Any) -> Iterator[dict[str, Any]]:
    """Every page of a question."""
    answer = ask(query, **limits)
    yield answer
    while answer["next_cursor"]:
        answer = ask(f"{query}&cursor={answer['next_cursor']}", **limits)
        yield answer


def test_the_newest_day_is_answered_without_a_date(ask: Ask) -> None:
    answer = ask()
    assert ids(answer) == list(range(10, 30))
    assert (answer["dataset"], answer["snapshot"], answer["next_cursor"]) == ("sales", 1, None)
    assert (answer["from"], answer["to"], answer["days"]) == ("2017-06-13", "2017-06-13", ["2017-06-13"])


def test_days_are_chosen_by_date_or_by_range(ask: Ask) -> None:
    assert ids(ask("date=2017-06-12")) == list(range(10))
    assert ids(ask("from=2017-06-12&to=2017-06-13")) == list(range(30))
    assert ids(ask("from=2017-06-13")) == ids(ask("from=2017-06-12&date=2017-06-13")) == list(range(10, 30))
    assert ids(ask("to=2017-06-12")) == ids(ask("from=2017-06-01&to=2017-06-12")) == list(range(10))
    apart = ("from=2017-06-13&to=2017-06-12", "date=2017-06-12&from=2017-06-13", "date=2017-06-13&to=2017-06-12")
    for query in (
        *apart,
        "from=2017-06-14&to=2017-07-14",
        "from=2017-06-14",
        "to=2017-06-11",
        "date=9999-12-31",
        "from=9999-12-31&to=9999-12-31",
    ):
        nothing = ask(query)
        assert (nothing["rows"], nothing["days"], nothing["next_cursor"]) == ([], [], None)


def test_values_are_exact_and_their_types_are_told(lake: PublishedLake) -> None:
    columns = (
        *COLUMNS[: -len(RUN_COLUMNS)],
        Column(name="stock", type="map<int,decimal(4,1)>"),
        Column(name="box", type="struct<side:double,made:date>"),
    )
    odd = row(
        7,
        id=2**63 - 1,
        price=Decimal("9999999999.99"),
        name='naïve "q" \\ 日本 \x00',
        weight=math.nan,
        share=-math.inf,
        stock=[(1, Decimal("0.5"))],
        box={"side": math.inf, "made": MONDAY},
    )
    empty = {column.name: None for column in columns}
    lake.publish("odd", columns, {MONDAY: [[{name: odd[name] for name in empty}, empty]]})
    answer = asker(lake)("", table="odd")
    assert answer["columns"] == [{"name": column.name, "type": column.type} for column in columns]
    assert answer["rows"] == [
        {
            "id": 9223372036854775807,
            "price": "9999999999.99",
            "name": 'naïve "q" \\ 日本 \x00',
            "sold_on": odd["sold_on"].isoformat(),
            "sold_at": odd["sold_at"].isoformat(timespec="milliseconds") + "Z",
            "weight": "NaN",
            "share": "-Infinity",
            "paid": False,
            "tags": ["a"],
            "stock": {"1": "0.5"},
            "box": {"side": "Infinity", "made": "2017-06-12"},
        },
        empty,
    ]


def test_only_selected_columns_are_answered_and_those_of_the_run_are_there_for_the_asking(ask: Ask) -> None:
    assert [each["name"] for each in ask()["columns"]] == [column.name for column in COLUMNS[: -len(RUN_COLUMNS)]]
    answer = ask("select=_position,id,day,year&limit=1")
    assert answer["rows"] == [{"_position": 10, "id": 10, "day": "13", "year": "2017"}]
    assert ask("select=month&id=11")["rows"] == [{"month": "06"}]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("id=12", [12]),
        ("id.eq=12", [12]),
        ("id.ne=12&id.lte=13", [10, 11, 13]),
        ("id.gt=27", [28, 29]),
        ("id.lt=12", [10, 11]),
        ("id.in=11,29,5", [11, 29]),
        ("price.gte=0.28", [28, 29]),
        ("price=0.10", [10]),
        ("name=n20", [20]),
        ('name.in=n11,"n12"', [11, 12]),
        ("sold_on=2017-06-28", [27]),
        ("sold_at.gte=2017-06-12T08:00:29Z", [29]),
        ("sold_at.gte=2017-06-12 08:00:28.5", [29]),
        ("weight.gt=3.5", [29]),
        ("share=0.5&id.lt=11", [10]),
        ("paid=true&id.gte=27", [28]),
        ("day=13&id=10", [10]),
        ("day=12", []),
        ("tags.is_null=true", []),
        ("tags.is_null=false&id=10", [10]),
        ("name=' OR 1=1", []),
        ("id=eq.12", [12]),
        ("id=in.11,29,5", [11, 29]),
        ("id=between.12,14", [12, 13, 14]),
        ("sold_on.between=2017-06-27,2017-06-28", [26, 27]),
        ("name.like=n2_", list(range(20, 30))),
        ("name=like.%251", [11, 21]),
        ("name.like=n\\_1", []),
        ("name=x.n12", []),
        ("name.eq=eq.n12", []),
        ("name=is_null.true", []),
        ("name=n10&name.ne=n10", []),
    ],
)
def test_conditions_are_typed_by_their_column(ask: Ask, query: str, wanted: list[int]) -> None:
    assert ids(ask(query)) == wanted


def test_what_is_null_meets_no_condition_but_its_own(lake: PublishedLake) -> None:
    lake.publish("sales", COLUMNS, {MONDAY: [[row(1, name=None), row(2)]]})
    ask = asker(lake)
    assert ids(ask("name.is_null=true")) == [1]
    assert ids(ask("name.ne=n7")) == [2]
    assert ids(ask("name.in=n2,n1")) == [2]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("id=x", "id=x: not a number; 'id' is bigint"),
        ("id=9223372036854775808", "id=9223372036854775808: out of range: bigint is"),
        ("id=1.5", "not a whole number"),
        ("price=1.005", "too fine: decimal\\(12,2\\) has 2 digits after the point"),
        ("sold_on=12.06.2017", "not written as %Y-%m-%d"),
        ("sold_at=now", "not written as"),
        ("sold_at=2017-06-12T08:00:00.0001Z", "finer than the milliseconds"),
        ("paid=maybe", "not a boolean"),
        ("weight=1e999", "out of range of double"),
        ("name=%ED%A0%80&id.in=", "id.in: write 1 to 100 values"),
        ("name.is_null=perhaps", "not a boolean"),
        ("id=1&id=2", "id is given 2 times"),
        ("id.in=" + ",".join(["1"] * 101), "write 1 to 100 values"),
        ('name.in="a', "write 1 to 100 values"),
        ("select=id,nme", "no column 'nme'; there are: id, price, name"),
        ("select=", "no column ''"),
        ("select=id,id", "names a column twice"),
        ("limit=0", "limit=0: write a whole number from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=1e2", "from 1 to 1000"),
        ("date=2017-6-12", "date: '2017-6-12' is not a day"),
        ("id.between=1", "id.between: write the least and the greatest value"),
        ("id.between=1,2,3", "id.between: write the least and the greatest value"),
        ("id=between.1,x", "id=1,x: not a number"),
        ("order_by=", "order_by: there is no column ''"),
        ("order_by=nme", "order_by: there is no column 'nme'"),
        ("order_by=tags", "'tags' is array<string>, which has no order"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(ask: Ask, query: str, said: str) -> None:
    with pytest.raises(InvalidParameterError, match=said):
        ask(query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("nme=x", "no parameter or column 'nme'; parameters are date, from, .* columns are id, price, .*, _source"),
        ("id.ilike=1", "id.ilike: there is no operator 'ilike'; there are: eq, ne, .* is_null"),
        ("id.like=1", "id.like: 'id' is bigint; like can be asked of texts only"),
        ("id=like.1", "id: 'id' is bigint; like can be asked of texts only"),
        ("id.=1", "no operator ''"),
        ("tags=a", "'tags' is array<string>; only is_null can be asked of it"),
        ("=1", "no parameter or column ''"),
        ("id;drop=1", "no parameter or column 'id;drop'"),
    ],
)
def test_a_parameter_that_there_is_not_is_refused_with_those_that_there_are(ask: Ask, query: str, said: str) -> None:
    with pytest.raises(UnknownParameterError, match=said):
        ask(query)


@pytest.mark.parametrize("limit", [1, 3, 7, 10, 20, 30])
def test_pages_hold_every_row_once_in_order(ask: Ask, limit: int) -> None:
    found = list(pages(ask, f"from=2017-06-12&to=2017-06-13&limit={limit}"))
    assert [number for page in found for number in ids(page)] == list(range(30))
    assert [len(page["rows"]) for page in found] == [limit] * (30 // limit) + [30 % limit] * (30 % limit > 0)


def test_pages_of_a_condition_hold_every_match_once(ask: Ask) -> None:
    found = [number for page in pages(ask, "paid=false&limit=3") for number in ids(page)]
    assert found == list(range(11, 30, 2))


def test_a_paging_reader_sees_one_snapshot_only(lake: PublishedLake) -> None:
    ask = asker(lake)
    first = ask("limit=15")
    lake.publish("sales", COLUMNS, {TUESDAY: [span(100, 120)], WEDNESDAY: [span(200, 210)]})
    second = ask(f"limit=15&cursor={first['next_cursor']}")
    assert ids(first) + ids(second) == list(range(10, 30))
    assert (second["snapshot"], second["days"]) == (1, ["2017-06-13"])
    assert ids(ask()) == list(range(200, 210))


@pytest.mark.parametrize(
    "query",
    ["limit=5&id.gte=10", "limit=5&select=id", "limit=5&date=2017-06-12", "limit=5&from=2017-06-12&to=2017-06-13"],
)
def test_a_cursor_is_of_no_other_question(ask: Ask, query: str) -> None:
    cursor = ask("limit=5")["next_cursor"]
    with pytest.raises(InvalidCursorError, match="cursor belongs to another question"):
        ask(f"{query}&cursor={cursor}")


def test_a_page_may_be_of_another_length_than_the_one_before(ask: Ask) -> None:
    cursor = ask("limit=5&date=2017-06-13")["next_cursor"]
    assert ids(ask(f"limit=2&cursor={cursor}")) == [15, 16]  # the newest day is that day


def test_a_cursor_cannot_be_moved(ask: Ask) -> None:
    cursor = ask("limit=5")["next_cursor"]
    content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert b'"row":5' in content
    moved = base64.urlsafe_b64encode(content.replace(b'"row":5', b'"row":6')).decode().rstrip("=")
    with pytest.raises(InvalidCursorError, match="belongs to another question"):
        ask(f"limit=5&cursor={moved}")


@pytest.mark.parametrize("cursor", ["", "x", "%00", "Zm9v", "é", "a" * 5000, "e30=", "0" * 22 + "="])
def test_a_text_that_is_no_cursor_is_refused(ask: Ask, cursor: str) -> None:
    with pytest.raises(InvalidParameterError, match="cursor is none of ours; send the next_cursor"):
        ask(f"cursor={cursor}")


@pytest.mark.parametrize("cursor", ["0" * 22 + "e30", "A" * 64, "A" * 65])
def test_a_cursor_that_was_made_up_leads_to_no_page(ask: Ask, cursor: str) -> None:
    with pytest.raises(InvalidCursorError, match="cursor is none of ours; send the next_cursor"):
        ask(f"cursor={cursor}")


def test_a_cursor_ends_with_its_snapshot(lake: PublishedLake) -> None:
    ask = asker(lake)
    cursor = ask("limit=5")["next_cursor"]
    lake.publish("sales", COLUMNS, {WEDNESDAY: [span(0, 3)]})
    found = find_head(lake.store, "sales")
    assert found is not None
    head, etag = found
    move_head(lake.store, head.model_copy(update={"kept": head.kept[1:]}), etag=etag)
    with pytest.raises(CursorExpiredError, match="ask again without the cursor"):
        ask(f"limit=5&cursor={cursor}")


def test_a_cursor_ends_with_its_files_while_a_lost_file_of_today_is_our_failure(lake: PublishedLake) -> None:
    ask = asker(lake)
    cursor = ask("limit=15")["next_cursor"]
    lake.store.delete(each.key for each in list(lake.store.list("data/")))
    with pytest.raises(CursorExpiredError, match="Files that this cursor pages through are gone"):
        ask(f"limit=15&cursor={cursor}")
    with pytest.raises(ObjectNotFoundError):
        ask("limit=15")


def test_nothing_is_there_before_the_first_night_and_never_of_a_private_table(lake: PublishedLake) -> None:
    with pytest.raises(NothingPublishedError, match="Nothing of 'sales' is published yet"):
        asker(PublishedLake())()
    lake.publish("secrets", COLUMNS, {MONDAY: [span(0, 1)]}, private=True)
    for table in ("secrets", "products"):
        with pytest.raises(NothingPublishedError, match=f"Nothing of '{table}' is published"):
            asker(lake)("", table=table)


def test_a_column_that_older_files_have_not_is_null_in_them_and_a_narrower_one_is_widened(lake: PublishedLake) -> None:
    old = pa.schema([("id", pa.int32())])
    files = [put_file(lake.store, "data/1.parquet", parquet(old, [{"id": 1}, {"id": 2}]), rows=2, day=MONDAY)]
    partition = put_partition(lake.store, "grown", MONDAY, files, pipeline="sales", run_id="r")
    columns = (Column(name="id", type="bigint"), Column(name="colour", type="string"))
    table = PublishedTable(table="grown", private=False, columns=columns, partitions=(partition,))
    publish(lake.store, "sales", {"grown": table}, lake.run_id(9), MONDAY)
    ask = asker(lake)
    assert ask("id.gte=2", table="grown")["rows"] == [{"id": 2, "colour": None}]
    assert ask("colour=red", table="grown")["rows"] == []
    assert len(ask("colour.is_null=true", table="grown")["rows"]) == 2


def test_timestamps_as_athena_writes_them_are_read(lake: PublishedLake) -> None:
    content = parquet(
        pa.schema([("at", pa.timestamp("ns"))]),
        [{"at": datetime(2017, 6, 12, 8)}],  # noqa: DTZ001
        use_deprecated_int96_timestamps=True,
    )
    files = [put_file(lake.store, "data/1.parquet", content, rows=1, day=MONDAY)]
    partition = put_partition(lake.store, "ctas", MONDAY, files, pipeline="sales", run_id="r")
    columns = (Column(name="at", type="timestamp"),)
    table = PublishedTable(table="ctas", private=False, columns=columns, partitions=(partition,))
    publish(lake.store, "sales", {"ctas": table}, lake.run_id(9), MONDAY)
    assert asker(lake)("at.gte=2017-06-12T08:00:00Z", table="ctas")["rows"] == [{"at": "2017-06-12T08:00:00.000Z"}]


def by_month(lake: PublishedLake) -> Ask:
    """June, July and, long after the night's business date, a month of 2042; rows lie by `sold_at`."""
    months = [date(2017, 6, 1), date(2017, 7, 1), date(2042, 1, 1)]
    partitions = []
    for number, month in enumerate(months):
        moments = [datetime(month.year, month.month, day, 23, 59, 59, 999_000) for day in (1, 15, 28)]  # noqa: DTZ001
        held = [row(10 * number + each, sold_at=moment) for each, moment in enumerate(moments)]
        schema = arrow_schema(Table(name="sales", description="", columns=COLUMNS))
        files = [put_file(lake.store, f"data/{month}.parquet", parquet(schema, held), rows=3, day=month)]
        partition = put_partition(lake.store, "sales", month, files, pipeline="sales", run_id="r")
        partitions.append(partition.model_copy(update={"grain": "month"}))
    table = PublishedTable(table="sales", private=False, columns=COLUMNS, partitions=tuple(partitions))
    publish(lake.store, "sales", {"sales": table}, lake.run_id(9), date(2017, 7, 20))
    reader = Published(lake.store)

    def ask(query: str) -> dict[str, Any]:
        asked = rows.ask(reader, "sales", "sales", parse_qs(query), moment="sold_at")
        return body(rows.answer(Kept(lake.store, most=0), asked))

    return ask


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", [10, 11, 12]),
        ("date=2017-06-15", [1]),
        ("date=2017-06-16", []),
        ("from=2017-06-15&to=2017-07-15", [1, 2, 10, 11]),
        ("from=2017-06-01&to=2017-07-31", [0, 1, 2, 10, 11, 12]),
        ("from=2042-01-02&to=2042-01-28", [21, 22]),
    ],
)
def test_days_are_also_asked_of_the_column_that_months_lie_by(
    lake: PublishedLake, query: str, wanted: list[int]
) -> None:
    assert ids(by_month(lake)(query)) == wanted


def data_reads(lake: PublishedLake) -> list[str]:
    return [key for key in lake.store.read_keys if key.startswith("data/")]


def test_a_page_reads_only_the_files_that_it_needs(lake: PublishedLake) -> None:
    ask = asker(lake)
    first = ask("from=2017-06-12&to=2017-06-13&limit=4")
    assert len(data_reads(lake)) == 1
    lake.store.read_keys.clear()
    ask(f"from=2017-06-12&to=2017-06-13&limit=4&cursor={first['next_cursor']}")
    assert len(data_reads(lake)) == 1
    lake.store.read_keys.clear()
    ask("date=2017-06-12")
    assert {layout.day_path(MONDAY) in key for key in data_reads(lake)} == {True}


def test_only_needed_columns_and_row_groups_are_paid(lake: PublishedLake) -> None:
    wide = [row(number, name=base64.b64encode(number.to_bytes(4, "big") * 400).decode()) for number in range(8000)]
    snapshot = lake.publish("sales", COLUMNS, {WEDNESDAY: [wide]}, row_group=2000)
    whole = snapshot.tables[-1].partitions[0].bytes
    spent = {}
    for query in ("", "select=id", "select=id&id=7", "select=id&day=01"):
        budget = Budget(left=1 << 30)
        asker(lake)(f"{query}&limit=1000", budget=budget)
        spent[query] = (1 << 30) - budget.left
    assert whole > 1_100_000
    # Every request counts 128 KiB at least: a footer, then what is asked for.
    assert spent["select=id"] <= 3 * (1 << 17)
    assert spent["select=id&id=7"] == 2 * (1 << 17)
    assert spent["select=id&day=01"] == 0


def test_an_answer_that_lies_in_too_much_data_is_refused_with_advice(lake: PublishedLake) -> None:
    for query in ("name=nowhere", "from=2017-06-12&to=2017-06-13&order_by=id"):
        with pytest.raises(AnswerTooCostlyError, match="ask for fewer days, columns or rows"):
            asker(lake)(query, budget=Budget(left=(1 << 17) - 1))
    assert ids(asker(lake)("date=2017-06-12&limit=1", budget=Budget(left=2 << 17))) == [0]


def test_a_page_ends_with_its_budget_and_goes_on(lake: PublishedLake) -> None:
    query = "from=2017-06-12&to=2017-06-13&id=25"
    found = list(pages(asker(lake), query, budget=Budget(left=1 << 30)))
    assert [ids(page) for page in found] == [[25]]
    cursor, seen = "", []
    for _ in range(3):
        page = asker(lake)(f"{query}{cursor}", budget=Budget(left=1 << 17))
        seen.append(ids(page))
        cursor = f"&cursor={page['next_cursor']}"
    assert (seen, page["next_cursor"]) == ([[], [], [25]], None)


def test_a_filtered_page_that_finds_something_takes_eight_requests_at_most() -> None:
    days = [MONDAY + timedelta(days=number) for number in range(80)]
    lake = PublishedLake()
    snapshot = lake.publish("sales", COLUMNS, {day: [[row(place)]] for place, day in enumerate(days)})
    write_file_list(lake.store, "sales", snapshot.tables[0], None)
    reader = Published(lake.store)
    reader.newest("sales")
    for query, wanted, most in (("id.gte=2", [4] + 12 * [6] + [2], 8), ("id=79", [0, 1], 66), ("", [64, 16], 66)):
        kept, lengths = Kept(lake.store), []
        parameters = parse_qs(f"from={days[0]}&to={days[-1]}&{query}")
        while parameters.get("cursor") != [None]:
            lake.store.read_keys.clear()
            answer = body(rows.answer(kept, rows.ask(reader, "sales", "sales", parameters)))
            parameters["cursor"] = [answer["next_cursor"]]
            lengths.append(len(ids(answer)))
            assert len(lake.store.read_keys) <= most
        assert lengths == wanted


ODD = {
    1: (None, "b"),
    2: (1.5, "a"),
    3: (math.nan, "a"),
    4: (-math.inf, None),
    5: (1.5, "a"),
    6: (None, "a"),
    7: (2.5, "c"),
}


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("weight", [4, 2, 5, 7, 3, 1, 6]),
        ("-weight", [7, 2, 5, 4, 3, 1, 6]),
        ("name,-weight", [2, 5, 3, 6, 1, 7, 4]),
        ("-name,id", [7, 1, 2, 3, 5, 6, 4]),
        ("-id", [7, 6, 5, 4, 3, 2, 1]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_rows_come_in_the_order_that_is_asked_for_page_by_page(
    lake: PublishedLake, order: str, wanted: list[int], limit: int
) -> None:
    odd = [row(number, weight=weight, name=name) for number, (weight, name) in ODD.items()]
    lake.publish("sales", COLUMNS, {MONDAY: [odd[:2], odd[2:3]], TUESDAY: [odd[3:]]}, row_group=2)
    found = list(pages(asker(lake), f"from=2017-06-12&to=2017-06-13&order_by={order}&select=id&limit={limit}"))
    assert [number for page in found for number in ids(page)] == wanted
    assert [len(page["rows"]) for page in found] == [limit] * (7 // limit) + [7 % limit] * (7 % limit > 0)


def test_a_page_ends_before_its_json_is_too_large_and_goes_on(lake: PublishedLake) -> None:
    lake.publish("sales", COLUMNS, {MONDAY: [[row(number, name="é" * 100) for number in range(10)]]})
    ask = asker(lake)
    found = list(pages(ask, "select=id,name", page_bytes=2000))
    assert [ids(page) for page in found] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    with pytest.raises(AnswerTooCostlyError, match="One row has more than 500 bytes of JSON; select fewer columns"):
        ask("select=id,name", page_bytes=500)


CELLS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(-5, 5),
    "price": st.decimals(-3, 3, places=2),
    "name": st.sampled_from(["", "a", "b", "a,b", '"', "é", "\n"]),
    "sold_on": st.dates(date(2017, 1, 1), date(2017, 1, 4)),
    "sold_at": st.datetimes(datetime(2017, 1, 1), datetime(2017, 1, 2)).map(  # noqa: DTZ001
        lambda moment: moment.replace(minute=0, second=0, microsecond=1000 * (moment.microsecond // 500_000))
    ),
    "weight": st.sampled_from([-1.5, 0.0, 0.1, 1e300, math.nan, math.inf]),
    "share": st.sampled_from([-1.5, 0.0, 0.5]),
    "paid": st.booleans(),
}
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": pc.equal,
    "ne": pc.not_equal,
    "lt": pc.less,
    "lte": pc.less_equal,
    "gt": pc.greater,
    "gte": pc.greater_equal,
}


def text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[list[Row]], list[tuple[str, str, Any]], int]:
    """Files of rows, some conditions on them, and the length of a page."""
    row_of = st.fixed_dictionaries({name: st.none() | cell for name, cell in CELLS.items()})
    files = draw(st.lists(st.lists(row_of, max_size=12), min_size=1, max_size=3))
    conditions = []
    for name in draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=3, unique=True)):
        value = draw(CELLS[name].filter(lambda cell: not (isinstance(cell, float) and not math.isfinite(cell))))
        conditions.append((name, draw(st.sampled_from(sorted(OPERATIONS))), value))
    return files, conditions, draw(st.integers(1, 10))


@settings(max_examples=60, deadline=None)
@given(questions())
def test_what_is_answered_equals_a_filter_over_all_rows(
    asked: tuple[list[list[Row]], list[tuple[str, str, Any]], int],
) -> None:
    files, conditions, limit = asked
    complete = [
        [
            {**each, "tags": None, "_run_id": str(number), "_loaded_at": None, "_source": str(at)}
            for at, each in enumerate(rows_)
        ]
        for number, rows_ in enumerate(files)
    ]
    lake = PublishedLake()
    lake.publish("sales", COLUMNS, {MONDAY: complete}, row_group=4)
    everything = pa.Table.from_pylist(
        [each for rows_ in complete for each in rows_],
        pa.schema([("_run_id", pa.string()), ("_source", pa.string()), *CELL_TYPES.items()]),
    )
    for name, operation, value in conditions:
        mask = OPERATIONS[operation](everything[name], pa.scalar(value, CELL_TYPES[name]))
        everything = everything.filter(mask)
    parameters = {f"{name}.{operation}": [text(value)] for name, operation, value in conditions}
    parameters |= {"limit": [str(limit)], "select": ["_run_id,_source"]}
    reader, found = Published(lake.store), []
    while True:
        answer = body(rows.answer(Kept(lake.store, most=0), rows.ask(reader, "sales", "sales", parameters)))
        found += [(each["_run_id"], each["_source"]) for each in answer["rows"]]
        if not answer["next_cursor"]:
            break
        parameters["cursor"] = [answer["next_cursor"]]
    assert found == list(zip(*(everything[name].to_pylist() for name in ("_run_id", "_source")), strict=True))


CELL_TYPES = {
    "id": pa.int64(),
    "price": pa.decimal128(12, 2),
    "name": pa.string(),
    "sold_on": pa.date32(),
    "sold_at": pa.timestamp("ms"),
    "weight": pa.float64(),
    "share": pa.float32(),
    "paid": pa.bool_(),
}
NAMES = st.sampled_from(
    [f"{column.name}{operator}" for column in COLUMNS for operator in ("", ".in", ".gte", ".is_null", ".x")]
    + ["date", "from", "to", "select", "limit", "cursor", "day"]
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=8) | NAMES, st.lists(st.text(max_size=30), max_size=3), max_size=4))
def test_whatever_is_asked_is_answered_or_refused_in_words(parameters: dict[str, list[str]]) -> None:
    with contextlib.suppress(UnknownParameterError, InvalidParameterError, InvalidCursorError, CursorExpiredError):
        answer = body(rows.answer(Kept(HOSTILE.store), rows.ask(HOSTILE_READER, "sales", "sales", parameters)))
        assert len(answer["rows"]) <= 100


HOSTILE = PublishedLake()
HOSTILE.publish("sales", COLUMNS, {MONDAY: [span(0, 3)]})
HOSTILE_READER = Published(HOSTILE.store)
