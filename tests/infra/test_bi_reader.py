"""Exactly what the BI reader role may do, and what it is denied."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from aws_cdk import Stack, assertions

from infra.bi_reader import BiReader
from infra.catalog import Catalog
from infra.lake import Lake
from infra.settings import load_settings

Resource = dict[str, Any]


def synthesized(stack: Stack, overrides: object = None) -> assertions.Template:
    settings = load_settings("prod", overrides)
    lake = Lake(stack, "Data", settings=settings)
    catalog = Catalog(stack, "Catalog", settings=settings, lake=lake)
    BiReader(stack, "BiReader", settings=settings, lake=lake, catalog=catalog)
    return assertions.Template.from_stack(stack)


@pytest.fixture(scope="module")
def statements(new_stack: Callable[[], Stack]) -> dict[str, Resource]:
    (policy,) = synthesized(new_stack()).find_resources("AWS::IAM::Policy").values()
    return {
        statement.pop("Sid"): statement for statement in map(dict, policy["Properties"]["PolicyDocument"]["Statement"])
    }


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def arn(reference: object) -> str:
    """An ARN as text: its own bucket's or key's logical id for a reference, `aws:::` left out."""
    match reference:
        case {"Fn::Join": ["", parts]}:
            return "".join(map(arn, parts))
        case {"Fn::GetAtt": [logical_id, "Arn"]}:
            return cast("str", logical_id)[:-8]
        case {"Ref": name}:
            return cast("str", name).removeprefix("AWS::")
    assert isinstance(reference, str)
    return reference


def granted(statements: dict[str, Resource], sid: str) -> tuple[set[str], set[str]]:
    statement = statements[sid]
    return set(listed(statement["Action"])), set(map(arn, listed(statement["Resource"])))


GLUE = "arn:Partition:glue:Region:AccountId"
ATHENA = "arn:Partition:athena:Region:AccountId"


def test_it_queries_in_the_bi_workgroup_alone(statements: dict[str, Resource]) -> None:
    assert granted(statements, "QueryInTheBiWorkgroup") == (
        {
            "athena:BatchGetNamedQuery",
            "athena:BatchGetQueryExecution",
            "athena:GetNamedQuery",
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:GetQueryResultsStream",
            "athena:GetWorkGroup",
            "athena:ListNamedQueries",
            "athena:ListQueryExecutions",
            "athena:StartQueryExecution",
            "athena:StopQueryExecution",
        },
        {f"{ATHENA}:workgroup/nightlake-prod-bi"},
    )


def test_it_browses_the_one_data_catalog(statements: dict[str, Resource]) -> None:
    assert granted(statements, "BrowseTheCatalogInAthena") == (
        {
            "athena:GetDataCatalog",
            "athena:GetDatabase",
            "athena:GetTableMetadata",
            "athena:ListDatabases",
            "athena:ListTableMetadata",
        },
        {f"{ATHENA}:datacatalog/AwsDataCatalog"},
    )


def test_it_reads_the_served_database_and_changes_nothing(statements: dict[str, Resource]) -> None:
    actions, resources = granted(statements, "ReadServedTables")
    assert actions == {
        "glue:BatchGetPartition",
        "glue:GetDatabase",
        "glue:GetDatabases",
        "glue:GetPartition",
        "glue:GetPartitions",
        "glue:GetTable",
        "glue:GetTables",
    }
    assert resources == {f"{GLUE}:catalog", f"{GLUE}:database/nightlake_prod", f"{GLUE}:table/nightlake_prod/*"}


def test_it_reads_published_files_and_what_names_them_and_not_what_is_staged(statements: dict[str, Resource]) -> None:
    actions, objects = granted(statements, "ReadPublishedFiles")
    assert actions == {"s3:GetObject"}
    assert objects == {"DataLake/data/*", "DataLake/snapshots/*"}
    assert granted(statements, "ListPublishedFiles") == ({"s3:ListBucket"}, {"DataLake"})
    assert statements["ListPublishedFiles"]["Condition"] == {"StringLike": {"s3:prefix": ["data/*", "empty/*"]}}


def test_private_tables_are_denied_in_the_catalog_and_on_disk(statements: dict[str, Resource]) -> None:
    tables, files = statements["NotPrivateTables"], statements["NotPrivateFiles"]
    assert tables["Effect"] == files["Effect"] == "Deny"
    assert granted(statements, "NotPrivateTables") == (
        {"glue:BatchGetPartition", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable"},
        {f"{GLUE}:table/nightlake_prod/*_private"},
    )
    assert granted(statements, "NotPrivateFiles") == (
        {"s3:GetObject"},
        {"DataLake/data/*/*_private/*", "DataLake/snapshots/*/*_private/*", "DataLake/snapshots/*/indexes/*"},
    )


def test_it_writes_query_results_under_its_own_prefix_only(statements: dict[str, Resource]) -> None:
    assert granted(statements, "KeepOwnResults") == (
        {"s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"},
        {"DataResults/bi/*"},
    )
    assert granted(statements, "ListOwnResults") == ({"s3:ListBucket"}, {"DataResults"})
    assert statements["ListOwnResults"]["Condition"] == {"StringLike": {"s3:prefix": ["bi/*"]}}
    assert granted(statements, "LocateBuckets") == ({"s3:GetBucketLocation"}, {"DataLake", "DataResults"})


def test_it_uses_the_lake_key_through_s3_and_never_the_key_of_refused_rows(statements: dict[str, Resource]) -> None:
    assert granted(statements, "UseTheLakeKeyThroughS3") == ({"kms:Decrypt", "kms:GenerateDataKey"}, {"DataKey"})
    condition = statements["UseTheLakeKeyThroughS3"]["Condition"]
    assert arn(condition["StringEquals"]["kms:ViaService"]) == "s3.Region.amazonaws.com"


def test_there_is_nothing_else_it_may_do(statements: dict[str, Resource]) -> None:
    assert set(statements) == {
        "QueryInTheBiWorkgroup",
        "BrowseTheCatalogInAthena",
        "ReadServedTables",
        "NotPrivateTables",
        "ReadPublishedFiles",
        "ListPublishedFiles",
        "NotPrivateFiles",
        "KeepOwnResults",
        "ListOwnResults",
        "LocateBuckets",
        "UseTheLakeKeyThroughS3",
    }


def trusted(template: assertions.Template) -> list[Resource]:
    (role,) = template.find_resources("AWS::IAM::Role").values()
    return [
        principal
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for principal in listed(statement["Principal"]["AWS"])
    ]


def test_whoever_the_settings_name_may_assume_it_and_nobody_else(new_stack: Callable[[], Stack]) -> None:
    readers = ["arn:aws:iam::123456789012:role/analyst", "arn:aws:iam::123456789012:user/tableau"]
    assert trusted(synthesized(new_stack(), {"bi_readers": readers})) == readers


def test_without_named_readers_this_accounts_own_policies_decide(new_stack: Callable[[], Stack]) -> None:
    (principal,) = trusted(synthesized(new_stack()))
    assert arn(principal) == "arn:Partition:iam::AccountId:root"
