"""Evaluates the rules of a dataset that are decided row by row, on typed columns.

A missing value is never invalid: only `nullValues` and `missingValues` are about it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nightlake.core.column_type import ColumnType
from nightlake.core.pipeline import Dataset, Rule, ValidValues
from nightlake.core.table import arrow_type
from nightlake.core.value_parser import Reading, ValueParser

if TYPE_CHECKING:
    import pyarrow as pa

_LITERALS = Reading(
    timestamp_formats=("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"), date_formats=("%Y-%m-%d",)
)  # as `column_type.literal` writes them
_ROW_METRICS = ("nullValues", "missingValues", "invalidValues")


def row_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules that are decided row by row, in the order of the contract."""
    return tuple(rule for rule in dataset.rules if rule.metric in _ROW_METRICS)


def broken(rule: Rule, values: "pa.Array", kind: ColumnType) -> "pa.BooleanArray":
    """Which rows break the rule, by the values of its column; true or false, never null."""
    import pyarrow.compute as pc

    if rule.metric == "nullValues":
        return pc.is_null(values)
    if rule.metric == "missingValues":
        return pc.is_in(values, _array(rule.missing, kind))
    return pc.fill_null(_invalid(rule.valid or ValidValues(), values, kind), False)


def _invalid(valid: ValidValues, values: "pa.Array", kind: ColumnType) -> "pa.BooleanArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.if_else(pc.is_valid(values), False, pa.scalar(None, pa.bool_()))
    for limit, outside in (
        (valid.minimum, pc.less),
        (valid.maximum, pc.greater),
        (valid.exclusive_minimum, pc.less_equal),
        (valid.exclusive_maximum, pc.greater_equal),
    ):
        if limit is not None:
            found = pc.or_(found, outside(values, _array((limit,), kind)[0]))
    if valid.min_length is not None:
        found = pc.or_(found, pc.less(pc.utf8_length(values), valid.min_length))
    if valid.max_length is not None:
        found = pc.or_(found, pc.greater(pc.utf8_length(values), valid.max_length))
    if valid.pattern is not None:
        found = pc.or_(found, pc.invert(pc.match_substring_regex(values, valid.pattern)))
    if valid.values is not None:
        found = pc.or_(found, pc.invert(pc.is_in(values, _array(valid.values, kind))))
    return found


def _array(literals: tuple[str | None, ...], kind: ColumnType) -> "pa.Array":
    """Literals of a contract as values of the column's type, exact."""
    import pyarrow as pa

    parser = ValueParser(_LITERALS)
    return pa.array([parser.parse(kind, literal) for literal in literals], arrow_type(kind))


def demand(rule: Rule) -> str:
    """What the rule demands of a value, as a sentence about one that breaks it ends."""
    if rule.metric == "nullValues":
        must = "must be there"
    elif rule.metric == "missingValues":
        must = f"must be none of {_listed(rule.missing)}"
    else:
        must = " and ".join(_demands(rule.valid or ValidValues()))
    return f"{must} ({rule.description})" if rule.description else must


def _demands(valid: ValidValues) -> Iterator[str]:
    words = {
        "minimum": "must be at least",
        "maximum": "must be at most",
        "exclusive_minimum": "must be more than",
        "exclusive_maximum": "must be less than",
        "min_length": "must have at least so many characters:",
        "max_length": "must have at most so many characters:",
        "pattern": "must match",
    }
    for name, word in words.items():
        limit = getattr(valid, name)
        if limit is not None:
            yield f"{word} {limit}"
    if valid.values is not None:
        yield f"must be one of {_listed(valid.values)}"


def _listed(literals: tuple[str | None, ...]) -> str:
    return ", ".join("NULL" if literal is None else repr(literal) for literal in literals)
