"""Cuts a day's delivery of one source into shards, and finds those that were converted before."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from pydantic import BaseModel, ConfigDict

from nightlake.core import layout
from nightlake.core.cut import Piece, cut
from nightlake.core.dates import parse_instant
from nightlake.core.delivery import Delivery, find_delivery
from nightlake.core.errors import SourceChangedError, SourceNotReadyError
from nightlake.core.http_source import HttpSource
from nightlake.core.parallel import each
from nightlake.core.pipeline import Pipeline
from nightlake.core.shard import REUSABLE_FOR, Plan, Receipt, Shard, SourceObject, Validation, fingerprint
from nightlake.core.source import S3Source
from nightlake.core.sources import AnySource
from nightlake.core.store import ObjectNotFoundError, Store

_LOOKS: Final = 24
_MAX_WAIT_SECONDS: Final = 300
_MIN_WAIT_SECONDS: Final = 5


class Request(BaseModel):
    """What the state machine asks: `scheduled_at` is None for a person's run, `previous` the digest it knows."""

    model_config = ConfigDict(frozen=True)

    pipeline: str
    dataset: str
    date: date
    run_id: str
    attempt: int
    scheduled_at: str | None
    previous: str | None


class Planned(BaseModel):
    """The answer: not `ready` means to ask again after `wait_seconds`, not `changed` that there is nothing to convert.

    Of `total` shards `reused` were converted before and `shards` are listed in `shard_file`, for the Distributed Map;
    `plan` is the key of the Plan with all of them.
    """

    model_config = ConfigDict(frozen=True)

    ready: bool = False
    wait_seconds: int = 0
    changed: bool = False
    delivery: str | None = None
    shards: int = 0
    total: int = 0
    reused: int = 0
    shard_file: str | None = None
    plan: str | None = None


Extract = Callable[[AnySource, Request, datetime], Delivery]


def plan(
    request: Request,
    pipeline: Pipeline,
    *,
    raw: Store,
    lake: Store,
    code_version: str,
    now: datetime,
    extract: Extract | None = None,
    workers: int = 16,
) -> Planned:
    """Plan one attempt; what is written has the same names for every retry of it.

    `extract` says what there is of a source that does not come as objects of the raw bucket by itself. Raises
    SourceNotReadyError after the deadline, or what makes an object unreadable: HeaderMismatchError,
    EncodingError, CompressedObjectError, JsonTruncatedError, JsonSyntaxError, ParquetUnreadableError,
    SourceChangedError.
    """
    source, dataset = pipeline.source(request.dataset), pipeline.dataset(request.dataset)
    delivery = _delivery(source, _knowing(request, source, pipeline, lake), raw, extract, now)
    if delivery.missing:
        return Planned(wait_seconds=_wait(request, source, delivery, now))
    if delivery.digest == request.previous:
        return Planned(ready=True, delivery=delivery.digest)
    if isinstance(source, S3Source):
        cuts = each(
            lambda item: cut(item, source, dataset, partial(_stream, raw, item)), delivery.objects, workers=workers
        )
    else:
        cuts = _parts(delivery)
    pieces = [(item, piece) for item, found in zip(delivery.objects, cuts, strict=True) for piece in found]
    shards = tuple(
        Shard(
            pipeline=request.pipeline,
            dataset=request.dataset,
            date=request.date,
            index=index,
            object=item,
            start=piece.start,
            end=piece.end,
            exact=piece.start == 0,
            footer=piece.footer,
            codec=piece.codec,
            header=piece.header,
            records=piece.records,
            part=piece.part,
            fingerprint=fingerprint(
                item,
                piece.start,
                piece.end,
                exact=piece.start == 0,
                part=piece.part,
                contract_hash=pipeline.contract_hash,
                code_version=code_version,
            ),
        )
        for index, (item, piece) in enumerate(pieces)
    )
    reusable = each(partial(_reusable, lake=lake, now=now), shards, workers=workers)
    remaining = [shard for shard, done in zip(shards, reusable, strict=True) if not done]
    place = (request.pipeline, request.date, request.run_id, request.dataset, request.attempt)
    plan_key = layout.plan(*place)
    whole = Plan(
        dataset=request.dataset,
        attempt=request.attempt,
        delivery=delivery.digest,
        objects=delivery.objects,
        shards=shards,
        warnings=delivery.warnings,
    )
    lake.put_model(plan_key, whole)
    shard_file = layout.shards(*place)
    if remaining:
        put_shards(lake, shard_file, remaining)
    return Planned(
        ready=True,
        changed=True,
        delivery=delivery.digest,
        shards=len(remaining),
        total=len(shards),
        reused=len(shards) - len(remaining),
        shard_file=shard_file if remaining else None,
        plan=plan_key,
    )


