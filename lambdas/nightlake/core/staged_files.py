"""Gathers rows by table and day and writes them as Parquet files of a good size, in bounded memory."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from nightlake.core.parquet_file import write_parquet
from nightlake.core.shard import StagedFile
from nightlake.core.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

FILE_BYTES: Final = 64 << 20  # as Arrow holds the rows; a file is one row group
HELD_BYTES: Final = 72 << 20


class StagedFiles:
    """Writes into `store` under the keys `key(table, day, number)`."""

    def __init__(
        self,
        store: Store,
        key: Callable[[str, date, int], str],
        *,
        file_bytes: int = FILE_BYTES,
        held_bytes: int = HELD_BYTES,
    ) -> None:
        self._store = store
        self._key = key
        self._file_bytes = file_bytes
        self._held_bytes = held_bytes
        self._held: defaultdict[tuple[str, date], list[pa.Table]] = defaultdict(list)
        self._sizes = Counter[tuple[str, date]]()
        self._files: list[StagedFile] = []

    def add(self, table: str, day: date, rows: "pa.Table") -> None:
        """Take rows of one day for one table."""
        target = (table, day)
        self._held[target].append(rows)
        self._sizes[target] += rows.nbytes
        if self._sizes[target] >= self._file_bytes:
            self._write(target)
            self._let_go()
        elif self._sizes.total() >= self._held_bytes:
            while self._sizes.total() > self._held_bytes // 2:
                self._write(max(self._sizes, key=self._sizes.__getitem__))
            self._let_go()

    def finish(self) -> tuple[StagedFile, ...]:
        """Write what is left and name all files."""
        for target in list(self._held):
            self._write(target)
        return tuple(self._files)

    def _let_go(self) -> None:
        """Copy what is left: its slices would keep in memory all rows that came together with them."""
        import pyarrow as pa

        for target, tables in self._held.items():
            rows = pa.concat_tables(tables, promote_options="default")
            self._held[target] = [rows.take(pa.arange(0, rows.num_rows))]

    def _write(self, target: tuple[str, date]) -> None:
        import pyarrow as pa

        table, day = target
        del self._sizes[target]
        rows = pa.concat_tables(self._held.pop(target), promote_options="default")
        key = self._key(table, day, len(self._files))
        with TemporaryFile() as file:
            write_parquet(rows, file)
            size = file.tell()
            file.seek(0)
            etag = self._store.put(key, file)
        self._files.append(StagedFile(table=table, day=day, key=key, etag=etag, size=size, rows=rows.num_rows))
