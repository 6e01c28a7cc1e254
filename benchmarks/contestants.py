"""Converts one file to Snappy Parquet in one way and says how it went; `convert.py` starts it once for every trial.

    .venv/bin/python benchmarks/contestants.py CONTESTANT SHAPE FILE OUT [--threads 1]

Prints {"seconds", "cpu_seconds", "rows", "refused", "megabytes", "rss_megabytes"}: the times without imports, the
Parquet's size, the greatest memory of the process. All write the same columns of the same types; only ours checks and
accounts for them.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peak import peak_bytes
from shapes import MONEY, SHAPES, Shape

Result = dict[str, int]


def pyarrow(shape: Shape, file: Path, out: Path, threads: int) -> Callable[[], Result]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet as pq

    pa.set_cpu_count(threads)
    schema = pa.schema(list(shape.columns.items()))
    # pyarrow.json has dates as numbers only
    read = pa.schema([(name, pa.string() if kind == pa.date32() else kind) for name, kind in shape.columns.items()])

    def run() -> Result:
        if shape.format == "jsonl":
            reader = pa.json.open_json(
                file,
                pa.json.ReadOptions(use_threads=threads > 1, block_size=4 << 20),
                pa.json.ParseOptions(explicit_schema=read, unexpected_field_behavior="error"),
            )
        else:
            reader = pa.csv.open_csv(
                file,
                pa.csv.ReadOptions(use_threads=threads > 1, block_size=4 << 20),
                pa.csv.ParseOptions(newlines_in_values=shape.name == "newlines"),
                pa.csv.ConvertOptions(column_types=schema),
            )
        rows = 0
        with pq.ParquetWriter(out / "rows.parquet", schema, compression="snappy") as writer:
            held: list[pa.RecordBatch] = []
            for batch in reader:
                held.append(batch)
                if sum(each.nbytes for each in held) > 64 << 20:
                    writer.write_table(pa.Table.from_batches(held).cast(schema))
                    held = []
                rows += batch.num_rows
            if held:
                writer.write_table(pa.Table.from_batches(held).cast(schema))
        return {"rows": rows}

    return run


def duckdb(shape: Shape, file: Path, out: Path, threads: int) -> Callable[[], Result]:
    import duckdb as db

    connection = db.connect(config={"threads": threads, "preserve_insertion_order": True})
    columns = {name: _DUCKDB[str(kind)] for name, kind in shape.columns.items()}
    if shape.format == "jsonl":
        source = f"read_json('{file}', format = 'newline_delimited', columns = {columns})"
    else:
        # without ignore_errors it refuses nothing, so it is given here what rejects need
        source = (
            f"read_csv('{file}', header = true, columns = {columns}, delim = ',', quote = '\"', store_rejects = true)"
        )

    def run() -> Result:
        connection.execute(
            f"COPY (SELECT * FROM {source}) TO '{out}/rows.parquet' (FORMAT parquet, COMPRESSION snappy)"
        )
        refused = 0
        if shape.format == "csv":
            (refused,) = connection.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone() or (0,)
        (rows,) = connection.execute(f"SELECT count(*) FROM '{out}/rows.parquet'").fetchone() or (0,)
        return {"rows": rows, "refused": refused}

    return run


def polars(shape: Shape, file: Path, out: Path, threads: int) -> Callable[[], Result]:
    import polars as pl

    if pl.thread_pool_size() != threads:
        raise SystemExit(f"polars has {pl.thread_pool_size()} threads: set POLARS_MAX_THREADS={threads}")
    types = {name: _POLARS[str(kind)](pl) for name, kind in shape.columns.items()}
    moments = [name for name, kind in shape.columns.items() if str(kind) == "timestamp[ms]"]
    money = [name for name, kind in shape.columns.items() if kind == MONEY and shape.format == "jsonl"]
    # from JSON it takes no decimals but from text
    read = {**types, **dict.fromkeys(moments, pl.String), **dict.fromkeys(money, pl.Float64)}

    def run() -> Result:
        scan = pl.scan_ndjson(file, schema=read) if shape.format == "jsonl" else pl.scan_csv(file, schema=read)
        frame = scan.with_columns(pl.col(moments).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms"))
        frame = frame.with_columns(pl.col(money).cast(pl.Decimal(12, 2)))
        frame.sink_parquet(out / "rows.parquet", compression="snappy")
        return {"rows": pl.scan_parquet(out / "rows.parquet").select(pl.len()).collect().item()}

    return run


def pandas(shape: Shape, file: Path, out: Path, threads: int) -> Callable[[], Result]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(threads)
    schema = pa.schema(list(shape.columns.items()))

    def run() -> Result:
        rows = 0
        with pq.ParquetWriter(out / "rows.parquet", schema, compression="snappy") as writer:
            for frame in _frames(pd, shape, file):
                held = _held(schema, money=pa.float64() if shape.format == "jsonl" else pa.string())
                writer.write_table(pa.Table.from_pandas(frame, held, preserve_index=False).cast(schema))
                rows += len(frame)
        return {"rows": rows}

    return run


def awswrangler(shape: Shape, file: Path, out: Path, threads: int) -> Callable[[], Result]:
    """What `wr.s3.read_csv(chunksize)` and `wr.s3.to_parquet(dtype)` do, without S3 between."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from awswrangler import _data_types

    pa.set_cpu_count(threads)
    types = {name: _data_types.pyarrow2athena(kind) for name, kind in shape.columns.items()}

    def run() -> Result:
        rows, writer = 0, None
        for frame in _frames(pd, shape, file):
            cast = _data_types.cast_pandas_with_athena_types(df=frame, dtype=types)
            schema = _data_types.pyarrow_schema_from_pandas(df=cast, index=False, ignore_cols=[], dtype=types)
            writer = writer or pq.ParquetWriter(
                out / "rows.parquet", schema, compression="snappy", flavor="spark", coerce_timestamps="ms"
            )
            writer.write_table(pa.Table.from_pandas(cast, schema, preserve_index=False, nthreads=threads, safe=True))
            rows += len(frame)
        if writer:
            writer.close()
        return {"rows": rows}

    return run


