"""What a finished Athena query answered: typed columns and rows, made from the texts that Athena prints."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from nightlake.core.errors import NightlakeError
from nightlake.core.frozen import Frozen

_WHOLE: Final = ("tinyint", "smallint", "integer", "int", "bigint")
_FLOATS: Final = ("float", "real", "double")
NUMBERS: Final = (*_WHOLE, *_FLOATS, "decimal")
"""What Athena and Hive call the types of numbers, without the digits of decimals."""

Value = bool | int | float | Decimal | date | datetime | str | None


class ResultGoneError(NightlakeError):
    """Raised when Athena no longer has a query's rows; caught where it is expected."""


class ResultColumn(Frozen):
    """One column; `type` is Athena's name for it, with the digits of decimals: `bigint`, `decimal(12,2)`, `varchar`."""

    name: str
    type: str


class QueryResult(Frozen):
    """Columns and the rows read of them, values in the order of the columns."""

    columns: tuple[ResultColumn, ...]
    rows: tuple[tuple[Value, ...], ...]

    def records(self) -> tuple[dict[str, Value], ...]:
        """The rows as mappings from column names."""
        names = [column.name for column in self.columns]
        return tuple(dict(zip(names, row, strict=True)) for row in self.rows)


def typed(kind: str, text: str | None) -> Value:
    """The value that Athena printed as `text` in a column of the type `kind`.

    Numbers, decimals (exact), booleans, dates and timestamps become Python's; all else stays the text: arrays, maps,
    rows and times with a zone have no other exact form. None is NULL.
    """
    return None if text is None else _PARSERS.get(kind.partition("(")[0], str)(text)


_PARSERS: Final[Mapping[str, Callable[[str], Value]]] = {
    **dict.fromkeys(_WHOLE, int),
    **dict.fromkeys(_FLOATS, float),
    "decimal": Decimal,
    "boolean": {"true": True, "false": False}.__getitem__,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}
