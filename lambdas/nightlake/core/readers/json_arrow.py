"""Objects of JSON as Arrow columns all at once: the very values that they have one by one, or none."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Union

from nightlake.core import column_type
from nightlake.core.column_type import MAX_PRECISION, ColumnType
from nightlake.core.header import source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.json_record import Object, declared_names
from nightlake.core.source import TextValues
from nightlake.core.table import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_LEARNED: Final = 200  # undeclared fields of all objects
_MAX_DEPTH: Final = 8
_ROW: Final = re.compile(r" in row ([0-9]+)$")
_TOKEN: Final = re.compile(r"(?:couldn't parse:|\): |The string ')([-+.0-9eE]+)")
# Exponents that Python refuses, and those of decimals that may reach beyond the powers of ten that Arrow has: there
# pyarrow 25 reads whatever lies in memory (1e-41 is 0, 1e-9999999 ends the process).
_TOO_FINE: Final = re.compile(rb"-(?<=[0-9][eE]-)[0-9]{18}")
_TOO_FINE_DECIMAL: Final = re.compile(rb"-(?<=[0-9][eE]-)(?:(?<=[0-9]{29}[eE]-)|0*[1-9][0-9])")
_ESCAPED_NUMBER: Final = re.compile(rb"\\u00(?:2[dDeE]|3[0-9]|[46]5)")
_TEXT_ENDS: Final = re.compile(rb'[0-9]*"')
_LONGEST_LOOKED_AT: Final = 64

# What a field is expected to be: a type, or an object whose fields are read by their paths.
Shape = Union["pa.DataType", dict[str, "Shape"]]


class NotParsedError(Exception):
    """Arrow cannot take the text. `row` (from 0) or a number written in it, `token`, may be the reason."""

    def __init__(self, message: str = "", *, token: bytes | None = None) -> None:
        super().__init__(message)
        row, said = _ROW.search(message), _TOKEN.search(message)
        self.row = int(row[1]) if row else None
        self.token = said[1].encode() if said else token


class JsonArrow:
    """What Arrow is to expect of the objects of a source, and the columns that it reads.

    It is asked for what it reads exactly: numbers into numbers, true and false, texts into text, which `cast` makes
    dates of, and objects and arrays of these. Texts where the contract wants numbers, whole numbers where it wants
    text, and fields that no column reads, are asked for once they are learned.
    """

    def __init__(self, source: TextValues, dataset: Dataset) -> None:
        self.extra_columns: frozenset[str] = frozenset()
        self._names = source_names(source, dataset)
        self._declared = declared_names(source, dataset)
        self._kinds = {column.name: column_type.parse(column.type) for column in dataset.columns}
        self._nulls = source.nulls
        self._null_digits = any(re.search("[0-9]", null) for null in source.nulls)
        decimals = any("decimal" in column.type for column in dataset.columns)
        self._unsafe = (_TOO_FINE_DECIMAL, _ESCAPED_NUMBER) if decimals else (_TOO_FINE,)
        self._learned = 0
        self._shape: dict[str, Shape] = {}
        self.possible = all(self._expect(column) for column in self._names)
        self._wanted = _copy(self._shape)

    def _expect(self, column: str) -> bool:
        """Note what the field of a column is; whether it can be."""
        expected = self._exact(self._kinds[column])
        return expected is not None and self._put(column, expected)

    def _put(self, column: str, expected: "pa.DataType") -> bool:
        """Note it at the path of a column, unless that goes through, or ends at, the field of another one."""
        *parents, last = self._names[column].split(".")
        shape = self._shape
        for name in parents:
            inner = shape.setdefault(name, {})
            if not isinstance(inner, dict):
                return False
            shape = inner
        if shape.get(last, expected) != expected:
            return False
        shape[last] = expected
        return True

    def _exact(self, kind: ColumnType, *, nested: bool = False) -> "pa.DataType | None":
        """The type that Arrow reads without loss for a type of the contract; None where there is none."""
        import pyarrow as pa

        if kind.name in ("string", "date", "timestamp"):
            # the other text type makes `cast` look for spellings of NULL within
            return pa.large_string() if nested and self._nulls else pa.string()
        parts = [(name, self._exact(part, nested=True)) for name, part in kind.parts]
        if kind.name == "map" or None in dict(parts).values():
            return None
        if kind.name == "decimal" and self._null_digits:
            return None  # Arrow takes the text "0" for a decimal, too
        if kind.name == "decimal" and kind.precision + kind.scale > MAX_PRECISION:
            return pa.decimal256(kind.precision, kind.scale)  # else what is too large wraps around
        if kind.name == "array":
            return pa.list_(parts[0][1])
        return pa.struct(parts) if kind.name == "struct" else arrow_type(kind)

    def learn(self, rows: Sequence[Object]) -> None:
        """See in some objects what the contract does not say."""
        import pyarrow as pa

        for column, kind in self._kinds.items():
            values = [value for value in (self._value(row, column) for row in rows) if value is not None]
            if not values or kind.name == "decimal" or kind.is_nested:
                continue
            if (kind.is_number or kind.name == "boolean") and all(isinstance(value, str) for value in values):
                self._replace(column, pa.string())
            elif kind.name == "string" and not self._null_digits and all(map(_is_whole, values)):
                self._replace(column, pa.int64())
        self._learn_extra(self._shape, self._wanted, rows, frozenset(self._names.values()))
        self.extra_columns = frozenset(self._shape) - self._declared

    def _value(self, row: Object, column: str) -> Any:
        value: Any = row
        for name in self._names[column].split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def _replace(self, column: str, expected: "pa.DataType") -> None:
        """Expect another type, unless another column reads the same field."""
        if [*self._names.values()].count(self._names[column]) > 1:
            return
        *parents, last = self._names[column].split(".")
        shape: Any = self._shape
        for name in parents:
            shape = shape[name]
        shape[last] = expected

    def _learn_extra(
        self, shape: dict[str, Shape], wanted: dict[str, Shape], rows: Iterable[Any], not_here: frozenset[str]
    ) -> None:
        """Learn the fields of these objects that no column reads. `not_here` are names of columns, which are paths."""
        objects = [row for row in rows if isinstance(row, dict)]
        for name in dict.fromkeys(name for row in objects for name in row):
            values = [row[name] for row in objects if name in row]
            known, inner = shape.get(name), wanted.get(name)
            if isinstance(known, dict) and isinstance(inner, dict):
                self._learn_extra(known, inner, values, frozenset())
            elif inner is None and name not in not_here and self._learned < _MAX_LEARNED:
                self._learned += 1
                found = _type_of(values)
                if found is not None:
                    shape[name] = found

    def parse(self, text: bytes | memoryview, rows: int) -> "dict[str, pa.Array]":
        """The columns of the contract of so many objects, each on lines of its own; UTF-8.

        Raises NotParsedError when Arrow cannot read them all, or might read one other than it is.
        """
        import pyarrow as pa
        from pyarrow import json

        if bytes(text[:1]) != b"{":
            raise NotParsedError  # pyarrow 25 ends the process when the first value is null
        for pattern in self._unsafe:
            if number := _first_number(pattern, bytes(text)):
                raise NotParsedError(token=number)
        try:
            table = json.read_json(
                pa.BufferReader(text),
                read_options=json.ReadOptions(use_threads=False, block_size=len(text) + 1),
                parse_options=json.ParseOptions(
                    explicit_schema=pa.schema(list(_fields(self._shape).items())), unexpected_field_behavior="error"
                ),
            )
        except (pa.ArrowException, OSError) as error:
            raise NotParsedError(str(error)) from None
        if table.num_rows != rows or not all(_is_sound(column) for column in table.columns):
            raise NotParsedError
        return {column: self._column(table, column, text) for column in self._kinds}

    def _column(self, table: "pa.Table", column: str, text: bytes | memoryview) -> "pa.Array":
        import pyarrow as pa
        import pyarrow.compute as pc

        name, *path = self._names[column].split(".")
        values = table[name].combine_chunks()
        if path:
            for step in path:
                values = pc.struct_field(values, step)
        if self._kinds[column].name == "string" and values.type == pa.int64():
            if b"-0" in bytes(text) and pc.any(pc.equal(values, 0)).as_py():
                raise NotParsedError  # written -0 it is another text
            return values.cast(pa.string())
        return values


def _copy(shape: dict[str, Shape]) -> dict[str, Shape]:
    return {name: _copy(part) if isinstance(part, dict) else part for name, part in shape.items()}


def _fields(shape: dict[str, Shape]) -> "dict[str, pa.DataType]":
    import pyarrow as pa

    return {
        name: pa.struct(list(_fields(part).items())) if isinstance(part, dict) else part for name, part in shape.items()
    }


def _is_whole(value: object) -> bool:
    return isinstance(value, Decimal) and value.as_tuple().exponent == 0 and value.adjusted() < 18  # noqa: PLR2004 - digits that int64 has


def _first_number(pattern: re.Pattern[bytes], text: bytes) -> bytes | None:
    """The beginning of the first number in which the pattern finds its exponent, or an escape that may write one.

    A number may be a whole text, which Arrow takes for a decimal, too; what stands within a text is none.
    """
    for found in pattern.finditer(text):
        start = max(0, found.start() - _LONGEST_LOOKED_AT)
        before = text[start : found.start() - 1].rstrip(b"0123456789.-")
        is_text = before[-1:] == b'"' and _TEXT_ENDS.match(text, found.end())
        if is_text or before[-1:] in b":,[ \t\r\n" or found[0][:1] == b"\\":
            return text[start + len(before) : found.end()]
    return None


def _is_sound(values: "pa.ChunkedArray | pa.Array") -> bool:
    """Whether no number in it is NaN, which JSON has not, or beyond its type."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_floating(values.type):
        return pc.all(pc.is_finite(values)).as_py() is not False
    if types.is_decimal(values.type):
        try:
            values.validate(full=True)  # Arrow has looked at the digits that were written, not at those with its zeros
        except pa.ArrowInvalid:
            return False
    if not values.type.num_fields:
        return True
    chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    return all(_is_sound(inner) for chunk in chunks for inner in _inner(chunk))


def _inner(values: "pa.Array") -> "list[pa.Array]":
    from pyarrow import types

    return values.flatten() if types.is_struct(values.type) else [values.flatten()]


def _type_of(values: Iterable[Any], depth: int = 0) -> "pa.DataType | None":
    """The type that Arrow reads all these values with; None where there is none, or where they are too deep."""
    import pyarrow as pa

    known = [value for value in values if value is not None]
    if not known:
        return pa.null()
    for python, arrow in ((str, pa.string()), (bool, pa.bool_()), (Decimal, pa.float64())):
        if all(isinstance(value, python) for value in known):
            return arrow
    if depth == _MAX_DEPTH:
        return None
    if all(isinstance(value, list) for value in known):
        element = _type_of([item for value in known for item in value], depth + 1)
        return None if element is None else pa.list_(element)
    if all(isinstance(value, dict) for value in known):
        names = dict.fromkeys(name for value in known for name in value)
        fields = {name: _type_of([value[name] for value in known if name in value], depth + 1) for name in names}
        return None if None in fields.values() or len(fields) > _MAX_LEARNED else pa.struct(list(fields.items()))
    return None
