"""The records of an answer as elements of one JSON array, whatever their layout; the text is known to be JSON."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Literal

Layout = Literal["rows", "columns", "keyed", "arrays", "table", "values", "lines"]

KEY: Final = "$key"  # the name of a record in the object of all records, as a column's source
VALUE: Final = "$value"  # the record itself where it is no object
POSITION: Final = "$position"  # its place in a list of values, from 0

_BETWEEN: Final = re.compile(r"[ \t\n\r,:]*")
_BLANKS: Final = " \t\r"
_PIECE: Final = 1 << 20  # characters
_AT_ONCE: Final = 1_000  # records


def _nothing(_pairs: object) -> None:
    return None


# Objects are checked and forgotten: what is counted need not be kept.
_SKIP: Final = json.JSONDecoder(object_pairs_hook=_nothing)
_SKIP_LONG_NUMBERS: Final = json.JSONDecoder(object_pairs_hook=_nothing, parse_int=float)


def skip(text: str, at: int) -> tuple[Any, int]:
    """Check the value that begins there: a list of as many things as it has, and where it ends.

    Raises JSONDecodeError.
    """
    try:
        return _SKIP.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a whole number of more digits than Python takes
        return _SKIP_LONG_NUMBERS.raw_decode(text, at)


def items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where each element of the list that begins there begins and ends."""
    at = _after(text, at + 1)
    while text[at] != "]":
        end = skip(text, at)[1]
        yield at, end
        at = _after(text, end)


def members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """The name, as it is written, of each member of the object there, and where its value begins and ends."""
    at = _after(text, at + 1)
    while text[at] != "}":
        named = skip(text, at)[1]
        start = _after(text, named)
        end = skip(text, start)[1]
        yield text[at:named], start, end
        at = _after(text, end)


def _after(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return at if found is None else found.end()


def lines(text: str) -> Iterator[tuple[int, int]]:
    """Where each line that is not blank begins and ends."""
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if text[at:end].strip(_BLANKS):
            yield at, end
        at = end + 1


def elements(text: str, start: int, end: int, layout: Layout, *, told: Collection[str]) -> Iterator[str]:
    """Pieces that make up all records between two characters, with commas between them; not for columns.

    Of `$key` and `$position` a record has those in it that are to be `told`.
    """
    match layout:
        case "keyed" if text[start] == "{":
            yield from _joined(
                _keyed(name if KEY in told else "", text[begin:stop]) for name, begin, stop in members(text, start)
            )
        case "arrays":
            yield from _joined(_listed(text, begin, stop) for begin, stop in items(text, start))
        case "table":
            spans = items(text, start)
            first, last = next(spans)
            names = json.loads(text[first:last])
            yield from _joined(_listed(text, begin, stop, names) for begin, stop in spans)
        case "values" if text[start] == "[":
            yield from _joined(
                _placed(place if POSITION in told else None, text[begin:stop])
                for place, (begin, stop) in enumerate(items(text, start))
            )
        case "lines":
            yield from _joined(text[begin:stop].strip(_BLANKS) for begin, stop in lines(text))
        case _:
            inner = 1 if text[start] == "[" else 0
            for begin in range(start + inner, end - inner, _PIECE):  # no copy of all of it
                yield text[begin : min(begin + _PIECE, end - inner)]


def _joined(records: Iterator[str]) -> Iterator[str]:
    between = ""
    while some := ",".join(islice(records, _AT_ONCE)):
        yield between + some
        between = ","


def _keyed(name: str, value: str) -> str:
    """One member of an object of records as a record that knows its name, if it has one."""
    inner = value[1:-1].strip() if value.startswith("{") else f'"{VALUE}": {value}'
    told = f'"{KEY}": {name}' if name else ""
    return f"{{{', '.join(filter(None, (told, inner)))}}}"


def _placed(place: int | None, value: str) -> str:
    """One of a list of values as a record that knows its place, if it has one."""
    told = "" if place is None else f'"{POSITION}": {place}, '
    return f'{{{told}"{VALUE}": {value}}}'


def _listed(text: str, start: int, end: int, names: Sequence[str] = ()) -> str:
    """One list of values as a record with these names; those without a name are called by their places, from 0."""
    if text[start] != "[":
        return text[start:end]
    values = [text[begin:stop] for begin, stop in items(text, start)]
    named = [*names, *map(str, range(len(names), len(values)))]
    return f"{{{', '.join(f'{json.dumps(name)}: {value}' for name, value in zip(named, values, strict=False))}}}"
