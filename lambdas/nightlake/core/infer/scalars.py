"""The narrowest type that safely holds all texts of a column, as `value_parser` reads them."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from nightlake.core.column_type import MAX_PRECISION, ColumnType
from nightlake.core.infer.moments import AmbiguousError, common_formats, is_finer
from nightlake.core.value_parser import BLANKS, Reading, ValueParser

NULL_WORDS: Final = frozenset(
    ("\\N", "NULL", "null", "Null", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "None", "none", "nil", "-", "?", ".")
)
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[+-]?(?P<whole>0|[1-9][0-9]*)?(?:\.(?P<fraction>[0-9]*))?")
# Digits behind a plus are a phone number.
_FLOAT: Final = re.compile(r"(?!\+[0-9]*$)[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_POLES: Final = ({"true", "false"}, {"t", "f"}, {"yes", "no"}, {"y", "n"})
_BIGINT_DIGITS: Final = 18
_CODE: Final = 10_000
_REPEATED: Final = 20
_ROOM: Final = 2  # more digits before the point than were seen
_PRECISIONS: Final = (12, 18, 28, MAX_PRECISION)
_MONEY_DIGITS: Final = 2
_MAX_SCALE: Final = 6  # more digits are those of a binary fraction
_DOUBLE_DIGITS: Final = 17  # what tells every double from the next
STRING: Final = ColumnType("string")


@dataclass(frozen=True)
class Guess:
    """A type and the formats that its texts need.

    `nulls` are the words among them that stand for a missing value, `rounded` says that they have more digits than any
    type holds, `note` what a person should look at.
    """

    type: ColumnType
    date_formats: tuple[str, ...] = ()
    timestamp_formats: tuple[str, ...] = ()
    nulls: frozenset[str] = frozenset()
    rounded: bool = False
    note: str = ""


def guess_text(texts: Counter[str]) -> Guess:
    """The type of a column of delimited text: `texts` are its values with how often each stands there."""
    words = texts.keys() & NULL_WORDS
    values = Counter({text: count for text, count in texts.items() if text not in NULL_WORDS})
    found = _typed(values)
    return found if found.type == STRING else replace(found, nulls=frozenset(words))


def _typed(values: Counter[str]) -> Guess:
    bare = Counter[str]()
    for text, count in values.items():
        bare[text.strip(BLANKS)] += count
    if not values or "" in bare:
        return Guess(STRING)
    for kind in (_boolean(bare), _integer(bare), _fraction(bare)):
        if kind is not None and _holds(kind, values):
            return Guess(kind)
    found = _moment(bare)
    return found if found.type != STRING or found.note else Guess(STRING, note=_nearly(bare))


def guess_number(texts: Counter[str]) -> ColumnType | None:
    """The type of numbers as JSON writes them; None when one of them fits no type."""
    kinds = (_integer(texts), _fraction(texts))
    return next((kind for kind in kinds if kind is not None and _holds(kind, texts)), None)


def guess_moment(texts: Collection[str]) -> Guess:
    """The type of JSON strings: a moment, or a text, whatever else they look like."""
    return Guess(STRING) if any(map(str.isdigit, texts)) else _moment(texts)


def _moment(texts: Collection[str]) -> Guess:
    try:
        moment = common_formats(texts)
    except AmbiguousError as error:
        return Guess(STRING, note=f"looks like a date, but day and month cannot be told apart: {error}")
    if moment is None:
        return Guess(STRING)
    kind, formats = moment
    if kind == "date":
        return Guess(ColumnType("date"), date_formats=formats)
    return Guess(ColumnType("timestamp"), timestamp_formats=formats, rounded=is_finer(texts, formats))


def _holds(kind: ColumnType, texts: Iterable[str]) -> bool:
    parser = ValueParser(Reading())
    try:
        for text in texts:
            parser.parse(kind, text)
    except ValueError:
        return False
    return True


def _boolean(texts: Counter[str]) -> ColumnType | None:
    spelled = {text.lower() for text in texts}
    both = any(spelled == poles for poles in _POLES)
    return ColumnType("boolean") if both or spelled in ({"true"}, {"false"}) else None


def _integer(texts: Counter[str]) -> ColumnType | None:
    if not all(map(_INTEGER.fullmatch, texts)):
        return None
    if max(len(text.lstrip("-")) for text in texts) > _BIGINT_DIGITS:
        return _decimal(max(len(text.lstrip("-")) for text in texts), 0)
    is_code = all(0 <= int(text) < _CODE for text in texts) and texts.total() >= _REPEATED * len(texts)
    return ColumnType("int" if is_code else "bigint")


def _fraction(texts: Counter[str]) -> ColumnType | None:
    if not all(map(_FLOAT.fullmatch, texts)):
        return None
    parts = [_DECIMAL.fullmatch(text) for text in texts]
    wholes = [len(part["whole"] or "") for part in parts if part]
    fractions = {len(part["fraction"] or "") for part in parts if part}
    if all(parts):
        scale = max(fractions) if len(fractions) == 1 else max(_MONEY_DIGITS, *fractions)
        if scale <= _MAX_SCALE or max(wholes) + scale > _DOUBLE_DIGITS:
            return _decimal(max(wholes), scale)
    mantissas = (re.split("[eE]", text)[0] for text in texts)
    exact = all(sum(map(str.isdigit, mantissa)) <= _DOUBLE_DIGITS for mantissa in mantissas)
    return ColumnType("double") if exact else None


def _decimal(whole: int, scale: int) -> ColumnType | None:
    """A decimal with room, as far as there is any."""
    wanted = whole + _ROOM + scale
    precision = next((size for size in _PRECISIONS if size >= wanted), MAX_PRECISION)
    return ColumnType("decimal", precision, scale) if precision - scale >= whole else None


def _nearly(texts: Counter[str]) -> str:
    """What nearly all texts are."""
    odd = [text for text in texts if not _FLOAT.fullmatch(text)]
    others = sum(texts[text] for text in odd)
    if 0 < others <= texts.total() // _REPEATED:
        return f"nearly all are numbers; {others} are not, such as {odd[0][:40]!r}"
    return ""
