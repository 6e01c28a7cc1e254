"""Trino's types: how they are spelled, which coerce to which, and what holds their values in DuckDB.

Values that DuckDB has no type for are held so: `char(n)` as VARCHAR padded to n, `json` as VARCHAR of JSON text,
`interval day to second` as BIGINT of milliseconds, `interval year to month` as INTEGER of months, and
`timestamp with time zone` as STRUCT(instant TIMESTAMP in UTC, zone VARCHAR).
Rules: https://trino.io/docs/current/language/types.html and io.trino.type.TypeCoercion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

MAX_DECIMAL = 38


@dataclass(frozen=True)
class Type:
    """A type; `name` is its base name, as in `decimal` for `decimal(10,2)`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Decimal(Type):
    precision: int
    scale: int

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"


@dataclass(frozen=True)
class Varchar(Type):
    """`length` in code points; None is unbounded."""

    length: int | None

    def __str__(self) -> str:
        return "varchar" if self.length is None else f"varchar({self.length})"


@dataclass(frozen=True)
class Char(Type):
    length: int

    def __str__(self) -> str:
        return f"char({self.length})"


@dataclass(frozen=True)
class Temporal(Type):
    """Time and timestamps, of milliseconds."""

    def __str__(self) -> str:
        base, _, zone = self.name.partition(" ")
        return f"{base}(3) {zone}".rstrip()


@dataclass(frozen=True)
class Array(Type):
    element: Type

    def __str__(self) -> str:
        return f"array({self.element})"


@dataclass(frozen=True)
class Map(Type):
    key: Type
    value: Type

    def __str__(self) -> str:
        return f"map({self.key}, {self.value})"


@dataclass(frozen=True)
class Row(Type):
    """Fields in order; a field's name may be None."""

    fields: tuple[tuple[str | None, Type], ...]

    def __str__(self) -> str:
        return f"row({', '.join(f'{_field_name(name)} {kind}' if name else str(kind) for name, kind in self.fields)})"


def _field_name(name: str) -> str:
    return name if name.isidentifier() and name.isascii() and name == name.lower() else f'"{name}"'


BOOLEAN = Type("boolean")
TINYINT = Type("tinyint")
SMALLINT = Type("smallint")
INTEGER = Type("integer")
BIGINT = Type("bigint")
REAL = Type("real")
DOUBLE = Type("double")
VARBINARY = Type("varbinary")
DATE = Type("date")
TIME = Temporal("time")
TIMESTAMP = Temporal("timestamp")
TIMESTAMP_TZ = Temporal("timestamp with time zone")
INTERVAL_DAY = Type("interval day to second")
INTERVAL_YEAR = Type("interval year to month")
JSON = Type("json")
UNKNOWN = Type("unknown")
VARCHAR = Varchar("varchar", None)

INTEGERS = (TINYINT, SMALLINT, INTEGER, BIGINT)
_INTEGER_DIGITS = {TINYINT: 3, SMALLINT: 5, INTEGER: 10, BIGINT: 19}
_NUMBERS = {TINYINT: 0, SMALLINT: 1, INTEGER: 2, BIGINT: 3, REAL: 5, DOUBLE: 6}  # 4: decimal
_SIMPLE = {
    kind.name: kind
    for kind in (
        *(BOOLEAN, *INTEGERS, REAL, DOUBLE, VARBINARY, DATE, TIME, TIMESTAMP, TIMESTAMP_TZ),
        *(INTERVAL_DAY, INTERVAL_YEAR, JSON, UNKNOWN, VARCHAR),
    )
}
_DUCKDB = {
    REAL: "FLOAT",
    VARBINARY: "BLOB",
    INTERVAL_DAY: "BIGINT",
    INTERVAL_YEAR: "INTEGER",
    JSON: "VARCHAR",
    TIMESTAMP_TZ: "STRUCT(instant TIMESTAMP, zone VARCHAR)",
    UNKNOWN: "INTEGER",
}


def decimal(precision: int, scale: int) -> Decimal:
    """A decimal type. Raises ValueError if its precision is outside 1 to 38 or its scale outside 0 to its precision."""
    if not 1 <= precision <= MAX_DECIMAL:
        raise ValueError(f"DECIMAL precision must be in range [1, 38]: {precision}")
    if not 0 <= scale <= precision:
        raise ValueError(f"DECIMAL scale must be in range [0, precision ({precision})]: {scale}")
    return Decimal("decimal", precision, scale)


def varchar(length: int | None = None) -> Varchar:
    return Varchar("varchar", length)


def char(length: int) -> Char:
    return Char("char", length)


def array(element: Type) -> Array:
    return Array("array", element)


def map_of(key: Type, value: Type) -> Map:
    return Map("map", key, value)


def row(*fields: tuple[str | None, Type]) -> Row:
    return Row("row", tuple(fields))


def is_integer(kind: Type) -> bool:
    return kind in INTEGERS


def is_numeric(kind: Type) -> bool:
    return kind in _NUMBERS or isinstance(kind, Decimal)


def is_text(kind: Type) -> bool:
    return isinstance(kind, Varchar | Char)


