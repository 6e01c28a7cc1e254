"""Conditions on columns, as query parameters write them: `column=value`, `column.op=value` or `column=op.value`."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nightlake.core import column_type
from nightlake.core.api.value import parse
from nightlake.core.column_type import ColumnType
from nightlake.core.errors import InvalidParameterError, UnknownParameterError

MAX_VALUES: Final = 100
COMPARISONS: Final = ("eq", "ne", "lt", "lte", "gt", "gte")
OPERATORS: Final = (*COMPARISONS, "in", "between", "like", "is_null")
_BOOLEAN: Final = column_type.parse("boolean")
_ENDS: Final = 2


@dataclass(frozen=True)
class Condition:
    """One condition on a column; `values` are of the column's type, for `is_null` one boolean.

    `in` has any of its values, `between` the least and the greatest that meet it.
    """

    column: str
    operator: str
    values: tuple[Any, ...]


def operators_of(kind: ColumnType) -> tuple[str, ...]:
    """The operators that can be asked of a column of this type."""
    if kind.is_nested:
        return ("is_null",)
    return OPERATORS if kind.name == "string" else tuple(each for each in OPERATORS if each != "like")


def read_condition(name: str, text: str, known: Mapping[str, ColumnType], reserved: tuple[str, ...]) -> Condition:
    """The condition that a query parameter is.

    A value that begins with an operator and a point is that operator, unless the name has one. Raises
    UnknownParameterError for a column or operator that there is not, InvalidParameterError for a value.
    """
    column, point, operator = name.partition(".")
    if column not in known:
        raise UnknownParameterError(
            f"There is no parameter or column '{column}'; parameters are {', '.join(reserved)}, "
            f"columns are {', '.join(known)}",
            name,
        )
    if not point:
        prefix, found, rest = text.partition(".")
        operator, text = (prefix, rest) if found and prefix in OPERATORS else ("eq", text)
    if operator not in OPERATORS:
        raise UnknownParameterError(
            f"{name}: there is no operator '{operator}'; there are: {', '.join(OPERATORS)}", name
        )
    kind = known[column]
    if operator not in operators_of(kind):
        can = "only is_null can be asked of it" if kind.is_nested else "like can be asked of texts only"
        raise UnknownParameterError(f"{name}: '{column}' is {kind}; {can}", name)
    values = _items(name, text, operator) if operator in ("in", "between") else [text]
    try:
        return Condition(
            column, operator, tuple(parse(_BOOLEAN if operator == "is_null" else kind, value) for value in values)
        )
    except ValueError as error:
        raise InvalidParameterError(f"{name}={text}: {error}; '{column}' is {kind}", name) from None


def _items(name: str, text: str, operator: str) -> list[str]:
    try:
        items = next(csv.reader([text], strict=True), [])
    except csv.Error:
        items = []
    if operator == "between" and len(items) != _ENDS:
        raise InvalidParameterError(f'{name}: write the least and the greatest value like 1,2 or "a, quoted",b', name)
    if not 1 <= len(items) <= MAX_VALUES:
        raise InvalidParameterError(f'{name}: write 1 to {MAX_VALUES} values like 1,2 or "a, quoted",b', name)
    return items
