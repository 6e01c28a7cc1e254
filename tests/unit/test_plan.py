"""Plan waits for a day, cuts it, refuses by name what no reader could take, and reuses what was converted."""

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_objects import MemoryObjects, MeteredObjects
from moto import mock_aws
from nightlake.core import layout
from nightlake.core.errors import (
    CompressedObjectError,
    EncodingError,
    HeaderMismatchError,
    JsonSyntaxError,
    JsonTruncatedError,
    ParquetUnreadableError,
    SourceNotReadyError,
)
from nightlake.core.pipeline import Pipeline
from nightlake.core.plan import Planned, Request, plan
from nightlake.core.shard import Plan, Receipt, Shard, StagedFile
from nightlake.core.source import JsonLinesSource, ParquetSource, S3Source
from nightlake.handlers.plan import handler

DAY = date(2017, 6, 12)
NOW = datetime(2017, 6, 13, 3, tzinfo=UTC)
HEADER = (
    "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,week,"
    "transaction_timestamp\n"
)
ROW = "1,2,3,4,5,1.00,0,0,0,24,2017-06-12 00:03:41\n"
PRODUCTS = "sales/products/2017/06/12/a.json"
SALES = "sales/transactions/2017/06/12/a.csv"


@dataclass
class Night:
    """`night(dataset)` plans that source of the sales; fields of the request and of the source by name."""

    pipeline: Pipeline
    now: datetime = NOW
    raw: MemoryObjects = field(default_factory=lambda: MemoryObjects("raw"))
    lake: MemoryObjects = field(default_factory=lambda: MemoryObjects("lake"))

    def __post_init__(self) -> None:
        for store in (self.raw, self.lake):
            store._now = lambda: self.now

    def __call__(self, dataset: str, *, code_version: str = "1", run_id: str = "r1", **request: Any) -> Planned:
        asked = Request(
            **{
                "pipeline": "sales",
                "dataset": dataset,
                "date": DAY,
                "run_id": run_id,
                "attempt": 1,
                "scheduled_at": "2017-06-13T03:00:00Z",
                "previous": None,
                **request,
            }
        )
        return plan(
            asked, self.pipeline, raw=self.raw, lake=self.lake, code_version=code_version, now=self.now, workers=1
        )

    def source(self, dataset: str, **changes: Any) -> None:
        """Let the source say something else."""
        self.pipeline = self.pipeline.model_copy(
            update={
                "sources": tuple(
                    source.model_copy(update=changes) if source.dataset == dataset else source
                    for source in self.pipeline.sources
                )
            }
        )

    def format(self, dataset: str, kind: type[JsonLinesSource | ParquetSource], **fields: Any) -> None:
        """Let the source be of another format, else as it is."""
        (old,) = (source for source in self.pipeline.sources if source.dataset == dataset)
        kept = {name: getattr(old, name) for name in S3Source.model_fields if name != "from_"}
        others = tuple(source for source in self.pipeline.sources if source.dataset != dataset)
        source = kind.model_validate({**kept, "from": "s3", "columns": {}, **fields})
        self.pipeline = self.pipeline.model_copy(update={"sources": (*others, source)})

    def shards(self, planned: Planned) -> list[Shard]:
        """The lines of the shard file."""
        assert planned.shard_file is not None
        return [Shard.model_validate_json(line) for line in self.lake.get(planned.shard_file).splitlines()]

    def convert(self, shard: Shard) -> StagedFile:
        """What Convert leaves behind: a file and a receipt."""
        key = layout.staged("sales", shard.dataset, shard.fingerprint) + "1.parquet"
        etag = self.lake.put(key, b"rows")
        staged = StagedFile(table=shard.dataset, day=DAY, key=key, etag=etag, size=4, rows=1)
        receipt = Receipt(
            shard=shard, run_id="r1", records=1, header=0, skipped=0, rows=1, quarantined=0, files=(staged,)
        )
        self.lake.put_model(layout.receipt("sales", shard.dataset, shard.fingerprint), receipt, if_none_match=True)
        return staged


@pytest.fixture
def night(sales: Pipeline) -> Night:
    return Night(sales)


