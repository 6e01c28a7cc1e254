"""What becomes of a shard: published types, refused rows with their reasons, and a receipt that proves the balance."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_objects import MemoryObjects
from nightlake.core import shard_output
from nightlake.core.convert import Meter, convert
from nightlake.core.errors import BalanceError, SourceChangedError
from nightlake.core.pipeline import Column
from nightlake.core.quarantine import quarantine_table
from nightlake.core.shard import Receipt, RuleCount
from nightlake.core.shard_output import Attempt
from nightlake.core.source import JsonLinesSource, ParquetSource, Ready
from nightlake.core.staged_files import StagedFiles
from nightlake.core.table import arrow_schema, tables
from shop_shard import DAY, HEADER, ORDERS, Shop, csv_source

TWO_ROWS = "id,email,amount,sold_at\n1,a@x,1.50,2017-06-12 10:00:00\n2,,,\n"


def test_rows_become_the_tables_of_the_contract_with_where_they_came_from() -> None:
    shop = Shop()
    receipt = shop.convert(shop.land(TWO_ROWS))
    table = shop.staged(receipt)
    assert table.to_pylist() == [
        {
            "id": 1,
            "amount": Decimal("1.50"),
            "sold_at": datetime.fromisoformat("2017-06-12 10:00:00"),
            "_run_id": "run-1",
            "_loaded_at": datetime.fromisoformat("2017-06-13 03:00:00.123"),
            "_source": "s3://raw/shop/a",
            "_position": 2,
        },
        {
            "id": 2,
            "amount": None,
            "sold_at": None,
            "_run_id": "run-1",
            "_loaded_at": datetime.fromisoformat("2017-06-13 03:00:00.123"),
            "_source": "s3://raw/shop/a",
            "_position": 3,
        },
    ]
    private = shop.staged(receipt, "orders_private")
    assert private.select(["id", "email", "_source", "_position"]).to_pylist() == [
        {"id": 1, "email": "a@x", "_source": "s3://raw/shop/a", "_position": 2},
        {"id": 2, "email": None, "_source": "s3://raw/shop/a", "_position": 3},
    ]
    assert [table.schema, private.schema] == [arrow_schema(table) for table in tables(ORDERS)]


def test_the_receipt_tells_files_and_counts_as_they_are() -> None:
    shop = Shop()
    receipt = shop.convert(shop.land(TWO_ROWS + "\n3,c@x,-1.00,2017-06-12 10:00:00\n4,a,b\n"))
    assert (receipt.records, receipt.header, receipt.skipped, receipt.rows, receipt.quarantined) == (6, 1, 1, 2, 2)
    assert receipt.rules == (
        RuleCount(rule="csv.fields", rows=1),
        RuleCount(rule="orders.amount.known", rows=1),
        RuleCount(rule="orders.amount.minimum", rows=1),
    )
    for file in receipt.files:
        info = shop.lake.head(file.key)
        assert info is not None
        assert (info.etag, info.size, file.rows, file.day) == (file.etag, file.size, 2, DAY)
        assert file.key.startswith(f"staging/shop/orders/{receipt.shard.fingerprint}/attempt-1/")
    assert shop.lake.get_model(f"staging/shop/orders/{receipt.shard.fingerprint}/receipt.json", Receipt) == receipt


def test_the_receipt_says_what_the_conversion_is_billed_for() -> None:
    shop, clock = Shop(), iter([10.0, 12.5])
    shard = shop.land(TWO_ROWS)
    stores = {"raw": shop.raw, "staging": shop.lake, "quarantine": shop.quarantine}
    attempt = Attempt("run-1", "attempt-1", datetime(2017, 6, 13, tzinfo=UTC))
    receipt = convert(shard, shop.pipeline, attempt, **stores, meter=Meter(1769, lambda: next(clock)))
    assert (receipt.seconds, receipt.memory_mb) == (2.5, 1769)


def test_files_are_snappy_parquet_in_milliseconds() -> None:
    shop = Shop()
    receipt = shop.convert(shop.land(TWO_ROWS))
    metadata = pq.ParquetFile(io.BytesIO(shop.lake.get(receipt.files[0].key))).metadata
    assert metadata.format_version == "2.6"
    columns = {metadata.row_group(0).column(index).path_in_schema: index for index in range(metadata.num_columns)}
    assert metadata.row_group(0).column(columns["sold_at"]).compression == "SNAPPY"
    assert "timeUnit=milliseconds" in str(metadata.schema.column(columns["sold_at"]).logical_type)


def test_a_refused_row_says_where_it_stood_and_everything_that_it_broke() -> None:
    shop = Shop()
    receipt = shop.convert(shop.land("id,email,amount,sold_at\n,x@y,-1,noon\n1,x@y,1,2017-06-12 10:00:00\n,x@y,1,\n"))
    first, second = shop.refused(receipt)
    assert first | {"raw": ""} == {
        "offset": first["offset"],
        "line": 2,
        "object": "s3://raw/shop/a",
        "version": receipt.shard.object.version_id,
        "rules": ["orders.sold_at.type", "orders.id.required", "orders.amount.minimum"],
        "reasons": [
            "sold_at 'noon' is no timestamp: not written as %Y-%m-%d %H:%M:%S or %Y-%m-%dT%H:%M:%S",
            "id None must be there",
            "amount '-1' must be at least 0",
        ],
        "raw": "",
        "dataset": "orders",
        "run_id": "run-1",
        "quarantined_at": datetime.fromisoformat("2017-06-13 03:00:00.123"),
    }
    assert (second["line"], second["rules"]) == (4, ["orders.id.required"])
    counts = {each.rule: each.rows for each in receipt.rules}
    assert counts == {"orders.sold_at.type": 1, "orders.id.required": 2, "orders.amount.minimum": 1}
    assert receipt.quarantine is not None
    file = pq.ParquetFile(io.BytesIO(shop.quarantine.get(receipt.quarantine.key)))
    assert file.schema_arrow == arrow_schema(quarantine_table("shop"))
    assert file.metadata.row_group(0).column(0).compression == "SNAPPY"


def test_a_value_that_is_no_number_is_not_missing_too() -> None:
    shop = Shop()
    receipt = shop.convert(shop.land("id,email,amount,sold_at\nseven,x@y,1,\n"))
    assert receipt.rules == (RuleCount(rule="orders.id.type", rows=1),)


def test_private_values_are_masked_in_reason_and_text() -> None:
    shop = Shop()
    body = 'id,email,amount,sold_at\n1,secret,1,\n2,"sec@ret, ""Ltd""",x,\n3,secret@x\n4,"secret"x,1,\n'
    receipt = shop.convert(shop.land(body))
    told = [(row["line"], row["rules"], row["reasons"], row["raw"]) for row in shop.refused(receipt)]
    assert [(line, rules) for line, rules, _, _ in told] == [
        (4, ["csv.fields"]),
        (5, ["csv.quote"]),
        (2, ["orders.email.pattern"]),
        (3, ["orders.amount.type"]),
    ]
    assert [raw for *_, raw in told[2:]] == ["1,***,1,", "2,***,x,"]
    assert told[2][2] == ["email *** must match @"]
    assert [word for _, _, reasons, raw in told for word in ("secret", "sec@ret") if word in f"{reasons}{raw}"] == []


