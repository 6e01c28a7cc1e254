"""`nightlake env`: the variables with which AWS's own tools and libraries, notebooks too, find a stage."""

import os
import shlex

import typer

from cli.cloud import OfStage, Stage, connect
from cli.output import Json, answer, errors_told

_STAGE = "NIGHTLAKE_STAGE"


def env(
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Print the variables with which AWS's tools, libraries and notebooks find a stage: eval "$(nightlake env)"."""
    with errors_told(as_json=as_json):
        endpoint = connect(stage).endpoint
    variables = {_STAGE: stage.value} | (endpoint.environment() if endpoint else {})
    # A profile or a session of the caller's would win over the keys of the local AWS.
    removed = sorted(name for name in os.environ if name.startswith("AWS_") and name not in variables and endpoint)
    if as_json:
        answer({"stage": stage, "environment": variables, "unset": removed}, view="", as_json=True)
        return
    # A shell reads it: nothing is folded or coloured.
    for name in removed:
        typer.echo(f"unset {name}")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