def put_shards(lake: Store, key: str, shards: Sequence[Shard]) -> None:
    """Write what the Distributed Map reads."""
    lines = "".join(f"{shard.model_dump_json()}\n" for shard in shards)
    lake.put(key, lines.encode(), content_type="application/jsonl")


def _knowing(request: Request, source: AnySource, pipeline: Pipeline, lake: Store) -> Request:
    """The request with the delivery that the newest run of the day rejected, so that an API is asked anew.

    Objects and tables are what they are; what an API once answered would be taken, and rejected, for ever.
    """
    if request.previous is not None or not isinstance(source, HttpSource):
        return request
    written = lake.list(layout.runs(request.pipeline, request.date))
    verdicts = [info for info in written if layout.is_validation(info.key, request.dataset)]
    newest = max(verdicts, key=lambda info: info.modified, default=None)
    if newest is None:
        return request
    verdict = lake.get_model(newest.key, Validation)
    same = verdict.contract_hash == pipeline.contract_hash
    return request.model_copy(update={"previous": verdict.delivery}) if same and verdict.problems else request


def _delivery(source: AnySource, request: Request, raw: Store, extract: Extract | None, now: datetime) -> Delivery:
    if isinstance(source, S3Source):
        return find_delivery(source, request.date, raw, now=now)
    if extract is None:
        raise TypeError(f"a source of kind {source.from_!r} needs `extract`")
    return extract(source, request, now)


def _parts(delivery: Delivery) -> list[tuple[Piece, ...]]:
    if not delivery.parts:
        counts = delivery.records or (None,) * len(delivery.objects)
        return [(Piece(0, item.size, records=records),) for item, records in zip(delivery.objects, counts, strict=True)]
    return [
        tuple(Piece(0, item.size, header=delivery.header, part=part) for part in parts)
        for item, parts in zip(delivery.objects, delivery.parts, strict=True)
    ]


def _wait(request: Request, source: AnySource, delivery: Delivery, now: datetime) -> int:
    """Seconds until another look at the day: some 24 looks until the deadline, at least every 5 minutes."""
    scheduled_at = request.scheduled_at
    allowed = timedelta(minutes=source.ready.deadline_minutes)
    began = delivery.since if scheduled_at is None else parse_instant(scheduled_at)
    deadline = now if began is None else began + allowed
    if now >= deadline:
        waited = (
            "a run for a named date does not wait" if began is None else f"waited until {deadline:%Y-%m-%dT%H:%M:%SZ}"
        )
        raise SourceNotReadyError(
            f"{request.dataset} of {request.date} is not complete: {_looked(source, request, delivery)}, missing: "
            f"{delivery.missing} ({waited}); deliver it, then rerun the date"
        )
    left = -((now - deadline) // timedelta(seconds=1))
    if delivery.wait_seconds is not None:
        return min(delivery.wait_seconds, left)
    look = max(_MIN_WAIT_SECONDS, min(_MAX_WAIT_SECONDS, allowed // timedelta(seconds=_LOOKS)))
    return min(look, left)


def _looked(source: AnySource, request: Request, delivery: Delivery) -> str:
    if isinstance(source, S3Source):
        return f"{source.pattern(request.date)} matches {len(delivery.objects)} objects"
    return source.url if isinstance(source, HttpSource) else f"{source.database}: {source.table}"


def _stream(raw: Store, item: SourceObject, start: int, end: int) -> Iterator[bytes]:
    try:
        yield from raw.stream(item.key, start, end, item.version_id)
    except ObjectNotFoundError as error:
        raise SourceChangedError(f"{item.key} was replaced or deleted while it was planned; plan again") from error


def _reusable(shard: Shard, *, lake: Store, now: datetime) -> bool:
    """Whether the shard has a receipt whose files all lie there for long enough; a receipt without them is removed.

    A new conversion could not write its own receipt beside an old one.
    """
    receipt_key = layout.receipt(shard.pipeline, shard.dataset, shard.fingerprint)
    staged = {info.key: info for info in lake.list(layout.staged(shard.pipeline, shard.dataset, shard.fingerprint))}
    if receipt_key not in staged:
        return False
    files = lake.get_model(receipt_key, Receipt).files
    oldest = min(info.modified for info in staged.values())
    if oldest + REUSABLE_FOR > now and all(file.key in staged and staged[file.key].etag == file.etag for file in files):
        return True
    lake.delete([receipt_key])
    return False
