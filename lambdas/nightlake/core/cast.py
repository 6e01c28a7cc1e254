"""Raw values of one column as an Arrow array of its type; what cannot be cast is refused, value by value.

Texts in the usual spelling are cast as a whole. Every other value goes through `value_parser`, whose word is final:
what is cast as a whole is only what it would cast to the same value.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from nightlake.core.column_type import INTEGER_BITS, ColumnType
from nightlake.core.table import arrow_type
from nightlake.core.value_parser import BLANKS, Reading, ValueParser, digits, to_utc

if TYPE_CHECKING:
    import pyarrow as pa

# Digits that fit whatever they are.
_SAFE_DIGITS = {"tinyint": 2, "smallint": 4, "int": 9, "bigint": 18}
_FLOAT = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_BOOLEAN = r"^(?i:true|false|1|0)$"
_DAY = (
    r"(?:[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|[1-9][0-9](?:0[48]|[2468][048]|[13579][26])-02-29)"
)
_DATE = f"^{_DAY}$"
_TIMESTAMP = rf"^{_DAY} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{3}}$"
_DIGITS = {"Y": "([0-9]{4})", **dict.fromkeys("mdHMS", "([0-9]{2})"), "f": "([0-9]{3})(?:000)?"}
_ABSENT = {"H": "00", "M": "00", "S": "00", "f": "000"}


@dataclass(frozen=True)
class Cast:
    """A column: null where a value is missing or refused, why by row, and the rows whose decimal lost digits."""

    values: "pa.Array"
    refused: dict[int, str] = field(default_factory=dict)
    rounded: tuple[int, ...] = ()


def cast(values: "Sequence[object] | pa.Array", kind: ColumnType, reading: Reading) -> Cast:
    """The values, raw from a text or as Arrow from a typed file, as an array of `arrow_type(kind)`."""
    import pyarrow as pa

    if isinstance(values, pa.Array):
        return _cast_array(values, kind, reading)
    texts = None if kind.is_nested else _as_texts(values)
    if texts is None:
        return _cast_each(values, range(len(values)), pa.nulls(len(values), arrow_type(kind)), kind, reading)
    return _cast_texts(texts, kind, reading)


def _as_texts(values: Sequence[object]) -> "pa.Array | None":
    """The values as texts; None when one of them is neither text nor number, or no text of UTF-8."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except (TypeError, ValueError):
        try:
            return pa.array([digits(value) for value in values], pa.string())
        except (TypeError, ValueError):
            return None


def _cast_texts(texts: "pa.Array", kind: ColumnType, reading: Reading) -> Cast:
    import pyarrow.compute as pc

    if kind.name == "string":
        return Cast(texts)
    plain = _cast_plain(pc.utf8_trim(texts, BLANKS), kind, reading)
    rest = pc.indices_nonzero(pc.and_(pc.is_valid(texts), pc.is_null(plain)))
    if not len(rest):
        return Cast(plain)
    return _cast_each(texts.take(rest).to_pylist(), rest.to_pylist(), plain, kind, reading)


def _cast_each(
    values: Sequence[object], rows: Sequence[int], into: "pa.Array", kind: ColumnType, reading: Reading
) -> Cast:
    """The array with the values of these rows, parsed one by one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parser = ValueParser(reading)
    parsed: list[object] = []
    refused: dict[int, str] = {}
    rounded: list[int] = []
    for row, value in zip(rows, values, strict=True):
        before = parser.rounded
        try:
            parsed.append(parser.parse(kind, value))
        except ValueError as error:
            parsed.append(None)
            refused[row] = str(error)
        else:
            rounded += [row] * (parser.rounded - before)
    replaced = pa.array(parsed, into.type)
    if len(rows) < len(into):
        mask = pc.is_in(pa.array(range(len(into))), pa.array(rows))
        replaced = pc.replace_with_mask(into, mask, replaced)
    return Cast(replaced, refused, tuple(rounded))


def _cast_plain(texts: "pa.Array", kind: ColumnType, reading: Reading) -> "pa.Array":
    """The texts that are in the usual spelling, cast; null for all others."""
    import pyarrow.compute as pc

    target = arrow_type(kind)
    if kind.name in INTEGER_BITS:
        return _only(texts, f"^-?[0-9]{{1,{_SAFE_DIGITS[kind.name]}}}$").cast(target)
    if kind.name == "decimal":
        whole = f"[0-9]{{1,{kind.precision - kind.scale}}}" if kind.precision > kind.scale else "0"
        fraction = rf"(?:\.[0-9]{{1,{kind.scale}}})?" if kind.scale else ""
        return _only(texts, f"^-?{whole}{fraction}$").cast(target)
    if kind.name == "boolean":
        return _only(texts, _BOOLEAN).cast(target)
    if kind.is_number:
        floats = _only(texts, _FLOAT).cast(target)
        return pc.if_else(pc.is_finite(floats), floats, None)
    if kind.name == "date":
        return _only(_in_iso(texts, reading.date_formats, "{Y}-{m}-{d}"), _DATE).cast(target)
    moments = _only(_in_iso(texts, reading.timestamp_formats, "{Y}-{m}-{d} {H}:{M}:{S}.{f}"), _TIMESTAMP)
    return _in_utc(moments.cast(target), reading.timezone)


def _only(texts: "pa.Array", pattern: str) -> "pa.Array":
    import pyarrow.compute as pc

    return pc.if_else(pc.match_substring_regex(texts, pattern), texts, None)


def _in_iso(texts: "pa.Array", formats: tuple[str, ...], iso: str) -> "pa.Array":
    """The texts that are written with all digits in one of the formats, in the order of `iso`; null for others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pa.nulls(len(texts), pa.string())
    for pattern, replacement in _rewrites(formats, iso):
        if found.null_count > texts.null_count:
            found = pc.coalesce(found, pc.replace_substring_regex(_only(texts, pattern), pattern, replacement))
    return found


