"""The versions of a pipeline's model, as commands list them, show them, and make one of them champion."""

import getpass
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from nightlake.core import layout
from nightlake.core.errors import ModelNotFoundError
from nightlake.core.model.model_record import Champion, Metrics, ModelRecord, ModelVerdict, Scored
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.cloud import OfStage, Stage, connect
from cli.functions import invoke
from cli.lake import Lake, lake_of
from cli.output import Json, answer, errors_told, facts_table
from cli.pipelines import PipelineName, read_model

_RECIPE_WIDTH: Final = 18

Reason = Annotated[str, typer.Option(help="Why; it stays in the history.")]


def list_versions(pipeline: PipelineName, stage: OfStage = Stage.LOCAL, as_json: Json = False) -> None:
    """List the versions of a pipeline's model, the newest first: how each did, and which is champion."""
    with errors_told(as_json=as_json):
        read_model(pipeline)
        lake = lake_of(connect(stage))
        champion = lake.find(layout.champion(pipeline), Champion)
        versions = [_version(lake, pipeline, number, champion) for number in reversed(_numbers(lake, pipeline))]
    facts = {"pipeline": pipeline, "champion": champion.version or None if champion else None, "versions": versions}
    view = _table(pipeline, versions) if versions else f"The model of {pipeline} has no version yet: {_how(pipeline)}"
    answer(facts, view=view, as_json=as_json)


