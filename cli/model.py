"""`nightlake model`: the models that recommend: their versions, which of them serves, and how well recipes would."""

import typer

from cli.model_evaluate import evaluate
from cli.model_runs import recommend, retrain
from cli.model_versions import list_versions, promote, rollback, show

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command(name="list")(list_versions)
for command in (show, promote, rollback, retrain, recommend, evaluate):
    app.command()(command)


@app.callback()
def model() -> None:
    """List the versions of a model, promote one or roll back, train anew; try recipes on a file of your own."""
