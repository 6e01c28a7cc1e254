"""Seal: exactly the validated files, in the run's own prefix, where the staging tables read them."""

from collections.abc import Callable
from datetime import date

import pytest
from landed import DATABASES, SHOP, land
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.errors import SealedFilesChangedError, SourceRejectedError, StagedFileChangedError
from nightlake.core.pipeline import Column
from nightlake.core.seal import seal, summary
from nightlake.core.shard import Validation
from nightlake.core.snapshot import SealedTable

DAY, OLD_DAY = date(2026, 1, 2), date(2026, 1, 1)
LATE = "data/shop/late/run=r1/"

Seal = Callable[..., list[SealedTable]]


@pytest.fixture
def lake() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def sealed(lake: MemoryObjects, catalog: MemoryCatalog) -> Seal:
    return lambda *validations, pipeline=SHOP: seal(
        lake, catalog, pipeline, staging_database=DATABASES.staging, day=DAY, run_id="r1", validations=validations
    )


def late(lake: MemoryObjects) -> str:
    return land(lake, "late", DAY, "r1", {"late": [(DAY, "new"), (OLD_DAY, "old"), (OLD_DAY, "older")]})


def test_each_file_lies_under_the_day_of_its_rows_with_its_bytes(lake: MemoryObjects, sealed: Seal) -> None:
    (table,) = sealed(late(lake))
    found = {info.key: lake.get(info.key) for info in lake.list("data/")}
    folders = sorted((key.removeprefix(LATE).rpartition("/")[0], body) for key, body in found.items())
    assert folders == [
        ("year=2026/month=01/day=01", b'"old"'),
        ("year=2026/month=01/day=01", b'"older"'),
        ("year=2026/month=01/day=02", b'"new"'),
    ]
    assert {file.file.key: file.file.etag for file in table.files} == {info.key: info.etag for info in lake.list(LATE)}
    assert {file.file.contribution for file in table.files} == {DAY}
    assert lake.get_model(layout.sealed_table("shop", DAY, "r1", "late"), SealedTable) == table
    assert summary([table]) == [{"table": "late", "rows": 3, "files": 3}]


def test_the_staging_table_reads_all_rows_of_the_run_under_its_business_date(
    lake: MemoryObjects, catalog: MemoryCatalog, sealed: Seal
) -> None:
    sealed(late(lake))
    assert catalog.partitions("staging", "late") == {("2026", "01", "02"): f"s3://lake/{LATE}"}
    assert catalog.partitions("served", "late") == {}


def test_a_source_that_the_night_goes_on_without_has_no_rows_of_an_earlier_run(
    lake: MemoryObjects, catalog: MemoryCatalog, sealed: Seal
) -> None:
    sealed(late(lake), land(lake, "daily", DAY, "r1", {"daily": [(DAY, "old")]}))
    before = seal(
        lake, catalog, SHOP, staging_database=DATABASES.staging, day=DAY, run_id="r2", validations=[late(lake)]
    )
    assert [table.table for table in before] == ["late"]
    assert catalog.partitions("staging", "daily") == {("2026", "01", "02"): "s3://lake/data/shop/daily/run=r2/"}
    assert [*lake.list("data/shop/daily/run=r2/")] == []
    assert lake.find_model(layout.sealed_table("shop", DAY, "r2", "daily"), SealedTable) is None


def test_a_column_that_is_new_in_the_contract_comes_into_the_staging_table(
    lake: MemoryObjects, catalog: MemoryCatalog, sealed: Seal
) -> None:
    sealed(late(lake))
    (daily, before) = SHOP.datasets
    wider = before.model_copy(update={"columns": (*before.columns, Column(name="tip", type="bigint"))})
    sealed(late(lake), pipeline=SHOP.model_copy(update={"datasets": (daily, wider)}))
    table = catalog.table("staging", "late")
    assert table is not None
    assert "tip" in [column["Name"] for column in table["StorageDescriptor"]["Columns"]]


def test_a_source_without_rows_is_sealed_too_so_that_it_replaces_what_was(lake: MemoryObjects, sealed: Seal) -> None:
    (table,) = sealed(land(lake, "daily", DAY, "r1", {"daily": []}))
    assert table.files == ()


def test_private_columns_are_sealed_as_a_table_of_their_own(lake: MemoryObjects, sealed: Seal) -> None:
    secret = Column(name="email", type="string", private=True)
    dataset = SHOP.datasets[0].model_copy(update={"columns": (*SHOP.datasets[0].columns, secret)})
    key = land(lake, "daily", DAY, "r1", {"daily": [(DAY, "open")], "daily_private": [(DAY, "private")]})
    tables = sealed(key, pipeline=SHOP.model_copy(update={"datasets": (dataset,)}))
    assert [(table.table, table.private, len(table.files)) for table in tables] == [
        ("daily", False, 1),
        ("daily_private", True, 1),
    ]
    assert [lake.get(found.key) for found in lake.list("data/shop/daily_private/")] == [b'"private"']


def test_a_retry_copies_nothing_again(lake: MemoryObjects, sealed: Seal) -> None:
    key = late(lake)
    first = sealed(key)
    versions = [info.version_id for info in lake.list_versions(LATE)]
    assert sealed(key) == first
    assert [info.version_id for info in lake.list_versions(LATE)] == versions


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_staged_file_that_is_not_what_was_validated_is_refused(
    lake: MemoryObjects, sealed: Seal, damage: str
) -> None:
    key = late(lake)
    staged = next(info.key for info in lake.list("staging/shop/late/") if info.key.endswith("-1.parquet"))
    if damage == "gone":
        lake.delete([staged])
    else:
        lake.put(staged, b"changed")
    with pytest.raises(StagedFileChangedError, match=rf"{staged} is not the file that was validated.*rerun the date"):
        sealed(key)
    assert lake.head(layout.sealed_table("shop", DAY, "r1", "late")) is None


def test_a_strange_file_in_the_runs_prefix_is_refused(lake: MemoryObjects, sealed: Seal) -> None:
    lake.put(f"{LATE}year=2026/month=01/day=01/strange.parquet", b"")
    with pytest.raises(SealedFilesChangedError, match=r"holds 4 files where 3 were sealed .*strange.parquet"):
        sealed(late(lake))


def test_a_rejected_source_is_not_sealed(lake: MemoryObjects, sealed: Seal) -> None:
    key = late(lake)
    verdict = lake.get_model(key, Validation)
    lake.put_model(key, verdict.model_copy(update={"status": "rejected"}))
    with pytest.raises(SourceRejectedError, match="'late' was rejected"):
        sealed(key)
    assert list(lake.list("data/")) == []
