"""Counts, sums and their like over a dataset's rows, grouped by columns and spans of time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final

from nightlake.core.api.condition import Condition
from nightlake.core.api.groups import MAX_GROUPS, Bucket, Groups, Measure
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Pinned, Published, find_table
from nightlake.core.api.question import (
    RANGE,
    Order,
    read_conditions,
    read_days,
    read_limit,
    read_order,
    singles,
    types,
    within,
)
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.result import Result, of_scan
from nightlake.core.api.scan import AHEAD, Scan
from nightlake.core.column_type import FLOATS, INTEGER_BITS, MAX_PRECISION, ColumnType
from nightlake.core.column_type import parse as parse_type
from nightlake.core.errors import InvalidParameterError
from nightlake.core.snapshot import PublishedTable

if TYPE_CHECKING:
    import pyarrow as pa

MAX_MEASURES: Final = 20
MAX_GROUP_COLUMNS: Final = 8
FUNCTIONS: Final = ("count", "sum", "min", "max", "avg", "distinct")
SPANS: Final = ("day", "week", "month", "quarter", "year")
RESERVED: Final = (*RANGE, "measures", "group_by", "bucket", "order_by", "limit")
BUDGET_BYTES: Final = 1 << 28
_BATCH_ROWS: Final = 1 << 17
_CALL: Final = re.compile(r"([a-z]+)\(([^()]+)\)")
_BIGINT: Final = parse_type("bigint")
_DOUBLE: Final = parse_type("double")
_DATE: Final = parse_type("date")


@dataclass(frozen=True)
class Asked:
    """Measures of the groups of the rows of the days `first` to `last` that meet all conditions.

    `unseen` are measures that groups are ordered by and that the answer does not have.
    """

    pinned: Pinned
    table: PublishedTable
    first: date
    last: date
    conditions: tuple[Condition, ...]
    measures: tuple[Measure, ...]
    group_by: tuple[str, ...]
    bucket: Bucket | None
    order: tuple[Order, ...]
    limit: int
    unseen: tuple[Measure, ...] = ()

    @property
    def columns(self) -> dict[str, ColumnType]:
        """What the answer has: the columns of the groups, then the measures."""
        kinds = types(self.table)
        groups = {name: kinds[name] for name in self.group_by} | ({self.bucket.name: _DATE} if self.bucket else {})
        return groups | {measure.name: measure.kind for measure in self.measures}


def ask(
    published: Published,
    pipeline: str,
    dataset: str,
    parameters: Mapping[str, Sequence[str]],
    *,
    private: bool = False,
    moment: str | None = None,
) -> Asked:
    """The question that the parameters ask of HEAD's snapshot; days and conditions as `rows.ask` has them.

    Raises NothingPublishedError, UnknownParameterError or InvalidParameterError.
    """
    pinned, table = find_table(published.newest(pipeline), dataset, private=private)
    single = singles(parameters)
    known = types(table)
    first, last = read_days(single, pinned, table)
    asked = Asked(
        pinned,
        table,
        first,
        last,
        conditions=(*read_conditions(single, known, RESERVED), *within(table, moment, first, last)),
        measures=_measures(single.get("measures", "count"), known),
        group_by=_group_by(single.get("group_by"), known),
        bucket=_bucket(single.get("bucket"), known),
        order=(),
        limit=read_limit(single, default=MAX_GROUPS, most=MAX_GROUPS),
    )
    unseen = tuple(_unseen(single.get("order_by", ""), asked.columns, known))
    order = read_order(single.get("order_by"), asked.columns | {each.name: each.kind for each in unseen})
    return replace(asked, order=order, unseen=unseen)


def _measures(text: str, known: Mapping[str, ColumnType]) -> tuple[Measure, ...]:
    measures = tuple(_measure(each, known) for each in text.split(","))
    if len(set(measures)) < len(measures) or len(measures) > MAX_MEASURES:
        raise InvalidParameterError(f"measures: name at most {MAX_MEASURES}, each once", "measures")
    return measures


def _unseen(order: str, seen: Mapping[str, ColumnType], known: Mapping[str, ColumnType]) -> Iterator[Measure]:
    for name in dict.fromkeys(each.removeprefix("-") for each in order.split(",")):
        if name not in seen and (name == "count" or name.partition("(")[0] in FUNCTIONS):
            yield _measure(name, known, "order_by")


def _measure(text: str, known: Mapping[str, ColumnType], parameter: str = "measures") -> Measure:
    if text == "count":
        return Measure("count", "", _BIGINT)
    function, column = _called(parameter, text, FUNCTIONS, known)
    kind = known[column]
    allowed = {"sum": kind.is_number, "avg": kind.is_number, "count": True}.get(function, not kind.is_nested)
    if not allowed:
        raise InvalidParameterError(f"{parameter}: there is no {function} of '{column}', which is {kind}", parameter)
    return Measure(function, column, _kind(function, kind))


def _kind(function: str, kind: ColumnType) -> ColumnType:
    """The type of a measure. As in Athena, the average of decimals has their digits."""
    if function in ("count", "distinct"):
        return _BIGINT
    if function in ("min", "max") or (kind.name == "decimal" and function == "avg"):
        return kind
    if function == "avg" or kind.name in FLOATS:
        return _DOUBLE
    return _BIGINT if kind.name in INTEGER_BITS else ColumnType("decimal", MAX_PRECISION, kind.scale)


def _group_by(text: str | None, known: Mapping[str, ColumnType]) -> tuple[str, ...]:
    names = () if text is None else tuple(text.split(","))
    for name in names:
        if name not in known or known[name].is_nested:
            there = ", ".join(each for each, kind in known.items() if not kind.is_nested)
            raise InvalidParameterError(f"group_by: '{name}' is no column to group by; there are: {there}", "group_by")
    if len(set(names)) < len(names) or len(names) > MAX_GROUP_COLUMNS:
        raise InvalidParameterError(f"group_by: name at most {MAX_GROUP_COLUMNS} columns, each once", "group_by")
    return names


def _bucket(text: str | None, known: Mapping[str, ColumnType]) -> Bucket | None:
    if text is None:
        return None
    span, column = _called("bucket", text, SPANS, known)
    if known[column].name not in ("date", "timestamp"):
        raise InvalidParameterError(
            f"bucket: '{column}' is {known[column]}; a bucket is of a date or timestamp column", "bucket"
        )
    return Bucket(span, column)


def _called(parameter: str, text: str, functions: Sequence[str], known: Mapping[str, ColumnType]) -> tuple[str, str]:
    """The function and column that `function(column)` names."""
    call = _CALL.fullmatch(text)
    if call is None or call[1] not in functions:
        raise InvalidParameterError(
            f"{parameter}: '{text}' is not function(column); there are: {', '.join(functions)}", parameter
        )
    if call[2] not in known:
        raise InvalidParameterError(
            f"{parameter}: there is no column '{call[2]}'; there are: {', '.join(known)}", parameter
        )
    return call[1], call[2]


def answer(source: Kept, asked: Asked, *, budget: Budget | None = None) -> Result:
    """The groups in the order that is asked for, else in that of their columns; null comes last.

    Raises AnswerTooCostlyError where the rows lie in more data than the budget allows, or there are more groups or
    different values than are held.
    """
    groups = Groups(asked.group_by, asked.bucket, (*asked.measures, *asked.unseen))
    scan = Scan(
        source,
        asked.pinned.snapshot.pipeline,
        asked.table,
        asked.first,
        asked.last,
        asked.conditions,
        budget=budget or Budget(BUDGET_BYTES),
        ahead=AHEAD,
        batch_rows=_BATCH_ROWS,
        dictionaries=groups.dictionaries,
    )
    for batch in scan.batches(groups.needed):
        groups.add(batch.rows)
    made = groups.finish(asked.columns | {each.name: each.kind for each in asked.unseen})
    rows = _arranged(asked, made).select([*asked.columns])
    return of_scan(scan, rows, asked.columns, snapshot=asked.pinned.snapshot.number)


def _arranged(asked: Asked, rows: "pa.Table") -> "pa.Table":
    import pyarrow.compute as pc

    names = list(asked.columns)
    groups = names[: len(names) - len(asked.measures)]
    ordered = [order.column for order in asked.order]
    keys = [(order.column, "descending" if order.descending else "ascending") for order in asked.order]
    keys += [(name, "ascending") for name in groups if name not in ordered]
    rows = rows.take(pc.sort_indices(rows, sort_keys=keys)) if keys else rows
    return rows.slice(0, asked.limit)
