"""Reads JSON from bytes, in shards and pieces of any size, and says in one comparable value what became of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from nightlake.core import column_type
from nightlake.core.cast import cast
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers import read
from nightlake.core.readers.batch import Batch, Refused
from nightlake.core.shard import Shard, SourceObject
from nightlake.core.source import AnyS3Source
from nightlake.core.value_parser import Reading
from pydantic import TypeAdapter

Reader = Callable[..., Iterator[Batch]]


def source(**fields: Any) -> Any:
    adapter: TypeAdapter[AnyS3Source] = TypeAdapter(AnyS3Source)
    return adapter.validate_python(
        {"dataset": "t", "from": "s3", "path": "t/{date:%Y/%m/%d}/*", "ready": {"files": 1}, **fields}
    )


JSONL = source(format="jsonl")
JSON = source(format="json")


def dataset(**types: str) -> Dataset:
    return Dataset(name="t", columns=tuple(Column(name=name, type=kind) for name, kind in types.items()))


TEXTS = dataset(x="string", y="string")


def shard(size: int, start: int = 0, end: int | None = None, *, exact: bool = True) -> Shard:
    return Shard(
        pipeline="p",
        dataset="t",
        date=date(2000, 1, 1),
        index=0,
        object=SourceObject(key="t/1", version_id="1", etag="e", size=size),
        start=start,
        end=size if end is None else end,
        exact=exact,
        fingerprint="f",
    )


def batches(
    body: bytes,
    source: AnyS3Source = JSONL,
    dataset: Dataset = TEXTS,
    *,
    reader: Reader = read,
    piece: int = 3,
    of: Shard | None = None,
) -> list[Batch]:
    def stream(first: int, last: int) -> Iterator[bytes]:
        return (body[at : min(at + piece, last)] for at in range(first, last, piece))

    return list(reader(of or shard(len(body)), source, dataset, stream))


@dataclass
class Outcome:
    """What became of the records; rows are their places, texts and values (or why a value is none)."""

    rows: list[tuple[int, int | None, str, tuple[Any, ...]]]
    refused: list[Refused]
    skipped: int
    lines: int
    extra_columns: set[str]
    span: tuple[int | None, int | None]


def outcome(read: Iterable[Batch], source: AnyS3Source = JSONL, dataset: Dataset = TEXTS) -> Outcome:
    """Also proves that the batches touch."""
    found = Outcome([], [], 0, 0, set(), (None, None))
    reading = Reading.of(source)
    kinds = {column.name: column_type.parse(column.type) for column in dataset.columns}
    for number, batch in enumerate(read):
        assert batch.columns.keys() == kinds.keys()
        values = [_values(batch, name, kind, reading) for name, kind in kinds.items()]
        places = [int(position) for position in batch.positions]
        found.rows += zip(
            places, batch.offsets, batch.raw, zip(*values, strict=True) if values else [()] * len(places), strict=True
        )
        found.refused += batch.refused
        found.skipped += batch.skipped
        found.lines += batch.lines
        found.extra_columns |= batch.extra_columns
        assert number == 0 or batch.start == found.span[1]
        found.span = (batch.start if number == 0 else found.span[0], batch.stop)
    found.rows.sort()
    found.refused.sort(key=lambda row: row.position)
    return found


def _values(batch: Batch, name: str, kind: column_type.ColumnType, reading: Reading) -> list[Any]:
    done = cast(batch.columns[name], kind, reading)
    values = [repr(value) for value in done.values.to_pylist()]
    for row, reason in done.refused.items():
        values[row] = f"refused: {reason}"
    for row in done.rounded:
        values[row] += " rounded"
    assert len(values) == len(batch.positions)
    return values
