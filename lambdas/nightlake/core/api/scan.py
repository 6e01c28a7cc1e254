"""Reads the Parquet files that a snapshot names: needed columns and row groups only, in few requests."""

import operator
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, reduce
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final, TypeVar

from nightlake.core.api.condition import Condition
from nightlake.core.api.cursor import Position
from nightlake.core.api.expression import all_of, mask
from nightlake.core.api.file_list import find_file_list
from nightlake.core.api.ranged_file import Budget, RangedFile, Ranges
from nightlake.core.pipeline import Column
from nightlake.core.snapshot import Partition, PartitionManifest, PublishedFile, PublishedTable
from nightlake.core.table import PARTITION_KEYS, Table, arrow_schema, partition_keys

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

Item = TypeVar("Item")
Made = TypeVar("Made")

ROW: Final = "#"  # the number of a row in its file; no column is called so
AHEAD: Final = 8  # files that are fetched at the same time where all of them must be read
_BATCH_ROWS: Final = 8192
SMALL_BYTES: Final = 1 << 18  # of files that always come whole
_FEW: Final = 31
_FEW_BYTES: Final = 1 << 20  # of those that come whole where a month at most is read, one file after the other
MEDIUM_BYTES: Final = 1 << 21  # of those that come whole when half of their columns are needed
_TOGETHER_BYTES: Final = 1 << 20  # of columns that come together, whether or not all will be needed


@dataclass(frozen=True)
class File:
    """One file of a partition; `number` is its place in the partition's manifest."""

    day: date
    number: int
    file: PublishedFile

    @property
    def keys(self) -> dict[str, str]:
        """The values of the partition keys in all its rows."""
        return partition_keys(self.day)


@dataclass(frozen=True)
class Batch:
    """Rows of a file that meet the conditions, with their numbers there; `following` is where reading goes on."""

    file: File
    rows: "pa.Table"
    following: Position | None


