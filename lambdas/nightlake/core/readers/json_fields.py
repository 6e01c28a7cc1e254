"""Fields of a JSON object as its text writes them: numbers with all their digits, arrays and objects as their JSON."""

import json
import re
from collections.abc import Collection
from typing import Final

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SCALAR: Final = re.compile(r"[^ \t\n\r,\]}]*")
_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def written_fields(raw: str, names: Collection[str]) -> dict[str, str]:
    """Those fields at the top of an object that are not null; `raw` is the text of an object that a reader took."""
    found: dict[str, str] = {}
    at = _end(_SPACE, raw, raw.index("{") + 1)
    while raw[at] != "}":
        after = _end(_PART, raw, at)
        name = json.loads(raw[at:after])
        start = _end(_SPACE, raw, _end(_SPACE, raw, after) + 1)
        at = _value_end(raw, start)
        if name in names and raw[start:at] != "null":
            found[name] = json.loads(raw[start:at]) if raw[start] == '"' else raw[start:at]
        at = _end(_SPACE, raw, at)
        if raw[at] == ",":
            at = _end(_SPACE, raw, at + 1)
    return found


def _value_end(raw: str, start: int) -> int:
    """Where the value ends that begins there; without recursion, since nobody limits how deep it is."""
    if raw[start] not in '"[{':
        return _end(_SCALAR, raw, start)
    depth = 0
    for part in _PART.finditer(raw, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(part[0], 0)
        if depth == 0:
            return part.end()
    return len(raw)


def _end(pattern: re.Pattern[str], raw: str, at: int) -> int:
    found = pattern.match(raw, at)
    return found.end() if found else at