def test_without_private_columns_the_text_is_kept_as_it_came() -> None:
    columns = tuple(column.model_copy(update={"private": False}) for column in ORDERS.columns)
    shop = Shop(dataset=ORDERS.model_copy(update={"columns": columns}))
    receipt = shop.convert(shop.land('id,email,amount,sold_at\n1,"two\nlines",1,\n4,a,b\n'))
    assert {row["raw"] for row in shop.refused(receipt)} == {'1,"two\nlines",1,', "4,a,b"}


def json_shop() -> Shop:
    path, ready = "shop/{date:%Y/%m/%d}/*.jsonl", Ready(files=1)
    renamed = {"email": "contact.mail", "amount": "sum"}
    source = JsonLinesSource(
        **{"from": "s3"},
        dataset="orders",
        format="jsonl",
        path=path,
        ready=ready,
        columns=renamed,  # type: ignore[arg-type]
    )
    return Shop(source=source)


def test_private_values_are_masked_in_json_wherever_they_are_nested() -> None:
    shop = json_shop()
    lines = (
        '{"id": 1, "contact": {"mail": "secret", "city": "Köln"}, "sum": 1.10, "sold_at": null}',
        '{"id": 2, "contact": {"mail": "a@x"}, "sum": 1.125, "sold_at": null}',
        '{"id": 3, "contact": {"mail": "secret"}, "sum"',
    )
    receipt = shop.convert(shop.land("\n".join(lines), header=None))
    rows = {row["line"]: row for row in shop.refused(receipt)}
    assert [rows[line]["rules"][0] for line in (1, 2, 3)] == [
        "orders.email.pattern",
        "orders.amount.type",
        "json.syntax",
    ]
    masked = {"id": "1", "contact": {"mail": "***", "city": "Köln"}, "sum": "1.10", "sold_at": None}
    assert json.loads(rows[1]["raw"]) == masked
    assert [line for line, row in rows.items() if "secret" in f"{row}"] == []


