"""Values of a column: from the text of a query parameter, and to JSON; exact both ways."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from nightlake.core import column_type
from nightlake.core.column_type import ColumnType
from nightlake.core.value_parser import Reading, ValueParser

_READING: Final = Reading(
    date_formats=("%Y-%m-%d",),
    timestamp_formats=tuple(
        f"%Y-%m-%d{between}%H:%M:%S{fraction}{zone}"
        for between in "T "
        for fraction in ("", ".%f")
        for zone in ("", "%z")
    ),
)


def parse(kind: ColumnType, text: str) -> Any:
    """The value that a text names, exactly as the column holds it; a time without a zone is in UTC.

    Raises ValueError with what is wrong.
    """
    return ValueParser(_READING).parse(kind, text)


def to_json(kind: ColumnType, value: Any) -> Any:
    """A value as JSON: decimals are strings, and so are dates, timestamps (UTC) and what is no finite number."""
    if value is None:
        return None
    write = _WRITERS.get(kind.name)
    return write(kind, value) if write else value


def _write_float(_kind: ColumnType, value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"


def _write_array(kind: ColumnType, value: Sequence[Any]) -> list[Any]:
    ((_, element),) = kind.parts
    return [to_json(element, each) for each in value]


def _write_struct(kind: ColumnType, value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_json(part, value[name]) for name, part in kind.parts}


def _write_map(kind: ColumnType, value: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """A JSON object, whose names are the keys as JSON where they are no text."""
    (_, key), (_, item) = kind.parts
    names = [to_json(key, name) for name, _ in value]
    texts = [name if isinstance(name, str) else json.dumps(name) for name in names]
    return {text: to_json(item, each) for text, (_, each) in zip(texts, value, strict=True)}


_WRITERS: Final[Mapping[str, Callable[[ColumnType, Any], Any]]] = {
    **dict.fromkeys(column_type.FLOATS, _write_float),
    "decimal": lambda _kind, value: format(value, "f"),
    "date": lambda _kind, value: value.isoformat(),
    "timestamp": lambda _kind, value: f"{value.isoformat(timespec='milliseconds')}Z",
    "array": _write_array,
    "struct": _write_struct,
    "map": _write_map,
}
