"""Some columns of a table in a pinned snapshot: the rows of its newest partition, which is the whole of a daily one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from nightlake.core.api.ranged_file import Budget, RangedFile
from nightlake.core.errors import SnapshotNotFoundError, TrainingDataMissingError
from nightlake.core.snapshot import PartitionManifest, PublishedFile, Snapshot
from nightlake.core.store import ObjectNotFoundError, Store

if TYPE_CHECKING:
    import pyarrow as pa

_UNLIMITED: Final = 1 << 62


def read_table(store: Store, snapshot: Snapshot, table: str, columns: Sequence[str]) -> "pa.Table":
    """The columns, in this order; of the files nothing else is read, and one file after the other.

    Raises TrainingDataMissingError when the snapshot has no such table, rows or columns, SnapshotNotFoundError when
    files of it are gone.
    """
    import pyarrow as pa

    files = _files(store, snapshot, table)
    parts = [_read(store, snapshot, file, table, columns) for file in files]
    return pa.concat_tables(parts)


def _files(store: Store, snapshot: Snapshot, table: str) -> tuple[PublishedFile, ...]:
    partitions = next((each.partitions for each in snapshot.tables if each.table == table), ())
    newest = max((each for each in partitions if each.rows), key=lambda each: each.day, default=None)
    if newest is None:
        raise TrainingDataMissingError(
            f"Snapshot {snapshot.number} of '{snapshot.pipeline}' has no rows of {table}; run a night that brings some"
        )
    return store.get_model(newest.manifest, PartitionManifest).files


def _read(store: Store, snapshot: Snapshot, file: PublishedFile, table: str, columns: Sequence[str]) -> "pa.Table":
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(RangedFile(store, file.key, file.size, Budget(_UNLIMITED, _UNLIMITED))) as parquet:
            if missing := [name for name in columns if name not in parquet.schema_arrow.names]:
                raise TrainingDataMissingError(
                    f"{table} of '{snapshot.pipeline}' has no column {', '.join(missing)} in snapshot "
                    f"{snapshot.number}; mend model.yaml, or run a night with that column"
                )
            return parquet.read(columns=[*columns]).select(columns)
    except ObjectNotFoundError as error:
        raise SnapshotNotFoundError(
            f"s3://{store.bucket}/{file.key} of snapshot {snapshot.number} is gone; start again from the newest"
        ) from error
