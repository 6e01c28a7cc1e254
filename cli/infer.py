"""`nightlake infer`: what a file looks like, as a contract that a person then edits."""

import json
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from nightlake.core.dataset_compiler import table_fault

from cli.directory import read_range, seekable
from cli.output import Json, errors_told, progress


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


def infer(
    file: Annotated[
        Path, typer.Argument(help="A sample of what is delivered.", exists=True, dir_okay=False, callback=seekable)
    ],
    *,
    dataset: Annotated[str, typer.Option(help="What the dataset, and its table, will be called.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="How the file is written.", show_default="told by its content")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Where to write the pipeline.yaml that reads such files.", show_default="not written"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose a contract (on standard output) from the head, middle and tail of a file: CSV, JSON, Parquet."""
    from nightlake.core.infer.proposal import propose
    from nightlake.core.infer.written import contract_text, pipeline_text

    if fault := table_fault(dataset):
        raise typer.BadParameter(fault, param_hint="--dataset")
    with errors_told(as_json=as_json):
        size, stream = file.stat().st_size, partial(read_range, file)
        proposal = propose(dataset, size, stream, where=file.name, form=None if form is None else form.value)
        contract, read = contract_text(proposal, looked_at=file.name), pipeline_text(proposal.source)
        if source is not None:
            source.write_text(read, "utf-8")
            progress.print(f"{source}: how such files are read")
    if as_json:
        facts = {"rows": proposal.rows, "whole": proposal.whole, "odd": proposal.odd, "left_out": proposal.left_out}
        typer.echo(json.dumps({"ok": True, **facts, "contract": contract, "pipeline": read}, indent=2))
    else:
        typer.echo(contract, nl=False)
