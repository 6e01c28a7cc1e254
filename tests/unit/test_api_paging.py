"""Readers page while nights publish: each sees the one snapshot that its first page saw, every row of it once.

DuckDB over the rows of that snapshot says what a reader must have seen when he reaches the end.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule
from nightlake.core.api import rows
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Published
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.result import body
from nightlake.core.pipeline import Column
from published_lake import PublishedLake

DAYS = [date(2017, 6, 12) + timedelta(days=number) for number in range(3)]
COLUMNS = (
    Column(name="id", type="bigint"),
    Column(name="name", type="string"),
    Column(name="price", type="int"),
)
SCHEMA = pa.schema([("place", pa.int64()), ("id", pa.int64()), ("name", pa.string()), ("price", pa.int32())])
CELLS = st.tuples(st.none() | st.sampled_from("abc"), st.none() | st.integers(0, 3))
NIGHTS = st.dictionaries(
    st.sampled_from(DAYS), st.lists(st.lists(CELLS, max_size=7), min_size=1, max_size=3), min_size=1
)
CONDITIONS = {
    "": "true",
    "price.gte=1": "price >= 1",
    "name=in.a,c": "name IN ('a', 'c')",
    "name=like._&price.ne=2": "name LIKE '_' AND price <> 2",
    "price.between=1,2": "price BETWEEN 1 AND 2",
    "name.is_null=true": "name IS NULL",
}
ORDERS = {
    "": "place",
    "price": "price NULLS LAST, place",
    "-name,price": "name DESC NULLS LAST, price NULLS LAST, place",
    "-id": "id DESC",
}


@dataclass
class Reader:
    """What a reader asks and has seen; `wanted` are the ids that he must see."""

    parameters: dict[str, list[str]]
    wanted: list[int]
    seen: list[int] = field(default_factory=list)


class Paging(RuleBasedStateMachine):
    """One worker that keeps what it reads, nights that replace everything, readers at their own pace."""

    readers = Bundle("readers")

    @initialize(night=NIGHTS)
    def first_night(self, night: Any) -> None:
        self.lake = PublishedLake()
        self.published, self.kept = Published(self.lake.store), Kept(self.lake.store, most=20_000)
        self.numbers = 0
        self.publish(night)

    @rule(night=NIGHTS)
    def publish(self, night: Any) -> None:
        days: dict[date, list[list[dict[str, Any]]]] = {}
        for day, files in sorted(night.items()):
            days[day] = [[self.row(name, price) for name, price in cells] for cells in files]
        self.lake.publish("sales", COLUMNS, days, row_group=3)
        everything = [each for day in sorted(days) for file in days[day] for each in file]
        self.table = pa.Table.from_pylist([{"place": at} | each for at, each in enumerate(everything)], SCHEMA)

    def row(self, name: str | None, price: int | None) -> dict[str, Any]:
        self.numbers += 1
        return {"id": self.numbers, "name": name, "price": price}

    @rule(
        target=readers,
        condition=st.sampled_from(sorted(CONDITIONS)),
        order=st.sampled_from(sorted(ORDERS)),
        limit=st.integers(1, 9),
    )
    def ask(self, condition: str, order: str, limit: int) -> Reader:
        sales = self.table  # noqa: F841 (DuckDB reads it)
        sql = f"SELECT id FROM sales WHERE {CONDITIONS[condition]} ORDER BY {ORDERS[order]}"  # noqa: S608
        parameters = {
            name: [value] for name, _, value in (each.partition("=") for each in condition.split("&")) if name
        }
        parameters |= {"from": [str(DAYS[0])], "to": [str(DAYS[-1])], "select": ["id"], "limit": [str(limit)]}
        parameters |= {"order_by": [order]} if order else {}
        reader = Reader(parameters, [number for (number,) in duckdb.sql(sql).fetchall()])
        self.page(reader)
        return reader

    @rule(reader=readers)
    def page(self, reader: Reader) -> None:
        if reader.parameters.get("cursor") == [""]:
            return
        budget = Budget() if "order_by" in reader.parameters else Budget(left=2 << 17)
        asked = rows.ask(self.published, "sales", "sales", reader.parameters)
        answer = body(rows.answer(self.kept, asked, budget=budget))
        reader.seen += [each["id"] for each in answer["rows"]]
        reader.parameters["cursor"] = [answer["next_cursor"] or ""]
        assert reader.seen == reader.wanted[: len(reader.seen)]
        if not answer["next_cursor"]:
            assert reader.seen == reader.wanted

    @rule(reader=consumes(readers))
    def page_to_the_end(self, reader: Reader) -> None:
        while reader.parameters["cursor"] != [""]:
            self.page(reader)
        assert reader.seen == reader.wanted


TestPaging = Paging.TestCase
TestPaging.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
