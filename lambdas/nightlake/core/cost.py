"""What a night costs and how long it takes: arithmetic over dated prices and measured throughput."""

from collections.abc import Mapping
from typing import Final

from nightlake.core.calls import TRANSITIONS
from nightlake.core.frozen import Frozen
from nightlake.core.load import Load
from nightlake.core.prices import Bill, Item, Prices
from nightlake.core.shard_bill import SHARD_GETS, SHARD_PUTS
from nightlake.core.wall import COLD_START_SECONDS, TASK_SECONDS, Stage, Work, stages

GB: Final = 10**9
_GIB: Final = 2**30
_PRICED_TB: Final = 2**40
_DAYS_A_MONTH: Final = 365 / 12
_HOURS_A_MONTH: Final = 24 * _DAYS_A_MONTH

ATHENA_LEAST_BYTES: Final = 10 * 10**6
# Requests by which a statement reads one Parquet file, its footer and columns, on the account of who asks.
FILE_GETS: Final = 4
GLUE_GB_PER_DPU_HOUR: Final = 60.0
GLUE_LEAST_DPU_HOURS: Final = 10 / 60
LOG_BYTES_PER_INVOCATION: Final = 2_000
NIGHT_GETS: Final = 200
NIGHT_PUTS: Final = 100
RAW_STANDARD_DAYS: Final = 30
KMS_KEYS: Final = 3
ENDPOINT_ZONES: Final = 2
TRIAL_DATABASE_GB: Final = 20


class Night(Frozen):
    """What is reckoned: the sources, what follows them, and how long raw and published data are kept.

    The checks across sources read `across_share` of the columns.
    """

    loads: tuple[Load, ...]
    work: Work = Work()
    across_share: float = 1.0
    memory_mb: int = 1769
    retention_days: int = 730

    @property
    def source_bytes(self) -> int:
        return sum(load.source_bytes for load in self.loads)

    @property
    def parquet_bytes(self) -> int:
        return sum(load.parquet_bytes for load in self.loads)

    @property
    def shards(self) -> int:
        return sum(load.shards for load in self.loads)

    @property
    def landed_bytes(self) -> int:
        """What lies in the raw bucket: rows of a database do not."""
        return sum(load.source_bytes for load in self.loads if load.kind != "postgres")

    @property
    def has_database(self) -> bool:
        return any(load.kind == "postgres" for load in self.loads)

    @property
    def readers(self) -> int:
        """Statements that read all that was converted: merges, their audits, reports."""
        return 2 * self.work.merges + self.work.reports


class Estimate(Frozen):
    """The bill of one night, its stages, and what the same bytes cost otherwise.

    `conversion_usd` is the bill without Athena's part, which merges, audits and reports. `monthly` is what a month
    costs besides, once as many nights are kept as ever will be. `calls` are state transitions and calls of services.
    """

    shards: int
    parquet_bytes: int
    items: tuple[Item, ...]
    usd: float
    conversion_usd: float
    stages: tuple[Stage, ...]
    wall_seconds: float
    calls: dict[str, int]
    monthly: tuple[Item, ...]
    instead: tuple[Item, ...]


def estimate(night: Night, calls: Mapping[str, int], prices: Prices) -> Estimate:
    """The night, reckoned; `calls` are those of its state machine."""
    converted, asked = _converted(night, calls, prices), _asked(night, prices)
    times = stages(night.loads, night.work)
    return Estimate(
        shards=night.shards,
        parquet_bytes=night.parquet_bytes,
        items=(*converted, *asked),
        usd=sum(item.usd for item in (*converted, *asked)),
        conversion_usd=sum(item.usd for item in converted),
        stages=times,
        wall_seconds=max(stage.ends for stage in times),
        calls={**calls, **requests(night)},
        monthly=tuple(_kept(night, prices)),
        instead=tuple(_instead(night, prices)),
    )


def needed_mb_per_second(load: Load, found: Estimate, limit_seconds: float) -> float | None:
    """How fast a source must be read for the night to stay within its limit; None where nothing is fast enough."""
    own = sum(stage.seconds for stage in found.stages if stage.source == load.dataset and stage.name == "convert")
    own -= COLD_START_SECONDS
    begins = next(stage.begins for stage in found.stages if stage.source)
    sources = max(stage.ends for stage in found.stages if stage.source) - begins
    branch = sum(stage.seconds for stage in found.stages if stage.source == load.dataset)
    left = limit_seconds - (found.wall_seconds - sources) - (branch - own)
    return load.source_bytes / 1e6 / left if left > 0 else None