def test_a_file_is_cut_into_shards_that_cover_it_and_carry_its_header(night: Night) -> None:
    body = (HEADER + ROW * 6000).encode()
    night.source("transactions", shard_bytes=100_000, min_shards=1)
    night.raw.put(SALES, body)
    night.raw.put(SALES.replace("a.csv", "b.csv"), HEADER.encode())
    planned = night("transactions")
    shards = night.shards(planned)
    assert (planned.ready, planned.changed, planned.shards, planned.total, planned.reused) == (True, True, 4, 4, 0)
    assert [(shard.index, shard.start, shard.end, shard.exact) for shard in shards] == [
        (0, 0, 100_000, True),
        (1, 100_000, 200_000, False),
        (2, 200_000, len(body), False),
        (3, 0, len(HEADER), True),
    ]
    assert {shard.header for shard in shards} == {tuple(HEADER.strip().split(","))}
    assert len({shard.fingerprint for shard in shards}) == 4
    assert planned.plan is not None
    whole = night.lake.get_model(planned.plan, Plan)
    assert (whole.shards, whole.delivery, len(whole.objects)) == (tuple(shards), planned.delivery, 2)


@pytest.mark.parametrize(("rows", "ends"), [(100, [100]), (124, [124]), (125, [100, 125]), (224, [100, 224])])
def test_a_small_rest_goes_to_the_shard_before_it(night: Night, rows: int, ends: list[int]) -> None:
    night.source("customers", header=False, shard_bytes=100_000)
    night.raw.put("sales/customers/2017/06/12/a.csv", b"x" * (rows * 1_000))
    assert [shard.end // 1_000 for shard in night.shards(night("customers"))] == ends


def test_json_lines_are_cut_like_delimited_text(night: Night) -> None:
    night.format("products", JsonLinesSource, format="jsonl", shard_bytes=100_000)
    night.raw.put(PRODUCTS, b'{"product_id": 1}\n' * 10_000)
    shards = night.shards(night("products"))
    assert [(shard.start, shard.end, shard.header) for shard in shards] == [
        (0, 100_000, None),
        (100_000, 180_000, None),
    ]


@pytest.mark.parametrize("footer_lines", [0, 3])
def test_of_a_large_object_only_its_ends_are_read(night: Night, footer_lines: int) -> None:
    night.raw = MeteredObjects("raw", now=lambda: NOW)
    night.source("transactions", shard_bytes=1 << 20, footer_lines=footer_lines)
    night.raw.put(SALES, (HEADER + ROW * 200_000).encode())
    shards = night.shards(night("transactions"))
    assert len(shards) > 5
    assert {shard.footer for shard in shards} == {footer_lines * len(ROW)}
    assert night.raw.fetched <= (1 << 20) + (64 << 10)


def test_no_cut_falls_into_what_stands_before_the_rows(night: Night) -> None:
    night.source("transactions", shard_bytes=100_000, skip_lines=1)
    night.raw.put(SALES, ("-" * 150_000 + "\n" + HEADER + ROW * 6000).encode())
    assert night.shards(night("transactions"))[1].start == 200_000


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lambda text: pa.compress(text, codec="zstd")])
def test_a_compressed_object_is_one_shard_with_the_header_of_its_text(night: Night, pack: Any) -> None:
    night.source("transactions", shard_bytes=100_000)
    body = bytes(pack((HEADER + "".join(f"{ROW[:-1]}{number}\n" for number in range(300_000))).encode()))
    night.raw.put(SALES, body)
    (shard,) = night.shards(night("transactions"))
    assert (shard.start, shard.end, shard.exact) == (0, len(body), True)
    assert shard.codec is not None
    assert shard.header == tuple(HEADER.strip().split(","))


def test_text_in_utf_16_is_one_shard(night: Night) -> None:
    night.source("transactions", shard_bytes=100_000, encoding="utf-16")
    night.raw.put(SALES, (HEADER + ROW * 6000).encode("utf-16"))
    (shard,) = night.shards(night("transactions"))
    assert shard.header == tuple(HEADER.strip().split(","))


