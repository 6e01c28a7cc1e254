"""Binds one SQL text to a run: its day, its tables and where it writes. All else stays as its author wrote it.

The parsed tree says what each word is and where it stands, and only those words of the text are replaced.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from nightlake.core import layout
from nightlake.core.define_table import Databases
from nightlake.core.errors import StatementError
from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Pipeline
from nightlake.core.sql_files import Folder
from nightlake.core.table import PARTITION_KEYS, tables

Kind = Literal["across", "merge", "audit", "view", "report"]

KINDS: Final[Mapping[Folder, Kind]] = {"merge": "merge", "audits": "audit", "views": "view", "reports": "report"}
PLACEHOLDER: Final = date(2000, 1, 1)
_STAGED: Final = frozenset(("across", "merge", "audit"))  # they read a run's own rows, before those are published
_CREATES: Final[Mapping[str, str]] = {"merge": "CREATE TABLE", "view": "CREATE OR REPLACE VIEW"}
_KEY_FORMATS: Final = dict(zip(PARTITION_KEYS, ("%Y", "%m", "%d"), strict=True))
_DATE: Final = re.compile(r"\d{4}-\d\d?-\d\d?\b")
_DAY_HINT: Final = "write year = '2000' AND month = '01' AND day = '01', or DATE '2000-01-01', for the run's day"


class RunDay(Frozen):
    """The run that a statement is for."""

    date: date
    run_id: str


class MergeAttempt(Frozen):
    """Where an attempt of a merge writes: a table of the staging database, and a key prefix of the lake bucket."""

    merge: str
    table: str
    location: str


class Statement(Frozen):
    """A complete statement and the database to run it in; a merge has an `attempt`."""

    name: str
    query: str
    database: str
    attempt: MergeAttempt | None = None


class Fault(Frozen):
    """What is wrong with a text: `line` counts from 1, `reason` says what to do."""

    line: int
    reason: str


def readable(kind: Kind, name: str, pipeline: Pipeline, views: Collection[str] = ()) -> tuple[str, ...]:
    """The tables that a statement may read: datasets, and what is made before it.

    Private tables are for the checks across datasets only: what a merge or a report took from them, all could read.
    """
    if kind == "across":
        return tuple(table.name for dataset in pipeline.datasets for table in tables(dataset))
    made = pipeline.merge[: pipeline.merge.index(name)] if kind == "merge" else pipeline.merge
    return (*(dataset.name for dataset in pipeline.datasets), *made, *(sorted(views) if kind == "report" else ()))


def faults(text: str, *, kind: Kind, name: str, readable: Collection[str]) -> tuple[Fault, ...]:
    """Why a text cannot be bound, in the order of its lines: what `render` refuses, for a linter.

    Raises sqlglot's SqlglotError when the text is not of Athena's grammar.
    """
    return _read(text, kind=kind, name=name, readable=readable).faults


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
) -> Statement:
    """The statement of a text whose file is `name`; `suffix` makes the table and the place of a merge's attempt new.

    `views` are those of the pipeline, `attempts` the newest of each merge of this run, for what reads them before
    they are published. Raises StatementError naming the file, the line and what to do.
    """
    where = f"{kind} '{name}' of pipeline '{pipeline.name}'"
    try:
        reading = _read(text, kind=kind, name=name, readable=readable(kind, name, pipeline, views))
    except SqlglotError as error:
        raise StatementError(f"The {where} is not Athena SQL, mend the file and deploy again: {error}") from error
    if reading.faults:
        raise StatementError("\n".join(f"The {where}, line {each.line}, {each.reason}" for each in reading.faults))
    database = databases.staging if kind in _STAGED else databases.served
    attempt = None
    if kind == "merge":
        location = layout.merged(pipeline.name, name, run.run_id, suffix)
        attempt = MergeAttempt(merge=name, table=f"{name}__{suffix}", location=location)
    names = {each: each for each in (*reading.names, name)}
    if kind in _STAGED:
        made = {each.merge: each.table for each in attempts}
        if unmade := sorted((reading.names & set(pipeline.merge)) - made.keys()):
            raise StatementError(f"The {where} reads {', '.join(unmade)}, which this run has not made; merge it first")
        names |= made
    edits = {_span(literal): f"'{run.date:{form}}'" for literal, form in reading.days}
    for table in reading.tables:
        known = table.name.lower()
        # A table of another name keeps the one that the text's columns are qualified by.
        alias = f' AS "{known}"' if names[known] != known and not table.alias else ""
        edits[_span(table.this)] = f'"{database}"."{names[known]}"{alias}'
    if reading.created is not None:
        target = f'"{database}"."{attempt.table if attempt else name}"'
        edits[_span(reading.created)] = f"{target} {_properties(lake_bucket, attempt)}" if attempt else target
    return Statement(name=name, query=_edited(text, edits), database=database, attempt=attempt)


@dataclass
class _Reading:
    """What stands where in a text."""

    tree: exp.Expr
    created: exp.Identifier | None = None
    tables: list[exp.Table] = field(default_factory=list)
    days: list[tuple[exp.Literal, str]] = field(default_factory=list)  # each with its strftime format
    found: list[Fault] = field(default_factory=list)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(sorted(self.found, key=lambda fault: fault.line))

    @property
    def names(self) -> set[str]:
        return {table.name.lower() for table in self.tables}

    def report(self, reason: str, at: exp.Expr | None = None) -> None:
        self.found.append(Fault(line=at.meta.get("line", 1) if at else 1, reason=reason))


def _read(text: str, *, kind: Kind, name: str, readable: Collection[str]) -> _Reading:
    reading = _Reading(sqlglot.parse_one(text, read="athena"))
    _read_shape(reading, kind, name)
    _read_tables(reading, readable)
    _read_keys(reading)
    _read_dates(reading)
    if kind == "merge" and not reading.days and not reading.found:
        reading.report(f"is for no day: {_DAY_HINT}")
    if kind == "view" and reading.days:
        reading.report("is for one day, and a view is for all: leave the day out", reading.days[0][0])
    return reading


def _read_shape(reading: _Reading, kind: Kind, name: str) -> None:
    """What kind of statement it is, and the name of what it creates."""
    tree, wanted = reading.tree, _CREATES.get(kind)
    query = tree
    if wanted:
        made = isinstance(tree, exp.Create) and isinstance(tree.this, exp.Table)
        if not made or tree.args["kind"] != wanted.split()[-1] or bool(tree.args["replace"]) != (kind == "view"):
            return reading.report(f"is not {wanted} {name} AS SELECT ...: begin it so")
        reading.created, query = tree.this.this, tree.expression
        if tree.this.name != name or tree.this.args.get("db"):
            reading.report(f"creates {tree.this.sql('athena')}: create {name}, as the file is called", reading.created)
        if tree.args.get("properties") or tree.args.get("exists"):
            reading.report(
                f"says how it is created: write {wanted} {name} AS, the rest is set when it runs", reading.created
            )
    if not isinstance(query, exp.Query):
        return reading.report("is not a SELECT: it would change what it may only read")
    if kind == "merge" and tuple(query.named_selects[-len(PARTITION_KEYS) :]) != PARTITION_KEYS:
        reading.report(f"has other last columns than {', '.join(PARTITION_KEYS)}: select these last, in this order")
    return None


def _read_tables(reading: _Reading, readable: Collection[str]) -> None:
    """The tables that are read, but for the names that a WITH gave."""
    for cte in reading.tree.find_all(exp.CTE):
        if cte.alias.lower() in readable:
            reading.report(f"hides the table {cte.alias} behind a WITH of that name: rename it", cte.args["alias"].this)
    for table in reading.tree.find_all(exp.Table):
        if table.this is reading.created or table.name.lower() in _with_names(table):
            continue
        name = table.sql("athena", comments=False).split(" ")[0]
        if table.args.get("db") or not isinstance(table.this, exp.Identifier) or table.name.lower() not in readable:
            reading.report(f"reads {name}: it may read {', '.join(readable)}, without a database", table.this)
        else:
            reading.tables.append(table)


def _with_names(table: exp.Table) -> Iterator[str]:
    """The names that the queries around a table give by WITH."""
    node = table.parent
    while node is not None:
        if isinstance(node.args.get("with_"), exp.With):
            yield from (cte.alias.lower() for cte in node.args["with_"].expressions)
        node = node.parent


def _read_keys(reading: _Reading) -> None:
    """The literals that partition keys are compared with, alone or in rows."""
    for predicate in reading.tree.find_all(exp.Predicate):
        sides = [side.unnest() for side in predicate.iter_expressions()]
        rows = [side.expressions if isinstance(side, exp.Tuple) else [side] for side in sides]
        for cells in zip(*rows, strict=False):
            keys = [cell.name.lower() for cell in cells if isinstance(cell, exp.Column)]
            form = next((_KEY_FORMATS[key] for key in keys if key in _KEY_FORMATS), None)
            for literal in (cell for cell in cells if isinstance(cell, exp.Literal) and form):
                if literal.is_string and literal.this == f"{PLACEHOLDER:{form}}":
                    reading.days.append((literal, str(form)))
                else:
                    reading.report(f"compares {keys[0]} with {literal.sql()}: {_DAY_HINT}", literal)


def _read_dates(reading: _Reading) -> None:
    """The literals that are dates, or are compared as if they were."""
    for literal in reading.tree.find_all(exp.Literal):
        if not literal.is_string or not _DATE.match(literal.this):
            continue
        parent = literal.parent
        if isinstance(parent, exp.Cast) and parent.to.sql() == "DATE" and literal.this == PLACEHOLDER.isoformat():
            reading.days.append((literal, "%Y-%m-%d"))
        elif isinstance(parent, exp.Cast) or isinstance(literal.find_ancestor(exp.Predicate, exp.Query), exp.Predicate):
            reading.report(f"names the day {literal.sql()}: {_DAY_HINT}", literal)


def _properties(lake_bucket: str, attempt: MergeAttempt) -> str:
    """How every merge is written: https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html."""
    keys = ", ".join(f"'{key}'" for key in PARTITION_KEYS)
    return (
        "WITH (format = 'PARQUET', write_compression = 'SNAPPY', "
        f"external_location = 's3://{lake_bucket}/{attempt.location}', partitioned_by = ARRAY[{keys}])"
    )


def _span(node: exp.Expr) -> tuple[int, int]:
    return node.meta["start"], node.meta["end"] + 1


def _edited(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text
