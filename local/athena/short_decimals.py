"""Decimals of more than 18 digits, computed in 64 bits where their values are short.

DuckDB multiplies 128-bit integers slowly and divides them bit by bit, 20 times slower; and few amounts of money need
them. Both ways are exact, so that nobody sees which one a row took.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal as Number

from local.athena.types import Decimal, to_duckdb

DIGITS = 18
"""What a short decimal (Trino's term) holds: a 64-bit integer and a scale."""

Operand = tuple[str, Decimal, int]
"""SQL of a decimal, its type, and the digits up to which its value is short enough."""


def where_short(operands: Sequence[Operand], short: Callable[..., str], long: str) -> str:
    """SQL of `short` over the operands in 64 bits where all their values are short enough, and of `long` elsewhere."""
    if any(kind.scale > DIGITS or digits < 1 for _, kind, digits in operands):
        return long
    fitting = " AND ".join(_fits(*operand) for operand in operands)
    return f"CASE WHEN {fitting} THEN {short(*(_short(sql, kind) for sql, kind, _ in operands))} ELSE {long} END"


def _fits(sql: str, kind: Decimal, digits: int) -> str:
    limit = f"{Number(10 ** min(digits, kind.precision) - 1).scaleb(-kind.scale):f}"
    least, most = (f"CAST('{sign}{limit}' AS {to_duckdb(kind)})" if kind.scale else sign + limit for sign in ("-", ""))
    return f"{sql} BETWEEN {least} AND {most}"


def _short(sql: str, kind: Decimal) -> str:
    return f"CAST({sql} AS DECIMAL({min(kind.precision, DIGITS)},{kind.scale}))"
