"""Publish, the catalog after it, rolling back, and garbage: what a reader of the lake finds at the end of each."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from landed import DATABASES, SHOP, land
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import layout, lock
from nightlake.core.catalog import Values
from nightlake.core.errors import (
    ColumnTypeChangedError,
    ProjectionError,
    RunSupersededError,
    SealedFilesChangedError,
    SnapshotNotFoundError,
)
from nightlake.core.garbage import SUPERSEDED, Garbage, collect_garbage
from nightlake.core.history import find_head, rollback
from nightlake.core.lock import Executions, Owner
from nightlake.core.pipeline import Column, Pipeline
from nightlake.core.projection import project
from nightlake.core.publish import publish, summary
from nightlake.core.seal import seal, seal_table
from nightlake.core.shard import StagedFile
from nightlake.core.snapshot import PartitionManifest, Snapshot
from nightlake.core.table import Table

D0, D1, D2 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)


@dataclass
class Lake(Executions):
    """A lake whose nights are published by hand, one call a step."""

    store: MemoryObjects = field(default_factory=MemoryObjects)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    running: set[str] = field(default_factory=set)
    pipeline: Pipeline = SHOP
    extra: tuple[str, ...] = ()

    def status(self, execution_id: str) -> str | None:
        return "RUNNING" if execution_id in self.running else "FAILED"

    def begin(self, run_id: str, day: date) -> None:
        """Take the date's lock, as Prepare does."""
        self.running.add(run_id)
        owner = Owner(execution_id=run_id, run_id=run_id, since="2026-01-05T03:00:00+00:00")
        lock.acquire(self.store, self, layout.date_lock("shop", day), owner)

    def seal(self, run_id: str, day: date, **tables: list[tuple[date, Any]]) -> None:
        validations = [
            land(self.store, table, day, run_id, {table: files}, extra=self.extra) for table, files in tables.items()
        ]
        seal(
            self.store,
            self.catalog,
            self.pipeline,
            staging_database=DATABASES.staging,
            day=day,
            run_id=run_id,
            validations=validations,
        )

    def publish(self, run_id: str, day: date) -> Snapshot:
        return publish(
            self.store, pipeline="shop", day=day, run_id=run_id, contract_hash="hash", created_at="2026-01-05T03:30:00"
        )

    def end(self, run_id: str, day: date) -> None:
        self.running.discard(run_id)
        lock.release(self.store, layout.date_lock("shop", day), run_id)

    def night(self, run_id: str, day: date, **tables: list[tuple[date, Any]]) -> Snapshot:
        self.begin(run_id, day)
        self.seal(run_id, day, **tables)
        snapshot = self.publish(run_id, day)
        self.end(run_id, day)
        return snapshot

    def project(self) -> int:
        return project(self.store, self.catalog, self.pipeline, database=DATABASES.served)

    def rows(self, table: str) -> dict[date, list[Any]]:
        """What HEAD shows of a table, by day; every location holds nothing but what its manifest says."""
        head = find_head(self.store, "shop")
        assert head is not None
        snapshot = self.store.get_model(head[0].key, Snapshot)
        return dict(self._rows(next(each for each in snapshot.tables if each.table == table).partitions))

    def _rows(self, partitions: Any) -> Iterator[tuple[date, list[Any]]]:
        for partition in partitions:
            manifest = self.store.get_model(partition.manifest, PartitionManifest)
            there = {info.key: info.etag for info in self.store.list(partition.location)}
            assert there == {file.key: file.etag for file in manifest.files}
            assert partition.rows == sum(file.rows for file in manifest.files)
            yield partition.day, sorted(json.loads(self.store.get(key)) for key in there)

    def served(self, table: str) -> Mapping[tuple[str, ...], str]:
        return self.catalog.partitions(DATABASES.served, table)

    def collect(self, keep: int = 1, *, dry_run: bool = False) -> Garbage:
        return collect_garbage(self.store, self, pipeline="shop", keep=keep, dry_run=dry_run)

    def tagged(self) -> list[str]:
        return [info.key for info in self.store.list("data/") if self.store.tags(info.key) == SUPERSEDED]


@pytest.fixture
def lake() -> Lake:
    return Lake()


