"""The `nightlake` command: one Typer app, one file per command."""

import typer

from cli.lazy import LazyGroup

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def nightlake() -> None:
    """Nightlake: the daily serverless data lake, on this machine and in AWS."""


def main() -> None:
    """Entry point of the console script."""
    app()
