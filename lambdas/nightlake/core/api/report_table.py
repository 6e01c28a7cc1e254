"""What a report answered as a table of Arrow's, for formats that have types of their own."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from nightlake.core import column_type
from nightlake.core.api.result import Result
from nightlake.core.api.value import parse
from nightlake.core.column_type import FLOATS, ColumnType
from nightlake.core.table import arrow_type

_HIVE: Final = {"integer": "int", "real": "float"}


def report_table(told: Mapping[str, Any]) -> Result:
    """The columns and rows of a report, or of a page of a query's result, as its JSON tells them."""
    import pyarrow as pa

    name, day = told.get("report", told.get("name")), date.fromisoformat(told["date"])
    columns = tuple((column["name"], _kind(column["type"])) for column in told["columns"])
    values = [pa.array([_value(kind, row[each]) for row in told["rows"]], arrow_type(kind)) for each, kind in columns]
    return Result(
        dataset=str(name),
        snapshot=told["snapshot"],
        first=day,
        last=day,
        days=(day,),
        columns=columns,
        rows=pa.Table.from_arrays(values, [each for each, _ in columns]),
        next_cursor=told.get("next_cursor"),
    )


def _kind(athena: str) -> ColumnType:
    """The type of a column; what has no other exact form is its text."""
    try:
        kind = column_type.parse(_HIVE.get(athena, athena))
    except ValueError:
        return column_type.parse("string")
    return column_type.parse("string") if kind.is_nested else kind


def _value(kind: ColumnType, told: Any) -> Any:
    """The value that JSON tells."""
    if told is None or kind.name == "string":
        return told
    if kind.name in FLOATS:
        return float(told)
    return parse(kind, told) if isinstance(told, str) else told
