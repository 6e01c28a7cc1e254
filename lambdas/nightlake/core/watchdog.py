"""Whether the night that is due has begun and is there: silence emits no metric, so somebody has to look."""

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from nightlake.core import layout
from nightlake.core.cron import last_firing
from nightlake.core.dates import business_date, parse_instant
from nightlake.core.frozen import Frozen
from nightlake.core.history import find_head
from nightlake.core.lock import RUNNING, Executions, Lock, Owner
from nightlake.core.metrics import Measured, Unit
from nightlake.core.night_times import ready_at
from nightlake.core.pipeline import Pipeline, Schedule
from nightlake.core.snapshot import KeptSnapshot
from nightlake.core.store import Store

# EventBridge fires within a minute and Prepare is quick: a night that has not begun by then needs a person.
START: Final = timedelta(minutes=5)


class Watched(Frozen):
    """Since when this schedule is watched: no night is missed that was due before."""

    schedule: Schedule
    since: datetime


class Watch(Frozen):
    """What the watchdog sees of one pipeline; `due` is None before the first night that it expects.

    `started`: a run of the night exists; `ended`: it runs no more. `published_at`: the business date has been published
    since it was due, by whatever run. `waiting`: the sources that have not been delivered, while the night may still
    wait for them. `deadline`: when the night has to be published, as far as that is known yet.
    """

    pipeline: str
    due: datetime | None = None
    day: date | None = None
    started: bool = False
    ended: bool = False
    published_at: datetime | None = None
    waiting: tuple[str, ...] = ()
    deadline: datetime | None = None
    not_started: bool = False
    not_finished: bool = False
    minutes_late: float = 0.0
    hours_old: float | None = None


def watch(pipeline: Pipeline, lake: Store, executions: Executions, *, now: datetime) -> Watch:
    """Look at the night that was due last.

    It is not started when nothing has begun within `START`, and not finished when its business date is not published
    and either its run has ended, or the contract's latency is over since `START` or, if that was later, since the last
    source was ready; sources may be as late as they declare. A night stays unfinished until its date is published or
    the next one is due. So a latency longer than the time between two nights is not watched here; the time limit of
    the state machine is.
    """
    head = find_head(lake, pipeline.name)
    kept = head[0].kept if head else ()
    seen = Watch(pipeline=pipeline.name, hours_old=_hours_old(pipeline, kept, now))
    cron = pipeline.schedule.cron
    due = None if cron is None else last_firing(cron, timezone=pipeline.schedule.timezone, now=now)
    if due is None or due < _watched_since(pipeline, lake, now):
        return seen
    rule = pipeline.business_date
    day = business_date(due, offset_days=rule.offset_days, timezone=rule.timezone)
    owner = _owner(pipeline.name, lake, due, day)
    published_at = _published_at(kept, day, due)
    planned = ready_at(lake, pipeline.name, day, owner.run_id) if owner else None
    ready, waiting = _readiness(pipeline, due, planned, now)
    deadline = None if waiting else max(due + START, ready) + timedelta(minutes=pipeline.latency_minutes)
    ended = owner is not None and executions.status(owner.execution_id) != RUNNING
    late = ended or (deadline is not None and now >= deadline)
    return seen.model_copy(
        update={
            "due": due,
            "day": day,
            "started": owner is not None,
            "ended": ended,
            "published_at": published_at,
            "waiting": waiting if published_at is None else (),
            "deadline": deadline,
            "not_started": owner is None and published_at is None and now >= due + START,
            "not_finished": published_at is None and late,
            "minutes_late": ((published_at or now) - due).total_seconds() / 60,
        }
    )


def watch_metrics(seen: Watch) -> Measured:
    """Gauges: each look says how it stands, so that looking twice changes nothing."""
    values: dict[str, tuple[Unit, float]] = {
        "NotStarted": ("Count", seen.not_started),
        "NotFinished": ("Count", seen.not_finished),
    }
    if seen.due is not None:
        values["LatenessMinutes"] = ("None", seen.minutes_late)
    if seen.hours_old is not None:
        values["FreshnessHours"] = ("None", seen.hours_old)
    return Measured({"pipeline": seen.pipeline}, values)


def deployments(number: int) -> Measured:
    """The marker of a change of the stack, and zeros between the markers: an alarm over a metric with gaps would stay
    on for longer than it says.
    """
    return Measured({}, {"Deployments": ("Count", number)})


def _watched_since(pipeline: Pipeline, lake: Store, now: datetime) -> datetime:
    """When this schedule was seen first, which is now when nobody has noted it."""
    key = layout.watch(pipeline.name)
    found = lake.find_model(key, Watched)
    if found is not None and found[0].schedule == pipeline.schedule:
        return found[0].since
    lake.put_model(key, Watched(schedule=pipeline.schedule, since=now))
    return now


def _owner(pipeline: str, lake: Store, due: datetime, day: date) -> Owner | None:
    """Whose run has the trigger of this minute, or else that has the date now: a person may have been quicker."""
    minute = layout.trigger(pipeline, due.isoformat()).removesuffix("00+0000.json")
    trigger = next(lake.list(minute), None)
    owner = lake.find_model(trigger.key, Owner) if trigger else None
    if owner is not None:
        return owner[0]
    lock = lake.find_model(layout.date_lock(pipeline, day), Lock)
    return lock[0].owner if lock else None


def _published_at(kept: tuple[KeptSnapshot, ...], day: date, due: datetime) -> datetime | None:
    times = (parse_instant(snapshot.created_at) for snapshot in kept if snapshot.date == day)
    return min((at for at in times if at >= due), default=None)


def _readiness(
    pipeline: Pipeline, due: datetime, planned: Mapping[str, datetime] | None, now: datetime
) -> tuple[datetime, tuple[str, ...]]:
    """When the last source was ready, or has to be, and the sources that the night may still wait for; a night that
    has not begun (no `planned`) waits for none.
    """
    if planned is None:
        return due, ()
    waits = {
        source.dataset: due + timedelta(minutes=source.ready.deadline_minutes)
        for source in pipeline.sources
        if source.dataset not in planned
    }
    waiting = tuple(dataset for dataset, until in waits.items() if now < until)
    return max((due, *planned.values(), *waits.values())), waiting


def _hours_old(pipeline: Pipeline, kept: tuple[KeptSnapshot, ...], now: datetime) -> float | None:
    """Hours since the end of the newest day that was published, or None before the first."""
    newest = max((snapshot.date for snapshot in kept), default=None)
    if newest is None:
        return None
    end = datetime.combine(newest + timedelta(days=1), time(), ZoneInfo(pipeline.business_date.timezone))
    return max(0.0, math.floor((now - end).total_seconds() / 60) / 60)
