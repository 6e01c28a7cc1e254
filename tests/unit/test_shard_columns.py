"""What comes beside the contract, or does not come, in every format: left out, NULL, or columns of text."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.errors import HeaderMismatchError
from nightlake.core.shard import Receipt
from nightlake.core.source import AnyS3Source, JsonLinesSource, JsonSource, ParquetSource, Ready
from shop_shard import ORDERS, Shop, csv_source

PUBLIC = ORDERS.model_copy(
    update={
        "columns": tuple(column.model_copy(update={"private": False}) for column in ORDERS.columns),
        "rules": ORDERS.rules[:1],
    }
)
HEADER = ("sold_at", "id", "Loyalty Points", "tip")
CSV = 'sold_at,id,Loyalty Points,tip\n2017-06-12 00:00:00,1,007,\n,2,,"a,b"\n'


def json_source(form: str = "jsonl", **options: Any) -> AnyS3Source:
    kind = {"jsonl": JsonLinesSource, "json": JsonSource, "parquet": ParquetSource}[form]
    path = "shop/{date:%Y/%m/%d}/*"
    return kind(**{"from": "s3"}, dataset="orders", format=form, path=path, ready=Ready(files=1), **options)


def columns(shop: Shop, receipt: Receipt, table: str = "orders") -> dict[str, list[Any]]:
    """The rows of a table in the order of their ids, without the run's columns."""
    staged = shop.staged(receipt, table).sort_by("id")
    return {name: staged[name].to_pylist() for name in staged.column_names if not name.startswith("_")}


def test_what_is_missing_is_null_and_what_is_new_is_text_behind_all_other_columns() -> None:
    shop = Shop(csv_source(on_drift="evolve"), PUBLIC)
    receipt = shop.convert(shop.land(CSV, header=HEADER))
    assert (receipt.rows, receipt.quarantined, receipt.extra_columns) == (2, 0, ("Loyalty Points", "tip"))
    assert shop.staged(receipt).column_names[-2:] == ["loyalty_points", "tip"]
    found = columns(shop, receipt)
    assert found["email"] == found["amount"] == [None, None]
    assert (found["loyalty_points"], found["tip"]) == (["007", None], [None, "a,b"])


def test_what_is_to_be_ignored_is_left_out_and_named() -> None:
    shop = Shop(csv_source(on_drift="ignore"), PUBLIC)
    receipt = shop.convert(shop.land(CSV, header=HEADER))
    assert receipt.extra_columns == ("Loyalty Points", "tip")
    assert columns(shop, receipt).keys() == {"id", "email", "amount", "sold_at"}
    assert columns(shop, receipt)["id"] == [1, 2]


def test_what_nobody_declared_goes_where_the_private_columns_are() -> None:
    shop = Shop(csv_source(on_drift="evolve"))
    receipt = shop.convert(shop.land(CSV, header=HEADER))
    assert columns(shop, receipt).keys() == {"id", "amount", "sold_at"}
    assert columns(shop, receipt, "orders_private") == {
        "id": [1, 2],
        "email": [None, None],
        "loyalty_points": ["007", None],
        "tip": [None, "a,b"],
    }


@pytest.mark.parametrize("mode", ["ignore", "evolve"])
def test_what_nobody_declared_is_masked_in_a_refused_row_as_private_values_are(mode: str) -> None:
    shop = Shop(csv_source(on_drift=mode))
    receipt = shop.convert(shop.land("id,amount,ssn\nx,1,078-05-1120\n", header=("id", "amount", "ssn")))
    (row,) = shop.refused(receipt)
    assert row["raw"] == "x,1,***"
    shop = Shop(json_source(on_drift=mode))
    receipt = shop.convert(shop.land('{"id": "x", "email": "a@b", "ssn": "078-05-1120"}\n', header=None))
    (row,) = shop.refused(receipt)
    assert json.loads(row["raw"]) == {"id": "x", "email": "***", "ssn": "***"}


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_a_new_field_of_json_is_text_as_it_was_written(form: str) -> None:
    rows = [
        '{"id": 1, "n": 1.50, "t": "x", "o": {"a": [1.0, null]}}',
        '{"id": 2, "n": 1E400, "b": true}',
        '{"id": 3, "n": null}',
    ]
    shop = Shop(json_source(form, on_drift="evolve"), PUBLIC)
    body = "\n".join(rows) if form == "jsonl" else f"[{','.join(rows)}]"
    receipt = shop.convert(shop.land(body, header=None))
    found = columns(shop, receipt)
    assert sorted(receipt.extra_columns) == ["b", "n", "o", "t"]
    assert found["n"] == ["1.50", "1E400", None]
    assert (found["t"], found["b"]) == (["x", None, None], [None, "true", None])
    assert found["o"] == ['{"a": [1.0, null]}', None, None]


