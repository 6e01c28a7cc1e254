"""How every command answers: one JSON object or one view, errors as sentences, an exit code that scripts can use.

Exit codes: 0 all is well; 1 the command found or met something wrong; 2 wrong usage (Typer's own);
3 this machine is not ready for the command (a tool is missing, the local AWS is not running).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from nightlake.core.errors import NightlakeError
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.errors import AwsRefusedError, AwsUnreachableError, NotReadyError

FAILED = 1
NOT_READY = 3

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a view for people.")]

screen = Console()
progress = Console(stderr=True)
"""Progress goes to standard error, so that standard output is the answer alone."""


def facts_table(facts: Iterable[tuple[str, str]], *, title: str | None = None) -> Table:
    """Names beside values; a long value is folded, never cut: an address must be whole to be of use."""
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, escape(value))
    return table


def answer(data: Mapping[str, Any], *, view: RenderableType, as_json: bool, code: int = 0) -> None:
    """Prints the command's one answer, and ends the command with `code` where that is not 0."""
    if as_json:
        typer.echo(json.dumps({"ok": code == 0, **data}, default=str, indent=2))
    else:
        # A line with an address or a command is copied whole.
        screen.print(view, soft_wrap=isinstance(view, (str, Group)))
    if code:
        raise typer.Exit(code)


@contextmanager
def errors_told(*, as_json: bool) -> Iterator[None]:
    """Turns a named error into a sentence (or JSON) and an exit code; anything else is a defect and is raised."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        try:
            yield
        except BotoCoreError as error:
            raise AwsUnreachableError(
                f"AWS cannot be asked: {error}. Set AWS_PROFILE and AWS_REGION (or sign in again), then try once more."
            ) from error
        except ClientError as error:
            raise AwsRefusedError(f"AWS refused: {error}. Check the credentials' account and rights.") from error
    except NightlakeError as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "error": type(error).__name__, "reason": str(error)}, indent=2))
        else:
            progress.print(f"[red]{type(error).__name__}[/]: {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(NOT_READY if isinstance(error, NotReadyError) else FAILED) from error
