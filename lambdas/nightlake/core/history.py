"""What is published and what can be again: HEAD is read and moved here, and nowhere else."""

from datetime import date
from typing import Final

from nightlake.core import layout
from nightlake.core.errors import PublishContendedError, SnapshotNotFoundError
from nightlake.core.snapshot import Head, KeptSnapshot, PublishedTable, Snapshot
from nightlake.core.store import PreconditionFailedError, Store

TRIES: Final = 8
MAX_KEPT: Final = 400  # more than a year of nights; older ones are left to garbage collection
_NAMED: Final = 10


def find_head(store: Store, pipeline: str) -> tuple[Head, str] | None:
    """HEAD and its ETag; None before the first publication."""
    return store.find_model(layout.head(pipeline), Head)


def find_snapshot(store: Store, pipeline: str, number: int | None) -> Snapshot | None:
    """The snapshot of this number; None where HEAD does not keep it."""
    found = find_head(store, pipeline)
    kept = found[0].find_kept(number) if found else None
    snapshot = store.find_model(kept.key, Snapshot) if kept else None
    return snapshot[0] if snapshot else None


def published_table(store: Store, pipeline: str, table: str) -> PublishedTable | None:
    """The table in the published snapshot; None before its first publication."""
    head = find_head(store, pipeline)
    tables = store.get_model(head[0].key, Snapshot).tables if head else ()
    return next((each for each in tables if each.table == table), None)


def move_head(store: Store, head: Head, *, etag: str | None) -> None:
    """Put HEAD where the HEAD of this ETag is now, or where there is none: the commit.

    Raises PreconditionFailedError when another was quicker.
    """
    store.put_model(layout.head(head.pipeline), head, if_match=etag, if_none_match=etag is None)


def advanced(head: Head | None, snapshot: Snapshot, key: str) -> Head:
    """The HEAD that publishes a new snapshot after this one."""
    kept = KeptSnapshot(
        number=snapshot.number, key=key, run_id=snapshot.run_id, date=snapshot.date, created_at=snapshot.created_at
    )
    return Head(
        pipeline=snapshot.pipeline,
        snapshot=snapshot.number,
        key=key,
        latest=snapshot.number,
        revision=head.revision + 1 if head else 0,
        kept=((head.kept if head else ()) + (kept,))[-MAX_KEPT:],
    )


def newest_day(head: Head) -> date | None:
    """The last day of which HEAD keeps a snapshot, wherever it points."""
    return max((kept.date for kept in head.kept), default=None)


def published_by(head: Head, run_id: str) -> KeptSnapshot | None:
    """The snapshot that the run published; None where HEAD keeps none of it."""
    return next((kept for kept in head.kept if kept.run_id == run_id), None)


def rollback(store: Store, pipeline: str, to: int | None = None) -> tuple[int, int]:
    """Move HEAD to the snapshot before the published one, or to the kept one of number `to`, backward or forward.

    Returns the numbers before and after. What it leaves stays kept. Raises SnapshotNotFoundError naming what can be
    published, or PublishContendedError.
    """
    for _ in range(TRIES):
        found = find_head(store, pipeline)
        if found is None:
            raise SnapshotNotFoundError(f"Pipeline '{pipeline}' has published nothing yet; run a night first")
        head, etag = found
        target = _target(store, head, to)
        if target.number == head.snapshot:
            return head.snapshot, target.number
        moved = head.model_copy(update={"snapshot": target.number, "key": target.key, "revision": head.revision + 1})
        try:
            move_head(store, moved, etag=etag)
        except PreconditionFailedError:
            continue
        return head.snapshot, target.number
    raise PublishContendedError(f"HEAD of '{pipeline}' moved {TRIES} times meanwhile; roll back again")


def _target(store: Store, head: Head, to: int | None) -> KeptSnapshot:
    number = _parent(store, head) if to is None else to
    if (kept := head.find_kept(number)) is not None:
        return kept
    newest = ", ".join(str(kept.number) for kept in reversed(head.kept[-_NAMED:]))
    missing = f"no snapshot before {head.snapshot}" if number is None else f"no snapshot {number}"
    raise SnapshotNotFoundError(
        f"Pipeline '{head.pipeline}' keeps {missing} (of {len(head.kept)}, the newest: {newest}); "
        "one that was garbage-collected comes back only by running its dates again"
    )


def _parent(store: Store, head: Head) -> int | None:
    """The number of the snapshot that the published one was made from; none where HEAD has moved on meanwhile."""
    found = store.find_model(head.key, Snapshot)
    return found[0].parent if found else None