@pytest.mark.parametrize(
    ("size", "shards"), [(1 << 20, [1 << 18] * 4), (100_000, [65_536, 34_464]), (65_000, [65_000])]
)
def test_a_small_file_is_cut_into_as_many_shards_as_are_asked_for_and_worth_it(
    night: Night, size: int, shards: list[int]
) -> None:
    night.source("transactions", min_shards=4)
    night.raw.put(SALES, (HEADER + ROW * ((size - len(HEADER)) // len(ROW))).encode().ljust(size, b"\n"))
    found = night.shards(night("transactions"))
    assert [shard.end - shard.start for shard in found] == shards


def test_a_rerun_converts_only_what_has_no_receipt(night: Night) -> None:
    night.source("transactions", shard_bytes=100_000, min_shards=1)
    night.raw.put(SALES, (HEADER + ROW * 6000).encode())
    shards = night.shards(night("transactions"))
    night.convert(shards[0])
    again = night("transactions", run_id="r2")
    assert (again.total, again.reused, again.shards) == (3, 1, 2)
    assert night.shards(again) == shards[1:]
    for shard in shards[1:]:
        night.convert(shard)
    last = night("transactions", run_id="r3")
    assert (last.shards, last.reused, last.shard_file) == (0, 3, None)


@pytest.mark.parametrize("loss", ["deleted", "replaced", "old"])
def test_a_receipt_without_lasting_files_is_removed_so_that_a_new_one_can_be_written(night: Night, loss: str) -> None:
    night.raw.put(SALES, (HEADER + ROW).encode())
    (shard,) = night.shards(night("transactions"))
    staged = night.convert(shard)
    if loss == "deleted":
        night.lake.delete([staged.key])
    elif loss == "replaced":
        night.lake.put(staged.key, b"other")
    else:
        night.now += timedelta(days=6)
    again = night("transactions", run_id="r2", scheduled_at=None)
    assert (again.reused, again.shards) == (0, 1)
    night.convert(shard)


def test_other_bytes_another_contract_or_other_code_is_other_work(night: Night) -> None:
    night.raw.put(SALES, (HEADER + ROW).encode())
    first = night("transactions")
    night.convert(night.shards(first)[0])
    assert night("transactions", code_version="2").reused == 0
    night.raw.put(SALES, (HEADER + ROW + ROW).encode())
    second = night("transactions")
    assert (second.reused, second.delivery == first.delivery) == (0, False)


def test_a_retry_with_nothing_new_has_nothing_to_do(night: Night) -> None:
    night.raw.put(SALES, (HEADER + ROW).encode())
    first = night("transactions")
    again = night("transactions", attempt=2, previous=first.delivery)
    assert again == Planned(ready=True, delivery=first.delivery)
    night.raw.put(SALES, (HEADER + ROW).encode())
    assert night("transactions", attempt=2, previous=first.delivery).changed


def test_the_night_waits_until_its_deadline_and_a_person_does_not(night: Night) -> None:
    assert night("products") == Planned(wait_seconds=300)
    night.now = NOW + timedelta(minutes=119, seconds=50, milliseconds=1)
    assert night("products") == Planned(wait_seconds=10)
    night.now = NOW + timedelta(minutes=120)
    expected = (
        r"products of 2017-06-12 is not complete: sales/products/2017/06/12/\*\.json matches 0 objects, "
        r"missing: 1 more of 1 objects \(waited until 2017-06-13T05:00:00Z\)"
    )
    with pytest.raises(SourceNotReadyError, match=expected):
        night("products")
    with pytest.raises(SourceNotReadyError, match="a run for a named date does not wait"):
        night("products", scheduled_at=None)


def test_a_short_deadline_is_looked_at_more_often(night: Night) -> None:
    (ready,) = (source.ready for source in night.pipeline.sources if source.dataset == "products")
    for minutes, wait in ((10, 25), (1, 5)):
        night.source("products", ready=ready.model_copy(update={"deadline_minutes": minutes}))
        assert night("products").wait_seconds == wait


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER.replace("store_id,", ""), "'store_id' is missing"),
        (HEADER.replace("store_id", "Store_ID"), "'store_id' is missing"),
        (HEADER.replace("week", "store_id"), "'store_id' is there twice"),
        ("extra," + HEADER, "'extra' is not declared"),
        ("", "has no header"),
        ("\n\n", "has no header"),
    ],
)
def test_a_wrong_header_is_told_with_column_and_object(night: Night, header: str, told: str) -> None:
    night.raw.put(SALES, header.encode())
    with pytest.raises(HeaderMismatchError, match=f"{SALES}.*{told}"):
        night("transactions")


