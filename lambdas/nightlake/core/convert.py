"""Converts one shard and leaves its receipt: the first attempt that finishes wins."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from tempfile import TemporaryFile
from typing import Final

from nightlake.core import layout
from nightlake.core.errors import SourceChangedError
from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.prefetch import prefetch
from nightlake.core.readers import read
from nightlake.core.readers.answers import read_answers
from nightlake.core.readers.batch import Batch
from nightlake.core.shard import REUSABLE_FOR, Receipt, Shard, ShardFailure, origin
from nightlake.core.shard_output import Attempt, ShardOutput
from nightlake.core.sources import AnySource
from nightlake.core.store import ObjectNotFoundError, PreconditionFailedError, Store

_CAUSE_CHARACTERS: Final = 1_000
_BEYOND_BYTES: Final = 64 << 10

ReadTable = Callable[[Shard, PostgresSource, Dataset], Iterator[Batch]]


@dataclass(frozen=True)
class Meter:
    """What a conversion is billed by: seconds of `clock` while it has `memory_mb`."""

    memory_mb: int
    clock: Callable[[], float]


def convert(
    shard: Shard,
    pipeline: Pipeline,
    attempt: Attempt,
    *,
    raw: Store,
    staging: Store,
    quarantine: Store,
    table: ReadTable | None = None,
    meter: Meter | None = None,
) -> Receipt:
    """The receipt of the shard: an earlier one whose files still lie there, else the one of this attempt.

    `table` reads the rows of a source that is a table. Raises SourceChangedError when the planned version of the object
    is gone, BalanceError when records were lost, and the errors of `readers` for an object that cannot be read at all.
    """
    began = meter.clock() if meter else 0.0
    key = layout.receipt(shard.pipeline, shard.dataset, shard.fingerprint)
    earlier = staging.find_model(key, Receipt)
    if earlier is not None and _stands(earlier[0], staging, quarantine, now=attempt.at):
        return earlier[0]
    with TemporaryFile() as spill:
        output = ShardOutput(shard, pipeline, attempt, origin=origin(shard, raw.bucket), spill=spill, staging=staging)
        for batch in _batches(shard, output.columns.source, output.columns.dataset, raw, table):
            output.take(batch)
        receipt = output.finish(quarantine)
    if meter:
        seconds = round(meter.clock() - began, 3)
        receipt = receipt.model_copy(update={"seconds": seconds, "memory_mb": meter.memory_mb})
    try:
        staging.put_model(key, receipt, if_match=None if earlier is None else earlier[1], if_none_match=earlier is None)
    except PreconditionFailedError:
        first = staging.find_model(key, Receipt)
        if first is None:
            raise
        return first[0]  # nothing reads the files of this attempt; they expire
    return receipt


def note_failure(shard: Shard, run_id: str, error: Exception, lake: Store) -> None:
    """Leave the error where Validate looks for what became of a shard without a receipt."""
    note = ShardFailure(shard=shard, run_id=run_id, error=type(error).__name__, cause=str(error)[:_CAUSE_CHARACTERS])
    key = layout.failure(shard.pipeline, shard.date, run_id, shard.dataset, shard.fingerprint)
    with suppress(Exception):  # the error itself is what must be heard, also when the lake is what fails
        lake.put_model(key, note)


def _stands(receipt: Receipt, staging: Store, quarantine: Store, *, now: datetime) -> bool:
    """Whether every file that the receipt names is still what it was, and will be for the night: staging expires."""
    files = [(staging, file.key, file.etag) for file in receipt.files]
    if receipt.quarantine is not None:
        files.append((quarantine, receipt.quarantine.key, receipt.quarantine.etag))
    found = [(store.head(key), etag) for store, key, etag in files]
    return all(info is not None and info.etag == etag and info.modified + REUSABLE_FOR > now for info, etag in found)


def _batches(shard: Shard, source: AnySource, dataset: Dataset, raw: Store, table: ReadTable | None) -> Iterator[Batch]:
    match source:
        case PostgresSource():
            if table is None:
                raise TypeError("a source of kind 'postgres' needs `table`")
            return table(shard, source, dataset)
        case HttpSource():
            return read_answers(shard, source, dataset, _stream(shard, raw))
        case _:
            return read(shard, source, dataset, _stream(shard, raw))


def _stream(shard: Shard, raw: Store) -> Callable[[int, int], Iterator[bytes]]:
    """The bytes of the planned version of the object: those of the shard are read ahead.

    Beyond it, where its last record ends, as many are asked for as were needed before, and few to begin with.
    """

    def stream(start: int, end: int) -> Iterator[bytes]:
        try:
            if start < shard.end:
                yield from prefetch(part(start, min(end, shard.end)))
            at, size = max(start, shard.end), _BEYOND_BYTES
            while at < end:
                yield from part(at, min(end, at + size))
                at, size = at + size, 2 * size
        except ObjectNotFoundError as error:
            raise SourceChangedError(
                f"s3://{raw.bucket}/{shard.object.key} was planned in version {shard.object.version_id}, which is gone "
                f"({error}); deliver it again or rerun the date"
            ) from error

    def part(start: int, end: int) -> Iterator[bytes]:
        return raw.stream(shard.object.key, start, end, shard.object.version_id)

    return stream
