"""Converts the table of `postgres.py` once, as the function would, into files; its secret is in the environment."""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np  # noqa: F401
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
from cli.directory import Directory
from nightlake.adapters.postgres import Postgres
from nightlake.core.convert import convert
from nightlake.core.pipeline import BusinessDate, Column, Dataset, Pipeline, Schedule
from nightlake.core.postgres_login import Address
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.readers.table import read_table
from nightlake.core.shard import Shard, SourceObject, TablePart
from nightlake.core.shard_output import Attempt

from peak import peak_bytes
from postgres import DAY

COLUMNS = {
    "id": "bigint",
    "at": "timestamp",
    "level": "string",
    "service": "string",
    "message": "string",
    "latency": "decimal(10,3)",
    "payload": "string",
    "trace": "string",
    "tags": "array<string>",
}
SOURCE = PostgresSource.model_validate(
    {
        "dataset": "app_logs",
        "from": "postgres",
        "database": "app",
        "table": "public.app_logs",
        "watermark": "at",
        "excess_digits": "round",
    }
)
PIPELINE = Pipeline(
    name="bench",
    version="1",
    schedule=Schedule(),
    business_date=BusinessDate(),
    datasets=(Dataset(name="app_logs", columns=tuple(Column(name=name, type=kind) for name, kind in COLUMNS.items())),),
    sources=(SOURCE,),
    latency_minutes=1,
    retention_days=1,
)


def main() -> None:
    """Convert the whole day as one shard."""
    out = Path(sys.argv[1])
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    part = TablePart(by="time", since=start.isoformat(), until=(start + timedelta(days=1)).isoformat())
    item = SourceObject(key="postgres://app/public.app_logs", version_id="v", etag="e", size=1)
    names = tuple(COLUMNS)
    shard = Shard(
        pipeline="bench",
        dataset="app_logs",
        date=DAY,
        index=0,
        object=item,
        start=0,
        end=1,
        header=names,
        part=part,
        fingerprint="f",
    )
    lake, raw, quarantine = (Directory(name, out / name) for name in ("lake", "raw", "refused"))
    database = Postgres("app", Address(secret_name="app"), lambda _name, **_again: os.environ["NIGHTLAKE_BENCH_SECRET"])  # noqa: S106
    started, cpu = time.perf_counter(), time.process_time()
    receipt = convert(
        shard,
        PIPELINE,
        Attempt("run", "attempt", datetime.now(UTC)),
        raw=raw,
        staging=lake,
        quarantine=quarantine,
        table=lambda each, source, dataset: read_table(each, source, dataset, database=database, lake=lake),
    )
    told = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu, "rows": receipt.rows}
    told["rss_megabytes"] = peak_bytes() / 1e6
    told["parquet_megabytes"] = sum(file.size for file in receipt.files) / 1e6
    print(json.dumps({**told, "refused": receipt.quarantined}))


if __name__ == "__main__":
    main()
