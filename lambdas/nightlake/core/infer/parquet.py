"""What the footer and the first rows of a Parquet file say of its columns."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from nightlake.core.column_type import MAX_PRECISION, ColumnType, array, map_of, struct
from nightlake.core.infer.excerpt import Stream
from nightlake.core.infer.sample import Sample
from nightlake.core.infer.scalars import Guess
from nightlake.core.readers.parquet import open_parquet
from nightlake.core.shard import SourceObject
from nightlake.core.wording import identifier_fault

if TYPE_CHECKING:
    import pyarrow as pa

_BATCHES: Final = 5
_BATCH_ROWS: Final = 10_000
_MILLISECOND: Final = 1000
_NAMES: Final = {
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "uint8": "smallint",
    "uint16": "int",
    "uint32": "bigint",
    "float": "float",
    "double": "double",
    "bool": "boolean",
    "string": "string",
    "large_string": "string",
    "string_view": "string",
    "date32[day]": "date",
    "date64[ms]": "date",
}


def parquet_sample(size: int, stream: Stream, *, where: str) -> tuple[Sample, dict[str, Guess]]:
    """The first rows, and the type of every column that has one. Raises ParquetUnreadableError."""
    file = open_parquet(SourceObject(key=where, version_id="", etag="", size=size), stream)
    names = [name for name in dict.fromkeys(file.schema_arrow.names) if name]
    types = {name: parquet_type(file.schema_arrow.field(name).type) for name in names}
    batches = [*islice(file.iter_batches(_BATCH_ROWS, columns=names), _BATCHES)]
    columns = {name: [value for batch in batches for value in batch.column(name).to_pylist()] for name in names}
    rows = sum(batch.num_rows for batch in batches)
    guesses = {
        name: Guess(kind, rounded=kind.name == "timestamp" and _is_finer(columns[name]))
        for name, kind in types.items()
        if kind is not None
    }
    return Sample(columns, rows, rows == file.metadata.num_rows), guesses


def parquet_type(kind: "pa.DataType") -> ColumnType | None:
    """The type that holds all values of an Arrow type; None when there is none."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return parquet_type(kind.value_type)
    if types.is_decimal(kind):
        fits = kind.precision <= MAX_PRECISION and 0 <= kind.scale <= kind.precision
        return ColumnType("decimal", kind.precision, kind.scale) if fits else None
    if types.is_timestamp(kind) or str(kind) in _NAMES:
        return ColumnType(_NAMES.get(str(kind), "timestamp"))
    return _nested(kind)


def _nested(kind: "pa.DataType") -> ColumnType | None:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        element = parquet_type(kind.value_type)
        return None if element is None else array(element)
    if types.is_map(kind):
        key, value = parquet_type(kind.key_type), parquet_type(kind.item_type)
        return None if key is None or value is None or key.is_nested else map_of(key, value)
    return _struct(kind) if types.is_struct(kind) else None


def _struct(kind: "pa.DataType") -> ColumnType | None:
    parts = [(field.name, parquet_type(field.type)) for field in kind]
    fields = tuple((name, part) for name, part in parts if part is not None and identifier_fault(name) is None)
    return struct(fields) if fields and len(fields) == len(parts) else None


def _is_finer(values: Sequence[Any]) -> bool:
    return any(
        value is not None and (value.microsecond % _MILLISECOND or getattr(value, "nanosecond", 0)) for value in values
    )
