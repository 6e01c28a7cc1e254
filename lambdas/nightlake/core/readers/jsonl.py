"""Reads a shard of JSON Lines line by line: the definition that the fast reader equals."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nightlake.core.pipeline import Dataset
from nightlake.core.readers import json_record
from nightlake.core.readers.batch import Batch, Collector, Refused
from nightlake.core.readers.json_record import DefectError, Object
from nightlake.core.readers.lines import Block, LineBlocks
from nightlake.core.readers.text import UTF_16, WRONG_BYTES, end_of_line, visible
from nightlake.core.shard import Shard
from nightlake.core.source import JsonLinesSource

_BLOCK_BYTES = 1 << 18
_TOLD_BYTES = 4096


@dataclass(frozen=True)
class Line:
    """A line of JSON Lines: an object, or why it is none; neither for a blank one. `raw` is its text."""

    raw: str
    row: Object | None = None
    defect: DefectError | None = None


def read_jsonl(
    shard: Shard,
    source: JsonLinesSource,
    dataset: Dataset,
    stream: Callable[[int, int], Iterator[bytes]],
    *,
    block_bytes: int = _BLOCK_BYTES,
) -> Iterator[Batch]:
    """The records of the shard; refused is what is no JSON object, has a name twice, wrong bytes, or too many.

    Raises EncodingError for UTF-16 that is not.
    """
    to_columns = json_record.columns_of(source, dataset)
    declared = json_record.declared_names(source, dataset)
    blocks = LineBlocks(shard, source, stream, block_bytes=block_bytes)
    collector = Collector(to_columns)
    first, position = 1, 0
    start = 0 if shard.start == 0 else blocks.at

    def batch(stop: int) -> Batch:
        where = {} if source.encoding == UTF_16 else {"start": start, "stop": stop}
        return collector.batch(lines=position + 1 - first, **where)

    for block in blocks:
        for begin, end in lines_of(block):
            if collector.full:
                yield batch(block.start + begin)
                collector = Collector(to_columns)
                first, start = position + 1, block.start + begin
            position += 1
            line = read_line(block, begin, end, encoding=blocks.encoding, limit=source.max_record_bytes)
            offset = None if source.encoding == UTF_16 else block.start + begin
            if line.defect is not None:
                refused = Refused(position, (line.defect.rule,), (line.defect.reason,), line.raw, offset)
                collector.refused.append(refused)
            elif line.row is None:
                collector.skipped += 1
            else:
                collector.add(line.row, position, line.raw, offset)
                collector.extra_columns.update(line.row.keys() - declared)
    yield batch(blocks.at)


def lines_of(block: Block) -> Iterator[tuple[int, int]]:
    """Where each line of the block begins, and where it ends without its line end."""
    at = 0
    while at < len(block.data):
        end, after = end_of_line(block.data, at, len(block.data), final=True) or (0, 0)
        yield at, end
        at = after


def read_line(block: Block, begin: int, end: int, *, encoding: str, limit: int) -> Line:
    """The line of a block that stands from byte `begin` to `end`, without its line end."""
    data = block.data[begin:end]
    if block.unended or len(data) > limit:
        reason = f"is longer than {limit:,} bytes: deliver it shorter, or declare a larger max_record_bytes"
        raw = data[: min(limit, _TOLD_BYTES)].decode(encoding, "backslashreplace")
        return Line(raw, defect=DefectError("json.too_long", reason))
    raw = data.decode(encoding, WRONG_BYTES).strip(json_record.WHITESPACE)
    if not raw:
        return Line(raw)
    try:
        return Line(raw, json_record.check(_decode(raw), raw))
    except DefectError as defect:
        return Line(visible(raw, encoding), defect=defect)


def _decode(raw: str) -> object:
    try:
        value, end = json_record.decode(raw)
    except ValueError as error:
        raise DefectError("json.syntax", f"is not JSON ({error})") from None
    if end < len(raw):
        raise DefectError("json.syntax", f"is not one JSON object: it goes on after character {end}")
    return value
