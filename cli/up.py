"""`nightlake up`: starts the local AWS, and the outside world that the pipelines read."""

from typing import Annotated

import typer
from local import aws as local_aws
from local import world

from cli.output import Json, answer, errors_told
from cli.paths import HOME, ROOT


def up(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.", show_default="4566")
    ] = None,
    iam: Annotated[
        bool | None, typer.Option("--iam/--no-iam", help="Enforce IAM policies, over TLS.", show_default="no-iam")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the local AWS and what the pipelines read, or find it running; what was deployed before is there again."""
    from nightlake.core.contract import load_pipelines

    with errors_told(as_json=as_json):
        endpoint = local_aws.start(HOME, port, iam=iam)
        world.start(HOME, load_pipelines(ROOT / "pipelines"), endpoint.client("secretsmanager"))
        parts = world.parts(HOME)
    mode = "IAM enforced, over TLS" if endpoint.iam else "IAM not enforced"
    lines = [f"The local AWS runs at [bold]{endpoint.url}[/] (pid {endpoint.pid}, {mode})."]
    answer(
        endpoint.model_dump(mode="json") | {"sources": [part._asdict() for part in parts]},
        view="\n".join([*lines, *(f"Beside it: {part.name} at {part.where}." for part in parts)]),
        as_json=as_json,
    )
