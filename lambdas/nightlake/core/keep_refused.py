"""Puts the refused rows of a source where the quarantine table looks for them, with the lines of their objects."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Final

from nightlake.core.parallel import each
from nightlake.core.quarantine import move_lines
from nightlake.core.shard import QuarantineFile, Receipt
from nightlake.core.store import ObjectNotFoundError, PreconditionFailedError, Store

_WORKERS: Final = 8  # each has two files on a disk of 512 MB


def keep_refused(receipts: Sequence[Receipt], prefix: str, quarantine: Store, *, workers: int) -> None:
    """Let the prefix have the files of these receipts, in the order of their shards, and no others.

    A worker counts lines from where its shard begins: those before it are added here.
    """
    files: dict[str, tuple[QuarantineFile, int]] = {
        f"{prefix}{receipt.shard.fingerprint}.parquet": (receipt.quarantine, lines)
        for receipt, lines in placed(receipts)
        if receipt.quarantine is not None
    }
    earlier = {info.key for info in quarantine.list(prefix)}
    quarantine.delete(earlier - files.keys())
    each(lambda key: _keep(quarantine, key, *files[key]), files, workers=min(workers, _WORKERS))


def placed(receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, int]]:
    """Each receipt, in the order of the shards, and how many lines its object has before the shard."""
    lines = Counter[str]()
    for receipt in receipts:
        key = receipt.shard.object.key
        yield receipt, lines[key]
        lines[key] += receipt.lines or 0


def _keep(quarantine: Store, key: str, file: QuarantineFile, lines: int) -> None:
    with suppress(ObjectNotFoundError, PreconditionFailedError):  # that the file is gone is a finding already
        if lines:
            _move(quarantine, key, file, lines)
        else:
            quarantine.copy(quarantine.bucket, file.key, key, source_etag=file.etag)


def _move(quarantine: Store, key: str, file: QuarantineFile, lines: int) -> None:
    found = quarantine.head(file.key)
    if found is None or found.etag != file.etag:
        return
    with TemporaryFile() as counted, TemporaryFile() as moved:
        counted.writelines(quarantine.stream(file.key))
        counted.seek(0)
        move_lines(counted, lines, moved)
        moved.seek(0)
        quarantine.put(key, moved)
