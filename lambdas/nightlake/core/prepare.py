"""The first decision of a night: which day, which run, which tables must exist, and whether it may run at all."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict

from nightlake.core import layout, lock
from nightlake.core.databases import Databases
from nightlake.core.dates import business_date, parse_instant, requested_date, run_id
from nightlake.core.define_table import tables_of
from nightlake.core.errors import InvalidInputError, RunInProgressError
from nightlake.core.frozen import Frozen
from nightlake.core.lock import Executions, Owner
from nightlake.core.pipeline import Pipeline
from nightlake.core.source import S3Source
from nightlake.core.store import Store


class Delivered(BaseModel):
    """An object that has landed in the raw bucket, and what S3 numbers the event with; `at` in ISO 8601."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    sequencer: str
    at: str


class RunInput(BaseModel):
    """What starts an execution: nothing, `scheduled_time` or a `delivered` object from the trigger, or the `date` that
    a person asks for.

    A `backfill` runs beside the nights, where a run of a person waits for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduled_time: str | None = None
    date: str | None = None
    delivered: Delivered | None = None
    backfill: bool = False


class Start(BaseModel):
    """What the state machine tells Prepare: the execution's input, ARN and start (ISO 8601)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    input: RunInput
    execution_id: str
    started_at: str


class TableName(Frozen):
    """A table that must exist, by name only: its definition would not fit through Step Functions with all others."""

    database: str
    name: str


class Run(BaseModel):
    """The run as every later state knows it; `year`, `month` and `day` are the partition values of `date`.

    `scheduled_at` is None when a person named the date. `merges`, `views` and `reports` are names of SQL files, in
    the order in which they run. `sources` will say how each source's branch ended. `duplicate`: the trigger came twice,
    and this execution has nothing to do.
    """

    model_config = ConfigDict(frozen=True)

    pipeline: str
    date: date
    year: str
    month: str
    day: str
    run_id: str
    contract_hash: str
    scheduled_at: str | None
    backfill: bool
    duplicate: bool
    tables: tuple[TableName, ...]
    merges: tuple[str, ...]
    views: tuple[str, ...]
    reports: tuple[str, ...]
    sources: tuple[()] = ()


def prepare(
    start: Start,
    pipeline: Pipeline,
    *,
    store: Store,
    executions: Executions,
    databases: Databases,
    views: Sequence[str],
    reports: Sequence[str],
) -> Run:
    """The run that this execution is, holding its locks: the same for every retry of it.

    Raises InvalidScheduledTimeError, InvalidDateError or InvalidInputError when the input names no day that a run can
    be for, and RunInProgressError when another execution has the date or, unless one of them is a backfill, the
    pipeline.
    """
    started_at = parse_instant(start.started_at)
    scheduled_time, delivered = start.input.scheduled_time, start.input.delivered
    told_at = delivered.at if delivered else scheduled_time
    scheduled_at = started_at if told_at is None else parse_instant(told_at)
    rule = pipeline.business_date
    today = business_date(started_at, offset_days=0, timezone=rule.timezone)
    owner = Owner(
        execution_id=start.execution_id, run_id=run_id(started_at, start.execution_id), since=started_at.isoformat()
    )
    duplicate = False
    if start.input.date is not None:
        day = requested_date(start.input.date, today=today)
    elif delivered is not None:
        day = requested_date(_day_of(delivered.key, pipeline), today=today)
        told = layout.delivered(pipeline.name, delivered.key, delivered.sequencer)
        duplicate = lock.is_duplicate(store, executions, told, owner)
    else:
        day = business_date(scheduled_at, offset_days=rule.offset_days, timezone=rule.timezone)
        if scheduled_time is not None:
            trigger = layout.trigger(pipeline.name, scheduled_at.isoformat())
            duplicate = lock.is_duplicate(store, executions, trigger, owner)
    if not duplicate:
        _acquire(store, executions, pipeline.name, day, owner, backfill=start.input.backfill)
    year, month, day_of_month = day.isoformat().split("-")
    return Run(
        pipeline=pipeline.name,
        date=day,
        year=year,
        month=month,
        day=day_of_month,
        run_id=owner.run_id,
        contract_hash=pipeline.contract_hash,
        scheduled_at=None if start.input.date else scheduled_at.isoformat(),
        backfill=start.input.backfill,
        duplicate=duplicate,
        tables=tuple(
            TableName(database=database, name=table.name) for database, table in tables_of(pipeline, databases)
        ),
        merges=pipeline.merge,
        views=tuple(views),
        reports=tuple(reports),
    )


def _day_of(key: str, pipeline: Pipeline) -> str:
    """The day whose delivery the object is. Raises InvalidInputError."""
    day = pipeline.day_of(key)
    if day is None:
        paths = ", ".join(source.path for source in pipeline.sources if isinstance(source, S3Source))
        raise InvalidInputError(
            f"The object {key!r} that has landed is of no day that '{pipeline.name}' reads ({paths}); move it there"
        )
    return day.isoformat()


def _acquire(store: Store, executions: Executions, pipeline: str, day: date, owner: Owner, *, backfill: bool) -> None:
    """The lock of the date first, that of the pipeline last: in one order, so that no two wait for each other."""
    date_lock = layout.date_lock(pipeline, day)
    lock.acquire(store, executions, date_lock, owner)
    if backfill:
        return
    try:
        lock.acquire(store, executions, layout.pipeline_lock(pipeline), owner)
    except RunInProgressError:
        lock.release(store, date_lock, owner.execution_id)
        raise
