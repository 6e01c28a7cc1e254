"""Questions to the API's reader beside a warm DuckDB: the same questions, files and S3, in pairs; and their requests.

    .venv/bin/python benchmarks/api.py [--rows 10000000] [--rounds 5] [--load-seconds 60] [--json] [--write]

It starts a local AWS of its own and publishes a table of one file a day. Both readers are warm in the same sense: each
has been asked every question once, untimed; then they are asked in turn, round by round, and what counts is the median
of the pairs' ratios. Both work as one worker: ours in one process whose threads only wait for S3, DuckDB on one thread.
Both keep what they have read, ours at most 128 MiB of it; DuckDB also keeps metadata, is told the names of the files
and, where the question says it, which of them are of the day, and never asks S3 whether they have changed. We ask S3
for HEAD each time. `requests` are the GETs of a worker that has read the snapshot but none of these files.

Then fifty clients ask the real function for a minute (`api_load.py`).
"""

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from local import aws
from local.athena.engine import httpfs_extension
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.api import aggregate, row_key, rows
from nightlake.core.api.file_list import write_file_list
from nightlake.core.api.kept import Kept
from nightlake.core.api.key_index import build_index
from nightlake.core.api.published import Published
from nightlake.core.api.result import body
from nightlake.core.history import advanced, move_head
from nightlake.core.parquet_file import write_parquet
from nightlake.core.pipeline import Column
from nightlake.core.snapshot import Partition, PartitionManifest, PublishedFile, PublishedTable, Snapshot
from nightlake.core.table import RUN_COLUMNS

import api_load

DOCS = Path(__file__).resolve().parent.parent / "docs"
BUCKET, PIPELINE, TABLE, RUN = "benchmark-api", "bench", "sales", "20261121T030000Z-00000001"
FIRST = date(2025, 1, 1)
COLUMNS = (
    Column(name="sale_id", type="bigint"),
    Column(name="basket_id", type="bigint"),
    Column(name="product_id", type="bigint"),
    Column(name="customer_id", type="bigint"),
    Column(name="store_id", type="int"),
    Column(name="quantity", type="int"),
    Column(name="sales_value", type="decimal(12,2)"),
    Column(name="discount", type="decimal(12,2)"),
    Column(name="website", type="string"),
    Column(name="sold_at", type="timestamp"),
    *RUN_COLUMNS,
)
Parameters = dict[str, list[str]]
Asked = tuple[str, Parameters, str]
"""A path, its parameters, and the same in SQL."""
CLIENTS = 50
VVNL = "website='VVNL'"
MONTH = "date_trunc('month', sold_at)"
MEASURES = "count(*), sum(sales_value)"
QUESTIONS = 3
"""How many there are of each kind."""


class Counted(Objects):
    """Counts the GETs."""

    gets = 0

    def read(self, key: str, version_id: str | None = None) -> Any:
        self.gets += 1
        return super().read(key, version_id)

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        self.gets += 1
        return super().stream(key, start, end, version_id)


