"""Rows that come again replace what older business dates brought, and are given back when those are taken away."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_objects import MemoryObjects
from nightlake.core import layout, lock
from nightlake.core.errors import SealedFilesChangedError
from nightlake.core.garbage import SUPERSEDED, collect_garbage
from nightlake.core.history import find_head
from nightlake.core.lock import Executions, Owner
from nightlake.core.pipeline import Column
from nightlake.core.publish import publish
from nightlake.core.snapshot import PartitionManifest, PublishedFile, SealedFile, SealedTable, Snapshot

D1, D2, D3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
MAY, JUNE = date(2025, 5, 1), date(2025, 6, 1)
COLUMNS = (Column(name="id", type="bigint", required=True), Column(name="status", type="string"))
Rows = Mapping[int, str]


@dataclass
class Lake(Executions):
    """A lake of one table whose nights are published from rows."""

    store: MemoryObjects = field(default_factory=MemoryObjects)
    newest_by: tuple[str, ...] = ("id",)
    nights: int = 0

    def status(self, _execution_id: str) -> str | None:
        return "FAILED"

    def night(self, day: date, **months: Rows) -> Snapshot:
        """Publish what a business date brings: rows (status by id) of `may` and `june`, of each a file for odd ids."""
        self.nights += 1
        run_id = f"r{self.nights}"
        owner = Owner(execution_id=run_id, run_id=run_id, since="2026-01-05T03:00:00+00:00")
        lock.acquire(self.store, self, layout.date_lock("shop", day), owner)
        files = [
            self._file(day, run_id, of, {key: status for key, status in months[name].items() if key % 2 == odd}, odd)
            for name, of in (("may", MAY), ("june", JUNE))
            for odd in (0, 1)
            if any(key % 2 == odd for key in months.get(name, ()))
        ]
        sealed = SealedTable(
            table="orders", private=False, columns=COLUMNS, grain="month", newest_by=self.newest_by, files=tuple(files)
        )
        self.store.put_model(layout.sealed_table("shop", day, run_id, "orders"), sealed)
        return self.publish(day, run_id)

    def publish(self, day: date, run_id: str) -> Snapshot:
        return publish(
            self.store, pipeline="shop", day=day, run_id=run_id, contract_hash="h", created_at="2026-01-05T03:30:00"
        )

    def _file(self, day: date, run_id: str, of: date, rows: Rows, number: int) -> SealedFile:
        written = io.BytesIO()
        pq.write_table(pa.table({"id": pa.array(rows, pa.int64()), "status": list(rows.values())}), written)
        key = f"{layout.sealed('shop', 'orders', run_id)}{layout.day_path(of)}/{day}-{number}.parquet"
        etag = self.store.put(key, written.getvalue())
        size = len(written.getvalue())
        return SealedFile(day=of, file=PublishedFile(key=key, etag=etag, size=size, rows=len(rows), contribution=day))

    def served(self) -> dict[date, list[tuple[int, str]]]:
        """What a reader of the locations finds, by partition; the manifests say the same."""
        head = find_head(self.store, "shop")
        assert head is not None
        found = {}
        for table in self.store.get_model(head[0].key, Snapshot).tables:
            for partition in table.partitions:
                manifest = self.store.get_model(partition.manifest, PartitionManifest)
                there = {info.key: (info.etag, info.size) for info in self.store.list(partition.location)}
                assert there == {file.key: (file.etag, file.size) for file in manifest.files}
                tables = [pq.read_table(io.BytesIO(self.store.get(key))) for key in there]
                assert [rows.num_rows for rows in tables] == [file.rows for file in sorted_by_key(manifest)]
                assert partition.rows == sum(rows.num_rows for rows in tables)
                rows = [row for rows in tables for row in rows.to_pylist()]
                found[partition.day] = sorted((row["id"], row["status"]) for row in rows)
        return found


def sorted_by_key(manifest: PartitionManifest) -> list[PublishedFile]:
    return sorted(manifest.files, key=lambda file: file.key)


def test_a_row_that_comes_again_replaces_the_older_one() -> None:
    lake = Lake()
    lake.night(D1, may={1: "new", 2: "new"}, june={3: "new"})
    lake.night(D2, may={1: "paid", 4: "new"})
    assert lake.served() == {MAY: [(1, "paid"), (2, "new"), (4, "new")], JUNE: [(3, "new")]}


def test_an_older_day_that_is_run_late_or_again_replaces_nothing_newer() -> None:
    lake = Lake()
    lake.night(D2, may={1: "paid"})
    lake.night(D1, may={1: "new", 2: "new"})
    assert lake.served() == {MAY: [(1, "paid"), (2, "new")]}
    lake.night(D1, may={1: "other", 2: "other"})
    assert lake.served() == {MAY: [(1, "paid"), (2, "other")]}


def test_what_was_replaced_is_served_again_when_the_newer_delivery_is_sent_without_it() -> None:
    lake = Lake()
    lake.night(D1, may={1: "new", 3: "new"})
    lake.night(D2, may={1: "paid", 3: "paid"})
    assert lake.served() == {MAY: [(1, "paid"), (3, "paid")]}
    lake.night(D2, may={3: "canceled"})
    assert lake.served() == {MAY: [(1, "new"), (3, "canceled")]}
    lake.night(D2)
    assert lake.served() == {MAY: [(1, "new"), (3, "new")]}


def test_a_day_whose_rows_were_all_replaced_can_be_taken_back() -> None:
    lake = Lake()
    lake.night(D1, may={1: "new"})
    lake.night(D2, may={1: "paid"})
    lake.night(D1)
    lake.night(D2)
    assert lake.served() == {}


def test_without_the_declaration_both_are_there_and_with_it_taken_back_again() -> None:
    lake = Lake()
    lake.night(D1, may={1: "new"})
    lake.night(D2, may={1: "paid"})
    lake.newest_by = ()
    lake.night(D3, may={1: "paid"})
    assert lake.served() == {MAY: [(1, "new"), (1, "paid"), (1, "paid")]}


def test_garbage_is_not_what_may_be_served_again() -> None:
    lake = Lake()
    lake.night(D1, may={1: "new", 3: "new"})
    lake.night(D2, may={1: "paid"})
    collect_garbage(lake.store, lake, pipeline="shop", keep=1, dry_run=False)
    lake.store.delete([info.key for info in lake.store.list("data/") if lake.store.tags(info.key) == SUPERSEDED])
    lake.night(D2)
    assert lake.served() == {MAY: [(1, "new"), (3, "new")]}


def test_a_retry_writes_nothing_anew() -> None:
    lake = Lake()
    lake.night(D1, may={1: "new", 3: "new"})
    lake.night(D2, may={1: "paid"})
    head = next(lake.store.list(layout.head("shop")))
    before = lake.served()
    lake.publish(D2, "r2")
    assert (next(lake.store.list(layout.head("shop"))), lake.served()) == (head, before)


def test_a_file_that_was_changed_is_not_carried_on() -> None:
    lake = Lake()
    lake.night(D1, may={1: "new", 3: "new"})
    (found,) = lake.store.list("data/")
    lake.store.put(found.key, lake.store.get(found.key).replace(b"new", b"old"))
    with pytest.raises(SealedFilesChangedError, match="rerun 2026-01-01, whose rows it holds"):
        lake.night(D2, may={1: "paid"})


NIGHT = st.tuples(
    st.sampled_from([D1, D2, D3]),
    st.fixed_dictionaries({}, optional={
        name: st.dictionaries(st.integers(0, 4), st.sampled_from("abc"), max_size=4) for name in ("may", "june")
    }),
)  # fmt: skip


@given(nights=st.lists(NIGHT, max_size=6))
@settings(deadline=None, max_examples=60)
def test_whatever_is_delivered_in_whatever_order_the_newest_row_of_each_key_is_served(
    nights: list[tuple[date, dict[str, Any]]],
) -> None:
    lake, brought = Lake(), dict[date, dict[str, Any]]()
    for day, months in nights:
        lake.night(day, **months)
        brought[day] = months
    wanted: dict[date, dict[int, str]] = {MAY: {}, JUNE: {}}
    for day in sorted(brought):
        wanted[MAY] |= brought[day].get("may", {})
        wanted[JUNE] |= brought[day].get("june", {})
    served = lake.served() if nights else {}
    assert served == {month: sorted(rows.items()) for month, rows in wanted.items() if rows}
