"""Readers turn a shard into batches of records, one module per format."""

from collections.abc import Callable, Iterator

from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.csv import read_csv
from nightlake.core.readers.json import read_json
from nightlake.core.readers.jsonl import read_jsonl
from nightlake.core.readers.parquet import read_parquet
from nightlake.core.shard import Shard
from nightlake.core.source import AnySource, CsvSource, JsonLinesSource, JsonSource


def read(
    shard: Shard, source: AnySource, dataset: Dataset, stream: Callable[[int, int], Iterator[bytes]]
) -> Iterator[Batch]:
    """The records of the shard in batches of at most 10,000; `stream(start, end)` gives bytes of its object.

    Raises EncodingError, JsonSyntaxError, JsonTruncatedError or ParquetUnreadableError when the object as a whole
    cannot be read.
    """
    match source:
        case CsvSource():
            return read_csv(shard, source, dataset, stream)
        case JsonLinesSource():
            return read_jsonl(shard, source, dataset, stream)
        case JsonSource():
            return read_json(shard, source, dataset, stream)
        case _:
            return read_parquet(shard, source, dataset, stream)
