"""Databases, workgroups and saved queries of the synthesized template."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import sqlglot
from aws_cdk import Stack, assertions
from nightlake.core.pipeline import Column, Dataset

from infra.catalog import Catalog
from infra.lake import Lake
from infra.saved_queries import saved_queries
from infra.settings import load_settings

Resource = dict[str, Any]

CUSTOMERS = Dataset(
    name="customers",
    columns=(
        Column(name="customer_id", type="bigint", required=True),
        Column(name="email", type="string", private=True),
    ),
    primary_key=("customer_id",),
)


@pytest.fixture(scope="module")
def resources(new_stack: Callable[[], Stack]) -> dict[str, Resource]:
    stack = new_stack()
    settings = load_settings("prod", {"bi_scan_cutoff_mb": 250, "api": {"query_scan_cutoff_mb": 40}})
    Catalog(stack, "Catalog", settings=settings, lake=Lake(stack, "Lake", settings=settings))
    return cast("dict[str, Resource]", assertions.Template.from_stack(stack).to_json()["Resources"])


def of_type(resources: dict[str, Resource], kind: str) -> list[Resource]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def workgroup(resources: dict[str, Resource], name: str) -> Resource:
    (found,) = (group for group in of_type(resources, "AWS::Athena::WorkGroup") if group["Name"] == name)
    return found


def test_served_staged_and_refused_tables_have_databases_of_their_own(resources: dict[str, Resource]) -> None:
    names = {database["DatabaseInput"]["Name"] for database in of_type(resources, "AWS::Glue::Database")}
    assert names == {"nightlake_prod", "nightlake_prod_staging", "nightlake_prod_quarantine"}


def test_people_cannot_override_where_results_go_or_how_much_is_scanned(resources: dict[str, Resource]) -> None:
    configuration = workgroup(resources, "nightlake-prod-bi")["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == 250_000_000


def test_a_pipeline_may_name_the_location_of_a_table_it_creates(resources: dict[str, Resource]) -> None:
    configuration = workgroup(resources, "nightlake-prod-pipeline")["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is False
    assert "BytesScannedCutoffPerQuery" not in configuration


def test_callers_of_the_api_have_a_workgroup_and_a_cutoff_of_their_own(resources: dict[str, Resource]) -> None:
    configuration = workgroup(resources, "nightlake-prod-api")["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == 40_000_000


@pytest.mark.parametrize("name", ["pipeline", "bi", "api"])
def test_results_are_encrypted_under_a_prefix_of_their_workgroup(resources: dict[str, Resource], name: str) -> None:
    result = workgroup(resources, f"nightlake-prod-{name}")["WorkGroupConfiguration"]["ResultConfiguration"]
    assert result["OutputLocation"]["Fn::Join"][1][-1] == f"/{name}/"
    assert result["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert result["ExpectedBucketOwner"] == {"Ref": "AWS::AccountId"}


@pytest.mark.parametrize("name", ["pipeline", "bi", "api"])
def test_a_workgroup_tells_cloudwatch_what_it_scans(resources: dict[str, Resource], name: str) -> None:
    configuration = workgroup(resources, f"nightlake-prod-{name}")["WorkGroupConfiguration"]
    assert configuration["PublishCloudWatchMetricsEnabled"] is True


def test_a_saved_query_is_one_athena_statement_that_no_private_column_is_in() -> None:
    queries = saved_queries(CUSTOMERS)
    assert len({query.name for query in queries}) == len(queries)
    for query in queries:
        (statement,) = sqlglot.parse(query.sql, read="athena")
        assert isinstance(statement, sqlglot.exp.Select)
        assert {table.name.partition("$")[0] for table in statement.find_all(sqlglot.exp.Table)} == {"customers"}
        assert "email" not in query.sql


def test_a_query_for_rows_names_its_columns_and_reads_one_day() -> None:
    (rows,) = (query for query in saved_queries(CUSTOMERS) if query.name == "customers of a day")
    statement = sqlglot.parse_one(rows.sql, read="athena")
    assert statement.named_selects == ["customer_id", "_run_id", "_loaded_at", "_source", "_position"]
    assert len(list(statement.find_all(sqlglot.exp.Placeholder))) == 3
