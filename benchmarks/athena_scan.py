"""Reading 1 GB of Parquet: the local Athena beside plain DuckDB on the same S3, in pairs.

    .venv/bin/python benchmarks/athena_scan.py [--gigabytes 1] [--pairs 5] [--json]

It starts a local AWS of its own, writes a table, and runs each query by both in turn, so that a slow moment of the
machine slows both. It prints the median seconds of each, the median, least and greatest of the pairs' ratios, and the
peak memory of the server, which holds the local S3 and the local Athena; `--json` adds every run's seconds.
"""

import argparse
import io
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from local import aws
from local.athena.engine import httpfs_extension

BUCKET = "benchmark"
MONEY = pa.decimal128(12, 2)
FILES = 8
ROW_BYTES = 8 + 8 + 9 + 6 + 6
AT_ONCE = 8
COLUMNS = {"a": "bigint", "b": "double", "c": "string", "price": "decimal(12,2)", "quantity": "decimal(12,2)"}
QUERIES = {
    "aggregate": "SELECT count(*), sum(a), max(b), min(c) FROM {table}",
    "group": "SELECT c, count(*), sum(a) FROM {table} GROUP BY c ORDER BY 2 DESC, 1 LIMIT 10",
    "filter": "SELECT count(*) FROM {table} WHERE b > 0.999 AND c LIKE '9%'",
    "money": "SELECT c, sum(price * quantity * 0.9) FROM {table} GROUP BY c ORDER BY 2 DESC, 1 LIMIT 10",
    "one row": "SELECT 1",
    "8 at once": "SELECT count(*), sum(a) FROM {table}",
}


def write(cloud: aws.Endpoint, size: int) -> int:
    """Write the table's files and register it; gives their bytes."""
    s3, glue = cloud.client("s3"), cloud.client("glue")
    s3.create_bucket(Bucket=BUCKET)
    rows, written = size // FILES // ROW_BYTES, 0
    for number in range(FILES):
        random = np.random.default_rng(number)
        texts = pa.array(random.integers(0, 100_000, rows)).cast(pa.string())
        price, quantity = (pa.array(random.integers(0, most, rows, np.int32)).cast(MONEY) for most in (10**5, 10**3))
        columns = {"a": random.integers(0, 2**62, rows) // 2**30, "b": random.random(rows), "c": texts}
        table = pa.table({**columns, "price": price, "quantity": quantity})
        body = io.BytesIO()
        pq.write_table(table, body, compression="none", use_dictionary=False)
        s3.put_object(Bucket=BUCKET, Key=f"scan/{number}.parquet", Body=body.getvalue())
        written += body.tell()
    parquet = "org.apache.hadoop.hive.ql.io.parquet"
    glue.create_database(DatabaseInput={"Name": "benchmark"})
    storage = {
        "Columns": [{"Name": name, "Type": kind} for name, kind in COLUMNS.items()],
        "Location": f"s3://{BUCKET}/scan/",
        "InputFormat": f"{parquet}.MapredParquetInputFormat",
        "OutputFormat": f"{parquet}.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": f"{parquet}.serde.ParquetHiveSerDe"},
    }
    table_input = {"Name": "scan", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage}
    glue.create_table(DatabaseName="benchmark", TableInput=table_input)
    return written


def plain(cloud: aws.Endpoint) -> Callable[[str], None]:
    """Runs a query by DuckDB alone, each time on a new connection, as the engine does."""

    def run(query: str) -> None:
        with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as connection:
            connection.execute(f"LOAD '{httpfs_extension()}'")
            address = cloud.url.partition("://")[2]
            connection.execute(
                "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', "
                f"ENDPOINT '{address}', URL_STYLE 'path', USE_SSL false)"
            )
            connection.execute(query.format(table=f"read_parquet('s3://{BUCKET}/scan/*.parquet')")).fetchall()

    return run


def ours(cloud: aws.Endpoint) -> Callable[[str], None]:
    """Runs a query by the Athena API, from its start to the first page of its result."""
    athena = cloud.client("athena")

    def run(query: str) -> None:
        identifier = athena.start_query_execution(
            QueryString=query.format(table="scan"),
            QueryExecutionContext={"Database": "benchmark"},
            ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
        )["QueryExecutionId"]
        while True:
            status = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                break
            if status["State"] in {"FAILED", "CANCELLED"}:
                raise RuntimeError(status["StateChangeReason"])
            time.sleep(0.02)
        athena.get_query_results(QueryExecutionId=identifier)

    return run


def timed(run: Callable[[str], None], query: str, times: int) -> float:
    """Seconds until a query has run so many times at once."""
    started = time.perf_counter()
    with ThreadPoolExecutor(times) as threads:
        list(threads.map(run, [query] * times))
    return time.perf_counter() - started


def show(report: dict[str, Any]) -> None:
    print(f"{report['bytes'] / 1e9:.2f} GB of Parquet    median seconds: Athena   DuckDB   ratio (least to greatest)")
    for name, found in report["queries"].items():
        athena, plain = (statistics.median(found[key]) for key in ("athena_seconds", "duckdb_seconds"))
        spread = f"({min(found['ratios']):.2f} to {max(found['ratios']):.2f})"
        print(f"  {name:<34}{athena:>10.2f}{plain:>9.2f}{statistics.median(found['ratios']):>8.2f} {spread}")
    print(f"  greatest memory of the server: {report['server_peak_bytes'] / 1e9:.2f} GB")


def watch(pid: int, seen: dict[str, int], done: threading.Event) -> None:
    while not done.wait(0.05):
        seen["peak"] = max(seen["peak"], psutil.Process(pid).memory_info().rss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cloud = aws.start(Path(folder), port=0, detached=False)
        seen, done = {"peak": 0}, threading.Event()
        try:
            report: dict[str, Any] = {"bytes": write(cloud, int(asked.gigabytes * 1e9)), "queries": {}}
            threading.Thread(target=watch, args=(cloud.pid, seen, done), daemon=True).start()
            for name, query in QUERIES.items():
                times = AT_ONCE if name == "8 at once" else 1
                pairs = [
                    (timed(ours(cloud), query, times), timed(plain(cloud), query, times)) for _ in range(asked.pairs)
                ]
                report["queries"][name] = {
                    "athena_seconds": [round(one, 3) for one, _ in pairs],
                    "duckdb_seconds": [round(other, 3) for _, other in pairs],
                    "ratios": [round(one / other, 3) for one, other in pairs],
                }
            report["server_peak_bytes"] = seen["peak"]
        finally:
            done.set()
            aws.stop(Path(folder))
    print(json.dumps(report, indent=2)) if asked.json else show(report)


if __name__ == "__main__":
    main()
