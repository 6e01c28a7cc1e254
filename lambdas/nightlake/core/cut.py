"""Cuts one object into the pieces that become shards, and refuses at once what no reader could take.

Only the first and last bytes of an object are read, so that the cuts fall anywhere: in records, in quotes, in a line
end. What a piece then really covers is for its worker to find out, and for `core.chain` to prove.
"""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from nightlake.core.errors import CompressedObjectError, EncodingError
from nightlake.core.header import check_header, source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers import codec
from nightlake.core.readers.csv_head import HEAD_BYTES, TAIL_BYTES, find_head, footer_bytes
from nightlake.core.readers.json import check_ends
from nightlake.core.readers.parquet import open_parquet
from nightlake.core.readers.text import UTF_16
from nightlake.core.shard import Codec, SourceObject, TablePart
from nightlake.core.source import AnyS3Source, CsvSource, JsonSource, TextSource

_MARKS: Final = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: UTF_16, codecs.BOM_UTF16_BE: UTF_16}

Stream = Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True)
class Piece:
    """The bytes `start` to `end` (exclusive) of an object; the rest as in `core.shard.Shard`."""

    start: int
    end: int
    footer: int = 0
    records: int | None = None
    codec: Codec | None = None
    header: tuple[str, ...] | None = None
    part: TablePart | None = None


def cut(item: SourceObject, source: AnyS3Source, dataset: Dataset, stream: Stream) -> tuple[Piece, ...]:
    """The pieces of an object: many of CSV and JSON Lines, none of an empty object of lines, one of any other.

    At most HEAD_BYTES and TAIL_BYTES of it are read, or the footer of Parquet. Raises HeaderMismatchError,
    EncodingError, CompressedObjectError, JsonTruncatedError, JsonSyntaxError or ParquetUnreadableError.
    """
    head = b"".join(stream(0, min(item.size, HEAD_BYTES)))
    codec.check(head, source, item.size, where=item.key)
    if not isinstance(source, TextSource):
        file = open_parquet(item, stream)
        names = tuple(file.schema_arrow.names)
        check_header(names, source, dataset, where=item.key)
        return (Piece(0, item.size, records=file.metadata.num_rows, header=names),)
    packed = codec.detect(head)
    text = head if packed is None else _unpacked(head, packed, where=item.key)
    _check_mark(text, source, where=item.key)
    is_plain = packed is None and source.encoding != UTF_16

    def tail() -> bytes:
        return b"".join(stream(max(0, item.size - TAIL_BYTES), item.size))

    match source:
        case JsonSource():
            if is_plain:
                check_ends(head, tail(), where=item.key)
            return (Piece(0, item.size, codec=packed),)
        case CsvSource():
            is_all = len(head) == item.size and (packed is None or len(text) < HEAD_BYTES)
            found = find_head(text, source, final=is_all, where=item.key)
            whole = Piece(0, item.size, codec=packed, header=_header(found.names, source, dataset, where=item.key))
            footer = 0
            if is_plain and source.footer_lines:
                footer = footer_bytes(tail(), source, size=item.size, head=found, where=item.key)
            return _cut(
                replace(whole, footer=footer), found.end, source.shard_bytes_of(item.size) if is_plain else None
            )
        case _:
            whole = Piece(0, item.size, codec=packed)
            return _cut(whole, 0, source.shard_bytes_of(item.size) if is_plain else None)


def _cut(whole: Piece, begin: int, shard_bytes: int | None) -> tuple[Piece, ...]:
    """The pieces of `whole`, which is cut behind byte `begin` at multiples of `shard_bytes`; none of nothing."""
    if whole.end == 0:
        return ()
    if shard_bytes is None:
        return (whole,)
    data_end = whole.end - whole.footer
    last = data_end - max(1, shard_bytes // 4)  # a small rest is not worth a worker
    cuts = [at for at in range(shard_bytes, last + 1, shard_bytes) if at > begin]
    return tuple(replace(whole, start=start, end=end) for start, end in pairwise((0, *cuts, whole.end)))


def _unpacked(head: bytes, packed: Codec, *, where: str) -> bytes:
    """The text that the first bytes of a compressed object hold; at most HEAD_BYTES.

    Raises CompressedObjectError when that is none.
    """
    text = b""
    try:
        for piece in codec.decompress([head], packed, where=where):
            text += piece
            if len(text) >= HEAD_BYTES:
                break
    except CompressedObjectError:  # of course it is cut off
        if not text:
            raise
    return text[:HEAD_BYTES]


def _check_mark(text: bytes, source: TextSource, *, where: str) -> None:
    for mark, encoding in _MARKS.items():
        if text.startswith(mark) and source.encoding != encoding:
            raise EncodingError(
                f"{where} is written in {encoding}, not {source.encoding}; deliver it so, or declare {encoding}"
            )


def _header(names: tuple[str, ...] | None, source: CsvSource, dataset: Dataset, *, where: str) -> tuple[str, ...]:
    if names is None:
        return tuple(source_names(source, dataset).values())
    check_header(names, source, dataset, where=where)
    return names