def is_comparable(kind: Type) -> bool:
    """Whether two values can be tested for being equal. Everything can in Trino but functions."""
    return isinstance(kind, Type)


def is_orderable(kind: Type) -> bool:
    """Whether values have an order: maps and JSON have none."""
    if isinstance(kind, Array):
        return is_orderable(kind.element)
    if isinstance(kind, Row):
        return all(is_orderable(field) for _, field in kind.fields)
    return not isinstance(kind, Map) and kind != JSON


def as_decimal(kind: Type) -> Decimal | None:
    """The decimal that holds every value of an exact number type, else None."""
    if isinstance(kind, Decimal):
        return kind
    return decimal(_INTEGER_DIGITS[kind], 0) if kind in _INTEGER_DIGITS else None


def common_super_type(one: Type, other: Type) -> Type | None:
    """The narrowest type both coerce to, or None (Trino's TypeCoercion.getCommonSuperType)."""
    if other in (one, UNKNOWN):
        return one
    if one == UNKNOWN:
        return other
    for rule in (_common_number, _common_text, _common_time, _common_nested):
        found = rule(one, other)
        if found is not None:
            return found
    return None


def _common_number(one: Type, other: Type) -> Type | None:
    if not (is_numeric(one) and is_numeric(other)):
        return None
    if one in _NUMBERS and other in _NUMBERS:
        return max(one, other, key=_NUMBERS.__getitem__)
    left, right = as_decimal(one), as_decimal(other)
    if left is None or right is None:
        return one if left is None else other
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale)
    return decimal(min(MAX_DECIMAL, whole + scale), scale)


def _common_text(one: Type, other: Type) -> Type | None:
    if not (is_text(one) and is_text(other)):
        return None
    if isinstance(one, Varchar) and isinstance(other, Varchar):
        lengths = (one.length, other.length)
        return varchar(None if None in lengths else max(length for length in lengths if length is not None))
    lengths = (_length(one), _length(other))
    return char(max(min(length, 65536) for length in lengths))


def _length(kind: Type) -> int:
    return kind.length if isinstance(kind, Varchar | Char) and kind.length is not None else 65536


def _common_time(one: Type, other: Type) -> Type | None:
    order = (DATE, TIMESTAMP, TIMESTAMP_TZ)
    return max(one, other, key=order.index) if one in order and other in order else None


def _common_nested(one: Type, other: Type) -> Type | None:
    if isinstance(one, Array) and isinstance(other, Array):
        element = common_super_type(one.element, other.element)
        return array(element) if element else None
    if isinstance(one, Map) and isinstance(other, Map):
        key, value = common_super_type(one.key, other.key), common_super_type(one.value, other.value)
        return map_of(key, value) if key and value else None
    if isinstance(one, Row) and isinstance(other, Row) and len(one.fields) == len(other.fields):
        fields: list[tuple[str | None, Type]] = []
        for (left_name, left), (right_name, right) in zip(one.fields, other.fields, strict=True):
            common = common_super_type(left, right)
            if common is None:
                return None
            fields.append((left_name if left_name == right_name else None, common))
        return row(*fields)
    return None


def common_type(kinds: list[Type]) -> Type | None:
    """The narrowest type all of `kinds` coerce to, or None; of no types it is unknown."""
    return reduce(lambda one, other: common_super_type(one, other) if one else None, kinds, UNKNOWN)  # type: ignore[arg-type, return-value]


def can_coerce(source: Type, target: Type) -> bool:
    """Whether Trino turns `source` into `target` unasked."""
    common = common_super_type(source, target)
    if common == target:
        return True
    if isinstance(source, Row) and isinstance(target, Row):  # a coerced row takes the target's field names
        pairs = zip(source.fields, target.fields, strict=False)
        return len(source.fields) == len(target.fields) and all(can_coerce(a, b) for (_, a), (_, b) in pairs)
    if isinstance(source, Array) and isinstance(target, Array):
        return can_coerce(source.element, target.element)
    if isinstance(source, Map) and isinstance(target, Map):
        return can_coerce(source.key, target.key) and can_coerce(source.value, target.value)
    return False


def duckdb_fields(kind: Row) -> tuple[str, ...]:
    """The names of a row's fields in DuckDB's STRUCT: lower case, and `field<n>` (from 0) for one without a name.

    DuckDB has no struct with two fields of one name, so of such only the first keeps it.
    """
    names: list[str] = []
    for position, (name, _) in enumerate(kind.fields):
        lowered = name.lower() if name else f"field{position}"
        names.append(f"field{position}" if lowered in names else lowered)
    return tuple(names)


