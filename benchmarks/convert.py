"""Conversion to Snappy Parquet: Nightlake beside pyarrow, DuckDB, polars, pandas and awswrangler, in turn.

    .venv/bin/python benchmarks/convert.py [--megabytes 240] [--rounds 3] [--shapes narrow,bad] [--json] [--write]

Every trial is a process of its own, bound to one core (then, for the first shape, to two). In each round all of them
run one after the other, so that a slow moment of the machine slows all; what counts is the median of the rounds' ratios
to bare pyarrow, which checks nothing. The file of 1 % bad rows is no file for pyarrow: there it reads its clean twin.
`--write` keeps the result as docs/benchmarks.json and draws docs/benchmarks.svg; `make docs` then writes the table.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from contestants import CONTESTANTS
from shapes import SHAPES, Shape

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
OURS = ("nightlake", "nightlake with keys")
BASE = "pyarrow"
CLEAN = {"bad": "narrow"}  # what is read by those who take nothing else

Trial = dict[str, Any]


def main() -> None:
    """Measure, print, and keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=240, help="size of every file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", default=",".join(SHAPES), help="which files, comma-separated")
    parser.add_argument("--contestants", default=",".join([*OURS, *CONTESTANTS]))
    parser.add_argument("--json", action="store_true", help="print every trial as JSON")
    parser.add_argument("--write", action="store_true", help="keep the result in docs/")
    given = parser.parse_args()
    names = [*given.contestants.split(",")]
    trials: list[Trial] = []
    with (
        tempfile.TemporaryDirectory(prefix="nightlake-bench-") as folder,
        Progress(console=Console(stderr=True)) as bar,
    ):
        chosen = [SHAPES[name] for name in given.shapes.split(",")]
        plan = [(shape, 1) for shape in chosen] + [(chosen[0], 2)]
        task = bar.add_task("converting", total=len(plan) * given.rounds * len(names))
        for shape, cores in plan:
            paths = prepare(shape, Path(folder), given.megabytes * 10**6)
            for number in range(given.rounds):
                for name in names:
                    bar.update(task, advance=1, description=f"{shape.name}, {cores} core(s), {name}")
                    trials.append({"cores": cores, "round": number, **trial(name, shape, paths, cores)})
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "rows": list(summary(trials)),
    }
    if given.write:
        from plot import draw

        (DOCS / "benchmarks.json").write_text(json.dumps(result, indent=1) + "\n")
        draw(result["rows"], DOCS / "benchmarks.svg")
    if given.json:
        print(json.dumps({**result, "trials": trials}))
    else:
        Console(width=140).print(table(result["rows"]))


def prepare(shape: Shape, folder: Path, size: int) -> dict[str, Path]:
    """Write the shape's file, its contract and pipeline.yaml, and its clean twin, if they are not there."""
    paths = {}
    for name in {shape.name, CLEAN.get(shape.name, shape.name)}:
        each = SHAPES[name]
        paths[name] = folder / f"{name}.{each.format}"
        if not paths[name].exists():
            each.write(paths[name], size)
    for kind in ("plain", "keys"):
        contract = yaml.safe_dump(shape.contract(keys=kind == "keys"), sort_keys=False)
        (folder / f"{shape.name}.{kind}.yaml").write_text(contract)
    (folder / f"{shape.name}.pipeline.yaml").write_text(yaml.safe_dump(shape.pipeline(), sort_keys=False))
    return paths


def trial(name: str, shape: Shape, paths: dict[str, Path], cores: int) -> Trial:
    """One run of one contestant: its report, or what it said when it could not."""
    takes_all = name in (*OURS, "duckdb")
    read = shape.name if takes_all else CLEAN.get(shape.name, shape.name)
    file = paths[read]
    with tempfile.TemporaryDirectory(prefix="out-", dir=file.parent) as out:
        if name in OURS:
            keys = "keys" if name.endswith("keys") else "plain"
            contract, source = (file.with_name(f"{shape.name}.{kind}.yaml") for kind in (keys, "pipeline"))
            command = [sys.executable, str(HERE / "ours.py"), *map(str, (contract, source, file)), out]
            command += ["--jobs", str(cores)]
        else:
            command = [sys.executable, str(HERE / "contestants.py"), name, read, str(file), out]
            command += ["--threads", str(cores)]
        done = subprocess.run(  # noqa: S603
            ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[-cores:])), *command],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "POLARS_MAX_THREADS": str(cores), "OMP_NUM_THREADS": str(cores)},
        )
    found: Trial = {"shape": shape.name, "contestant": name, "input_megabytes": file.stat().st_size / 1e6}
    if done.returncode:
        return {**found, "error": (done.stderr.strip().splitlines() or ["no word"])[-1][:200]}
    return {**found, **json.loads(done.stdout.splitlines()[-1])}


def summary(trials: Sequence[Trial]) -> Iterator[Trial]:
    """One row per file, cores and contestant: medians of the rounds, and of the ratio to bare pyarrow in each."""
    keys = dict.fromkeys((trial["shape"], trial["cores"], trial["contestant"]) for trial in trials)
    for shape, cores, name in keys:
        own = {each["round"]: each for each in _of(trials, shape, cores, name)}
        base = {each["round"]: each for each in _of(trials, shape, cores, BASE)}
        row: Trial = {"shape": shape, "cores": cores, "contestant": name}
        if any("error" in each for each in own.values()):
            yield row | {"error": next(each["error"] for each in own.values() if "error" in each)}
            continue
        speed = {number: each["input_megabytes"] / each["seconds"] for number, each in own.items()}
        ratios = [
            speed[number] * base[number]["seconds"] / base[number]["input_megabytes"]
            for number in own
            if number in base and "seconds" in base[number]
        ]
        yield row | {
            "megabytes_per_second": round(statistics.median(speed.values()), 1),
            "to_pyarrow": round(statistics.median(ratios), 2) if ratios else None,
            "rss_megabytes": round(max(each["rss_megabytes"] for each in own.values())),
            "source_megabytes": round(own[0]["input_megabytes"], 1),
            "parquet_megabytes": round(own[0]["megabytes"], 1),
            "rows": own[0]["rows"],
            "refused": own[0]["refused"],
        }


def _of(trials: Sequence[Trial], shape: str, cores: int, name: str) -> list[Trial]:
    return [each for each in trials if (each["shape"], each["cores"], each["contestant"]) == (shape, cores, name)]


def table(rows: Sequence[Trial]) -> Table:
    """The result for a person."""
    found = Table("file", "cores", "by", "MB/s", "x pyarrow", "peak MB", "Parquet MB", "rows", "refused")
    last = ""
    for row in rows:
        if row["shape"] != last:
            found.add_section()
        last = row["shape"]
        cells = [row["shape"], str(row["cores"]), row["contestant"]]
        if "error" in row:
            found.add_row(*cells, "-", "-", "-", "-", row["error"][:60], "")
            continue
        ratio = "-" if row["to_pyarrow"] is None else f"{row['to_pyarrow']:.2f}"
        speed, peak, size = (row[key] for key in ("megabytes_per_second", "rss_megabytes", "parquet_megabytes"))
        found.add_row(
            *cells, f"{speed:.0f}", ratio, f"{peak:,}", f"{size:,}", f"{row['rows']:,}", f"{row['refused']:,}"
        )
    return found


if __name__ == "__main__":
    main()