@cache
def _rewrites(formats: tuple[str, ...], iso: str) -> tuple[tuple[str, str], ...]:
    """RE2 pattern and replacement of each format that is made of digits and that no earlier format could match.

    What is left of a text without its digits tells: strptime reads the same text by two formats only if they agree.
    """
    rewrites, earlier = [], set[str]()
    for text in formats:
        parts = re.split("%(.)", text)
        literals, letters = parts[::2], parts[1::2]
        signs = "".join("".join(literals).casefold().split())
        if not set(letters) <= set(_DIGITS) or re.search("[0-9]", signs):
            break  # whatever it matches, it comes before those that follow
        if signs not in earlier and _is_plain(letters, iso):
            rewrites.append(_rewrite(literals, letters, iso))
        earlier.add(signs)
    return tuple(rewrites)


def _is_plain(letters: list[str], iso: str) -> bool:
    known = set(letters) <= set(iso) and set(letters) >= set("Ymd")
    return known and len(set(letters)) == len(letters) and "f" not in letters[:-1]


def _rewrite(literals: list[str], letters: list[str], iso: str) -> tuple[str, str]:
    shapes = [*(_DIGITS[letter] for letter in letters), ""]
    pattern = "".join(re.escape(literal) + shape for literal, shape in zip(literals, shapes, strict=True))
    groups = {letter: rf"\{number}" for number, letter in enumerate(letters, 1)}
    return f"^{pattern}$", iso.format(**_ABSENT | groups)


def _in_utc(moments: "pa.Array", zone: str) -> "pa.Array":
    """Times on the clocks of a zone in UTC; null for those that the clocks skip."""
    import pyarrow as pa

    if zone == "UTC":
        return moments
    distinct = moments.dictionary_encode()
    instants: list[object] = []
    for moment in distinct.dictionary.to_pylist():
        try:
            instants.append(to_utc(moment, zone))
        except ValueError:
            instants.append(None)
    return pa.array(instants, moments.type).take(distinct.indices)


def _cast_array(values: "pa.Array", kind: ColumnType, reading: Reading) -> Cast:
    """A column of a typed file: Arrow's own cast where it is exact, the parser between unlike types."""
    import pyarrow as pa

    target = arrow_type(kind)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values.type == target and not pa.types.is_floating(target):
        return Cast(values)
    if not _alike(values.type, target):
        return cast(values.to_pylist(), kind, reading)
    return _cast_alike(values, target)


def _alike(source: "pa.DataType", target: "pa.DataType") -> bool:
    """Whether Arrow's safe cast from one type to the other gives the same value or an error."""
    from pyarrow import types

    families = (
        lambda kind: types.is_integer(kind) or types.is_decimal(kind),
        types.is_floating,
        lambda kind: types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind),
        types.is_timestamp,
        types.is_date,
    )
    return any(family(source) and family(target) for family in families)


def _cast_alike(values: "pa.Array", target: "pa.DataType") -> Cast:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        done = values.cast(target)
    except pa.ArrowInvalid:
        done = pa.concat_arrays([_cast_alone(values.slice(row, 1), target) for row in range(len(values))])
    if pa.types.is_floating(target):
        done = pc.if_else(pc.is_finite(done), done, None)
    lost = pc.indices_nonzero(pc.and_(pc.is_valid(values), pc.is_null(done))).to_pylist()
    return Cast(done, dict.fromkeys(lost, f"not a value of {target}: out of range or too fine"))


def _cast_alone(value: "pa.Array", target: "pa.DataType") -> "pa.Array":
    import pyarrow as pa

    try:
        return value.cast(target)
    except pa.ArrowInvalid:
        return pa.nulls(1, target)
