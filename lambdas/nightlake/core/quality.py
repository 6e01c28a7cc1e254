"""Decides the rules of a dataset that are about single rows, on typed columns.

A missing value is never invalid: only `nullValues` and `missingValues` are about it. What is known of a column as a
whole is asked first, such as its smallest value: most columns break nothing, and then no row is looked at.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
_INT64_DIGITS: Final = 18
_SAMPLE: Final = 512
_FEW: Final = 64
_MAX_LISTED: Final = 20


def row_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules that are decided row by row, in the order of the contract."""
    return tuple(rule for rule in dataset.rules if rule.metric in _ROW_METRICS)


@dataclass(frozen=True)
class Values:
    """A column of one batch, and what several rules ask of it."""

    array: "pa.Array"

    @cached_property
    def bounds(self) -> tuple[Any, Any] | None:
        """Numbers that no value is below or above, as `_number` counts; None where they cost too much."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.array.null_count == len(self.array):
            return None
        if _is_small_decimal(self.array.type):
            return _low_words(self.array)
        if pa.types.is_decimal(self.array.type) or pa.types.is_floating(self.array.type):
            return None
        found = pc.min_max(self.array)
        return _number(found["min"]), _number(found["max"])

    @cached_property
    def lengths(self) -> "Values":
        """How many characters each text has."""
        import pyarrow.compute as pc

        return Values(pc.utf8_length(self.array))

    @cached_property
    def distinct(self) -> "tuple[pa.Array, pa.Array | None]":
        """The texts, and by row which one it is; all of them, and None, where most rows differ."""
        sample = self.array.slice(0, _SAMPLE)
        if len(sample.unique()) > _FEW:
            return self.array, None
        encoded = self.array.dictionary_encode()
        return encoded.dictionary, encoded.indices


_Check = Callable[[Values], "pa.BooleanArray | None"]


class _Side(NamedTuple):
    """The good side of a limit: Arrow's word for being there, Python's, and which of the bounds to ask (0 or 1)."""

    rows: Callable[..., "pa.BooleanArray"]
    has: Callable[[Any, Any], bool]
    end: int


class RowRule:
    """A rule that is decided row by row, made ready for columns of one type."""

    def __init__(self, rule: Rule, kind: ColumnType) -> None:
        self.rule = rule
        self.demand = demand(rule)
        self._checks = tuple(_checks(rule, kind))

    def broken(self, values: Values) -> "pa.BooleanArray | None":
        """Which rows break the rule, true or false and never null; None when none does."""
        import pyarrow.compute as pc

        found = [mask for check in self._checks if (mask := check(values)) is not None]
        return pc.fill_null(reduce(pc.or_kleene, found), False) if found else None


def _checks(rule: Rule, kind: ColumnType) -> Iterator[_Check]:
    if rule.metric == "nullValues":
        yield lambda values: values.array.is_null() if values.array.null_count else None
    elif rule.metric == "missingValues":
        missing = _array(rule.missing, kind)
        yield lambda values: _if_any(_is_in(values.array, missing))
    else:
        yield from _invalid(rule.valid or ValidValues(), kind)


def _invalid(valid: ValidValues, kind: ColumnType) -> Iterator[_Check]:
    import pyarrow as pa
    import pyarrow.compute as pc

    at_least, at_most = _Side(pc.greater_equal, operator.ge, 0), _Side(pc.less_equal, operator.le, 1)
    for limit, side in (
        (valid.minimum, at_least),
        (valid.maximum, at_most),
        (valid.exclusive_minimum, _Side(pc.greater, operator.gt, 0)),
        (valid.exclusive_maximum, _Side(pc.less, operator.lt, 1)),
    ):
        if limit is not None:
            yield _outside(side, _array((limit,), kind)[0])
    for length, side in ((valid.min_length, at_least), (valid.max_length, at_most)):
        if length is not None:
            yield _of_lengths(_outside(side, pa.scalar(length, pa.int32())))
    if valid.pattern is not None:
        yield _unmatched(valid.pattern)
    if valid.values is not None:
        yield _not_in(_array(valid.values, kind))


def _outside(side: _Side, limit: "pa.Scalar[Any]") -> _Check:
    import pyarrow.compute as pc

    number = _number(limit)

    def check(values: Values) -> "pa.BooleanArray | None":
        if values.bounds is not None and side.has(values.bounds[side.end], number):
            return None
        return _if_any(pc.invert(side.rows(values.array, limit)))  # NaN is on no side

    return check


def _of_lengths(check: _Check) -> _Check:
    return lambda values: check(values.lengths)


def _unmatched(pattern: str) -> _Check:
    import pyarrow.compute as pc

    def check(values: Values) -> "pa.BooleanArray | None":
        texts, rows = values.distinct
        found = _if_any(pc.invert(pc.match_substring_regex(texts, pattern)))
        return found if found is None or rows is None else found.take(rows)

    return check


def _not_in(allowed: "pa.Array") -> _Check:
    import pyarrow.compute as pc

    def check(values: Values) -> "pa.BooleanArray | None":
        known = _is_in(values.array, allowed)
        if known.true_count == len(known) - values.array.null_count:
            return None
        return pc.and_not(values.array.is_valid(), known)

    return check


def _is_in(array: "pa.Array", wanted: "pa.Array") -> "pa.BooleanArray":
    import pyarrow.compute as pc

    return pc.is_in(array, wanted)


def _if_any(mask: "pa.BooleanArray") -> "pa.BooleanArray | None":
    return mask if mask.true_count else None


def _is_small_decimal(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_decimal128(kind)) and kind.precision <= _INT64_DIGITS


def _low_words(array: "pa.Array") -> tuple[int, int]:
    """The bounds of decimals that fit into 64 bits, in units of their last digit, tens of times faster than Arrow's.

    What lies under a missing value counts, too: the bounds may be wider than the values are, never narrower.
    """
    import numpy as np

    words = np.frombuffer(array.buffers()[1], np.int64)[2 * array.offset : 2 * (array.offset + len(array)) : 2]
    return int(words.min()), int(words.max())


def _number(scalar: "pa.Scalar[Any]") -> Any:
    """What a scalar is ordered by: days, milliseconds, units of a decimal's last digit, else its own value."""
    if _is_small_decimal(scalar.type):
        return int(scalar.as_py().scaleb(scalar.type.scale))
    return scalar.value if hasattr(scalar, "value") else scalar.as_py()


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


_DEMANDS: Final[Mapping[str, str]] = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusive_minimum": "must be more than {}",
    "exclusive_maximum": "must be less than {}",
    "min_length": "must have {} characters or more",
    "max_length": "must have {} characters or fewer",
    "pattern": "must match {}",
}


def _demands(valid: ValidValues) -> Iterator[str]:
    for name, words in _DEMANDS.items():
        limit = getattr(valid, name)
        if limit is not None:
            yield words.format(limit)
    if valid.values is not None:
        yield f"must be one of {_listed(valid.values)}"


def _listed(literals: tuple[str | None, ...]) -> str:
    listed = ", ".join("NULL" if literal is None else repr(literal) for literal in literals[:_MAX_LISTED])
    more = len(literals) - _MAX_LISTED
    return f"{listed} and {more} more" if more > 0 else listed
