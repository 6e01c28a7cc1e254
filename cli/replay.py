"""`nightlake replay`: a past day through today's contract and code, and what became of its refused rows."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from nightlake.core.dates import parse_date
from nightlake.core.run_record import SourceRecord
from rich.console import Group, RenderableType
from rich.table import Table

from cli.cloud import OfStage, Stage, connect
from cli.lake import lake_of, last_record
from cli.night import run_night
from cli.output import FAILED, Json, answer, errors_told
from cli.pipelines import PipelineName, read_pipeline
from cli.run import summary


def replay(
    pipeline: PipelineName,
    *,
    date: Annotated[str, typer.Option(help="Business date YYYY-MM-DD.")],
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Send a day's refused rows through the gates again after a fix. Ends with 1 where the night fails.

    The raw files are kept, so this is a run of the day; what neither contract, code nor delivery changed is reused.
    """
    with errors_told(as_json=as_json):
        name, day = read_pipeline(pipeline).name, parse_date(date)
        cloud = connect(stage)
        before = last_record(lake_of(cloud), name, day)
        night = run_night(cloud, name, {"date": date})
        facts = night.facts(cloud)
    after = {source.dataset: source for source in night.record.sources} if night.record else {}
    refused = [_compared(source, after.get(source.dataset)) for source in before.sources]
    changed = any(source["converted"] for source in refused)
    replayed = {"run_before": before.run_id, "changed": changed, "refused": refused}
    view = Group(summary(facts), *_parts(refused, changed=changed))
    answer(facts | {"replay": replayed}, view=view, as_json=as_json, code=0 if night.ended.good else FAILED)


def _compared(before: SourceRecord, after: SourceRecord | None) -> dict[str, Any]:
    """How a source's refused rows changed; `converted` are the shards that were not as the run before left them."""
    now = after or SourceRecord(dataset=before.dataset, status="rejected")
    return {
        "dataset": before.dataset,
        "refused_before": before.quarantined,
        "refused_now": now.quarantined,
        "rows_before": before.rows,
        "rows_now": now.rows,
        "converted": now.shards - now.reused,
    }


def _parts(refused: list[dict[str, Any]], *, changed: bool) -> Iterator[RenderableType]:
    table = Table(title="Refused rows", title_justify="left", title_style="bold", box=None)
    table.add_column("source", no_wrap=True)
    for heading in ("refused before", "refused now", "rows before", "rows now", "shards converted"):
        table.add_column(heading, justify="right")
    for source in refused:
        table.add_row(*(value if isinstance(value, str) else f"{value:,}" for value in source.values()))
    yield table
    if not changed:
        yield "Neither contract, code nor delivery changed since they were converted: nothing could pass that did not."
