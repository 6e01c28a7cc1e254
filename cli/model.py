"""`nightlake model`: the models that recommend, what they can and which of them serves."""

import typer

from cli.model_evaluate import evaluate

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command()(evaluate)


@app.callback()
def model() -> None:
    """Try recipes that recommend, on a file of your own."""
