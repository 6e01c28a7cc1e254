"""`nightlake graph`: draws a pipeline's state machine as it is deployed, with retries, caught errors and waits."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from nightlake.core.graph import Graph, folded
from nightlake.core.graph import graph as graph_of
from nightlake.core.graph_mermaid import mermaid
from nightlake.core.machine import ModelMachine, read_templates, render, render_of_model

from cli.drawing import draw
from cli.errors import NoModelError, UnknownPictureError
from cli.output import Json, answer, errors_told
from cli.paths import ROOT
from cli.pipelines import PipelineName, read_pipeline


def graph(
    pipeline: PipelineName,
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the picture goes: FILE.svg, or FILE.mmd for Mermaid.", show_default="Mermaid, here"),
    ] = None,
    machine: Annotated[
        Literal["daily", "recommend", "retrain"],
        typer.Option(help="Its night, or what is done with its model."),
    ] = "daily",
    full: Annotated[
        bool, typer.Option("--full", help="Draw in every branch what may go wrong, and not only in the first alike.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Draw a pipeline's state machine as Mermaid or SVG, from the definition that is deployed."""
    with errors_told(as_json=as_json):
        whole = night_graph(pipeline) if machine == "daily" else _model_graph(pipeline, machine)
        shown = whole if full else folded(whole)
        picture = _picture(shown, out)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(picture, encoding="utf-8")
    parts = [*whole.whole.walk()]
    states, transitions = sum(len(part.nodes) for part in parts), sum(len(part.edges) for part in parts)
    if out is None and not as_json:
        typer.echo(picture, nl=False)
        return
    facts = {"pipeline": pipeline, "machine": machine, "out": out, "states": states, "transitions": transitions}
    view = f"{out}: {states} states, {transitions} transitions"
    answer({**facts, "graph": whole.model_dump()}, view=view, as_json=as_json)


def night_graph(pipeline: str) -> Graph:
    """The whole graph of a pipeline's night.

    Raises:
        PipelineUnknownError: there is no such pipeline.
        ContractError: its files have problems.
    """
    definition = render(read_pipeline(pipeline), read_templates(ROOT / "statemachines"))
    return graph_of(pipeline, definition)


def model_graph(kind: ModelMachine) -> Graph:
    """The whole graph of what is done with a model, which is the same for every pipeline that has one."""
    return graph_of(kind, render_of_model(kind, read_templates(ROOT / "statemachines")))


def _model_graph(pipeline: str, kind: ModelMachine) -> Graph:
    if read_pipeline(pipeline).model is None:
        raise NoModelError(f"Pipeline {pipeline!r} has no model, and so nothing that does {kind}: draw its night.")
    return model_graph(kind)


def _picture(graph: Graph, out: Path | None) -> str:
    kind = ".mmd" if out is None else out.suffix.lower()
    if kind == ".svg":
        return draw(graph)
    if kind == ".mmd":
        return mermaid(graph)
    raise UnknownPictureError(f"{out} would be a picture of an unknown kind: name a file that ends in .svg or .mmd.")
