"""Readers turn a shard into batches of records, one module per format."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.codec import TEXT_LIMIT, decompress
from nightlake.core.readers.csv_fast import read_csv_fast
from nightlake.core.readers.json_fast import read_jsonl_fast
from nightlake.core.readers.json_windows import read_json_fast
from nightlake.core.readers.parquet import read_parquet
from nightlake.core.shard import Shard
from nightlake.core.source import AnyS3Source, CsvSource, JsonLinesSource, JsonSource

Stream = Callable[[int, int], Iterator[bytes]]


def read(shard: Shard, source: AnyS3Source, dataset: Dataset, stream: Stream) -> Iterator[Batch]:
    """The records of the shard in batches; `stream(start, end)` gives bytes of its object.

    Of a compressed object, places are those of its text, and batches say no bytes. Raises EncodingError,
    CompressedObjectError, JsonSyntaxError, JsonTruncatedError or ParquetUnreadableError when the object as a whole
    cannot be read.
    """
    codec = shard.codec
    if codec is None:
        yield from _read(shard, source, dataset, stream)
        return

    def text(_start: int, _end: int) -> Iterator[bytes]:
        return decompress(stream(0, shard.object.size), codec, where=shard.object.key)

    whole = shard.object.model_copy(update={"size": TEXT_LIMIT})
    for batch in _read(shard.model_copy(update={"object": whole, "end": TEXT_LIMIT}), source, dataset, text):
        yield replace(batch, start=None, stop=None)


def _read(shard: Shard, source: AnyS3Source, dataset: Dataset, stream: Stream) -> Iterator[Batch]:
    match source:
        case CsvSource():
            return read_csv_fast(shard, source, dataset, stream)
        case JsonLinesSource():
            return read_jsonl_fast(shard, source, dataset, stream)
        case JsonSource():
            return read_json_fast(shard, source, dataset, stream)
        case _:
            return read_parquet(shard, source, dataset, stream)
