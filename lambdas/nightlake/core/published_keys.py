"""The keys of rows that other business dates have published: a row that is read by two nights is taken by one."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from nightlake.core.api.ranged_file import Budget, RangedFile
from nightlake.core.errors import SourceChangedError
from nightlake.core.history import published_table
from nightlake.core.pipeline import Dataset
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.snapshot import Partition, PartitionManifest, PublishedFile
from nightlake.core.sources import AnySource
from nightlake.core.store import ObjectNotFoundError, Store
from nightlake.core.table import PRIVATE_SUFFIX

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_ROUNDING: Final = timedelta(milliseconds=1)  # a timestamp may have been rounded to the next
_UNLIMITED: Final = 1 << 62
_SPREAD: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)  # odd numbers without a pattern


def yields_to_others(source: AnySource, dataset: Dataset) -> bool:
    """Whether rows that other business dates have published are theirs: the key says which, the watermark where."""
    return isinstance(source, PostgresSource) and source.partitions_by_watermark and bool(dataset.primary_key)


def published_by_others(
    lake: Store, pipeline: str, dataset: Dataset, day: date, *, since: datetime, until: datetime
) -> tuple[PublishedFile, ...]:
    """The published files of those days that other business dates than `day` have brought; see `files_of_others`."""
    table = published_table(lake, pipeline, table_of_keys(dataset))
    return files_of_others(lake, table.partitions if table else (), day, since=since, until=until)


def files_of_others(
    lake: Store, partitions: Iterable[Partition], day: date, *, since: datetime, until: datetime
) -> tuple[PublishedFile, ...]:
    """The files of these partitions that hold rows of those days and other business dates, in the order of their names.

    `since` and `until` are aware; a watermark lies on a day in UTC, or on the clocks of its source.
    """
    first, last = since.astimezone(UTC).date() - timedelta(days=1), until.astimezone(UTC).date() + timedelta(days=1)
    near = (each for each in partitions if each.has_days(first, last) and set(each.contributions) - {day})
    manifests = (lake.get_model(partition.manifest, PartitionManifest) for partition in near)
    files = (file for manifest in manifests for file in manifest.files if file.contribution != day)
    return tuple(sorted(files, key=_name))


def published_digest(files: Sequence[PublishedFile]) -> str:
    """The same for the same files, wherever partitions that were rebuilt have them; "" for none."""
    return hashlib.sha256("\n".join(map(_name, files)).encode()).hexdigest()[:32] if files else ""


def _name(file: PublishedFile) -> str:
    """A sealed file's name follows from its content, and stays when it is copied into a partition that is rebuilt."""
    return file.key.rpartition("/")[2]


def table_of_keys(dataset: Dataset) -> str:
    """The table that has all columns of the key."""
    private = any(column.private for column in dataset.columns if column.name in dataset.primary_key)
    return dataset.name + PRIVATE_SUFFIX if private else dataset.name


def key_of_rows(dataset: Dataset, moment: str | None) -> tuple[str, ...]:
    """The columns that make a row the same: the primary key, and the moment by which it is of a day."""
    return tuple(dict.fromkeys((*dataset.primary_key, *([] if moment is None else [moment]))))


