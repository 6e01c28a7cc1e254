"""A lake with published tables, as the API finds it: Parquet files, manifests, snapshots and HEAD in memory."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.history import advanced, find_head, move_head
from nightlake.core.pipeline import Column
from nightlake.core.snapshot import (
    Partition,
    PartitionManifest,
    PublishedFile,
    PublishedRun,
    PublishedTable,
    Snapshot,
)
from nightlake.core.store import ObjectInfo, Store
from nightlake.core.table import Table, arrow_schema

Row = dict[str, Any]


class CountedObjects(MemoryObjects):
    """A bucket that remembers which keys were read, in their order."""

    def __init__(self) -> None:
        super().__init__("lake")
        self.read_keys: list[str] = []

    def read(self, key: str, version_id: str | None = None) -> tuple[bytes, ObjectInfo] | None:
        self.read_keys.append(key)
        return super().read(key, version_id)

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        self.read_keys.append(key)
        return super().stream(key, start, end, version_id)


def parquet(schema: pa.Schema, rows: Sequence[Row], row_group: int = 1000, **options: Any) -> bytes:
    """The rows as one Snappy file."""
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), written, row_group_size=row_group, **options)
    return written.getvalue()


def put_file(store: Store, key: str, content: bytes, *, rows: int, day: date) -> PublishedFile:
    """One sealed file of a partition."""
    return PublishedFile(key=key, etag=store.put(key, content), size=len(content), rows=rows, contribution=day)


def put_partition(
    store: Store, table: str, day: date, files: Sequence[PublishedFile], *, pipeline: str, run_id: str
) -> Partition:
    """The manifest of one day, and its line in a snapshot."""
    location = f"{layout.sealed(pipeline, table, run_id)}{layout.day_path(day)}/"
    manifest = PartitionManifest(table=table, day=day, location=location, files=tuple(files))
    digest = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
    key = layout.partition_manifest(pipeline, table, day, digest)
    store.put_model(key, manifest)
    return Partition(
        day=day,
        location=location,
        manifest=key,
        files=len(files),
        rows=sum(file.rows for file in files),
        bytes=sum(file.size for file in files),
        run_id=run_id,
        contributions=(day,),
    )


def publish(store: Store, pipeline: str, tables: Mapping[str, PublishedTable], run_id: str, day: date) -> Snapshot:
    """Put these tables over those of HEAD, as a run of this name and day does."""
    found = find_head(store, pipeline)
    head = found[0] if found else None
    parent = store.get_model(head.key, Snapshot) if head else None
    number = head.latest + 1 if head else 1
    own = PublishedRun(date=day, run_id=run_id, snapshot=number)
    runs = {run.date: run for run in (*(parent.runs if parent else ()), own)}
    before = {table.table: table for table in parent.tables} if parent else {}
    snapshot = Snapshot(
        pipeline=pipeline,
        number=number,
        parent=parent.number if parent else None,
        run_id=run_id,
        date=day,
        contract_hash="0" * 64,
        created_at="2026-11-21T03:10:00Z",
        tables=tuple((before | dict(tables)).values()),
        runs=tuple(runs[each] for each in sorted(runs)),
    )
    key = layout.snapshot(pipeline, number, run_id)
    store.put_model(key, snapshot)
    move_head(store, advanced(head, snapshot, key), etag=found[1] if found else None)
    return snapshot


@dataclass
class PublishedLake:
    """Nights of one pipeline: each publishes tables whose days are lists of files, whose rows are dicts."""

    store: CountedObjects = field(default_factory=CountedObjects)
    pipeline: str = "sales"
    nights: int = 0

    def run_id(self, night: int) -> str:
        """The name of a night's run, counted from 1."""
        started = datetime(2026, 11, 21, 3, tzinfo=UTC) + timedelta(days=night)
        return f"{started:%Y%m%dT%H%M%SZ}-{night:08x}"

    def publish(
        self,
        table: str,
        columns: Sequence[Column],
        days: Mapping[date, Sequence[Sequence[Row]]],
        *,
        day: date | None = None,
        private: bool = False,
        row_group: int = 1000,
    ) -> Snapshot:
        """A night whose table has exactly these days."""
        self.nights += 1
        run_id = self.run_id(self.nights)
        schema = arrow_schema(Table(name=table, description="", columns=tuple(columns)))
        partitions = []
        for each, files in sorted(days.items()):
            prefix = f"{layout.sealed(self.pipeline, table, run_id)}{layout.day_path(each)}/"
            put = [
                put_file(
                    self.store,
                    f"{prefix}{number:03}.parquet",
                    parquet(schema, rows, row_group),
                    rows=len(rows),
                    day=each,
                )
                for number, rows in enumerate(files)
            ]
            partitions.append(put_partition(self.store, table, each, put, pipeline=self.pipeline, run_id=run_id))
        published = PublishedTable(table=table, private=private, columns=tuple(columns), partitions=tuple(partitions))
        return publish(self.store, self.pipeline, {table: published}, run_id, day or max(days))