@dataclass(frozen=True)
class Scan:
    """Rows of one table that lie in these days' partitions and meet all conditions.

    Files of at most `whole` bytes come in one request; `ahead` is how many are fetched at the same time, and
    `batch_rows` how many rows are decoded at once.
    """

    source: Ranges
    pipeline: str
    table: PublishedTable
    first: date
    last: date
    conditions: tuple[Condition, ...]
    budget: Budget = field(default_factory=Budget)
    whole: int = SMALL_BYTES
    ahead: int = 1
    batch_rows: int = _BATCH_ROWS

    @cached_property
    def schema(self) -> "pa.Schema":
        """All columns, as Arrow has them; partition keys last."""
        keys = tuple(Column(name=key, type="string") for key in PARTITION_KEYS)
        return arrow_schema(Table(name=self.table.table, description="", columns=self.table.columns + keys))

    @cached_property
    def _nothing(self) -> "pa.Table":
        import pyarrow as pa

        return pa.schema([pa.field(ROW, pa.int64()), *self.schema]).empty_table()

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """The partitions that have days of the range."""
        return tuple(each for each in self.table.partitions if each.has_days(self.first, self.last))

    def files(self, start: Position | None = None) -> Iterator[File]:
        """The files with rows from the position on, in their order; none of a partition that no condition lets in."""
        partitions = [each for each in self.partitions if not (start and each.day < start.day) and self._lets_in(each)]
        for manifest in _ahead(self.manifest, partitions, self.ahead):
            for number, file in enumerate(manifest.files):
                if file.rows and not (start and (manifest.day, number) < (start.day, start.file)):
                    yield File(manifest.day, number, file)

    @cached_property
    def _listed(self) -> dict[str, bytes]:
        """The manifests that one request brings."""
        if len(self.table.partitions) == 1:
            return {}
        lines = find_file_list(self.source, self.pipeline, self.table) or []
        return dict(zip((each.manifest for each in self.table.partitions), lines, strict=False))

    def manifest(self, partition: Partition) -> PartitionManifest:
        """What a partition holds."""
        text = self._listed.get(partition.manifest) or self.source.get(partition.manifest)
        return PartitionManifest.model_validate_json(text)

    def batches(self, columns: Collection[str], start: Position | None = None) -> Iterator[Batch]:
        """The rows from the position on, in the order of days, files and lines.

        A column that a file does not have is null in all its rows: it was added to the contract later. Raises
        AnswerTooCostlyError when the budget is used up, ObjectNotFoundError when a file is gone.
        """
        tested = {condition.column for condition in self.conditions}
        needed = {*columns, *tested}
        opened = _ahead(lambda pair: (self._open(pair[0], needed), pair[1]), _followed(self.files(start)), self.ahead)
        for each, after in opened:
            here = each.file
            first = start.row if start and (start.day, start.file) == (here.day, here.number) else 0
            behind = Position(day=after.day, file=after.number, row=0) if after else None
            for rows, end in self._read(each, tested, needed, first):
                inside = Position(day=here.day, file=here.number, row=end) if end < here.file.rows else behind
                yield Batch(here, rows, inside)

    def take(self, file: File, numbers: Sequence[int], columns: Collection[str]) -> "pa.Table":
        """These rows of a file, in the order of their numbers."""
        import pyarrow as pa

        opened = self._open(file, {*columns}, prune=False)
        found = []
        for group, begin, end in opened.spans:
            inside = [number - begin for number in sorted(numbers) if begin <= number < end]
            if inside:
                opened.fetch(group, columns)
                rows = opened.parquet.read_row_group(group, opened.stored(columns), use_threads=False)
                found.append(self._complete(opened, rows, begin, columns).take(pa.array(inside, pa.int64())))
        return pa.concat_tables(found)

    @cached_property
    def _few(self) -> bool:
        return self.ahead == 1 and len(self.partitions) <= _FEW

    def _open(self, file: File, needed: Collection[str], *, prune: bool = True) -> "_Opened":
        import pyarrow.dataset as ds
        import pyarrow.parquet as pq

        half = 2 * len(needed) >= len(self.table.columns)
        whole = max(self.whole, MEDIUM_BYTES if half else 0, _FEW_BYTES if self._few else 0)
        source = RangedFile(self.source, file.file.key, file.file.size, self.budget, whole=whole)
        metadata, groups = None, None
        if self.conditions and prune:
            fragment = ds.ParquetFileFormat().make_fragment(source, partition_expression=_equal(file.keys))
            left = fragment.subset(filter=all_of(self.conditions, self.schema), schema=self.schema)
            metadata, groups = fragment.metadata, {group.id for group in left.row_groups}
        parquet = pq.ParquetFile(source, metadata=metadata, coerce_int96_timestamp_unit="ms")
        opened = _Opened(file, source, parquet, groups)
        self.budget.look_at(sum(end - begin for _, begin, end in opened.spans))
        if self.ahead > 1:
            for group, _, _ in opened.spans:
                opened.fetch(group, needed)
        return opened

    def _read(
        self, opened: "_Opened", tested: Collection[str], needed: Collection[str], first: int
    ) -> "Iterator[tuple[pa.Table, int]]":
        """The rows that match, from row `first` on: batch by batch, each with the row that follows it.

        The last batch is empty: also a file without any match tells how far it was read.
        """
        import numpy as np

        for group, begin, end in opened.spans:
            if end <= first:
                continue
            opened.fetch(group, needed, before=tested)
            found = self._matching(opened, group, begin, tested)
            chosen = np.arange(begin, end) if found is None else found
            chosen = chosen[np.searchsorted(chosen, first) :]
            if not len(chosen):
                yield self._nothing, end
                continue
            opened.fetch(group, needed)
            at = begin
            for batch in opened.parquet.iter_batches(
                self.batch_rows, row_groups=[group], columns=opened.stored(needed), use_threads=False
            ):
                inside = chosen[slice(*np.searchsorted(chosen, (at, at + batch.num_rows)))] - at
                if len(inside):
                    rows = self._complete(opened, batch, at, needed)
                    yield rows if len(inside) == batch.num_rows else rows.take(inside), at + batch.num_rows
                at += batch.num_rows
                if at > chosen[-1]:
                    break
        yield self._nothing, opened.file.file.rows

    def _matching(self, opened: "_Opened", group: int, begin: int, tested: Collection[str]) -> "np.ndarray | None":
        """The numbers of the rows of a row group that meet the conditions, in their order; None without conditions."""
        import pyarrow.compute as pc

        if not tested:
            return None
        looked_at = opened.parquet.read_row_group(group, opened.stored(tested), use_threads=False)
        met = mask(self.conditions, self._complete(opened, looked_at, begin, tested))
        numbers: np.ndarray = pc.indices_nonzero(met.fill_null(False)).to_numpy().astype("i8")
        return numbers + begin

    def _complete(
        self, opened: "_Opened", rows: "pa.Table | pa.RecordBatch", begin: int, needed: Collection[str]
    ) -> "pa.Table":
        """The rows with all needed columns in the table's types, and their numbers."""
        import numpy as np
        import pyarrow as pa

        columns: dict[str, pa.Array] = {ROW: pa.array(np.arange(begin, begin + rows.num_rows))}
        keys = opened.file.keys
        stored = opened.parquet.schema_arrow.names
        for field_ in self.schema:
            if field_.name not in needed:
                continue
            if field_.name in stored and field_.name not in keys:
                columns[field_.name] = rows.column(field_.name).cast(field_.type)
            else:
                columns[field_.name] = pa.repeat(pa.scalar(keys.get(field_.name), field_.type), rows.num_rows)
        return pa.table(columns)

    def _lets_in(self, partition: Partition) -> bool:
        """Whether rows of the partition can meet the conditions on its keys."""
        import pyarrow as pa

        keys = partition_keys(partition.day)
        asked = [condition for condition in self.conditions if condition.column in keys]
        row = pa.table({name: [value] for name, value in keys.items()})
        return not asked or bool(mask(asked, row)[0].as_py())


