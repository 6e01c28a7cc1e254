"""Cuts one object into the pieces that become shards, and refuses at once what no reader could take."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from nightlake.core.errors import CompressedObjectError, EncodingError, HeaderMismatchError
from nightlake.core.header import check_header, source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.csv import first_record
from nightlake.core.readers.json import check_ends
from nightlake.core.readers.parquet import open_parquet
from nightlake.core.readers.text import UTF_16
from nightlake.core.scanner import scan
from nightlake.core.shard import SourceObject
from nightlake.core.source import AnySource, CsvSource, JsonLinesSource, JsonSource, TextSource

_HEAD_BYTES: Final = 1 << 20  # no header is longer
_TAIL_BYTES: Final = 1 << 10
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh91AY&SY": "bzip2",
}
_MARKS: Final = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: UTF_16, codecs.BOM_UTF16_BE: UTF_16}

Stream = Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True)
class Piece:
    """The bytes `start` to `end` (exclusive) of an object; the rest as in `core.shard.Shard`."""

    start: int
    end: int
    records: int | None = None
    line: int | None = None
    header: tuple[str, ...] | None = None


def cut(item: SourceObject, source: AnySource, dataset: Dataset, stream: Stream) -> Iterator[Piece]:
    """The pieces of an object: many of CSV and JSON Lines, none of an empty object of lines, one of any other.

    Raises HeaderMismatchError, EncodingError, CompressedObjectError, CsvTruncatedError, JsonTruncatedError,
    JsonSyntaxError or ParquetUnreadableError.
    """
    head = b"".join(stream(0, min(item.size, _HEAD_BYTES)))
    _check_head(head, source, item.key)
    header: tuple[str, ...] | None = None
    match source:
        case CsvSource():
            header = _csv_header(head, source, dataset, item.key)
        case JsonLinesSource():
            pass
        case JsonSource():
            if source.encoding != UTF_16:
                check_ends(head, b"".join(stream(max(0, item.size - _TAIL_BYTES), item.size)), where=item.key)
            yield Piece(0, item.size)
            return
        case _:
            footer = open_parquet(item, stream)
            check_header(footer.schema_arrow.names, source, dataset, where=item.key)
            yield Piece(0, item.size, records=footer.metadata.num_rows)
            return
    for span in scan(stream(0, item.size), source, size=item.size, where=item.key):
        yield Piece(span.start, span.end, span.records, span.line, header)


def _check_head(head: bytes, source: AnySource, where: str) -> None:
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise CompressedObjectError(f"{where} is compressed ({name}); deliver it uncompressed")
    if not isinstance(source, TextSource):
        return
    for mark, encoding in _MARKS.items():
        if head.startswith(mark) and source.encoding != encoding:
            raise EncodingError(
                f"{where} is written in {encoding}, not {source.encoding}; deliver it so, or declare {encoding}"
            )


def _csv_header(head: bytes, source: CsvSource, dataset: Dataset, where: str) -> tuple[str, ...]:
    if not source.header:
        return tuple(source_names(source, dataset).values())
    if not head:
        raise HeaderMismatchError(f"{where} is empty; deliver at least its header")
    header = first_record(source, [head], where=where)
    check_header(header, source, dataset, where=where)
    return tuple(header)
