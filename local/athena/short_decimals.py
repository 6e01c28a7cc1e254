"""Decimals of more than 18 digits, computed in 64 bits where their values are short.

DuckDB multiplies 128-bit integers slowly and divides them bit by bit, 20 times slower; and few amounts of money need
them. Both ways are exact, so that nobody sees which one a row took.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal as Number

from local.athena.types import Decimal, to_duckdb

DIGITS = 18
"""What a short decimal (Trino's term) holds: a 64-bit integer and a scale."""

Value = tuple[str, Decimal]
"""SQL of a decimal and its type."""

Operand = tuple[str, Decimal, int]
"""SQL of a decimal, its type, and the digits up to which its value is short enough."""


def where_short(operands: Sequence[Operand], short: Callable[..., str], long: str) -> str:
    """SQL of `short` over the operands in 64 bits where all their values are short enough, and of `long` elsewhere."""
    if any(kind.scale > DIGITS or digits < 1 for _, kind, digits in operands):
        return long
    fitting = " AND ".join(_fits(*operand) for operand in operands)
    return f"CASE WHEN {fitting} THEN {short(*(_short(sql, kind) for sql, kind, _ in operands))} ELSE {long} END"


def short_product(factors: Sequence[Value]) -> str:
    """SQL of the product of decimals in 64 bits, NULL where that may be too few; empty where it always is."""
    if sum(kind.scale for _, kind in factors) >= DIGITS:
        return ""
    (product, kind), *rest = factors
    whole, guards = product, []
    for count, (sql, other) in enumerate(rest, 1):
        free = DIGITS - kind.scale - other.scale
        digits = min(kind.precision, max(kind.scale + free * count // (count + 1), DIGITS - other.precision))
        guards.append(f"{_fits(product, kind, digits)} AND {_fits(sql, other, DIGITS - digits)}")
        whole = f"{_short(product, kind)} * {_short(sql, other)}"
        product, kind = f"({whole})", Decimal("decimal", DIGITS, kind.scale + other.scale)
    for guard in reversed(guards):
        whole = f"CASE WHEN {guard} THEN {whole} END"
    return whole


def rounded_quotient(left: Value, right: Value, scale: int, digits: int = DIGITS) -> str:
    """SQL of `left / right` rounded half up to `scale`, which is at least theirs, by integers of up to `digits`."""
    (x, a), (y, b) = left, right
    dividend, divisor = _unscaled(x, a, scale + b.scale, digits), _unscaled(y, b, b.scale, digits)
    rounded = f"(2 * abs({dividend}) + abs({divisor})) // (2 * abs({divisor})) * sign({x}) * sign({y})"
    whole = f"CAST({rounded} AS DECIMAL({digits},0))"
    smallest = f"0.{'1'.rjust(scale, '0')}"
    return f"{whole} * CAST('{smallest}' AS DECIMAL({scale},{scale}))" if scale else whole


def _unscaled(sql: str, kind: Decimal, zeros: int, digits: int) -> str:
    """`sql * 10^zeros` as an integer; it is whole as `zeros` is at least the scale."""
    held = min(kind.precision, DIGITS) if digits == DIGITS else max(kind.precision, DIGITS + 1)
    power = f"CAST({10**zeros} AS DECIMAL({zeros + 1},0))"
    integer = "BIGINT" if digits == DIGITS else "HUGEINT"
    return f"CAST(CAST({sql} AS DECIMAL({held},{kind.scale})) * {power} AS {integer})"


def where_short_quotient(left: Value, right: Value, scale: int, held: str, long: str) -> str:
    """`where_short` of a `rounded_quotient`, cast to the DuckDB type `held`."""

    def short(x: str, y: str) -> str:
        return f"CAST({rounded_quotient((x, left[1]), (y, right[1]), scale)} AS {held})"

    free = DIGITS - right[1].scale
    return where_short([(*left, free - scale), (*right, free)], short, long)


def _fits(sql: str, kind: Decimal, digits: int) -> str:
    limit = f"{Number(10 ** min(digits, kind.precision) - 1).scaleb(-kind.scale):f}"
    least, most = (f"CAST('{sign}{limit}' AS {to_duckdb(kind)})" if kind.scale else sign + limit for sign in ("-", ""))
    return f"{sql} BETWEEN {least} AND {most}"


def _short(sql: str, kind: Decimal) -> str:
    return f"CAST({sql} AS DECIMAL({min(kind.precision, DIGITS)},{kind.scale}))"
