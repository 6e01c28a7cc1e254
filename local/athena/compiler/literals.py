"""Literals: their values and types as Trino reads them."""

import re
from decimal import Decimal as Number

from local.athena.compiler.typed import Typed
from local.athena.errors import InvalidFunctionArgumentError, InvalidLiteralError, NotSupportedError
from local.athena.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    INTERVAL_DAY,
    INTERVAL_YEAR,
    MAX_DECIMAL,
    Type,
    decimal,
    to_duckdb,
)

_MAX_INTEGER, _MAX_BIGINT = 2**31 - 1, 2**63 - 1
_UNITS = {"DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1000}


def number(text: str, where: tuple[int, int] | None) -> Typed:
    """A number as written: integer, bigint, decimal or, with an exponent, double."""
    if "e" in text.lower():
        return Typed(f"CAST('{text}' AS DOUBLE)", DOUBLE, float(text), is_literal=True)
    if "." in text:
        return decimal_literal(text, where)
    value = int(text)
    if not -_MAX_BIGINT - 1 <= value <= _MAX_BIGINT:
        raise InvalidLiteralError(f"Invalid numeric literal: {text}", where)
    exact = INTEGER if -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER else BIGINT
    return Typed(f"CAST({value} AS {to_duckdb(exact)})", exact, value, is_literal=True)


def decimal_literal(text: str, where: tuple[int, int] | None) -> Typed:
    """`DECIMAL '00123.45'`: leading zeros count for nothing (Trino's Decimals.parse)."""
    found = re.fullmatch(r"([+-]?)(\d*)(?:\.(\d*))?", text)
    whole, fraction = (found[2].lstrip("0"), found[3] or "") if found else ("", "")
    if not found or not (found[2] or fraction):
        raise InvalidLiteralError(f"'{text}' is not a valid DECIMAL literal", where)
    if len(whole + fraction) > MAX_DECIMAL:
        raise InvalidLiteralError(f"'{text}' is not a valid DECIMAL literal", where)
    kind = decimal(max(len(whole + fraction), 1), len(fraction))
    exact = f"{found[1].strip('+')}{whole or '0'}.{fraction or '0'}"
    return Typed(f"CAST('{exact}' AS {to_duckdb(kind)})", kind, Number(exact), is_literal=True)


def unescaped(text: str) -> str:
    """A U&'' literal: `\\0041` and `\\+01F600` are code points, `\\\\` a backslash. Raises ValueError."""
    result, at = "", 0
    while at < len(text):
        if text[at] != "\\":
            result, at = result + text[at], at + 1
        elif text[at + 1 : at + 2] == "\\":
            result, at = result + "\\", at + 2
        else:
            start, length = (at + 2, 6) if text[at + 1 : at + 2] == "+" else (at + 1, 4)
            result, at = result + chr(int(text[start : start + length], 16)), start + length
    return result


def interval_amount(text: str, first: str, last: str, where: tuple[int, int] | None) -> tuple[int, Type]:
    """Months or milliseconds of an interval literal, and its type."""
    sign = -1 if text.startswith("-") else 1
    text = text.lstrip("+-").strip()
    try:
        if first in ("YEAR", "MONTH"):
            return sign * _months(text, first, last), INTERVAL_YEAR
        names = list(_UNITS)
        wanted = names[names.index(first) : names.index(last) + 1]
        parts = text.replace(" ", ":").split(":")
        if len(parts) > len(wanted):
            raise ValueError(text)  # noqa: TRY301
        total = sum(Number(part) * _UNITS[unit] for part, unit in zip(parts, wanted, strict=False))
        return sign * int(total), INTERVAL_DAY
    except (ValueError, ArithmeticError):
        raise InvalidLiteralError(f"'{text}' is not a valid INTERVAL literal", where) from None


def _months(text: str, first: str, last: str) -> int:
    years, _, months = text.partition("-")
    if first == last and months:
        raise ValueError(text)
    return int(years) * (12 if first == "YEAR" else 1) + int(months or 0)


def check_escape(symbol: Typed, pattern: Typed, where: tuple[int, int] | None) -> None:
    """Raises InvalidFunctionArgumentError where Trino does not take an ESCAPE; both must be literals here."""
    if not isinstance(symbol.value, str) or not isinstance(pattern.value, str):
        raise NotSupportedError("LIKE with ESCAPE is supported for a literal pattern only", where)
    if len(symbol.value) != 1:
        raise InvalidFunctionArgumentError("Escape string must be a single character")
    text, at = pattern.value, 0
    while at < len(text):
        if text[at] == symbol.value:
            at += 1
            if text[at : at + 1] not in ("%", "_", symbol.value) or at == len(text):
                raise InvalidFunctionArgumentError(
                    "Escape character must be followed by '%', '_' or the escape character itself"
                )
        at += 1
