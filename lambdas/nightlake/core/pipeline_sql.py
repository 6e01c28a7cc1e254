"""Lints the SQL of one pipeline as a whole: each file is where it will be run, and can be bound to a run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import sqlglot

from nightlake.core.errors import Problem
from nightlake.core.page.plot import plot_faults
from nightlake.core.pipeline import Pipeline
from nightlake.core.report_parameters import read_header
from nightlake.core.sql import lint_sql
from nightlake.core.sql_files import FOLDERS, Folder
from nightlake.core.sql_reading import Fault, read
from nightlake.core.statement import KINDS, readable
from nightlake.core.table import tables
from nightlake.core.wording import identifier_fault, nearest

_GENERATED: Final = "tables"


def lint_pipeline_sql(folder: Path, pipeline: Pipeline) -> tuple[Problem, ...]:
    """What is wrong with the files below `sql/<pipeline>`, beyond what `lint_sql` says of each by itself."""
    views = [file.stem for file in sorted((folder / "views").glob("*.sql"))]
    return tuple(
        Problem(str(file), fault.line, fault.reason)
        for file in sorted(folder.rglob("*.sql"))
        for fault in _faults(file, file.relative_to(folder).parent.as_posix(), pipeline, views)
    )


def _faults(file: Path, place: str, pipeline: Pipeline, views: list[str]) -> Iterable[Fault]:
    if place == _GENERATED:
        return ()
    folder = next((folder for folder in FOLDERS if folder == place), None)
    if folder is None:
        return (Fault(line=1, reason=f"nothing runs the files of {place!r}: {nearest(place, FOLDERS)}"),)
    if wrong := _name_fault(folder, file.stem, pipeline):
        return (Fault(line=1, reason=wrong),)
    if lint_sql(file):
        return ()
    kind, text = KINDS[folder], file.read_text(encoding="utf-8")
    faults = read(text, kind=kind, name=file.stem, readable=readable(kind, file.stem, pipeline, views)).faults
    return (*faults, *_plot_faults(text)) if folder == "reports" else faults


def _plot_faults(text: str) -> Iterable[Fault]:
    tree = sqlglot.parse_one(text, read="athena")
    columns = tree.named_selects if isinstance(tree, sqlglot.exp.Query) else []
    return (Fault(line=line, reason=reason) for line, reason in plot_faults(read_header(text), columns))


def _name_fault(folder: Folder, name: str, pipeline: Pipeline) -> str | None:
    if reason := identifier_fault(name):
        return f"the file's name {reason}"
    if folder == "merge" and name not in pipeline.merge:
        return f"pipeline.yaml does not merge it: add {name} to `merge`"
    if folder == "views" and name in _tables(pipeline):
        return f"there is a table {name} already: call the view otherwise"
    return None


def _tables(pipeline: Pipeline) -> set[str]:
    return {table.name for dataset in pipeline.datasets for table in tables(dataset)} | set(pipeline.merge)
