"""`nightlake up`: starts the local AWS."""

from typing import Annotated

import typer
from local import aws as local_aws

from cli.output import Json, answer, errors_told
from cli.paths import HOME


def up(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.", show_default="4566")
    ] = None,
    iam: Annotated[
        bool | None, typer.Option("--iam/--no-iam", help="Enforce IAM policies, over TLS.", show_default="no-iam")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the local AWS, or find it running; what was deployed before is there again."""
    with errors_told(as_json=as_json):
        endpoint = local_aws.start(HOME, port, iam=iam)
    mode = "IAM enforced, over TLS" if endpoint.iam else "IAM not enforced"
    answer(
        endpoint.model_dump(mode="json"),
        view=f"The local AWS runs at [bold]{endpoint.url}[/] (pid {endpoint.pid}, {mode}).",
        as_json=as_json,
    )
