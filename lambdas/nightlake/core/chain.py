"""Proves that the shards of an object miss no byte and double none, and cuts anew those that do not join.

A worker in the middle of an object guesses where its first record begins; the worker before it knows, because it read
up to there. The first shard begins at byte 0, so each shard that begins where the one before really stopped has read
the object's true records, by induction. One that does not is converted again, exactly from there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from nightlake.core.shard import Finding, Plan, Receipt, Shard, SourceObject, fingerprint

ROUNDS: Final = 4
# In the last round one worker reads all that is not proved; at 30 MB/s these bytes take ten of its fifteen minutes.
REST_BYTES: Final = 16 << 30

Link = tuple[Shard, Receipt]


def unjoined(plan: Plan, receipts: Sequence[Receipt], raw_bucket: str) -> Iterator[Finding]:
    """Where the shards of the plan do not join, or do not cover an object; there is a receipt of each."""
    yield from _untiled(plan.shards)
    links = _by_object(plan.shards, receipts)
    for unplanned in links.keys() - set(plan.objects):
        reason = "is converted, but is not of this delivery"
        yield Finding(rule="chain.unproved", where=f"s3://{raw_bucket}/{unplanned.key}", reason=reason)
    for source in plan.objects:
        for reason in _breaks(source, links.get(source, [])):
            yield Finding(rule="chain.unproved", where=f"s3://{raw_bucket}/{source.key}", reason=reason)


def _untiled(shards: Sequence[Shard]) -> Iterator[Finding]:
    """Where the parts of a table leave rows out, or have them twice: each begins where the one before ends."""
    parts = [(shard.object.key, shard.part) for shard in shards if shard.part is not None]
    if not parts:
        return
    key, first = parts[0]
    ends = [None, *(part.end for _, part in parts)]
    starts = [*(part.start for _, part in parts), None]
    if ends != starts or any((part.since, part.until) != (first.since, first.until) for _, part in parts):
        reason = f"its parts begin at {starts[:-1]} and end at {ends[1:]}, which is not one window without a gap"
        yield Finding(rule="chain.unproved", where=key, reason=reason)


def recut(
    plan: Plan,
    receipts: Sequence[Receipt],
    *,
    contract_hash: str,
    code_version: str,
    rounds: int = ROUNDS,
    rest_bytes: int = REST_BYTES,
) -> Plan | None:
    """The plan of the next round; None when all shards join, or when no round would make them.

    A shard that does not join is cut anew from where the one before stopped, and left out where a record runs through
    all of it. The last round makes one shard of all that is not proved of an object, unless that is too much.
    """
    if plan.round >= rounds:
        return None
    limit = rest_bytes if plan.round + 1 == rounds else None
    links = _by_object(plan.shards, receipts)

    def again(shard: Shard, start: int, end: int) -> Shard:
        named = fingerprint(
            shard.object, start, end, exact=True, contract_hash=contract_hash, code_version=code_version
        )
        return shard.model_copy(update={"start": start, "end": end, "exact": True, "fingerprint": named})

    cuts = (_cuts(source, joined, limit, again) for source, joined in links.items())
    shards = tuple(chain.from_iterable(cuts))
    return None if shards == plan.shards else plan.model_copy(update={"round": plan.round + 1, "shards": shards})


def _by_object(shards: Sequence[Shard], receipts: Sequence[Receipt]) -> Mapping[SourceObject, list[Link]]:
    links: defaultdict[SourceObject, list[Link]] = defaultdict(list)
    for shard, receipt in zip(shards, receipts, strict=True):
        links[shard.object].append((shard, receipt))
    return links


def _breaks(source: SourceObject, links: Sequence[Link]) -> Iterator[str]:
    """What is wrong with the cover of one object."""
    if not links:
        if source.size:
            yield f"has {source.size:,} bytes that no shard reads"
        return
    last, receipt = links[-1]
    if len(links) == 1 and receipt.begin is None:
        if (last.start, last.end) != (0, source.size):
            yield f"has {source.size:,} bytes, its one shard reads {last.start:,} to {last.end:,}"
        return
    at: int | None = 0
    for _, receipt in links:
        if receipt.begin is None or receipt.begin != at:
            yield (
                f"records end at byte {_told(at)}, the next shard read from byte {_told(receipt.begin)} on; "
                "declare `multiline: false` if no record goes over line ends, or deliver smaller objects"
            )
        at = receipt.stop
    end = source.size - last.footer
    if at != end:
        yield f"the last record ends at byte {_told(at)}, the data at byte {end:,}"


def _told(byte: int | None) -> str:
    return "(unknown)" if byte is None else f"{byte:,}"


def _cuts(
    source: SourceObject,
    links: Sequence[Link],
    rest_bytes: int | None,
    again: Callable[[Shard, int, int], Shard],
) -> Iterator[Shard]:
    """The shards of one object for the next round; `again` cuts one exactly at a byte.

    Behind one that is cut anew nothing is sure: the next stays, to be seen in the next round, and none is left out.
    `rest_bytes` is None where this is not the last round.
    """
    at: int | None = 0
    sure = True
    for number, (shard, receipt) in enumerate(links):
        if number == 0 or at is None or receipt.begin in (at, None):
            yield shard
            at = receipt.stop
        elif at >= source.size - shard.footer and sure:
            return
        elif rest_bytes is not None:
            rest = [shard for shard, _ in links[number:]]
            yield from [again(shard, at, source.size)] if source.size - at <= rest_bytes else rest
            return
        elif at <= shard.end and at < source.size - shard.footer:
            yield again(shard, at, shard.end)
            at, sure = None, False
        elif not sure:
            yield shard
            at = None
