"""Reads a shard of JSON Lines: one object a line."""

from collections.abc import Callable, Iterator

from nightlake.core.pipeline import Dataset
from nightlake.core.readers import json_record
from nightlake.core.readers.batch import Batch, Collector, Refused
from nightlake.core.readers.text import record_lines, visible
from nightlake.core.shard import Shard
from nightlake.core.source import JsonLinesSource


def read_jsonl(
    shard: Shard, source: JsonLinesSource, dataset: Dataset, stream: Callable[[int, int], Iterator[bytes]]
) -> Iterator[Batch]:
    """The records of the shard; refused is what is no JSON object, has a name twice, or wrong bytes.

    Raises EncodingError for UTF-16 that is not.
    """
    to_columns = json_record.columns_of(source, dataset)
    declared = json_record.declared_names(source, dataset)
    lines = record_lines(
        stream(shard.start, shard.end), source.encoding, where=shard.object.key, at_start=shard.start == 0
    )
    collector = Collector(to_columns)
    for position, (line, _) in enumerate(lines, start=shard.line or 1):
        if collector.full:
            yield collector.batch()
            collector = Collector(to_columns)
        raw = line.strip(json_record.WHITESPACE)
        if not raw:
            collector.skipped += 1
            continue
        try:
            row = json_record.check(_decode(raw), raw)
        except json_record.DefectError as error:
            text = visible(raw, source.encoding)
            collector.refused.append(Refused(position, (error.rule,), (error.reason,), text))
        else:
            collector.add(row, position, raw)
            collector.extra_columns.update(row.keys() - declared)
    yield collector.batch()


def _decode(raw: str) -> object:
    try:
        return json_record.EXACT.decode(raw)
    except (ValueError, RecursionError) as error:
        raise json_record.DefectError("json.syntax", f"is not JSON ({error})") from None
