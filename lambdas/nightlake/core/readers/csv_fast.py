"""Reads a shard of delimited text as `csv` does, at the speed of Arrow where the text is clean.

What is fast: every encoding, with an ASCII delimiter and quote, or no quote; quotes doubled or escaped by a backslash.
Single records go through the reference where they are damaged, are comments, or have what Arrow reads otherwise: a
quote in text that is kept, a NUL, a backslash that escapes nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.csv import read_csv
from nightlake.core.readers.csv_block import Block, BlockReader
from nightlake.core.readers.csv_text import ShardText, Stream, open_text
from nightlake.core.shard import Shard
from nightlake.core.source import CsvSource

BLOCK_BYTES: Final = 1 << 20


def read_csv_fast(
    shard: Shard, source: CsvSource, dataset: Dataset, stream: Stream, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[Batch]:
    """The records of the shard as `read_csv` gives them, but in batches of about `block_bytes` of text."""
    if not shard.header or not _is_fast(source):
        yield from read_csv(shard, source, dataset, stream)
        return
    text = open_text(shard, source, stream)
    window = text.window
    reader = BlockReader(source, dataset, shard.header)
    yield _before_rows(text, reader)
    line = 1 + text.head.lines
    while not window.ended and window.offset <= text.last:
        while len(window.data) - window.at < block_bytes and not window.final:
            window.grow()
        start = window.offset
        block = Block(window.data[window.at :], start if text.has_offsets else None, line, window.final)
        found = reader.read(block, text.last - start)
        window.at += found.stop
        if found.goes_on:
            window.skip_line()
        if window.offset == start:
            window.grow()
            continue
        line += found.batch.lines
        yield found.batch if text.whole else replace(found.batch, start=start, stop=window.offset)


def _before_rows(text: ShardText, reader: BlockReader) -> Batch:
    """What stands before the first row, as a batch."""
    head = text.head
    nothing = reader.read(Block(b"", None, 1, final=True), 0).batch
    batch = replace(nothing, header=head.header, skipped=head.skipped, lines=head.lines)
    return batch if text.whole else replace(batch, start=text.start, stop=text.window.offset)


def _is_fast(source: CsvSource) -> bool:
    """Whether every mark is one byte, also in the UTF-8 that Arrow reads."""
    marks = (source.delimiter, source.quote or "", source.comment or "")
    return all(mark.isascii() for mark in marks) and source.delimiter != "\0"
