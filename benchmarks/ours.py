"""Converts one file as `nightlake convert` does and says how it went; `convert.py` starts it once for every trial.

    .venv/bin/python benchmarks/ours.py CONTRACT PIPELINE FILE OUT [--jobs 1]

Where the contract has a key, repeated keys are searched, too. Prints what `contestants.py` prints; fails where the
verdict is not good.
"""

import argparse
import json
import resource
import time
from datetime import date
from pathlib import Path

# imported when they are needed; nobody's imports are measured
import duckdb  # noqa: F401
import numpy as np  # noqa: F401
import pyarrow.compute
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet  # noqa: F401
import sqlglot.optimizer.optimizer  # noqa: F401
from cli.conversion import convert_files
from nightlake.core.one_source import one_source

from peak import peak_bytes


def main() -> None:
    """Convert once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("contract", "pipeline", "file", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    pipeline = one_source(given.contract, "rows", pipeline_file=given.pipeline, propose=lambda _: pipeline.sources[0])
    started, cpu = time.perf_counter(), time.process_time()
    converted = convert_files(
        pipeline, [given.file], given.out, day=date(2017, 6, 12), jobs=given.jobs, done=lambda _: None
    )
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    verdict = converted.validation
    if verdict.status != "good":
        raise SystemExit(f"rejected: {verdict.problems[0].rule} {verdict.problems[0].reason}")
    usage = (peak_bytes(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
    size = sum(path.stat().st_size for path in (given.out / "rows").rglob("*.parquet"))
    result = {"rows": verdict.rows, "refused": verdict.quarantined, "seconds": seconds, "cpu_seconds": cpu}
    print(json.dumps({**result, "megabytes": size / 1e6, "rss_megabytes": max(usage) / 1e6}))


if __name__ == "__main__":
    main()
