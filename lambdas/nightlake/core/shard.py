"""A shard is the unit of work: what Plan cuts, what Convert answers with a receipt, what Validate judges."""

import hashlib
from datetime import date, timedelta
from typing import Final, Literal

from nightlake.core.frozen import Frozen
from nightlake.core.rule_result import RuleResult

Codec = Literal["gzip", "zstd", "bzip2"]

# Staging objects live for 7 days; what was converted before must outlive the night that takes it.
REUSABLE_FOR: Final = timedelta(days=6)


class SourceObject(Frozen):
    """One version of one object of the raw bucket; `size` in bytes."""

    key: str
    version_id: str
    etag: str
    size: int


class TablePart(Frozen):
    """Which rows of a table: those whose watermark is from `since` until before `until` (ISO 8601, aware), and of them
    those `by` time, key or block from `start` until before `end`; None there is no bound.

    At its `cuts` it is divided among connections that see one snapshot. `published` is a digest of what other days have
    brought to the lake of these rows, which are not taken again.
    """

    by: Literal["time", "key", "blocks"]
    since: str
    until: str
    start: str | None = None
    end: str | None = None
    cuts: tuple[str, ...] = ()
    published: str = ""


class Shard(Frozen):
    """The bytes `start` to `end` (exclusive) of one object version, or `part` of a table.

    In a format that is cut, a shard owns the records that begin after `start` and up to `end` (included); one that is
    `exact`, also the one that begins at `start`, where the record before it is known to end. So `start` may be guessed,
    and the shard before has the proof: where its last record really ends. The first shard of an object is always
    exact. `footer` are the bytes at the object's end that are no data.

    One that is compressed with a `codec`, is UTF-16, or a JSON array, is one shard: nobody could begin in its middle.
    `header` are the column names of the object where its format has a header. `records` is how many there are, where
    the object says so itself (the footer of Parquet).
    """

    pipeline: str
    dataset: str
    date: date
    index: int
    object: SourceObject
    start: int
    end: int
    exact: bool = True
    footer: int = 0
    codec: Codec | None = None
    header: tuple[str, ...] | None = None
    records: int | None = None
    part: TablePart | None = None
    fingerprint: str


def origin(shard: Shard, raw_bucket: str) -> str:
    """Where a shard's rows come from, as `_source` says it: `s3://bucket/key`, or `postgres://database/table` and,
    where it is one of many parts, `#` and what this one begins with.
    """
    if shard.part is None:
        return f"s3://{raw_bucket}/{shard.object.key}"
    return shard.object.key + ("" if shard.part.start is None else f"#{shard.part.start}")


def fingerprint(
    source: SourceObject,
    start: int,
    end: int,
    *,
    exact: bool,
    contract_hash: str,
    code_version: str,
    part: TablePart | None = None,
) -> str:
    """What a conversion depends on, in 40 hex digits: the same bytes under the same contract by the same code."""
    bounds = (str(start), str(end), "exact" if exact else "guessed")
    parts = (source.key, source.version_id, source.etag, *bounds, contract_hash, code_version)
    rows = () if part is None else (part.model_dump_json(),)
    return hashlib.sha256("\0".join((*parts, *rows)).encode()).hexdigest()[:40]


class Finding(Frozen):
    """One thing that is wrong: the rule or error by name, where to look, why, and a query that shows it, if any."""

    rule: str
    where: str
    reason: str
    sql: str | None = None


class Plan(Frozen):
    """All shards of one source for one run. `delivery` is a digest of the objects and their versions.

    `round` counts how often shards were cut anew because they did not join; `warnings` are what Plan saw and a person
    should know.
    """

    dataset: str
    attempt: int
    round: int = 0
    delivery: str
    objects: tuple[SourceObject, ...]
    shards: tuple[Shard, ...]
    warnings: tuple[Finding, ...] = ()


class StagedFile(Frozen):
    """One Parquet file that Convert wrote: `rows` of one `day` for one table; `size` in bytes."""

    table: str
    day: date
    key: str
    etag: str
    size: int
    rows: int


class QuarantineFile(Frozen):
    """One Parquet file of refused rows, in the quarantine bucket."""

    key: str
    etag: str
    rows: int


class RuleCount(Frozen):
    """How many rows broke one rule, whatever became of them; `rule` is the id of a `Rule`, or a named defect."""

    rule: str
    rows: int


class Receipt(Frozen):
    """What became of one shard: `records` = `header` + `skipped` + `rows` + `quarantined`, nothing lost.

    `begin` and `stop` are the bytes of the object that its records really cover (stop exclusive), `lines` how many
    physical lines these are; all None where the format is not cut. `rounded` counts values that were rounded as the
    source declares; `extra_columns` what the delivery has and the contract has not. `seconds` and `memory_mb` are what
    the conversion was billed for, 0 where nobody measured.
    """

    shard: Shard
    run_id: str
    begin: int | None = None
    stop: int | None = None
    lines: int | None = None
    records: int
    header: int
    skipped: int
    rows: int
    quarantined: int
    rounded: int = 0
    files: tuple[StagedFile, ...]
    quarantine: QuarantineFile | None = None
    rules: tuple[RuleCount, ...] = ()
    extra_columns: tuple[str, ...] = ()
    seconds: float = 0.0
    memory_mb: int = 0


class ShardFailure(Frozen):
    """Why a shard has no receipt: the name of the error that ended its conversion, and what it said."""

    shard: Shard
    run_id: str
    error: str
    cause: str


class Validation(Frozen):
    """The verdict on one source in one run, and on each rule; `receipts` are the keys whose files Seal may take.

    `rounds` counts how often shards were cut anew; `delivery` is the digest that the verdict is about, None where
    something broke that another try with the same objects may mend. `samples` are some refused rows of a rejected
    source in words, nothing private in them. `contract_hash` says by which contract it was judged.
    """

    dataset: str
    date: date
    run_id: str
    attempt: int
    rounds: int = 0
    delivery: str | None = None
    contract_hash: str = ""
    status: Literal["good", "rejected"]
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    rules: tuple[RuleResult, ...] = ()
    samples: tuple[str, ...] = ()
    objects: int
    bytes: int
    shards: int
    reused: int
    records: int
    rows: int
    quarantined: int
    rounded: int
    gb_seconds: float = 0.0
    receipts: tuple[str, ...]
