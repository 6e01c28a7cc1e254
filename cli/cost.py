"""`nightlake cost`: what a night of so many gigabytes costs in AWS, and how long it takes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from nightlake.core.across_parts import across_parts
from nightlake.core.cost import Estimate, Item, Night, Prices, Throughput, estimate, load_prices
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.source import LinesSource
from nightlake.core.source_rules import queried_rules
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import Json, answer, errors_told
from cli.paths import ROOT
from cli.pipelines import read_pipeline

BENCHMARKS = ROOT / "docs/benchmarks.json"
_USUAL_SHARD_BYTES: int = LinesSource.model_fields["shard_bytes"].default
_USUAL_RATIO = 0.25
_USUAL_ROW_BYTES = 100
_WHOLE = 100  # beyond it, quantities are told without fractions
_NOT_MEASURED = Throughput(
    mb_per_second=40,
    parquet_ratio=_USUAL_RATIO,
    row_bytes=_USUAL_ROW_BYTES,
    measured="nowhere yet (make bench), reckoned",
)


def cost(
    pipeline: Annotated[str, typer.Argument(help="The pipeline, a folder of pipelines/.")],
    *,
    gb: Annotated[float, typer.Option("--gb", min=0.001, help="Gigabytes (of 10^9 bytes) that a day brings.")],
    shard_mb: Annotated[
        float | None,
        typer.Option(
            help="About so many MiB are converted at once.",
            show_default="as the largest source of lines says, and 64 at least",
            min=1 / 16,
            max=1024,
        ),
    ] = None,
    memory_mb: Annotated[int, typer.Option(min=128, max=10_240, help="Memory of the function Convert, MiB.")] = 1769,
    concurrency: Annotated[int, typer.Option(min=1, max=10_000, help="So many shards are converted at once.")] = 40,
    as_json: Json = False,
) -> None:
    """Reckon a night's bill and its wall time, beside Athena CTAS and Glue for the same bytes."""
    with errors_told(as_json=as_json):
        declared = read_pipeline(pipeline)
    shard_bytes = round(shard_mb * 2**20) if shard_mb else _shard_bytes(declared)
    prices, speed, source_bytes = load_prices(), throughput(BENCHMARKS), round(gb * 10**9)
    across_queries, across_share = _across(declared, source_bytes / speed.row_bytes)
    night = Night(
        source_bytes=source_bytes,
        shard_bytes=shard_bytes,
        sources=len(declared.sources),
        merges=len(declared.merge),
        reports=len([*(ROOT / "sql" / pipeline / "reports").glob("*.sql")]),
        across_queries=across_queries,
        across_share=across_share,
        memory_mb=memory_mb,
        concurrency=concurrency,
        retention_days=declared.retention_days,
    )
    bill = estimate(night, speed, prices)
    notes = [*_notes(declared, night, speed, shard_mb=shard_mb)]
    used = {name for item in (*bill.items, *bill.monthly, *bill.instead) for name in item.prices}
    facts = {
        "pipeline": pipeline,
        "gb": gb,
        "night": night.model_dump(),
        "throughput": speed.model_dump(),
        **bill.model_dump(),
        "prices": {name: prices.prices[name].model_dump() for name in sorted(used)},
        "notes": notes,
    }
    answer(facts, view=Group(*_parts(f"{pipeline}, {gb:g} GB a night", bill, speed, prices, notes)), as_json=as_json)


def throughput(benchmarks: Path) -> Throughput:
    """What one core was measured to convert of the benchmark's first file; a careful guess where there is none."""
    if not benchmarks.exists():
        return _NOT_MEASURED
    measured = json.loads(benchmarks.read_text("utf-8"))
    for row in measured["rows"]:
        if (row["contestant"], row["shape"], row["cores"]) == ("nightlake", "narrow", 1):
            return Throughput(
                mb_per_second=row["megabytes_per_second"],
                parquet_ratio=_ratio(row),
                row_bytes=_row_bytes(row),
                measured=f"{measured['measured_on']}, {measured['machine']}, one core, file 'narrow' of make bench",
            )
    return _NOT_MEASURED


