"""N shards give the rows, refused rows, skipped records and lines of one, wherever cuts fall and whoever is wrong."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects, MeteredObjects
from nightlake.core import layout, readers
from nightlake.core.convert import convert
from nightlake.core.plan import Request as PlanRequest
from nightlake.core.plan import plan
from nightlake.core.quarantine import quarantine_table
from nightlake.core.shard import Receipt, Shard, Validation
from nightlake.core.shard_output import Attempt
from nightlake.core.source import AnyS3Source, JsonLinesSource, Ready
from nightlake.core.table import table_input
from nightlake.core.validate import Places, Request, Unproved, validate
from shop_shard import DAY, Shop, csv_source

NOW = datetime(2017, 6, 13, 3, tzinfo=UTC)
HEADER = "id,email,amount,sold_at\n"
ROW = "1,a@x,1.00,2017-06-12 10:00:00\n"


@dataclass
class Outcome:
    """What became of a delivery: rows by their first lines, refused rows with bytes and lines, counts."""

    validation: Validation
    rows: list[tuple[Any, ...]]
    refused: list[tuple[Any, ...]]
    counts: dict[str, int]

    @property
    def content(self) -> tuple[Any, ...]:
        """What must not depend on the cuts."""
        return self.rows, self.refused, self.counts


def judged(shop: Shop, body: bytes) -> Validation:
    """Plan, convert and validate the body as one object, round after round."""
    shop.raw.put(f"shop/{DAY:%Y/%m/%d}/a.csv", body)
    of = {"pipeline": "shop", "dataset": "orders", "date": DAY, "run_id": "r", "attempt": 1}
    asked = PlanRequest(**of, scheduled_at=None, previous=None)
    planned = plan(asked, shop.pipeline, raw=shop.raw, lake=shop.lake, code_version="1", now=NOW, workers=1)
    catalog = MemoryCatalog()
    catalog.create_table("refused", table_input(quarantine_table("shop"), "s3://quarantine/empty/"))
    places = Places(
        lake=shop.lake,
        quarantine=shop.quarantine,
        raw_bucket="raw",
        catalog=catalog,
        quarantine_database="refused",
        workers=1,
    )
    shard_file, key = planned.shard_file, str(planned.plan)
    while True:
        for number, line in enumerate(shop.lake.get(shard_file).splitlines() if shard_file else ()):
            convert(
                Shard.model_validate_json(line),
                shop.pipeline,
                Attempt("r", str(number), NOW),
                raw=shop.raw,
                staging=shop.lake,
                quarantine=shop.quarantine,
            )
        found = validate(Request(**of, plan=key), shop.pipeline, places, code_version="1")
        if isinstance(found, Validation):
            return found
        assert isinstance(found, Unproved)
        shard_file, key = found.shard_file, found.plan


def night(body: bytes, source: AnyS3Source) -> Outcome:
    """The same, and what lies in the buckets afterwards."""
    shop = Shop(source=source, raw=MemoryObjects("raw", now=lambda: NOW))
    return outcome(judged(shop, body), shop)


def outcome(validation: Validation, shop: Shop) -> Outcome:
    """What lies in the buckets after the last round."""
    receipts = [shop.lake.get_model(key, Receipt) for key in validation.receipts]
    rows: list[tuple[Any, ...]] = []
    before = 0
    for receipt in receipts:
        files = [file for file in receipt.files if file.table == "orders"]
        tables = [pq.read_table(io.BytesIO(shop.lake.get(file.key))) for file in files]
        found = pa.concat_tables(tables).to_pylist() if tables else []
        rows += [(before + row["_position"], row["id"], row["amount"], row["sold_at"]) for row in found]
        before += receipt.lines or 0
    prefix = layout.quarantined_rows("shop", "r", "orders")
    refused = [
        (row["line"], row["offset"], row["rules"], row["raw"])
        for found in shop.quarantine.list(prefix)
        for row in pq.read_table(io.BytesIO(shop.quarantine.get(found.key))).to_pylist()
    ]
    names = ("records", "header", "skipped", "rows", "quarantined", "lines")
    counts = {name: sum(getattr(receipt, name) or 0 for receipt in receipts) for name in names}
    refused.sort(key=lambda row: row[0])
    return Outcome(validation, rows, refused, counts)


Guess = Callable[[int], int]


@contextmanager
def liar(lies: list[int]) -> Iterator[None]:
    """Let every worker that guesses be wrong: its first record begins as many bytes further as the next lie says."""
    told = iter(lies * 1_000)

    def first_record(data: bytes, *_: object, final: bool, **__: object) -> tuple[int, bool] | None:
        if len(data) < max(lies) and not final:
            return None
        return min(next(told), len(data)), False

    with ExitStack() as stack:
        for name in ("csv", "csv_fast"):
            module = getattr(readers, name, None)
            if hasattr(module, "first_record"):
                stack.enter_context(patch.object(module, "first_record", first_record))
        yield


def orders(shard_bytes: int, **options: Any) -> AnyS3Source:
    """Orders as CSV, cut as small as wanted."""
    return csv_source(max_quarantined_percent=100).model_copy(update={"shard_bytes": shard_bytes, **options})


PIECES = [
    ROW,
    "2,,,\n",
    '3,"two\nlines@x",1.00,2017-06-12 10:00:00\n',
    '4,"""@"" said she,\r\n",2.00,\r\n',
    f'5,"@\n{ROW}{ROW}{ROW}",3.00,\n',
    "\n",
    '6,stray"@x,1.00,\n',
    '7,"closed"@x,1.00,\n',
    '8,"open@x,1.00,\n',
    "9,x,y\n",
    "10,no mail,x,\n",
    "11,cr@x,1,\r",
    '"',
    ",",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(deadline=None, max_examples=60)
