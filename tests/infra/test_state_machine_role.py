"""The rights derived from a definition are exactly what each integration needs, and never more than was declared."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.state_machine_role import Reach, RoleError, statements

ASL = Path(__file__).parent / "asl" / "every_integration.asl.json"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function"
NAMES = {
    "PrepareFunction": f"{LAMBDA}:prepare:7",
    "OtherFunction": f"{LAMBDA}:other:1",
    "BackfillStateMachine": "arn:aws:states:eu-west-1:123456789012:stateMachine:backfill",
    "AlertTopic": TOPIC,
}
REACH = Reach(
    partition="aws",
    region="eu-west-1",
    account="123456789012",
    state_machine="daily",
    tables={"served": ("orders",), "staging": ("orders", "orders_private")},
    read={"lake": ("runs/sales/*", "data/sales/*"), "raw": ("sales/*",)},
    write={"lake": ("runs/sales/*",), "results": ("pipeline/*",)},
    keys={TOPIC: "key/alerts", "lake": "key/lake", "raw": "key/lake", "results": "key/results"},
)


def definition(states: dict[str, Any] | None = None) -> dict[str, Any]:
    if states is not None:
        return {"StartAt": next(iter(states)), "States": states}
    text = ASL.read_text()
    for name, value in NAMES.items():
        text = text.replace(f"${{{name}}}", value)
    bound: dict[str, Any] = json.loads(text)
    return bound


def task(resource: str, **parameters: object) -> dict[str, Any]:
    return definition({"Work": {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}})


@pytest.fixture(scope="module")
def granted() -> dict[str, set[str]]:
    """Action -> resources, over all statements of the definition with every integration."""
    rights: dict[str, set[str]] = {}
    for statement in statements(definition(), REACH):
        for action in statement.actions:
            rights.setdefault(action, set()).update(statement.resources)
    return rights


STATES = "arn:aws:states:eu-west-1:123456789012"
GLUE = "arn:aws:glue:eu-west-1:123456789012"
ATHENA = "arn:aws:athena:eu-west-1:123456789012"
TABLES = {
    f"{GLUE}:catalog",
    f"{GLUE}:database/served",
    f"{GLUE}:database/staging",
    f"{GLUE}:table/served/orders",
    f"{GLUE}:table/staging/orders",
    f"{GLUE}:table/staging/orders_private",
}
LAKE = "arn:aws:s3:::lake"
BUCKETS = {LAKE, "arn:aws:s3:::raw", "arn:aws:s3:::results"}
WRITTEN = {f"{LAKE}/runs/sales/*", "arn:aws:s3:::results/pipeline/*"}
WORKGROUP = {f"{ATHENA}:workgroup/pipeline"}
EXPECTED = {
    "lambda:InvokeFunction": {f"{LAMBDA}:prepare:*", f"{LAMBDA}:other:*"},
    "sns:Publish": {TOPIC},
    "events:PutEvents": {"arn:aws:events:eu-west-1:123456789012:event-bus/default"},
    "kms:GenerateDataKey*": {"key/alerts"},
    "kms:Decrypt": {"key/alerts", "key/lake", "key/results"},
    "kms:Encrypt": {"key/lake"},
    "kms:GenerateDataKey": {"key/lake", "key/results"},
    "states:StartExecution": {f"{STATES}:stateMachine:daily", f"{STATES}:stateMachine:backfill"},
    "states:DescribeExecution": {f"{STATES}:execution:daily:*", f"{STATES}:execution:backfill:*"},
    "states:StopExecution": {f"{STATES}:execution:daily:*", f"{STATES}:execution:backfill:*"},
    "states:RedriveExecution": {f"{STATES}:execution:daily/Convert:*", f"{STATES}:execution:daily/Files:*"},
    **{
        f"events:{action}": {
            "arn:aws:events:eu-west-1:123456789012:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
        }
        for action in ("PutTargets", "PutRule", "DescribeRule")
    },
    "athena:StartQueryExecution": WORKGROUP,
    "athena:StopQueryExecution": WORKGROUP,
    "athena:GetQueryExecution": WORKGROUP,
    "athena:BatchGetQueryExecution": WORKGROUP,
    "athena:GetQueryResults": WORKGROUP,
    "athena:GetWorkGroup": WORKGROUP,
    "athena:GetDataCatalog": {f"{ATHENA}:datacatalog/AwsDataCatalog"},
    "lakeformation:GetDataAccess": {"*"},
    **dict.fromkeys(
        (
            *("glue:GetDatabase", "glue:GetDatabases"),
            *("glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable"),
            *("glue:GetPartition", "glue:GetPartitions", "glue:CreatePartition", "glue:UpdatePartition"),
            *("glue:BatchGetPartition", "glue:BatchCreatePartition"),
        ),
        TABLES,
    ),
    **dict.fromkeys(
        ("s3:GetBucketLocation", "s3:ListBucketMultipartUploads"),
        BUCKETS,
    ),
    "s3:ListBucket": BUCKETS,
    "s3:GetObject": {
        f"{LAKE}/runs/sales/*",
        f"{LAKE}/data/sales/*",
        "arn:aws:s3:::raw/sales/*",
        "arn:aws:s3:::results/pipeline/*",
    },
    **dict.fromkeys(
        ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
        WRITTEN,
    ),
}


@pytest.mark.parametrize("action", sorted(EXPECTED))
def test_each_action_is_allowed_on_exactly_its_resources(granted: dict[str, set[str]], action: str) -> None:
    assert granted[action] == EXPECTED[action]


def test_no_other_action_is_allowed(granted: dict[str, set[str]]) -> None:
    assert set(granted) == set(EXPECTED)


def test_only_lake_formation_is_allowed_on_everything(granted: dict[str, set[str]]) -> None:
    assert {action for action, resources in granted.items() if "*" in resources} == {"lakeformation:GetDataAccess"}


def test_a_reader_lists_only_its_prefix() -> None:
    reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "raw", "Prefix": "sales/"}}
    listing = [s for s in statements(definition({"Files": distributed(ItemReader=reader)}), REACH) if s.prefixes]
    assert [(s.actions, s.resources, s.prefixes) for s in listing] == [
        (("s3:ListBucket",), ("arn:aws:s3:::raw",), ("sales/*",))
    ]


def test_a_reader_of_a_literal_key_reads_only_that_object() -> None:
    reader = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "raw", "Key": "sales/days.json"}}
    rights = statements(definition({"Days": distributed(ItemReader=reader)}), REACH)
    assert [s.resources for s in rights if s.actions == ("s3:GetObject",)] == [("arn:aws:s3:::raw/sales/days.json",)]


def test_a_literal_database_keeps_the_other_databases_shut() -> None:
    (rights,) = statements(task("arn:aws:states:::aws-sdk:glue:getTable", DatabaseName="served", Name="orders"), REACH)
    assert set(rights.resources) == {f"{GLUE}:catalog", f"{GLUE}:database/served", f"{GLUE}:table/served/orders"}


def distributed(**fields: object) -> dict[str, Any]:
    return {
        "Type": "Map",
        "Label": "Work",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Done",
            "States": {"Done": {"Type": "Pass", "End": True}},
        },
        "End": True,
        **fields,
    }


def read_raw(bucket: str) -> dict[str, Any]:
    parameters = {"Bucket": bucket, "Key.$": "$.key"}
    return distributed(ItemReader={"Resource": "arn:aws:states:::s3:getObject", "Parameters": parameters})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: task("arn:aws:states:::dynamodb:getItem"), ("'Work'", "dynamodb:getItem", "not in the table")),
        (lambda: task("arn:aws:states:::lambda:invoke.waitForTaskToken"), ("lambda:invoke.waitForTaskToken", "table")),
        (lambda: task(f"{LAMBDA}:prepare:7"), ("'Work'", "not in the table")),
        (lambda: task("arn:aws:states:::lambda:invoke", **{"FunctionName.$": "$.f"}), ("FunctionName", "literal")),
        (lambda: task("arn:aws:states:::lambda:invoke", FunctionName=f"{LAMBDA}:prepare"), ("published version",)),
        (lambda: task("arn:aws:states:::aws-sdk:glue:getTable", DatabaseName="other"), ("other", "no tables")),
        (lambda: task("arn:aws:states:::athena:startQueryExecution", QueryString="SELECT 1"), ("WorkGroup", "literal")),
        (
            lambda: task("arn:aws:states:::states:startExecution.sync:2", StateMachineArn="${Machine}"),
            ("spelled out",),
        ),
        (lambda: definition({"Days": read_raw("elsewhere")}), ("'Days'", "elsewhere", "declares no keys")),
        (lambda: definition({"Days": distributed() | {"Label": None}}), ("'Days'", "Label")),
    ],
)
def test_what_cannot_be_derived_is_refused_by_name(make: Callable[[], dict[str, Any]], words: tuple[str, ...]) -> None:
    with pytest.raises(RoleError) as refused:
        statements(make(), REACH)
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize(("number", "length"), [(1, 136), (20, 10), (20, 75), (20, 136), (40, 60), (400, 10)])
def test_however_many_tables_there_are_a_statement_fits_into_a_managed_policy(number: int, length: int) -> None:
    names = tuple(f"{index:03}".ljust(length, "t") for index in range(number))
    databases = dict.fromkeys(("nightlake_prod", "nightlake_prod_quarantine"), names)
    reach = replace(REACH, region="ap-southeast-2", tables=databases)
    glue = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:glue:getTable", "Parameters": {}, "End": True}
    (statement,) = statements(definition({"Work": glue}), reach)
    assert len(json.dumps(statement.resources)) < 5_500
    named = {resource for resource in statement.resources if ":table/" in resource}
    exact = {f"arn:aws:glue:ap-southeast-2:123456789012:table/{each}/{name}" for each in databases for name in names}
    whole = {f"arn:aws:glue:ap-southeast-2:123456789012:table/{each}/*" for each in databases}
    assert named == (exact if number * length <= 200 else whole)
