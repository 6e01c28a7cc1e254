"""Reads the answers of an HTTP API as they were landed: one JSON envelope a line, its body as it came."""

from collections.abc import Callable, Iterator

from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch
from nightlake.core.shard import Shard

Stream = Callable[[int, int], Iterator[bytes]]


def read_answers(shard: Shard, source: HttpSource, dataset: Dataset, stream: Stream) -> Iterator[Batch]:
    """The records of all answers in one landed object."""
    raise NotImplementedError
