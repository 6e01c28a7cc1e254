"""Judges one source of a run on its own: what was converted balances, and its rows are as the contract says."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain
from typing import Any, Final

from nightlake.core import layout
from nightlake.core.balance import bounded, misplaced, misstaged, unbalanced, uncovered
from nightlake.core.catalog import Pointer
from nightlake.core.frozen import Frozen
from nightlake.core.parallel import each
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.published_day import PublishedDay, published_before
from nightlake.core.shard import Finding, Plan, QuarantineFile, Receipt, Validation
from nightlake.core.source import AnySource
from nightlake.core.source_rules import SourceRules, compares_days
from nightlake.core.store import ObjectNotFoundError, PreconditionFailedError, Store
from nightlake.core.table import tables

WORKERS: Final = 16
_MAX_FINDINGS: Final = 20


class Request(Frozen):
    """What the state machine asks: the verdict on one source; `plan` is the key of its Plan."""

    pipeline: str
    dataset: str
    date: date
    run_id: str
    attempt: int
    plan: str


@dataclass(frozen=True)
class Places:
    """Where a source's files and counts lie, and the catalog in which refused rows are queried."""

    lake: Store
    quarantine: Store
    raw_bucket: str
    catalog: Pointer
    quarantine_database: str
    workers: int = WORKERS


def validate(request: Request, pipeline: Pipeline, places: Places) -> Validation:
    """The verdict, written where Seal and the run record find it.

    Refused rows of this run can be queried afterwards, whatever the verdict. Raises ObjectNotFoundError when there is
    no such plan, ProjectionError when the catalog does not take the quarantine's partition.
    """
    dataset = next(candidate for candidate in pipeline.datasets if candidate.name == request.dataset)
    source = next(candidate for candidate in pipeline.sources if candidate.dataset == request.dataset)
    plan = places.lake.get_model(request.plan, Plan)
    keys = [layout.receipt(pipeline.name, dataset.name, shard.fingerprint) for shard in plan.shards]
    found = each(lambda key: places.lake.find_model(key, Receipt), keys, workers=places.workers)
    receipts = [None if receipt is None else receipt[0] for receipt in found]
    given = [receipt for receipt in receipts if receipt is not None]
    imbalances = [*_imbalances(plan, receipts, dataset, places)]
    _keep_refused(request, given, places)
    rules = SourceRules(
        dataset=dataset,
        source=source,
        receipts=given,
        before=_before(request, dataset, places.lake),
        delivered=_delivered(plan, source, places.raw_bucket),
        refused=f"s3://{places.quarantine.bucket}/"
        f"{layout.quarantined_rows(pipeline.name, request.run_id, dataset.name)} "
        f"(table {places.quarantine_database}.{pipeline.name}, partition {layout.day_path(request.date)})",
    )
    problems = [*imbalances, *rules.problems()]
    validation = Validation(
        dataset=dataset.name,
        date=request.date,
        run_id=request.run_id,
        attempt=request.attempt,
        status="rejected" if problems else "good",
        problems=bounded(problems, _MAX_FINDINGS),
        warnings=bounded(rules.warnings(), _MAX_FINDINGS),
        rules=rules.results,
        objects=len(plan.objects),
        bytes=sum(source_object.size for source_object in plan.objects),
        shards=len(plan.shards),
        reused=sum(receipt.run_id != request.run_id for receipt in given),
        records=sum(receipt.records for receipt in given),
        rows=sum(receipt.rows for receipt in given),
        quarantined=sum(receipt.quarantined for receipt in given),
        rounded=sum(receipt.rounded for receipt in given),
        receipts=tuple(keys),
    )
    places.lake.put_model(verdict_key(request), validation)
    return validation


def verdict_key(request: Request) -> str:
    """Where the verdict lies."""
    return layout.validation(request.pipeline, request.date, request.run_id, request.dataset)


def _imbalances(plan: Plan, receipts: Sequence[Receipt | None], dataset: Dataset, places: Places) -> Iterator[Finding]:
    given = [receipt for receipt in receipts if receipt is not None]
    schemas = {table.name: table for table in tables(dataset)}
    staged = [file for receipt in given for file in receipt.files]
    yield from uncovered(plan, places.raw_bucket)
    for shard, receipt in zip(plan.shards, receipts, strict=True):
        yield from unbalanced(shard, receipt, dataset, places.raw_bucket)
    looks = [partial(misstaged, file, schemas, places.lake) for file in staged]
    looks += [partial(misplaced, receipt, places.quarantine) for receipt in given]
    yield from chain.from_iterable(each(lambda look: [*look()], looks, workers=places.workers))


def _keep_refused(request: Request, receipts: Sequence[Receipt], places: Places) -> None:
    """Put the refused rows where the quarantine table looks for this day, and no others."""
    prefix = layout.quarantined_rows(request.pipeline, request.run_id, request.dataset)
    kept = {f"{prefix}{receipt.shard.fingerprint}.parquet": receipt.quarantine for receipt in receipts}
    copies = {key: file for key, file in kept.items() if file is not None}
    earlier = {info.key for info in places.quarantine.list(prefix)}
    places.quarantine.delete(earlier - copies.keys())
    each(lambda key: _copy(places.quarantine, copies[key], key), copies, workers=places.workers)
    run = layout.quarantine(request.pipeline, request.run_id)
    values, location = layout.partition_values(request.date), f"s3://{places.quarantine.bucket}/{run}"
    places.catalog.point_partition(places.quarantine_database, request.pipeline, values, location)


def _copy(quarantine: Store, file: QuarantineFile, key: str) -> None:
    # A file that is gone or another one is a finding already.
    with suppress(ObjectNotFoundError, PreconditionFailedError):
        quarantine.copy(quarantine.bucket, file.key, key, source_etag=file.etag)


def _before(request: Request, dataset: Dataset, lake: Store) -> PublishedDay | None:
    """The day that this one is compared with, if a rule asks for that."""
    return published_before(lake, request.pipeline, dataset.name, request.date) if compares_days(dataset) else None


def _delivered(plan: Plan, source: AnySource, raw_bucket: str) -> str:
    if not plan.objects:
        return f"s3://{raw_bucket}/{source.path}"
    more = f" and {len(plan.objects) - 1:,} more" if len(plan.objects) > 1 else ""
    return f"s3://{raw_bucket}/{plan.objects[0].key}{more}"


def answer(validation: Validation, request: Request) -> dict[str, Any]:
    """The verdict as the state machine carries it: counts, the key of the whole, and the error to alert with."""
    key, error = verdict_key(request), None
    if validation.problems:
        first = validation.problems[0]
        more = f" ({len(validation.problems) - 1} more in {key})" if len(validation.problems) > 1 else ""
        cause = f"{validation.dataset}: {first.reason}. Look at {first.where}{more}"
        error = {"Error": first.rule, "Cause": cause}
    counts = validation.model_dump(include={"dataset", "status", "rows", "quarantined", "reused"})
    return {**counts, "validation": key, "error": error}
