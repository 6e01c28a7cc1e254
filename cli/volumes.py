"""How much a night brings of each source, as asked or as declared, and how fast that is read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nightlake.core.extract_http import LAND_BYTES
from nightlake.core.http_source import HttpSource
from nightlake.core.load import Load, Throughput
from nightlake.core.pipeline import Pipeline
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.source import LinesSource
from nightlake.core.sources import AnySource

from cli.errors import VolumeUnknownError
from cli.paths import ROOT

BENCHMARKS: Final = ROOT / "docs/benchmarks.json"
POSTGRES_BENCHMARK: Final = ROOT / "docs/benchmarks-postgres.json"
USUAL_SHARD_BYTES: Final[int] = LinesSource.model_fields["shard_bytes"].default
_USUAL_RATIO: Final = 0.25
_USUAL_ROW_BYTES: Final = 100
_NOT_MEASURED: Final = Throughput(
    mb_per_second=40,
    parquet_ratio=_USUAL_RATIO,
    row_bytes=_USUAL_ROW_BYTES,
    measured="nowhere yet (make bench), reckoned",
)


def volumes(pipeline: Pipeline, asked: Sequence[str]) -> dict[str, float]:
    """Gigabytes by dataset: as asked (`20`, all of it as the largest source, or `users=20`), else as declared.

    Raises:
        VolumeUnknownError: what was asked is no such thing, or nothing says how much comes.
    """
    declared = {source.dataset: source.expected_gb or 0.0 for source in pipeline.sources}
    if len(asked) == 1 and "=" not in asked[0]:
        return dict.fromkeys(declared, 0.0) | {largest(pipeline): _number(asked[0])}
    for each in asked:
        name, _, number = each.partition("=")
        if name not in declared:
            raise VolumeUnknownError(
                f"--gb {each}: {pipeline.name} has no source {name!r}; write one number, or SOURCE=NUMBER for some of: "
                f"{', '.join(declared)}."
            )
        declared[name] = _number(number)
    if not any(declared.values()):
        raise VolumeUnknownError(
            f"Nothing says how much a night of {pipeline.name} brings: call it with --gb 20 or --gb SOURCE=20, or let "
            "pipeline.yaml say expected_gb of its sources."
        )
    return declared


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise VolumeUnknownError(f"--gb {text}: write gigabytes as a number, such as 20 or 0.1.")
    return number


def largest(pipeline: Pipeline) -> str:
    """The source that is reckoned to bring all bytes where only a total is known: by declaration, or of lines."""
    expected = max(pipeline.sources, key=lambda source: source.expected_gb or 0)
    lines = [source for source in pipeline.sources if isinstance(source, LinesSource)]
    return (expected if expected.expected_gb else next(iter([*lines, *pipeline.sources]))).dataset


def loads(
    pipeline: Pipeline,
    gigabytes: Mapping[str, float],
    *,
    shard_bytes: int | None,
    concurrency: int,
    database_mb_per_second: float,
) -> tuple[Load, ...]:
    """What each source brings and how it is read; `shard_bytes` where all are cut otherwise than they say."""
    return tuple(
        _load(source, round(gigabytes[source.dataset] * 1e9), shard_bytes, concurrency, database_mb_per_second)
        for source in pipeline.sources
    )


def _load(
    source: AnySource, size: int, shard_bytes: int | None, concurrency: int, database_mb_per_second: float
) -> Load:
    speed = _speed(source)
    if isinstance(source, PostgresSource):
        # A snapshot that all rows have in common is read by one worker.
        apart = source.snapshot == "shard"
        return Load(
            dataset=source.dataset,
            kind="postgres",
            source_bytes=size,
            shard_bytes=shard_bytes or (source.shard_bytes if apart else max(size, 1)),
            at_once=source.connections if apart else 1,
            connections=source.connections,
            speed=speed,
            database_mb_per_second=database_mb_per_second,
        )
    if isinstance(source, HttpSource):
        return Load(
            dataset=source.dataset,
            kind="http",
            source_bytes=size,
            shard_bytes=shard_bytes or LAND_BYTES,
            at_once=concurrency,
            speed=speed,
            requests_per_second=source.requests_per_second,
            requests_at_once=source.connections,
            least_requests=max(1, len(source.each)),
        )
    declared = source.shard_bytes_of(size) if isinstance(source, LinesSource) else USUAL_SHARD_BYTES
    return Load(
        dataset=source.dataset,
        source_bytes=size,
        shard_bytes=shard_bytes or declared,
        at_once=concurrency,
        speed=speed,
    )


def _speed(source: AnySource) -> Throughput:
    if isinstance(source, PostgresSource):
        return postgres_throughput(POSTGRES_BENCHMARK)
    if isinstance(source, HttpSource) or source.format in ("json", "jsonl"):
        return throughput(BENCHMARKS, "jsonl")
    return throughput(BENCHMARKS, "narrow")


def throughput(benchmarks: Path, shape: str = "narrow") -> Throughput:
    """What one core was measured to convert of a file of the benchmark; a careful guess where there is none."""
    if not benchmarks.exists():
        return _NOT_MEASURED
    measured = json.loads(benchmarks.read_text("utf-8"))
    for row in measured["rows"]:
        if (row["contestant"], row["shape"], row["cores"]) == ("nightlake", shape, 1):
            return Throughput(
                mb_per_second=row["megabytes_per_second"],
                parquet_ratio=_ratio(row),
                row_bytes=_row_bytes(row),
                measured=f"{measured['measured_on']}, {measured['machine']}, one core, file '{shape}' of make bench",
            )
    return _NOT_MEASURED


def postgres_throughput(benchmark: Path) -> Throughput:
    """What one core was measured to convert of a table, in MB of its COPY; a careful guess where nobody measured."""
    if not benchmark.exists():
        return _NOT_MEASURED
    measured = json.loads(benchmark.read_text("utf-8"))
    size = measured["megabytes"]
    return Throughput(
        mb_per_second=round(size / measured["seconds"], 1),
        parquet_ratio=measured["parquet_megabytes"] / size,
        row_bytes=size * 1e6 / measured["rows"],
        measured=f"{measured['measured_on']}, one core beside PostgreSQL's own, benchmarks/postgres.py",
    )


def _ratio(row: Mapping[str, Any]) -> float:
    size = row.get("source_megabytes")
    return row["parquet_megabytes"] / size if size else _USUAL_RATIO


def _row_bytes(row: Mapping[str, Any]) -> float:
    size = row.get("source_megabytes")
    return size * 1e6 / row["rows"] if size else _USUAL_ROW_BYTES
