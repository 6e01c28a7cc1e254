"""Reads a shard of delimited text record by record: the definition that the fast reader equals."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from nightlake.core.header import source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch, Collector, Refused
from nightlake.core.readers.boundary import first_record
from nightlake.core.readers.csv_head import read_head, without_footer
from nightlake.core.readers.csv_record import Record, dialect_of, raw_text, read_record
from nightlake.core.readers.text import UTF_16, end_of_line, texts
from nightlake.core.shard import Shard
from nightlake.core.source import CsvSource

_BATCH_BYTES: Final = 4 << 20

Stream = Callable[[int, int], Iterator[bytes]]


class Window:
    """The part of a text that is at hand: the bytes `data` from `at` on are still to be read.

    `final` says that the text ends with them. `offset` is the place of `at` in the whole text.
    """

    def __init__(self, pieces: Iterator[bytes], offset: int) -> None:
        self.data = b""
        self.at = 0
        self.final = False
        self._pieces = pieces
        self._before = offset

    @property
    def offset(self) -> int:
        return self._before + self.at

    @property
    def ended(self) -> bool:
        """Whether nothing is left to be read."""
        while self.at == len(self.data) and not self.final:
            self.grow()
        return self.at == len(self.data)

    def grow(self) -> None:
        """Forget what was read, and get at least as much as is left, so that reading that again stays linear."""
        gained = [self.data[self.at :]]
        wanted = 2 * len(gained[0]) + 1
        while sum(map(len, gained)) < wanted and not self.final:
            piece = next(self._pieces, None)
            self.final = piece is None
            gained.append(piece or b"")
        self._before += self.at
        self.data, self.at = b"".join(gained), 0

    def skip_line(self) -> None:
        """Go on after the line that is being read, however long it is."""
        while (line := end_of_line(self.data, self.at, len(self.data), final=self.final)) is None:
            self.at = len(self.data) - self.data.endswith(b"\r")
            self.grow()
        self.at = line[1]


def read_csv(shard: Shard, source: CsvSource, dataset: Dataset, stream: Stream) -> Iterator[Batch]:
    """The records that the shard owns (see `Shard`), in batches that touch; one batch at least.

    Of UTF-16 and of a compressed object, batches say no bytes. Raises EncodingError for UTF-16 that is not,
    HeaderMismatchError for a head that nobody can read.
    """
    dialect = dialect_of(source)
    header = shard.header or ()
    to_columns = _to_columns(header, source, dataset)
    whole = shard.codec is not None or source.encoding == UTF_16
    window = Window(_pieces(shard, source, stream, whole=whole), shard.start)
    collector = Collector(to_columns)
    if not shard.exact:
        _skip_to_first_record(window, source, len(header))
    start, line, first_line, size = window.offset, 1, 1, 0
    if shard.start == 0:
        line += _skip_head(window, source, collector, where=shard.object.key)

    def batch() -> Batch:
        if whole:
            return collector.batch(lines=line - first_line)
        return collector.batch(lines=line - first_line, start=start, stop=window.offset)

    while not window.ended and (whole or window.offset <= shard.end):
        record = read_record(window.data, window.at, dialect, len(header), final=window.final)
        if record is None:
            window.grow()
            continue
        if collector.full or size >= _BATCH_BYTES:
            yield batch()
            collector = Collector(to_columns)
            start, first_line, size = window.offset, line, 0
        offset = None if source.encoding == UTF_16 else window.offset
        _collect(record, raw_text(window.data, record, dialect), collector, line, offset)
        size += record.end - record.start
        line += record.lines
        window.at = record.end
        if record.unended:
            window.skip_line()
    yield batch()


def _pieces(shard: Shard, source: CsvSource, stream: Stream, *, whole: bool) -> Iterator[bytes]:
    """The text from the shard's start on, as UTF-8 where it is UTF-16, up to the footer."""
    where = shard.object.key
    pieces = stream(shard.start, shard.object.size - shard.footer)
    if source.encoding == UTF_16:
        pieces = (text.encode() for text in texts(pieces, UTF_16, where=where))
    return without_footer(pieces, source, where=where) if whole else pieces


def _skip_to_first_record(window: Window, source: CsvSource, fields: int) -> None:
    while (guess := first_record(window.data, source, fields, final=window.final)) is None:
        window.grow()
    window.at, goes_on = guess
    if goes_on:
        window.skip_line()


def _skip_head(window: Window, source: CsvSource, collector: Collector[tuple[str, ...]], *, where: str) -> int:
    """Take what stands before the rows; how many lines these are."""
    while (head := read_head(window.data, source, final=window.final, where=where)) is None:
        window.grow()
    window.at = head.end
    collector.header += head.header
    collector.skipped += head.skipped
    return head.lines


def _collect(record: Record, raw: str, collector: Collector[tuple[str, ...]], line: int, offset: int | None) -> None:
    if record.kind == "row":
        collector.add(record.fields, line, raw, offset)
    elif record.kind == "skipped":
        collector.skipped += 1
    else:
        rules, reasons = zip(*record.defects, strict=True)
        collector.refused.append(Refused(line, rules, reasons, raw, offset))


def _to_columns(
    header: tuple[str, ...], source: CsvSource, dataset: Dataset
) -> Callable[[list[tuple[str, ...]]], dict[str, list[Any]]]:
    names = source_names(source, dataset)
    nulls = frozenset(source.nulls)

    def to_columns(rows: list[tuple[str, ...]]) -> dict[str, list[Any]]:
        fields = list(zip(*rows, strict=True)) if rows else [()] * len(header)
        return {
            column: [None if value in nulls else value for value in fields[header.index(name)]]
            for column, name in names.items()
        }

    return to_columns
