"""Where the rows of a key lie: an index beside the snapshots, of which a question reads a pointer and one bucket.

The entries are one object of sorted 64-bit numbers: the upper bits of a key's hash, then the day of its partition. As
hashes are spread evenly, so are buckets. The pointer names the entries, where each bucket begins and which partitions
are covered, by their manifests. An index is a hint, never the truth: a partition that it does not cover is looked into,
and so is one where only the hash is the same. It is built after a snapshot is published, from the partitions that are
new since; a reader needs no two objects to be of the same moment.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from nightlake.core import layout
from nightlake.core.api.condition import Condition
from nightlake.core.api.kept import Kept
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.scan import Scan
from nightlake.core.column_type import parse
from nightlake.core.frozen import Frozen
from nightlake.core.published_keys import hashed
from nightlake.core.snapshot import Partition, PublishedTable
from nightlake.core.store import ObjectNotFoundError, PreconditionFailedError, Store
from nightlake.core.table import arrow_type

if TYPE_CHECKING:
    import numpy as np

MAX_ROWS: Final = 20_000_000
FEW_PARTITIONS: Final = 2
"""So few are looked into as cheaply as an index."""
_DAY_BITS: Final = 22  # of the proleptic ordinal of 9999-12-31
_DAYS: Final = (1 << _DAY_BITS) - 1
_HASH_BITS: Final = 64 - _DAY_BITS
_BUCKET_ENTRIES: Final = 8192
_WIDTH: Final = 8
_UNLIMITED: Final = 1 << 62


class KeyIndex(Frozen):
    """The pointer: `starts` are the first entries of the buckets, and their number at the end."""

    columns: tuple[str, ...]
    entries: str
    starts: tuple[int, ...]
    covered: dict[date, str]


def find_days(source: Kept, pipeline: str, table: PublishedTable, key: Sequence[Condition]) -> list[Partition]:
    """The partitions that may have rows of the key, the newest first."""
    text = source.newest(layout.key_index(pipeline, table.table))
    index = KeyIndex.model_validate_json(text) if text is not None else None
    if index is None or index.columns != tuple(each.column for each in key):
        return list(reversed(table.partitions))
    covered = {each.day for each in table.partitions if index.covered.get(each.day) == each.manifest}
    try:
        found = _days(source, index, _hash(table, key))
    except ObjectNotFoundError:  # collected as garbage since the pointer was read
        found = covered
    return [each for each in reversed(table.partitions) if each.day not in covered or each.day in found]


def _days(source: Kept, index: KeyIndex, digest: int) -> set[date]:
    import numpy as np

    place = (digest >> _DAY_BITS) * (len(index.starts) - 1) >> _HASH_BITS
    first, last = index.starts[place], index.starts[place + 1]
    if first == last:
        return set()
    entries = np.frombuffer(source.get_range(index.entries, first * _WIDTH, last * _WIDTH), "<u8")
    matching = entries[entries >> _DAY_BITS == digest >> _DAY_BITS]
    return {date.fromordinal(int(entry) & _DAYS) for entry in matching}


def _hash(table: PublishedTable, key: Sequence[Condition]) -> int:
    import pyarrow as pa

    kinds = {column.name: arrow_type(parse(column.type)) for column in table.columns}
    digests, _, _ = hashed([pa.array(each.values, kinds[each.column]) for each in key])
    return int(digests[0])


def build_index(store: Store, pipeline: str, table: PublishedTable, primary_key: Sequence[str]) -> KeyIndex | None:
    """Bring a table's index to the state of this snapshot; None for a table that has none or keeps what it had.

    A table of too many rows for one worker's memory gets none.
    """
    columns = {column.name for column in table.columns}
    if (
        not set(primary_key) <= columns
        or not primary_key
        or len(table.partitions) <= FEW_PARTITIONS
        or sum(each.rows for each in table.partitions) > MAX_ROWS
    ):
        return None
    pointer = layout.key_index(pipeline, table.table)
    found = store.find_model(pointer, KeyIndex)
    before, etag = found if found is not None else (None, None)
    covered = before.covered if before is not None and before.columns == tuple(primary_key) else {}
    partitions = {each.day: each.manifest for each in table.partitions}
    if covered == partitions:
        return None
    same = {day for day, manifest in covered.items() if partitions.get(day) == manifest}
    pieces = [*_kept(store, before, same)]
    changed = [each for each in table.partitions if not (pieces and each.day in same)]
    entries = _sorted([*pieces, *_read(store, pipeline, table, changed, primary_key)])
    content = entries.tobytes()
    key = layout.key_index_entries(pipeline, table.table, hashlib.sha256(content).hexdigest()[:40])
    index = KeyIndex(columns=tuple(primary_key), entries=key, starts=_starts(entries), covered=partitions)
    store.put(key, content)
    try:
        store.put_model(pointer, index, if_match=etag, if_none_match=etag is None)
    except PreconditionFailedError:
        return None  # of a snapshot that was published at the same time; what it does not cover is looked into
    return index


def _kept(store: Store, before: KeyIndex | None, days: set[date]) -> "Iterator[np.ndarray]":
    """The entries of these days; nothing where they are gone."""
    import numpy as np

    if before is None or not days:
        return
    try:
        entries = np.frombuffer(store.get(before.entries), "<u8")
    except ObjectNotFoundError:
        return
    ordinals = np.array([day.toordinal() for day in days], np.uint64)
    yield entries[np.isin(entries & np.uint64(_DAYS), ordinals)]


def _read(
    store: Store, pipeline: str, table: PublishedTable, partitions: Iterable[Partition], columns: Sequence[str]
) -> "Iterator[np.ndarray]":
    import numpy as np

    source = Kept(store, most=0)
    for partition in partitions:
        scan = Scan(source, pipeline, table, partition.day, partition.day, (), budget=Budget(_UNLIMITED))
        ordinal = np.uint64(partition.day.toordinal())
        for batch in scan.batches(columns):
            digests, _, known = hashed([batch.rows[name].combine_chunks() for name in columns])
            yield digests[known] & np.uint64(~_DAYS & 0xFFFFFFFFFFFFFFFF) | ordinal


def _sorted(pieces: "Sequence[np.ndarray]") -> "np.ndarray":
    import numpy as np

    return np.unique(np.concatenate([np.empty(0, "<u8"), *pieces]))


def _starts(entries: "np.ndarray") -> tuple[int, ...]:
    import numpy as np

    buckets = len(entries) // _BUCKET_ENTRIES + 1
    bounds = [-(-(bucket << _HASH_BITS) // buckets) << _DAY_BITS for bucket in range(buckets)]
    return (*np.searchsorted(entries, np.array(bounds, "<u8")).tolist(), len(entries))