def test_undeclared_columns_may_be_left_out(night: Night) -> None:
    night.source("transactions", on_drift="ignore")
    night.raw.put(SALES, ("extra," + HEADER).encode())
    (shard,) = night.shards(night("transactions"))
    assert shard.header is not None
    assert shard.header[0] == "extra"


def test_without_a_header_the_columns_stand_in_the_order_of_the_contract(night: Night) -> None:
    night.source("customers", header=False)
    night.raw.put("sales/customers/2017/06/12/a.csv", b"1\n")
    (shard,) = night.shards(night("customers"))
    assert shard.header is not None
    assert shard.header[:2] == ("household_id", "age")


@pytest.mark.parametrize(
    ("key", "body", "error", "told"),
    [
        (SALES, lzma.compress(b"a"), CompressedObjectError, "xz"),
        (PRODUCTS, lzma.compress(b"a"), CompressedObjectError, "xz"),
        (SALES, HEADER.encode("utf-16"), EncodingError, "is written in utf-16, not utf-8"),
        (SALES, b"household_id,\xe9\n", EncodingError, "does not begin with text in utf-8"),
        (PRODUCTS, b'[{"product_id": 1}, {"prod', JsonTruncatedError, "does not end with"),
        (PRODUCTS, b'{"product_id": 1}', JsonSyntaxError, "declare jsonl"),
    ],
)
def test_what_no_reader_could_take_is_refused_by_name(
    night: Night, key: str, body: bytes, error: type[Exception], told: str
) -> None:
    night.raw.put(key, body)
    with pytest.raises(error, match=f"{key}.*{told}"):
        night(key.split("/")[1])
    assert list(night.lake.list("")) == []


def test_a_mark_of_another_encoding_is_no_text_of_the_first_field(night: Night) -> None:
    night.source("customers", header=False, encoding="cp1252")
    night.raw.put("sales/customers/2017/06/12/a.csv", "1,größer\n".encode("utf-8-sig"))
    with pytest.raises(EncodingError, match="is written in utf-8, not cp1252; deliver it so, or declare utf-8"):
        night("customers")


def test_a_json_array_is_one_shard_that_only_its_reader_counts(night: Night) -> None:
    night.raw.put(PRODUCTS, b"[]\n")
    (shard,) = night.shards(night("products"))
    assert (shard.start, shard.end, shard.records, shard.header) == (0, 3, None, None)


def test_parquet_is_one_shard_counted_by_its_footer(night: Night) -> None:
    night.format("products", ParquetSource, format="parquet")
    dataset = next(dataset for dataset in night.pipeline.datasets if dataset.name == "products")
    columns = {column.name: ["1", "2"] for column in dataset.columns}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    night.raw.put(PRODUCTS, sink.getvalue())
    (shard,) = night.shards(night("products"))
    assert (shard.end, shard.records) == (len(sink.getvalue()), 2)
    night.raw.put(PRODUCTS, sink.getvalue()[:-1])
    with pytest.raises(ParquetUnreadableError, match=PRODUCTS):
        night("products")


def test_an_empty_object_of_lines_has_no_shard(night: Night) -> None:
    night.source("customers", header=False)
    night.raw.put("sales/customers/2017/06/12/a.csv", b"")
    planned = night("customers")
    assert (planned.ready, planned.changed, planned.total, planned.shard_file) == (True, True, 0, None)


def test_the_task_plans_what_lies_in_the_buckets(
    environment: Callable[..., None], lambda_context: Any, log: Callable[[], list[dict[str, Any]]]
) -> None:
    environment(RAW_BUCKET="raw", LAKE_BUCKET="lake", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    event = {
        "pipeline": "sales",
        "dataset": "transactions",
        "date": "2017-06-12",
        "run_id": "r1",
        "attempt": 1,
        "scheduled_at": None,
        "previous": None,
    }
    with mock_aws():
        s3 = boto3.client("s3", region_name="eu-west-1")
        for bucket in ("raw", "lake"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="raw", Key=SALES, Body=(HEADER + ROW * 6000).encode())
        result = handler(event, lambda_context)
        lines = s3.get_object(Bucket="lake", Key=result["shard_file"])["Body"].read().splitlines()
    assert (result["ready"], result["shards"], len(lines)) == (True, 4, 4)
    assert json.loads(lines[0])["object"]["key"] == SALES
    assert log()[-1]["message"] == "Source planned"
