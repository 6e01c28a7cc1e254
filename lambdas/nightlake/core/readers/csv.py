"""Reads a shard of delimited text with Python's csv module, whose dialect is the definition of a record."""

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from nightlake.core.errors import EncodingError
from nightlake.core.header import source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch, Collector, Refused
from nightlake.core.readers.text import record_lines, visible
from nightlake.core.shard import Shard
from nightlake.core.source import CsvSource

_NO_LIMIT: Final = 2**31 - 1


class _Lines(Iterator[str]):
    """Gives the lines to csv and remembers those of the record that is being read."""

    def __init__(self, lines: Iterator[tuple[str, bool]], line: int) -> None:
        self._lines = lines
        self.next_line = line
        self.taken: list[str] = []
        self.are_text = True

    def __next__(self) -> str:
        text, is_text = next(self._lines)
        self.next_line += 1
        self.taken.append(text)
        self.are_text &= is_text
        return text

    def begin(self) -> None:
        """What is taken from here on belongs to another record."""
        self.taken = []
        self.are_text = True

    def raw(self, encoding: str) -> str:
        """The text of the record without its line end."""
        text = "".join(self.taken)
        text = text.removesuffix("\n").removesuffix("\r")
        return text if self.are_text else visible(text, encoding)


def read_csv(
    shard: Shard, source: CsvSource, dataset: Dataset, stream: Callable[[int, int], Iterator[bytes]]
) -> Iterator[Batch]:
    """The records of the shard: refused are wrong numbers of fields, text after a closing quote, and wrong bytes.

    Raises EncodingError for UTF-16 that is not.
    """
    header = shard.header or ()
    to_columns = _to_columns(header, source, dataset)
    collector = Collector(to_columns)
    for position, fields, defect, raw in _records(shard, source, stream):
        if collector.full:
            yield collector.batch()
            collector = Collector(to_columns)
        if source.header and shard.start == 0 and position == 1:
            collector.header += 1
        elif defect is not None:
            collector.refused.append(Refused(position, (defect[0],), (defect[1],), raw))
        elif not fields:
            collector.skipped += 1
        elif len(fields) != len(header):
            reason = f"has {len(fields)} fields, not {len(header)}"
            collector.refused.append(Refused(position, ("csv.fields",), (reason,), raw))
        else:
            collector.add(fields, position, raw)
    yield collector.batch()


def first_record(source: CsvSource, pieces: Iterable[bytes], *, where: str) -> list[str]:
    """The fields of an object's first record. Raises EncodingError when it is not in the source's encoding."""
    shard_lines = _Lines(record_lines(pieces, source.encoding, where=where, at_start=True), 1)
    fields = next(csv.reader(shard_lines, delimiter=source.delimiter), [])
    if not shard_lines.are_text:
        raise EncodingError(
            f"{where} does not begin with text in {source.encoding} ({shard_lines.raw(source.encoding)!r}); "
            "deliver it so, or declare its encoding"
        )
    return fields


def _records(
    shard: Shard, source: CsvSource, stream: Callable[[int, int], Iterator[bytes]]
) -> Iterator[tuple[int, list[str], tuple[str, str] | None, str]]:
    """Every record: its first line, its fields, its defect (rule and reason) and its text."""
    csv.field_size_limit(_NO_LIMIT)
    pieces = stream(shard.start, shard.end)
    lines = _Lines(
        record_lines(pieces, source.encoding, where=shard.object.key, at_start=shard.start == 0), shard.line or 1
    )
    reader = csv.reader(lines, delimiter=source.delimiter, strict=True)
    while True:
        lines.begin()
        position = lines.next_line
        fields: list[str] = []
        defect = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # where the record ends is what csv says when it is not strict
            next(csv.reader(chain(tuple(lines.taken), lines), delimiter=source.delimiter))
            defect = ("csv.quote", f"{error}: double a quote inside quotes, and close every quote")
        if not lines.are_text:
            defect = ("encoding", f"has bytes that are not {source.encoding}")
        yield position, fields, defect, lines.raw(source.encoding)


def _to_columns(
    header: tuple[str, ...], source: CsvSource, dataset: Dataset
) -> Callable[[list[list[str]]], dict[str, list[Any]]]:
    names = source_names(source, dataset)
    nulls = frozenset(source.nulls)

    def to_columns(rows: list[list[str]]) -> dict[str, list[Any]]:
        fields = list(zip(*rows, strict=True)) if rows else [()] * len(header)
        return {
            column: [None if value in nulls else value for value in fields[header.index(name)]]
            for column, name in names.items()
        }

    return to_columns
