"""Texts to numbers, many at once: what the value parser would say of them, or nothing."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from nightlake.core.column_type import FLOATS, INTEGER_BITS, MAX_PRECISION, ColumnType
from nightlake.core.table import arrow_type
from nightlake.core.text_column import content, made_of, matching
from nightlake.core.typed_column import Cast
from nightlake.core.value_parser import BLANKS, Reading

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS: Final = b"0123456789+-."
_SAFE_DIGITS: Final = {"tinyint": 2, "smallint": 4, "int": 9, "bigint": 18}  # fit whatever they are
_INTEGER_DIGITS: Final = 19  # of the widest integer

Sieve = Callable[["pa.StringArray"], "pa.StringArray"]


def cast_plain(texts: "pa.StringArray", kind: ColumnType, reading: Reading) -> Cast:
    """The numbers that are written as Arrow reads them; null for what may be another one, or none.

    Beyond plain digits Arrow reads hexadecimal integers, NaN and Infinity, and takes a float that is too large for
    infinite; none of these gets here.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    target = arrow_type(kind)
    texts = in_plain_spelling(texts, reading)
    letters = b"eE" if kind.name in FLOATS else b""
    sieves: tuple[Sieve, ...] = (partial(_without_letters, but=letters), partial(matching, pattern=_pattern(kind)))
    for sieve in sieves:
        try:
            values = sieve(texts).cast(target)
        except pa.ArrowInvalid:
            continue
        break
    if kind.name not in FLOATS:
        return Cast(values)
    finite = pc.is_finite(values)
    return Cast(values if pc.all(finite).as_py() is not False else pc.if_else(finite, values, None))


def _without_letters(texts: "pa.StringArray", but: bytes) -> "pa.StringArray":
    held = content(texts)
    return made_of(texts, _DIGITS + but) if len(held) and held.max() > ord("9") else texts


def _pattern(kind: ColumnType) -> str:
    """What Arrow casts to this type in any case."""
    if kind.name in INTEGER_BITS:
        return f"-?[0-9]{{1,{_SAFE_DIGITS[kind.name]}}}"
    if kind.name in FLOATS:
        return Reading().number
    return _decimal(kind.precision - kind.scale, kind.scale)


def _decimal(whole: int, fraction: int) -> str:
    wholes = f"0*[0-9]{{1,{whole}}}" if whole else "0+"
    return rf"[+-]?(?:{wholes}(?:\.[0-9]{{0,{fraction}}})?|\.[0-9]{{1,{fraction}}})" if fraction else f"[+-]?{wholes}"


def in_plain_spelling(texts: "pa.StringArray", reading: Reading) -> "pa.StringArray":
    """Numbers without blanks around them and with no separator but a point; null for what is none."""
    import pyarrow.compute as pc

    held = content(texts)
    if len(held) and held.min() <= max(BLANKS.encode()):
        texts = pc.utf8_trim(texts, BLANKS)
    if reading.plain_numbers:
        return texts
    texts = matching(texts, reading.number)
    if reading.thousands_separator:
        texts = pc.replace_substring(texts, reading.thousands_separator, "")
    return texts if reading.decimal_separator == "." else pc.replace_substring(texts, reading.decimal_separator, ".")


def cast_wide(texts: "pa.StringArray", kind: ColumnType, reading: Reading) -> Cast:
    """Integers and decimals by way of a wider decimal, rounded where declared; null for what does not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole, fraction, most = _room(kind)
    spare = max(
        MAX_PRECISION - 1 - whole, fraction
    )  # a digit is left for what rounding carries: Arrow goes wrong there
    wide = pa.decimal128(MAX_PRECISION, spare)
    exact = matching(in_plain_spelling(texts, reading), _decimal(whole, spare)).cast(wide)
    fitted = pc.round(exact, fraction, "half_towards_infinity")
    lost = pc.not_equal(fitted, exact)
    inside = pc.less_equal(pc.abs(fitted), pa.scalar(most, wide))
    if kind.name in INTEGER_BITS or not reading.round_digits:
        inside = pc.and_not(inside, lost)
    values = pc.if_else(inside, fitted, None).cast(arrow_type(kind))
    return Cast(values, rounded=tuple(pc.indices_nonzero(pc.and_(inside, lost)).to_pylist()))


def _room(kind: ColumnType) -> tuple[int, int, Decimal]:
    """Digits before and after the point, and the largest value whose negative fits, too."""
    if kind.name in INTEGER_BITS:
        return _INTEGER_DIGITS, 0, Decimal(2 ** (INTEGER_BITS[kind.name] - 1) - 1)
    digits = (9,) * kind.precision
    return kind.precision - kind.scale, kind.scale, Decimal((0, digits, -kind.scale))
