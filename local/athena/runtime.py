"""What compiled SQL calls by name: macros and functions that `prepare` puts on a DuckDB connection."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from local.athena.udf import install

if TYPE_CHECKING:
    import duckdb

_MACROS = r"""
CREATE OR REPLACE TEMP MACRO nightlake_fraction(digits) AS
    coalesce(nullif(rtrim(digits, '0'), ''), '0');
CREATE OR REPLACE TEMP MACRO nightlake_scientific(number, point) AS
    -- `number`: significant digits, without leading zeros; `point`: the exponent of the first digit
    number[1] || '.' || nightlake_fraction(number[2:]) || 'E' || point;
CREATE OR REPLACE TEMP MACRO nightlake_digits(shown) AS
    -- of a plain decimal text like 12.5 or 0.0012
    CASE WHEN shown[1] = '0'
        THEN nightlake_scientific(ltrim(shown[3:], '0'), length(ltrim(shown[3:], '0')) - length(shown[3:]) - 1)
        ELSE nightlake_scientific(replace(shown, '.', ''), strpos(shown, '.') - 2) END;
CREATE OR REPLACE TEMP MACRO nightlake_shortest(shown) AS
    CASE WHEN strpos(shown, 'e') > 0
        THEN nightlake_scientific(
            replace(split_part(shown, 'e', 1), '.', ''), CAST(split_part(shown, 'e', 2) AS INTEGER))
        ELSE nightlake_digits(shown) END;
CREATE OR REPLACE TEMP MACRO nightlake_double_text(x) AS
    CASE WHEN isnan(x) THEN 'NaN'
        WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END
        WHEN x = 0 THEN CASE WHEN signbit(x) THEN '-0E0' ELSE '0E0' END
        ELSE CASE WHEN x < 0 THEN '-' ELSE '' END || nightlake_shortest(CAST(abs(x) AS VARCHAR)) END;
CREATE OR REPLACE TEMP MACRO nightlake_real_text(x) AS
    CASE WHEN isfinite(x) AND x <> 0
        THEN CASE WHEN x < 0 THEN '-' ELSE '' END
            || nightlake_shortest(format('{:.6e}', CAST(abs(x) AS DOUBLE)))
        ELSE nightlake_double_text(x) END;
CREATE OR REPLACE TEMP MACRO nightlake_date_text(x) AS
    CASE WHEN x < CAST('0001-01-01' AS DATE)
        THEN CASE WHEN year(x) < 0 THEN '-' ELSE '' END || printf('%04d-%02d-%02d', abs(year(x)), month(x), day(x))
        ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE TEMP MACRO nightlake_timestamp_text(x) AS strftime(x, '%Y-%m-%d %H:%M:%S.%g');
CREATE OR REPLACE TEMP MACRO nightlake_time_text(x) AS
    strftime(CAST('1970-01-01' AS DATE) + x, '%H:%M:%S.%g');
CREATE OR REPLACE TEMP MACRO nightlake_local(x) AS
    CASE WHEN x.zone[1] IN ('+', '-')
        THEN x.instant + to_minutes((CASE WHEN x.zone[1] = '-' THEN -1 ELSE 1 END)
            * (CAST(x.zone[2:3] AS INTEGER) * 60 + CAST(x.zone[5:6] AS INTEGER)))
        WHEN x.zone = 'UTC' THEN x.instant
        ELSE timezone(x.zone, timezone('UTC', x.instant)) END;
CREATE OR REPLACE TEMP MACRO nightlake_zoned_text(x) AS
    nightlake_timestamp_text(nightlake_local(x)) || ' ' || x.zone;
CREATE OR REPLACE TEMP MACRO nightlake_milliseconds(x) AS
    -- half up to whole milliseconds
    make_timestamp(((epoch_us(x) + 500) - ((epoch_us(x) + 500) % 1000 + 1000) % 1000));
