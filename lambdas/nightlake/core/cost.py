"""What a night costs and how long it takes: arithmetic over a dated price file and a measured throughput."""

import json
import math
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from nightlake.core.frozen import Frozen

GB: Final = 10**9
_GIB: Final = 2**30
_PRICED_TB: Final = 2**40
_DAYS_A_MONTH: Final = 365 / 12

# What a Lambda's network card gives, in MB/s, whatever its memory:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CARD_MB_PER_SECOND: Final = 78.0
# How fast a Distributed Map starts STANDARD children; a child is its own start and its one state. The latter is not
# documented, so it is reckoned with two transitions.
CHILD_STARTS_PER_SECOND: Final = 100
CHILD_TRANSITIONS: Final = 2
# Not measured in AWS: what is reckoned with where nothing better is known.
COLD_START_SECONDS: Final = 3.0
TASK_SECONDS: Final = 2.0
ATHENA_STATEMENT_SECONDS: Final = 60.0
ATHENA_LEAST_BYTES: Final = 10 * 10**6
# Parts of the checks across shards that run beside each other: MaxConcurrency of the state CheckAcross.
ACROSS_AT_ONCE: Final = 4
# Requests by which a statement reads one Parquet file, its footer and columns, on the account of who asks.
FILE_GETS: Final = 4
GLUE_GB_PER_DPU_HOUR: Final = 60.0
GLUE_LEAST_DPU_HOURS: Final = 10 / 60
LOG_BYTES_PER_INVOCATION: Final = 2_000
# Requests that one shard makes from Plan to Seal: its bytes and their end, receipts and footers that are looked at;
# the Parquet file, its receipt and its sealed copy.
SHARD_GETS: Final = 8
SHARD_PUTS: Final = 3
NIGHT_GETS: Final = 200
NIGHT_PUTS: Final = 100
RAW_STANDARD_DAYS: Final = 30
KMS_KEYS: Final = 3


class Price(Frozen):
    """One price: `verified` says that its source was read, not remembered."""

    usd: float
    of: str
    as_of: str
    source: str
    verified: bool


class Prices(Frozen):
    """The price file."""

    region: str
    currency: str
    prices: dict[str, Price]

    def usd(self, name: str, quantity: float) -> float:
        """What so much of it costs."""
        return self.prices[name].usd * quantity


@cache
def load_prices() -> Prices:
    """The prices beside this file."""
    return Prices.model_validate(json.loads(Path(__file__).with_name("prices.json").read_text("utf-8")))


class Throughput(Frozen):
    """What one core converts, in MB of source a second, how small its Parquet is, and where that was `measured`.

    `row_bytes` is how long a row of the source is.
    """

    mb_per_second: float
    parquet_ratio: float
    row_bytes: float
    measured: str


class Night(Frozen):
    """What is reckoned: a delivery of `source_bytes` a night, in `objects` objects, cut at `shard_bytes`.

    `sources` are all of the pipeline, `merges` and `reports` its Athena statements of each kind. Keys and relationships
    are checked by `across_queries`, each of which reads `across_share` of the columns. `retention_days` is how long raw
    and published data are kept.
    """

    source_bytes: int
    shard_bytes: int
    objects: int = 1
    sources: int = 1
    merges: int = 0
    reports: int = 0
    across_queries: int = 1
    across_share: float = 1.0
    memory_mb: int = 1769
    concurrency: int = 40
    retention_days: int = 730


class Item(Frozen):
    """One line of the bill: `quantity` of `unit` for so many US dollars; `prices` are those it was reckoned with."""

    name: str
    quantity: float
    unit: str
    usd: float
    prices: tuple[str, ...]


class Estimate(Frozen):
    """The bill of one night, the time it takes by part in seconds, and what the same bytes cost otherwise.

    `conversion_usd` is the bill without Athena's part, which merges, audits and reports.
    `monthly` is what storage of every night's data costs a month once as many nights are kept as ever will be.
    """

    shards: int
    seconds_a_shard: float
    parquet_bytes: int
    items: tuple[Item, ...]
    usd: float
    conversion_usd: float
    wall_seconds: dict[str, float]
    monthly: tuple[Item, ...]
    instead: tuple[Item, ...]


@dataclass
class _Bill:
    prices: Prices
    items: list[Item] = field(default_factory=list)

    def add(self, name: str, quantity: float, unit: str, price: str, *, priced: float | None = None) -> None:
        """A line; `priced` is the quantity in the unit of the price, where that is another one."""
        usd = self.prices.usd(price, quantity if priced is None else priced)
        self.items.append(Item(name=name, quantity=quantity, unit=unit, usd=usd, prices=(price,)))


