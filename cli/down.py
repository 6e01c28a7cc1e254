"""`nightlake down`: stops the local AWS, and the outside world beside it."""

from typing import Annotated

import typer
from local import aws as local_aws
from local import world

from cli.output import Json, answer, errors_told
from cli.paths import HOME


def down(
    forget: Annotated[bool, typer.Option("--forget", help="Also delete all that was deployed and stored.")] = False,
    as_json: Json = False,
) -> None:
    """Stop the local AWS, its workers and what runs beside it; what was deployed is kept for the next `up`."""
    with errors_told(as_json=as_json):
        stopped = local_aws.stop(HOME)
        sources = world.stop(HOME)
        if forget:
            world.forget(HOME)
            local_aws.clean(HOME)
    view = "The local AWS is stopped." if stopped else "The local AWS was not running."
    if sources:
        view += f" Stopped beside it: {', '.join(sources)}."
    answer({"stopped": stopped, "sources": sources, "forgotten": forget}, view=view, as_json=as_json)
