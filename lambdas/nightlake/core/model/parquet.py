"""Small Parquet objects that one Task of a model leaves for the next."""

import io
from typing import TYPE_CHECKING

from nightlake.core.parquet_file import write_parquet
from nightlake.core.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def parquet_bytes(table: "pa.Table") -> bytes:
    """The table as one file: the same bytes for the same rows."""
    written = io.BytesIO()
    write_parquet(table.combine_chunks(), written)
    return written.getvalue()


def parse_table(content: bytes) -> "pa.Table":
    """The rows of a file that `parquet_bytes` made."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(content))


def get_table(store: Store, key: str) -> "pa.Table":
    """The rows of such an object. Raises ObjectNotFoundError."""
    return parse_table(store.get(key))
