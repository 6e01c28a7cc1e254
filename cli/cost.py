"""`nightlake cost`: what a night costs in AWS, how long each of its stages takes, and what it calls."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from nightlake.core.across_parts import across_parts
from nightlake.core.calls import calls
from nightlake.core.cost import Estimate, Night, estimate, needed_mb_per_second
from nightlake.core.load import Load
from nightlake.core.machine import CONVERT_CONCURRENCY
from nightlake.core.pipeline import Pipeline
from nightlake.core.prices import Item, Prices, load_prices
from nightlake.core.report_parameters import read_header
from nightlake.core.source_rules import queried_rules
from nightlake.core.table import tables
from nightlake.core.wall import Work
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.graph import night_graph
from cli.output import Json, answer, errors_told
from cli.paths import ROOT
from cli.pipelines import PipelineName, read_pipeline
from cli.volumes import loads, volumes

_WHOLE: Final = 100  # beyond it, quantities are told without fractions
_BAR: Final = 40
_LAMBDA_SECONDS: Final = 900


def cost(
    pipeline: PipelineName,
    *,
    gb: Annotated[
        list[str] | None,
        typer.Option(
            "--gb",
            help="Gigabytes (of 10^9 bytes) that a day brings: of all, as in 20, or of a source, as in users=20.",
            show_default="expected_gb of pipeline.yaml",
        ),
    ] = None,
    shard_mb: Annotated[
        float | None,
        typer.Option(
            help="About so many MiB are converted at once.",
            show_default="as the source says, and of lines 256 at least",
            min=1 / 16,
            max=1024,
        ),
    ] = None,
    memory_mb: Annotated[int, typer.Option(min=128, max=10_240, help="Memory of the function Convert, MiB.")] = 1769,
    concurrency: Annotated[
        int, typer.Option(min=1, max=10_000, help="So many shards of a source are converted at once.")
    ] = CONVERT_CONCURRENCY,
    database_mb: Annotated[
        float, typer.Option(min=1, help="What the disks of a database give, MB/s; RDS with gp3 gives 125 at least.")
    ] = 125,
    as_json: Json = False,
) -> None:
    """Reckon a night's bill, its wall time by stage and its calls, beside others that convert the same bytes."""
    with errors_told(as_json=as_json):
        declared = read_pipeline(pipeline)
        gigabytes = volumes(declared, gb or [])
        brought = loads(
            declared,
            gigabytes,
            shard_bytes=round(shard_mb * 2**20) if shard_mb else None,
            concurrency=concurrency,
            database_mb_per_second=database_mb,
        )
        night, made = _night(declared, brought, memory_mb)
    prices = load_prices()
    bill = estimate(night, made, prices)
    limit = 60.0 * declared.latency_minutes
    notes = [*_notes(night, bill, limit)]
    used = {name for item in (*bill.items, *bill.monthly, *bill.instead) for name in item.prices}
    facts = {
        "pipeline": pipeline,
        "gb": sum(gigabytes.values()),
        "limit_seconds": limit,
        "sources": [_source_facts(load, bill, limit) for load in brought],
        "night": night.model_dump(exclude={"loads"}),
        **bill.model_dump(),
        "prices": {name: prices.prices[name].model_dump() for name in sorted(used)},
        "notes": notes,
    }
    title = f"[bold]{pipeline}, {sum(gigabytes.values()):g} GB a night[/]: {bill.shards:,} shards"
    answer(facts, view=Group(title, *_parts(night, bill, prices, limit), *map(Text, notes)), as_json=as_json)


def _night(pipeline: Pipeline, brought: tuple[Load, ...], memory_mb: int) -> tuple[Night, Mapping[str, int]]:
    """What is reckoned, and the calls of the pipeline's own machine for it."""
    parquet = sum(load.parquet_bytes for load in brought)
    rows = {load.dataset: round(load.source_bytes / load.speed.row_bytes) for load in brought}
    across, share = len(across_parts(pipeline, rows)), _across_share(pipeline, brought)
    folder = ROOT / "sql" / pipeline.name
    headers = [read_header(file.read_text(encoding="utf-8")) for file in (folder / "reports").glob("*.sql")]
    views, reports = len([*(folder / "views").glob("*.sql")]), sum(header.is_nightly for header in headers)
    work = Work(
        tables=2 * sum(len(tables(dataset)) for dataset in pipeline.datasets) + 1,
        across=across,
        across_bytes=round(share * parquet / across),
        merges=len(pipeline.merge),
        views=views,
        reports=reports,
        statement_bytes=parquet,
    )
    merges = dict.fromkeys(("merges", "merged"), work.merges)
    items = {"tables": work.tables, "parts": across, "views": views, "reports": reports} | merges
    night = Night(
        loads=brought, work=work, across_share=share, memory_mb=memory_mb, retention_days=pipeline.retention_days
    )
    return night, calls(night_graph(pipeline.name), items, [load.shards for load in brought])


def _across_share(pipeline: Pipeline, brought: tuple[Load, ...]) -> float:
    """The share of the largest dataset's columns that checks of keys and relationships read."""
    dataset = pipeline.dataset(max(brought, key=lambda load: load.source_bytes).dataset)
    keys = {column for rule in queried_rules(dataset) for column in rule.columns}
    keys |= {column for relationship in dataset.relationships for column in relationship.columns}
    return len(keys) / len(dataset.columns)


