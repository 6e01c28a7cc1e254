"""Reads a Parquet object with pyarrow, by ranged requests, a few thousand records at a time."""

import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from nightlake.core.errors import ParquetUnreadableError
from nightlake.core.header import source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import BATCH_RECORDS, Batch, Lazy
from nightlake.core.shard import Shard, SourceObject
from nightlake.core.source import ParquetSource

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Stream = Callable[[int, int], Iterator[bytes]]


class _Ranges(io.RawIOBase):
    """An object as a file: what pyarrow asks for is read by range."""

    def __init__(self, size: int, stream: Stream) -> None:
        super().__init__()
        self._size = size
        self._stream = stream
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        content = b"".join(self._stream(self._at, end)) if self._at < end else b""
        self._at += len(content)
        return content


def _row_text(batch: "pa.RecordBatch", number: int) -> str:
    """A row as JSON."""
    (row,) = batch.slice(number, 1).to_pylist()
    return json.dumps(row, ensure_ascii=False, default=str)


def open_parquet(source_object: SourceObject, stream: Stream) -> "pq.ParquetFile":
    """The object's footer, and its rows on demand. Raises ParquetUnreadableError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(_Ranges(source_object.size, stream))
    except pa.ArrowException as error:
        raise ParquetUnreadableError(
            f"{source_object.key} is not readable as Parquet ({error}); deliver the whole object"
        ) from error


def read_parquet(shard: Shard, source: ParquetSource, dataset: Dataset, stream: Stream) -> Iterator[Batch]:
    """The rows of the object; none is refused here. Raises ParquetUnreadableError."""
    import pyarrow as pa

    file = open_parquet(shard.object, stream)
    names = source_names(source, dataset)
    found = file.schema_arrow.names
    extra = frozenset(found) - frozenset(names.values())
    read = 0
    try:
        for batch in file.iter_batches(BATCH_RECORDS, columns=found):
            columns: dict[str, Any] = {column: batch.column(name) for column, name in names.items()}
            positions = range(read + 1, read + batch.num_rows + 1)
            read += batch.num_rows
            yield Batch(
                columns,
                positions,
                Lazy(batch.num_rows, partial(_row_text, batch)),
                [None] * batch.num_rows,
                extra_columns=extra,
            )
    except (pa.ArrowException, OSError) as error:
        raise ParquetUnreadableError(
            f"{shard.object.key} cannot be read beyond row {read} ({error}); deliver it anew"
        ) from error
