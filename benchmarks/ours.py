"""Converts one file as `nightlake convert` does and says how it went; `convert.py` starts it once for every trial.

    .venv/bin/python benchmarks/ours.py SHAPE FILE OUT [--jobs 1] [--keys]

The contract and pipeline.yaml lie beside the file. `--keys` also searches the Parquet for repeated keys, by DuckDB in
the place of Athena. Prints what `contestants.py` prints, and `rejected` where the verdict is not good.
"""

import argparse
import json
import resource
import time
from datetime import date
from pathlib import Path

from cli.conversion import convert_files
from nightlake.core.one_source import one_source

from shapes import SHAPES


def main() -> None:
    """Convert once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keys", action="store_true")
    given = parser.parse_args()
    contract, source = (given.file.with_name(f"{given.shape}.{kind}.yaml") for kind in ("odcs", "pipeline"))
    pipeline = one_source(contract, "rows", pipeline_file=source, propose=lambda _: pipeline.sources[0])
    started = time.perf_counter()
    converted = convert_files(
        pipeline, [given.file], given.out, day=date(2017, 6, 12), jobs=given.jobs, done=lambda _: None
    )
    if given.keys:
        repeated(given.out / "rows", next(iter(SHAPES[given.shape].columns)), given.jobs)
    seconds = time.perf_counter() - started
    verdict = converted.validation
    if verdict.status != "good":
        raise SystemExit(f"rejected: {verdict.problems[0].rule} {verdict.problems[0].reason}")
    usage = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    size = sum(path.stat().st_size for path in (given.out / "rows").rglob("*.parquet"))
    result = {"rows": verdict.rows, "refused": verdict.quarantined, "seconds": seconds}
    print(json.dumps({**result, "megabytes": size / 1e6, "rss_megabytes": max(usage) / 1024}))


def repeated(folder: Path, key: str, threads: int) -> int:
    """How many rows repeat the key of another."""
    import duckdb

    with duckdb.connect(config={"threads": threads}) as connection:
        copies = f"SELECT count(*) AS n FROM read_parquet('{folder}/**/*.parquet') GROUP BY \"{key}\""
        (found,) = connection.execute(f"SELECT coalesce(sum(n - 1), 0) FROM ({copies})").fetchone() or (0,)
    return int(found)


if __name__ == "__main__":
    main()
