"""What a caller asks of a dataset's rows: days, columns and conditions, read from the query parameters."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final

from nightlake.core import column_type
from nightlake.core.api.value import parse
from nightlake.core.column_type import ColumnType
from nightlake.core.dates import parse_date
from nightlake.core.errors import InvalidDateError, InvalidParameterError, UnknownParameterError
from nightlake.core.snapshot import PublishedTable
from nightlake.core.table import PARTITION_KEYS, RUN_COLUMNS

MAX_DAYS: Final = 31
MAX_LIMIT: Final = 1000
MAX_VALUES: Final = 100
MAX_CONDITIONS: Final = 50
DEFAULT_LIMIT: Final = 100
RESERVED: Final = ("date", "from", "to", "select", "limit", "cursor")
COMPARISONS: Final = ("eq", "ne", "lt", "lte", "gt", "gte")
OPERATORS: Final = (*COMPARISONS, "in", "is_null")


@dataclass(frozen=True)
class Condition:
    """One condition on a column; `values` are of the column's type, for `is_null` one boolean."""

    column: str
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Question:
    """Rows of the days `first` to `last` that meet all conditions, `columns` of them, at most `limit`."""

    dataset: str
    first: date
    last: date
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]
    limit: int

    def digest(self) -> bytes:
        """What makes it the same question, page by page: everything but how long a page is."""
        parts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "limit"}
        return hashlib.sha256(repr(parts).encode(errors="surrogatepass")).digest()


def types(table: PublishedTable) -> dict[str, ColumnType]:
    """Every column that can be asked for: those of the table as Athena shows it, partition keys last."""
    columns = {column.name: column_type.parse(column.type) for column in table.columns}
    return columns | {key: column_type.parse("string") for key in PARTITION_KEYS}


def read_question(table: PublishedTable, parameters: Mapping[str, Sequence[str]]) -> Question:
    """The question that the query parameters ask of a published table.

    Raises UnknownParameterError for a parameter, column or operator that there is not, and InvalidParameterError for
    a value that is not allowed; both name the parameter and what is.
    """
    single = {name: once(name, values) for name, values in parameters.items()}
    known = types(table)
    first, last = _days(single, table)
    conditions = [_condition(name, text, known) for name, text in sorted(single.items()) if name not in RESERVED]
    if len(conditions) > MAX_CONDITIONS:
        raise InvalidParameterError(f"There are {len(conditions)} conditions; at most {MAX_CONDITIONS} are allowed")
    return Question(
        dataset=table.table,
        first=first,
        last=last,
        columns=_select(single.get("select"), table, known),
        conditions=tuple(conditions),
        limit=read_limit(single, default=DEFAULT_LIMIT, most=MAX_LIMIT),
    )


def once(name: str, values: Sequence[str]) -> str:
    """The value of a parameter that is given once. Raises InvalidParameterError."""
    if len(values) != 1:
        raise InvalidParameterError(f"{name} is given {len(values)} times; give it once")
    return values[0]


def read_limit(parameters: Mapping[str, str], *, default: int, most: int) -> int:
    """The parameter `limit`. Raises InvalidParameterError."""
    text = parameters.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise InvalidParameterError(f"limit={text}: write a whole number from 1 to {most}")
    return int(text)


def read_day(parameters: Mapping[str, str], name: str) -> date | None:
    """A parameter that is a day, if it is there. Raises InvalidParameterError."""
    if name not in parameters:
        return None
    try:
        return parse_date(parameters[name])
    except InvalidDateError as error:
        raise InvalidParameterError(f"{name}: {error}") from None


def _days(parameters: Mapping[str, str], table: PublishedTable) -> tuple[date, date]:
    day, first, last = (read_day(parameters, name) for name in ("date", "from", "to"))
    if day and (first or last):
        raise InvalidParameterError("date is given together with from or to; give one day, or both ends of a range")
    if first is None and last is None:
        newest = day or table.partitions[-1].day
        return newest, newest
    if first is None or last is None:
        raise InvalidParameterError("from and to go together; give both ends of the range, or date for one day")
    if not 0 <= (last - first).days < MAX_DAYS:
        raise InvalidParameterError(f"from={first} to={last}: to is not before from, and at most {MAX_DAYS} days go in")
    return first, last


def _select(text: str | None, table: PublishedTable, known: Mapping[str, ColumnType]) -> tuple[str, ...]:
    if text is None:
        hidden = {column.name for column in RUN_COLUMNS}
        return tuple(column.name for column in table.columns if column.name not in hidden)
    names = tuple(text.split(","))
    for name in names:
        if name not in known:
            raise InvalidParameterError(f"select: there is no column '{name}'; there are: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise InvalidParameterError("select names a column twice; name each once")
    return names


def _condition(name: str, text: str, known: Mapping[str, ColumnType]) -> Condition:
    column, _, operator = name.partition(".")
    if column not in known:
        raise UnknownParameterError(
            f"There is no parameter or column '{column}'; parameters are {', '.join(RESERVED)}, "
            f"columns are {', '.join(known)}"
        )
    operator = operator if "." in name else "eq"
    if operator not in OPERATORS:
        raise UnknownParameterError(f"{name}: there is no operator '{operator}'; there are: {', '.join(OPERATORS)}")
    kind = column_type.parse("boolean") if operator == "is_null" else known[column]
    if kind.is_nested:
        raise UnknownParameterError(f"{name}: '{column}' is {known[column]}; only is_null can be asked of it")
    values = _items(name, text) if operator == "in" else [text]
    try:
        return Condition(column, operator, tuple(parse(kind, value) for value in values))
    except ValueError as error:
        raise InvalidParameterError(f"{name}={text}: {error}; '{column}' is {known[column]}") from None


def _items(name: str, text: str) -> list[str]:
    try:
        items = next(csv.reader([text], strict=True), [])
    except csv.Error:
        items = []
    if not 1 <= len(items) <= MAX_VALUES:
        raise InvalidParameterError(f'{name}: write 1 to {MAX_VALUES} values like 1,2 or "a, quoted",b')
    return items
