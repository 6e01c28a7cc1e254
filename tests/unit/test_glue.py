"""Glue and its twin in memory keep the same promises; Glue's batches are of the sizes that it takes."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from memory_catalog import MemoryCatalog
from moto import mock_aws
from nightlake.adapters.glue import Glue
from nightlake.core import layout
from nightlake.core.catalog import Catalog, conform
from nightlake.core.errors import ProjectionError
from nightlake.core.pipeline import Column
from nightlake.core.table import Table, table_input

SALES = Table(name="sales", description="All sales.", columns=(Column(name="amount", type="bigint"),))
DEFINITION = table_input(SALES, "s3://lake/empty/")
FIRST, SECOND = ("2026", "01", "01"), ("2026", "01", "02")


def glue_client() -> Any:
    return boto3.client("glue", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture(params=["glue", "memory"])
def catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    """A catalog with an empty database `db`."""
    if request.param == "memory":
        yield MemoryCatalog()
        return
    with mock_aws():
        client = glue_client()
        client.create_database(DatabaseInput={"Name": "db"})
        yield Glue(client)


def test_a_table_is_made_once_read_changed_and_deleted(catalog: Catalog) -> None:
    assert catalog.table("db", "sales") is None
    catalog.create_table("db", DEFINITION)
    catalog.create_table("db", DEFINITION)
    found = catalog.table("db", "sales")
    assert found is not None
    assert found["StorageDescriptor"]["Columns"][0]["Name"] == "amount"
    catalog.update_table("db", found | {"Description": "Some sales."})
    assert (catalog.table("db", "sales") or {})["Description"] == "Some sales."
    created = catalog.changed_at("db", "sales")
    catalog.create_partitions("db", "sales", {FIRST: "s3://lake/a/"})
    assert catalog.changed_at("db", "sales") == created
    catalog.update_table("db", found)
    assert created is not None
    assert catalog.changed_at("db", "sales") > created  # type: ignore[operator]
    assert catalog.changed_at("db", "another") is None
    catalog.delete_table("db", "sales")
    catalog.delete_table("db", "sales")
    assert catalog.table("db", "sales") is None


def test_a_table_gets_the_columns_of_its_definition_and_is_left_alone_then(catalog: Catalog) -> None:
    assert conform(catalog, "db", SALES, "s3://lake/empty/")
    assert not conform(catalog, "db", SALES, "s3://lake/empty/")
    wider = with_columns(Column(name="tip", type="bigint"))
    assert conform(catalog, "db", wider, "s3://lake/empty/")
    assert columns(catalog) == ["amount", "tip"]
    told = with_columns(Column(name="tip", type="bigint", description="What is left on the table."))
    assert conform(catalog, "db", told, "s3://lake/empty/")
    assert not conform(catalog, "db", told, "s3://lake/empty/")


def test_what_came_beside_the_contract_stays_in_the_table_until_the_contract_takes_or_hides_it(
    catalog: Catalog,
) -> None:
    drift = Column(name="tip", type="string", drift=True)
    conform(catalog, "db", with_columns(drift), "s3://lake/empty/")
    assert not conform(catalog, "db", SALES, "s3://lake/empty/")
    assert conform(catalog, "db", with_columns(Column(name="size", type="int")), "s3://lake/empty/")
    assert columns(catalog) == ["amount", "size", "tip"]
    conform(catalog, "db", with_columns(Column(name="tip", type="string"), Column(name="size", type="int")), "s3://x/")
    assert columns(catalog) == ["amount", "tip", "size"]
    assert conform(catalog, "db", SALES, "s3://lake/empty/")  # what was declared goes with its declaration
    assert columns(catalog) == ["amount"]
    conform(catalog, "db", with_columns(drift), "s3://lake/empty/")
    assert conform(catalog, "db", SALES.model_copy(update={"hidden": ("tip",)}), "s3://lake/empty/")
    assert columns(catalog) == ["amount"]


def with_columns(*more: Column) -> Table:
    """The table of sales with these columns, too."""
    return SALES.model_copy(update={"columns": (*SALES.columns, *more)})


def columns(catalog: Catalog) -> list[str]:
    """The names of its columns, as the catalog keeps them."""
    return [column["Name"] for column in (catalog.table("db", "sales") or {})["StorageDescriptor"]["Columns"]]


def test_partitions_are_made_pointed_elsewhere_and_forgotten(catalog: Catalog) -> None:
    catalog.create_table("db", DEFINITION)
    assert catalog.create_partitions("db", "sales", {FIRST: "s3://lake/a/", SECOND: "s3://lake/b/"}) == []
    assert catalog.update_partitions("db", "sales", {FIRST: "s3://lake/c/"}) == []
    assert catalog.partitions("db", "sales") == {FIRST: "s3://lake/c/", SECOND: "s3://lake/b/"}
    assert catalog.delete_partitions("db", "sales", [SECOND]) == []
    assert catalog.partitions("db", "sales") == {FIRST: "s3://lake/c/"}


def test_what_can_not_be_done_to_a_partition_is_told_and_the_others_are_done(catalog: Catalog) -> None:
    catalog.create_table("db", DEFINITION)
    catalog.create_partitions("db", "sales", {FIRST: "s3://lake/a/"})
    (made,) = catalog.create_partitions("db", "sales", {FIRST: "s3://lake/x/", SECOND: "s3://lake/b/"})
    assert made.startswith("2026/01/01: ")
    (missing,) = catalog.update_partitions("db", "sales", {("2026", "01", "03"): "s3://lake/c/"})
    assert missing.startswith("2026/01/03: ")
    assert catalog.partitions("db", "sales") == {FIRST: "s3://lake/a/", SECOND: "s3://lake/b/"}


def test_a_partition_is_pointed_whether_it_was_there_or_not(catalog: Catalog) -> None:
    catalog.create_table("db", DEFINITION)
    for location in ("s3://lake/a/", "s3://lake/b/"):
        catalog.point_partition("db", "sales", FIRST, location)
        assert catalog.partitions("db", "sales") == {FIRST: location}


def test_a_partition_that_is_refused_every_time_is_an_error_that_names_it() -> None:
    catalog = MemoryCatalog(refuses=lambda: True)
    catalog.create_table("db", DEFINITION)
    with pytest.raises(ProjectionError, match=r"2026/01/01 of db\.sales .*s3://lake/a/: 2026/01/01: refused"):
        catalog.point_partition("db", "sales", FIRST, "s3://lake/a/")


def test_a_table_that_is_not_there_has_no_partitions(catalog: Catalog) -> None:
    assert catalog.partitions("db", "sales") == {}


def test_a_year_of_partitions_goes_in_batches_that_glue_takes() -> None:
    client = glue_client()
    days = [date.fromordinal(date(2025, 1, 1).toordinal() + number) for number in range(230)]
    locations = {layout.partition_values(day): f"s3://lake/{day}/" for day in days}
    with Stubber(client) as stub:
        stub.add_response("get_table", {"Table": DEFINITION | {"DatabaseName": "db"}})
        for _ in range(3):
            stub.add_response("batch_create_partition", {"Errors": []})
        for _ in range(10):
            stub.add_response("batch_delete_partition", {"Errors": []})
        sizes: list[int] = []
        client.meta.events.register("provide-client-params.glue", lambda params, **_: sizes.append(size_of(params)))
        assert Glue(client).create_partitions("db", "sales", locations) == []
        assert Glue(client).delete_partitions("db", "sales", locations) == []
        stub.assert_no_pending_responses()
    assert sizes == [0, 100, 100, 30, *[25] * 9, 5]


def size_of(params: dict[str, Any]) -> int:
    """How many partitions a request names."""
    return len(params.get("PartitionInputList") or params.get("PartitionsToDelete") or ())


def test_a_partition_says_how_its_files_are_read_as_its_table_does() -> None:
    with mock_aws():
        client = glue_client()
        client.create_database(DatabaseInput={"Name": "db"})
        glue = Glue(client)
        glue.create_table("db", DEFINITION)
        glue.create_partitions("db", "sales", {FIRST: "s3://lake/a/"})
        (found,) = client.get_partitions(DatabaseName="db", TableName="sales")["Partitions"]
    descriptor = found["StorageDescriptor"]
    for key in ("InputFormat", "OutputFormat", "SerdeInfo", "Columns"):
        assert descriptor[key] == DEFINITION["StorageDescriptor"][key]
    assert descriptor["Location"] == "s3://lake/a/"


def test_a_table_that_another_changes_at_the_same_time_can_be_tried_again() -> None:
    client = glue_client()
    with Stubber(client) as stub:
        stub.add_client_error("update_table", "ConcurrentModificationException")
        with pytest.raises(ProjectionError, match=r"db\.sales is being changed by another; try again"):
            Glue(client).update_table("db", DEFINITION)
