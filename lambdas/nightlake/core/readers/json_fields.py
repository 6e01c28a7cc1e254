"""Fields of a JSON object as its text writes them: numbers with all their digits, arrays and objects as their JSON."""

import json
import re
from collections.abc import Collection
from typing import Final

_NUMBERS_AS_TEXT: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
# A comma, a name, a colon and, unless it is an array or an object, a value.
_FIELD: Final = re.compile(rf"[\s,]*({_TEXT})\s*:\s*({_TEXT}|[^\s,{{}}\[\]]+)?", re.DOTALL)
_PART: Final = re.compile(rf"{_TEXT}|[\[{{]|[\]}}]", re.DOTALL)


def written_fields(raw: str, names: Collection[str]) -> dict[str, str]:
    """Those fields at the top of an object that are not null; `raw` is the text of an object that a reader took."""
    try:
        row = _NUMBERS_AS_TEXT.decode(raw)
    except RecursionError:
        return _scanned(raw, names)
    found = {name: row[name] for name in names if row.get(name) is not None}
    if any(isinstance(value, dict | list) for value in found.values()):
        return _scanned(raw, names)
    return {name: value if isinstance(value, str) else str(value).lower() for name, value in found.items()}


def _scanned(raw: str, names: Collection[str]) -> dict[str, str]:
    """The same, also of arrays and objects, whose text is wanted: several times slower."""
    found: dict[str, str] = {}
    at = raw.index("{") + 1
    while field := _FIELD.match(raw, at):
        name, value, at = _text(field[1]), field[2], field.end()
        if value is None:
            at = _nested_end(raw, field.end())
            value = raw[field.end() : at]
        if name in names and value != "null":
            found[name] = _text(value) if value[0] == '"' else value
    return found


def _text(written: str) -> str:
    return str(json.loads(written)) if "\\" in written else written[1:-1]


def _nested_end(raw: str, start: int) -> int:
    """Where the array or object ends that begins there; without recursion, since nobody limits how deep it is."""
    depth = 0
    for part in _PART.finditer(raw, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(part[0], 0)
        if depth == 0:
            return part.end()
    return len(raw)