def day_of(place: int, count: int) -> pa.Table:
    """The rows of one day, whose keys have no order."""
    random = np.random.default_rng(place)
    start = datetime.combine(FIRST + timedelta(days=place), datetime.min.time())
    money = [
        pa.array(random.integers(0, most, count) / 100).cast(pa.decimal128(12, 2), safe=False) for most in (20_000, 500)
    ]
    keys = (np.arange(count, dtype="i8") * 365 + place) * 2_654_435_761 % (1 << 40)
    return pa.table(
        {
            "sale_id": keys,
            "basket_id": 31_198_570_044 + random.integers(0, count // 4 + 1, count),
            "product_id": random.zipf(1.3, count) % 90_000,
            "customer_id": random.integers(1, 20_000, count),
            "store_id": random.integers(1, 400, count).astype("i4"),
            "quantity": random.integers(1, 6, count).astype("i4"),
            "sales_value": money[0],
            "discount": money[1],
            "website": pa.array(random.choice(["VVNL", "VVBE", "VVDE", "VVFR", "VVUK"], count)),
            "sold_at": pa.array(np.datetime64(start, "ms") + np.sort(random.integers(0, 86_400_000, count))),
            "_run_id": pa.array([RUN]).take(pa.array(np.zeros(count, "i4"))).dictionary_encode(),
            "_loaded_at": pa.array(np.full(count, np.datetime64(start, "ms"))),
            "_source": pa.array(["s3://raw/sales.csv"]).take(pa.array(np.zeros(count, "i4"))).dictionary_encode(),
            "_position": np.arange(count, dtype="i8"),
        }
    )


def publish(store: Objects, total: int, partitions: int) -> tuple[list[str], list[int]]:
    """Publish the table and index its keys; gives its files and one key of each day."""
    made, files, keys = [], [], []
    for place in range(partitions):
        day = FIRST + timedelta(days=place)
        table = day_of(place, total // partitions)
        keys.append(table["sale_id"][place % table.num_rows].as_py())
        content = io.BytesIO()
        write_parquet(table, content)
        location = f"{layout.sealed(PIPELINE, TABLE, RUN)}{layout.day_path(day)}/"
        key = f"{location}{day}-{place:032x}.parquet"
        etag = store.put(key, content.getvalue())
        file = PublishedFile(key=key, etag=etag, size=content.tell(), rows=table.num_rows, contribution=day)
        manifest = layout.partition_manifest(PIPELINE, TABLE, day, f"{place:040x}")
        store.put_model(manifest, PartitionManifest(table=TABLE, day=day, location=location, files=(file,)))
        made.append(
            Partition(
                day=day,
                location=location,
                manifest=manifest,
                files=1,
                rows=file.rows,
                bytes=file.size,
                run_id=RUN,
                contributions=(day,),
            )
        )
        files.append(f"s3://{BUCKET}/{key}")
    published = PublishedTable(table=TABLE, private=False, columns=COLUMNS, partitions=tuple(made))
    snapshot = Snapshot(
        pipeline=PIPELINE,
        number=1,
        parent=None,
        run_id=RUN,
        date=made[-1].day,
        contract_hash="0" * 64,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        tables=(published,),
    )
    at = layout.snapshot(PIPELINE, 1, RUN)
    store.put_model(at, snapshot)
    move_head(store, advanced(None, snapshot, at), etag=None)
    write_file_list(store, PIPELINE, published, None)
    build_index(store, PIPELINE, published, ("sale_id",))
    return files, keys


def questions(days: int, keys: list[int]) -> Iterator[tuple[str, list[Asked]]]:
    """Each kind of question with those of it that are asked."""
    places = [(40 + 31 * number) % days for number in range(QUESTIONS)]
    dates = [FIRST + timedelta(days=place) for place in places]

    def of(day: date) -> str:
        return "year='{}' AND month='{}' AND day='{}'".format(*day.isoformat().split("-"))

    def within(first: date, last: date) -> str:
        return f"(year||'-'||month||'-'||day) BETWEEN '{first}' AND '{last}'"

    yield (
        "row by key and date",
        [
            (
                f"rows/{keys[place]}",
                {"date": [str(day)]},
                f"SELECT * FROM sales WHERE {of(day)} AND sale_id={keys[place]}",
            )
            for place, day in zip(places, dates, strict=True)
        ],
    )
    yield (
        "row by key alone",
        [(f"rows/{keys[place]}", {}, f"SELECT * FROM sales WHERE sale_id={keys[place]}") for place in places],
    )
    month = [(max(FIRST, day - timedelta(days=29)), day) for day in dates]
    yield (
        "page of 100 in 30 days, 1 row in 1,000",
        [
            (
                "rows",
                {"from": [str(first)], "to": [str(last)], "store_id": [f"in.{17 + number},90"], "website": ["eq.VVNL"]},
                f"FROM sales WHERE {within(first, last)} AND {VVNL} AND store_id IN ({17 + number}, 90) LIMIT 100",
            )
            for number, (first, last) in enumerate(month)
        ],
    )
    yield (
        "top 10 of a day",
        [
            (
                "rows",
                {"date": [str(day)], "order_by": ["-sales_value,sale_id"], "limit": ["10"]},
                f"SELECT * FROM sales WHERE {of(day)} ORDER BY sales_value DESC, sale_id LIMIT 10",
            )
            for day in dates
        ],
    )
    yield (
        "revenue by website in 30 days",
        [
            (
                "aggregate",
                {
                    "from": [str(first)],
                    "to": [str(last)],
                    "group_by": ["website"],
                    "measures": ["count,sum(sales_value)"],
                },
                f"SELECT website, {MEASURES} FROM sales WHERE {within(first, last)} GROUP BY website ORDER BY website",
            )
            for first, last in month
        ],
    )
    last = FIRST + timedelta(days=days - 1)
    yield (
        "revenue by month in a year",
        [
            (
                "aggregate",
                {
                    "from": [str(FIRST)],
                    "to": [str(last)],
                    "bucket": ["month(sold_at)"],
                    "measures": ["count,sum(sales_value)"],
                    "quantity.gte": [str(1 + number % 3)],
                },
                f"SELECT {MONTH}, {MEASURES} FROM sales WHERE quantity >= {1 + number % 3} GROUP BY 1 ORDER BY 1",
            )
            for number in range(QUESTIONS)
        ],
    )


def ours(store: Objects, published: Published) -> Callable[[str, Parameters], list[dict[str, Any]]]:
    """A worker of the API that knows the snapshot, from the parsed request to the JSON's values."""
    kept = Kept(store)

    def ask(path: str, parameters: Parameters) -> list[dict[str, Any]]:
        if path.startswith("rows/"):
            asked = row_key.ask(
                published, PIPELINE, TABLE, parameters, primary_key=("sale_id",), text=path.removeprefix("rows/")
            )
            return body(row_key.answer(kept, asked))["rows"]  # type: ignore[no-any-return]
        if path == "aggregate":
            return body(aggregate.answer(kept, aggregate.ask(published, PIPELINE, TABLE, parameters)))["rows"]  # type: ignore[no-any-return]
        return body(rows.answer(kept, rows.ask(published, PIPELINE, TABLE, parameters)))["rows"]  # type: ignore[no-any-return]

    return ask


def theirs(cloud: aws.Endpoint, files: list[str]) -> duckdb.DuckDBPyConnection:
    """A warm DuckDB that knows the files."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{httpfs_extension()}'")
    connection.execute("SET threads=1; SET enable_http_metadata_cache=true; SET parquet_metadata_cache=true")
    connection.execute("SET validate_external_file_cache='NO_VALIDATION'")
    connection.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', "
        f"ENDPOINT '{cloud.url.partition('://')[2]}', URL_STYLE 'path', USE_SSL false)"
    )
    named = ", ".join(f"'{file}'" for file in files)
    connection.execute(
        f"CREATE VIEW sales AS FROM read_parquet([{named}], hive_partitioning=true, hive_types_autocast=false)"
    )
    return connection


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def measure(
    store: Counted, duck: duckdb.DuckDBPyConnection, asked: Mapping[str, list[Asked]], rounds: int
) -> Iterator[dict[str, Any]]:
    """One line for each kind of question."""
    published = Published(store)
    published.newest(PIPELINE)
    for name, each in asked.items():
        before = store.gets
        ours(store, published)(*each[0][:2])
        requests = store.gets - before
        worker, pairs, found = ours(store, published), [], []
        for number in range(len(each) * (1 + rounds)):
            path, parameters, sql = each[number % len(each)]
            own, found = seconds(lambda: worker(path, parameters))  # noqa: B023 (called at once)
            other, wanted = seconds(lambda: duck.execute(sql).fetchall())  # noqa: B023
            if len(found) != len(wanted):
                raise SystemExit(f"{name}: {len(found)} rows where DuckDB finds {len(wanted)}: {path} {parameters}")
            if number >= len(each):
                pairs.append((own, other))
        yield {
            "question": name,
            "rows": len(found),
            "requests": requests,
            "nightlake_ms": round(1000 * statistics.median(own for own, _ in pairs), 1),
            "duckdb_ms": round(1000 * statistics.median(other for _, other in pairs), 1),
            "ratio": round(statistics.median(own / other for own, other in pairs), 2),
        }


def load(cloud: aws.Endpoint, folder: Path, asked: Mapping[str, list[Asked]], length: float) -> dict[str, Any]:
    """These questions asked by many clients, but those about a year: the local S3 would be what is measured."""
    contracts = folder / "contracts"
    contracts.mkdir()
    api_load.describe(contracts, PIPELINE, TABLE, COLUMNS[: -len(RUN_COLUMNS)], "sale_id")
    names = ("STAGE", "RAW_BUCKET", "LAKE_BUCKET", "QUARANTINE_BUCKET", "DATABASE")
    environment = dict.fromkeys((*names, "STAGING_DATABASE", "QUARANTINE_DATABASE"), BUCKET)
    environment |= {"CONTRACTS": str(contracts), "SQL": str(contracts), "POWERTOOLS_LOG_LEVEL": "ERROR"}
    *short, _ = asked.values()
    paths = [(f"/v1/datasets/{TABLE}/{path}", parameters) for each in short for path, parameters, _ in each]
    told = [("/v1/datasets", {}), (f"/v1/datasets/{TABLE}", {}), ("/v1/openapi.json", {})]
    event = DOCS.parent / "tests" / "events" / "api_get.json"
    return api_load.run(cloud.environment() | environment, [*paths, *told], event, clients=CLIENTS, seconds=length)


def main() -> None:
    """Measure, print, and keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--partitions", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--load-seconds", type=float, default=60, help="0: no clients")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--write", action="store_true", help="keep the result in docs/")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nightlake-bench-") as folder:
        cloud = aws.start(Path(folder), port=0, detached=False)
        try:
            client = cloud.client("s3")
            client.create_bucket(Bucket=BUCKET)
            store = Counted(BUCKET, client)
            files, keys = publish(store, given.rows, given.partitions)
            asked = dict(questions(given.partitions, keys))
            lines = list(measure(store, theirs(cloud, files), asked, given.rounds))
            loaded = load(cloud, Path(folder), asked, given.load_seconds) if given.load_seconds else None
        finally:
            aws.stop(Path(folder))
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "rows": given.rows,
        "partitions": given.partitions,
        "questions": lines,
        "load": loaded,
    }
    if given.write:
        from plot import draw_pairs

        (DOCS / "api-benchmark.json").write_text(json.dumps(result, indent=1) + "\n")
        draw_pairs(lines, DOCS / "api-benchmark.svg")
    if given.json:
        print(json.dumps(result))
        return
    print(f"{'question':<42}{'rows':>6}{'GETs':>6}{'ms':>9}{'DuckDB ms':>11}{'ratio':>7}")
    for line in lines:
        print(
            f"{line['question']:<42}{line['rows']:>6}{line['requests']:>6}{line['nightlake_ms']:>9}"
            f"{line['duckdb_ms']:>11}{line['ratio']:>7}"
        )
    if loaded:
        print(", ".join(f"{name}: {value}" for name, value in loaded.items()))


if __name__ == "__main__":
    main()