@dataclass(frozen=True)
class _Opened:
    """A file whose footer is read, and the row groups that its statistics do not rule out (None: all)."""

    file: File
    source: RangedFile
    parquet: "pq.ParquetFile"
    groups: Collection[int] | None

    @property
    def spans(self) -> Iterator[tuple[int, int, int]]:
        """Those row groups, each with its first row and the one behind its last."""
        begin = 0
        for group in range(self.parquet.num_row_groups):
            end = begin + self.parquet.metadata.row_group(group).num_rows
            if self.groups is None or group in self.groups:
                yield group, begin, end
            begin = end

    def stored(self, names: Collection[str]) -> list[str]:
        """Those of the columns that the file has."""
        return [name for name in self.parquet.schema_arrow.names if name in names]

    def fetch(self, group: int, names: Collection[str], before: Collection[str] = ()) -> None:
        """Read these columns of a row group; if they are large, only those that are to be looked at `before`."""
        chunks = self.parquet.metadata.row_group(group)
        columns = [chunks.column(place) for place in range(chunks.num_columns)]
        ranges = {name: [_range(each) for each in columns if _top(each) == name] for name in names}
        size = sum(end - start for each in ranges.values() for start, end in each)
        chosen = before if before and size > _TOGETHER_BYTES else names
        self.source.fetch(chain.from_iterable(ranges[name] for name in chosen))


def _equal(keys: dict[str, str]) -> "ds.Expression":
    import pyarrow.compute as pc

    return reduce(operator.and_, (pc.field(name) == value for name, value in keys.items()))


def _top(column: "pq.ColumnChunkMetaData") -> str:
    return str(column.path_in_schema).partition(".")[0]


def _range(column: "pq.ColumnChunkMetaData") -> tuple[int, int]:
    start = column.data_page_offset if column.dictionary_page_offset is None else column.dictionary_page_offset
    return start, start + column.total_compressed_size


def _followed(files: Iterable[File]) -> Iterator[tuple[File, File | None]]:
    """Each file and the next one."""
    for file, after in pairwise(chain(files, (None,))):
        if file is not None:
            yield file, after


def _ahead(function: Callable[[Item], Made], items: Iterable[Item], workers: int) -> Iterator[Made]:
    """`function` of every item, in their order; it works on so many at the same time."""
    if workers == 1:
        yield from map(function, items)
        return
    waiting = deque[Future[Made]]()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for task in waiting:
                task.cancel()