CREATE OR REPLACE TEMP MACRO nightlake_interval_day_text(x) AS
    CASE WHEN x < 0 THEN '-' ELSE '' END || (abs(x) // 86400000) || ' '
        || printf('%02d:%02d:%02d.%03d',
            abs(x) // 3600000 % 24, abs(x) // 60000 % 60, abs(x) // 1000 % 60, abs(x) % 1000);
CREATE OR REPLACE TEMP MACRO nightlake_interval_year_text(x) AS
    CASE WHEN x < 0 THEN '-' ELSE '' END || (abs(x) // 12) || '-' || (abs(x) % 12);
"""

_ZONED = re.compile(r"(\d{4,})-(\d{1,2})-(\d{1,2})(?: (\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?\s*(\S+)?")
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?")


_UTC = frozenset(("utc", "z", "ut", "uct", "gmt", "gmt0", "greenwich", "universal", "zulu", "+00:00", "-00:00"))


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def canonical_zone(name: str) -> str | None:
    """A time zone as Trino prints it, however its letters are written, or None if there is no such zone."""
    if name.lower().removeprefix("etc/") in _UTC:
        return "UTC"
    offset = _OFFSET.fullmatch(name)
    if offset:
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        return f"{offset[1]}{hours:02d}:{minutes:02d}" if hours * 60 + minutes <= 14 * 60 else None
    return _zones().get(name.lower())


def parse_zoned(text: str) -> tuple[datetime, str] | None:
    """The instant (naive, in UTC) and the zone of `2020-01-01 00:00:00 Europe/Paris`; without a zone it is UTC."""
    found = _ZONED.fullmatch(text.strip())
    zone = canonical_zone(found[8] or "UTC") if found else None
    if not found or not zone:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    local += timedelta(milliseconds=int(Decimal(f"0.{found[7] or 0}").scaleb(3).to_integral(ROUND_HALF_UP)))
    if zone[0] in "+-":
        shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        return (local - shift if zone[0] == "+" else local + shift), zone
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None), zone


def _zoned(text: str | None) -> dict[str, Any] | None:
    parsed = parse_zoned(text) if text is not None else None
    return {"instant": parsed[0], "zone": parsed[1]} if parsed else None


_EXACT = Context(prec=120, rounding=ROUND_HALF_UP)


def _divide(dividend: str | None, divisor: str | None, scale: int | None) -> str | None:
    """The quotient of two decimals, rounded half up to `scale` digits; None for none."""
    if dividend is None or divisor is None or scale is None or not Decimal(divisor):
        return None
    one, other = Decimal(dividend), Decimal(divisor)
    (sign, digits, exponent), (other_sign, other_digits, other_exponent) = one.as_tuple(), other.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101
    assert isinstance(other_exponent, int)  # noqa: S101
    numerator, denominator = int("".join(map(str, digits))), int("".join(map(str, other_digits)))
    power = scale + exponent - other_exponent
    numerator, denominator = numerator * 10 ** max(power, 0), denominator * 10 ** max(-power, 0)
    rounded = (2 * numerator + denominator) // (2 * denominator)
    shown = Decimal(-rounded if sign != other_sign else rounded).scaleb(-scale, _EXACT)
    return f"{shown:f}"


def _modulo(dividend: str | None, divisor: str | None) -> str | None:
    """What is left of a division of decimals, with the dividend's sign; None for none."""
    if dividend is None or divisor is None or not Decimal(divisor):
        return None
    return f"{_EXACT.remainder(Decimal(dividend), Decimal(divisor)):f}"


def prepare(connection: "duckdb.DuckDBPyConnection") -> None:
    """Puts the macros and functions of compiled SQL on `connection`; once for each connection."""
    connection.execute(_MACROS)
    import duckdb
    from duckdb.func import FunctionNullHandling

    special = FunctionNullHandling.SPECIAL
    text, zoned = duckdb.sqltype("VARCHAR"), duckdb.sqltype("STRUCT(instant TIMESTAMP, zone VARCHAR)")
    whole = duckdb.sqltype("INTEGER")
    connection.create_function("nightlake_divide", _divide, [text, text, whole], text, null_handling=special)
    connection.create_function("nightlake_modulo", _modulo, [text, text], text, null_handling=special)
    connection.create_function("nightlake_zoned", _zoned, [text], zoned, null_handling=special)
    install(connection)
