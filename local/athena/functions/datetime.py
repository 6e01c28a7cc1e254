"""Dates and times: https://trino.io/docs/current/functions/datetime.html.

Timestamps have milliseconds; one with a time zone is an instant in UTC beside the zone's name. Units and formats
must be literals, so that each becomes plain SQL.
"""

from local.athena.errors import InvalidFunctionArgumentError, NotSupportedError
from local.athena.functions.guard import literal_text
from local.athena.functions.registry import FUNCTIONS, Call, Match
from local.athena.types import (
    BIGINT,
    DATE,
    TIME,
    TIMESTAMP,
    TIMESTAMP_TZ,
    UNKNOWN,
    VARCHAR,
    Type,
    is_integer,
    is_text,
    literal,
)

_DATE_UNITS = ("day", "week", "month", "quarter", "year")
_TIME_UNITS = ("millisecond", "second", "minute", "hour")
_MILLIS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000}
_MOMENTS = (DATE, TIME, TIMESTAMP, TIMESTAMP_TZ)


def _unit(call: Call, kind: Type) -> str:
    """The unit that the first argument names. Raises InvalidFunctionArgumentError if `kind` has no such unit."""
    unit = literal_text(call, 0, "unit").lower()
    known = {DATE: _DATE_UNITS, TIME: _TIME_UNITS}.get(kind, (*_DATE_UNITS, *_TIME_UNITS))
    if unit not in known:
        shown = {DATE: "DATE", TIME: "Time"}.get(kind, "Timestamp")
        raise InvalidFunctionArgumentError(f"'{unit}' is not a valid {shown} field")
    return unit


def _zoned(instant: str, zone: str) -> str:
    return f"{{'instant': {instant}, 'zone': {zone}}}"


def _local(value: str) -> str:
    return f"nightlake_local({value})"


def _moved(value: str, local: str) -> str:
    """`value` (with a time zone) set to another wall clock time of its zone."""
    return f"CASE WHEN {value} IS NOT NULL THEN nightlake_at({local}, {value}.zone) END"


def _shifted(value: str, instant: str) -> str:
    return f"CASE WHEN {value} IS NOT NULL THEN {_zoned(instant, f'{value}.zone')} END"


def _trunc(call: Call) -> Match | None:
    if len(call.arguments) != 2 or not is_text(call.types[0]) or call.types[1] not in _MOMENTS:  # noqa: PLR2004
        return None
    kind = call.types[1]
    unit = _unit(call, kind)

    def emit(a: list[str]) -> str:
        value = a[1]
        if kind == TIME:
            return f"CAST(date_trunc('{unit}', DATE '1970-01-01' + {value}) AS TIME)"
        if kind != TIMESTAMP_TZ:
            return f"date_trunc('{unit}', {value})"
        if unit in _TIME_UNITS:
            local = _local(value)
            return _shifted(value, f"{value}.instant - ({local} - date_trunc('{unit}', {local}))")
        return _moved(value, f"date_trunc('{unit}', {_local(value)})")

    return Match((VARCHAR, kind), kind, emit)


def _steps(unit: str, amount: str) -> str:
    if unit in _MILLIS:
        return f"to_milliseconds({amount} * {_MILLIS[unit]})"
    days, months = {"day": 1, "week": 7}.get(unit), {"month": 1, "quarter": 3, "year": 12}.get(unit)
    return (
        f"to_days(CAST({amount} * {days} AS INTEGER))" if days else f"to_months(CAST({amount} * {months} AS INTEGER))"
    )


def _add(call: Call) -> Match | None:
    kinds = call.types
    if len(kinds) != 3 or not is_text(kinds[0]) or kinds[2] not in _MOMENTS:  # noqa: PLR2004
        return None
    if not (is_integer(kinds[1]) or kinds[1] == UNKNOWN):
        return None
    kind = kinds[2]
    unit = _unit(call, kind)

    def emit(a: list[str]) -> str:
        value, step = a[2], _steps(unit, a[1])
        if kind != TIMESTAMP_TZ:
            return f"{value} + {step}"
        if unit in _TIME_UNITS:
            return _shifted(value, f"{value}.instant + {step}")
        return _moved(value, f"{_local(value)} + {step}")

    return Match((VARCHAR, BIGINT, kind), kind, emit)


