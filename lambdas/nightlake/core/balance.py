"""Proves that nothing of what was read was lost or doubled on its way, from counts that the converter did not make.

That everything was read, and once, is what `core.chain` proves from where each worker began and stopped. Here the
footers and ETags of the Parquet files, as they lie in the buckets, speak against the receipts, and so does a count that
an object has of itself. What does not agree is a finding; none is the proof.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from nightlake.core import layout
from nightlake.core.footer import read_footer
from nightlake.core.pipeline import Dataset
from nightlake.core.quarantine import quarantine_table
from nightlake.core.shard import Finding, Receipt, Shard, ShardFailure, StagedFile, origin
from nightlake.core.store import Store
from nightlake.core.table import Table, arrow_schema, tables

if TYPE_CHECKING:
    import pyarrow as pa


def unconverted(shard: Shard, failure: ShardFailure | None, raw_bucket: str) -> Finding:
    """Why a shard has no receipt, as far as its conversion could still say it."""
    if failure is None:
        reason = "was not converted: its worker was stopped, or ran out of time or memory"
        return _finding("receipt.missing", _place(shard, raw_bucket), reason)
    return _finding(failure.error, _place(shard, raw_bucket), failure.cause)


def unbalanced(shard: Shard, receipt: Receipt, dataset: Dataset, raw_bucket: str) -> Iterator[Finding]:
    """What a shard's receipt does not account for: the object's own count, its own sums, the rows of its files."""
    where = _place(shard, raw_bucket)
    if receipt.shard != shard.model_copy(update={"index": receipt.shard.index}):
        yield _finding("receipt.shard", where, "has the receipt of another shard")
    if shard.records not in (None, receipt.records):
        yield _finding("balance.records", where, f"has {shard.records:,} records, {receipt.records:,} were read")
    told = receipt.header + receipt.skipped + receipt.rows + receipt.quarantined
    if told != receipt.records:
        reason = (
            f"{receipt.records:,} records were read, {told:,} are accounted for ({receipt.header} of headers, "
            f"{receipt.skipped} skipped, {receipt.rows:,} rows, {receipt.quarantined:,} quarantined)"
        )
        yield _finding("balance.records", where, reason)
    yield from _misnamed(shard, receipt)
    by_table: Counter[str] = Counter({table.name: 0 for table in tables(dataset)})
    for file in receipt.files:
        by_table[file.table] += file.rows
    for table, rows in by_table.items():
        if rows != receipt.rows:
            yield _finding("balance.rows", where, f"gave {receipt.rows:,} rows, {rows:,} are in files of {table}")
    kept = 0 if receipt.quarantine is None else receipt.quarantine.rows
    if kept != receipt.quarantined:
        reason = f"gave {receipt.quarantined:,} refused rows, {kept:,} are in quarantine"
        yield _finding("balance.quarantined", where, reason)


def _misnamed(shard: Shard, receipt: Receipt) -> Iterator[Finding]:
    """Files that are not of this shard alone: another shard's rows would be published twice."""
    prefix = layout.staged(shard.pipeline, shard.dataset, shard.fingerprint)
    for key, times in Counter(file.key for file in receipt.files).items():
        if times > 1 or not key.startswith(prefix):
            yield _finding(
                "staged.key", key, f"is named {times} times by the receipt of {prefix}, whose it must be, once"
            )


def misstaged(file: StagedFile, schemas: Mapping[str, Table], lake: Store) -> Iterator[Finding]:
    """What a staged file is other than its receipt says, or than its table in `schemas` (by name) demands."""
    where = f"s3://{lake.bucket}/{file.key}"
    if file.table not in schemas:
        yield _finding("staged.table", where, f"is of the table {file.table!r}, which the contract does not have")
        return
    yield from _changed(lake, file.key, file.etag, file.rows, schemas[file.table], size=file.size)


def misplaced(receipt: Receipt, quarantine: Store) -> Iterator[Finding]:
    """What the quarantine file of a receipt is other than the receipt says."""
    if receipt.quarantine is not None:
        file = receipt.quarantine
        yield from _changed(quarantine, file.key, file.etag, file.rows, quarantine_table(receipt.shard.pipeline))


def _changed(
    store: Store, key: str, etag: str, rows: int, table: Table, *, size: int | None = None
) -> Iterator[Finding]:
    import pyarrow as pa

    where = f"s3://{store.bucket}/{key}"
    found = store.head(key)
    if found is None or found.etag != etag:
        what = "is gone" if found is None else f"has the ETag {found.etag}, its receipt says {etag}"
        yield _finding("staged.etag", where, what)
        return
    try:
        footer = read_footer(store, key, found.size)
    except pa.ArrowInvalid as error:
        yield _finding("footer.unreadable", where, f"is no Parquet file ({error})")
        return
    if size not in (None, found.size):
        yield _finding("staged.size", where, f"has {found.size:,} bytes, its receipt says {size:,}")
    if footer.num_rows != rows:
        yield _finding("footer.rows", where, f"has {footer.num_rows:,} rows, its receipt says {rows:,}")
    if not _has_columns(footer.schema.to_arrow_schema(), table):
        yield _finding("footer.schema", where, f"has other columns than the table {table.name} of the contract")


def _has_columns(found: "pa.Schema", table: Table) -> bool:
    """Whether a file has all declared columns and, behind them, drift columns of the table: those that came so far."""
    wanted = list(arrow_schema(table))
    declared = len([column for column in table.columns if not column.drift])
    beside = list(found)[declared:]
    return list(found)[:declared] == wanted[:declared] and len(set(beside) & set(wanted[declared:])) == len(beside)


def bounded(findings: Iterable[Finding], limit: int) -> tuple[Finding, ...]:
    """The first findings; where there are more, the last one says how many."""
    found = list(findings)
    if len(found) <= limit:
        return tuple(found)
    rest = _finding(found[limit].rule, found[limit].where, f"this and {len(found) - limit - 1:,} more are not listed")
    return (*found[:limit], rest)


def _finding(rule: str, where: str, reason: str) -> Finding:
    return Finding(rule=rule, where=where, reason=reason)


def _place(shard: Shard, bucket: str) -> str:
    where = origin(shard, bucket)
    return where if shard.part is not None else f"{where} bytes {shard.start:,} to {shard.end:,}"
