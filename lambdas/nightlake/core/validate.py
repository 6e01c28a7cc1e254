"""Judges one source of a run on its own: what was converted balances, and its rows are as the contract says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain
from typing import Any, Final

from nightlake.core import layout
from nightlake.core.balance import bounded, misplaced, misstaged, unbalanced, unconverted
from nightlake.core.catalog import Pointer
from nightlake.core.chain import recut, unjoined
from nightlake.core.drift import evolved
from nightlake.core.frozen import Frozen
from nightlake.core.http_source import HttpSource
from nightlake.core.keep_refused import keep_refused
from nightlake.core.parallel import each
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.plan import put_shards
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.published_day import PublishedDay, published_before
from nightlake.core.samples import samples
from nightlake.core.shard import Finding, Plan, Receipt, Shard, ShardFailure, Validation
from nightlake.core.source_drift import SourceDrift
from nightlake.core.source_rules import SourceRules, compares_days
from nightlake.core.sources import AnySource
from nightlake.core.store import Store
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


class Unproved(Frozen):
    """No verdict yet: `shards` that did not join their neighbours are cut anew, and listed in `shard_file`.

    `plan` is the key of the Plan of this `round`, which is to be validated once they are converted.
    """

    dataset: str
    round: int
    shards: int
    shard_file: str
    plan: str


def validate(request: Request, pipeline: Pipeline, places: Places, *, code_version: str) -> Validation | Unproved:
    """The verdict, written where Seal and the run record find it; or what is to be converted before there can be one.

    Refused rows of this run can be queried afterwards, whatever the verdict. Raises ObjectNotFoundError when there is
    no such plan, ProjectionError when the catalog does not take the quarantine's partition.
    """
    dataset, source = pipeline.dataset(request.dataset), pipeline.source(request.dataset)
    plan = places.lake.get_model(request.plan, Plan)
    receipts = _receipts(plan, places)
    while again := _recut(plan, receipts, pipeline, code_version):
        known = {shard.fingerprint for shard in plan.shards}
        anew = [shard for shard in again.shards if shard.fingerprint not in known]
        if anew:
            return _write_round(request, again, anew, places.lake)
        plan, receipts = again, _receipts(again, places)
    given = [receipt for receipt in receipts if receipt is not None]
    imbalances = [*_imbalances(request, plan, receipts, pipeline, places)]
    _keep_refused(request, given, places)
    delivered = _delivered(plan, source, places.raw_bucket)
    drift = SourceDrift(dataset, source, given, delivered)
    rules = SourceRules(
        dataset=dataset,
        source=source,
        receipts=given,
        before=_before(request, dataset, places.lake),
        delivered=delivered,
        refused=f"s3://{places.quarantine.bucket}/"
        f"{layout.quarantined_rows(pipeline.name, request.run_id, dataset.name)} "
        f"(table {places.quarantine_database}.{pipeline.name}, partition {layout.day_path(request.date)})",
    )
    problems = [*imbalances, *drift.problems(places.lake, pipeline.name), *rules.problems()]
    validation = Validation(
        dataset=dataset.name,
        date=request.date,
        run_id=request.run_id,
        attempt=request.attempt,
        rounds=plan.round,
        delivery=plan.delivery if len(given) == len(receipts) else None,
        contract_hash=pipeline.contract_hash,
        status="rejected" if problems else "good",
        problems=bounded(problems, _MAX_FINDINGS),
        warnings=bounded(chain(plan.warnings, rules.warnings(), drift.warnings()), _MAX_FINDINGS),
        rules=rules.results,
        samples=samples(dataset, source, given, places.quarantine) if problems else (),
        objects=len(plan.objects),
        bytes=sum(source_object.size for source_object in plan.objects),
        shards=len(plan.shards),
        reused=sum(receipt.run_id != request.run_id for receipt in given),
        records=sum(receipt.records for receipt in given),
        rows=sum(receipt.rows for receipt in given),
        quarantined=sum(receipt.quarantined for receipt in given),
        rounded=sum(receipt.rounded for receipt in given),
        gb_seconds=sum(
            receipt.seconds * receipt.memory_mb / 1024 for receipt in given if receipt.run_id == request.run_id
        ),
        receipts=tuple(_receipt_key(shard) for shard in plan.shards),
    )
    places.lake.put_model(verdict_key(request), validation)
    return validation


def verdict_key(request: Request) -> str:
    """Where the verdict lies."""
    return layout.validation(request.pipeline, request.date, request.run_id, request.dataset)


def _receipt_key(shard: Shard) -> str:
    return layout.receipt(shard.pipeline, shard.dataset, shard.fingerprint)


def _receipts(plan: Plan, places: Places) -> list[Receipt | None]:
    """What became of every shard; None where nothing did."""
    found = each(
        lambda shard: places.lake.find_model(_receipt_key(shard), Receipt), plan.shards, workers=places.workers
    )
    return [None if receipt is None else receipt[0] for receipt in found]


def _recut(plan: Plan, receipts: Sequence[Receipt | None], pipeline: Pipeline, code_version: str) -> Plan | None:
    """The plan of the next round; none where a shard has no receipt, which no round would mend."""
    given = [receipt for receipt in receipts if receipt is not None]
    if len(given) < len(receipts):
        return None
    return recut(plan, given, contract_hash=pipeline.contract_hash, code_version=code_version)


def _write_round(request: Request, plan: Plan, anew: Sequence[Shard], lake: Store) -> Unproved:
    place = (request.pipeline, request.date, request.run_id, request.dataset, request.attempt)
    plan_key, shard_file = (layout_of(*place, cutting=plan.round) for layout_of in (layout.plan, layout.shards))
    lake.put_model(plan_key, plan)
    put_shards(lake, shard_file, anew)
    return Unproved(dataset=request.dataset, round=plan.round, shards=len(anew), shard_file=shard_file, plan=plan_key)


def _unconverted(shard: Shard, run_id: str, places: Places) -> Finding:
    key = layout.failure(shard.pipeline, shard.date, run_id, shard.dataset, shard.fingerprint)
    failure = places.lake.find_model(key, ShardFailure)
    return unconverted(shard, None if failure is None else failure[0], places.raw_bucket)


def _imbalances(
    request: Request, plan: Plan, receipts: Sequence[Receipt | None], pipeline: Pipeline, places: Places
) -> Iterator[Finding]:
    dataset, source = pipeline.dataset(request.dataset), pipeline.source(request.dataset)
    given = [receipt for receipt in receipts if receipt is not None]
    lost = [shard for shard, receipt in zip(plan.shards, receipts, strict=True) if receipt is None]
    yield from each(lambda shard: _unconverted(shard, request.run_id, places), lost, workers=places.workers)
    if not lost:
        yield from unjoined(plan, given, places.raw_bucket)
    for shard, receipt in zip(plan.shards, receipts, strict=True):
        if receipt is not None:
            yield from unbalanced(shard, receipt, dataset, places.raw_bucket)
    looks = []
    for receipt in given:
        schemas = {table.name: table for table in tables(evolved(dataset, source, [receipt]))}
        looks += [partial(misstaged, file, schemas, places.lake) for file in receipt.files]
    looks += [partial(misplaced, receipt, places.quarantine) for receipt in given]
    yield from chain.from_iterable(each(lambda look: [*look()], looks, workers=places.workers))


def _keep_refused(request: Request, receipts: Sequence[Receipt], places: Places) -> None:
    """Let the quarantine table have the refused rows of this source and day, and no others."""
    prefix = layout.quarantined_rows(request.pipeline, request.run_id, request.dataset)
    keep_refused(receipts, prefix, places.quarantine, workers=places.workers)
    run = layout.quarantine(request.pipeline, request.run_id)
    values, location = layout.partition_values(request.date), f"s3://{places.quarantine.bucket}/{run}"
    places.catalog.point_partition(places.quarantine_database, request.pipeline, values, location)


def _before(request: Request, dataset: Dataset, lake: Store) -> PublishedDay | None:
    """The day that this one is compared with, if a rule asks for that."""
    return published_before(lake, request.pipeline, dataset.name, request.date) if compares_days(dataset) else None


def _delivered(plan: Plan, source: AnySource, raw_bucket: str) -> str:
    if isinstance(source, HttpSource):
        return source.url
    if isinstance(source, PostgresSource):
        return f"postgres://{source.database}/{source.table}"
    if not plan.objects:
        return f"s3://{raw_bucket}/{source.path}"
    more = f" and {len(plan.objects) - 1:,} more" if len(plan.objects) > 1 else ""
    return f"s3://{raw_bucket}/{plan.objects[0].key}{more}"


def answer(judged: Validation | Unproved, request: Request) -> dict[str, Any]:
    """The verdict as the state machine carries it: counts, the key of the whole, and the error to alert with.

    Without a verdict its status is `unproved`, and it names the Plan and the shards of the next round.
    """
    told: dict[str, Any] = {"dataset": request.dataset, "status": "unproved", "error": None}
    told |= dict.fromkeys(("rows", "quarantined", "reused", "validation", "delivery", "shards", "shard_file", "plan"))
    if isinstance(judged, Unproved):
        return told | judged.model_dump(include={"shards", "shard_file", "plan"})
    key = verdict_key(request)
    if judged.problems:
        first = judged.problems[0]
        more = f" ({len(judged.problems) - 1} more in {key})" if len(judged.problems) > 1 else ""
        cause = f"{judged.dataset}: {first.reason}. Look at {first.where}{more}"
        told["error"] = {"Error": first.rule, "Cause": cause}
    counts = judged.model_dump(include={"status", "rows", "quarantined", "reused", "delivery"})
    return told | counts | {"validation": key}