def show(
    pipeline: PipelineName,
    version: Annotated[int | None, typer.Argument(help="Which.", show_default="the champion", min=1)] = None,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Show how a version came about, how it was judged, what it published; and who was champion when."""
    with errors_told(as_json=as_json):
        read_model(pipeline)
        lake = lake_of(connect(stage))
        champion = lake.find(layout.champion(pipeline), Champion)
        number = version or (champion.version if champion else 0)
        if not number:
            raise ModelNotFoundError(f"The model of {pipeline} has no champion yet: {_how(pipeline)}")
        shown = _version(lake, pipeline, number, champion)
    moves = [move.model_dump() for move in reversed(champion.history)] if champion else []
    answer(shown | {"history": moves}, view=Group(*_shown(shown, moves)), as_json=as_json)


def promote(
    pipeline: PipelineName,
    version: Annotated[int, typer.Argument(help="The version that shall be champion.", min=1)],
    *,
    reason: Reason = "asked",
    force: Annotated[bool, typer.Option("--force", help="Even one that was not judged good.")] = False,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Make a version champion: from now on it scores, and the API answers from what it published."""
    _move(pipeline, {"version": version, "reason": reason, "force": force}, stage, as_json=as_json)


def rollback(
    pipeline: PipelineName,
    *,
    reason: Reason = "rolled back",
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Make the champion before this one champion again: the API answers from what it published at once."""
    _move(pipeline, {"reason": reason}, stage, as_json=as_json)


def _move(pipeline: str, asked: Mapping[str, Any], stage: Stage, *, as_json: bool) -> None:
    with errors_told(as_json=as_json):
        read_model(pipeline)
        cloud = connect(stage)
        function = cloud.outputs()["PromoteModelFunction"]
        found = lake_of(cloud).find(layout.champion(pipeline), Champion)
        before = found.version if found else None
        started = time.monotonic()
        moved = invoke(cloud, function, {"pipeline": pipeline, "by": getpass.getuser(), **asked})
        seconds = round(time.monotonic() - started, 1)
        scored = _scored(lake_of(cloud), pipeline, moved["champion"])
    facts = {
        "pipeline": pipeline,
        "champion": moved["champion"],
        "before": before,
        "scored": scored,
        "seconds": seconds,
    }
    answer(facts, view=Group(*_moved(facts)), as_json=as_json)


def _moved(facts: Mapping[str, Any]) -> Iterator[str]:
    name, champion, before = facts["pipeline"], facts["champion"], facts["before"]
    if not champion:
        yield f"[bold]{name} has no champion[/] (before: {before}), after {facts['seconds']} s."
        yield "The API answers with what is popular; the next night trains anew."
    elif champion == before:
        yield f"Version {champion} is champion of {name} already."
    else:
        told = f"(before: {before or 'none'}), after {facts['seconds']} s."
        yield f"Champion of {name} is version [bold]{champion}[/] {told}"
    scored = facts["scored"]
    if scored and champion:
        yield f"The API answers from what it published for {scored['date']}."
    if champion and (not scored or not scored["newest"]):
        why = "More is published by now" if scored else "It has published nothing yet"
        yield f"{why}: nightlake model recommend {name}"
    if before and before != champion:
        yield f"Back again: nightlake model promote {name} {before}"


def _numbers(lake: Lake, pipeline: str) -> list[int]:
    """The versions that there are, in their order: those with a record."""
    return layout.numbered_versions(pipeline, lake.keys(layout.model_versions(pipeline)), "record.json")


def _scored(lake: Lake, pipeline: str, version: int) -> dict[str, Any] | None:
    """What the version published last, and whether that is of the newest snapshot."""
    found = lake.find(layout.scored(pipeline, version), Scored)
    if found is None:
        return None
    told = found.model_dump(mode="json", include={"date", "run_id", "publisher", "snapshot"})
    return told | {"newest": found.of == lake.head(pipeline).snapshot}


def _version(lake: Lake, pipeline: str, number: int, champion: Champion | None) -> dict[str, Any]:
    """All that is known of a version.

    Raises:
        ModelNotFoundError: there is none of this number.
    """
    record = lake.find(layout.model_record(pipeline, number), ModelRecord)
    if record is None:
        there = ", ".join(map(str, reversed(_numbers(lake, pipeline)))) or "none"
        raise ModelNotFoundError(f"The model of {pipeline} has no version {number} (it has: {there})")
    verdict = lake.find(layout.model_verdict(pipeline, number), ModelVerdict)
    scored = lake.find(layout.scored(pipeline, number), Scored)
    return {
        **record.model_dump(mode="json"),
        "recipe_name": record.recipe.name,
        "champion": champion is not None and champion.version == number,
        "verdict": verdict.model_dump(mode="json") if verdict else None,
        "scored": scored.model_dump(mode="json") if scored else None,
    }


def _table(pipeline: str, versions: list[dict[str, Any]]) -> Table:
    table = Table(
        title=f"Model of {pipeline}", title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0)
    )
    for name in ("version", "until", "recipe", "precision", "popularity", "", "published"):
        numeric = name in ("version", "precision", "popularity")
        table.add_column(
            name,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=name != "recipe",
            min_width=_RECIPE_WIDTH if name == "recipe" else None,
        )
    for version in versions:
        verdict, scored = version["verdict"], version["scored"]
        tested = (
            (verdict["challenger"], verdict["popularity"]) if verdict else (version["metrics"], version["baseline"])
        )
        table.add_row(
            str(version["version"]),
            version["date"],
            version["recipe_name"],
            *(f"{each['precision']:.4f}" for each in tested),
            _standing(version),
            scored["date"] if scored else "",
        )
    return table


def _standing(version: Mapping[str, Any]) -> str:
    if version["champion"]:
        return "[green]champion[/]"
    if version["verdict"] is None:
        return "unjudged"
    return "good" if version["verdict"]["promote"] else "[red]rejected[/]"


def _shown(version: Mapping[str, Any], moves: list[dict[str, Any]]) -> Iterator[RenderableType]:
    verdict, scored = version["verdict"], version["scored"]
    champion = "champion" if version["champion"] else "not champion"
    facts = [
        ("recipe", version["recipe_name"]),
        ("", version["chosen_because"]),
        ("learned from", f"snapshot {version['snapshot']}, until {version['date']}"),
        ("", f"{version['events']:,} pairs of {version['users']:,} users and {version['items']:,} items"),
        ("trained", f"{version['created_at']}, {version['reason']}, run {version['run_id']}"),
        ("code, contract", f"{version['code_version']:.12}, {version['contract_hash']:.12}"),
        (
            "published",
            f"snapshot {scored['snapshot']} of {scored['publisher']}, {scored['date']}" if scored else "never",
        ),
    ]
    yield facts_table(facts, title=f"Version {version['version']} of the model of {version['pipeline']}, {champion}")
    if verdict:
        yield _compared(verdict)
        told = "good" if verdict["promote"] else "rejected"
        yield Text(f"Judged {told} on {verdict['at']:.10}: {'; '.join(verdict['reasons'])}")
    for move in moves:
        yield Text(f"{move['at']:.16} version {move['version']} after {move['previous'] or 'none'}: {move['reason']}")


def _compared(verdict: Mapping[str, Any]) -> Table:
    """The version beside the champion of its time and popularity, on the same."""
    rows = {"this version": "challenger", f"version {verdict['against']}": "champion", "popularity": "popularity"}
    names = [name for name in Metrics.model_fields if name not in ("k", "users")]
    table = Table(box=None)
    table.add_column(f"of {verdict['challenger']['users']:,} users, the first {verdict['challenger']['k']}")
    for name in names:
        table.add_column(name, justify="right")
    for title, field in rows.items():
        if verdict[field] is not None:
            table.add_row(title, *(f"{verdict[field][name]:.4f}" for name in names))
    return table


def _how(name: str) -> str:
    return f"a night trains one, and so does nightlake model retrain {name}"