def test_rows_go_to_the_day_they_belong_to() -> None:
    shop = Shop(source=csv_source(partition_by="sold_at"))
    times = ("2017-06-12 23:59:59", "2017-06-11 00:00:00", "2017-06-12 00:00:00", "", "1969-12-31 23:00:00")
    body = "id,email,amount,sold_at\n" + "".join(f"{number},,1,{time}\n" for number, time in enumerate(times))
    receipt = shop.convert(shop.land(body))
    days = {(file.table, file.day.isoformat()): file.rows for file in receipt.files}
    assert days == {
        (table, day): rows
        for table in ("orders", "orders_private")
        for day, rows in (("2017-06-12", 2), ("2017-06-11", 1), ("1969-12-31", 1))
    }
    (row,) = shop.refused(receipt)
    assert (row["line"], row["rules"]) == (5, ["orders.sold_at.partition_by"])
    assert row["reasons"][0].startswith("sold_at None must be there")


@pytest.mark.parametrize(
    ("grain", "days"), [("month", ["1969-12-01", "2017-06-01"]), ("year", ["1969-01-01", "2017-01-01"])]
)
def test_rows_of_a_month_or_a_year_lie_together(grain: str, days: list[str]) -> None:
    shop = Shop(source=csv_source(partition_by="sold_at", partition_grain=grain))
    times = ("2017-06-30 23:59:59", "2017-06-01 00:00:00", "1969-12-31 23:00:00")
    body = "id,email,amount,sold_at\n" + "".join(f"{number},,1,{time}\n" for number, time in enumerate(times))
    receipt = shop.convert(shop.land(body))
    assert sorted(file.day.isoformat() for file in receipt.files if file.table == "orders") == days
    assert sorted(shop.staged(receipt)["id"].to_pylist()) == [0, 1, 2]


def test_a_delivery_of_many_years_is_a_file_a_year_where_it_says_so() -> None:
    shop = Shop(source=csv_source(partition_by="sold_at", partition_grain="year"))
    days = [date(2010, 1, 1) + timedelta(days=number) for number in range(3652)]
    body = "id,email,amount,sold_at\n" + "".join(f"{n},,1,{day} 10:00:00\n" for n, day in enumerate(days))
    receipt = shop.convert(shop.land(body))
    assert receipt.rows == 3652
    assert len([file for file in receipt.files if file.table == "orders"]) == 10


