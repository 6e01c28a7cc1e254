"""The footer of a Parquet object is read by ranged requests, however long it is."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_objects import MemoryObjects
from nightlake.core.footer import read_footer
from nightlake.core.store import ObjectNotFoundError


class Counting(MemoryObjects):
    """Counts the bytes that were asked for."""

    read_bytes = 0

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        for piece in super().stream(key, start, end, version_id):
            self.read_bytes += len(piece)
            yield piece


def put(store: MemoryObjects, table: pa.Table) -> int:
    file = io.BytesIO()
    pq.write_table(table, file, compression="none", use_dictionary=False)
    store.put("a.parquet", file.getvalue())
    return len(file.getvalue())


def test_a_large_file_is_not_read_as_a_whole() -> None:
    store = Counting()
    size = put(store, pa.table({"n": range(200_000)}))
    footer = read_footer(store, "a.parquet", size)
    assert footer.num_rows == 200_000
    assert footer.schema.to_arrow_schema().equals(pa.schema([("n", pa.int64())]))
    assert store.read_bytes == 65_536 < size / 10


def test_a_long_footer_is_read_as_a_whole() -> None:
    store = MemoryObjects()
    table = pa.table({f"a_column_with_a_long_name_{number}": [1, 2] for number in range(2_000)})
    footer = read_footer(store, "a.parquet", put(store, table))
    assert (footer.num_rows, footer.num_columns) == (2, 2_000)


@pytest.mark.parametrize("body", [b"", b"PAR1", b"id,name\n1,a\n" * 9, b"\xff" * 100])
def test_what_is_no_parquet_is_refused(body: bytes) -> None:
    store = MemoryObjects()
    store.put("a.parquet", body)
    with pytest.raises(pa.ArrowInvalid):
        read_footer(store, "a.parquet", len(body))


def test_a_missing_object_is_told() -> None:
    with pytest.raises(ObjectNotFoundError, match=r"a\.parquet"):
        read_footer(MemoryObjects(), "a.parquet", 100)
