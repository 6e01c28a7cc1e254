"""Values of a column: from the text of a query parameter, and to JSON; exact both ways."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from nightlake.core.column_type import ColumnType
from nightlake.core.report import json_value
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
    """A value as JSON, as reports write it too; maps are objects, named by their keys (as JSON if they are no text)."""
    if value is None or not kind.is_nested:
        return json_value(value)
    return _WRITERS[kind.name](kind, value)


def _write_array(kind: ColumnType, value: Sequence[Any]) -> list[Any]:
    ((_, element),) = kind.parts
    return [to_json(element, each) for each in value]


def _write_struct(kind: ColumnType, value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_json(part, value[name]) for name, part in kind.parts}


def _write_map(kind: ColumnType, value: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    (_, key), (_, item) = kind.parts
    names = [to_json(key, name) for name, _ in value]
    texts = [name if isinstance(name, str) else json.dumps(name) for name in names]
    return {text: to_json(item, each) for text, (_, each) in zip(texts, value, strict=True)}


_WRITERS: Final[Mapping[str, Callable[[ColumnType, Any], Any]]] = {
    "array": _write_array,
    "struct": _write_struct,
    "map": _write_map,
}