def _ratio(row: Mapping[str, float]) -> float:
    size = row.get("source_megabytes")
    return row["parquet_megabytes"] / size if size else _USUAL_RATIO


def _row_bytes(row: Mapping[str, float]) -> float:
    size = row.get("source_megabytes")
    return size * 1e6 / row["rows"] if size else _USUAL_ROW_BYTES


def _across(pipeline: Pipeline, rows: float) -> tuple[int, float]:
    """The queries that check keys and relationships of so many rows, and the share of the columns that each reads."""
    dataset = _largest(pipeline)
    keys = {column for rule in queried_rules(dataset) for column in rule.columns}
    keys |= {column for relationship in dataset.relationships for column in relationship.columns}
    return len(across_parts(pipeline, {dataset.name: round(rows)})), len(keys) / len(dataset.columns)


def _largest(pipeline: Pipeline) -> Dataset:
    """The dataset that is reckoned to bring all bytes: the first of lines."""
    lines = [source.dataset for source in pipeline.sources if isinstance(source, LinesSource)]
    return next(dataset for dataset in pipeline.datasets if not lines or dataset.name == lines[0])


def _shard_bytes(pipeline: Pipeline) -> int:
    """The largest of the pipeline; one that is smaller than usual is meant for small files."""
    declared = (source.shard_bytes for source in pipeline.sources if isinstance(source, LinesSource))
    return max(_USUAL_SHARD_BYTES, *declared, 0)


def _notes(pipeline: Pipeline, night: Night, speed: Throughput, *, shard_mb: float | None) -> Iterator[str]:
    for source in pipeline.sources:
        if isinstance(source, LinesSource) and source.shard_bytes < night.shard_bytes and shard_mb is None:
            yield (
                f"{source.dataset} declares shard_bytes: {source.shard_bytes:,}, for small files. Reckoned with "
                f"{night.shard_bytes:,}; as declared, such a day would be {night.source_bytes // source.shard_bytes:,} "
                "shards: remove it before such days come."
            )
    yield (
        f"All bytes are reckoned as {_largest(pipeline).name}, {speed.row_bytes:.0f} bytes a row; the other sources as "
        "one shard each."
    )
    yield (
        f"Its keys and relationships are checked by {night.across_queries} statements, each of "
        f"{night.across_share:.0%} of its columns."
    )
    yield (
        "Merges, their audits and reports are reckoned to read all columns of the day, where most read few, and a "
        "merge to be as large as all that it reads."
    )


def _parts(title: str, bill: Estimate, speed: Throughput, prices: Prices, notes: list[str]) -> Iterator[RenderableType]:
    yield f"[bold]{title}[/]: {bill.shards:,} shards of {bill.seconds_a_shard:.2f} s"
    yield f"One core: {speed.mb_per_second:g} MB/s, measured {speed.measured}; a Lambda's network card gives 78."
    yield _table("One night", bill.items, prices, total=bill.usd)
    yield _wall(bill.wall_seconds)
    yield _table("Kept, a month, once as much is kept as ever will be", bill.monthly, prices)
    yield _table(
        f"The conversion alone, here {bill.conversion_usd:.4f}; by others, without checks", bill.instead, prices
    )
    for note in notes:
        yield Text(note)
    yield Text(f"Prices of {prices.region}; * is from memory, not from a source that was read (see --json).")


def _table(title: str, items: tuple[Item, ...], prices: Prices, *, total: float | None = None) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    table.add_column("")
    for heading in ("quantity", "unit", "USD"):
        table.add_column(heading, justify="left" if heading == "unit" else "right")
    for item in items:
        mark = "" if all(prices.prices[name].verified for name in item.prices) else " *"
        table.add_row(item.name, _told(item.quantity), item.unit, f"{item.usd:,.4f}{mark}")
    if total is not None:
        table.add_row("[bold]all", "", "", f"[bold]{total:,.4f}")
    return table


def _told(quantity: float) -> str:
    return f"{quantity:,.0f}" if quantity == round(quantity) or quantity > _WHOLE else f"{quantity:,.2f}"


def _wall(seconds: Mapping[str, Any]) -> Text:
    parts = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items() if name != "all")
    return Text(f"Wall time {seconds['all'] / 60:.1f} minutes: {parts}")