def test_rounded_values_count_where_their_row_is_kept() -> None:
    shop = Shop(source=csv_source(excess_digits="round"))
    receipt = shop.convert(shop.land("id,email,amount,sold_at\n1,,1.005,\n2,x,1.005,\n3,,1.00,\n"))
    assert receipt.rounded == 1
    assert shop.staged(receipt)["amount"].to_pylist() == [Decimal("1.01"), Decimal("1.00")]


def test_a_typed_file_is_converted_like_a_text() -> None:
    source = ParquetSource(
        **{"from": "s3"}, dataset="orders", format="parquet", path="shop/{date:%Y/%m/%d}/*", ready=Ready(files=1)
    )
    shop = Shop(source=source)
    buffer = io.BytesIO()
    columns: dict[str, Any] = {
        "id": [1, 2],
        "email": ["secret", "a@x"],
        "amount": [Decimal("1.5"), Decimal("2.5")],
        "sold_at": pa.array([1, 1000], pa.timestamp("us")),
    }
    pq.write_table(pa.table(columns), buffer)
    receipt = shop.convert(shop.land(buffer.getvalue(), header=None))
    assert (receipt.records, receipt.rows, receipt.quarantined) == (2, 1, 1)
    (row,) = shop.refused(receipt)
    assert (row["line"], row["rules"]) == (1, ["orders.sold_at.type", "orders.email.pattern"])
    assert "secret" not in row["raw"]


@pytest.mark.parametrize(("body", "header"), [("", False), ("id,email,amount,sold_at\n", True)])
def test_nothing_becomes_nothing_and_is_accounted_for(body: str, header: bool) -> None:
    shop = Shop(source=csv_source(header=header))
    receipt = shop.convert(shop.land(body))
    assert (receipt.records, receipt.rows, receipt.files, receipt.quarantine) == (receipt.header, 0, (), None)
    assert (receipt.header, receipt.begin, receipt.stop) == (header, 0, len(body))


def test_a_day_of_bad_rows_only_is_all_in_quarantine() -> None:
    shop = Shop()
    body = "id,email,amount,sold_at\n" + "x,,,\n" * 12_000
    receipt = shop.convert(shop.land(body))
    assert (receipt.rows, receipt.quarantined, receipt.files) == (0, 12_000, ())
    assert [row["line"] for row in shop.refused(receipt)] == list(range(2, 12_002))


def test_null_bytes_and_very_long_fields_are_text_like_any_other() -> None:
    shop = Shop()
    mail = "\0@" + "ü" * 500_000
    receipt = shop.convert(shop.land(f"id,email,amount,sold_at\n1,{mail},1,\n"))
    assert shop.staged(receipt, "orders_private")["email"].to_pylist() == [mail]


def test_a_second_conversion_finds_the_receipt_of_the_first() -> None:
    shop = Shop()
    shard = shop.land(TWO_ROWS)
    first = shop.convert(shard)
    assert shop.convert(shard, run_id="run-2", attempt="attempt-2") == first
    assert [info.key for info in shop.lake.list("") if "attempt-2" in info.key] == []


def test_the_attempt_that_finishes_first_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shard = shop.land(TWO_ROWS)
    finish = shard_output.ShardOutput.finish

    def finish_last(output: shard_output.ShardOutput, quarantine: Any) -> Receipt:
        receipt = finish(output, quarantine)
        monkeypatch.undo()
        shop.convert(shard, attempt="faster")
        return receipt

    monkeypatch.setattr(shard_output.ShardOutput, "finish", finish_last)
    receipt = shop.convert(shard, attempt="slower")
    assert {file.key.split("/")[-2] for file in receipt.files} == {"faster"}