def _frames(pd: Any, shape: Shape, file: Path) -> Any:
    """Chunks of a million values; numbers typed, money as text, times parsed."""
    moments = [name for name, kind in shape.columns.items() if str(kind) in {"timestamp[ms]", "date32[day]"}]
    types = {name: _PANDAS[str(kind)] for name, kind in shape.columns.items() if name not in moments}
    rows = 1_200_000 // len(shape.columns)
    if shape.format == "jsonl":
        # numbers become binary floats: pandas has no exact way
        yield from pd.read_json(file, lines=True, chunksize=rows, convert_dates=moments)
    else:
        yield from pd.read_csv(file, dtype=types, parse_dates=moments, date_format="ISO8601", chunksize=rows)


def _held(schema: Any, *, money: Any) -> Any:
    """The schema as pandas holds it."""
    import pyarrow as pa

    held = {MONEY: money, pa.date32(): pa.timestamp("ms")}
    return pa.schema([(field.name, held.get(field.type, field.type)) for field in schema])


_DUCKDB = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "decimal128(12, 2)": "DECIMAL(12,2)",
    "timestamp[ms]": "TIMESTAMP_MS",
    "date32[day]": "DATE",
    "string": "VARCHAR",
    "double": "DOUBLE",
}
_POLARS: dict[str, Callable[[Any], Any]] = {
    "int64": lambda pl: pl.Int64,
    "int32": lambda pl: pl.Int32,
    "decimal128(12, 2)": lambda pl: pl.Decimal(12, 2),
    "timestamp[ms]": lambda pl: pl.Datetime("ms"),
    "date32[day]": lambda pl: pl.Date,
    "string": lambda pl: pl.String,
    "double": lambda pl: pl.Float64,
}
_PANDAS = {"int64": "int64", "int32": "int32", "decimal128(12, 2)": "str", "string": "str", "double": "float64"}
CONTESTANTS = {each.__name__: each for each in (pyarrow, duckdb, polars, pandas, awswrangler)}


def main() -> None:
    """Convert once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    run = CONTESTANTS[given.contestant](SHAPES[given.shape], given.file, given.out, given.threads)
    started, cpu = time.perf_counter(), time.process_time()
    result = run()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    size = sum(path.stat().st_size for path in given.out.rglob("*.parquet"))
    rss = peak_bytes() / 1e6
    print(
        json.dumps(
            {
                "refused": 0,
                **result,
                "seconds": seconds,
                "cpu_seconds": cpu,
                "megabytes": size / 1e6,
                "rss_megabytes": rss,
            }
        )
    )


if __name__ == "__main__":
    main()
