"""Functions in Python that compiled SQL calls where DuckDB has no equal; they work on whole Arrow columns.

Each takes the values of one row and gives one value; a NULL argument gives NULL.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
import re
import string
import struct
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus, urlsplit

if TYPE_CHECKING:
    import duckdb

_ZONED = "STRUCT(instant TIMESTAMP, zone VARCHAR)"
_MACROS = r"""
CREATE OR REPLACE TEMP MACRO nightlake_check(ok, message) AS
    CASE WHEN ok THEN true WHEN NOT ok
        THEN CAST(CAST(CAST('nightlake!INVALID_FUNCTION_ARGUMENT: ' || message AS TINYINT) AS VARCHAR) AS BOOLEAN) END;
CREATE OR REPLACE TEMP MACRO nightlake_index(place) AS nightlake_check(place <> 0, 'SQL array indices start at 1');
CREATE OR REPLACE TEMP MACRO nightlake_order(sign) AS
    CASE WHEN nightlake_check(coalesce(sign IN (-1, 0, 1), false), 'Lambda comparator must return either -1, 0, or 1')
        THEN sign END;
CREATE OR REPLACE TEMP MACRO nightlake_whole(number, parts) AS CAST(sign(number) * (abs(number) // parts) AS BIGINT);
CREATE OR REPLACE TEMP MACRO nightlake_cbrt(x) AS
    CASE WHEN isfinite(x) AND round(cbrt(x)) * round(cbrt(x)) * round(cbrt(x)) = x THEN round(cbrt(x)) ELSE cbrt(x) END;
CREATE OR REPLACE TEMP MACRO nightlake_at(wall, place) AS
    CASE WHEN place[1] IN ('+', '-')
        THEN {'instant': wall - to_minutes((CASE WHEN place[1] = '-' THEN -1 ELSE 1 END)
            * (CAST(place[2:3] AS INTEGER) * 60 + CAST(place[5:6] AS INTEGER))), 'zone': place}
        WHEN place = 'UTC' THEN {'instant': CAST(wall AS TIMESTAMP), 'zone': place}
        ELSE {'instant': timezone('UTC', timezone(place, CAST(wall AS TIMESTAMP))), 'zone': place} END;
CREATE OR REPLACE TEMP MACRO nightlake_offset_text(minutes) AS
    CASE WHEN minutes = 0 THEN 'Z' ELSE CASE WHEN minutes < 0 THEN '-' ELSE '+' END
        || printf('%02d:%02d', abs(minutes) // 60, abs(minutes) % 60) END;
"""


class ArgumentError(ValueError):
    """Becomes the query's INVALID_FUNCTION_ARGUMENT, or the error of another code."""

    def __init__(self, message: str, code: str = "INVALID_FUNCTION_ARGUMENT") -> None:
        super().__init__(f"nightlake!{code}: {message}")


# numbers


def _from_base(text: str, radix: int) -> int:
    if not 2 <= radix <= 36:  # noqa: PLR2004
        raise ArgumentError("Radix must be between 2 and 36")
    try:
        value = int(text if re.fullmatch(r"[+-]?[0-9A-Za-z]+", text) else "", radix)
    except ValueError:
        raise ArgumentError(f"Not a valid base-{radix} number: {text}") from None
    if not -(2**63) <= value < 2**63:
        raise ArgumentError(f"Not a valid base-{radix} number: {text}")
    return value


def _to_base(value: int, radix: int) -> str:
    if not 2 <= radix <= 36:  # noqa: PLR2004
        raise ArgumentError("Radix must be between 2 and 36")
    digits, rest = "", abs(value)
    while rest or not digits:
        rest, digit = divmod(rest, radix)
        digits = (string.digits + string.ascii_lowercase)[digit] + digits
    return f"-{digits}" if value < 0 else digits


def _cosine(one: list[tuple[str, float]], other: list[tuple[str, float]]) -> float | None:
    left, right = dict(one), dict(other)
    if None in left.values() or None in right.values():
        return None
    lengths = math.sqrt(sum(v * v for v in left.values())) * math.sqrt(sum(v * v for v in right.values()))
    return sum(v * right[k] for k, v in left.items() if k in right) / lengths if lengths else None


def _combinations(size: int, count: int) -> list[list[int]]:
    """The places (from 1) of all groups of `count` out of `size`, in Trino's order: the last place grows slowest."""
    from itertools import combinations

    if count < 0 or count > 5:  # noqa: PLR2004
        raise ArgumentError("combination size must not be negative and must not exceed 5")
    if math.comb(size, count) > 100_000:  # noqa: PLR2004
        raise ArgumentError("combinations exceed max size of 100000")
    return sorted((list(group) for group in combinations(range(1, size + 1), count)), key=lambda group: group[::-1])


# text


def _strpos(text: str, sought: str, instance: int) -> int:
    if instance == 0:
        raise ArgumentError("'instance' must be a positive or negative number.")
    if not sought:
        return 1
    at = -1 if instance > 0 else len(text)
    for _ in range(abs(instance)):
        at = text.find(sought, at + 1) if instance > 0 else text.rfind(sought, 0, at + len(sought) - 1) if at else -1
        if at < 0:
            return 0
    return at + 1


def _hamming(one: str, other: str) -> int:
    if len(one) != len(other):
        raise ArgumentError("The input strings to hamming_distance function must have the same length")
    return sum(a != b for a, b in zip(one, other, strict=True))


def _levenshtein(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def _luhn(text: str) -> bool:
    if not re.fullmatch(r"\d*", text, re.ASCII):
        raise ArgumentError(f"Input string must contain only digits: {text}")
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(text))]
    return bool(text) and sum(value - 9 * (value > 9) for value in doubled) % 10 == 0  # noqa: PLR2004


def _normalize(text: str, form: Any) -> str:
    if form not in ("NFC", "NFD", "NFKC", "NFKD"):
        raise ArgumentError("Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
    return unicodedata.normalize(form, text)


_SOUNDS = dict(zip(string.ascii_uppercase, "01230120022455012623010202", strict=True))


def _soundex(text: str) -> str:
    """American Soundex, where H and W do not part equal sounds."""
    letters = [letter for letter in text.upper() if letter.isalpha()]
    if any(letter not in _SOUNDS for letter in letters):
        raise ArgumentError(f"The character is not mapped: {text}")
    if not letters:
        return ""
    code, last = letters[0], _SOUNDS[letters[0]]
    for letter in letters[1:]:
        sound = _SOUNDS[letter]
        if letter in "HW":
            continue
        if sound not in ("0", last):
            code += sound
        last = sound
    return code[:4].ljust(4, "0")


def _split_to_map(text: str, entry: str, pair: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in _pairs(text, entry, pair):
        if key in found:
            raise ArgumentError(f"Duplicate keys ({key}) are not allowed")
        found[key] = value
    return found


def _split_to_multimap(text: str, entry: str, pair: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in _pairs(text, entry, pair):
        found.setdefault(key, []).append(value)
    return found


def _pairs(text: str, entry: str, pair: str) -> Iterator[tuple[str, str]]:
    if not entry or not pair or entry == pair:
        raise ArgumentError("entryDelimiter and keyValueDelimiter must not be empty and must not be the same")
    for part in text.removesuffix(entry).split(entry) if text else []:
        if part.count(pair) != 1:
            raise ArgumentError(f"Key-value delimiter must appear exactly once in each entry. Bad input: '{part}'")
        key, _, value = part.partition(pair)
        yield key, value


def _from_utf8(data: bytes, replacement: str) -> str:
    if len(replacement) > 1:
        raise ArgumentError("Replacement character string must empty or a single character")
    return (
        data.decode("utf-8", "replace").replace("\ufffd", replacement)
        if replacement != "\ufffd"
        else data.decode("utf-8", "replace")
    )


# Java's formatter

_SPEC = re.compile(r"%(?:(\d+)\$)?([-#+ 0,(]*)(\d+)?(?:\.(\d+))?(t?)([a-zA-Z%])")
_DATE_PARTS = {"A": "%A", "B": "%B", "a": "%a", "b": "%b", "Y": "%Y", "y": "%y", "m": "%m", "d": "%d", "H": "%H",
               "M": "%M", "S": "%S", "j": "%j", "F": "%Y-%m-%d", "T": "%H:%M:%S", "D": "%m/%d/%y"}  # fmt: skip


def _format(text: str, arguments: list[str | None]) -> str:
    """Java's `String.format` for what Trino gives it: each argument is a letter for its kind and its text."""
    found, at, ordinal = "", 0, 0
    while (start := text.find("%", at)) >= 0:
        spec = _SPEC.match(text, start)
        if not spec:
            raise ArgumentError(f"Invalid format string: {text}")
        found += text[at:start]
        at = spec.end()
        if spec[6] == "%":
            found += "%"
            continue
        if spec[6] == "n" and not spec[5]:
            found += "\n"
            continue
        if not spec[1]:
            ordinal += 1
        place = int(spec[1] or ordinal)
        if place > len(arguments):
            raise ArgumentError(f"Invalid format string: {text} (Format specifier '{spec[0]}')")
        found += _formatted(spec, arguments[place - 1], text)
    return found + text[at:]


def _formatted(spec: re.Match[str], given: str | None, text: str) -> str:
    flags, width, precision, dated, letter = spec[2], int(spec[3] or 0), spec[4], spec[5], spec[6]
    kind, value = (given[0], given[1:]) if given is not None else ("", "null")
    if given is None or (letter in "sSbB" and not dated):
        shown = _shown(kind, value) if letter in "sS" else value if kind in ("b", "") else "true"
        shown = "false" if given is None and letter in "bB" else shown
        shown = shown[: int(precision)] if precision else shown
        shown = shown.upper() if letter.isupper() else shown
    elif dated:
        shown = _dated(letter, value, text)
    elif letter == "d" and kind == "d":
        shown = _signed(f"{abs(int(value)):{',' if ',' in flags else ''}d}", value, flags, width)
    elif letter == "f" and kind in "fm":
        shown = _fixed(value, int(precision or 6), flags, width)
    elif letter in "xX" and kind == "d":
        shown = f"{int(value) & (2**64 - 1):x}"
        shown = shown.upper() if letter == "X" else shown
    elif kind not in {"d": "d", "f": "fm", "x": "d", "X": "d"}.get(letter, kind):
        raise ArgumentError(f"Invalid format string: {text} (Format specifier '{spec[0]}')")
    else:
        raise ArgumentError(f"format with {spec[0]} for this type is not supported", "NOT_SUPPORTED")
    return shown.ljust(width) if "-" in flags else shown.rjust(width)


def _shown(kind: str, value: str) -> str:
    """A value as Java's toString has it: doubles in short, times without the seconds that are none."""
    if kind == "f" and value not in ("NaN", "Infinity", "-Infinity"):
        return _java_double(float(value))
    if kind != "t" or ":" not in value:
        return value
    return re.sub(r":00$", "", value.replace(" ", "T").removesuffix(".000"))


def _dated(letter: str, value: str, text: str) -> str:
    moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
    if letter == "e":
        return str(moment.day)
    if letter not in _DATE_PARTS:
        raise ArgumentError(f"format with %t{letter} in {text} is not supported", "NOT_SUPPORTED")
    return moment.strftime(_DATE_PARTS[letter])


def _fixed(value: str, digits: int, flags: str, width: int) -> str:
    if value in ("NaN", "Infinity", "-Infinity"):
        return value
    rounded = abs(Decimal(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return _signed(f"{rounded:{',' if ',' in flags else ''}f}", value, flags, width)


def _signed(digits: str, value: str, flags: str, width: int) -> str:
    negative = value.startswith("-")
    sign = "-" if negative else "+" if "+" in flags else " " if " " in flags else ""
    if negative and "(" in flags:
        return f"({digits})"
    return sign + (digits.rjust(width - len(sign), "0") if "0" in flags else digits)


def _format_number(value: float) -> str:
    """Trino drops the fraction first, and shows two digits after the point of everything negative."""
    number, unit = Decimal(int(value)), ""
    for step in ("K", "M", "B", "T", "Q"):
        if abs(number) < 1000:  # noqa: PLR2004
            break
        number, unit = number / 1000, step
    places = 2 if number < 10 else 1 if number < 100 else 0  # noqa: PLR2004
    shown = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown) + unit


def _data_size(text: str) -> str:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(B|kB|MB|GB|TB|PB|EB|ZB|YB)", text)
    if not found:
        raise ArgumentError(f"Invalid data size: '{text}'")
    power = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB").index(found[2])
    return str(int(Decimal(found[1]) * 1024**power))


# times

_DURATIONS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def _duration(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text)
    if not found or found[2] not in _DURATIONS:
        raise ArgumentError(f"duration is not a valid data duration string: {text}")
    return int((Decimal(found[1]) * _DURATIONS[found[2]] / 10**6).to_integral(ROUND_HALF_UP))


def _readable_seconds(value: float) -> str:
    if not math.isfinite(value):
        raise ArgumentError(f"Invalid argument found: {value}")
    rest = math.floor(abs(value) + 0.5)
    parts: list[str] = []
    for unit, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count or (unit == "second" and not parts):
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return ", ".join(parts)


def _zone(name: str) -> str:
    from local.athena.runtime import canonical_zone

    zone = canonical_zone(name)
    if zone is None:
        raise ArgumentError(f"'{name}' is not a valid time zone")
    return zone


def _zoned(local: datetime, zone: str) -> dict[str, Any]:
    from zoneinfo import ZoneInfo

    if zone[0] in "+-":
        shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        return {"instant": local - shift if zone[0] == "+" else local + shift, "zone": zone}
    return {"instant": local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None), "zone": zone}


_ISO_DATE = r"(\d{1,4})(?:-W(\d{1,2})(?:-(\d))?|-(\d{3})|-(\d{1,2})(?:-(\d{1,2}))?)?"
_ISO_DATE_ONLY = re.compile(_ISO_DATE)
_ISO = re.compile(
    _ISO_DATE + r"(?:T(?:(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?"
)


def _iso_day(parts: tuple[str | None, ...]) -> date:
    year, week, weekday, ordinal, month, day = (int(part) if part else None for part in parts)
    if week:
        return date.fromisocalendar(year or 0, week, weekday or 1)
    if ordinal is not None:
        found = date(year or 0, 1, 1) + timedelta(days=ordinal - 1)
        if found.year != year:
            raise ValueError(ordinal)
        return found
    return date(year or 0, month if month is not None else 1, day if day is not None else 1)


def _from_iso8601_date(text: str) -> str:
    found = _ISO_DATE_ONLY.fullmatch(text)
    try:
        if found:
            return _iso_day(found.groups()).isoformat()
    except ValueError:
        pass
    raise ArgumentError(f'Invalid format: "{text}"')


def _from_iso8601(text: str) -> dict[str, Any]:
    found = _ISO.fullmatch(text)
    try:
        if found:
            day = _iso_day(found.groups()[:6])
            hour, minute, second = (int(part or 0) for part in found.groups()[6:9])
            millis = int((found[10] or "0").ljust(3, "0")[:3])
            local = datetime(day.year, day.month, day.day, hour, minute, second, millis * 1000)  # noqa: DTZ001
            return _zoned(local, _zone(found[11] or "UTC"))
    except ValueError as error:
        if isinstance(error, ArgumentError):
            raise
    raise ArgumentError(f'Invalid format: "{text}"')


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def _names(full: list[str]) -> str:
    return "|".join([*full, *(name[:3] for name in full)])


# what each letter reads: a regular expression, as many digits as it can (as Joda), and the field it fills
_FIELDS: dict[str, tuple[str, str]] = {
    "year": (r"-?\d{1,4}+", "year"), "year2": (r"\d{2}", "year2"), "month": (r"\d{1,2}+", "month"),
    "monthname": (_names(_MONTHS), "monthname"), "day": (r"\d{1,2}+", "day"),
    "weekday": (_names(_WEEKDAYS), "weekday"), "ordinal": (r"\d{1,3}+", "ordinal"),
    "hour": (r"\d{1,2}+", "hour"), "hour12": (r"\d{1,2}+", "hour12"), "minute": (r"\d{1,2}+", "minute"),
    "second": (r"\d{1,2}+", "second"), "fraction": (r"\d{1,9}+", "fraction"),
    "half": (r"[AaPp][Mm]", "half"), "zone": (r"Z|[+-]\d{2}:?\d{2}", "zone"),
    "zonename": (r"[A-Za-z/_+\-0-9]+", "zone"),
}  # fmt: skip
_MYSQL = {
    "a": ["weekday"], "b": ["monthname"], "c": ["month"], "d": ["day"], "e": ["day"], "f": ["fraction"],
    "H": ["hour"], "h": ["hour12"], "I": ["hour12"], "i": ["minute"], "j": ["ordinal"], "k": ["hour"],
    "l": ["hour12"], "M": ["monthname"], "m": ["month"], "p": ["half"], "S": ["second"], "s": ["second"],
    "r": ["hour12", ":", "minute", ":", "second", " ", "half"], "T": ["hour", ":", "minute", ":", "second"],
    "W": ["weekday"], "Y": ["year"], "y": ["year2"],
}  # fmt: skip
_JODA = {"y": "year", "Y": "year", "d": "day", "D": "ordinal", "H": "hour", "h": "hour12", "m": "minute",
         "s": "second", "S": "fraction", "a": "half", "E": "weekday", "Z": "zone"}  # fmt: skip


def joda_tokens(text: str) -> Iterator[tuple[str | None, int, str]]:
    """Joda's pattern in parts: (letter, how often, "") or (None, 0, verbatim text)."""
    for part in re.finditer(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)", text):
        if part[2]:
            yield part[3], len(part[2]), ""
        elif part[4]:
            yield None, 0, part[4]
        else:
            yield None, 0, part[1].replace("''", "'") or "'"


def _reader(parts: list[str]) -> re.Pattern[str]:
    """A pattern that reads a text as the parts say; a part that is no field stands for itself."""
    found, used = "", set()
    for part in parts:
        own = _FIELDS.get(part)
        if own is None:
            found += re.escape(part)
            continue
        expression, name = own
        found += f"(?P<{name}>{expression})" if name not in used else f"(?:{expression})"
        used.add(name)
    return re.compile(found, re.IGNORECASE)


@cache
def _mysql_reader(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    symbols = iter(text)
    for symbol in symbols:
        if symbol != "%":
            parts.append(symbol)
            continue
        letter = next(symbols, "")
        if letter in ("v", "x"):
            raise ArgumentError(f"date_parse with %{letter} is not supported", "NOT_SUPPORTED")
        parts.extend(_MYSQL.get(letter, [letter]))
    return _reader(parts)


@cache
def _joda_reader(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    for letter, count, verbatim in joda_tokens(text):
        if letter is None:
            parts.extend(verbatim)
        elif letter == "M":
            parts.append("month" if count < 3 else "monthname")  # noqa: PLR2004
        elif letter in "yY" and count == 2:  # noqa: PLR2004
            parts.append("year2")
        elif letter == "Z" and count == 3:  # noqa: PLR2004
            parts.append("zonename")
        elif letter in _JODA:
            parts.append(_JODA[letter])
        else:
            raise ArgumentError(f"parse_datetime with the pattern {letter * count} is not supported", "NOT_SUPPORTED")
    return _reader(parts)


def _read(pattern: re.Pattern[str], text: str) -> tuple[datetime, str]:
    """The wall clock time and the zone that `text` shows. Raises ArgumentError."""
    found = pattern.fullmatch(text)
    try:
        if found:
            return _moment({name: value for name, value in found.groupdict().items() if value is not None})
    except ValueError as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f'Cannot parse "{text}": {error}') from None
    raise ArgumentError(f'Invalid format: "{text}"')


def _moment(fields: dict[str, str]) -> tuple[datetime, str]:
    year = int(fields.get("year", 1970))
    if "year2" in fields:
        short = int(fields["year2"])
        year = 1900 + short if short >= 70 else 2000 + short  # noqa: PLR2004
    month = int(fields.get("month", 1))
    if "monthname" in fields:
        month = [name[:3].lower() for name in _MONTHS].index(fields["monthname"][:3].lower()) + 1
    hour = int(fields.get("hour", 0))
    if "hour12" in fields:
        given = int(fields["hour12"])
        if not 1 <= given <= 12:  # noqa: PLR2004
            raise ValueError(f"Value {given} for clockhourOfHalfday must be in the range [1,12]")
        hour = given % 12
    if fields.get("half", "").lower() == "pm" and "hour12" in fields:
        hour += 12
    micros = int(fields.get("fraction", "0").ljust(3, "0")[:3]) * 1000
    minute, second = int(fields.get("minute", 0)), int(fields.get("second", 0))
    moment = datetime(year, month, int(fields.get("day", 1)), hour, minute, second, micros)  # noqa: DTZ001
    if "ordinal" in fields:
        moment = moment.replace(month=1, day=1) + timedelta(days=int(fields["ordinal"]) - 1)
        if moment.year != year:
            raise ValueError(f"Value {fields['ordinal']} for dayOfYear is not of the year {year}")
    if "weekday" in fields:  # Joda sets it last: it moves the day within its week
        wanted = [name[:3].lower() for name in _WEEKDAYS].index(fields["weekday"][:3].lower())
        moment += timedelta(days=wanted - moment.weekday())
    return moment, _zone(fields.get("zone", "UTC"))


def _date_parse(text: str, pattern: str) -> datetime:
    return _read(_mysql_reader(pattern), text)[0]


def _parse_datetime(text: str, pattern: str) -> dict[str, Any]:
    return _zoned(*_read(_joda_reader(pattern), text))


# regular expressions

_UNSHARED = re.compile(r"\(\?(?!:|i\)|s\)|m\))|\\[1-9kGXRhHvVQEpPuZsS]|[*+?}]\+|&&|\[[^\]\\]*\[|\$")
_REFUSED = re.compile(r"&&|\\[GXRhHVQEpPuZ]|\[[^\]\\]*\[(?!:)|\(\?[dux]")


def is_shared_pattern(text: str) -> bool:
    """Whether Java and RE2 read a pattern alike."""
    if _UNSHARED.search(text):
        return False
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def has_classes(text: str) -> bool:
    """Whether a pattern has a class of letters whose extent beyond ASCII is open."""
    return bool(_CLASSES.search(text))


@cache
def pattern(text: str) -> re.Pattern[str]:
    """Java's pattern for Python. Raises ArgumentError if it is wrong, or not the same in both."""
    return _compiled(text, re.ASCII if has_classes(text) and not text.startswith("(?i)") else 0)


@cache
def _compiled(text: str, flags: int) -> re.Pattern[str]:
    if _REFUSED.search(text):
        raise ArgumentError(f"the regular expression '{text}' is not supported", "NOT_SUPPORTED")
    named = re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", text.replace(r"\z", r"\Z"))
    named = re.sub(r"\\k<(\w+)>", r"(?P=\1)", named)
    named = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), named)
    try:
        return re.compile(named, flags)
    except re.error as error:
        raise ArgumentError(f"{error}: {text}") from None


_CLASSES = re.compile(r"\\[wWdDsSbB]")


def _matching(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(compiled, text, ...)` of a text and a pattern's source.

    Of texts beyond ASCII, what \\w, \\d, \\s and \\b mean is another thing in Java than in the library that Athena
    has by default (Joni): where the two answer differently, there is no answer.
    """

    def apply(text: str, source: str, *rest: Any) -> Any:
        answer = function(pattern(source), text, *rest)
        if not text.isascii() and has_classes(source):
            other = function(_compiled(source, 0 if pattern(source).flags & re.ASCII else re.ASCII), text, *rest)
            if other != answer:
                raise ArgumentError(
                    f"the regular expression '{source}' on letters beyond ASCII is not supported", "NOT_SUPPORTED"
                )
        return answer

    apply.__name__ = function.__name__
    return apply


def _group(compiled: re.Pattern[str], group: int) -> int:
    if not 0 <= group <= compiled.groups:
        raise ArgumentError(f"Pattern has {compiled.groups} groups. Cannot access group {group}")
    return group


@_matching
def _regexp_extract(compiled: re.Pattern[str], text: str, group: int) -> str | None:
    group = _group(compiled, group)
    found = compiled.search(text)
    return found[group] if found else None


@_matching
def _regexp_extract_all(compiled: re.Pattern[str], text: str, group: int) -> list[str | None]:
    group = _group(compiled, group)
    return [found[group] for found in compiled.finditer(text)]


@_matching
def _regexp_position(compiled: re.Pattern[str], text: str, start: int, occurrence: int) -> int:
    if start < 1:
        raise ArgumentError("start position cannot be smaller than 1")
    if occurrence < 1:
        raise ArgumentError("occurrence cannot be smaller than 1")
    for found in compiled.finditer(text, start - 1) if start <= len(text) else ():
        occurrence -= 1
        if not occurrence:
            return found.start() + 1
    return -1


@_matching
def _regexp_split(compiled: re.Pattern[str], text: str) -> list[str]:
    parts, at = [], 0
    for found in compiled.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
    return [*parts, text[at:]]


_REFERENCE = re.compile(r"\\(.)|\$(\d+)|\$\{([A-Za-z]\w*)\}|([^\\$]+)|(.)", re.DOTALL)


@_matching
def _regexp_replace(compiled: re.Pattern[str], text: str, replacement: str) -> str:
    if not compiled.search(text):  # what is wrong with a replacement is seen when there is one to make
        return text
    parts: list[str | int] = []
    for found in _REFERENCE.finditer(replacement):
        escaped, number, name, plain, wrong = found.groups()
        if wrong:
            raise ArgumentError("Illegal replacement sequence: " + replacement)
        if number:  # as many digits as make a group that there is
            digits = max((n for n in range(2, len(number) + 1) if int(number[:n]) <= compiled.groups), default=1)
            parts += [_group(compiled, int(number[:digits])), number[digits:]]
        elif name:
            if name not in compiled.groupindex:
                raise ArgumentError(f"Illegal replacement sequence: unknown group {{ {name} }}")
            parts.append(compiled.groupindex[name])
        else:
            parts.append(escaped or plain)
    return compiled.sub(lambda m: "".join(p if isinstance(p, str) else m[p] or "" for p in parts), text)


@_matching
def _regexp_pieces(compiled: re.Pattern[str], text: str) -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = []
    at = 0
    for found in compiled.finditer(text):
        pieces.append({"before": text[at : found.start()], "groups": list(found.groups())})
        at = found.end()
    return [*pieces, {"before": text[at:], "groups": None}]


# JSON

_STEP = re.compile(r'\.([\w:]+)|\[([\w]+)\]|\["((?:[^"\\]|\\["\\])*)"\]')
_MISSING = object()


@cache
def json_path(text: str) -> tuple[str, ...] | None:
    """The steps of a path, or None if it is none that Trino reads."""
    if not text.startswith("$"):
        return None
    steps, at = [], 1
    while at < len(text):
        found = _STEP.match(text, at)
        if not found:
            return None
        plain = found[1] or found[2]
        steps.append(plain if plain is not None else re.sub(r'\\(["\\])', r"\1", found[3]))
        at = found.end()
    return tuple(steps)


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written: with every key, in order."""


class _Written(float):
    """A number with a fraction or an exponent, and how it is written."""

    def __new__(cls, text: str) -> "_Written":
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


def _refuse(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=_Written, parse_constant=_refuse)


def _loads(text: str) -> Any:
    """JSON, with numbers as int or float. Raises ValueError."""
    return _DECODER.decode(text)


def _dumps(value: Any) -> str:
    """JSON as Jackson writes it: no spaces, doubles in Java's form."""
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_dumps(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumps, value)) + "]"
    return _java_double(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _java_double(value: float) -> str:
    """A double as Java prints it: plain from 0.001 up to 10 million, else with an exponent."""
    shown = float.__repr__(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:  # noqa: PLR2004
        return f"{Decimal(shown):f}" if "e" in shown else shown
    sign, digits, exponent = Decimal(shown).normalize().as_tuple()
    significant = "".join(map(str, digits))
    power = int(exponent) + len(digits) - 1
    return f"{'-' if sign else ''}{significant[0]}.{significant[1:] or '0'}E{power}"


def _sorted(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return _Pairs(sorted(((key, _sorted(item)) for key, item in dict(value).items()), key=lambda pair: pair[0]))
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _at(text: str, path: str) -> Any:
    """The value at a path; `_MISSING` if there is none. As Trino's, it reads no further than it must."""
    try:
        return _found(text, _skipped(text, 0), json_path(path) or ())
    except ValueError:
        return _MISSING


def _skipped(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\n", "\r"):
        at += 1
    return at


def _found(text: str, at: int, steps: tuple[str, ...]) -> Any:
    """The value that `steps` lead to from the one at `at`. Raises ValueError where it is no JSON."""
    if not steps:
        return _DECODER.raw_decode(text, at)[0]
    opening, closing = text[at : at + 1], {"{": "}", "[": "]"}.get(text[at : at + 1])
    if closing is None:
        raise ValueError(text)
    place, at = 0, _skipped(text, at + 1)
    while text[at : at + 1] != closing or place:
        key = str(place)
        if opening == "{":
            key, at = _key(text, at)
        if key == steps[0]:
            return _found(text, at, steps[1:])
        at = _skipped(text, _DECODER.raw_decode(text, at)[1])
        if text[at : at + 1] == closing:
            break
        place, at = place + 1, _skipped(text, _after(text, at, ","))
    return _MISSING


def _key(text: str, at: int) -> tuple[str, int]:
    """The name of a field and where its value starts."""
    _after(text, at, '"')
    name, end = _DECODER.raw_decode(text, at)
    return name, _skipped(text, _after(text, _skipped(text, end), ":"))


def _after(text: str, at: int, symbol: str) -> int:
    if text[at : at + 1] != symbol:
        raise ValueError(text)
    return at + 1


def _json_extract(text: str, path: str) -> str | None:
    value = _at(text, path)
    return None if value is _MISSING else _dumps(value)


def _json_extract_scalar(text: str, path: str) -> str | None:
    value = _at(text, path)
    if value is _MISSING or value is None or isinstance(value, list):
        return None
    if isinstance(value, _Written):
        return value.text
    return value if isinstance(value, str) else _dumps(value)


def _json_size(text: str, path: str) -> int | None:
    value = _at(text, path)
    return None if value is _MISSING else len(value) if isinstance(value, list) else 0


def _json_parse(text: str) -> str:
    try:
        return _dumps(_sorted(_loads(text)))
    except ValueError:
        raise ArgumentError(f"Cannot convert value to JSON: '{text}'") from None


def _json_array(text: str) -> list[Any] | None:
    value = _at(text, "$")
    return value if isinstance(value, list) and not isinstance(value, _Pairs) else None


def _json_array_length(text: str) -> int | None:
    found = _json_array(text)
    return None if found is None else len(found)


def _json_array_get(text: str, index: int) -> str | None:
    found = _json_array(text)
    if found is None or not -len(found) <= index < len(found) or found[index] is None:
        return None
    return found[index] if isinstance(found[index], str) else _dumps(found[index])


def _json_array_contains(text: str, sought: str) -> bool | None:
    found = _json_array(text)
    if found is None:
        return None
    kind, value = sought[0], sought[1:]
    if kind == "b":
        return any(item is (value == "true") for item in found)
    if kind == "s":
        return value in [item for item in found if isinstance(item, str)]
    return any(isinstance(item, int | float) and not isinstance(item, bool) and item == float(value) for item in found)


def _is_json_scalar(text: str) -> bool:
    value = _at(text, "$")
    if value is _MISSING:
        raise ArgumentError(f"Invalid JSON value: {text}")
    return not isinstance(value, list)


# bytes and URLs


def _decoded(decode: Callable[[str], bytes], name: str) -> Callable[[str], bytes]:
    def decoded(text: str) -> bytes:
        try:
            return decode(text)
        except (binascii.Error, ValueError):
            raise ArgumentError(f"Illegal {name} text: {text}") from None

    return decoded


def _padded(text: str) -> str:
    """Java's decoder asks for no padding."""
    return text if "=" in text else text + "=" * (-len(text) % 4)


def _from_base64url(text: str) -> bytes:
    return base64.b64decode(_padded(text), altchars=b"-_", validate=True)


def _hmac(name: str, data: bytes, key: bytes) -> bytes:
    return hmac.new(key, data, name).digest()


def _pack(layout: str, value: int) -> bytes:
    return struct.pack(layout, value)


def _unpack(layout: str, data: bytes) -> int:
    if len(data) != struct.calcsize(layout):
        raise ArgumentError(f"expected {struct.calcsize(layout)}-byte input, but got instead: {len(data)}")
    return int(struct.unpack(layout, data)[0])


def _unpack_float(data: bytes) -> float:
    if len(data) != 4:  # noqa: PLR2004
        raise ArgumentError(f"expected 4-byte input, but got instead: {len(data)}")
    return float(struct.unpack(">f", data)[0])


def _bytes_part(data: bytes, start: int, length: int) -> bytes:
    first = start - 1 if start > 0 else len(data) + start
    return data[first : first + length] if start and first >= 0 and length > 0 else b""


def _bytes_pad(side: str, data: bytes, size: int, padding: bytes) -> bytes:
    if not 0 <= size < 2**31:
        raise ArgumentError("Target length must be in the range [0..2147483647]")
    if not padding:
        raise ArgumentError("Padding bytes must not be empty")
    missing = max(size - len(data), 0)
    filled = (padding * (missing // len(padding) + 1))[:missing]
    return filled + data[:size] if side == "lpad" else data[:size] + filled


def _unpack_double(data: bytes) -> float:
    if len(data) != 8:  # noqa: PLR2004
        raise ArgumentError(f"expected 8-byte input, but got instead: {len(data)}")
    return float(struct.unpack(">d", data)[0])


_URI = re.compile(r"(?:[^\x00-\x20\x7f-\xa0<>\"{}|\\^`%]|%[0-9A-Fa-f]{2})*")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?|\d+(?:\.\d+){3}|\[.*\]"
)


def _uri(text: str) -> tuple[dict[str, str | None], str | None] | None:
    """The parts of a URI as java.net.URI has them, and its query as written; None if it is no URI."""
    if not _URI.fullmatch(text):
        return None
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError:
        return None
    rest = text[len(found.scheme) + 1 :] if found.scheme else text
    if (found.scheme and not rest) or set("[]") & set(found.path + found.fragment) or ":" in text[:1]:
        return None
    scheme, fragment = text[: len(found.scheme)], unquote(found.fragment)
    if found.scheme and not rest.startswith("/"):  # opaque, as mailto:a@b
        parts = {"protocol": scheme, "host": "", "path": "", "query": "", "fragment": fragment, "port": None}
        return parts, None
    address = found.netloc.rpartition("@")[2]
    host = address if address.endswith("]") else re.sub(r":\d*$", "", address)
    known = bool(_HOST.fullmatch(host))
    parts = {
        "protocol": scheme,
        "host": host if known else "",
        "path": unquote(found.path),
        "query": unquote(found.query),
        "fragment": fragment,
        "port": str(port) if known and port is not None else None,
    }
    return parts, found.query if "?" in text.partition("#")[0] else None


def _url(part: str, text: str) -> str | None:
    found = _uri(text)
    return found[0][part] if found else None


def _url_parameter(text: str, name: str) -> str | None:
    found = _uri(text)
    if not found or found[1] is None:
        return None
    for pair in found[1].split("&"):
        key, _, value = pair.partition("=")
        if key == name:
            return unquote_plus(value)
    return None


def _url_decode(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ArgumentError(f"Illegal hex characters in escape (%) pattern: {text}")
    return unquote_plus(text)


_PLAIN = (string.ascii_letters + string.digits + ".-*_").encode()


def _url_encode(text: str) -> str:
    return "".join(chr(b) if b in _PLAIN else "+" if b == 0x20 else f"%{b:02X}" for b in text.encode())  # noqa: PLR2004


_FUNCTIONS: tuple[tuple[Callable[..., Any], list[str], str], ...] = (
    (_from_base, ["VARCHAR", "BIGINT"], "BIGINT"),
    (_to_base, ["BIGINT", "BIGINT"], "VARCHAR"),
    (_cosine, ["MAP(VARCHAR, DOUBLE)", "MAP(VARCHAR, DOUBLE)"], "DOUBLE"),
    (_combinations, ["BIGINT", "BIGINT"], "BIGINT[][]"),
    (_strpos, ["VARCHAR", "VARCHAR", "BIGINT"], "BIGINT"),
    (_hamming, ["VARCHAR", "VARCHAR"], "BIGINT"),
    (_levenshtein, ["VARCHAR", "VARCHAR"], "BIGINT"),
    (_luhn, ["VARCHAR"], "BOOLEAN"),
    (_normalize, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (_soundex, ["VARCHAR"], "VARCHAR"),
    (_split_to_map, ["VARCHAR", "VARCHAR", "VARCHAR"], "MAP(VARCHAR, VARCHAR)"),
    (_split_to_multimap, ["VARCHAR", "VARCHAR", "VARCHAR"], "MAP(VARCHAR, VARCHAR[])"),
    (_from_utf8, ["BLOB", "VARCHAR"], "VARCHAR"),
    (_format, ["VARCHAR", "VARCHAR[]"], "VARCHAR"),
    (_format_number, ["DOUBLE"], "VARCHAR"),
    (_data_size, ["VARCHAR"], "VARCHAR"),
    (_duration, ["VARCHAR"], "BIGINT"),
    (_readable_seconds, ["DOUBLE"], "VARCHAR"),
    (_zone, ["VARCHAR"], "VARCHAR"),
    (_from_iso8601_date, ["VARCHAR"], "VARCHAR"),
    (_from_iso8601, ["VARCHAR"], _ZONED),
    (_date_parse, ["VARCHAR", "VARCHAR"], "TIMESTAMP"),
    (_parse_datetime, ["VARCHAR", "VARCHAR"], _ZONED),
    (_regexp_extract, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR"),
    (_regexp_extract_all, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR[]"),
    (_regexp_position, ["VARCHAR", "VARCHAR", "BIGINT", "BIGINT"], "INTEGER"),
    (_regexp_split, ["VARCHAR", "VARCHAR"], "VARCHAR[]"),
    (_regexp_replace, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR"),
    (_regexp_pieces, ["VARCHAR", "VARCHAR"], "STRUCT(before VARCHAR, groups VARCHAR[])[]"),
    (_json_extract, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (_json_extract_scalar, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (_json_size, ["VARCHAR", "VARCHAR"], "BIGINT"),
    (_json_parse, ["VARCHAR"], "VARCHAR"),
    (_json_array_length, ["VARCHAR"], "BIGINT"),
    (_json_array_get, ["VARCHAR", "BIGINT"], "VARCHAR"),
    (_json_array_contains, ["VARCHAR", "VARCHAR"], "BOOLEAN"),
    (_is_json_scalar, ["VARCHAR"], "BOOLEAN"),
    (_hmac, ["VARCHAR", "BLOB", "BLOB"], "BLOB"),
    (_pack, ["VARCHAR", "BIGINT"], "BLOB"),
    (_unpack, ["VARCHAR", "BLOB"], "BIGINT"),
    (_unpack_double, ["BLOB"], "DOUBLE"),
    (_unpack_float, ["BLOB"], "DOUBLE"),
    (_bytes_part, ["BLOB", "BIGINT", "BIGINT"], "BLOB"),
    (_bytes_pad, ["VARCHAR", "BLOB", "BIGINT", "BLOB"], "BLOB"),
    (_url, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (_url_parameter, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (_url_decode, ["VARCHAR"], "VARCHAR"),
    (_url_encode, ["VARCHAR"], "VARCHAR"),
)
_NAMED: tuple[tuple[str, Callable[..., Any], list[str], str], ...] = (
    ("regexp_like", _matching(lambda compiled, text: bool(compiled.search(text))), ["VARCHAR", "VARCHAR"], "BOOLEAN"),
    ("regexp_count", _matching(lambda compiled, text: len(compiled.findall(text))), ["VARCHAR", "VARCHAR"], "BIGINT"),
    ("from_base64", _decoded(lambda t: base64.b64decode(_padded(t), validate=True), "base64"), ["VARCHAR"], "BLOB"),
    ("from_base64url", _decoded(_from_base64url, "base64url"), ["VARCHAR"], "BLOB"),
    ("from_base32", _decoded(base64.b32decode, "base32"), ["VARCHAR"], "BLOB"),
    ("to_base32", lambda data: base64.b32encode(data).decode(), ["BLOB"], "VARCHAR"),
    ("sha512", lambda data: hashlib.sha512(data).digest(), ["BLOB"], "BLOB"),
    ("bytes_reverse", lambda data: data[::-1], ["BLOB"], "BLOB"),
    ("pack_float", lambda value: struct.pack(">f", value), ["DOUBLE"], "BLOB"),
    ("pack_double", lambda value: struct.pack(">d", value), ["DOUBLE"], "BLOB"),
    ("crc32", zlib.crc32, ["BLOB"], "BIGINT"),
)


def install(connection: "duckdb.DuckDBPyConnection") -> None:
    """Puts the macros and functions on `connection`; once for each connection."""
    import duckdb
    from duckdb.func import FunctionNullHandling, PythonUDFType

    connection.execute(_MACROS)
    every = [*_NAMED, *((function.__name__[1:], function, kinds, returns) for function, kinds, returns in _FUNCTIONS)]
    for name, function, kinds, returns in every:
        connection.create_function(
            f"nightlake_{name}",
            _of_columns(_vectorised(function, returns), len(kinds)),
            [duckdb.sqltype(kind) for kind in kinds],
            duckdb.sqltype(returns),
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )


def _vectorised(function: Callable[..., Any], returns: str) -> Callable[..., Any]:
    def apply(*columns: Any) -> Any:
        import pyarrow as pa

        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        values = [None if None in row else function(*row) for row in rows]
        return pa.array(values, _arrow_type(returns))

    return apply


def _of_columns(apply: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`apply` with so many named parameters: DuckDB counts them."""
    wrappers: dict[int, Callable[..., Any]] = {
        1: lambda a: apply(a),  # noqa: PLW0108
        2: lambda a, b: apply(a, b),  # noqa: PLW0108
        3: lambda a, b, c: apply(a, b, c),  # noqa: PLW0108
        4: lambda a, b, c, d: apply(a, b, c, d),  # noqa: PLW0108
    }
    return wrappers[count]


@cache
def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    if kind.endswith("[]"):
        return pa.list_(_arrow_type(kind[:-2]))
    if kind.startswith("MAP"):
        return pa.map_(pa.string(), _arrow_type(kind.partition(", ")[2][:-1]))
    if kind.startswith("STRUCT"):
        fields = [field.rsplit(" ", 1) for field in kind[7:-1].split(", ")]
        return pa.struct([(name, _arrow_type(field)) for name, field in fields])
    plain = {
        "VARCHAR": pa.string(), "BIGINT": pa.int64(), "INTEGER": pa.int32(), "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(), "BLOB": pa.binary(), "TIMESTAMP": pa.timestamp("us"),
    }  # fmt: skip
    return plain[kind]
