"""Keys and relationships of a run: what no single shard can see is asked of Athena."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Final

from sqlglot import exp

from nightlake.core import column_type
from nightlake.core.across_parts import Part
from nightlake.core.pipeline import Dataset, Pipeline, Relationship, Rule
from nightlake.core.source_rules import queried_rules
from nightlake.core.sql_reading import PLACEHOLDER
from nightlake.core.table import partition_keys, tables
from nightlake.core.union_all import union_all

_EXAMPLES: Final = 20
_ROWS: Final = exp.Count(this=exp.Star())


@dataclass(frozen=True)
class _Scope:
    """The rows that are looked at: those of one run in the staging database, which the run's day selects.

    By default it is what the Task Statement binds: the placeholder day of every SQL file, tables without a database.
    """

    day: date = PLACEHOLDER
    database: str | None = None
    part: Part = field(default_factory=Part)


def across_query(pipeline: Pipeline, part: Part) -> str:
    """One SELECT of `rule`, `broken` (rows) and `checked` (rows): a row per rule that looks at more than one row.

    Rules `duplicateValues` count the rows that repeat an earlier one, relationships the rows whose values are not
    found; a NULL neither repeats nor is missing. Tables are unqualified, the business date is 2000-01-01. The counts
    are those of the part; those of all parts add up to the whole.
    """
    scope = _Scope(part=part)
    checks = [*_duplicates(pipeline, scope), *_relationships(pipeline, scope)]
    return union_all(checks) if checks else "SELECT '' AS rule, 0 AS broken, 0 AS checked WHERE false"


def duplicates_query(rule: Rule, dataset: Dataset, *, day: date, database: str) -> str:
    """A query that shows a person some values that occur more than once, and how often."""
    keys = _keys(rule.columns)
    query = _copies(rule, dataset, _Scope(day, database)).select(*_named(keys, rule.columns), append=False)
    copies = query.where(_all_given(keys)).having(_ROWS > 1).limit(_EXAMPLES)
    return copies.sql(dialect="athena")


def missing_query(relationship: Relationship, dataset: Dataset, to: Dataset, *, day: date, database: str) -> str:
    """A query that shows a person some values that are not found, and how often they occur."""
    own = _keys(relationship.columns, "r")
    rows = exp.select(*_named(own, relationship.columns))
    missing = _matched(rows, relationship, dataset, to, _Scope(day, database)).where(_is_missing(relationship))
    return missing.group_by(*own).limit(_EXAMPLES).sql(dialect="athena")


def _named(keys: Sequence[exp.Column], columns: Sequence[str]) -> list[exp.Expr]:
    """The keys by the names of their columns, and how many rows have them, by a name that no column can have."""
    named = [*zip(keys, columns, strict=True), (_ROWS, "count(*)")]
    return [exp.alias_(expression, name, quoted=True) for expression, name in named]


def _duplicates(pipeline: Pipeline, scope: _Scope) -> Iterator[exp.Select]:
    for dataset in pipeline.datasets:
        for rule in queried_rules(dataset):
            repeated = exp.Case().when(_all_given(_keys(rule.columns)), exp.column("copies") - 1).else_("0")
            check = _check(rule.id, exp.Sum(this=repeated), exp.Sum(this=exp.column("copies")))
            yield check.from_(_copies(rule, dataset, scope).subquery("g"))


def _relationships(pipeline: Pipeline, scope: _Scope) -> Iterator[exp.Select]:
    datasets = {dataset.name: dataset for dataset in pipeline.datasets}
    for dataset in pipeline.datasets:
        for relationship in dataset.relationships:
            broken = exp.Sum(this=exp.Case().when(_is_missing(relationship), "1").else_("0"))
            check = _check(relationship.id, broken, _ROWS)
            yield _matched(check, relationship, dataset, datasets[relationship.to], scope)


def _check(rule: str, broken: exp.Expression, checked: exp.Expression) -> exp.Select:
    return exp.select(
        exp.Literal.string(rule).as_("rule"),
        exp.func("coalesce", broken, "0").as_("broken"),
        exp.func("coalesce", checked, "0").as_("checked"),
    )


def _copies(rule: Rule, dataset: Dataset, scope: _Scope) -> exp.Select:
    """Every combination of the rule's columns and how many rows have it."""
    keys = _keys(rule.columns)
    rows = _rows(dataset, rule.columns, scope).subquery("r")
    return exp.select(*keys, _ROWS.as_("copies")).from_(rows).group_by(*keys)


