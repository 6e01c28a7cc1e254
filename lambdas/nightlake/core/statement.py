"""Binds one SQL text to a run: its day, its tables and where it writes. All else stays as its author wrote it.

The parsed tree says what each word is and where it stands, and only those words of the text are replaced.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final

from sqlglot import exp
from sqlglot.errors import SqlglotError

from nightlake.core import layout
from nightlake.core.databases import Databases
from nightlake.core.errors import StatementError
from nightlake.core.frozen import Frozen
from nightlake.core.merge_attempt import MergeAttempt
from nightlake.core.pipeline import Pipeline
from nightlake.core.report_parameters import defaults, literal
from nightlake.core.sql_files import Folder
from nightlake.core.sql_reading import Kind, Reading, read
from nightlake.core.table import PARTITION_KEYS, tables

KINDS: Final[Mapping[Folder, Kind]] = {"merge": "merge", "audits": "audit", "views": "view", "reports": "report"}
_STAGED: Final = frozenset(("across", "merge", "audit"))  # they read a run's own rows, before those are published


class RunDay(Frozen):
    """The run that a statement is for."""

    date: date
    run_id: str


class Statement(Frozen):
    """A complete statement and the database to run it in; a merge has an `attempt`.

    `parameters` are the literals that its question marks stand for, in their order.
    """

    name: str
    query: str
    database: str
    attempt: MergeAttempt | None = None
    parameters: tuple[str, ...] = ()


def readable(kind: Kind, name: str, pipeline: Pipeline, views: Collection[str] = ()) -> tuple[str, ...]:
    """The tables that a statement may read: datasets, and what is made before it.

    Private tables are for the checks across datasets only: what a merge or a report took from them, all could read.
    """
    if kind == "across":
        return tuple(table.name for dataset in pipeline.datasets for table in tables(dataset))
    made = pipeline.merge[: pipeline.merge.index(name)] if kind == "merge" else pipeline.merge
    return (*(dataset.name for dataset in pipeline.datasets), *made, *(sorted(views) if kind == "report" else ()))


def render(
    text: str,
    *,
    kind: Kind,
    name: str,
    run: RunDay,
    pipeline: Pipeline,
    databases: Databases,
    lake_bucket: str,
    suffix: str,
    views: Collection[str] = (),
    attempts: Collection[MergeAttempt] = (),
    values: Mapping[str, Any] | None = None,
) -> Statement:
    """The statement of a text whose file is `name`; `suffix` makes the table and the place of a merge's attempt new.

    `views` are those of the pipeline, `attempts` the newest of each merge of this run, for what reads them before
    they are published. `values` are those of a report's parameters, which then become question marks; without them, it
    is bound to its defaults. Raises StatementError naming the file, the line and what to do.
    """
    where = f"{kind} '{name}' of pipeline '{pipeline.name}'"
    try:
        reading = read(text, kind=kind, name=name, readable=readable(kind, name, pipeline, views))
    except SqlglotError as error:
        raise StatementError(f"The {where} is not Athena SQL, mend the file and deploy again: {error}") from error
    if reading.faults:
        raise StatementError("\n".join(f"The {where}, line {each.line}, {each.reason}" for each in reading.faults))
    staged = {each.merge: each.table for each in attempts} if kind in _STAGED else {}
    if kind in _STAGED and (unmade := sorted((reading.names & set(pipeline.merge)) - staged.keys())):
        raise StatementError(f"The {where} reads {', '.join(unmade)}, which this run has not made; merge it first")
    database = databases.staging if kind in _STAGED else databases.served
    attempt = None
    if kind == "merge":
        location = layout.merged(pipeline.name, name, run.run_id, suffix)
        attempt = MergeAttempt(merge=name, table=f"{name}__{suffix}", location=location)
    edits = {span(literal): f"'{run.date:{form}}'" for literal, form in reading.days}
    edits |= {span(table.this): _read_from(table, database, staged) for table in reading.tables}
    if reading.created is not None:
        made = f'"{database}"."{attempt.table}" {_properties(lake_bucket, attempt)}' if attempt else None
        edits[span(reading.created)] = made or f'"{database}"."{name}"'
    literals = _literals(reading, values if values is not None else _defaults(reading, run.date, where))
    written = literals if values is None else ("?",) * len(literals)
    edits |= {place: text for (place, _), text in zip(reading.parameters, written, strict=True)}
    return Statement(
        name=name,
        query=edited(text, edits),
        database=database,
        attempt=attempt,
        parameters=literals if values is not None else (),
    )


def _literals(reading: Reading, values: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands for the parameters of a text, place by place."""
    kinds = {parameter.name: parameter.kind for parameter in reading.header.parameters}
    return tuple(literal(kinds[name], values[name]) for _, name in reading.parameters)


def _defaults(reading: Reading, day: date, where: str) -> Mapping[str, Any]:
    found = defaults(reading.header, day)
    if found is None:
        missing = ", ".join(each.name for each in reading.header.parameters if each.default is None)
        raise StatementError(f"The {where} has no default of {missing}, so no night can run it; ask the API for it")
    return found


def _read_from(table: exp.Table, database: str, staged: Mapping[str, str]) -> str:
    """The table with its database; one of another name keeps, as an alias, what the text's columns are qualified by."""
    name = table.name.lower()
    alias = f' AS "{name}"' if name in staged and not table.alias else ""
    return f'"{database}"."{staged.get(name, name)}"{alias}'


def _properties(lake_bucket: str, attempt: MergeAttempt) -> str:
    """How every merge is written: https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html."""
    keys = ", ".join(f"'{key}'" for key in PARTITION_KEYS)
    return (
        "WITH (format = 'PARQUET', write_compression = 'SNAPPY', "
        f"external_location = 's3://{lake_bucket}/{attempt.location}', partitioned_by = ARRAY[{keys}])"
    )


def span(node: exp.Expr) -> tuple[int, int]:
    """Where a word stands in the text: its start, and its end behind it."""
    return node.meta["start"], node.meta["end"] + 1


def edited(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    """The text with other words at these spans, which do not overlap."""
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text
