"""Literals: their values and types as Trino reads them."""

import re
from datetime import datetime
from decimal import Decimal as Number

from local.athena.compiler.typed import Typed
from local.athena.errors import InvalidFunctionArgumentError, InvalidLiteralError, NotSupportedError
from local.athena.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL_DAY,
    INTERVAL_YEAR,
    MAX_DECIMAL,
    TIME,
    TIMESTAMP,
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


def unescaped(text: str, symbol: str = "\\") -> str:
    """A U&'' literal: after the escape `symbol`, 0041 and +01F600 are code points. Raises ValueError."""
    if len(symbol) != 1 or re.match(r"[0-9A-Fa-f+'\"\s]", symbol):
        raise ValueError(symbol)
    result, at = "", 0
    while at < len(text):
        if text[at] != symbol:
            result, at = result + text[at], at + 1
        elif text[at + 1 : at + 2] == symbol:
            result, at = result + symbol, at + 2
        else:
            found = re.compile(r"\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4})").match(text, at + 1)
            if found is None:
                raise ValueError(text)
            result, at = result + chr(int(found[1] or found[2], 16)), found.end()
            result.encode()  # fails on half a surrogate pair
    return result


def is_time(text: str, kind: Type) -> bool:
    """Whether `text` is a date, time or timestamp, as far as Python's calendar goes (up to the year 9999)."""
    day, clock = r"(\d{4})-(\d{1,2})-(\d{1,2})", r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?"
    if kind != TIME and re.match(r"\s*([+-]|\d{5})", text):
        return True  # beyond the calendar: told when the query runs
    pattern = {DATE: day, TIME: clock, TIMESTAMP: f"{day}(?: {clock})?"}[kind]
    found = re.fullmatch(rf"\s*{pattern}\s*", text)
    if found is None:
        return False
    parts = [int(part or 0) for part in found.groups()]
    try:
        datetime(*((1970, 1, 1, *parts) if kind == TIME else parts))  # noqa: DTZ001
    except ValueError:
        return False
    return True


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
        whole = all(part.isdigit() for part, unit in zip(parts, wanted, strict=False) if unit != "SECOND")
        if len(parts) > len(wanted) or not whole:
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