def _diff(call: Call) -> Match | None:
    kinds = call.types
    if len(kinds) != 3 or not is_text(kinds[0]):  # noqa: PLR2004
        return None
    order = (UNKNOWN, DATE, TIMESTAMP, TIMESTAMP_TZ)
    if TIME in kinds[1:] and kinds[1] == kinds[2]:
        kind: Type = TIME
    elif all(each in order for each in kinds[1:]):
        kind = max(kinds[1:], key=order.index)
        kind = TIMESTAMP if kind == UNKNOWN else kind
    else:
        return None
    unit = _unit(call, kind)

    def emit(a: list[str]) -> str:
        one, other = a[1], a[2]
        if kind == TIMESTAMP_TZ:
            whole = unit in _DATE_UNITS
            other = f"nightlake_local({_zoned(f'{other}.instant', f'{one}.zone')})" if whole else f"{other}.instant"
            one = _local(one) if whole else f"{one}.instant"
        if unit in _MILLIS:
            first, second = (
                (f"(DATE '1970-01-01' + {one})", f"(DATE '1970-01-01' + {other})") if kind == TIME else (one, other)
            )
            return f"(epoch_ms({second}) - epoch_ms({first})) // {_MILLIS[unit]}"
        return f"date_sub('{unit}', {one}, {other})"

    return Match((VARCHAR, kind, kind), BIGINT, emit)


FUNCTIONS.scalar("date_trunc", _trunc)
FUNCTIONS.scalar("date_add", _add)
FUNCTIONS.scalar("date_diff", _diff)

# fields

_FIELDS = {
    ("year",): "year({0})",
    ("quarter",): "quarter({0})",
    ("month",): "month({0})",
    ("week", "week_of_year"): "weekofyear({0})",
    ("day", "day_of_month"): "day({0})",
    ("day_of_week", "dow"): "isodow({0})",
    ("day_of_year", "doy"): "dayofyear({0})",
    ("year_of_week", "yow"): "isoyear({0})",
}
_CLOCK = {
    "hour": "hour({0})",
    "minute": "minute({0})",
    "second": "second({0})",
    "millisecond": "millisecond({0}) % 1000",
}
for _names, _text in _FIELDS.items():
    for _name in _names:
        FUNCTIONS.scalar(_name, "date -> bigint", _text)
        FUNCTIONS.scalar(_name, "timestamp(3) -> bigint", _text)
        FUNCTIONS.scalar(_name, "timestamp(3) with time zone -> bigint", _text.format("nightlake_local({0})"))
for _name, _text in _CLOCK.items():
    FUNCTIONS.scalar(_name, "timestamp(3) -> bigint", _text)
    FUNCTIONS.scalar(_name, "time(3) -> bigint", _text)
    FUNCTIONS.scalar(_name, "timestamp(3) with time zone -> bigint", _text.format("nightlake_local({0})"))
_INTERVAL = {
    "day": "nightlake_whole({0}, 86400000)",
    "hour": "nightlake_whole({0} % 86400000, 3600000)",
    "minute": "nightlake_whole({0} % 3600000, 60000)",
    "second": "nightlake_whole({0} % 60000, 1000)",
    "millisecond": "{0} % 1000",
}
for _name, _text in _INTERVAL.items():
    FUNCTIONS.scalar(_name, "interval day to second -> bigint", _text)
FUNCTIONS.scalar("year", "interval year to month -> bigint", "nightlake_whole({0}, 12)")
FUNCTIONS.scalar("month", "interval year to month -> bigint", "{0} % 12")
_OFFSET = "nightlake_whole(epoch_ms(nightlake_local({0})) - epoch_ms({0}.instant), 60000)"
FUNCTIONS.scalar(
    "timezone_hour", "timestamp(3) with time zone -> bigint", f"nightlake_whole({_OFFSET}, 60)"
)  # fmt: skip
FUNCTIONS.scalar("timezone_minute", "timestamp(3) with time zone -> bigint", f"({_OFFSET}) % 60")
for _kind, _value in (
    ("date", "{0}"),
    ("timestamp(3)", "{0}"),
    ("timestamp(3) with time zone", "nightlake_local({0})"),
):
    FUNCTIONS.scalar("last_day_of_month", f"{_kind} -> date", f"last_day({_value})")