def estimate(night: Night, speed: Throughput, prices: Prices) -> Estimate:
    """The night, reckoned."""
    shards = max(1, math.ceil(night.source_bytes / night.shard_bytes)) + night.sources - 1
    seconds = min(night.source_bytes, night.shard_bytes) / 1e6 / min(speed.mb_per_second, CARD_MB_PER_SECOND)
    parquet = round(night.source_bytes * speed.parquet_ratio)
    at_once = min(night.concurrency, shards)
    # A merge and its audit read all that was converted, and so do reports.
    readers = 2 * night.merges + night.reports
    tasks = 9 + 3 * night.sources + night.across_queries + readers
    busy = night.source_bytes / 1e6 / min(speed.mb_per_second, CARD_MB_PER_SECOND)
    gb_seconds = (busy + at_once * COLD_START_SECONDS + tasks * TASK_SECONDS) * night.memory_mb / 1024
    scanned = readers * max(parquet, ATHENA_LEAST_BYTES)
    scanned += night.across_queries * max(round(night.across_share * parquet), ATHENA_LEAST_BYTES)
    bill = _Bill(prices)
    bill.add("Lambda, time", gb_seconds, "GB-seconds", "lambda_gb_second")
    bill.add("Lambda, requests", shards + tasks, "requests", "lambda_request")
    bill.add("Step Functions", shards * CHILD_TRANSITIONS + 3 * tasks, "transitions", "transition")
    bill.add("S3, writing", shards * SHARD_PUTS + NIGHT_PUTS, "requests", "s3_put")
    bill.add("S3, reading", shards * SHARD_GETS + NIGHT_GETS, "requests", "s3_get")
    # With bucket keys, S3 asks KMS for each caller and bucket now and then, not for each object.
    bill.add("KMS", 3 * (at_once + tasks), "requests", "kms_request")
    logged = (shards + tasks) * LOG_BYTES_PER_INVOCATION
    bill.add("Logs", logged, "bytes", "logs_gb", priced=logged / _GIB)
    asked = _Bill(prices)
    asked.add("Athena", scanned, "bytes scanned", "athena_tb", priced=scanned / _PRICED_TB)
    asked.add("S3, reading by Athena", shards * FILE_GETS * (night.across_queries + readers), "requests", "s3_get")
    items = (*bill.items, *asked.items)
    return Estimate(
        shards=shards,
        seconds_a_shard=seconds,
        parquet_bytes=parquet,
        items=items,
        usd=sum(item.usd for item in items),
        conversion_usd=sum(item.usd for item in bill.items),
        wall_seconds=_wall(night, shards, seconds),
        monthly=tuple(_kept(night, parquet, prices)),
        instead=tuple(_instead(night, prices)),
    )


def conversion_bill(*, converted: int, gb_seconds: float, prices: Prices) -> tuple[Item, ...]:
    """What the conversion of so many shards came to, by the GB-seconds that they used."""
    bill = _Bill(prices)
    bill.add("Lambda, time", gb_seconds, "GB-seconds", "lambda_gb_second")
    bill.add("Lambda, requests", converted, "requests", "lambda_request")
    bill.add("Step Functions", converted * CHILD_TRANSITIONS, "transitions", "transition")
    bill.add("S3, writing", converted * SHARD_PUTS, "requests", "s3_put")
    bill.add("S3, reading", converted * SHARD_GETS, "requests", "s3_get")
    return tuple(bill.items)


def _wall(night: Night, shards: int, seconds: float) -> dict[str, float]:
    """Children start one after the other, and so many run at once; statements of one kind run beside each other."""
    waves = math.ceil(shards / night.concurrency)
    started = shards / CHILD_STARTS_PER_SECOND
    across = math.ceil(night.across_queries / ACROSS_AT_ONCE)
    in_turn = across + 2 * night.merges + (1 if night.reports else 0)
    parts = {
        "cold start": COLD_START_SECONDS,
        "convert": max(started + seconds, waves * seconds),
        "athena": in_turn * ATHENA_STATEMENT_SECONDS,
        "other tasks": 10 * TASK_SECONDS,
    }
    return parts | {"all": sum(parts.values())}


def _kept(night: Night, parquet: int, prices: Prices) -> list[Item]:
    """A month of storage once every night is kept for as long as it will be."""
    bill = _Bill(prices)
    standard = min(RAW_STANDARD_DAYS, night.retention_days) * night.source_bytes / _GIB
    archived = max(0, night.retention_days - RAW_STANDARD_DAYS) * night.source_bytes / _GIB
    bill.add("S3, raw data of 30 days", standard, "GB", "s3_gb_month")
    bill.add("S3, older raw data in Deep Archive", archived, "GB", "deep_archive_gb_month")
    moved = night.objects * night.sources * _DAYS_A_MONTH
    bill.add("S3, moving to Deep Archive", moved, "objects", "deep_archive_transition")
    published = (1 + night.merges) * night.retention_days * parquet / _GIB
    bill.add("S3, Parquet of datasets and merges", published, "GB", "s3_gb_month")
    bill.add("KMS, keys", KMS_KEYS, "keys", "kms_key_month")
    return bill.items


def _instead(night: Night, prices: Prices) -> list[Item]:
    """The conversion alone by others, which refuse no row, prove nothing and are not audited."""
    bill = _Bill(prices)
    scanned = max(night.source_bytes, ATHENA_LEAST_BYTES)
    bill.add("Athena CTAS over the files", scanned, "bytes scanned", "athena_tb", priced=scanned / _PRICED_TB)
    hours = max(night.source_bytes / GB / GLUE_GB_PER_DPU_HOUR, GLUE_LEAST_DPU_HOURS)
    bill.add("Glue for Spark", hours, "DPU-hours", "glue_dpu_hour")
    return bill.items