def test_the_first_night_is_snapshot_one_and_needs_no_copy(lake: Lake) -> None:
    snapshot = lake.night("r1", D1, daily=[(D1, 1), (D1, 2)])
    assert (snapshot.number, snapshot.parent, snapshot.run_id, snapshot.date) == (1, None, "r1", D1)
    assert lake.rows("daily") == {D1: [1, 2]}
    assert len(list(lake.store.list("data/"))) == 2
    assert summary(snapshot) == {
        "snapshot": 1,
        "parent": None,
        "tables": [{"table": "daily", "rows": 2, "partitions": 1}],
    }


def test_a_rerun_replaces_and_other_days_stay(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.night("r2", D2, daily=[(D2, 2)])
    lake.night("r3", D1, daily=[(D1, 3), (D1, 4)])
    assert lake.rows("daily") == {D1: [3, 4], D2: [2]}


def test_a_rerun_without_rows_takes_the_day_away(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.night("r2", D2, daily=[(D2, 2)])
    lake.night("r3", D1, daily=[])
    assert lake.rows("daily") == {D2: [2]}


def test_late_rows_join_their_day_and_a_delivery_sent_again_replaces_only_its_own(lake: Lake) -> None:
    lake.night("r1", D1, late=[(D1, 10), (D0, 11)])
    lake.night("r2", D2, late=[(D2, 20), (D0, 21), (D1, 22)])
    assert lake.rows("late") == {D0: [11, 21], D1: [10, 22], D2: [20]}
    lake.night("r3", D1, late=[(D1, 30)])
    assert lake.rows("late") == {D0: [21], D1: [22, 30], D2: [20]}
    lake.night("r4", D2, late=[])
    assert lake.rows("late") == {D1: [30]}


@pytest.mark.parametrize(("grain", "last"), [("day", D0), ("month", date(2026, 1, 31)), ("year", date(2026, 12, 31))])
def test_a_partition_says_which_days_it_is_of(grain: str, last: date) -> None:
    sources = tuple(source.model_copy(update={"partition_grain": grain}) for source in SHOP.sources)
    lake = Lake(pipeline=SHOP.model_copy(update={"sources": sources}))
    lake.night("r1", D1, late=[(D0, 1)])
    (table,) = lake.night("r2", D2, late=[(D0, 2)]).tables
    assert [(part.day, part.last_day, part.rows) for part in table.partitions] == [(D0, last, 2)]


def test_a_source_that_was_not_sealed_keeps_what_is_published_of_it(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)], late=[(D1, 2)])
    snapshot = lake.night("r2", D1, daily=[(D1, 3)])
    assert (lake.rows("daily"), lake.rows("late")) == ({D1: [3]}, {D1: [2]})
    assert [(run.date, run.run_id, run.snapshot) for run in snapshot.runs] == [(D1, "r2", 2)]


def test_a_retry_finds_its_own_snapshot_also_under_later_ones(lake: Lake) -> None:
    lake.begin("r1", D1)
    lake.seal("r1", D1, daily=[(D1, 1)])
    first = lake.publish("r1", D1)
    lake.night("r2", D2, daily=[(D2, 2)])
    assert lake.publish("r1", D1) == first
    assert lake.rows("daily") == {D1: [1], D2: [2]}


def test_a_run_whose_lock_was_taken_publishes_nothing(lake: Lake) -> None:
    lake.begin("r1", D1)
    lake.seal("r1", D1, daily=[(D1, 1)])
    lake.running.discard("r1")
    lake.night("r2", D1, daily=[(D1, 2)])
    with pytest.raises(RunSupersededError, match=r"r1 does not hold the lock of 2026-01-02 any more"):
        lake.publish("r1", D1)
    assert lake.rows("daily") == {D1: [2]}


@pytest.mark.parametrize("damage", ["changed", "missing", "not one of them"])
def test_files_that_are_not_what_was_sealed_are_not_published(lake: Lake, damage: str) -> None:
    lake.begin("r1", D1)
    lake.seal("r1", D1, daily=[(D1, 1)])
    (found,) = lake.store.list("data/")
    if damage == "changed":
        lake.store.put(found.key, b"?")
    elif damage == "missing":
        lake.store.delete([found.key])
    else:
        lake.store.put(f"{found.key}.tmp", b"")
    with pytest.raises(SealedFilesChangedError, match=rf"parquet.* is {damage}; rerun 2026-01-02"):
        lake.publish("r1", D1)
    assert find_head(lake.store, "shop") is None


