"""The first decision of a scoring or a training: which snapshot, which champion, and whether anything is to do."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nightlake.core import layout, lock
from nightlake.core.dates import parse_instant, run_id
from nightlake.core.errors import SnapshotNotFoundError, TrainingDataMissingError
from nightlake.core.history import find_head, find_snapshot
from nightlake.core.lock import Executions, Owner
from nightlake.core.model.registry import champion_version, find_scored
from nightlake.core.snapshot import Snapshot
from nightlake.core.store import Store

Purpose = Literal["recommend", "retrain"]


class ModelInput(BaseModel):
    """What starts an execution. What an event says of its night is not needed: HEAD is read when the lock is held.

    `retrained`: a training started it, so that it starts none; `again`: also what has been scored is scored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str | None = None
    retrained: bool = False
    again: bool = False


class ModelStart(BaseModel):
    """What the state machine tells: the execution's input, ARN and start (ISO 8601)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    purpose: Purpose
    input: ModelInput
    execution_id: str
    started_at: str


class Pinned(BaseModel):
    """What the execution works on, whatever is published or promoted meanwhile.

    `snapshot` is that of HEAD, `date` its newest business date, `champion` a version or 0 for none. `duplicate`: the
    champion has scored this snapshot, and there is nothing to do.
    """

    model_config = ConfigDict(frozen=True)

    pipeline: str
    date: date
    run_id: str
    snapshot: int
    champion: int
    needs_training: bool
    duplicate: bool
    retrained: bool
    reason: str


def pin(start: ModelStart, *, store: Store, executions: Executions) -> Pinned:
    """The same for every retry of an execution, which holds the lock of the model unless there is nothing to do.

    Raises InvalidScheduledTimeError, RunInProgressError when another execution has the lock, TrainingDataMissingError
    when no night has published yet.
    """
    started_at = parse_instant(start.started_at)
    owner = Owner(
        execution_id=start.execution_id, run_id=run_id(started_at, start.execution_id), since=started_at.isoformat()
    )
    key = layout.model_lock(start.pipeline)
    lock.acquire(store, executions, key, owner)
    try:
        pinned = _pinned(start, owner.run_id, store)
    except Exception:
        lock.release(store, key, owner.execution_id)
        raise
    if pinned.duplicate:
        lock.release(store, key, owner.execution_id)
    return pinned


def _pinned(start: ModelStart, run: str, store: Store) -> Pinned:
    found = find_head(store, start.pipeline)
    if found is None:
        raise TrainingDataMissingError(f"'{start.pipeline}' has published nothing to learn from yet; run a night first")
    snapshot = store.get_model(found[0].key, Snapshot)
    champion = champion_version(store, start.pipeline)
    scored = find_scored(store, start.pipeline, champion) if champion else None
    is_scored = scored is not None and scored.of == snapshot.number and not start.input.again
    return Pinned(
        pipeline=start.pipeline,
        date=newest_date(snapshot),
        run_id=run,
        snapshot=snapshot.number,
        champion=champion,
        needs_training=start.purpose == "retrain" or not champion,
        duplicate=start.purpose == "recommend" and is_scored,
        retrained=start.input.retrained,
        reason=start.input.reason or ("first" if not champion else "asked"),
    )


def newest_date(snapshot: Snapshot) -> date:
    """The last business date that the snapshot has."""
    return max((run.date for run in snapshot.runs), default=snapshot.date)


def pinned_snapshot(store: Store, pipeline: str, number: int) -> Snapshot:
    """The snapshot that was pinned. Raises SnapshotNotFoundError when it is not kept any more."""
    snapshot = find_snapshot(store, pipeline, number)
    if snapshot is None:
        raise SnapshotNotFoundError(
            f"Snapshot {number} of '{pipeline}' was pinned and is not kept any more; start again from the newest"
        )
    return snapshot