def requests(night: Night) -> dict[str, int]:
    """Requests to S3 of a night, besides those that Athena makes."""
    return {
        "s3 writing": night.shards * SHARD_PUTS + NIGHT_PUTS,
        "s3 reading": night.shards * SHARD_GETS + NIGHT_GETS,
    }


def _converted(night: Night, calls: Mapping[str, int], prices: Prices) -> list[Item]:
    bill = Bill(prices)
    at_once = sum(load.workers for load in night.loads)
    tasks = calls["lambda"] - night.shards
    busy = sum(load.busy_seconds + load.extract_seconds for load in night.loads)
    gb_seconds = (busy + at_once * COLD_START_SECONDS + tasks * TASK_SECONDS) * night.memory_mb / 1024
    bill.add("Lambda, time", gb_seconds, "GB-seconds", "lambda_gb_second")
    bill.add("Lambda, requests", calls["lambda"], "requests", "lambda_request")
    bill.add("Step Functions", calls[TRANSITIONS], "transitions", "transition")
    made = requests(night)
    bill.add("S3, writing", made["s3 writing"], "requests", "s3_put")
    bill.add("S3, reading", made["s3 reading"], "requests", "s3_get")
    # With bucket keys, S3 asks KMS for each caller and bucket now and then, not for each object.
    bill.add("KMS", 3 * (at_once + tasks), "requests", "kms_request")
    logged = calls["lambda"] * LOG_BYTES_PER_INVOCATION
    bill.add("Logs", logged, "bytes", "logs_gb", priced=logged / _GIB)
    return bill.items


def _asked(night: Night, prices: Prices) -> list[Item]:
    """What Athena takes: merges, their audits and reports read all that was converted."""
    bill = Bill(prices)
    scanned = night.readers * max(night.parquet_bytes, ATHENA_LEAST_BYTES)
    scanned += night.work.across * max(round(night.across_share * night.parquet_bytes), ATHENA_LEAST_BYTES)
    bill.add("Athena", scanned, "bytes scanned", "athena_tb", priced=scanned / _PRICED_TB)
    reads = night.shards * FILE_GETS * (night.work.across + night.readers)
    bill.add("S3, reading by Athena", reads, "requests", "s3_get")
    return bill.items


def _kept(night: Night, prices: Prices) -> list[Item]:
    """A month of what is there, once every night is kept for as long as it will be."""
    bill = Bill(prices)
    standard = min(RAW_STANDARD_DAYS, night.retention_days) * night.landed_bytes / _GIB
    archived = max(0, night.retention_days - RAW_STANDARD_DAYS) * night.landed_bytes / _GIB
    bill.add("S3, raw data of 30 days", standard, "GB", "s3_gb_month")
    bill.add("S3, older raw data in Deep Archive", archived, "GB", "deep_archive_gb_month")
    landed = sum(1 for load in night.loads if load.kind != "postgres")
    bill.add("S3, moving to Deep Archive", landed * _DAYS_A_MONTH, "objects", "deep_archive_transition")
    published = (1 + night.work.merges) * night.retention_days * night.parquet_bytes / _GIB
    bill.add("S3, Parquet of datasets and merges", published, "GB", "s3_gb_month")
    bill.add("KMS, keys", KMS_KEYS, "keys", "kms_key_month")
    if night.has_database:
        hours = ENDPOINT_ZONES * _HOURS_A_MONTH
        bill.add("Endpoint of Secrets Manager, two zones", hours, "hours", "endpoint_hour")
        bill.add("Trial database, where a stage has one", _HOURS_A_MONTH, "hours", "rds_micro_hour")
        bill.add("Its disk", TRIAL_DATABASE_GB, "GB", "rds_gb_month")
    return bill.items


def _instead(night: Night, prices: Prices) -> list[Item]:
    """The conversion alone by others, which refuse no row, prove nothing and are not audited."""
    bill = Bill(prices)
    if night.landed_bytes:
        scanned = max(night.landed_bytes, ATHENA_LEAST_BYTES)
        bill.add("Athena CTAS over the files", scanned, "bytes scanned", "athena_tb", priced=scanned / _PRICED_TB)
    if night.has_database:
        table = (night.source_bytes - night.landed_bytes) / _GIB
        bill.add("Export of a snapshot of the table alone", table, "GB", "rds_export_gb")
        bill.add("NAT gateway, for the table's bytes", table, "GB", "nat_gb")
    hours = max(night.source_bytes / GB / GLUE_GB_PER_DPU_HOUR, GLUE_LEAST_DPU_HOURS)
    bill.add("Glue for Spark", hours, "DPU-hours", "glue_dpu_hour")
    return bill.items
