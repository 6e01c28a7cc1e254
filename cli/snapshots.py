"""`nightlake snapshots`: what was published, and what is."""

from typing import Any

from rich.table import Table

from cli.cloud import OfStage, Stage, connect
from cli.lake import lake_of
from cli.output import Json, answer, errors_told
from cli.pipelines import PipelineName, read_pipeline


def snapshots(
    pipeline: PipelineName,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """List the snapshots that are published or can be again, newest first."""
    with errors_told(as_json=as_json):
        name = read_pipeline(pipeline).name
        head = lake_of(connect(stage)).head(name)
    kept = [
        snapshot.model_dump(mode="json") | {"published": snapshot.number == head.snapshot}
        for snapshot in reversed(head.kept)
    ]
    answer({"pipeline": name, "published": head.snapshot, "snapshots": kept}, view=_view(name, kept), as_json=as_json)


def _view(pipeline: str, kept: list[dict[str, Any]]) -> Table:
    table = Table(title=f"Snapshots of {pipeline}", title_justify="left", title_style="bold", box=None)
    for column in ("", "number", "date", "run", "created"):
        table.add_column(column, justify="right" if column == "number" else "left", no_wrap=True)
    for snapshot in kept:
        mark = "[green]published[/]" if snapshot["published"] else ""
        table.add_row(mark, str(snapshot["number"]), snapshot["date"], snapshot["run_id"], snapshot["created_at"][:16])
    return table
