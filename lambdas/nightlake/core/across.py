"""Keys and relationships of a run: what no single shard can see is asked of Athena in one query, then judged."""

from collections.abc import Iterable

from sqlglot import exp

from nightlake.core.pipeline import Dataset, Pipeline, Relationship, Rule
from nightlake.core.table import PARTITION_KEYS, tables
from nightlake.core.union_all import union_all

PLACEHOLDER = dict(zip(PARTITION_KEYS, ("2000", "01", "01"), strict=True))  # the business date, as in every SQL file


def across_query(pipeline: Pipeline) -> str:
    """One SELECT of `rule`, `broken` (rows) and `checked` (rows): a row per rule that looks at more than one row.

    Rules `duplicateValues` count the rows that repeat an earlier one, relationships the rows whose values are not
    found; NULLs are neither. Tables are unqualified, the business date is the placeholder 2000-01-01.
    """
    checks = [*_duplicates(pipeline), *_relationships(pipeline)]
    if not checks:
        return "SELECT '' AS rule, 0 AS broken, 0 AS checked WHERE false"
    return union_all(checks)


def unique_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules of a dataset that compare its rows with each other."""
    return tuple(rule for rule in dataset.rules if rule.metric == "duplicateValues")


def _duplicates(pipeline: Pipeline) -> Iterable[exp.Select]:
    for dataset in pipeline.datasets:
        for rule in unique_rules(dataset):
            keys = _keys(rule.columns)
            rows = _rows(dataset, rule.columns).subquery("r")
            copies = exp.select(*keys, exp.Count(this=exp.Star()).as_("copies")).from_(rows).group_by(*keys)
            repeated = exp.Case().when(_all_given(keys), exp.column("copies") - 1).else_("0")
            yield _check(rule.id, exp.Sum(this=repeated), exp.Sum(this=exp.column("copies"))).from_(
                copies.subquery("g")
            )


def _relationships(pipeline: Pipeline) -> Iterable[exp.Select]:
    datasets = {dataset.name: dataset for dataset in pipeline.datasets}
    for dataset in pipeline.datasets:
        for relationship in dataset.relationships:
            yield _relationship(relationship, dataset, datasets[relationship.to])


def _relationship(relationship: Relationship, dataset: Dataset, to: Dataset) -> exp.Select:
    own, targets = _keys(relationship.columns, "r"), _keys(relationship.to_columns, "known")
    known = _rows(to, relationship.to_columns).distinct().subquery("known")
    missing = exp.and_(_all_given(own), targets[0].is_(exp.null()))
    broken = exp.Sum(this=exp.Case().when(missing, "1").else_("0"))
    return (
        _check(relationship.id, broken, exp.Count(this=exp.Star()))
        .from_(_rows(dataset, relationship.columns).subquery("r"))
        .join(known, on=[mine.eq(theirs) for mine, theirs in zip(own, targets, strict=True)], join_type="left")
    )


def _check(rule: str, broken: exp.Expression, checked: exp.Expression) -> exp.Select:
    return exp.select(
        exp.Literal.string(rule).as_("rule"),
        exp.func("coalesce", broken, "0").as_("broken"),
        exp.func("coalesce", checked, "0").as_("checked"),
    )


def _keys(columns: tuple[str, ...], table: str | None = None) -> list[exp.Column]:
    """The columns that `_rows` answers: numbered, so that no name meets one of ours."""
    return [exp.column(f"k{number}", table=table) for number in range(len(columns))]


def _all_given(keys: list[exp.Column]) -> exp.Condition:
    return exp.and_(*(key.is_(exp.null()).not_() for key in keys))


def _rows(dataset: Dataset, columns: tuple[str, ...]) -> exp.Select:
    """The columns of this run's rows, as `k0`, `k1` and so on.

    Columns that no one table has are joined by `_source`, which names one row of a run in both tables.
    """
    held = {table.name: {column.name for column in table.columns} for table in tables(dataset)}
    whole = [name for name, names in held.items() if names.issuperset(columns)]
    needed = whole[:1] or list(held)
    homes = {column: index for index, name in reversed([*enumerate(needed)]) for column in held[name]}
    query = exp.select(
        *(_column(homes[column], column).as_(f"k{number}") for number, column in enumerate(columns))
    ).from_(exp.alias_(exp.table_(needed[0], quoted=True), "t0", table=True))
    for index, name in enumerate(needed[1:], start=1):
        table = exp.alias_(exp.table_(name, quoted=True), f"t{index}", table=True)
        query = query.join(table, on=_column(index, "_source").eq(_column(0, "_source")))
    return query.where(
        *(_column(index, key).eq(day) for index in range(len(needed)) for key, day in PLACEHOLDER.items())
    )


def _column(table: int, name: str) -> exp.Column:
    return exp.column(name, table=f"t{table}", quoted=True)
