"""The end of a scoring or a training, good or bad: what was published is noted, the lock is released. Repeatable."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nightlake.core import layout, lock
from nightlake.core.dates import parse_date, parse_instant, run_id
from nightlake.core.errors import SnapshotNotFoundError
from nightlake.core.frozen import Frozen
from nightlake.core.history import find_head
from nightlake.core.metrics import Measured
from nightlake.core.model.model_record import Scored
from nightlake.core.model.pin import Purpose
from nightlake.core.model.registry import keep_scored
from nightlake.core.run_record import Failure
from nightlake.core.snapshot import Snapshot
from nightlake.core.store import Store


class ModelEnd(BaseModel):
    """What the state machine tells at the end; what Pin did not get to say is None.

    `snapshot` is the one that was pinned, `champion` the version that scored. `published`: the night of the pipeline
    that publishes has succeeded.
    """

    model_config = ConfigDict(frozen=True)

    pipeline: str
    purpose: Purpose
    run_id: str | None = None
    date: str | None = None
    execution_id: str
    started_at: str
    outcome: Literal["succeeded", "rejected", "failed"]
    snapshot: int | None = None
    champion: int | None = None
    version: int | None = None
    error: Failure | None = None
    published: bool = False


class ModelRun(Frozen):
    """One scoring or training as it ended; times in ISO 8601. `version` is the one that was trained, if any was."""

    pipeline: str
    purpose: Purpose
    run_id: str
    execution_id: str
    date: date | None
    outcome: Literal["succeeded", "rejected", "failed"]
    error: Failure | None
    started_at: str
    ended_at: str
    snapshot: int | None
    champion: int | None
    version: int | None
    published: int | None


def finish(end: ModelEnd, publisher: str | None, *, store: Store, now: datetime) -> ModelRun:
    """Note how it ended and, where a `publisher` has published, from which snapshot the API answers with this version.

    The lock is released last, and only if this execution holds it. Raises SnapshotNotFoundError when it is said to be
    published and is not.
    """
    run = run_id(parse_instant(end.started_at), end.execution_id)
    day = parse_date(end.date) if end.date else None
    scored = None
    if publisher and end.outcome == "succeeded" and end.champion and end.snapshot and day:
        scored = _scored(store, end.pipeline, publisher, day, run, version=end.champion, of=end.snapshot)
        keep_scored(store, scored)
    ended = ModelRun(
        pipeline=end.pipeline,
        purpose=end.purpose,
        run_id=run,
        execution_id=end.execution_id,
        date=day,
        outcome=end.outcome,
        error=end.error,
        started_at=end.started_at,
        ended_at=now.isoformat(timespec="milliseconds"),
        snapshot=end.snapshot,
        champion=end.champion,
        version=end.version,
        published=scored.snapshot if scored else None,
    )
    store.put_model(layout.model_run_record(end.pipeline, run), ended)
    lock.release(store, layout.model_lock(end.pipeline), end.execution_id)
    return ended


def end_metrics(ended: ModelRun) -> Measured:
    """What is emitted of a scoring or a training, once."""
    seconds = (parse_instant(ended.ended_at) - parse_instant(ended.started_at)).total_seconds()
    return Measured(
        {"pipeline": ended.pipeline, "purpose": ended.purpose},
        {"ModelSeconds": ("Seconds", seconds), "ModelRejected": ("Count", ended.outcome == "rejected")},
    )


def _scored(store: Store, pipeline: str, publisher: str, day: date, run: str, *, version: int, of: int) -> Scored:
    """The snapshot that published the day last: while the lock is held, nobody else delivers to the publisher."""
    found = find_head(store, publisher)
    head = found[0] if found else None
    published = store.get_model(head.key, Snapshot) if head else None
    number = next((each.snapshot for each in published.runs if each.date == day), None) if published else None
    kept = head.find_kept(number) if head else None
    if kept is None:
        raise SnapshotNotFoundError(
            f"'{publisher}' is said to have published {day} and keeps no snapshot of it; start the scoring again"
        )
    return Scored(
        pipeline=pipeline,
        version=version,
        publisher=publisher,
        date=day,
        run_id=run,
        of=of,
        snapshot=kept.number,
        key=kept.key,
    )
