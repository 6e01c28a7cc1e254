"""A small shop to convert: one pipeline, buckets in memory, and shards of what lands there."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from memory_objects import MemoryObjects
from nightlake.core.convert import convert
from nightlake.core.pipeline import Column, Dataset, Pipeline, Rule, ValidValues
from nightlake.core.shard import Receipt, Shard, SourceObject
from nightlake.core.shard_output import Attempt
from nightlake.core.source import AnyS3Source, CsvSource, Ready
from small_pipeline import small_pipeline

DAY = date(2017, 6, 12)
HEADER = ("id", "email", "amount", "sold_at")
ORDERS = Dataset(
    name="orders",
    columns=(
        Column(name="id", type="bigint", required=True),
        Column(name="email", type="string", private=True),
        Column(name="amount", type="decimal(8,2)"),
        Column(name="sold_at", type="timestamp"),
    ),
    primary_key=("id",),
    rules=(
        Rule(id="orders.id.required", metric="nullValues", severity="quarantine", columns=("id",)),
        Rule(
            id="orders.amount.minimum",
            metric="invalidValues",
            severity="quarantine",
            columns=("amount",),
            valid=ValidValues(minimum="0"),
        ),
        Rule(
            id="orders.email.pattern",
            metric="invalidValues",
            severity="quarantine",
            columns=("email",),
            valid=ValidValues(pattern="@"),
        ),
        Rule(id="orders.amount.known", metric="nullValues", severity="warn", columns=("amount",)),
        Rule(id="orders.rows", metric="rowCount", severity="fail", operator="mustBeGreaterThan"),
    ),
)


def csv_source(**options: Any) -> CsvSource:
    """Orders as CSV."""
    path = "shop/{date:%Y/%m/%d}/*.csv"
    return CsvSource(**{"from": "s3"}, dataset="orders", format="csv", path=path, ready=Ready(files=1), **options)


@dataclass
class Shop:
    """The buckets of one pipeline with one source."""

    source: AnyS3Source = field(default_factory=csv_source)
    dataset: Dataset = ORDERS
    raw: MemoryObjects = field(default_factory=lambda: MemoryObjects("raw"))
    lake: MemoryObjects = field(default_factory=lambda: MemoryObjects("lake"))
    quarantine: MemoryObjects = field(default_factory=lambda: MemoryObjects("quarantine"))

    @property
    def pipeline(self) -> Pipeline:
        """The compiled pipeline."""
        return small_pipeline("shop", [self.dataset], [self.source])

    def land(self, body: str | bytes, *, key: str = "shop/a", header: Sequence[str] | None = HEADER) -> Shard:
        """Put an object into the raw bucket; one shard is all of it."""
        content = body.encode() if isinstance(body, str) else body
        self.raw.put(key, content)
        info = self.raw.head(key)
        assert info is not None
        return Shard(
            pipeline="shop",
            dataset=self.dataset.name,
            date=DAY,
            index=0,
            object=SourceObject(key=key, version_id=info.version_id, etag=info.etag, size=info.size),
            start=0,
            end=info.size,
            header=None if header is None else tuple(header),
            fingerprint=info.etag,
        )

    def convert(self, shard: Shard, *, run_id: str = "run-1", attempt: str = "attempt-1") -> Receipt:
        """Convert it, at a fixed time."""
        return convert(
            shard,
            self.pipeline,
            Attempt(run_id, attempt, datetime(2017, 6, 13, 3, 0, 0, 123456, tzinfo=UTC)),
            raw=self.raw,
            staging=self.lake,
            quarantine=self.quarantine,
        )

    def staged(self, receipt: Receipt, table: str = "orders") -> pa.Table:
        """The rows that the receipt's files of a table hold."""
        files = [self.lake.get(file.key) for file in receipt.files if file.table == table]
        return pa.concat_tables([pq.read_table(io.BytesIO(file)) for file in files])

    def refused(self, receipt: Receipt) -> list[dict[str, Any]]:
        """The refused rows that the receipt's quarantine file holds."""
        assert receipt.quarantine is not None
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(self.quarantine.get(receipt.quarantine.key))).to_pylist()
        return rows