def test_a_field_that_comes_late_in_an_object_is_null_before() -> None:
    rows = [{"id": number, **({"late": "here"} if number > 24_000 else {})} for number in range(1, 25_001)]
    shop = Shop(json_source(on_drift="evolve"), PUBLIC)
    receipt = shop.convert(shop.land("\n".join(map(json.dumps, rows)), header=None))
    assert columns(shop, receipt)["late"] == [None] * 24_000 + ["here"] * 1_000


def test_objects_with_ever_new_fields_are_refused_by_name_not_by_memory() -> None:
    body = "\n".join(json.dumps({"id": number, f"key{number}": 1}) for number in range(300))
    shop = Shop(json_source(on_drift="evolve"), PUBLIC)
    shard = shop.land(body, header=None)
    with pytest.raises(HeaderMismatchError, match=r"orders .* more than 100 columns are not declared"):
        shop.convert(shard)
    receipt = Shop(json_source(on_drift="ignore"), PUBLIC, raw=shop.raw).convert(shard)
    assert (receipt.rows, len(receipt.extra_columns)) == (300, 100)


def test_new_columns_of_parquet_are_text_whatever_their_type() -> None:
    table = pa.table(
        {
            "id": [1, 2],
            "n": [7, None],
            "d": [Decimal("1.50"), None],
            "l": [[1, 2], None],
            "s": ["x", None],
            "raw": [b"\xff", b"ok"],
        }
    )
    written = io.BytesIO()
    pq.write_table(table, written)
    shop = Shop(json_source("parquet", on_drift="evolve"), PUBLIC)
    receipt = shop.convert(shop.land(written.getvalue(), header=table.column_names))
    found = columns(shop, receipt)
    assert (receipt.rows, found["amount"]) == (2, [None, None])
    assert [found[name] for name in ("n", "d", "l", "s")] == [
        ["7", None],
        ["1.50", None],
        ["[1, 2]", None],
        ["x", None],
    ]
    assert found["raw"][1] is not None


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
NAMES = ["id", "email", "amount", "tip", "Eye Colour"]


@settings(max_examples=50, deadline=None)
@given(st.permutations(NAMES), st.integers(0, 5), st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_columns_of_delimited_text_come_in_any_order_and_number(
    order: list[str], left_out: int, rows: list[tuple[str, str]]
) -> None:
    header = ["id", *[name for name in order[left_out:] if name != "id"]]
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, header, extrasaction="ignore", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    given_rows = [
        {"id": number, "email": email, "amount": "1.50", "tip": tip, "Eye Colour": email}
        for number, (email, tip) in enumerate(rows)
    ]
    writer.writerows(given_rows)
    shop = Shop(csv_source(on_drift="evolve"), PUBLIC)
    receipt = shop.convert(shop.land(written.getvalue(), header=header))
    assert (receipt.rows, receipt.quarantined) == (len(rows), 0)
    assert set(receipt.extra_columns) == {"tip", "Eye Colour"} & set(header)
    if rows:
        found = columns(shop, receipt)
        for name, column in (("email", "email"), ("tip", "tip"), ("Eye Colour", "eye_colour")):
            values = [str(row[name]) or None if name in header else None for row in given_rows]
            assert found.get(column, [None] * len(rows)) == values
            assert (column in found) == (name in header or column == "email")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"email": TEXT, "tip": TEXT, "n": st.integers() | st.none(), "o": st.lists(st.booleans())}
        ),
        max_size=20,
    )
)
def test_fields_of_json_come_and_go_from_record_to_record(rows: list[dict[str, Any]]) -> None:
    body = "\n".join(json.dumps({"id": number, **row}) for number, row in enumerate(rows))
    shop = Shop(json_source(on_drift="evolve"), PUBLIC)
    receipt = shop.convert(shop.land(body, header=None))
    assert (receipt.rows, receipt.quarantined) == (len(rows), 0)
    came = {name for row in rows for name in row} - {"email"}
    assert set(receipt.extra_columns) == came
    if rows:
        found = columns(shop, receipt)
        assert found["email"] == [row.get("email") for row in rows]
        for name in came:
            values = [row.get(name) for row in rows]
            assert found[name] == [value if value is None or name == "tip" else json.dumps(value) for value in values]