# now

_NOW = "TIMESTAMP '{0:%Y-%m-%d %H:%M:%S}.{1:03d}'"


def _now_text(call: Call) -> str:
    return _NOW.format(call.session.now, call.session.now.microsecond // 1000)


def _constant(names: tuple[str, ...], kind: Type, template: str) -> None:
    def resolve(call: Call) -> Match | None:
        return Match((), kind, lambda _: template.format(_now_text(call))) if not call.arguments else None

    for name in names:
        FUNCTIONS.scalar(name, resolve)


_constant(("now", "current_timestamp"), TIMESTAMP_TZ, "{{'instant': {0}, 'zone': 'UTC'}}")
_constant(("localtimestamp",), TIMESTAMP, "{0}")
_constant(("localtime",), TIME, "CAST({0} AS TIME)")
_constant(("current_date",), DATE, "CAST({0} AS DATE)")
_constant(("current_timezone",), VARCHAR, "'UTC'")

# zones and epochs

_ROUNDED = "make_timestamp(CAST(floor({0} * 1000 + 0.5) AS BIGINT) * 1000)"
FUNCTIONS.scalar(
    "from_unixtime",
    "double -> timestamp(3) with time zone",
    f"CASE WHEN {{0}} IS NOT NULL THEN {{{{'instant': {_ROUNDED}, 'zone': 'UTC'}}}} END",
)
FUNCTIONS.scalar(
    "from_unixtime",
    "double, varchar -> timestamp(3) with time zone",
    "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL"
    f" THEN {{{{'instant': {_ROUNDED}, 'zone': nightlake_zone({{1}})}}}} END",
)
FUNCTIONS.scalar(
    "from_unixtime",
    "double, bigint, bigint -> timestamp(3) with time zone",
    "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL AND {2} IS NOT NULL"
    f" THEN {{{{'instant': {_ROUNDED}, 'zone': nightlake_zone(CASE WHEN {{1}} * 60 + {{2}} < 0 THEN '-' ELSE '+' END"
    " || printf('%02d:%02d', abs({1} * 60 + {2}) // 60, abs({1} * 60 + {2}) % 60))}} END",
)
FUNCTIONS.scalar("to_unixtime", "timestamp(3) -> double", "epoch_ms({0}) / 1000.0::DOUBLE")
FUNCTIONS.scalar("to_unixtime", "timestamp(3) with time zone -> double", "epoch_ms({0}.instant) / 1000.0::DOUBLE")
FUNCTIONS.scalar(
    "with_timezone",
    "timestamp(3), varchar -> timestamp(3) with time zone",
    "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN nightlake_at({0}, nightlake_zone({1})) END",
)
FUNCTIONS.scalar(
    "at_timezone",
    "timestamp(3) with time zone, varchar -> timestamp(3) with time zone",
    "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN {{'instant': {0}.instant, 'zone': nightlake_zone({1})}} END",
)
FUNCTIONS.scalar("to_milliseconds", "interval day to second -> bigint", "{0}")
FUNCTIONS.scalar("parse_duration", "varchar -> interval day to second", "nightlake_duration({0})")
FUNCTIONS.scalar("human_readable_seconds", "double -> varchar", "nightlake_readable_seconds({0})")
FUNCTIONS.scalar("to_iso8601", "date -> varchar(16)", "strftime({0}, '%Y-%m-%d')")
_ISO = "strftime({0}, '%Y-%m-%dT%H:%M:%S.%g')"
FUNCTIONS.scalar("to_iso8601", "timestamp(3) -> varchar(26)", _ISO)
FUNCTIONS.scalar(
    "to_iso8601",
    "timestamp(3) with time zone -> varchar(32)",
    _ISO.format("nightlake_local({0})") + f" || nightlake_offset_text({_OFFSET})",
)
FUNCTIONS.scalar(
    "from_iso8601_timestamp", "varchar -> timestamp(3) with time zone", "nightlake_from_iso8601({0})"
)  # fmt: skip
FUNCTIONS.scalar("from_iso8601_date", "varchar -> date", "CAST(nightlake_from_iso8601_date({0}) AS DATE)")


def _date(call: Call) -> Match | None:
    from local.athena.compiler.cast import cast
    from local.athena.compiler.typed import Typed

    kind = call.types[0] if len(call.arguments) == 1 else UNKNOWN
    if not (is_text(kind) or kind in (DATE, TIMESTAMP, TIMESTAMP_TZ)):
        return None
    return Match((kind,), DATE, lambda a: cast(Typed(a[0], kind), DATE).sql)


FUNCTIONS.scalar("date", _date)

# formats

_MYSQL = {
    "a": "%a", "b": "%b", "c": "%-m", "d": "%d", "e": "%-d", "f": "%f", "H": "%H", "h": "%I", "I": "%I", "i": "%M",
    "j": "%j", "k": "%-H", "l": "%-I", "M": "%B", "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S",
    "T": "%H:%M:%S", "v": "%V", "x": "%G", "W": "%A", "Y": "%Y", "y": "%y", "%": "%%",
}  # fmt: skip


def _mysql_to_strftime(text: str) -> str:
    """MySQL's format as DuckDB's. Raises InvalidFunctionArgumentError on what Trino does not take."""
    found, symbols = "", iter(text)
    for symbol in symbols:
        if symbol != "%":
            found += symbol
            continue
        letter = next(symbols, "")
        if letter and letter in "DUuVwX":
            raise InvalidFunctionArgumentError(f"%{letter} not supported in date format string")
        found += _MYSQL.get(letter, letter)
    return found


def _format(name: str, translate: object) -> None:
    def resolve(call: Call) -> Match | None:
        if len(call.arguments) != 2 or not is_text(call.types[1]):  # noqa: PLR2004
            return None
        kind = call.types[0]
        if kind not in (DATE, TIMESTAMP, TIMESTAMP_TZ):
            return None
        text = literal_text(call, 1, "format")
        if not text:
            raise InvalidFunctionArgumentError("Both printing and parsing not supported")
        local = "nightlake_local({0})" if kind == TIMESTAMP_TZ else "{0}"
        kind = kind if kind == TIMESTAMP_TZ else TIMESTAMP
        sql = translate(text)  # type: ignore[operator]
        return Match((kind, VARCHAR), VARCHAR, lambda a: f"strftime({local.format(a[0])}, {literal(sql)})")

    FUNCTIONS.scalar(name, resolve)


_JODA = {
    "y": {1: "%Y", 2: "%y", 4: "%Y"}, "Y": {4: "%Y", 2: "%y"}, "x": {4: "%G"}, "w": {2: "%V"},
    "M": {1: "%-m", 2: "%m", 3: "%b", 4: "%B"}, "d": {1: "%-d", 2: "%d"}, "D": {3: "%j"},
    "E": {1: "%a", 2: "%a", 3: "%a", 4: "%A"}, "e": {1: "%u"},
    "H": {1: "%-H", 2: "%H"}, "h": {1: "%-I", 2: "%I"}, "m": {1: "%-M", 2: "%M"}, "s": {1: "%-S", 2: "%S"},
    "S": {3: "%g", 6: "%f"}, "a": {1: "%p"},
}  # fmt: skip


def _joda_to_strftime(text: str) -> str:
    """Joda's pattern as DuckDB's format. Raises NotSupportedError on letters that have no equal."""
    from local.athena.udf import joda_tokens

    found = ""
    for letter, count, verbatim in joda_tokens(text):
        if letter is None:
            found += verbatim.replace("%", "%%")
            continue
        own = _JODA.get(letter, {}).get(count)
        if own is None:
            raise NotSupportedError(f"format_datetime with the pattern {letter * count} is not supported")
        found += own
    return found


_format("date_format", _mysql_to_strftime)
_format("format_datetime", _joda_to_strftime)


def _parse(call: Call) -> Match | None:
    if len(call.arguments) != 2 or not all(is_text(kind) or kind == UNKNOWN for kind in call.types):  # noqa: PLR2004
        return None
    _mysql_to_strftime(literal_text(call, 1, "format"))
    return Match((VARCHAR, VARCHAR), TIMESTAMP, lambda a: f"nightlake_date_parse({a[0]}, {a[1]})")


FUNCTIONS.scalar("date_parse", _parse)
FUNCTIONS.scalar(
    "parse_datetime", "varchar, varchar -> timestamp(3) with time zone", "nightlake_parse_datetime({0}, {1})"
)
