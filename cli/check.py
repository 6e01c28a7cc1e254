"""`nightlake check`: lints contracts, SQL and state machines, and says what is wrong in words a person can act on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from nightlake.core.errors import ContractError, Problem
from rich.markup import escape

from cli.output import FAILED, Json, answer
from cli.paths import ROOT


def check(
    root: Annotated[
        Path,
        typer.Option(help="A folder that holds pipelines/, sql/ and statemachines/.", exists=True, file_okay=False),
    ] = ROOT,
    as_json: Json = False,
) -> None:
    """Check contracts, SQL and state machines; each problem with file, line and reason. Ends with 1 on problems."""
    contracts = sorted(path for path in (root / "pipelines").glob("*") if path.is_dir())
    statements = sorted((root / "sql").rglob("*.sql"))
    folder = root / "statemachines"
    machines = sorted([*folder.glob("backfill.asl.json"), *folder.glob("rendered/**/*.asl.json")])
    problems = sorted(_told_from(root, problem) for problem in _problems(root, statements, machines))
    looked_at = f"{len(contracts)} pipelines, {len(statements)} SQL files, {len(machines)} state machines"
    lines = [f"[bold]{escape(problem.file)}:{problem.line}[/]: {escape(problem.reason)}" for problem in problems]
    lines.append(f"{len(problems)} problems in {looked_at}" if problems else f"{looked_at}: no problems")
    answer(
        {
            "problems": [vars(problem) for problem in problems],
            "pipelines": len(contracts),
            "sql": len(statements),
            "state_machines": len(machines),
        },
        view="\n".join(lines),
        as_json=as_json,
        code=FAILED if problems else 0,
    )


def _problems(root: Path, statements: list[Path], machines: list[Path]) -> Iterator[Problem]:
    from nightlake.core.asl import lint_asl
    from nightlake.core.contract import load_pipelines
    from nightlake.core.pipeline_sql import lint_pipeline_sql
    from nightlake.core.sql import lint_sql

    if not (root / "pipelines").is_dir():
        yield Problem(str(root / "pipelines"), 1, "there is no such folder: name a project's folder with --root")
        return
    try:
        for pipeline in load_pipelines(root / "pipelines"):
            yield from lint_pipeline_sql(root / "sql" / pipeline.name, pipeline)
    except ContractError as error:
        yield from error.problems
    for path in statements:
        yield from lint_sql(path)
    for path in machines:
        yield from lint_asl(path)


def _told_from(root: Path, problem: Problem) -> Problem:
    """The problem with its file as a person sees it from the root, short enough to read and right to open."""
    path = Path(problem.file)
    return replace(problem, file=str(path.relative_to(root))) if path.is_relative_to(root) else problem
