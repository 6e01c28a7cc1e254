"""The `nightlake` command: one Typer app, one file per command."""

import typer

from cli import (
    api,
    backfill,
    check,
    collect_garbage,
    convert,
    cost,
    deploy,
    doctor,
    down,
    graph,
    infer,
    quality,
    query,
    replay,
    report,
    rollback,
    run,
    seed,
    snapshots,
    status,
    up,
)

app = typer.Typer(
    help="Nightlake: the daily serverless data lake, on this machine and in AWS.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    up.up, deploy.deploy, seed.seed, run.run, quality.quality, report.report, query.query, backfill.backfill,
    snapshots.snapshots, rollback.rollback, replay.replay, collect_garbage.gc, status.status, check.check,
    infer.infer, convert.convert, graph.graph, cost.cost, doctor.doctor, down.down,
):  # fmt: skip
    app.command()(command)
app.add_typer(api.api, name="api")


def main() -> None:
    """Entry point of the console script."""
    app()
