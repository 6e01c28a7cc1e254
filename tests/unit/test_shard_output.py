"""What a shard's receipt says of the bytes and lines that its batches cover."""

import io
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from nightlake.core.errors import BalanceError
from nightlake.core.readers.batch import Batch
from nightlake.core.shard import Receipt
from nightlake.core.shard_output import Attempt, ShardOutput
from shop_shard import Shop

ATTEMPT = Attempt("run-1", "attempt-1", datetime(2017, 6, 13, 3, tzinfo=UTC))
ROW = {"id": ["1"], "email": [None], "amount": ["1.00"], "sold_at": [None]}


def batch(start: int | None, stop: int | None, lines: int = 1) -> Batch:
    return Batch(ROW, pa.array([1]), ["1,,1.00,"], [start], lines=lines, start=start, stop=stop)


def take(shop: Shop, *batches: Batch) -> Receipt:
    output = ShardOutput(
        shop.land(""), shop.pipeline, ATTEMPT, origin="s3://raw/shop/a", spill=io.BytesIO(), staging=shop.lake
    )
    for each in batches:
        output.take(each)
    return output.finish(shop.quarantine)


def test_the_receipt_says_which_bytes_and_lines_were_read() -> None:
    receipt = take(Shop(), batch(100, 120, 2), batch(120, 150, 3))
    assert (receipt.begin, receipt.stop, receipt.lines) == (100, 150, 5)


def test_a_format_that_is_not_cut_has_neither() -> None:
    receipt = take(Shop(), batch(None, None), batch(None, None))
    assert (receipt.begin, receipt.stop, receipt.lines) == (None, None, None)


def test_a_row_names_its_object_and_the_byte_that_its_shard_begins_with() -> None:
    for begin, source in ((100, "s3://raw/shop/a#100"), (0, "s3://raw/shop/a"), (None, "s3://raw/shop/a")):
        shop = Shop()
        receipt = take(shop, batch(begin, None if begin is None else begin + 1))
        assert shop.staged(receipt).select(["_source", "_position"]).to_pylist() == [
            {"_source": source, "_position": 1}
        ]


@pytest.mark.parametrize("start", [119, 121, None])
def test_batches_that_do_not_touch_are_no_receipt(start: int | None) -> None:
    with pytest.raises(BalanceError, match=f"a batch begins at byte {start}, the one before stopped at byte 120"):
        take(Shop(), batch(100, 120), batch(start, 150))
