"""What is kept of a refused record tells nothing that only readers of private columns may know."""

import csv
import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.mask import MASK, WITHHELD, Mask
from nightlake.core.quarantine import RAW_BYTES, move_lines
from nightlake.core.source import JsonLinesSource, Ready
from shop_shard import HEADER, ORDERS, Shop, csv_source

ODD = st.text('a",;\n\r\0 é', max_size=6)
SECRETS = st.builds("{}SECRET{}".format, ODD, ODD)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(ODD, SECRETS, ODD), min_size=1, max_size=5),
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_private_field_of_delimited_text_is_masked_and_the_others_kept(
    rows: list[tuple[str, str, str]], delimiter: str, line_end: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER, *((f"no number{odd}", secret, other, "") for odd, secret, other in rows)])
    shop = Shop(source=csv_source(delimiter=delimiter))
    refused = shop.refused(shop.convert(shop.land(text.getvalue())))
    assert "SECRET" not in json.dumps(refused, default=str)
    kept = [next(csv.reader(io.StringIO(row["raw"], newline=""), delimiter=delimiter)) for row in refused]
    assert kept == [[f"no number{odd}", MASK, other, ""] for odd, _, other in rows]


@pytest.mark.parametrize(
    ("dialect", "raw", "masked"),
    [
        ({"quote": "'", "delimiter": "|"}, "x|'it''s|SECRET'|'a|b'|", "x|***|'a|b'|"),
        ({"escape": "backslash"}, 'x,"SECRET\\",",a\\,b,', 'x,***,"a,b",'),
        ({"quote": None}, 'x,"SECRET,a"b,', 'x,***,a"b,'),
        ({"quote": None, "escape": "backslash"}, "x,SEC\\,RET,a\\,b,", "x,***,a\\,b,"),
    ],
)
def test_the_text_is_read_as_the_source_writes_it(dialect: dict[str, Any], raw: str, masked: str) -> None:
    assert Mask(ORDERS, csv_source(**dialect), HEADER).fields(raw) == masked


def test_a_private_column_that_the_object_has_not_needs_no_mask() -> None:
    assert Mask(ORDERS, csv_source(), ("id", "amount")).fields("7,x") == "7,x"


def test_what_is_not_understood_is_withheld() -> None:
    assert Mask(ORDERS, csv_source(), HEADER).fields('1,"SECRET",2') == WITHHELD
    source = JsonLinesSource(
        **{"from": "s3"}, dataset="orders", format="jsonl", path="a/{date:%Y-%m-%d}", ready=Ready(files=1)
    )
    assert Mask(ORDERS, source, ()).fields('{"email": "SECRET"') == WITHHELD
    assert Mask(ORDERS, source, ()).fields("[" * 100_000) == WITHHELD


def test_a_long_text_is_cut_and_says_so() -> None:
    columns = tuple(column.model_copy(update={"private": False}) for column in ORDERS.columns)
    shop = Shop(dataset=ORDERS.model_copy(update={"columns": columns}))
    text = f"x,{'ä' * 60_000},1,"
    (row,) = shop.refused(shop.convert(shop.land(f"id,email,amount,sold_at\n{text}\n")))
    kept, _, said = row["raw"].partition(" (cut: ")
    assert text.startswith(kept)
    assert len(kept.encode()) in (RAW_BYTES, RAW_BYTES - 1)
    assert said == "it has 120,005 bytes)"


def test_many_long_rows_are_written_in_bounded_row_groups() -> None:
    shop = Shop()
    lines = "".join(f"{'x' * 100},a@b,{'y' * 900},\n" for _ in range(12_000))
    receipt = shop.convert(shop.land(f"id,email,amount,sold_at\n{lines}"))
    assert receipt.quarantine is not None
    metadata = pq.ParquetFile(io.BytesIO(shop.quarantine.get(receipt.quarantine.key))).metadata
    assert metadata.num_rows == 12_000
    assert metadata.num_row_groups > 1


def test_lines_are_moved_and_nothing_else() -> None:
    shop = Shop()
    receipt = shop.convert(shop.land("id,email,amount,sold_at\nx,a@b,1,\n1,b@c,2,\ny,c@d,y,\n"))
    assert receipt.quarantine is not None
    before = io.BytesIO(shop.quarantine.get(receipt.quarantine.key))
    after = io.BytesIO()
    move_lines(before, 1_000, after)
    rows = shop.refused(receipt)
    assert [row["line"] for row in rows] == [2, 4]
    assert pq.read_table(after).to_pylist() == [row | {"line": row["line"] + 1_000} for row in rows]


def test_a_record_that_could_not_be_read_is_withheld_only_where_it_may_hold_private_values() -> None:
    assert Mask(ORDERS, csv_source(), HEADER).whole("a,b") == WITHHELD
    columns = tuple(column.model_copy(update={"private": False}) for column in ORDERS.columns)
    assert Mask(ORDERS.model_copy(update={"columns": columns}), csv_source(), HEADER).whole("a,b") == "a,b"
