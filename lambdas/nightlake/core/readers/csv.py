"""Reads a shard of delimited text record by record: the definition that the fast reader equals."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from nightlake.core.header import source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch, Collector, Refused
from nightlake.core.readers.csv_record import Record, dialect_of, raw_text, read_record
from nightlake.core.readers.csv_text import Stream, open_text
from nightlake.core.shard import Shard
from nightlake.core.source import CsvSource

_BATCH_BYTES: Final = 4 << 20


def read_csv(shard: Shard, source: CsvSource, dataset: Dataset, stream: Stream) -> Iterator[Batch]:
    """The records that the shard owns (see `Shard`), in batches that touch; one batch at least.

    Of UTF-16 and of a compressed object, batches say no bytes. Raises EncodingError for UTF-16 that is not,
    HeaderMismatchError for a head that nobody can read.
    """
    dialect = dialect_of(source)
    header = shard.header or ()
    to_columns = _to_columns(header, source, dataset)
    text = open_text(shard, source, stream)
    window = text.window
    collector = Collector(to_columns, header=text.head.header, skipped=text.head.skipped)
    start, line, first_line, size = text.start, 1 + text.head.lines, 1, 0

    def batch() -> Batch:
        if text.whole:
            return collector.batch(lines=line - first_line)
        return collector.batch(lines=line - first_line, start=start, stop=window.offset)

    while not window.ended and window.offset <= text.last:
        record = read_record(window.data, window.at, dialect, len(header), final=window.final)
        if record is None:
            window.grow()
            continue
        if collector.full or size >= _BATCH_BYTES:
            yield batch()
            collector = Collector(to_columns)
            start, first_line, size = window.offset, line, 0
        offset = window.offset if text.has_offsets else None
        _collect(record, raw_text(window.data, record, dialect), collector, line, offset)
        size += record.end - record.start
        line += record.lines
        window.at = record.end
        if record.unended:
            window.skip_line()
    yield batch()


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
