"""`nightlake rollback`: publishes an earlier snapshot again, or a later one."""

import time
from typing import Annotated

import typer

from cli.cloud import OfStage, Stage, connect
from cli.functions import invoke
from cli.output import Json, answer, errors_told
from cli.pipelines import PipelineName, read_pipeline


def rollback(
    pipeline: PipelineName,
    to: Annotated[
        int | None, typer.Option(help="Number of a kept snapshot, back or forward.", show_default="the one before")
    ] = None,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Move a pipeline's tables, merges and reports back to an earlier snapshot at once, or forward again."""
    with errors_told(as_json=as_json):
        name = read_pipeline(pipeline).name
        cloud = connect(stage)
        function = cloud.outputs()["RollbackFunction"]
        started = time.monotonic()
        moved = invoke(cloud, function, {"pipeline": name} | ({} if to is None else {"to": to}))
        seconds = round(time.monotonic() - started, 1)
    if moved["from"] == moved["to"]:
        view = f"Snapshot {moved['to']} of {name} is published already."
    else:
        view = (
            f"Published is snapshot [bold]{moved['to']}[/] of {name} (before: {moved['from']}), after {seconds} s. "
            f"Back again: nightlake rollback {name} --to {moved['from']}"
        )
    answer({"pipeline": name, **moved, "seconds": seconds}, view=view, as_json=as_json)
