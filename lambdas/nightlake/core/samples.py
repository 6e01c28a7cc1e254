"""A few refused rows by their keys, for an alert: enough to find them in the source, and nothing private."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from nightlake.core.api.ranged_file import Budget, RangedFile
from nightlake.core.brief import shorten
from nightlake.core.header import source_names
from nightlake.core.keep_refused import placed
from nightlake.core.mask import MASK, kept_fields
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.json_record import find
from nightlake.core.shard import Receipt, Shard
from nightlake.core.sources import AnySource
from nightlake.core.store import Store

SAMPLES: Final = 5
_VALUE_LENGTH: Final = 60
_RULES: Final = 3
_COLUMNS: Final = ("object", "line", "rules", "raw")


def samples(
    dataset: Dataset, source: AnySource, receipts: Sequence[Receipt], quarantine: Store, *, limit: int = SAMPLES
) -> tuple[str, ...]:
    """The first refused rows of a source: place, key where it can be read and is not private, and the rules broken.

    At most `limit`, in the order of the shards, each of bounded length.
    """
    return tuple(islice(_samples(dataset, source, receipts, quarantine, limit), limit))


def _samples(
    dataset: Dataset, source: AnySource, receipts: Sequence[Receipt], quarantine: Store, limit: int
) -> Iterator[str]:
    for receipt, lines in placed(receipts):
        for row in _rows(receipt, quarantine, limit):
            key = _key(dataset, source, receipt.shard, row["raw"])
            named = ", ".join(f"{name} = {_shown(value)}" for name, value in key.items())
            place = row["object"] if row["line"] is None else f"line {row['line'] + lines} of {row['object']}"
            yield f"{named + ', ' if named else ''}{place}: {', '.join((row['rules'] or ())[:_RULES])}"


def _rows(receipt: Receipt, quarantine: Store, limit: int) -> Iterator[dict[str, Any]]:
    """The first rows of a quarantine file, of which no more is read than they need; none where it is not as it was."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = receipt.quarantine
    found = None if file is None else quarantine.head(file.key)
    if file is None or found is None or found.etag != file.etag:
        return
    ranged = RangedFile(quarantine, file.key, found.size, Budget())
    try:
        batches = pq.ParquetFile(pa.PythonFile(ranged, "r")).iter_batches(limit, columns=list(_COLUMNS))
        yield from next(batches).to_pylist()
    except (pa.ArrowInvalid, StopIteration):
        return  # that it is no Parquet file is a finding of its own


def _key(dataset: Dataset, source: AnySource, shard: Shard, raw: str) -> dict[str, str]:
    """The values of the primary key as the masked text of the row has them; empty where it cannot be read."""
    private = {column.name for column in dataset.columns if column.private}
    names = source_names(source, dataset)
    record = kept_fields(raw, source, shard.header or ())
    if not record:
        return {}
    values = {name: find(record, names[name]) for name in dataset.primary_key}
    return {name: MASK if name in private else str(value) for name, value in values.items()}


def _shown(value: str) -> str:
    return shorten(value if value.isprintable() else ascii(value), _VALUE_LENGTH)