@given(text=TEXTS, shard_bytes=st.integers(8, 120), footer=st.integers(0, 2))
def test_any_text_in_any_shards_is_as_in_one(text: str, shard_bytes: int, footer: int) -> None:
    body = (HEADER + ROW * footer + text).encode()
    whole = night(body, orders(1 << 20, footer_lines=footer))
    assert night(body, orders(shard_bytes, footer_lines=footer)).content == whole.content


@settings(deadline=None, max_examples=60)
@given(text=TEXTS, shard_bytes=st.integers(8, 120), lies=st.lists(st.integers(1, 100), min_size=1, max_size=8))
@example(text=f'5,"@\n{ROW * 30}",3.00,\n{ROW * 9}', shard_bytes=64, lies=[1])
def test_any_lie_about_a_boundary_is_found_and_mended(text: str, shard_bytes: int, lies: list[int]) -> None:
    body = (HEADER + text).encode()
    whole = night(body, orders(1 << 20))
    with liar(lies):
        split = night(body, orders(shard_bytes))
    assert split.validation.problems == whole.validation.problems
    assert split.content == whole.content


def test_without_the_check_of_the_chain_a_cut_in_quotes_gives_wrong_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record in quotes says what could be many rows; a worker that begins among them takes them for such."""
    body = (HEADER + ROW * 3 + f'5,"@\n{ROW * 3_000}",3.00,\n' + ROW * 20).encode()
    source = orders(40_000)
    true = night(body, orders(1 << 20))
    assert (len(true.rows), true.validation.rounds) == (24, 0)
    found = night(body, source)
    assert found.content == true.content
    assert found.validation.rounds > 0
    monkeypatch.setattr("nightlake.core.validate.recut", lambda *_, **__: None)
    unchecked = night(body, source)
    assert "chain.unproved" in {problem.rule for problem in unchecked.validation.problems}
    monkeypatch.setattr("nightlake.core.validate.unjoined", lambda *_: ())
    wrong = night(body, source)
    assert wrong.validation.status == "good"
    assert len(wrong.rows) > len(true.rows)


def test_a_source_that_denies_its_line_ends_in_quotes_is_found_out() -> None:
    body = (HEADER + '1,"two\nlines@x",1.00,2017-06-12 10:00:00\n' * 50 + ROW * 30).encode()
    lying = orders(500, multiline=False, max_quarantined_percent=5.0)
    found = night(body, lying)
    assert [problem.rule for problem in found.validation.problems] == ["orders.max_quarantined_percent"]
    assert {rule for _, _, rules, _ in found.refused for rule in rules} >= {"csv.quote"}
    assert len(found.refused) == 100
    assert found.content == night(body, lying.model_copy(update={"shard_bytes": 1 << 20})).content


@settings(deadline=None, max_examples=30)
@given(
    lines=st.lists(
        st.sampled_from(['{"id": 1, "email": "a@x"}', "", "{", '{"id": "\\n"}', " ", '{"id": 2}\r']), max_size=30
    ),
    shard_bytes=st.integers(8, 120),
)
def test_json_lines_in_any_shards_are_as_in_one(lines: list[str], shard_bytes: int) -> None:
    source = JsonLinesSource(
        **{"from": "s3"},
        dataset="orders",
        format="jsonl",
        path="shop/{date:%Y/%m/%d}/*",
        ready=Ready(files=1),
        max_quarantined_percent=100,
    )
    body = "\n".join(lines).encode()
    split = night(body, source.model_copy(update={"shard_bytes": shard_bytes}))
    assert split.content == night(body, source).content
    assert split.validation.rounds == 0


@pytest.mark.parametrize("line_end", ["", "\n"])
def test_an_object_is_fetched_once(line_end: str) -> None:
    row = ROW.replace("a@x", f'"{"a@" * 500}{line_end}x"')
    body = (HEADER + row * 70_000).encode()
    raw = MeteredObjects("raw", now=lambda: NOW)
    validation = judged(Shop(source=orders(32 << 20), raw=raw), body)
    assert (validation.status, validation.rounds, validation.rows) == ("good", 0, 70_000)
    assert validation.shards > 1
    assert raw.fetched <= 1.05 * len(body)
