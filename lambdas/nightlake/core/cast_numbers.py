"""Texts to numbers, many at once: what the value parser would say of them, or nothing."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from nightlake.core.column_type import FLOATS, INTEGER_BITS, MAX_PRECISION, ColumnType
from nightlake.core.table import arrow_type
from nightlake.core.text_column import content, made_of, matching, offsets, only, rows_of
from nightlake.core.typed_column import Cast
from nightlake.core.value_parser import BLANKS, Reading

if TYPE_CHECKING:
    import pyarrow as pa

_BASE: Final = 10
_JSON: Final = Reading()
_SAFE_DIGITS: Final = {"tinyint": 2, "smallint": 4, "int": 9, "bigint": 18}  # fit whatever they are
_INTEGER_DIGITS: Final = 19  # of the widest integer

Sieve = Callable[["pa.StringArray"], "pa.StringArray"]


def cast_plain(texts: "pa.StringArray", kind: ColumnType, reading: Reading) -> Cast:
    """The numbers that are written as Arrow reads them; null for what may be another one, or none.

    Beyond plain digits Arrow reads hexadecimal integers, NaN and Infinity, takes a float that is too large for
    infinite, and a decimal whose digits do not fit into 128 bits for whatever is left of them; none of these is kept.
    """
    import pyarrow.compute as pc

    target = arrow_type(kind)
    texts = in_plain_spelling(texts, reading)
    if kind.name not in FLOATS:
        whole, fraction = _SAFE_DIGITS.get(kind.name, kind.precision - kind.scale), kind.scale
        sieves: list[Sieve] = [_all] if _is_safe(texts, MAX_PRECISION - kind.scale) else []
        return Cast(_first(texts, target, *sieves, partial(_digits, whole=whole, fraction=fraction)))
    in_digits, numbers = partial(made_of, most="9", others="eE"), partial(matching, pattern=_JSON.number)
    values = _first(texts, target, _all, in_digits, numbers)
    finite = pc.is_finite(values)
    return Cast(values if pc.all(finite).as_py() is not False else pc.if_else(finite, values, None))


def _first(texts: "pa.StringArray", target: "pa.DataType", *sieves: Sieve) -> "pa.Array":
    """The cast of what the first sieve leaves that leaves nothing wrong; the last one never does."""
    import pyarrow as pa

    *others, last = sieves
    for sieve in others:
        with suppress(pa.ArrowInvalid):
            return sieve(texts).cast(target)
    return last(texts).cast(target)


def _all(texts: "pa.StringArray") -> "pa.StringArray":
    return texts


def _is_safe(texts: "pa.StringArray", longest: int) -> bool:
    """Whether there are no letters in the texts, and no longer one."""
    import numpy as np

    held = content(texts)
    return not len(held) or bool(held.max() <= ord("9") and np.diff(offsets(texts)).max() <= longest)


def _digits(texts: "pa.StringArray", whole: int, fraction: int) -> "pa.StringArray":
    """The texts of at most so many digits before and after a point, null for all others; a minus may come before."""
    import numpy as np

    held, ends = content(texts), offsets(texts)[1:]
    digits = np.diff(offsets(texts))
    starts = ends - digits
    odd = np.flatnonzero(held - np.uint8(ord("0")) >= _BASE)
    rows = rows_of(texts, odd)
    is_sign = (held[odd] == ord("-")) & (odd == starts[rows])
    is_point = (held[odd] == ord(".")) & (fraction > 0)
    pointed = rows[is_point]
    after = ends[pointed] - odd[is_point] - 1
    digits[rows[is_sign]] -= 1
    digits[pointed] -= (after + 1).astype(digits.dtype)
    good = (digits > 0) & (digits <= whole)
    good[rows[~is_sign & ~is_point]] = False
    good[pointed[after > fraction]] = False
    good[pointed[1:][pointed[1:] == pointed[:-1]]] = False
    return only(texts, good)


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
    exact = _digits(in_plain_spelling(texts, reading), whole, spare).cast(wide)
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
