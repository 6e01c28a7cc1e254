"""`nightlake report`: fetches the page that a run has left, with its reports, quality and cost, to look at."""

import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from nightlake.core import layout
from nightlake.core.dates import parse_date
from nightlake.core.run_record import RunRecord

from cli.cloud import OfStage, Stage, connect
from cli.errors import NoPageError
from cli.lake import lake_of, last_record
from cli.output import Json, answer, errors_told, facts_table
from cli.paths import HOME
from cli.pipelines import PipelineName, read_pipeline


def report(
    pipeline: PipelineName,
    *,
    date: Annotated[
        str | None, typer.Option(help="Business date YYYY-MM-DD.", show_default="that of the newest run")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the page goes.", show_default="among the pages of this checkout")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Fetch the page of a day's newest run: one HTML file with its reports, quality and cost."""
    with errors_told(as_json=as_json):
        lake = lake_of(connect(stage))
        record = last_record(lake, read_pipeline(pipeline).name, parse_date(date) if date else None)
        body = lake.read(layout.page(record.pipeline, record.date, record.run_id))
        if body is None:
            raise NoPageError(
                f"Run {record.run_id} of {record.pipeline} left no page. Run the date again: "
                f"nightlake run {record.pipeline}{f' --date {record.date}' if record.date else ''}"
            )
        file = (out or HOME / "pages" / stage / f"{record.pipeline}-{record.run_id}.html").resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    if open_it:
        webbrowser.open(file.as_uri())
    facts = _facts(record, file, len(body))
    answer(facts, view=facts_table(_lines(facts), title=f"{record.pipeline} {record.date or ''}"), as_json=as_json)


def _facts(record: RunRecord, file: Path, size: int) -> dict[str, Any]:
    return {
        "pipeline": record.pipeline,
        "date": record.date,
        "run_id": record.run_id,
        "outcome": record.outcome,
        "snapshot": record.snapshot,
        "reports": [{"name": each.name, "rows": each.rows} for each in record.reports],
        "page": file,
        "bytes": size,
    }


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    published = "nothing published" if facts["snapshot"] is None else f"snapshot {facts['snapshot']}"
    return [
        ("run", f"{facts['run_id']}: {facts['outcome']}, {published}"),
        *(("report", f"{each['name']}, {each['rows']:,} rows") for each in facts["reports"]),
        ("page", facts["page"].as_uri()),
    ]
