"""What one raw value means as a value of a column's type: slow and exact, the definition that `cast` must equal."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from math import isinf
from typing import Any, Final
from zoneinfo import ZoneInfo

from nightlake.core.column_type import INTEGER_BITS, MAX_PRECISION, ColumnType
from nightlake.core.source import AnySource, TextSource

BLANKS: Final = " \t"  # around anything but text they mean nothing
BOOLEANS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WIDE = Context(prec=2 * MAX_PRECISION)
_INTEGER_DIGITS = 19  # of the widest integer


@dataclass(frozen=True)
class Reading:
    """How a source writes its values: formats and zone of times, whether digits that do not fit are rounded.

    `extra_fields` says whether an object may have fields that its struct has not; they are left out.
    """

    timestamp_formats: tuple[str, ...] = ()
    date_formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    round_digits: bool = False
    extra_fields: bool = False

    @classmethod
    def of(cls, source: AnySource) -> "Reading":
        """How this source writes."""
        extra_fields = source.on_drift != "strict"
        if not isinstance(source, TextSource):
            return cls(extra_fields=extra_fields)
        return cls(
            timestamp_formats=source.timestamp_formats,
            date_formats=source.date_formats,
            timezone=source.timezone,
            round_digits=source.excess_digits == "round",
            extra_fields=extra_fields,
        )


@dataclass
class ValueParser:
    """Parses values of one source. `rounded` counts the decimals that lost digits."""

    reading: Reading
    rounded: int = field(default=0, init=False)

    def parse(self, kind: ColumnType, value: object) -> Any:
        """The value: int, float, Decimal, bool, str, date, naive datetime in UTC, list, dict, or pairs of a map.

        None stays None. Raises ValueError with what is wrong, in words that never repeat the value.
        """
        value = digits(value)
        if value is None:
            return None
        if kind.is_nested:
            return self._nested(kind, value)
        if isinstance(value, str) and kind.name != "string":
            value = value.strip(BLANKS)
        if kind.is_number:
            return self._number(kind, _decimal(value))
        return _PLAIN[kind.name](value, self.reading)

    def _number(self, kind: ColumnType, number: Decimal) -> int | float | Decimal:
        if kind.name in INTEGER_BITS:
            return _integer(kind, number)
        if kind.name == "decimal":
            return self._digits(kind, number)
        return _float(kind, number)

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


def digits(value: object) -> object:
    """A number of JSON as its text, which means the same for every type; anything else as it is."""
    return str(value) if type(value) in (int, Decimal) else value


def _decimal(value: object) -> Decimal:
    if isinstance(value, float):
        value = repr(value)
    elif not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise ValueError("not a number")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise ValueError("not a number that a computer can hold") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


def _integer(kind: ColumnType, number: Decimal) -> int:
    limit = 2 ** (INTEGER_BITS[kind.name] - 1)
    if not number:
        return 0
    if number.adjusted() >= _INTEGER_DIGITS or not -limit <= number < limit:
        raise ValueError(f"out of range: {kind} is {-limit} to {limit - 1}")
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def _float(kind: ColumnType, number: Decimal) -> float:
    import pyarrow as pa

    nearest = float(number) if kind.name == "double" else pa.scalar(str(number)).cast(pa.float32()).as_py()
    if isinf(nearest):
        raise ValueError(f"out of range of {kind}")
    return float(nearest)


def _boolean(value: object, _reading: Reading) -> bool:
    spelled = str(value).lower() if isinstance(value, str | bool) else ""
    if spelled not in BOOLEANS:
        raise ValueError(f"not a boolean: write {', '.join(BOOLEANS)}")
    return BOOLEANS[spelled]


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
    return _strptime(value, reading.date_formats).date()


def _timestamp(value: object, reading: Reading) -> datetime:
    if isinstance(value, datetime):
        return _milliseconds(value, "UTC")
    if not isinstance(value, str):
        raise ValueError("not a timestamp")  # noqa: TRY004
    return _milliseconds(_strptime(value, reading.timestamp_formats), reading.timezone)


@lru_cache(maxsize=1 << 16)
def _strptime(text: str, formats: tuple[str, ...]) -> datetime:
    for pattern in formats:
        try:
            return datetime.strptime(text, pattern)  # noqa: DTZ007 (the source's zone is applied by the caller)
        except ValueError:
            continue
    raise ValueError(f"not written as {' or '.join(formats)}")


def _milliseconds(moment: datetime, zone: str) -> datetime:
    if moment.microsecond % 1000:
        raise ValueError("finer than the milliseconds that a timestamp holds")
    return to_utc(moment, zone)


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
        raise ValueError("out of the years 1 to 9999 in UTC") from None
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
    "timestamp": _timestamp,
}