def _matched(
    selected: exp.Select, relationship: Relationship, dataset: Dataset, to: Dataset, scope: _Scope
) -> exp.Select:
    """What is selected from the dataset's rows, each beside the one that it refers to."""
    pairs = zip(_keys(relationship.columns, "r"), _keys(relationship.to_columns, "known"), strict=True)
    known = _rows(to, relationship.to_columns, scope).distinct().subquery("known")
    rows = _rows(dataset, relationship.columns, scope).subquery("r")
    return selected.from_(rows).join(known, on=[own.eq(target) for own, target in pairs], join_type="left")


def _is_missing(relationship: Relationship) -> exp.Condition:
    target = _keys(relationship.to_columns, "known")[0]
    return exp.and_(_all_given(_keys(relationship.columns, "r")), target.is_(exp.null()))


def _keys(columns: Sequence[str], table: str | None = None) -> list[exp.Column]:
    """The columns that `_rows` answers: numbered, so that no name meets one of ours."""
    return [exp.column(f"k{number}", table=table) for number in range(len(columns))]


def _all_given(keys: Sequence[exp.Column]) -> exp.Condition:
    return exp.and_(*(key.is_(exp.null()).not_() for key in keys))


def _rows(dataset: Dataset, columns: Sequence[str], scope: _Scope) -> exp.Select:
    """The columns of a run's rows, as `k0`, `k1` and so on.

    Columns that no one table has are joined by `_source` and `_position`, which name one row of a run in both tables.
    """
    held = {table.name: {column.name for column in table.columns} for table in tables(dataset)}
    whole = [name for name, names in held.items() if names.issuperset(columns)]
    needed = whole[:1] or list(held)
    homes = {column: index for index, name in reversed([*enumerate(needed)]) for column in held[name]}
    first, *others = (
        exp.alias_(exp.table_(name, db=scope.database, quoted=True), f"t{index}", table=True)
        for index, name in enumerate(needed)
    )
    query = exp.select(
        *(_column(homes[column], column).as_(f"k{number}") for number, column in enumerate(columns))
    ).from_(first)
    for index, table in enumerate(others, start=1):
        query = query.join(table, on=[_column(index, name).eq(_column(0, name)) for name in ("_source", "_position")])
    days = partition_keys(scope.day)
    query = query.where(*(_column(index, key).eq(day) for index in range(len(needed)) for key, day in days.items()))
    if scope.part.parts == 1:
        return query
    types = {column.name: column_type.parse(column.type).name for column in dataset.columns}
    exact = [_column(homes[name], name) for name in columns if types[name] not in ("float", "double")]
    return query.where(_hash(exact, scope.part.parts).eq(exp.Literal.number(scope.part.part)))


def _hash(columns: Sequence[exp.Column], parts: int) -> exp.Expr:
    """The part that a key belongs to, equal for equal keys of whatever width: 0.0 and -0.0 are, and differ as text."""
    empty = exp.Literal.string("")
    texts: list[exp.Expr] = [exp.func("coalesce", exp.cast(column, "varchar"), empty) for column in columns]
    text = reduce(lambda left, right: exp.DPipe(this=left, expression=right), texts or [empty])
    code = exp.Anonymous(this="crc32", expressions=[exp.Anonymous(this="to_utf8", expressions=[text])])
    return exp.Anonymous(this="mod", expressions=[code, exp.Literal.number(parts)])


def _column(table: int, name: str) -> exp.Column:
    return exp.column(name, table=f"t{table}", quoted=True)