def quote(name: str) -> str:
    """An identifier as DuckDB SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as a DuckDB SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def to_duckdb(kind: Type) -> str:
    """The DuckDB type that holds values of `kind`."""
    if isinstance(kind, Decimal):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if isinstance(kind, Array):
        return f"{to_duckdb(kind.element)}[]"
    if isinstance(kind, Map):
        return f"MAP({to_duckdb(kind.key)}, {to_duckdb(kind.value)})"
    if isinstance(kind, Row):
        pairs = zip(duckdb_fields(kind), kind.fields, strict=True)
        return f"STRUCT({', '.join(f'{quote(name)} {to_duckdb(field)}' for name, (_, field) in pairs)})"
    if is_text(kind):
        return "VARCHAR"
    return _DUCKDB.get(kind, kind.name.upper())


def athena_name(kind: Type) -> str:
    """The type's name in the metadata of Athena's results."""
    return {"real": "float", "unknown": "unknown"}.get(kind.name, kind.name)


_TRINO = {"int": "integer"}
_HIVE = {**_TRINO, "float": "real", "string": "varchar", "binary": "varbinary", "struct": "row"}


class _Reader:
    """A small recursive reader of type text, for Trino's round and Hive's angle brackets alike."""

    def __init__(self, text: str, names: Callable[[str], Type | None], words: dict[str, str]) -> None:
        self.text = text
        self.words = words
        self.at = 0
        self.names = names

    def read(self) -> Type:
        kind = self._type()
        self._space()
        if self.at != len(self.text):
            raise self._unknown()
        return kind

    def _unknown(self) -> ValueError:
        return ValueError(f"Unknown type: {self.text}")

    def _space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _take(self, symbols: str) -> str:
        self._space()
        if self.at < len(self.text) and self.text[self.at] in symbols:
            self.at += 1
            return self.text[self.at - 1]
        return ""

    def _expect(self, symbols: str) -> None:
        if not self._take(symbols):
            raise self._unknown()

    def _word(self) -> str:
        self._space()
        start = self.at
        if self._take('"`'):
            closing = self.text[start]
            end = self.text.find(closing, self.at)
            if end < 0:
                raise self._unknown()
            self.at = end + 1
            return self.text[start + 1 : end]
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] in "_$-"):
            self.at += 1
        if start == self.at:
            raise self._unknown()
        return self.text[start : self.at]

    def _numbers(self) -> list[int]:
        if not self._take("("):
            return []
        numbers = [self._number()]
        while self._take(","):
            numbers.append(self._number())
        self._expect(")")
        return numbers

    def _number(self) -> int:
        word = self._word()
        if not word.isdigit():
            raise self._unknown()
        return int(word)

    def _type(self) -> Type:
        word = self._word().lower()
        own = self.names(word)
        if own is not None:
            return own
        base = self.words.get(word, word)
        if base in ("array", "map", "row"):
            return self._nested(base)
        if base in ("decimal", "varchar", "char"):
            return self._sized(base, self._numbers())
        if base in ("time", "timestamp"):
            return self._temporal(base)
        if base == "interval":
            rest = " ".join(self._word().lower() for _ in range(3))
            base = f"interval {rest}"
        elif base == "double":
            self._skip("precision")
        if base not in _SIMPLE:
            raise self._unknown()
        return _SIMPLE[base]

    def _skip(self, word: str) -> bool:
        self._space()
        if self.text[self.at : self.at + len(word)].lower() != word:
            return False
        self.at += len(word)
        return True

    def _temporal(self, base: str) -> Type:
        precision = self._numbers() or [3]
        if precision != [3]:
            raise ValueError(f"{base}({precision[0]}) is not supported; use {base}(3)")
        if self._skip("with time zone"):
            base += " with time zone"
        if base not in _SIMPLE:
            raise self._unknown()
        return _SIMPLE[base]

    def _sized(self, base: str, numbers: list[int]) -> Type:
        if base == "decimal":
            return decimal(numbers[0] if numbers else (10 if "<" in self.text else 38), [*numbers, 0, 0][1])
        if base == "varchar":
            return varchar(numbers[0] if numbers else None)
        return char(numbers[0] if numbers else 1)

    def _nested(self, base: str) -> Type:
        self._expect("(<")
        inner = [self._field() if base == "row" else (None, self._type())]
        while self._take(","):
            inner.append(self._field() if base == "row" else (None, self._type()))
        self._expect(")>")
        if base == "row":
            return row(*inner)
        kinds = [kind for _, kind in inner]
        if len(kinds) != (1 if base == "array" else 2):
            raise self._unknown()
        return array(*kinds) if base == "array" else map_of(*kinds)

    def _field(self) -> tuple[str | None, Type]:
        start = self.at
        name = self._word()
        if self._take(":"):
            return name.lower(), self._type()
        self._space()
        if self.at < len(self.text) and self.text[self.at] not in "(<,)>":
            try:
                after_name = self.at
                return name.lower(), self._type()
            except ValueError:
                self.at = after_name
        self.at = start
        return None, self._type()


def parse_type(text: str, names: Callable[[str], Type | None] = lambda _: None) -> Type:
    """Reads a type as Trino spells it; `names` may give meaning to further words. Raises ValueError."""
    return _Reader(text, names, _TRINO).read()


def parse_hive(text: str) -> Type:
    """Reads a type as Hive and Glue spell it: `struct<a:int,b:array<string>>`; a bare decimal is decimal(10,0).

    Raises ValueError if the type is unknown.
    """
    lowered = text.strip().lower()
    return decimal(10, 0) if lowered == "decimal" else _Reader(lowered, lambda _: None, _HIVE).read()
