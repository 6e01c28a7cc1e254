"""One JSON object as a record: exact numbers, no repeated names, columns by name or dotted path."""

import json
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from nightlake.core.header import source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.source import Source

WHITESPACE: Final = " \t\n\r"
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_WRONG_BYTE: Final = re.compile("[\udc80-\udcff]")

Object = dict[str, Any]


class DefectError(Exception):
    """A record cannot be taken: the rule that it breaks, and why. Readers turn it into a refused record."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


def _object(pairs: list[tuple[str, Any]]) -> Object:
    found = dict(pairs)
    if len(found) != len(pairs):
        times = Counter(name for name, _ in pairs)
        repeated = next(name for name, count in times.items() if count > 1)
        raise DefectError("json.repeated", f"has {repeated!r} twice in one object")
    return found


def _constant(name: str) -> None:
    raise DefectError("json.syntax", f"has {name}, which is not JSON")


EXACT: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_int=Decimal, parse_constant=_constant
)


def decode(text: str, at: int = 0) -> tuple[Any, int]:
    """The value that begins there, and where it ends. Raises DefectError, or ValueError for what is not JSON."""
    try:
        return EXACT.raw_decode(text, at)
    except ArithmeticError:
        raise DefectError("json.syntax", "has a number that no computer can hold") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def check(value: object, raw: str) -> Object:
    """The value that was decoded from `raw`, if it is an object of real text. Raises DefectError."""
    if not raw.isascii() and _WRONG_BYTE.search(raw):
        raise DefectError("encoding", "has bytes that are not in the declared encoding")
    if not isinstance(value, dict):
        raise DefectError("json.object", "is no JSON object")
    if "\\u" in raw and _SURROGATE.search(raw):
        try:
            json.dumps(value, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            raise DefectError("encoding", "has an escape of half a character, such as \\ud800") from None
    return value


def columns_of(source: Source, dataset: Dataset) -> Callable[[list[Object]], dict[str, list[Any]]]:
    """What turns objects into columns; what is not there is None."""
    names = source_names(source, dataset)

    def to_columns(rows: list[Object]) -> dict[str, list[Any]]:
        return {
            column: [find(row, name) for row in rows] if "." in name else [row.get(name) for row in rows]
            for column, name in names.items()
        }

    return to_columns


def find(row: Object, name: str) -> Any:
    """The value of that name, else at that dotted path."""
    if name in row:
        return row[name]
    value: Any = row
    for step in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def declared_names(source: Source, dataset: Dataset) -> frozenset[str]:
    """The names at the top of an object that some column reads."""
    names = source_names(source, dataset).values()
    return frozenset(names) | {name.partition(".")[0] for name in names}
