"""Which rows of a partition are not served, because a newer business date brought their key again."""

import io
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final

from nightlake.core.errors import SealedFilesChangedError
from nightlake.core.parquet_file import write_parquet
from nightlake.core.published_keys import PublishedKeys, hashed, key_columns
from nightlake.core.snapshot import PublishedFile
from nightlake.core.store import Store

if TYPE_CHECKING:
    import numpy as np

_ONE: Final = Lock()  # file that is rewritten at once, as many partitions are built beside each other


def replaced_rows(lake: Store, files: Sequence[PublishedFile], key: Sequence[str]) -> "Mapping[str, np.ndarray]":
    """By file, for each of its rows whether a newer contribution has its key; files that have no such row are absent.

    The rows of one contribution do not replace each other. Only the columns of the key are read. Raises
    ObjectNotFoundError.
    """
    import numpy as np

    found: dict[str, np.ndarray] = {}
    seen = [(np.empty(0, np.uint64), np.empty(0, np.uint64))]
    for contribution in sorted({file.contribution for file in files}, reverse=True):
        newer = PublishedKeys.of(*(np.concatenate(halves) for halves in zip(*seen, strict=True)))
        for file in (each for each in files if each.contribution == contribution):
            again = []
            for columns in key_columns(lake, file, key, None):
                again.append(newer.contain(columns))
                seen.append(hashed(columns)[:2])
            if any(rows.any() for rows in again):
                found[file.key] = np.concatenate(again)
    return found


def without(lake: Store, file: PublishedFile, replaced: "np.ndarray") -> bytes:
    """The file as Parquet without these rows. Raises SealedFilesChangedError where it is not what its manifest says."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    there = lake.read(file.key)
    if there is None or there[1].etag != file.etag:
        raise SealedFilesChangedError(
            f"The published file s3://{lake.bucket}/{file.key} is not what its manifest says; rerun "
            f"{file.contribution}, whose rows it holds"
        )
    with _ONE:
        rows = pq.read_table(pa.BufferReader(there[0])).filter(pa.array(~replaced))
        written = io.BytesIO()
        write_parquet(rows, written)
    return written.getvalue()
