"""Reads delimited text with the reference reader: what its tests, and those of what must equal it, share."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers.batch import Batch, Refused
from nightlake.core.readers.csv import read_csv
from nightlake.core.shard import Shard, SourceObject
from nightlake.core.source import CsvSource

Row = tuple[str | None, ...]


def csv_source(**options: Any) -> CsvSource:
    return CsvSource.model_validate(
        {"dataset": "t", "from": "s3", "path": "t/{date:%Y/%m/%d}/*", "ready": {"files": 1}, "format": "csv", **options}
    )


def names(count: int) -> tuple[str, ...]:
    return tuple(f"c{index}" for index in range(count))


def dataset(count: int) -> Dataset:
    return Dataset(name="t", columns=tuple(Column(name=name, type="string") for name in names(count)))


def shard(size: int, columns: int, *, start: int = 0, end: int | None = None, **more: Any) -> Shard:
    return Shard(
        pipeline="p",
        dataset="t",
        date=date(2000, 1, 1),
        index=0,
        object=SourceObject(key="t/1", version_id="1", etag="e", size=size),
        start=start,
        end=size if end is None else end,
        header=names(columns),
        fingerprint="f",
        **more,
    )


def read_batches(body: bytes, source: CsvSource, columns: int, *, piece: int = 1 << 16, **bounds: Any) -> list[Batch]:
    def stream(first: int, last: int) -> Iterator[bytes]:
        return (body[at : min(at + piece, last)] for at in range(first, last, piece))

    return list(read_csv(shard(len(body), columns, **bounds), source, dataset(columns), stream))


def rows(batches: Sequence[Batch]) -> list[Row]:
    return [row for batch in batches for row in zip(*batch.columns.values(), strict=True)]


def refused(batches: Sequence[Batch]) -> list[Refused]:
    return [record for batch in batches for record in batch.refused]


def lines(batches: Sequence[Batch]) -> int:
    return sum(batch.lines for batch in batches)
