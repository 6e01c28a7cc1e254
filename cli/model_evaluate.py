"""Tries recipes on a file of interactions: how well each would recommend."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from nightlake.core.model.declaration import Evaluation, InteractionColumns, Recommender
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.directory import seekable
from cli.output import Json, answer, errors_told, progress

if TYPE_CHECKING:
    from nightlake.core.model.candidates import Result
    from nightlake.core.model.interactions import Interactions


def evaluate(
    file: Annotated[
        Path,
        typer.Argument(
            help="Who had what: text with any separator (.gz too) or Parquet.",
            exists=True,
            dir_okay=False,
            callback=seekable,
        ),
    ],
    *,
    user: Annotated[str, typer.Option(help="The column that says who.")],
    item: Annotated[str, typer.Option(help="The column that says what.")],
    count: Annotated[
        str | None,
        typer.Option(help="The column that says how often, or how much liked.", show_default="each row is 1"),
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(help="The column that says when: the newest are held out.", show_default="drawn by a hash"),
    ] = None,
    header: Annotated[
        bool, typer.Option("--header/--no-header", help="Without a header, columns are called 1, 2, 3.")
    ] = True,
    k: Annotated[int, typer.Option("-k", "--k", min=1, max=1000, help="So many recommendations are judged.")] = 10,
    holdout: Annotated[
        float, typer.Option(min=0.1, max=99.9, help="So much of each user's interactions is held out, in percent.")
    ] = 25.0,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="That of the bounds.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Draws what is drawn.")] = 0,
    as_json: Json = False,
) -> None:
    """Try every recipe on a file: precision, recall, nDCG, MAP and coverage beside popularity, with bounds."""
    from nightlake.core.model.candidates import MAX_LEARNED_USERS, choose, compare
    from nightlake.core.model.split import sample, split

    with errors_told(as_json=as_json):
        columns = InteractionColumns(dataset=file.name, user=user, item=item, count=count, order=tuple(order or ()))
        declared = _declared(columns, k=k, holdout=holdout, confidence=confidence, seed=seed)
        whole = _read(file, columns, header=header)
        found = sample(whole, MAX_LEARNED_USERS, seed=seed)
        train, held_out = split(found, holdout, seed=seed)
        with progress.status("reading") as status:
            results = compare(declared.candidates, train, held_out, declared, status.update)
            choice = choose(found, declared, status.update)
    facts = {
        "file": str(file),
        "users": len(whole.users),
        "items": len(whole.items),
        "interactions": len(whole),
        "left_out": whole.left_out,
        "learned_users": len(found.users),
        "judged_users": results[0].evaluation.users,
        "k": k,
        "holdout_percent": holdout,
        "held_out": "the newest" if order else "drawn by a hash",
        "confidence": confidence,
        "seed": seed,
        "chosen": choice.recipe.name,
        "chosen_recipe": choice.recipe.model_dump(),
        "reason": choice.reason,
        "recipes": [_facts(result) for result in results],
    }
    answer(facts, view=Group(_head(facts), _table(facts), Text(f"Chosen: {choice.reason}.")), as_json=as_json)


def _declared(columns: InteractionColumns, *, k: int, holdout: float, confidence: float, seed: int) -> Recommender:
    return Recommender.model_validate(
        {
            "interactions": columns,
            "users": {"dataset": columns.dataset, "key": columns.user},
            "items": {"dataset": columns.dataset, "key": columns.item},
            "delivers_to": "nobody",
            "evaluate": Evaluation(k=k, holdout_percent=holdout),
            "promote": {"confidence": confidence},
            "seed": seed,
        }
    )


def _read(file: Path, columns: InteractionColumns, *, header: bool) -> "Interactions":
    from nightlake.core.model.interactions import from_table

    from cli.table_file import read_table

    return from_table(read_table(file, header=header), columns)


def _facts(result: "Result") -> dict[str, Any]:
    gain = result.gain
    return {
        "name": result.recipe.name,
        "recipe": result.recipe.model_dump(),
        **result.evaluation.figures,
        "above_popularity": {"low": gain.low, "mean": gain.mean, "high": gain.high},
    }


def _head(facts: dict[str, Any]) -> str:
    of_some = f"; of {facts['learned_users']:,} users, drawn," if facts["learned_users"] < facts["users"] else ";"
    left_out = f" ({facts['left_out']:,} rows left out)" if facts["left_out"] else ""
    return (
        f"[bold]{facts['interactions']:,} interactions[/] of {facts['users']:,} users and {facts['items']:,} items"
        f"{left_out}{of_some} {facts['holdout_percent']:g} % of each user's held out, {facts['held_out']}; judged by "
        f"{facts['judged_users']:,} users"
    )


def _table(facts: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("recipe")
    for name in (f"P@{facts['k']}", "recall", "nDCG", "MAP", "cover", "above popularity"):
        table.add_column(name, justify="right", no_wrap=True)
    for recipe in facts["recipes"]:
        above = recipe["above_popularity"]
        table.add_row(
            Text(recipe["name"], "bold" if recipe["name"] == facts["chosen"] else ""),
            *(f"{recipe[name]:.4f}" for name in ("precision", "recall", "ndcg", "map", "coverage")),
            f"{above['low']:+.4f} to {above['high']:+.4f}" if above["high"] > above["low"] else "",
        )
    return table