@dataclass(frozen=True)
class PublishedKeys:
    """Keys by two halves of what they are hashed to, in the order of the first.

    A row whose watermark moved is another one: so the watermark belongs to the key, where the table of keys has it.
    """

    _first: "np.ndarray"
    _second: "np.ndarray"

    @classmethod
    def read(
        cls,
        lake: Store,
        files: Sequence[PublishedFile],
        dataset: Dataset,
        *,
        moment: str | None,
        since: datetime,
        until: datetime,
    ) -> "PublishedKeys":
        """The keys in the files, with their column `moment` and where it is from `since` until `until`; None: of all.

        Of a file only the key and that column are read, and neither where its statistics say that all rows lie outside.
        Raises SourceChangedError when the files are not there any more.
        """
        import numpy as np

        first: list[np.ndarray] = [np.empty(0, np.uint64)]
        second: list[np.ndarray] = [np.empty(0, np.uint64)]
        bounds = None if moment is None else (moment, since - _ROUNDING, until + _ROUNDING)
        for file in files:
            try:
                for columns in key_columns(lake, file, key_of_rows(dataset, moment), bounds):
                    one, other, _ = hashed(columns)
                    first.append(one)
                    second.append(other)
            except ObjectNotFoundError as error:
                raise SourceChangedError(
                    f"s3://{lake.bucket}/{file.key} was published and is gone ({error}); plan again"
                ) from error
        return cls.of(np.concatenate(first), np.concatenate(second))

    @classmethod
    def of(cls, first: "np.ndarray", second: "np.ndarray") -> "PublishedKeys":
        """The keys with these halves, which `hashed` answers."""
        import numpy as np

        order = np.argsort(first, kind="stable")
        return cls(first[order], second[order])

    def __len__(self) -> int:
        return len(self._first)

    def contain(self, columns: "Sequence[pa.Array]") -> "np.ndarray":
        """Which rows of these columns, those of `key_of_rows` typed as in the lake, are published."""
        import numpy as np

        if not len(self):
            return np.zeros(len(columns[0]), bool)
        first, second, known = hashed(columns)
        places = np.minimum(np.searchsorted(self._first, first), len(self._first) - 1)
        there: np.ndarray = known & (self._first[places] == first) & (self._second[places] == second)
        return there


def key_columns(
    lake: Store, file: PublishedFile, key: Sequence[str], bounds: tuple[str, datetime, datetime] | None
) -> "Iterator[list[pa.Array]]":
    """The columns of a file's key, one row group after the other; with `bounds` those rows whose column lies there."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(RangedFile(lake, file.key, file.size, Budget(_UNLIMITED))) as parquet:
        for group in range(parquet.num_row_groups):
            if bounds is None:
                rows = parquet.read_row_group(group, columns=[*key])
            else:
                moment, since, until = bounds
                place = parquet.schema_arrow.get_field_index(moment)
                low, high = _limits(parquet.schema_arrow.field(place).type, since, until)
                found = parquet.metadata.row_group(group).column(_leaf(parquet, moment)).statistics
                if found is not None and found.has_min_max and (found.max < low or found.min > high):
                    continue
                rows = parquet.read_row_group(group, columns=[*key])
                inside = pc.and_(pc.greater_equal(rows[moment], low), pc.less_equal(rows[moment], high))
                rows = rows.filter(inside)
            if rows.num_rows:
                yield [rows[name].combine_chunks() for name in key]


def _leaf(parquet: Any, name: str) -> int:
    """The number of a plain column among those that nested ones are made of."""
    return next(place for place, each in enumerate(parquet.schema.names) if parquet.schema.column(place).path == name)


def _limits(kind: "pa.DataType", since: datetime, until: datetime) -> tuple[Any, Any]:
    from pyarrow import types

    low, high = (each.astimezone(UTC).replace(tzinfo=None) for each in (since, until))
    if types.is_date32(kind):
        return low.date() - timedelta(days=1), high.date() + timedelta(days=1)
    return low, high


def hashed(columns: "Sequence[pa.Array]") -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Two halves for each row, and whether all of its key is there."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    known = np.ones(len(columns[0]), bool)
    for column in columns:
        known &= pc.is_valid(column).to_numpy(zero_copy_only=False)
    if len(columns) <= len(_SPREAD) and all(map(_is_number, columns)):
        numbers = [pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False) for column in columns]
        unsigned = [each.astype(np.int64).view(np.uint64) for each in numbers]
        first = np.zeros(len(known), np.uint64)
        for each, odd in zip(unsigned, _SPREAD, strict=False):
            first += each * np.uint64(odd)
        return first, unsigned[0], known
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    digests = b"".join(hashlib.blake2b(repr(row).encode(), digest_size=16).digest() for row in rows)
    halves = np.frombuffer(digests, np.uint64).reshape(-1, 2)
    return halves[:, 0].copy(), halves[:, 1].copy(), known


def _is_number(column: "pa.Array") -> bool:
    from pyarrow import types

    return bool(types.is_integer(column.type) or types.is_timestamp(column.type))
