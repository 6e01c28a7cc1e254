"""Reads the footer of a Parquet object, and nothing else of it."""

from typing import TYPE_CHECKING, Final

from nightlake.core.store import Store

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_TAIL_BYTES: Final = 1 << 16
_TRAILER_BYTES: Final = 8  # length of the metadata and the magic bytes PAR1


def read_footer(store: Store, key: str, size: int) -> "pq.FileMetaData":
    """The metadata of an object of `size` bytes: one ranged request, two when its footer is beyond 64 KiB.

    Raises ObjectNotFoundError, or pyarrow's ArrowInvalid when the object ends unlike a Parquet file.
    Source: https://parquet.apache.org/docs/file-format/
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tail = store.get_range(key, max(0, size - _TAIL_BYTES), size)
    needed = int.from_bytes(tail[-_TRAILER_BYTES:][:4], "little") + _TRAILER_BYTES
    if len(tail) < needed <= size:
        tail = store.get_range(key, size - needed, size)
    return pq.read_metadata(pa.BufferReader(tail))