@pytest.mark.parametrize("bucket", ["lake", "quarantine"])
def test_a_receipt_whose_files_have_expired_is_replaced(bucket: str) -> None:
    shop = Shop()
    shard = shop.land(TWO_ROWS + "x,,,\n")
    first = shop.convert(shard)
    lost = first.files[0].key if bucket == "lake" else first.quarantine.key  # type: ignore[union-attr]
    getattr(shop, bucket).delete([lost])
    second = shop.convert(shard, run_id="run-2", attempt="attempt-2")
    assert second.run_id == "run-2"
    assert shop.convert(shard, run_id="run-3", attempt="attempt-3") == second
    assert shop.staged(second).num_rows == 2


def test_a_receipt_whose_files_will_soon_expire_is_replaced() -> None:
    shop = Shop(lake=MemoryObjects("lake", now=lambda: datetime(2017, 6, 7, 2, 59, tzinfo=UTC)))
    shard = shop.land(TWO_ROWS)
    shop.convert(shard)
    assert shop.convert(shard, run_id="run-2", attempt="attempt-2").run_id == "run-2"


def test_a_planned_version_that_is_gone_is_named() -> None:
    shop = Shop()
    shard = shop.land(TWO_ROWS)
    gone = shard.model_copy(update={"object": shard.object.model_copy(update={"version_id": "v0"})})
    with pytest.raises(SourceChangedError, match=r"s3://raw/shop/a was planned in version v0, which is gone"):
        shop.convert(gone)


def test_the_planned_version_is_read_also_after_a_newer_one_landed() -> None:
    shop = Shop()
    shard = shop.land(TWO_ROWS)
    shop.raw.put("shop/a", b"something else")
    assert shop.convert(shard).rows == 2


def test_lost_rows_are_no_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shard = shop.land(TWO_ROWS)
    add = StagedFiles.add

    def lose_one(files: StagedFiles, table: str, day: date, rows: pa.Table) -> None:
        add(files, table, day, rows.slice(1))

    monkeypatch.setattr(StagedFiles, "add", lose_one)
    with pytest.raises(BalanceError, match=r"s3://raw/shop/a from byte 0: .*'records': 3.*'rows': 1"):
        shop.convert(shard)
    assert list(shop.lake.list(f"staging/shop/orders/{shard.fingerprint}/receipt.json")) == []


def test_a_nested_column_is_published_as_athena_reads_it() -> None:
    columns = (*ORDERS.columns, Column(name="lines", type="array<struct<sku:string,n:int>>"))
    shop = json_shop()
    shop.dataset = ORDERS.model_copy(update={"columns": columns})
    line = '{"id": 1, "contact": {}, "lines": [{"sku": "a", "n": 2}, {"sku": "b"}]}'
    receipt = shop.convert(shop.land(line, header=None))
    assert shop.staged(receipt)["lines"].to_pylist() == [[{"sku": "a", "n": 2}, {"sku": "b", "n": None}]]


FIELDS = st.sampled_from(
    ["", "1", "-1", "x", "1.005", "a@x", '"q,@"', '"', "2017-06-12 10:00:00", "2017-02-30 10:00:00"]
)


@given(lines=st.lists(st.lists(FIELDS, max_size=6).map(",".join), max_size=30), by_day=st.booleans())
@settings(deadline=None)
def test_every_record_of_any_text_is_a_row_or_refused_or_named(lines: list[str], by_day: bool) -> None:
    shop = Shop(source=csv_source(partition_by="sold_at" if by_day else "business_date", excess_digits="round"))
    receipt = shop.convert(shop.land("\n".join([",".join(HEADER), *lines])))
    assert receipt.records == receipt.header + receipt.skipped + receipt.rows + receipt.quarantined
    rows = [
        row for name in ("orders", "orders_private") if receipt.rows for row in shop.staged(receipt, name).to_pylist()
    ]
    assert len(rows) == 2 * receipt.rows
    refused = shop.refused(receipt) if receipt.quarantined else []
    assert len(refused) == receipt.quarantined
    kept = {row["_position"] for row in rows}
    assert kept.isdisjoint(row["line"] for row in refused)
