"""Texts of an HTTP source with places for the day and for the values of an item, such as `from={date:%Y-%m-%d}`."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pydantic import JsonValue

Value = str | int | float

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_DATE: Final = re.compile(r"date(?:([+-][0-9]{1,4}))?:(.+)", re.DOTALL)
_EPOCHS: Final = {"epoch_seconds": 1, "epoch_milliseconds": 1000}
_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES: Final = frozenset("YmdyjbBaAuVGw%")


def names(text: str) -> Iterator[str]:
    """The names of an item that the text mentions. Raises ValueError for what is no place for anything."""
    for part in _PART.finditer(text):
        if part[0] in ("{{", "}}"):
            continue
        place = part[1]
        if not place:
            raise ValueError(f"{text!r} has a brace that holds no name: write {{date:%Y-%m-%d}}, a name, or {{{{")
        if _DATE.fullmatch(place):
            _check_format(place)
        elif place == "date" or place.startswith(("date:", "date+", "date-")):
            raise ValueError(
                f"{{{place}}} is no date: write {{date:%Y-%m-%d}}, or {{date+1:%Y-%m-%d}} for the day after"
            )
        else:
            yield place


def _check_format(place: str) -> None:
    found = _DATE.fullmatch(place)
    form = found[2] if found else ""
    known = form in _EPOCHS or ("%" in form and all(directive in _DIRECTIVES for directive in _DIRECTIVE.findall(form)))
    if not known:
        raise ValueError(
            f"{form!r} is no format of a day: use %Y %m %d %y %j %b %B %a %A %u %G %V of strftime, "
            f"or {' or '.join(_EPOCHS)} for its first moment in UTC"
        )


def filled(
    text: str, day: date, item: Mapping[str, Value], *, quote: Callable[[str], str] = lambda value: value
) -> str:
    """The text for that day and item; what is filled in is passed through `quote`."""

    def value(part: re.Match[str]) -> str:
        if part[0] in ("{{", "}}"):
            return part[0][0]
        found = _DATE.fullmatch(part[1])
        return quote(str(item[part[1]]) if found is None else _written(day, found))

    return _PART.sub(value, text)


def filled_json(value: JsonValue, day: date, item: Mapping[str, Value]) -> JsonValue:
    """The value with all its texts filled; one that is nothing but the place of a number is that number."""
    if isinstance(value, dict):
        return {name: filled_json(inner, day, item) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled_json(inner, day, item) for inner in value]
    if not isinstance(value, str):
        return value
    place = _PART.fullmatch(value)
    if place is None or place[1] is None:
        return filled(value, day, item)
    found = _DATE.fullmatch(place[1])
    if found is None:
        return item[place[1]]
    written = _written(day, found)
    return int(written) if found[2] in _EPOCHS else written


def _written(day: date, place: re.Match[str]) -> str:
    other = day + timedelta(days=int(place[1] or 0))
    if place[2] in _EPOCHS:
        first = datetime(other.year, other.month, other.day, tzinfo=UTC)
        return str(int(first.timestamp()) * _EPOCHS[place[2]])
    return other.strftime(place[2])
