"""`nightlake gc`: lets go of what no kept snapshot names."""

from typing import Annotated

import typer

from cli.cloud import OfStage, Stage, connect
from cli.functions import invoke
from cli.output import Json, answer, errors_told, facts_table
from cli.pipelines import PipelineName, read_pipeline


def gc(
    pipeline: PipelineName,
    keep: Annotated[int, typer.Option(min=1, help="How many of the newest snapshots stay.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Keep the newest snapshots and the published one; objects that none of them names are marked to expire."""
    with errors_told(as_json=as_json):
        name = read_pipeline(pipeline).name
        cloud = connect(stage)
        function = cloud.outputs()["CollectGarbageFunction"]
        counts = invoke(cloud, function, {"pipeline": name, "keep": keep, "dry_run": dry_run})
    facts = [(key.replace("_", " "), f"{value:,}") for key, value in counts.items() if key != "dry_run"]
    title = f"{name}: {'would go' if dry_run else 'gone'}"
    answer({"pipeline": name, "dry_run": dry_run, **counts}, view=facts_table(facts, title=title), as_json=as_json)
