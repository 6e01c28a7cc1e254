"""Reading 1 GB of Parquet: the local Athena beside plain DuckDB on the same S3, in pairs.

    .venv/bin/python benchmarks/athena_scan.py [--gigabytes 1] [--pairs 5]

It starts a local AWS of its own, writes a table, and runs each query by both in turn, so that a slow moment of the
machine slows both. It prints one JSON object: seconds of each run, the median of the pairs' ratios, and the peak
memory of the server.
"""

import argparse
import io
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
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
FILES = 8
ROW_BYTES = 8 + 8 + 9
QUERIES = {
    "aggregate": "SELECT count(*), sum(a), max(b), min(c) FROM {table}",
    "group": "SELECT c, count(*), sum(a) FROM {table} GROUP BY c ORDER BY 2 DESC, 1 LIMIT 10",
    "filter": "SELECT count(*) FROM {table} WHERE b > 0.999 AND c LIKE '9%'",
}


def write(cloud: aws.Endpoint, size: int) -> int:
    """Write the table's files and register it; gives their bytes."""
    s3, glue = cloud.client("s3"), cloud.client("glue")
    s3.create_bucket(Bucket=BUCKET)
    rows, written = size // FILES // ROW_BYTES, 0
    for number in range(FILES):
        random = np.random.default_rng(number)
        texts = pa.array(random.integers(0, 100_000, rows)).cast(pa.string())
        table = pa.table({"a": random.integers(0, 2**62, rows) // 2**30, "b": random.random(rows), "c": texts})
        body = io.BytesIO()
        pq.write_table(table, body, compression="none", use_dictionary=False)
        s3.put_object(Bucket=BUCKET, Key=f"scan/{number}.parquet", Body=body.getvalue())
        written += body.tell()
    parquet = "org.apache.hadoop.hive.ql.io.parquet"
    glue.create_database(DatabaseInput={"Name": "benchmark"})
    storage = {
        "Columns": [{"Name": "a", "Type": "bigint"}, {"Name": "b", "Type": "double"}, {"Name": "c", "Type": "string"}],
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
        with duckdb.connect() as connection:
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


def timed(run: Callable[[str], None], query: str) -> float:
    started = time.perf_counter()
    run(query)
    return time.perf_counter() - started


def watch(pid: int, seen: dict[str, int], done: threading.Event) -> None:
    while not done.wait(0.05):
        seen["peak"] = max(seen["peak"], psutil.Process(pid).memory_info().rss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cloud = aws.start(Path(folder), port=0, detached=False)
        seen, done = {"peak": 0}, threading.Event()
        try:
            report: dict[str, Any] = {"bytes": write(cloud, int(asked.gigabytes * 1e9)), "queries": {}}
            threading.Thread(target=watch, args=(cloud.pid, seen, done), daemon=True).start()
            for name, query in QUERIES.items():
                pairs = [(timed(ours(cloud), query), timed(plain(cloud), query)) for _ in range(asked.pairs)]
                report["queries"][name] = {
                    "athena_seconds": [round(one, 2) for one, _ in pairs],
                    "duckdb_seconds": [round(other, 2) for _, other in pairs],
                    "ratio": round(statistics.median(one / other for one, other in pairs), 2),
                }
            report["server_peak_bytes"] = seen["peak"]
        finally:
            done.set()
            aws.stop(Path(folder))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