def test_a_published_file_that_was_changed_is_not_carried_on(lake: Lake) -> None:
    lake.night("r1", D1, late=[(D0, 1)])
    (found,) = lake.store.list("data/")
    lake.store.put(found.key, b"?")
    lake.begin("r2", D2)
    lake.seal("r2", D2, late=[(D0, 2)])
    with pytest.raises(SealedFilesChangedError, match=r"is not what its manifest says.*rerun 2026-01-02"):
        lake.publish("r2", D2)


def test_the_catalog_becomes_what_head_says_and_then_needs_nothing(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)], late=[(D0, 2)])
    assert lake.project() > 0
    assert lake.served("daily") == {("2026", "01", "02"): "s3://lake/data/shop/daily/run=r1/year=2026/month=01/day=02/"}
    assert lake.served("late").keys() == {("2026", "01", "01")}
    assert lake.project() == 0
    lake.night("r2", D1, daily=[], late=[(D0, 3)])
    lake.project()
    assert lake.served("daily") == {}
    assert lake.served("late") == {("2026", "01", "01"): "s3://lake/data/shop/late/run=r2/year=2026/month=01/day=01/"}


def test_before_anything_is_published_the_catalog_is_left_alone(lake: Lake) -> None:
    assert lake.project() == 0
    assert lake.catalog.table(DATABASES.served, "daily") is None


def test_a_merge_is_served_with_the_columns_that_it_was_made_with(lake: Lake) -> None:
    lake.begin("r1", D1)
    etag = lake.store.put("staging/shop/enriched/r1/1/a.parquet", b"1")
    file = StagedFile(table="enriched", day=D1, key="staging/shop/enriched/r1/1/a.parquet", etag=etag, size=1, rows=1)
    seal_table(
        lake.store,
        lake.catalog,
        SHOP,
        staging_database=DATABASES.staging,
        day=D1,
        run_id="r1",
        table=Table(name="enriched", description="", columns=(Column(name="total", type="decimal(12,2)"),)),
        private=False,
        files=[file],
    )
    lake.publish("r1", D1)
    lake.project()
    table = lake.catalog.table(DATABASES.served, "enriched")
    assert table is not None
    assert [(each["Name"], each["Type"]) for each in table["StorageDescriptor"]["Columns"]] == [
        ("total", "decimal(12,2)")
    ]
    assert [key["Name"] for key in table["PartitionKeys"]] == ["year", "month", "day"]
    assert lake.served("enriched").keys() == {("2026", "01", "02")}


def test_partitions_that_are_refused_once_are_pointed_in_the_next_round(lake: Lake) -> None:
    refusals = iter([True, False, True])
    lake.catalog = MemoryCatalog(refuses=lambda: next(refusals, False))
    lake.night("r1", D1, late=[(D0, 1), (D1, 2)])
    lake.project()
    assert lake.served("late").keys() == {("2026", "01", "01"), ("2026", "01", "02")}


