"""Column types: the Hive types that a contract may name, how they are written, and which texts are values of them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache

INTEGER_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
FLOATS = ("float", "double")
PLAIN = (*INTEGER_BITS, *FLOATS, "boolean", "string", "date", "timestamp")
MAX_PRECISION = 38
MAX_NESTING = 40
_TOKEN = re.compile(r"[a-z0-9_]+|[<>(),:]")
_HINTS = {
    "integer": "int",
    "long": "bigint",
    "real": "float",
    "number": "decimal(p,s)",
    "numeric": "decimal(p,s)",
    "bool": "boolean",
    "text": "string",
    "varchar": "string with logicalTypeOptions.maxLength",
    "char": "string with logicalTypeOptions.maxLength",
    "datetime": "timestamp",
    "timestamp_tz": "timestamp (values are stored as UTC)",
}


@dataclass(frozen=True)
class ColumnType:
    """A type as a tree: `parts` are an array's element, a map's key and value, or a struct's named fields."""

    name: str
    precision: int = 0
    scale: int = 0
    parts: tuple[tuple[str, "ColumnType"], ...] = ()

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.name == "struct":
            return f"struct<{','.join(f'{name}:{part}' for name, part in self.parts)}>"
        if self.parts:
            return f"{self.name}<{','.join(str(part) for _, part in self.parts)}>"
        return self.name

    @property
    def is_number(self) -> bool:
        return self.name in INTEGER_BITS or self.name in FLOATS or self.name == "decimal"

    @property
    def is_nested(self) -> bool:
        return bool(self.parts)


def array(element: ColumnType) -> ColumnType:
    return ColumnType("array", parts=(("element", element),))


def map_of(key: ColumnType, value: ColumnType) -> ColumnType:
    return ColumnType("map", parts=(("key", key), ("value", value)))


def struct(fields: tuple[tuple[str, ColumnType], ...]) -> ColumnType:
    return ColumnType("struct", parts=fields)


@cache
def parse(text: str) -> ColumnType:
    """The type that a text names, in any case and spacing; raises ValueError that says what to write."""
    compact = re.sub(r"\s+", "", text.lower())
    tokens = _TOKEN.findall(compact)
    if "".join(tokens) != compact or tokens.count("<") > MAX_NESTING:
        raise ValueError(_unknown(text))
    kind = _take(tokens, text)
    if tokens:
        raise ValueError(_unknown(text))
    return kind


def _take(tokens: list[str], text: str) -> ColumnType:
    name = tokens.pop(0) if tokens else ""
    if name in PLAIN:
        return ColumnType(name)
    if name == "decimal":
        return _decimal(tokens, text)
    _expect(tokens, "<" if name in ("array", "map", "struct") else "", text)
    if name == "array":
        kind = array(_take(tokens, text))
    elif name == "map":
        key = _take(tokens, text)
        _expect(tokens, ",", text)
        kind = map_of(key, _take(tokens, text))
    else:
        kind = struct(_fields(tokens, text))
    _expect(tokens, ">", text)
    return kind


def _fields(tokens: list[str], text: str) -> tuple[tuple[str, ColumnType], ...]:
    fields: list[tuple[str, ColumnType]] = []
    while not fields or tokens[:1] == [","]:
        if fields:
            tokens.pop(0)
        name = tokens.pop(0) if tokens else ""
        _expect(tokens, ":", text)
        fields.append((name, _take(tokens, text)))
    return tuple(fields)


def _decimal(tokens: list[str], text: str) -> ColumnType:
    match = re.match(r"\(([0-9]{1,3}),([0-9]{1,3})\)", "".join(tokens))
    if match is None:
        raise ValueError(f"{text!r} does not say its digits: write decimal(precision,scale), for example decimal(12,2)")
    del tokens[:5]
    precision, scale = int(match[1]), int(match[2])
    if not 1 <= precision <= MAX_PRECISION or scale > precision:
        raise ValueError(f"{text!r} is out of range: precision is 1 to {MAX_PRECISION}, scale 0 to the precision")
    return ColumnType("decimal", precision, scale)


def _expect(tokens: list[str], token: str, text: str) -> None:
    if not token or tokens[:1] != [token]:
        raise ValueError(_unknown(text))
    tokens.pop(0)


def _unknown(text: str) -> str:
    hint = _HINTS.get(text.partition("(")[0].strip().lower())
    advice = f"write {hint}" if hint else f"use one of {', '.join(PLAIN)}, decimal(p,s)"
    return f"{text!r} is not a type that Athena and Parquet share: {advice}"


def literal(kind: ColumnType, value: object) -> str:
    """The canonical text of a value of this type, exact; raises ValueError with a sentence when it is none.

    Numbers are plain decimals, dates ISO, timestamps `YYYY-MM-DD HH:MM:SS[.fff]` in UTC, booleans true or false.
    """
    if kind.is_number and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(kind, value)
    if kind.name == "boolean" and isinstance(value, bool):
        return str(value).lower()
    if kind.name == "string" and isinstance(value, str):
        return value
    if kind.name in ("date", "timestamp") and isinstance(value, str):
        return _moment(kind, value)
    raise ValueError(f"{value!r} is not a {kind}{': quote it' if kind.name == 'string' else ''}")


def _number(kind: ColumnType, value: int | float) -> str:
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    whole, _, fraction = format(number, "f").partition(".")
    fraction = fraction.rstrip("0")
    if kind.name in INTEGER_BITS:
        limit = 2 ** (INTEGER_BITS[kind.name] - 1)
        fits = not fraction and -limit <= number < limit
    else:
        fits = kind.name in FLOATS or (
            len(fraction) <= kind.scale and abs(number) < 10 ** (kind.precision - kind.scale)
        )
    if not fits:
        raise ValueError(f"{value!r} is not a value of {kind}")
    return f"{whole}.{fraction}" if fraction else whole


def _moment(kind: ColumnType, text: str) -> str:
    try:
        if kind.name == "date":
            return date.fromisoformat(text).isoformat()
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        example = "2017-06-12" if kind.name == "date" else "2017-06-12 03:00:00"
        raise ValueError(f"{text!r} is not a {kind}: write it as {example!r}") from None
    if moment.microsecond % 1000:
        raise ValueError(f"{text!r} is finer than the milliseconds that Athena reads")
    return moment.isoformat(sep=" ", timespec="milliseconds" if moment.microsecond else "seconds")
