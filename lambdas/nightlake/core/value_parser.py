"""What one raw value means as a value of a column's type: slow and exact, the definition that `cast` must equal."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from functools import cached_property, lru_cache
from math import isfinite, isinf
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from nightlake.core.column_type import FLOATS, INTEGER_BITS, MAX_PRECISION, ColumnType
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.source import EPOCHS, CsvSource, TextValues
from nightlake.core.sources import AnySource

BLANKS: Final = " \t"  # around anything but text they mean nothing
_NON_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_NANOSECONDS = re.compile(r"(?<=[.,][0-9]{6})([0-9]{1,3})(?![0-9])")  # what strptime cannot take
_DURATION = re.compile(r"(?:([0-9]{1,5}):(?=[0-5][0-9]:))?([0-9]{1,4}):([0-5][0-9])", re.ASCII)
OUT_OF_YEARS: Final = "out of the years 1 to 9999 in UTC"
TOO_FINE: Final = "finer than the milliseconds that a timestamp holds"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HALF_MILLISECOND: Final = 500
_REMEMBERED_LENGTH: Final = 64  # blanks between date and time may be a megabyte of each row
_POSTGRES_TIMESTAMPS: Final = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
)
_WIDE = Context(prec=2 * MAX_PRECISION)
_INTEGER_DIGITS = 19  # of the widest integer


@dataclass(frozen=True)
class Reading:
    """How a source writes its values, as it declares it.

    `nulls` are the texts that mean NULL, where the reader has not seen to them. `extra_fields` says whether an object
    may have fields that its struct has not; they are left out. `durations` are the columns whose values are written as
    such; `as_durations` says that of those which are read now.
    """

    timestamp_formats: tuple[str, ...] = ()
    date_formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    round_digits: bool = False
    non_finite: Literal["refuse", "null", "keep"] = "refuse"
    decimal_separator: str = "."
    thousands_separator: str = ""
    true_values: tuple[str, ...] = ("true", "t", "yes", "y", "1")
    false_values: tuple[str, ...] = ("false", "f", "no", "n", "0")
    nulls: tuple[str, ...] = ()
    extra_fields: bool = False
    durations: tuple[str, ...] = ()
    as_durations: bool = False

    @classmethod
    def of(cls, source: AnySource) -> "Reading":
        """How this source writes."""
        extra_fields = source.on_drift != "strict"
        common = cls(
            round_digits=source.excess_digits == "round", non_finite=source.non_finite, extra_fields=extra_fields
        )
        if isinstance(source, PostgresSource):
            return replace(
                common,
                timestamp_formats=_POSTGRES_TIMESTAMPS,
                date_formats=("%Y-%m-%d",),
                timezone=source.timezone,
            )
        if not isinstance(source, TextValues):
            return common
        text = replace(
            common,
            timestamp_formats=source.timestamp_formats,
            date_formats=source.date_formats,
            timezone=source.timezone,
            true_values=source.true_values,
            false_values=source.false_values,
            durations=source.durations,
        )
        if not isinstance(source, CsvSource):
            return replace(text, nulls=source.nulls)
        return replace(
            text,
            decimal_separator=source.decimal_separator,
            thousands_separator=source.thousands_separator or "",
        )

    def of_column(self, name: str) -> "Reading":
        """How the values of this column are written."""
        return replace(self, as_durations=True) if name in self.durations else self

    @cached_property
    def booleans(self) -> dict[str, bool]:
        """What each spelling means."""
        return dict.fromkeys(self.true_values, True) | dict.fromkeys(self.false_values, False)

    @cached_property
    def number(self) -> str:
        """The regular expression, of Python and of RE2, of a number."""
        point, between = re.escape(self.decimal_separator), re.escape(self.thousands_separator)
        whole = f"(?:[0-9]{{1,3}}(?:{between}[0-9]{{3}})+|[0-9]+)" if between else "[0-9]+"
        return f"[+-]?(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"

    @property
    def plain_numbers(self) -> bool:
        """Whether numbers are written as in JSON."""
        return self.decimal_separator == "." and not self.thousands_separator


_JSON: Final = Reading()


@dataclass
class ValueParser:
    """Parses values of one source. `rounded` counts the decimals and timestamps that lost digits."""

    reading: Reading
    rounded: int = field(default=0, init=False)

    def parse(self, kind: ColumnType, value: object) -> Any:
        """The value: int, float, Decimal, bool, str, date, naive datetime in UTC, list, dict, or pairs of a map.

        None stays None. Raises ValueError with what is wrong, in words that never repeat the value.
        """
        if value is None or value in self.reading.nulls:
            return None
        if kind.is_nested:
            return self._nested(kind, value)
        if isinstance(value, str) and kind.name != "string":
            value = value.strip(BLANKS)
        if kind.is_number:
            return self._number(kind, _seconds(value) if self.reading.as_durations else value)
        value = digits(value)
        if kind.name == "timestamp":
            return self._timestamp(value)
        return _PLAIN[kind.name](value, self.reading)

    def _number(self, kind: ColumnType, value: object) -> int | float | Decimal | None:
        if _is_non_finite(value):
            if self.reading.non_finite == "null":
                return None
            if self.reading.non_finite == "keep" and kind.name in FLOATS:
                return float(value)  # type: ignore[arg-type]
            raise ValueError("not a finite number")
        text = _plain(value, self.reading)
        if kind.name in FLOATS:
            return _float(kind, text)
        try:
            number = Decimal(text)
        except ArithmeticError:
            raise ValueError("not a number that a computer can hold") from None
        return _integer(kind, number) if kind.name in INTEGER_BITS else self._digits(kind, number)

    def _digits(self, kind: ColumnType, number: Decimal) -> Decimal:
        if not number:
            return Decimal(0)
        whole_digits = kind.precision - kind.scale
        if number.adjusted() >= whole_digits:
            raise ValueError(f"too large: {kind} has {whole_digits} digits before the point")
        fitted = number.quantize(Decimal((0, (1,), -kind.scale)), ROUND_HALF_UP, _WIDE)
        if fitted != number:
            if not self.reading.round_digits:
                raise ValueError(f"too fine: {kind} has {kind.scale} digits after the point")
            if fitted and fitted.adjusted() >= whole_digits:
                raise ValueError(f"too large once rounded: {kind} has {whole_digits} digits before the point")
            self.rounded += 1
        return fitted

    def _timestamp(self, value: object) -> datetime:
        if isinstance(value, datetime):
            moment, lack, zone = value, Decimal(0), "UTC"
        elif isinstance(value, str):
            moment, lack = _strptime(value, self.reading.timestamp_formats)
            zone = self.reading.timezone
        else:
            raise ValueError("not a timestamp")  # noqa: TRY004
        instant = to_utc(moment, zone)
        excess = instant.microsecond % 1000 + lack
        if not excess:
            return instant
        if not self.reading.round_digits:
            raise ValueError(TOO_FINE)
        self.rounded += 1
        try:
            floor = instant - timedelta(microseconds=instant.microsecond % 1000)
            return floor + timedelta(milliseconds=int(excess >= _HALF_MILLISECOND))
        except OverflowError:
            raise ValueError(OUT_OF_YEARS) from None

    def _nested(self, kind: ColumnType, value: object) -> Any:
        if isinstance(value, str):
            value = _json(value)
        parts = dict(kind.parts)
        if kind.name == "array" and isinstance(value, list):
            return [self.parse(parts["element"], item) for item in value]
        if kind.name == "map" and isinstance(value, dict | list):
            return self._map(parts["key"], parts["value"], value)
        if kind.name == "struct" and isinstance(value, dict):
            if not self.reading.extra_fields and value.keys() - parts.keys():
                raise ValueError(f"has undeclared fields: {kind} has {', '.join(parts)}")
            return {name: self.parse(part, value.get(name)) for name, part in parts.items()}
        raise ValueError(f"not of type {kind}")

    def _map(self, key: ColumnType, value: ColumnType, items: dict[Any, Any] | list[Any]) -> list[tuple[Any, Any]]:
        if isinstance(items, list) and not all(isinstance(item, tuple) for item in items):  # Arrow's maps are pairs
            raise ValueError("a list, where keys and values are wanted")
        entries = items.items() if isinstance(items, dict) else items
        pairs = [(self.parse(key, name), self.parse(value, item)) for name, item in entries]
        names = [name for name, _ in pairs]
        if None in names or len(set(names)) < len(names):
            raise ValueError("its keys are not all different")
        return pairs


def _seconds(value: object) -> int:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("not a duration: write M:SS or H:MM:SS")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def digits(value: object) -> object:
    """A number of JSON as its text, which means the same for every type; anything else as it is."""
    return str(value) if type(value) in (int, Decimal) else value


def _is_non_finite(value: object) -> bool:
    if isinstance(value, float | Decimal):
        return not isfinite(value)
    return isinstance(value, str) and _NON_FINITE.fullmatch(value) is not None


def _plain(value: object, reading: Reading) -> str:
    """A number as Python writes it."""
    if type(value) in (int, float, Decimal):
        return str(value)
    if not isinstance(value, str) or not re.fullmatch(reading.number, value):
        raise ValueError("not a number")
    return value.replace(reading.thousands_separator, "").replace(reading.decimal_separator, ".")


def _integer(kind: ColumnType, number: Decimal) -> int:
    limit = 2 ** (INTEGER_BITS[kind.name] - 1)
    if not number:
        return 0
    if number.adjusted() >= _INTEGER_DIGITS or not -limit <= number < limit:
        raise ValueError(f"out of range: {kind} is {-limit} to {limit - 1}")
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def _float(kind: ColumnType, text: str) -> float:
    import pyarrow as pa

    nearest = float(text) if kind.name == "double" else pa.scalar(text).cast(pa.float32()).as_py()
    if isinf(nearest):
        raise ValueError(f"out of range of {kind}")
    return float(nearest)


def _boolean(value: object, reading: Reading) -> bool:
    if isinstance(value, bool):
        return value
    spelled = value.lower() if isinstance(value, str) else ""
    if spelled not in reading.booleans:
        raise ValueError(f"not a boolean: write {', '.join(reading.booleans)}")
    return reading.booleans[spelled]


def _string(value: object, _reading: Reading) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, bytes | str | float):
        raise ValueError("not a text")  # noqa: TRY004
    try:
        text = value.decode() if isinstance(value, bytes) else str(value)
        text.encode()
    except UnicodeError:
        raise ValueError("not a text in whole characters of UTF-8") from None
    return text


def _date(value: object, reading: Reading) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("not a date")  # noqa: TRY004
    return _strptime(value, reading.date_formats)[0].date()


def _strptime(text: str, formats: tuple[str, ...]) -> tuple[datetime, Decimal]:
    """The moment, and what it lacks, in microseconds. Raises ValueError."""
    return (_moment if len(text) <= _REMEMBERED_LENGTH else _moment.__wrapped__)(text, formats)


@lru_cache(maxsize=1 << 16)
def _moment(text: str, formats: tuple[str, ...]) -> tuple[datetime, Decimal]:
    for pattern in formats:
        if pattern in EPOCHS:
            if re.fullmatch(_JSON.number, text):
                return _since_1970(text, EPOCHS[pattern])
            continue
        with suppress(ValueError):
            return datetime.strptime(text, pattern), Decimal(0)  # noqa: DTZ007 (the caller applies the source's zone)
        finer = _NANOSECONDS.search(text) if "%f" in pattern else None
        if finer is not None:
            with suppress(ValueError):
                coarse = datetime.strptime(text[: finer.start()] + text[finer.end() :], pattern)  # noqa: DTZ007
                return coarse, Decimal(f"0.{finer[0]}")
    raise ValueError(f"not written as {' or '.join(formats)}")


def _since_1970(text: str, ticks: int) -> tuple[datetime, Decimal]:
    exact = Context(prec=len(text) + 10)
    try:
        microseconds = exact.multiply(Decimal(text), 1_000_000 // ticks)
        if microseconds.adjusted() >= _INTEGER_DIGITS:
            raise OverflowError
        whole = microseconds.to_integral_value(ROUND_FLOOR)
        return _EPOCH + timedelta(microseconds=int(whole)), exact.subtract(microseconds, whole)
    except ArithmeticError:
        raise ValueError(OUT_OF_YEARS) from None


def to_utc(moment: datetime, zone: str) -> datetime:
    """The instant in UTC, naive; a moment without a zone is read on the clocks of `zone`.

    An hour that the clocks there repeat is its first pass. Raises ValueError for one that they skip.
    """
    if zone == "UTC" and moment.tzinfo is None:
        return moment
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).replace(tzinfo=None)
        place = ZoneInfo(zone)
        instant = moment.replace(tzinfo=place).astimezone(UTC)
        if instant.astimezone(place).replace(tzinfo=None) != moment:
            raise ValueError(f"a time that the clocks of {zone} skip")
    except OverflowError:
        raise ValueError(OUT_OF_YEARS) from None
    return instant.replace(tzinfo=None)


def _json(text: str) -> object:
    def refuse(_constant: str) -> None:
        raise ValueError

    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse)
    except (ValueError, ArithmeticError, RecursionError):
        raise ValueError("not JSON") from None


_PLAIN: Final[dict[str, Callable[[object, Reading], Any]]] = {
    "boolean": _boolean,
    "string": _string,
    "date": _date,
}
