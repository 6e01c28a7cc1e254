"""`nightlake convert`: files of this machine to checked Parquet, by the very core that converts at night."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from nightlake.core.dates import parse_date
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.rule_result import RuleResult, not_checked
from nightlake.core.source import AnyS3Source, LinesSource
from rich.console import Group, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from rich.text import Text

from cli.directory import read_range, seekable
from cli.output import FAILED, Json, answer, errors_told, progress
from cli.quality import counted, rules_table

if TYPE_CHECKING:
    from cli.conversion import Converted

PIPELINE_FILE = "pipeline.yaml"


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="What was delivered.", exists=True, dir_okay=False, callback=lambda files: [*map(seekable, files)]
        ),
    ],
    *,
    contract: Annotated[Path, typer.Option(help="The contract, an ODCS file.", exists=True, dir_okay=False)],
    dataset: Annotated[str, typer.Option(help="The dataset of the contract that the files hold.")],
    out: Annotated[Path, typer.Option(help="The folder to write to.", file_okay=False)],
    source: Annotated[
        Path | None,
        typer.Option(
            help="A pipeline.yaml that says how the files are read.",
            show_default="the one beside the contract, else what the files look like",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    shard_mb: Annotated[
        float | None,
        typer.Option(
            help="About so many MiB are converted at once.", show_default="as the source says", min=1 / 16, max=1024
        ),
    ] = None,
    date: Annotated[str | None, typer.Option(help="Business date YYYY-MM-DD.", show_default="today, UTC")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="So many threads convert.")] = 1,
    as_json: Json = False,
) -> None:
    """Convert files to checked Parquet, refused rows set aside. Ends with 1 where they are rejected."""
    from cli.conversion import convert_files  # the whole core comes with it

    with errors_told(as_json=as_json):
        day = parse_date(date) if date else datetime.now(UTC).date()
        pipeline = _pipeline(files, contract, dataset, source, shard_mb)
        size = sum(file.stat().st_size for file in files)
        began = time.perf_counter()
        with _bar() as bar:
            task = bar.add_task(dataset, total=size)
            converted = convert_files(
                pipeline, files, out, day=day, jobs=jobs, done=lambda shard: bar.advance(task, shard.end - shard.start)
            )
        facts = _facts(converted, pipeline.datasets[0], size=size, seconds=time.perf_counter() - began)
    answer(facts, view=Group(*_parts(facts)), as_json=as_json, code=0 if facts["status"] == "good" else FAILED)


def _pipeline(files: list[Path], contract: Path, dataset: str, source: Path | None, shard_mb: float | None) -> Pipeline:
    from nightlake.core.one_source import one_source

    beside = contract.parent / PIPELINE_FILE
    said = source or (beside if beside.exists() else None)
    pipeline = one_source(contract, dataset, pipeline_file=said, propose=partial(_looks_like, files[0]))
    if shard_mb is None or not isinstance(pipeline.sources[0], LinesSource):
        return pipeline
    cut = pipeline.sources[0].model_copy(update={"shard_bytes": round(shard_mb * 2**20)})
    return pipeline.model_copy(update={"sources": (cut,)})


def _looks_like(file: Path, dataset: Dataset) -> AnyS3Source:
    from nightlake.core.infer.proposal import propose_source

    return propose_source(dataset, file.stat().st_size, partial(read_range, file), where=file.name)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeElapsedColumn(), console=progress, transient=True)


def _facts(converted: "Converted", dataset: Dataset, *, size: int, seconds: float) -> dict[str, Any]:
    validation = converted.validation
    files = [file for receipt in converted.receipts for file in receipt.files]
    return {
        "dataset": validation.dataset,
        "date": validation.date,
        "status": validation.status,
        "out": str(converted.rows),
        "files": validation.objects,
        "bytes": size,
        "rows_in": validation.rows + validation.quarantined,
        "rows_out": validation.rows,
        "rows_quarantined": validation.quarantined,
        "shards": validation.shards,
        "seconds": round(seconds, 3),
        "mb_per_second": round(size / 1e6 / seconds, 1),
        "parquet_files": len(files),
        "parquet_bytes": sum(file.size for file in files),
        "quarantine": str(converted.quarantine) if validation.quarantined else None,
        "rules": [rule.model_dump() for rule in (*validation.rules, *_unchecked(dataset))],
        "problems": [finding.model_dump() for finding in validation.problems],
        "warnings": [finding.model_dump() for finding in validation.warnings],
    }


def _unchecked(dataset: Dataset) -> Iterator[RuleResult]:
    """The rules that need other datasets."""
    for relationship in dataset.relationships:
        yield not_checked(relationship, dataset.name, f"it needs the rows of {relationship.to}, which a night has")


def _parts(facts: Mapping[str, Any]) -> Iterator[RenderableType]:
    good = facts["status"] == "good"
    colour = "green" if good else "red"
    yield (
        f"[bold]{facts['dataset']} {facts['date']}[/]: [{colour}]{facts['status']}[/], {facts['bytes']:,} bytes in "
        f"{facts['shards']} shards, {facts['seconds']} s, {facts['mb_per_second']} MB/s"
    )
    yield f"rows in {facts['rows_in']:,}, out {facts['rows_out']:,}, quarantined {facts['rows_quarantined']:,}"
    yield f"rules: {counted(facts['rules'])}"
    telling = [rule for rule in facts["rules"] if rule["broken"] or rule["verdict"] != "kept"]
    if telling:
        yield rules_table(telling)
    for kind, style in (("problems", "red"), ("warnings", "yellow")):
        for finding in facts[kind]:
            yield Text(f"{finding['rule']}: {finding['reason']}. Look at: {finding['where']}", style)
    if facts["parquet_files"]:
        yield Text(f"{facts['parquet_files']} files of Parquet, {facts['parquet_bytes']:,} bytes, in {facts['out']}")
    if facts["quarantine"]:
        yield Text(f"Refused rows: {facts['quarantine']}")
