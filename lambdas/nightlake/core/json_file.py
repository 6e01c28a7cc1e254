"""Reads JSON as strictly as AWS does, and remembers the line of every value."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

MAX_DEPTH: Final = 200
_SYMBOL: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_CONSTANTS: Final = ("NaN", "Infinity", "-Infinity")

Location = tuple[str | int, ...]


class NotJsonError(ValueError):
    """A text is not strict JSON: a syntax error, a repeated key, NaN or Infinity; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True)
class Json:
    """A JSON text's value, and the line of every location in it (that of the key, where there is one)."""

    data: Any
    lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int:
        """The line of the location, or of what encloses it when the location is not there."""
        while location not in self.lines:
            location = location[:-1]
        return self.lines[location]


def parse_json(text: str) -> Json:
    """The value and the lines of a JSON text. Raises NotJsonError."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise NotJsonError(error.lineno, f"is not JSON ({error.msg}); mend it in or just before this line") from None
    except (ValueError, RecursionError) as error:
        raise NotJsonError(1, f"cannot be read as JSON ({error})") from None
    return Json(data, _lines(text))


def _lines(text: str) -> dict[Location, int]:
    lines: dict[Location, int] = {}
    symbols = _symbols(text)
    _read(lines, (), next(symbols), symbols)
    return lines


def _symbols(text: str) -> Iterator[tuple[str, int]]:
    line, end = 1, 0
    for symbol in _SYMBOL.finditer(text):
        line += text.count("\n", end, symbol.start())
        end = symbol.start()
        yield symbol[0], line


def _read(
    lines: dict[Location, int], location: Location, first: tuple[str, int], symbols: Iterator[tuple[str, int]]
) -> None:
    """Notes the lines of the value that begins with `first`; the text is known to be JSON."""
    symbol, line = first
    lines.setdefault(location, line)
    if len(location) > MAX_DEPTH:
        raise NotJsonError(line, f"is nested more than {MAX_DEPTH} levels deep; flatten it")
    if symbol in _CONSTANTS:
        raise NotJsonError(line, f"has {symbol}, which is not JSON; write a number")
    if symbol == "{":
        _read_object(lines, location, symbols)
    elif symbol == "[":
        _read_array(lines, location, symbols)


def _read_object(lines: dict[Location, int], location: Location, symbols: Iterator[tuple[str, int]]) -> None:
    for symbol, line in symbols:
        if symbol == "}":
            return
        if symbol == ",":
            continue
        key = (*location, json.loads(symbol))
        if key in lines:
            raise NotJsonError(line, f"has the key {symbol} twice in one object (first in line {lines[key]}); keep one")
        lines[key] = line
        next(symbols)  # the colon
        _read(lines, key, next(symbols), symbols)


def _read_array(lines: dict[Location, int], location: Location, symbols: Iterator[tuple[str, int]]) -> None:
    index = 0
    for symbol, line in symbols:
        if symbol == "]":
            return
        if symbol == ",":
            continue
        _read(lines, (*location, index), (symbol, line), symbols)
        index += 1
