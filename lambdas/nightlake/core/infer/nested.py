"""The narrowest type that safely holds all values of a column of JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from nightlake.core.column_type import ColumnType, array, map_of, struct
from nightlake.core.infer.scalars import STRING, Guess, guess_moment, guess_number
from nightlake.core.wording import identifier_fault

BOOLEAN: Final = ColumnType("boolean")
_DEEPEST: Final = 12


def guess_json(values: Sequence[Any], depth: int = 0) -> Guess | None:
    """The type; None when no column can hold such values: objects beside others, or too deep."""
    present = [value for value in values if value is not None]
    if not present:
        return Guess(STRING)
    if all(isinstance(value, Mapping) for value in present):
        return _object(present, depth) if depth < _DEEPEST else None
    if all(isinstance(value, list) for value in present):
        element = guess_json([item for value in present for item in value], depth + 1) if depth < _DEEPEST else None
        return None if element is None else replace(element, type=array(element.type))
    if any(isinstance(value, Mapping | list) for value in present):
        return None
    return _plain(present)


def _plain(values: list[Any]) -> Guess:
    if all(isinstance(value, bool) for value in values):
        return Guess(BOOLEAN)
    if all(isinstance(value, int | Decimal) and not isinstance(value, bool) for value in values):
        kind = guess_number(Counter(str(value) for value in values))
        return Guess(kind or STRING)
    if all(isinstance(value, str) for value in values):
        return guess_moment(set(values))
    return Guess(STRING)


def _object(values: list[Mapping[str, Any]], depth: int) -> Guess | None:
    names = dict.fromkeys(name for value in values for name in value)
    fields = {name: guess_json([value.get(name) for value in values], depth + 1) for name in names}
    known = {name: guess for name, guess in fields.items() if guess is not None}
    if not known or len(known) < len(fields):
        return None
    kinds = {guess.type for guess in known.values()}
    if not any(map(identifier_fault, names)):
        kind = struct(tuple((name, guess.type) for name, guess in known.items()))
    elif len(kinds) == 1:
        kind = map_of(STRING, kinds.pop())
    else:
        return None
    dates = [pattern for guess in known.values() for pattern in guess.date_formats]
    timestamps = [pattern for guess in known.values() for pattern in guess.timestamp_formats]
    return Guess(kind, tuple(dict.fromkeys(dates)), tuple(dict.fromkeys(timestamps)))
