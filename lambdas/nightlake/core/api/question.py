"""What a caller asks of a dataset's rows: days, columns, conditions and an order, read from the query parameters."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from typing import Final

from nightlake.core import column_type
from nightlake.core.api.condition import Condition, read_condition
from nightlake.core.api.published import Pinned, latest
from nightlake.core.column_type import ColumnType
from nightlake.core.dates import parse_date
from nightlake.core.errors import InvalidDateError, InvalidParameterError
from nightlake.core.snapshot import PublishedTable
from nightlake.core.table import PARTITION_KEYS, RUN_COLUMNS

MAX_PARTITIONS: Final = 366
MAX_LIMIT: Final = 1000
MAX_CONDITIONS: Final = 50
MAX_ORDER: Final = 8
DEFAULT_LIMIT: Final = 100
RANGE: Final = ("date", "from", "to")
RESERVED: Final = (*RANGE, "select", "order_by", "limit", "cursor")
_LAST_MOMENT: Final = time(23, 59, 59, 999_000)  # timestamps are in milliseconds


@dataclass(frozen=True)
class Order:
    """One column that rows are ordered by; null comes last either way."""

    column: str
    descending: bool


@dataclass(frozen=True)
class Question:
    """Rows of the days `first` to `last` that meet all conditions, `columns` of them, at most `limit`.

    Without an `order`, they come as they lie: by day, file and line. With one, lines only decide between equals.
    """

    dataset: str
    first: date
    last: date
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]
    order: tuple[Order, ...]
    limit: int

    def digest(self) -> bytes:
        """What makes it the same question, page by page: everything but how long a page is."""
        parts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "limit"}
        return hashlib.sha256(repr(parts).encode(errors="surrogatepass")).digest()


def types(table: PublishedTable) -> dict[str, ColumnType]:
    """Every column that can be asked for: those of the table as Athena shows it, partition keys last."""
    columns = {column.name: column_type.parse(column.type) for column in table.columns}
    return columns | {key: column_type.parse("string") for key in PARTITION_KEYS}


def read_question(
    pinned: Pinned, table: PublishedTable, parameters: Mapping[str, Sequence[str]], *, moment: str | None = None
) -> Question:
    """The question that the query parameters ask of a published table.

    `moment` is the column that the table is partitioned by, if it is one: where a partition is of more than a day, the
    range of days is also a condition on it. Raises UnknownParameterError for a parameter, column or operator that there
    is not, and InvalidParameterError for a value that is not allowed; both name the parameter and what is.
    """
    single = singles(parameters)
    known = types(table)
    first, last = read_days(single, pinned, table)
    return Question(
        dataset=table.table,
        first=first,
        last=last,
        columns=read_select(single.get("select"), table),
        conditions=(*read_conditions(single, known, RESERVED), *within(table, moment, first, last)),
        order=read_order(single.get("order_by"), known),
        limit=read_limit(single, default=DEFAULT_LIMIT, most=MAX_LIMIT),
    )


def read_conditions(
    parameters: Mapping[str, str], known: Mapping[str, ColumnType], reserved: tuple[str, ...]
) -> tuple[Condition, ...]:
    """The conditions that all other parameters than the reserved ones are. Raises as `read_question` does."""
    found = [
        read_condition(name, text, known, reserved) for name, text in sorted(parameters.items()) if name not in reserved
    ]
    if len(found) > MAX_CONDITIONS:
        raise InvalidParameterError(f"There are {len(found)} conditions; at most {MAX_CONDITIONS} are allowed")
    return tuple(found)


def within(table: PublishedTable, moment: str | None, first: date, last: date) -> tuple[Condition, ...]:
    """What the range of days asks of the column that the table is partitioned by, where partitions are coarser."""
    kind = types(table).get(moment or "")
    if moment is None or kind is None or kind.name not in ("date", "timestamp"):
        return ()
    inside = [each for each in table.partitions if each.has_days(first, last)]
    if all(first <= each.day and each.last_day <= last for each in inside):
        return ()
    ends = (
        (first, last)
        if kind.name == "date"
        else (datetime.combine(first, time()), datetime.combine(last, _LAST_MOMENT))
    )
    return (Condition(moment, "between", ends),)


def singles(parameters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The value of each parameter, which is given once. Raises InvalidParameterError."""
    for name, values in parameters.items():
        if len(values) != 1:
            raise InvalidParameterError(f"{name} is given {len(values)} times; give it once", name)
    return {name: values[0] for name, values in parameters.items()}


def read_limit(parameters: Mapping[str, str], *, default: int, most: int) -> int:
    """The parameter `limit`. Raises InvalidParameterError."""
    text = parameters.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise InvalidParameterError(f"limit={text}: write a whole number from 1 to {most}", "limit")
    return int(text)


def read_day(parameters: Mapping[str, str], name: str) -> date | None:
    """A parameter that is a day, if it is there. Raises InvalidParameterError."""
    if name not in parameters:
        return None
    try:
        return parse_date(parameters[name])
    except InvalidDateError as error:
        raise InvalidParameterError(f"{name}: {error}", name) from None


def read_days(parameters: Mapping[str, str], pinned: Pinned, table: PublishedTable) -> tuple[date, date]:
    """The first and last day that are asked for, else those of the latest partition.

    `date`, `from` and `to` are joined by *and*, as all conditions are; an end that is left open is that of what is
    published. Raises InvalidParameterError.
    """
    day, first, last = (read_day(parameters, name) for name in RANGE)
    if not (day or first or last):
        newest = latest(table, pinned.snapshot)
        return newest.day, newest.last_day
    first = max(each for each in (day, first or table.partitions[0].day) if each)
    last = min(each for each in (day, last or max(first, table.partitions[-1].last_day)) if each)
    inside = sum(each.has_days(first, last) for each in table.partitions)
    if inside > MAX_PARTITIONS:
        raise InvalidParameterError(
            f"from={first} to={last}: {inside} partitions are published in there, and at most {MAX_PARTITIONS} go in; "
            "ask for fewer days",
            "from",
        )
    return first, last


def read_order(text: str | None, known: Mapping[str, ColumnType], name: str = "order_by") -> tuple[Order, ...]:
    """The columns that rows are ordered by, `-column` from the greatest. Raises InvalidParameterError."""
    if text is None:
        return ()
    orders = tuple(Order(each.removeprefix("-"), descending=each.startswith("-")) for each in text.split(","))
    for order in orders:
        if order.column not in known:
            raise InvalidParameterError(
                f"{name}: there is no column '{order.column}'; there are: {', '.join(known)}", name
            )
        if known[order.column].is_nested:
            raise InvalidParameterError(f"{name}: '{order.column}' is {known[order.column]}, which has no order", name)
    if len(orders) > MAX_ORDER:
        raise InvalidParameterError(f"{name}: name at most {MAX_ORDER} columns", name)
    # A column that has decided already decides nothing when it is named again.
    return tuple({order.column: order for order in reversed(orders)}.values())[::-1]


def read_select(text: str | None, table: PublishedTable) -> tuple[str, ...]:
    """The columns that are asked for, else all but those of the run and the day. Raises InvalidParameterError."""
    known = types(table)
    if text is None:
        hidden = {column.name for column in RUN_COLUMNS}
        return tuple(column.name for column in table.columns if column.name not in hidden)
    names = tuple(text.split(","))
    for name in names:
        if name not in known:
            raise InvalidParameterError(f"select: there is no column '{name}'; there are: {', '.join(known)}", "select")
    if len(set(names)) < len(names):
        raise InvalidParameterError("select names a column twice; name each once", "select")
    return names
