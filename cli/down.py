"""`nightlake down`: stops the local AWS."""

from typing import Annotated

import typer
from local import aws as local_aws

from cli.output import Json, answer, errors_told
from cli.paths import HOME


def down(
    forget: Annotated[bool, typer.Option("--forget", help="Also delete all that was deployed and stored.")] = False,
    as_json: Json = False,
) -> None:
    """Stop the local AWS and its workers; what was deployed is kept for the next `up`."""
    with errors_told(as_json=as_json):
        stopped = local_aws.stop(HOME)
        if forget:
            local_aws.clean(HOME)
    view = "The local AWS is stopped." if stopped else "The local AWS was not running."
    answer({"stopped": stopped, "forgotten": forget}, view=view, as_json=as_json)
