"""Reads one SQL text: the tables, days, parameters and the name in it that a run will set, and its mistakes."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Final, Literal

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from nightlake.core.frozen import Frozen
from nightlake.core.report_parameters import Header, read_header
from nightlake.core.table import PARTITION_KEYS

Kind = Literal["across", "merge", "audit", "view", "report"]

PLACEHOLDER: Final = date(2000, 1, 1)
_CREATES: Final[Mapping[str, str]] = {"merge": "CREATE TABLE", "view": "CREATE OR REPLACE VIEW"}
_KEY_FORMATS: Final = dict(zip(PARTITION_KEYS, ("%Y", "%m", "%d"), strict=True))
_DATE: Final = re.compile(r"\d{4}-\d\d?-\d\d?\b|2000-?01(-?01)?$")  # and the placeholder put together of keys
_DAY_HINT: Final = "write year = '2000' AND month = '01' AND day = '01', or DATE '2000-01-01', for the run's day"


class Fault(Frozen):
    """What is wrong with a text: `line` counts from 1, `reason` says what to do."""

    line: int
    reason: str


@dataclass
class Reading:
    """What stands where in a text; `days` are literals of the day, each with the strftime format of what it becomes.

    `created` is the name of what a merge or a view makes. `parameters` are the places, start and end, where the text of
    a report has `:name`, with the name.
    """

    created: exp.Identifier | None = None
    tables: list[exp.Table] = field(default_factory=list)
    days: list[tuple[exp.Literal, str]] = field(default_factory=list)
    parameters: list[tuple[tuple[int, int], str]] = field(default_factory=list)
    header: Header = field(default_factory=lambda: Header("", ()))
    faults: list[Fault] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """The names of the tables, in lower case."""
        return {table.name.lower() for table in self.tables}

    def report(self, reason: str, at: exp.Expr | None = None) -> None:
        """Add a fault, at the line where the node stands."""
        self.faults.append(Fault(line=1 if at is None else at.meta.get("line", 1), reason=reason))


def read(text: str, *, kind: Kind, name: str, readable: Collection[str]) -> Reading:
    """Read a text whose file is `name` and which may read the tables `readable`; faults in the order of their lines.

    Raises sqlglot's SqlglotError when the text is not of Athena's grammar.
    """
    reading = Reading()
    statements = [tree for tree in sqlglot.parse(text, read="athena") if tree is not None]
    if len(statements) != 1:
        reading.report(f"holds {len(statements)} statements: a file is exactly one")
        return reading
    (tree,) = statements
    if not _read_shape(reading, tree, kind, name):
        return reading
    _read_tables(reading, tree, readable)
    _read_keys(reading, tree)
    _read_dates(reading, tree)
    _read_parameters(reading, tree, text, kind)
    if kind == "merge" and not reading.days and not reading.faults:
        reading.report(f"is for no day: {_DAY_HINT}")
    if kind == "view" and reading.days:
        reading.report("is for one day, and a view is for all: leave the day out", reading.days[0][0])
    reading.faults.sort(key=lambda fault: fault.line)
    return reading


def _read_shape(reading: Reading, tree: exp.Expr, kind: Kind, name: str) -> bool:
    """The name of what the statement creates; whether it is a query, or creates what one answers."""
    query = _read_created(reading, tree, _CREATES[kind], name) if kind in _CREATES else tree
    if query is None:
        return False
    if not isinstance(query, exp.Query):
        reading.report("is not a SELECT: it would change what it may only read")
        return False
    if kind == "merge" and tuple(query.named_selects[-len(PARTITION_KEYS) :]) != PARTITION_KEYS:
        reading.report(f"has other last columns than {', '.join(PARTITION_KEYS)}: select these last, in this order")
    return True


def _read_created(reading: Reading, tree: exp.Expr, wanted: str, name: str) -> exp.Expr | None:
    """The query of the CREATE statement that is wanted; None where it is another, which is reported."""
    if (
        not isinstance(tree, exp.Create)
        or not isinstance(tree.this, exp.Table)
        or not wanted.endswith(tree.args["kind"])
        or bool(tree.args["replace"]) != ("OR REPLACE" in wanted)
    ):
        reading.report(f"is not {wanted} {name} AS SELECT ...: begin it so")
        return None
    reading.created = tree.this.this
    if exp.table_name(tree.this) != name:
        reading.report(f"creates {exp.table_name(tree.this)}: create {name}, as the file is called", reading.created)
    if tree.args.get("properties") or tree.args.get("exists"):
        reading.report(f"says how it is created: write {wanted} {name} AS, the rest is set later", reading.created)
    query: exp.Expr | None = tree.expression
    return query


def _read_tables(reading: Reading, tree: exp.Expr, readable: Collection[str]) -> None:
    """The tables that are read, but for the names that a WITH gave."""
    for cte in tree.find_all(exp.CTE):
        if cte.alias.lower() in readable:
            reading.report(f"hides the table {cte.alias} behind a WITH of that name: rename it", cte.args["alias"].this)
    for table in tree.find_all(exp.Table):
        name, qualified = table.name.lower(), bool(table.db)
        if table.this is reading.created or (name in _with_names(table) and not qualified):
            continue
        if qualified or name not in readable or not isinstance(table.this, exp.Identifier):
            allowed = f"it may read {', '.join(readable)}, without a database"
            reading.report(f"reads {exp.table_name(table)}: {allowed}", table.this)
        else:
            reading.tables.append(table)


def _with_names(table: exp.Table) -> Iterator[str]:
    """The names that the queries around a table give by WITH."""
    node = table.parent
    while node is not None:
        if isinstance(node.args.get("with_"), exp.With):
            yield from (cte.alias.lower() for cte in node.args["with_"].expressions)
        node = node.parent


def _read_keys(reading: Reading, tree: exp.Expr) -> None:
    """The literals that partition keys are compared with, alone or in rows."""
    for predicate in tree.find_all(exp.Predicate):
        sides = [side.unnest() for side in predicate.iter_expressions()]
        rows = [side.expressions if isinstance(side, exp.Tuple) else [side] for side in sides]
        for cells in zip(*rows, strict=False):
            key = next(filter(None, map(_key, cells)), None)
            if key is None:
                continue
            for literal in (cell for cell in cells if isinstance(cell, exp.Literal)):
                if literal.is_string and literal.this == f"{PLACEHOLDER:{_KEY_FORMATS[key]}}":
                    reading.days.append((literal, _KEY_FORMATS[key]))
                else:
                    reading.report(f"compares {key} with {literal.sql()}: {_DAY_HINT}", literal)


def _key(cell: exp.Expr) -> str | None:
    """The partition key that a column is, also where it is cast."""
    column = cell.this if isinstance(cell, exp.Cast) else cell
    name = column.name.lower() if isinstance(column, exp.Column) else ""
    return name if name in _KEY_FORMATS else None


def _read_dates(reading: Reading, tree: exp.Expr) -> None:
    """The literals that are dates, or are compared as if they were."""
    for literal in tree.find_all(exp.Literal):
        if not literal.is_string or not _DATE.match(literal.this):
            continue
        parent = literal.parent
        if isinstance(parent, exp.Cast) and parent.to.sql() == "DATE" and literal.this == PLACEHOLDER.isoformat():
            reading.days.append((literal, "%Y-%m-%d"))
        elif isinstance(parent, exp.Cast) or isinstance(literal.find_ancestor(exp.Predicate, exp.Query), exp.Predicate):
            reading.report(f"names the day {literal.sql()}: {_DAY_HINT}", literal)


def _read_parameters(reading: Reading, tree: exp.Expr, text: str, kind: Kind) -> None:
    """Where the parameters stand, which only a report has, and only where Athena takes them: in a WHERE."""
    placeholders = [*tree.find_all(exp.Placeholder, exp.Parameter)]
    if kind == "report":
        reading.header = read_header(text)
        reading.faults += [Fault(line=line, reason=reason) for line, reason in reading.header.faults]
    tokens = sqlglot.tokenize(text, read="athena") if placeholders else []
    lines: dict[str, int] = {}
    for colon, word in pairwise(tokens):
        if (colon.token_type, word.token_type) == (TokenType.COLON, TokenType.VAR) and colon.end + 1 == word.start:
            reading.parameters.append(((colon.start, word.end + 1), word.text))
            lines.setdefault(word.text, word.line)
    if len(reading.parameters) != len(placeholders):
        reading.report("has a placeholder that is no parameter: write :name, without quotes or blanks")
    for placeholder in placeholders:
        if reason := _misplaced(placeholder):
            reading.faults.append(Fault(line=lines.get(placeholder.name, 1), reason=reason))
    _compare_with_header(reading, lines, kind)


def _misplaced(placeholder: exp.Expr) -> str | None:
    """Source: https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html."""
    name = placeholder.name
    if placeholder.find_ancestor(exp.Where) is None:
        return f"has :{name} outside of a WHERE, where Athena takes no values: ask for it there"
    if isinstance(placeholder.parent, exp.Interval):
        return f"has :{name} in an INTERVAL: multiply instead, :{name} * INTERVAL '1' DAY"
    return None


def _compare_with_header(reading: Reading, lines: Mapping[str, int], kind: Kind) -> None:
    """What is asked for is declared, and the other way round; `lines` are those of the names that are asked for."""
    for name, line in lines.items():
        if reading.header.named(name) is None:
            advice = (
                f"write -- parameter {name}: string = '...' at the head"
                if kind == "report"
                else "only reports have some"
            )
            reading.faults.append(Fault(line=line, reason=f"asks for :{name}, which is no parameter of it: {advice}"))
    for parameter in reading.header.parameters:
        if parameter.name not in lines:
            reason = f"never asks for the parameter {parameter.name}: write :{parameter.name} where it belongs"
            reading.faults.append(Fault(line=parameter.line, reason=reason))
