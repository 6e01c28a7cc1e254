"""Reads the Parquet files that a snapshot names: needed columns and row groups only, in few requests."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final, TypeVar

from nightlake.core.api.condition import Condition
from nightlake.core.api.cursor import Position
from nightlake.core.api.expression import all_of, mask
from nightlake.core.api.file_list import find_file_list
from nightlake.core.api.footer import Footer
from nightlake.core.api.kept import Kept
from nightlake.core.api.ranged_file import GAP_BYTES, Budget, RangedFile
from nightlake.core.pipeline import Column
from nightlake.core.snapshot import Partition, PartitionManifest, PublishedFile, PublishedTable
from nightlake.core.table import PARTITION_KEYS, Table, arrow_schema, partition_keys

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    Columns = dict[str, pa.ChunkedArray]

Item = TypeVar("Item")
Made = TypeVar("Made")

ROW: Final = "#"  # the number of a row in its file; no column is called so
AHEAD: Final = 8  # files that are fetched at the same time where all of them must be read
_BATCH_ROWS: Final = 8192
SMALL_BYTES: Final = 1 << 18  # of files that always come whole
_FEW: Final = 31
_FEW_BYTES: Final = 1 << 20  # of those that come whole where a month at most is read, one file after the other
MEDIUM_BYTES: Final = 1 << 21  # of those that come whole when half of their columns are needed
_MARGIN: Final = 1 / 64  # of a file, by which its columns may lie earlier than in another one
_FOOTER_BYTES: Final = 1 << 16  # that Arrow reads to find a footer
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
    `batch_rows` how many rows are decoded at once. Texts of the columns `dictionaries` may come as numbers of a
    dictionary.
    """

    source: Kept
    pipeline: str
    table: PublishedTable
    first: date
    last: date
    conditions: tuple[Condition, ...]
    budget: Budget = field(default_factory=Budget)
    whole: int = SMALL_BYTES
    ahead: int = 1
    batch_rows: int = _BATCH_ROWS
    dictionaries: Collection[str] = ()

    @cached_property
    def schema(self) -> "pa.Schema":
        """All columns, as Arrow has them; partition keys last."""
        keys = tuple(Column(name=key, type="string") for key in PARTITION_KEYS)
        return arrow_schema(Table(name=self.table.table, description="", columns=self.table.columns + keys))

    @cached_property
    def _types(self) -> "dict[str, pa.DataType]":
        return dict(zip(self.schema.names, self.schema.types, strict=True))

    @cached_property
    def _nothing(self) -> "pa.Table":
        import pyarrow as pa

        return pa.schema([pa.field(ROW, pa.int64()), *self.schema]).empty_table()

    @cached_property
    def partitions(self) -> tuple[Partition, ...]:
        """The partitions that have days of the range."""
        return tuple(each for each in self.table.partitions if each.has_days(self.first, self.last))

    def files(self, start: Position | None = None) -> Iterator[File]:
        """The files with rows from the position on, in their order; none of a partition that no condition lets in."""
        partitions = [each for each in self.partitions if not (start and each.day < start.day) and self._lets_in(each)]
        known = self._listed
        for manifest in _ahead(self.manifest, partitions, self.ahead, lambda each: each.manifest in known):
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
        opened = _ahead(
            lambda pair: (self._open(pair[0], needed), pair[1]),
            _followed(self.files(start)),
            self.ahead,
            lambda pair: self._is_held(pair[0], needed),
        )
        for each, after in opened:
            here = each.file
            first = start.row if start and (start.day, start.file) == (here.day, here.number) else 0
            behind = Position(day=after.day, file=after.number, row=0) if after else None
            for rows, end in self._read(each, tested, needed, first):
                inside = Position(day=here.day, file=here.number, row=end) if end < here.file.rows else behind
                yield Batch(here, rows, inside)

    def take(self, file: File, numbers: Sequence[int], columns: Collection[str]) -> "pa.Table":
        """These rows of a file, in the order of their numbers."""
        import numpy as np
        import pyarrow as pa

        opened = self._open(file, {*columns}, prune=False)
        found = []
        for group, begin, end in opened.spans:
            inside = np.array([number for number in sorted(numbers) if begin <= number < end])
            if len(inside):
                opened.load(group, columns)
                rows = opened.read(group, columns)
                taken = {name: values.take(pa.array(inside - begin)) for name, values in rows.items()}
                found.append(self._complete(file, taken, inside, columns))
        return pa.concat_tables(found)

    @cached_property
    def _few(self) -> bool:
        return len(self.partitions) <= _FEW

    @cached_property
    def _condition(self) -> "ds.Expression":
        return all_of(self.conditions, self.schema)

    def _comes_whole(self, file: File, needed: Collection[str]) -> bool:
        half = 2 * len(needed) >= len(self.table.columns)
        return file.file.size <= max(self.whole, MEDIUM_BYTES if half else 0, _FEW_BYTES if self._few else 0)

    def _is_held(self, file: File, needed: Collection[str]) -> bool:
        """Whether all that will be read of the file is in memory."""
        key = file.file.key
        if self._comes_whole(file, needed):
            return self.source.holds(key, 0, file.file.size)
        footer = self.source.known_footer(key)
        return footer is not None and all(
            self.source.holds(key, *each) for group, _, _ in footer.spans for each in footer.ranges(group, needed)
        )

    def _open(self, file: File, needed: Collection[str], *, prune: bool = True) -> "_Opened":
        key, size = file.file.key, file.file.size
        source = RangedFile(self.source, key, size, self.budget)
        if self._comes_whole(file, needed):
            source.fetch([(0, size)])
            footer = self.source.footer(key, lambda: Footer(source, file.keys))
            held = source.moved()
        else:
            if self.ahead > 1 and self.source.known_footer(key) is None:
                self._get_end(file, needed)
            footer = self.source.footer(key, lambda: Footer(RangedFile(self.source, key, size, Budget()), file.keys))
            self._before.append((size, footer))
            self.budget.spend(footer.size)
            held = source
        left = footer.left(self._condition, self.schema) if self.conditions and prune else None
        spans = [each for each in footer.spans if left is None or each[0] in left]
        self.budget.look_at(sum(end - begin for _, begin, end in spans))
        opened = _Opened(file, held, footer, spans, footer.numbered(needed))
        if self.ahead > 1:
            for group, _, _ in spans:
                opened.fetch(group, needed)
        return opened

    @cached_property
    def _before(self) -> deque[tuple[int, Footer]]:
        """The size and footer of the file that was opened last."""
        return deque(maxlen=1)

    def _get_end(self, file: File, needed: Collection[str]) -> None:
        """Get the columns and the footer of a file in one request, if they lie near each other as in the one before."""
        for size, footer in self._before.copy():
            first, wanted = footer.extent(needed)
            start = max(int((first / size - _MARGIN) * file.file.size), 0)
            if file.file.size * (1 - wanted / size) - start <= GAP_BYTES:
                self.source.get_range(file.file.key, min(start, max(file.file.size - _FOOTER_BYTES, 0)), file.file.size)

    def _read(
        self, opened: "_Opened", tested: Collection[str], needed: Collection[str], first: int
    ) -> "Iterator[tuple[pa.Table, int]]":
        """The rows that match, from row `first` on: batch by batch, each with the row that follows it.

        An empty batch ends each row group and the file: what is behind it costs requests anew.
        """
        import numpy as np
        import pyarrow as pa

        others = {*needed}.difference(tested)
        for group, begin, end in opened.spans:
            if end <= first:
                continue
            # large columns are read when rows are found for them
            opened.load(group, tested if tested and opened.size(group, needed) > _TOGETHER_BYTES else needed)
            looked_at = opened.read(group, tested)
            chosen = np.arange(max(begin, first), end)
            if tested:
                found = self._matching(opened.file, looked_at, begin, end)
                chosen = found[np.searchsorted(found, first) :]
            if not len(chosen):
                yield self._nothing, end
                continue
            opened.load(group, others)
            at = begin
            for count, read in opened.batches(group, others, end - begin, self.batch_rows):
                inside = chosen[slice(*np.searchsorted(chosen, (at, at + count)))]
                if len(inside):
                    rows = read | {name: values.slice(at - begin, count) for name, values in looked_at.items()}
                    if len(inside) < count:
                        indices = pa.array(inside - at)
                        rows = {name: values.take(indices) for name, values in rows.items()}
                    yield self._complete(opened.file, rows, inside, needed), at + count
                at += count
                if at > chosen[-1]:
                    break
            yield self._nothing, end
        yield self._nothing, opened.file.file.rows

    def _matching(self, file: File, rows: "Columns", begin: int, end: int) -> "np.ndarray":
        """The numbers of those rows of a row group that meet the conditions, in their order."""
        import pyarrow.compute as pc

        tested = {condition.column for condition in self.conditions}
        met = mask(self.conditions, self._typed(file, rows, end - begin, tested, keep=tested))
        found: np.ndarray = pc.indices_nonzero(met).to_numpy().astype("i8")
        found += begin
        return found

    def _complete(self, file: File, rows: "Columns", numbers: "np.ndarray", needed: Collection[str]) -> "pa.Table":
        """The rows with all needed columns in the table's types, and their numbers."""
        import pyarrow as pa

        columns = self._typed(file, rows, len(numbers), needed, keep=self.dictionaries)
        return pa.Table.from_arrays([pa.array(numbers), *columns.values()], [ROW, *columns])

    def _typed(
        self, file: File, rows: "Columns", count: int, needed: Collection[str], keep: Collection[str]
    ) -> "dict[str, pa.ChunkedArray | pa.Array]":
        """All needed columns of so many rows in the table's types; those to `keep` are left with their dictionaries."""
        import pyarrow as pa

        columns: dict[str, pa.ChunkedArray | pa.Array] = {}
        for name, kind in self._types.items():
            if name not in needed:
                continue
            values = None if name in PARTITION_KEYS else rows.get(name)
            if values is None and name in keep and name in PARTITION_KEYS:
                columns[name] = _repeated(file.keys[name], count)
            elif values is None:
                columns[name] = pa.repeat(pa.scalar(file.keys.get(name), kind), count)
            elif values.type == kind or (name in keep and pa.types.is_dictionary(values.type)):
                columns[name] = values
            else:
                columns[name] = values.cast(kind)
        return columns

    def _lets_in(self, partition: Partition) -> bool:
        """Whether rows of the partition can meet the conditions on its keys."""
        import pyarrow as pa

        if not self._of_keys:
            return True
        row = pa.table({name: [value] for name, value in partition_keys(partition.day).items()})
        return bool(mask(self._of_keys, row)[0].as_py())

    @cached_property
    def _of_keys(self) -> list[Condition]:
        return [condition for condition in self.conditions if condition.column in PARTITION_KEYS]


