"""The end of a run, good or bad: its record is written, its locks are released. It can be repeated."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nightlake.core import layout, lock
from nightlake.core.catalog import Catalog
from nightlake.core.dates import parse_date, parse_instant, run_id
from nightlake.core.errors import InvalidDateError
from nightlake.core.history import find_head, published_by
from nightlake.core.night_times import night_times
from nightlake.core.pipeline import Pipeline
from nightlake.core.prices import load_prices
from nightlake.core.run_record import (
    Failure,
    ReportRecord,
    RunRecord,
    SourceEnd,
    audits,
    missing,
    sealed_tables,
    sources,
)
from nightlake.core.shard_bill import conversion_bill
from nightlake.core.store import Store


class End(BaseModel):
    """What the state machine tells at the end; a run that failed early has no sources and no reports.

    `date` is no day where Prepare did not get so far.
    """

    model_config = ConfigDict(frozen=True)

    pipeline: str
    date: str
    execution_id: str
    started_at: str
    outcome: Literal["succeeded", "failed"]
    error: Failure | None = None
    sources: tuple[SourceEnd, ...] = ()
    reports: tuple[ReportRecord, ...] = ()


def complete(
    end: End, pipeline: Pipeline, *, lake: Store, raw: Store, catalog: Catalog, staging_database: str, now: datetime
) -> tuple[RunRecord, str]:
    """Write the record, drop what the run's merges left in the catalog, and release what this execution holds.

    Locks that are another's by now stay theirs. Returns the record and its key.
    """
    run = run_id(parse_instant(end.started_at), end.execution_id)
    day = _day(end.date)
    head = find_head(lake, pipeline.name)
    snapshot = published_by(head[0], run) if head else None
    judged = tuple(sources(pipeline, day, run, end.sources, lake=lake, raw=raw, now=now)) if day else ()
    record = RunRecord(
        pipeline=pipeline.name,
        date=day,
        run_id=run,
        execution_id=end.execution_id,
        outcome=end.outcome,
        error=end.error,
        started_at=end.started_at,
        ended_at=now.isoformat(timespec="milliseconds"),
        contract_hash=pipeline.contract_hash,
        sources=judged,
        missing=missing(pipeline, judged),
        audits=tuple(audits(lake, pipeline, day, run)) if day else (),
        tables=tuple(sealed_tables(lake, pipeline, day, run)) if day else (),
        snapshot=snapshot.number if snapshot else None,
        reports=end.reports,
        conversion=conversion_bill(
            converted=sum(source.shards - source.reused for source in judged),
            gb_seconds=sum(source.gb_seconds for source in judged),
            prices=load_prices(),
        ),
        times=night_times(
            lake,
            pipeline.name,
            day,
            run,
            started_at=parse_instant(end.started_at),
            published_at=parse_instant(snapshot.created_at) if snapshot else None,
            ended_at=now,
        )
        if day
        else None,
    )
    key = layout.record(pipeline.name, run)
    lake.put_model(key, record)
    if day is not None:
        from nightlake.core.audit_merge import drop_attempts  # sqlglot comes with it

        drop_attempts(pipeline, day=day, run_id=run, lake=lake, catalog=catalog, database=staging_database)
    for lock_key in _locks(lake, pipeline.name, day):
        lock.release(lake, lock_key, end.execution_id)
    return record, key


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except InvalidDateError:
        return None


def _locks(store: Store, pipeline: str, day: date | None) -> list[str]:
    """The locks that the execution may hold: any, where nobody knows its date."""
    if day is None:
        return [found.key for found in store.list(layout.locks(pipeline))]
    return [layout.date_lock(pipeline, day), layout.pipeline_lock(pipeline)]
