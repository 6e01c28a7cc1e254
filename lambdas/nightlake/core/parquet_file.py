"""Rows as one Parquet file: small, quick to write, and in encodings that Athena reads.

Columns that repeat their values get a dictionary; whole numbers, decimals and moments that do not are written as the
differences of neighbours (DELTA_BINARY_PACKED, which Trino reads: https://github.com/trinodb/trino/pull/334).
"""

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE: Final = 4096  # rows
_LONG_DECIMAL: Final = 18  # digits of one that is written as an integer


def write_parquet(rows: "pa.Table", file: IO[bytes]) -> None:
    """Write the rows as one row group, Snappy, with statistics and with timestamps in milliseconds."""
    import pyarrow.parquet as pq

    repeated = [field.name for field in rows.schema if _repeats(rows[field.name])]
    numbers = [field.name for field in rows.schema if _is_whole(field.type) and field.name not in repeated]
    nested = [path for field in rows.schema for path in _leaves(field.type, field.name) if path != field.name]
    pq.write_table(
        rows,
        file,
        version="2.6",
        compression="snappy",
        row_group_size=rows.num_rows,
        store_schema=False,
        store_decimal_as_integer=True,
        use_dictionary=repeated + nested,
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
    )


def _repeats(values: "pa.ChunkedArray") -> bool:
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_dictionary(values.type):
        return True
    if types.is_nested(values.type) or types.is_boolean(values.type):
        return False
    sample = values.slice(0, _SAMPLE)
    return bool(pc.count_distinct(sample).as_py() <= len(sample) // 2)


def _is_whole(kind: "pa.DataType") -> bool:
    """Whether Parquet holds the values as integers."""
    from pyarrow import types

    is_short = types.is_decimal(kind) and kind.precision <= _LONG_DECIMAL
    return bool(is_short or types.is_integer(kind) or types.is_date32(kind) or types.is_timestamp(kind))


def _leaves(kind: "pa.DataType", path: str) -> Iterator[str]:
    """The paths of a column's plain parts in Parquet.

    Source: https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#nested-types
    """
    from pyarrow import types

    if types.is_map(kind):
        yield from _leaves(kind.key_type, f"{path}.key_value.key")
        yield from _leaves(kind.item_type, f"{path}.key_value.value")
    elif types.is_list(kind):
        yield from _leaves(kind.value_type, f"{path}.list.element")
    elif types.is_struct(kind):
        for part in kind:
            yield from _leaves(part.type, f"{path}.{part.name}")
    else:
        yield path