@dataclass
class _Opened:
    """A file whose footer is read, and the spans of those row groups that its statistics do not rule out.

    The columns `numbered` come with their dictionaries.
    """

    file: File
    source: RangedFile
    footer: Footer
    spans: Sequence[tuple[int, int, int]]
    numbered: Sequence[str]
    _loaded: tuple[int, frozenset[str]] = (-1, frozenset())
    _parquet: "pq.ParquetFile | None" = None

    def size(self, group: int, names: Collection[str]) -> int:
        """The bytes of these columns of a row group."""
        return sum(end - start for start, end in self.footer.ranges(group, names))

    def fetch(self, group: int, names: Collection[str]) -> None:
        """Get these columns of a row group from S3."""
        self.source.fetch(self.footer.ranges(group, names))

    def load(self, group: int, names: Collection[str]) -> None:
        """Have these columns of a row group, and perhaps no others, ready to be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        at, loaded = self._loaded
        if not names or (at == group and loaded.issuperset(names)):
            return
        self._loaded = group, frozenset(names)
        self._parquet = pq.ParquetFile(
            pa.BufferReader(self.source.buffer(self.footer.ranges(group, names))),
            metadata=self.footer.metadata,
            coerce_int96_timestamp_unit="ms",
            read_dictionary=self.numbered,
        )

    def read(self, group: int, names: Collection[str]) -> "Columns":
        """Those of the columns of a row group that the file has; they are loaded."""
        stored = self._stored(names)
        if not stored or self._parquet is None:
            return {}
        rows = self._parquet.read_row_group(group, stored, use_threads=False)
        return dict(zip(rows.column_names, rows.columns, strict=True))

    def batches(self, group: int, names: Collection[str], rows: int, size: int) -> "Iterator[tuple[int, Columns]]":
        """The same, so many of its rows at a time."""
        stored = self._stored(names)
        if rows <= size or not stored or self._parquet is None:
            yield rows, self.read(group, names)
            return
        for batch in self._parquet.iter_batches(size, row_groups=[group], columns=stored, use_threads=False):
            yield batch.num_rows, dict(zip(batch.schema.names, batch.columns, strict=True))

    def _stored(self, names: Collection[str]) -> list[str]:
        return [name for name in self.footer.columns if name in names]


def _repeated(text: str, count: int) -> "pa.ChunkedArray":
    """So many times the same text, in a dictionary."""
    import numpy as np
    import pyarrow as pa

    return pa.chunked_array([pa.DictionaryArray.from_arrays(np.zeros(count, "i4"), pa.array([text]))])


def _followed(files: Iterable[File]) -> Iterator[tuple[File, File | None]]:
    """Each file and the next one."""
    for file, after in pairwise(chain(files, (None,))):
        if file is not None:
            yield file, after


def _ahead(
    function: Callable[[Item], Made], items: Iterable[Item], workers: int, is_quick: Callable[[Item], bool]
) -> Iterator[Made]:
    """`function` of every item, in their order; it works on so many at the same time, on a quick one at its turn."""
    if workers == 1:
        yield from map(function, items)
        return
    waiting = deque[tuple[Item, Future[Made] | None]]()

    def first() -> Made:
        item, task = waiting.popleft()
        return function(item) if task is None else task.result()

    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append((item, None if is_quick(item) else pool.submit(function, item)))
                if len(waiting) >= workers:
                    yield first()
            while waiting:
                yield first()
        finally:
            for _, task in waiting:
                if task is not None:
                    task.cancel()
