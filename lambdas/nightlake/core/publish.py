"""Publish: what a run sealed becomes the newest snapshot, for all tables at once, by moving HEAD.

1. Read HEAD, then the lock of the date: in this order a run whose lock was taken loses one of the two.
2. Build the partitions: the run's files, and those that other business dates contributed.
3. Refuse unless every new prefix holds exactly the files of its manifest, by ETag.
4. Write manifests and snapshot, which nobody reads yet.
5. Move HEAD with If-Match. Who loses the race begins again from the HEAD that won.

A retry of a run that has published finds its snapshot among those that HEAD keeps.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from nightlake.core import layout, lock
from nightlake.core.errors import (
    OverlapPublishedError,
    PublishContendedError,
    RunSupersededError,
    SealedFilesChangedError,
)
from nightlake.core.history import TRIES, advanced, find_head, move_head, published_by
from nightlake.core.newest_rows import replaced_rows, without
from nightlake.core.parallel import each
from nightlake.core.pipeline import Column
from nightlake.core.published_keys import files_of_others, published_digest
from nightlake.core.snapshot import (
    Head,
    Partition,
    PartitionManifest,
    PublishedFile,
    PublishedRun,
    PublishedTable,
    SealedTable,
    Snapshot,
)
from nightlake.core.store import ObjectInfo, ObjectNotFoundError, PreconditionFailedError, Store
from nightlake.core.table import Table, widened

if TYPE_CHECKING:
    import numpy as np

WORKERS: Final = 16


def publish(
    store: Store,
    *,
    pipeline: str,
    day: date,
    run_id: str,
    contract_hash: str,
    created_at: str,
    workers: int = WORKERS,
) -> Snapshot:
    """The snapshot that this run published, now or in an attempt before.

    Raises RunSupersededError when the run does not hold its date's lock, SealedFilesChangedError when files are not
    what was sealed, OverlapPublishedError when rows were read that another run has published meanwhile,
    PublishContendedError when HEAD moved away from every try.
    """
    for _ in range(TRIES):
        found = find_head(store, pipeline)
        head = found[0] if found else None
        own = published_by(head, run_id) if head else None
        if own is not None:
            published = store.find_model(own.key, Snapshot)
            if published is None:
                continue  # HEAD has moved on since it was read, and forgets what it named long ago
            return published[0]
        if not lock.holds(store, layout.date_lock(pipeline, day), run_id):
            raise RunSupersededError(
                f"Run {run_id} does not hold the lock of {day} any more: another run of that date took over, and this "
                "one publishes nothing; see that run"
            )
        try:
            snapshot, key = _prepared(
                store,
                head,
                pipeline=pipeline,
                day=day,
                run_id=run_id,
                contract_hash=contract_hash,
                created_at=created_at,
                workers=workers,
            )
            move_head(store, advanced(head, snapshot, key), etag=found[1] if found else None)
        except PreconditionFailedError:
            continue
        except ObjectNotFoundError:
            # Who moves HEAD may forget what it named before, and garbage collection then deletes it.
            if find_head(store, pipeline) == found:
                raise
            continue
        return snapshot
    raise PublishContendedError(f"HEAD of '{pipeline}' moved {TRIES} times while run {run_id} published; publish again")


def _prepared(
    store: Store,
    head: Head | None,
    *,
    pipeline: str,
    day: date,
    run_id: str,
    contract_hash: str,
    created_at: str,
    workers: int,
) -> tuple[Snapshot, str]:
    """The snapshot that follows this HEAD, written with all that it names, and its key."""
    parent = store.get_model(head.key, Snapshot) if head else None
    build = _Build(store, pipeline=pipeline, day=day, run_id=run_id, workers=workers)
    snapshot = Snapshot(
        pipeline=pipeline,
        number=head.latest + 1 if head else 1,
        parent=parent.number if parent else None,
        run_id=run_id,
        date=day,
        contract_hash=contract_hash,
        created_at=created_at,
        tables=build.tables(parent.tables if parent else ()),
    )
    return _write(store, snapshot, parent.runs if parent else ())


def summary(snapshot: Snapshot) -> dict[str, Any]:
    """What Step Functions carries on: `{snapshot, parent, tables: [{table, rows, partitions}]}`."""
    return {
        "snapshot": snapshot.number,
        "parent": snapshot.parent,
        "tables": [
            {
                "table": table.table,
                "rows": sum(partition.rows for partition in table.partitions),
                "partitions": len(table.partitions),
            }
            for table in snapshot.tables
        ],
    }


def _write(store: Store, snapshot: Snapshot, runs: Sequence[PublishedRun]) -> tuple[Snapshot, str]:
    """Write the snapshot under the first number that this run has not used for another content."""
    for number in count(snapshot.number):
        key = layout.snapshot(snapshot.pipeline, number, snapshot.run_id)
        own = PublishedRun(date=snapshot.date, run_id=snapshot.run_id, snapshot=number)
        others = (run for run in runs if run.date != snapshot.date)
        numbered = snapshot.model_copy(
            update={"number": number, "runs": tuple(sorted((*others, own), key=lambda run: run.date))}
        )
        try:
            store.put_model(key, numbered, if_none_match=True)
        except PreconditionFailedError:
            written = store.get_model(key, Snapshot)
            if written.model_copy(update={"created_at": numbered.created_at}) == numbered:
                return written, key
            continue
        return numbered, key
    raise AssertionError("count() does not end")


@dataclass(frozen=True)
class _Build:
    """The tables after a run: its own contribution replaced in every partition, all others as they were."""

    store: Store
    pipeline: str
    day: date
    run_id: str
    workers: int

    def tables(self, published: Sequence[PublishedTable]) -> tuple[PublishedTable, ...]:
        before = {table.table: table for table in published}
        prefix = layout.sealed_tables(self.pipeline, self.day, self.run_id)
        sealed = [self.store.get_model(found.key, SealedTable) for found in self.store.list(prefix)]
        after = before | {table.table: self._table(table, before.get(table.table)) for table in sealed}
        return tuple(after[name] for name in sorted(after))

    def _table(self, sealed: SealedTable, before: PublishedTable | None) -> PublishedTable:
        self._refuse_taken(sealed, before)
        prefix = layout.sealed(self.pipeline, sealed.table, self.run_id)
        self._refuse_others(prefix, [found.file for found in sealed.files], _listed(self.store, prefix))
        own: dict[date, list[PublishedFile]] = {}
        for found in sealed.files:
            own.setdefault(found.day, []).append(found.file)
        partitions = {partition.day: partition for partition in before.partitions} if before else {}
        changed = own.keys() | {day for day, found in partitions.items() if self.day in found.contributions}

        def build(day: date) -> Partition | None:
            return self._partition(sealed, day, own.get(day, []), partitions.get(day), len(changed))

        built = each(build, sorted(changed), workers=self.workers)
        kept = (partition for day, partition in partitions.items() if day not in changed)
        return PublishedTable(
            table=sealed.table,
            private=sealed.private,
            columns=_columns(sealed, before),
            partitions=tuple(
                sorted((*kept, *(partition for partition in built if partition)), key=lambda partition: partition.day)
            ),
        )

    def _refuse_taken(self, sealed: SealedTable, before: PublishedTable | None) -> None:
        """Rows that two nights read were left to the one that had published them when the other read."""
        if sealed.beside is None:
            return
        since, until = map(datetime.fromisoformat, (sealed.beside.since, sealed.beside.until))
        partitions = before.partitions if before else ()
        files = files_of_others(self.store, partitions, self.day, since=since, until=until)
        if published_digest(files) != sealed.beside.digest:
            raise OverlapPublishedError(
                f"Another run published rows of {sealed.table} that {self.day} reads, too, after this run had read "
                f"them; rerun {self.day}, and run dates that follow each other one after the other"
            )

    def _partition(
        self, sealed: SealedTable, day: date, own: Sequence[PublishedFile], before: Partition | None, at_once: int
    ) -> Partition | None:
        """The partition of the run's own files and of those that other dates contributed; None where there are none.

        `at_once` is how many partitions are built at the same time.
        """
        table, files, kept = sealed.table, list(own), self._kept(before)
        everything = [*kept, *own]
        if not everything:
            return None
        location = f"{layout.sealed(self.pipeline, table, self.run_id)}{layout.day_path(day)}/"
        replaced: Mapping[str, np.ndarray] = {}
        if kept:
            location = self._rebuilt(table, day, everything)
            if sealed.newest_by:
                replaced = replaced_rows(self.store, everything, sealed.newest_by)
            rewritten = self._rewritten(location, everything, replaced)
            whole = [file for file in everything if file.key not in replaced]
            files = self._bring_together(location, whole, rewritten, workers=max(1, self.workers // at_once))
        manifest = PartitionManifest(
            table=table,
            day=day,
            location=location,
            files=tuple(files),
            replaced=tuple(file for file in everything if file.key in replaced),
        )
        digest = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()[:40]
        key = layout.partition_manifest(self.pipeline, table, day, digest)
        self.store.put_model(key, manifest)
        return Partition(
            day=day,
            grain=sealed.grain,
            location=location,
            manifest=key,
            files=len(files),
            rows=sum(file.rows for file in files),
            bytes=sum(file.size for file in files),
            run_id=self.run_id,
            contributions=tuple(sorted({file.contribution for file in everything})),
        )

    def _kept(self, partition: Partition | None) -> list[PublishedFile]:
        """The partition's files that came with other dates, as they were sealed."""
        if partition is None:
            return []
        manifest = self.store.get_model(partition.manifest, PartitionManifest)
        return [file for file in manifest.sealed if file.contribution != self.day]

    def _rebuilt(self, table: str, day: date, files: Iterable[PublishedFile]) -> str:
        """A prefix that only these files are copied to, whoever else rebuilds the partition meanwhile."""
        content = "\n".join(sorted(f"{file.key} {file.etag}" for file in files))
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        return f"{layout.rebuilt(self.pipeline, table, self.run_id, digest)}{layout.day_path(day)}/"

    def _rewritten(
        self, location: str, files: Sequence[PublishedFile], replaced: "Mapping[str, np.ndarray]"
    ) -> list[PublishedFile]:
        """The copies of files without the rows that were replaced; none of a file that has no other rows."""
        there = _listed(self.store, location) if replaced else {}
        copies = []
        for file in files:
            left = file.rows - int(replaced[file.key].sum()) if file.key in replaced else 0
            if left:
                key = location + file.key.rpartition("/")[2]
                if key not in there:
                    # One attempt writes it, so that the ETag that another has read stays.
                    with suppress(PreconditionFailedError):
                        self.store.put(key, without(self.store, file, replaced[file.key]), if_none_match=True)
                copies.append(file.model_copy(update={"key": key, "rows": left, "origin": file.key}))
        return copies

    def _bring_together(
        self, location: str, files: Sequence[PublishedFile], rewritten: Sequence[PublishedFile], *, workers: int
    ) -> list[PublishedFile]:
        wanted = {location + file.key.rpartition("/")[2]: file for file in files}
        there = _listed(self.store, location)
        missing = [key for key, file in wanted.items() if key not in there or there[key].size != file.size]
        each(lambda key: self._copy(wanted[key], key), missing, workers=workers)
        there = _listed(self.store, location)
        copies = [
            file.model_copy(update={"key": key, "etag": there[key].etag if key in there else file.etag})
            for key, file in sorted(wanted.items())
        ]
        copies += [
            file.model_copy(update={"etag": there[file.key].etag, "size": there[file.key].size})
            for file in rewritten
            if file.key in there
        ]
        self._refuse_others(location, copies, there)
        return copies

    def _copy(self, file: PublishedFile, key: str) -> None:
        try:
            self.store.copy(self.store.bucket, file.key, key, source_etag=file.etag)
        except (ObjectNotFoundError, PreconditionFailedError) as error:
            raise SealedFilesChangedError(
                f"The published file s3://{self.store.bucket}/{file.key} is not what its manifest says ({error}); "
                f"rerun {file.contribution}, whose rows it holds"
            ) from error

    def _refuse_others(self, prefix: str, files: Iterable[PublishedFile], listed: Mapping[str, ObjectInfo]) -> None:
        """Everything under a Hive prefix is read, so nothing may lie there but these files."""
        wanted = {file.key: (file.etag, file.size) for file in files}
        there = {key: (found.etag, found.size) for key, found in listed.items()}
        if wanted != there:
            differing = min(key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key))
            raise SealedFilesChangedError(
                f"s3://{self.store.bucket}/{prefix} does not hold exactly the files that were sealed: "
                f"{differing} is {_difference(wanted, there, differing)}; rerun {self.day}"
            )


def _columns(sealed: SealedTable, before: PublishedTable | None) -> tuple[Column, ...]:
    """The columns of the run's table, and those that came with earlier deliveries."""
    table = Table(name=sealed.table, description="", columns=sealed.columns, hidden=sealed.hidden)
    return widened(table, before.columns if before else ()).columns


def _listed(store: Store, prefix: str) -> dict[str, ObjectInfo]:
    return {found.key: found for found in store.list(prefix)}


def _difference(wanted: Mapping[str, object], there: Mapping[str, object], key: str) -> str:
    if key not in there:
        return "missing"
    return "changed" if key in wanted else "not one of them"