def _source_facts(load: Load, bill: Estimate, limit: float) -> dict[str, Any]:
    return {
        "dataset": load.dataset,
        "kind": load.kind,
        "gb": load.source_bytes / 1e9,
        "shards": load.shards,
        "shard_bytes": load.shard_bytes,
        "seconds_a_shard": load.seconds_a_shard,
        "workers": load.workers,
        "connections": load.connections or None,
        "mb_per_second_given": load.workers * load.worker_mb_per_second,
        "mb_per_second_needed": needed_mb_per_second(load, bill, limit),
        "requests": load.requests or None,
        "throughput": load.speed.model_dump(),
    }


def _notes(night: Night, bill: Estimate, limit: float) -> Iterator[str]:
    for load in night.loads:
        if load.seconds_a_shard > _LAMBDA_SECONDS:
            yield (
                f"A shard of {load.dataset} would take {load.seconds_a_shard / 60:.0f} minutes, and a Lambda has 15: "
                "let it be cut smaller (shard_bytes, or snapshot: shard)."
            )
        if load.kind == "postgres" and load.extract_seconds > _LAMBDA_SECONDS:
            yield (
                f"Counting the rows of {load.dataset} would take {load.extract_seconds / 60:.0f} minutes, and Plan has "
                "15: the database needs faster disks (--database-mb), or the source fewer bytes a day."
            )
    if unsaid := [load.dataset for load in night.loads if not load.source_bytes]:
        yield (
            f"Nothing is said of how much {', '.join(unsaid)} bring; reckoned as one shard each (--gb "
            f"{unsaid[0]}=1, or expected_gb in pipeline.yaml)."
        )
    if bill.wall_seconds > limit:
        yield f"The night is late: it takes {bill.wall_seconds / 60:.1f} of {limit / 60:.0f} minutes."
    yield (
        f"Keys and relationships are checked by {night.work.across} statements, each of {night.across_share:.0%} of "
        "the columns."
    )
    yield (
        "Merges, their audits and reports are reckoned to read all columns of the day, where most read few, and a "
        "merge to be as large as all that it reads."
    )
    yield (
        "Not measured in AWS, but reckoned: 3 s for a cold start, 2 s for a task, 60 s and a second a GB for an Athena "
        "statement, 1 s and 1 MB for an API's answer; a database's rows are read twice, counted by Plan and converted."
    )


def _parts(night: Night, bill: Estimate, prices: Prices, limit: float) -> Iterator[RenderableType]:
    yield _sources(night, bill, limit)
    for load in night.loads:
        yield Text(f"{load.dataset}: {load.speed.mb_per_second:g} MB/s on one core, measured {load.speed.measured}.")
    yield Text("A Lambda's network card gives 78.")
    yield _timeline(bill, limit)
    yield _table("One night", bill.items, prices, total=bill.usd)
    made = ", ".join(f"{count:,} {name}" for name, count in bill.calls.items())
    yield Text(f"Calls of a good night, at most: {made}.")
    yield _table("A month, once as much is kept as ever will be", bill.monthly, prices)
    yield _table(
        f"The conversion alone, here {bill.conversion_usd:.4f}; by others, without checks", bill.instead, prices
    )
    yield Text(f"Prices of {prices.region}; * is from memory, not from a source that was read (see --json).")


def _sources(night: Night, bill: Estimate, limit: float) -> Table:
    table = Table(box=None)
    for heading in ("source", "kind"):
        table.add_column(heading)
    for heading in ("GB", "shards", "at once", "connections", "MB/s each", "MB/s given", "MB/s needed"):
        table.add_column(heading, justify="right")
    for load in night.loads:
        needed = needed_mb_per_second(load, bill, limit)
        table.add_row(
            load.dataset,
            load.kind,
            f"{load.source_bytes / 1e9:g}",
            f"{load.shards:,}",
            f"{load.workers:,}",
            f"{load.connections or ''}",
            f"{load.worker_mb_per_second:.0f}",
            f"{load.workers * load.worker_mb_per_second:,.0f}",
            "[red]more than there is" if needed is None else f"{needed:,.1f}",
        )
    return table


def _timeline(bill: Estimate, limit: float) -> Table:
    """Each stage as a bar from its beginning to its end; the whole width is what the contract allows."""
    late = bill.wall_seconds > limit
    end = max(limit, bill.wall_seconds)
    heading = f"Wall time: {bill.wall_seconds / 60:.1f} of {limit / 60:.0f} minutes"
    table = Table(title=heading, title_justify="left", title_style="bold red" if late else "bold", box=None)
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column(f"0 {'.' * (_BAR - 10)} {end / 60:.0f} min")
    for stage in bill.stages:
        before = round(stage.begins / end * _BAR)
        width = max(1, round(stage.ends / end * _BAR) - before)
        colour = "red" if stage.ends > limit else "cyan" if stage.source else "green"
        name = f"{stage.source}: {stage.name}" if stage.source else stage.name
        table.add_row(name, f"{stage.seconds:,.0f}", f"{' ' * before}[{colour}]{'█' * width}[/]")
    return table


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
