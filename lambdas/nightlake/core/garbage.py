"""Garbage: what no kept snapshot names and no running run may still publish is tagged, and S3 expires what is tagged.

The order of the steps is the proof. First list, so that what a run writes later is no candidate. Then take the locks
of ended executions away, then move HEAD: a run that was stopped but still works loses either its lock or the race.
Only then read what HEAD keeps, and what a model answers from.
"""

from collections.abc import Callable, Iterable
from typing import Final

from nightlake.core import layout, lock
from nightlake.core.api.file_list import file_list_key
from nightlake.core.api.key_index import KeyIndex
from nightlake.core.errors import PublishContendedError
from nightlake.core.frozen import Frozen
from nightlake.core.history import TRIES, find_head, move_head
from nightlake.core.lock import Executions, Lock
from nightlake.core.model.registry import scored_snapshots
from nightlake.core.parallel import each
from nightlake.core.snapshot import Head, PartitionManifest, Snapshot
from nightlake.core.store import ObjectInfo, ObjectNotFoundError, PreconditionFailedError, Store

# The lake bucket's lifecycle rule expires what carries this tag.
SUPERSEDED: Final = {"superseded": "true"}
WORKERS: Final = 16


class Garbage(Frozen):
    """What was (or in a dry run: would be) tagged and deleted; `bytes` are those of the tagged data files."""

    kept_snapshots: int
    deleted_snapshots: int
    deleted_manifests: int
    superseded_files: int
    bytes: int
    dry_run: bool


def collect_garbage(
    store: Store,
    executions: Executions,
    *,
    pipeline: str,
    keep: int,
    dry_run: bool,
    models: Iterable[str] = (),
    workers: int = WORKERS,
) -> Garbage:
    """Keep the newest `keep` snapshots, the published one, and those that versions of `models` (the names of the
    pipelines whose models deliver to this one) answer from. Raises PublishContendedError.
    """
    data = list(store.list(layout.data(pipeline)))
    written = list(store.list(layout.snapshots(pipeline)))
    running = _running(store, executions, pipeline, dry_run=dry_run, workers=workers)
    head = _trim(store, pipeline, keep, dry_run=dry_run)
    if head is None:
        return Garbage(
            kept_snapshots=0, deleted_snapshots=0, deleted_manifests=0, superseded_files=0, bytes=0, dry_run=dry_run
        )
    kept = {one.key for one in head.kept}
    scored = {key for model in models for key in scored_snapshots(store, model, pipeline)} - kept
    snapshots = each(lambda key: store.get_model(key, Snapshot), sorted(kept), workers=workers)
    snapshots += [found[0] for key in sorted(scored) if (found := store.find_model(key, Snapshot)) is not None]
    manifests = {
        partition.manifest for snapshot in snapshots for table in snapshot.tables for partition in table.partitions
    }
    named = {
        file.key
        for manifest in each(lambda key: store.get_model(key, PartitionManifest), sorted(manifests), workers=workers)
        for file in (*manifest.files, *manifest.replaced)
    }
    superseded = [found for found in data if found.key not in named and layout.run_of(found.key) not in running]
    stale_manifests = _stale_manifests(store, pipeline, written, manifests, running, workers=workers)
    stale_snapshots = _stale_snapshots(pipeline, written, kept | scored, running)
    if not dry_run:
        each(_tagger(store), [found.key for found in superseded], workers=workers)
        store.delete([*stale_snapshots, *stale_manifests, *_stale_entries(store, pipeline, written, snapshots)])
    return Garbage(
        kept_snapshots=len(snapshots),
        deleted_snapshots=len(stale_snapshots),
        deleted_manifests=len(stale_manifests),
        superseded_files=len(superseded),
        bytes=sum(found.size for found in superseded),
        dry_run=dry_run,
    )


def _running(store: Store, executions: Executions, pipeline: str, *, dry_run: bool, workers: int) -> set[str]:
    """The runs that hold a lock; locks of executions that have ended are released.

    The lock of the model is passed over: its runs write no data.
    """

    def owner(found: ObjectInfo) -> str | None:
        lock_and_etag = store.find_model(found.key, Lock)
        holder = lock_and_etag[0].owner if lock_and_etag else None
        if holder is None:
            return None
        if executions.status(holder.execution_id) == lock.RUNNING:
            return holder.run_id
        if not dry_run:
            lock.release(store, found.key, holder.execution_id)
        return None

    locks = (found for found in store.list(layout.locks(pipeline)) if found.key != layout.model_lock(pipeline))
    return {run_id for run_id in each(owner, locks, workers=workers) if run_id}


def _trim(store: Store, pipeline: str, keep: int, *, dry_run: bool) -> Head | None:
    """Let HEAD forget older snapshots; it moves even when it forgets none."""
    for _ in range(TRIES):
        found = find_head(store, pipeline)
        if found is None:
            return None
        head, etag = found
        newest = {kept.number for kept in head.kept[-keep:]}
        kept = tuple(each for each in head.kept if each.number in newest or each.number == head.snapshot)
        trimmed = head.model_copy(update={"kept": kept, "revision": head.revision + 1})
        if dry_run:
            return trimmed
        try:
            move_head(store, trimmed, etag=etag)
        except PreconditionFailedError:
            continue
        return trimmed
    raise PublishContendedError(f"HEAD of '{pipeline}' moved {TRIES} times meanwhile; collect again")


def _stale_manifests(
    store: Store, pipeline: str, written: Iterable[ObjectInfo], kept: set[str], running: set[str], *, workers: int
) -> list[str]:
    prefix = layout.partition_manifests(pipeline)
    candidates = [found.key for found in written if found.key.startswith(prefix) and found.key not in kept]
    found = each(lambda key: store.find_model(key, PartitionManifest), candidates, workers=workers)
    return [
        key
        for key, manifest in zip(candidates, found, strict=True)
        if manifest is not None and layout.run_of(manifest[0].location) not in running
    ]


def _stale_snapshots(pipeline: str, written: Iterable[ObjectInfo], kept: set[str], running: set[str]) -> list[str]:
    own = (layout.head(pipeline), layout.partition_manifests(pipeline), layout.key_indexes(pipeline))
    return [
        found.key
        for found in written
        if not found.key.startswith(own)
        and found.key not in kept
        and not any(found.key.endswith(f"-{run_id}.json") for run_id in running)
    ]


def _stale_entries(
    store: Store, pipeline: str, written: Iterable[ObjectInfo], snapshots: Iterable[Snapshot]
) -> list[str]:
    """Entries of indexes that no pointer names any more, and lists of files of no kept snapshot.

    What is deleted of a run that has just published is made anew by the next, and missed by nobody meanwhile.
    """
    found = {each.key for each in written if each.key.startswith(layout.key_indexes(pipeline))}
    pointers = {key for key in found if key.endswith(".json")}
    read = (store.find_model(key, KeyIndex) for key in pointers)
    named = {index[0].entries for index in read if index is not None}
    named |= {file_list_key(pipeline, table) for snapshot in snapshots for table in snapshot.tables}
    return sorted(found - pointers - named)


def _tagger(store: Store) -> Callable[[str], None]:
    def tag(key: str) -> None:
        try:
            store.tag(key, SUPERSEDED)
        except ObjectNotFoundError:
            return  # expired since it was listed

    return tag