def test_a_catalog_that_keeps_refusing_is_an_error_that_says_what_stands(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.catalog = MemoryCatalog(refuses=lambda: True)
    with pytest.raises(ProjectionError, match=r"daily: 2026/01/02: refused.*what is published stands"):
        lake.project()


def test_a_catalog_that_others_keep_changing_is_an_error_that_is_tried_again(lake: Lake) -> None:
    class Contended(MemoryCatalog):
        """Another night, late with an older snapshot, undoes each change."""

        def create_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
            refused = super().create_partitions(database, table, locations)
            self.delete_partitions(database, table, locations)
            return refused

    lake.night("r1", D1, daily=[(D1, 1)])
    lake.catalog = Contended()
    with pytest.raises(ProjectionError, match=r"others kept changing it.*what is published stands"):
        lake.project()


def test_rollback_and_forward_again(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.night("r2", D1, daily=[(D1, 2)])
    assert rollback(lake.store, "shop") == (2, 1)
    assert lake.rows("daily") == {D1: [1]}
    assert rollback(lake.store, "shop", 2) == (1, 2)
    assert lake.rows("daily") == {D1: [2]}
    assert rollback(lake.store, "shop", 2) == (2, 2)


def test_after_a_rollback_the_next_night_builds_on_what_is_shown_under_a_new_number(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.night("r2", D1, daily=[(D1, 2)])
    rollback(lake.store, "shop")
    snapshot = lake.night("r3", D2, daily=[(D2, 3)])
    assert (snapshot.number, snapshot.parent) == (3, 1)
    assert lake.rows("daily") == {D1: [1], D2: [3]}
    assert rollback(lake.store, "shop", 2) == (3, 2)


def test_a_snapshot_that_is_not_kept_is_refused_with_those_that_are(lake: Lake) -> None:
    with pytest.raises(SnapshotNotFoundError, match="has published nothing yet"):
        rollback(lake.store, "shop")
    lake.night("r1", D1, daily=[(D1, 1)])
    with pytest.raises(SnapshotNotFoundError, match=r"keeps no snapshot before 1"):
        rollback(lake.store, "shop")
    lake.night("r2", D1, daily=[(D1, 2)])
    with pytest.raises(SnapshotNotFoundError, match=r"keeps no snapshot 7 \(of 2, the newest: 2, 1\)"):
        rollback(lake.store, "shop", 7)
    lake.collect(keep=1)
    with pytest.raises(SnapshotNotFoundError, match=r"keeps no snapshot 1 \(of 1, the newest: 2\); one that was garb"):
        rollback(lake.store, "shop", 1)


def test_garbage_is_what_no_kept_snapshot_names_and_a_dry_run_only_counts_it(lake: Lake) -> None:
    lake.night("r1", D1, late=[(D0, 1), (D1, 10)])
    lake.night("r2", D2, late=[(D0, 2)])
    lake.night("r3", D1, late=[(D0, 3), (D1, 30)])
    before = {info.key: info.etag for info in lake.store.list("")}
    counted = lake.collect(dry_run=True)
    assert {info.key: info.etag for info in lake.store.list("")} == before
    assert lake.tagged() == []
    collected = lake.collect()
    assert collected == counted.model_copy(update={"dry_run": False})
    named = {info.key for info in lake.store.list("data/")} - set(lake.tagged())
    assert (collected.kept_snapshots, collected.deleted_snapshots) == (1, 2)
    assert collected.superseded_files == len(lake.tagged()) > 0
    assert collected.bytes == sum(info.size for info in lake.store.list("data/") if info.key in lake.tagged())
    assert lake.rows("late") == {D0: [2, 3], D1: [30]}
    assert len(named) == 3
    assert lake.collect().deleted_snapshots == 0


def test_what_is_published_stays_however_old_it_is(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.night("r2", D1, daily=[(D1, 2)])
    rollback(lake.store, "shop")
    lake.collect(keep=1)
    assert lake.rows("daily") == {D1: [1]}
    assert rollback(lake.store, "shop", 2) == (1, 2)
    assert lake.tagged() == []


def test_files_that_a_running_night_has_yet_to_publish_are_no_garbage(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.begin("r2", D2)
    lake.seal("r2", D2, daily=[(D2, 2)])
    assert lake.collect().superseded_files == 0
    lake.publish("r2", D2)
    assert lake.rows("daily") == {D1: [1], D2: [2]}


def test_files_of_a_night_that_failed_are_garbage_and_it_can_not_publish_them_any_more(lake: Lake) -> None:
    lake.night("r1", D1, daily=[(D1, 1)])
    lake.begin("r2", D2)
    lake.seal("r2", D2, daily=[(D2, 2)])
    lake.running.discard("r2")
    assert lake.collect().superseded_files == 1
    with pytest.raises(RunSupersededError):
        lake.publish("r2", D2)


def test_where_nothing_is_published_nothing_is_garbage(lake: Lake) -> None:
    lake.begin("r1", D1)
    lake.seal("r1", D1, daily=[(D1, 1)])
    assert lake.collect() == Garbage(
        kept_snapshots=0, deleted_snapshots=0, deleted_manifests=0, superseded_files=0, bytes=0, dry_run=False
    )


def shown(lake: Lake, table: str = "daily", database: str = DATABASES.served) -> list[str]:
    """The names of a table's columns in the catalog, without those of the run."""
    found = lake.catalog.table(database, table)
    assert found is not None
    names = [column["Name"] for column in found["StorageDescriptor"]["Columns"]]
    return [name for name in names if not name.startswith("_")]


def drifted(lake: Lake) -> None:
    """Three days of which the second has columns that the contract does not declare."""
    lake.night("r0", D0, daily=[(D0, 1)])
    lake.extra = ("Tip", "size")
    lake.night("r1", D1, daily=[(D1, 2)])
    lake.extra = ()
    lake.night("r2", D2, daily=[(D2, 3)])
    lake.project()


def declare(lake: Lake, *more: Column) -> None:
    """Deploy a contract whose daily table has these columns, too."""
    daily, late = SHOP.datasets
    wider = daily.model_copy(update={"columns": (*daily.columns, *more)})
    lake.pipeline = SHOP.model_copy(update={"datasets": (wider, late)})


def test_a_column_that_came_once_stays_behind_all_others(lake: Lake) -> None:
    drifted(lake)
    assert shown(lake) == shown(lake, database=DATABASES.staging) == ["amount", "tip", "size"]
    assert shown(lake, "late") == ["amount"]
    lake.extra = ("colour",)
    lake.night("r3", D1, daily=[(D1, 4)])
    lake.project()
    assert shown(lake) == ["amount", "tip", "size", "colour"]
    snapshot = lake.store.get_model(find_head(lake.store, "shop")[0].key, Snapshot)  # type: ignore[index]
    (table,) = (each for each in snapshot.tables if each.table == "daily")
    assert [column.name for column in table.columns if column.drift] == ["tip", "size", "colour"]


def test_a_rollback_to_before_it_leaves_the_table_as_wide_as_it_was(lake: Lake) -> None:
    drifted(lake)
    rollback(lake.store, "shop", 1)
    lake.project()
    assert lake.rows("daily") == {D0: [1]}
    assert shown(lake) == ["amount", "tip", "size"]
    assert lake.project() == 0


def test_a_contract_takes_over_what_came_before_it(lake: Lake) -> None:
    drifted(lake)
    declare(lake, Column(name="tip", type="string", description="What was left on the table."))
    assert lake.project() == 1
    assert shown(lake) == ["amount", "tip", "size"]
    snapshot = lake.night("r3", D2, daily=[(D2, 3)])
    (table,) = (each for each in snapshot.tables if each.table == "daily")
    assert [column.name for column in table.columns if column.drift] == ["size"]


def test_what_the_contract_makes_private_leaves_the_open_table(lake: Lake) -> None:
    drifted(lake)
    declare(lake, Column(name="tip", type="string", private=True))
    lake.project()
    assert shown(lake) == ["amount", "size"]
    lake.begin("r3", D2)
    lake.extra = ("taste",)
    validation = land(lake.store, "daily", D2, "r3", {"daily": [(D2, 3)], "daily_private": [(D2, 3)]}, extra=lake.extra)
    seal(
        lake.store,
        lake.catalog,
        lake.pipeline,
        staging_database=DATABASES.staging,
        day=D2,
        run_id="r3",
        validations=[validation],
    )
    lake.publish("r3", D2)
    lake.project()
    assert shown(lake) == shown(lake, database=DATABASES.staging) == ["amount", "size"]
    assert shown(lake, "daily_private") == ["tip", "taste"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("bigint", "tip is string there and bigint in the contract"), ("date", "tip is string there and date")],
)
def test_a_type_that_published_days_do_not_have_is_refused_by_name(lake: Lake, kind: str, told: str) -> None:
    drifted(lake)
    declare(lake, Column(name="tip", type=kind))
    with pytest.raises(ColumnTypeChangedError, match=rf"2026-01-01 to 2026-01-03 of daily .*{told}.*then deploy"):
        lake.project()
    assert shown(lake) == ["amount", "tip", "size"]


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("int", "bigint", True),
        ("tinyint", "int", True),
        ("float", "double", True),
        ("bigint", "int", False),
        ("double", "float", False),
        ("decimal(5,2)", "decimal(6,2)", False),
        ("timestamp", "date", False),
        ("array<int>", "array<bigint>", False),
    ],
)
def test_a_type_may_become_wider_where_athena_reads_the_old_files_so(
    lake: Lake, old: str, new: str, *, good: bool
) -> None:
    declare(lake, Column(name="size", type=old))
    lake.night("r0", D0, daily=[(D0, 1)])
    lake.project()
    declare(lake, Column(name="size", type=new))
    if good:
        assert lake.project() == 1
    else:
        with pytest.raises(ColumnTypeChangedError, match="size"):
            lake.project()


def test_before_anything_is_published_a_type_may_become_any_other(lake: Lake) -> None:
    declare(lake, Column(name="size", type="bigint"))
    lake.night("r0", D0, daily=[])
    lake.project()
    declare(lake, Column(name="size", type="date"))
    assert lake.project() == 1
