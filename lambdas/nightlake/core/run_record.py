"""The record of a run: what came in, what was refused, what was published, and why it failed if it did."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nightlake.core import layout
from nightlake.core.delivery import find_delivery
from nightlake.core.frozen import Frozen
from nightlake.core.http_behaviour import Asked, find_asked
from nightlake.core.http_source import HttpSource
from nightlake.core.night_times import Times
from nightlake.core.pipeline import Pipeline
from nightlake.core.prices import Item
from nightlake.core.rule_result import RuleResult
from nightlake.core.shard import Finding, Plan, SourceObject, Validation
from nightlake.core.snapshot import SealedTable
from nightlake.core.source import S3Source
from nightlake.core.store import Store
from nightlake.core.verdict import Verdict


class Failure(Frozen):
    """An error as Step Functions tells it."""

    error: str = Field(alias="Error")
    cause: str = Field(alias="Cause")


class LateFile(Frozen):
    """An object of a delivery that came or changed after the source was planned; a rerun of the date takes it."""

    key: str
    what: Literal["came", "changed", "went"]


class SourceRecord(Frozen):
    """One source in one run; all counts are of its newest validation, zero where it never came so far.

    `rounds` counts how often shards were cut anew because they did not join; `gb_seconds` is what the conversion of
    those that were not `reused` used of Lambda, without cold starts and without shards that were cut anew. `asked` is
    how an API behaved that the run asked.
    """

    dataset: str
    status: Literal["good", "rejected"]
    attempt: int = 0
    error: Failure | None = None
    objects: int = 0
    bytes: int = 0
    shards: int = 0
    rounds: int = 0
    reused: int = 0
    records: int = 0
    rows: int = 0
    quarantined: int = 0
    rounded: int = 0
    gb_seconds: float = 0.0
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    rules: tuple[RuleResult, ...] = ()
    late: tuple[LateFile, ...] = ()
    asked: Asked | None = None


class TableRecord(Frozen):
    """What the run sealed of one table."""

    table: str
    rows: int
    files: int
    bytes: int


class ReportRecord(Frozen):
    """One report that the run built."""

    name: str
    rows: int
    key: str


class RunRecord(Frozen):
    """One run as it ended; times in ISO 8601. `date` is None where Prepare failed before it knew the day.

    `missing` are the sources that the run went on without, as their contract allows;
    `snapshot` is the number that the run published, also when a later step failed; `audits` are the verdicts on keys,
    relationships and merges; `conversion` is the bill of what was converted; `times` how long its parts took.
    """

    pipeline: str
    date: date | None
    run_id: str
    execution_id: str
    outcome: Literal["succeeded", "failed"]
    error: Failure | None
    started_at: str
    ended_at: str
    contract_hash: str
    sources: tuple[SourceRecord, ...]
    missing: tuple[str, ...] = ()
    audits: tuple[Verdict, ...]
    tables: tuple[TableRecord, ...]
    snapshot: int | None
    reports: tuple[ReportRecord, ...]
    conversion: tuple[Item, ...] = ()
    times: Times | None = None


class SourceEnd(BaseModel):
    """How a source's branch ended; `error` where it was rejected."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    status: Literal["good", "rejected"]
    attempt: int = 0
    error: Failure | None = None


def sources(
    pipeline: Pipeline,
    day: date,
    run_id: str,
    ends: Sequence[SourceEnd],
    *,
    lake: Store,
    raw: Store,
    now: datetime,
) -> Iterator[SourceRecord]:
    """Every source of the contract that the run judged or gave up, in the contract's order, with its late files."""
    known = {end.dataset: end for end in ends}
    for source in pipeline.sources:
        end = known.get(source.dataset)
        found = lake.find_model(layout.validation(pipeline.name, day, run_id, source.dataset), Validation)
        if found is not None:
            record = _judged(found[0], end)
        elif end is not None:
            record = SourceRecord(dataset=end.dataset, status=end.status, attempt=end.attempt, error=end.error)
        else:
            continue
        plan = lake.find_model(layout.plan(pipeline.name, day, run_id, source.dataset, record.attempt), Plan)
        if plan is not None and isinstance(source, S3Source):
            late = _late_files(plan[0].objects, find_delivery(source, day, raw, now=now).objects)
            record = record.model_copy(update={"late": late})
        if isinstance(source, HttpSource):
            asked = find_asked(lake, layout.asked(pipeline.name, day, run_id, source.dataset))
            record = record.model_copy(update={"asked": asked})
        yield record


def missing(pipeline: Pipeline, judged: Sequence[SourceRecord]) -> tuple[str, ...]:
    """The datasets of the sources that are not good and need not be."""
    return tuple(
        source.dataset for source in judged if source.status != "good" and not pipeline.source(source.dataset).required
    )


def _late_files(planned: Sequence[SourceObject], found: Sequence[SourceObject]) -> tuple[LateFile, ...]:
    before, after = ({each.key: each.version_id for each in objects} for objects in (planned, found))
    return tuple(
        LateFile(key=key, what="came" if key not in before else "went" if key not in after else "changed")
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    )


def _judged(validation: Validation, end: SourceEnd | None) -> SourceRecord:
    same = validation.model_dump(include={*SourceRecord.model_fields} & {*Validation.model_fields})
    record = SourceRecord.model_validate(same)
    # A later attempt may have ended without a verdict of its own.
    return (
        record.model_copy(update={"status": end.status, "attempt": end.attempt, "error": end.error}) if end else record
    )


def audits(store: Store, pipeline: Pipeline, day: date, run_id: str) -> Iterator[Verdict]:
    """The verdicts that there are."""
    keys = [layout.across_audit(pipeline.name, day, run_id)]
    keys += [layout.merge_audit(pipeline.name, day, run_id, merge) for merge in pipeline.merge]
    for key in keys:
        found = store.find_model(key, Verdict)
        if found is not None:
            yield found[0]


def sealed_tables(store: Store, pipeline: Pipeline, day: date, run_id: str) -> Iterator[TableRecord]:
    """What the run sealed, published or not."""
    for found in store.list(layout.sealed_tables(pipeline.name, day, run_id)):
        sealed = store.get_model(found.key, SealedTable)
        files = [each.file for each in sealed.files]
        yield TableRecord(
            table=sealed.table,
            rows=sum(file.rows for file in files),
            files=len(files),
            bytes=sum(file.size for file in files),
        )
