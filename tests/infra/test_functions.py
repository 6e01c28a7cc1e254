"""What every Lambda gets from the factory: its own narrow role and log group, its settings, a published version."""

from typing import Any

import pytest
from aws_cdk import Duration, Stack, assertions
from aws_cdk import aws_lambda as lambda_

from infra.functions import Function
from infra.settings import FunctionSettings, Settings

SETTINGS = Settings(
    stage="dev", log_retention_days=14, functions={"notify": FunctionSettings(memory_mb=256, reserved_concurrency=3)}
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> assertions.Template:
    stack = Stack()
    code = tmp_path_factory.mktemp("code")
    (code / "nightlake.py").write_text("")
    for name, asynchronous in (("prepare", False), ("notify", True)):
        Function(
            stack,
            name.title(),
            settings=SETTINGS,
            name=name,
            description="A function",
            code=lambda_.Code.from_asset(str(code)),
            layers=(),
            environment={"LAKE_BUCKET": "lake"},
            timeout=Duration.seconds(20),
            asynchronous=asynchronous,
        )
        stack.resolve(stack.node.find_child(name.title()).version_arn)
    return assertions.Template.from_stack(stack)


def function(template: assertions.Template, name: str) -> dict[str, Any]:
    named = template.find_resources("AWS::Lambda::Function", {"Properties": {"FunctionName": f"nightlake-dev-{name}"}})
    (resource,) = named.values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def actions(template: assertions.Template, role: dict[str, Any]) -> dict[str, Any]:
    """Action -> resource over all inline policies attached to a role."""
    logical_id = role["Fn::GetAtt"][0]
    return {
        action: statement["Resource"]
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if {"Ref": logical_id} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_a_function_runs_python_3_13_on_arm_with_tracing_and_its_environment(template: assertions.Template) -> None:
    prepare = function(template, "prepare")
    assert (prepare["Runtime"], prepare["Architectures"]) == ("python3.13", ["arm64"])
    assert prepare["TracingConfig"] == {"Mode": "Active"}
    assert prepare["Handler"] == "nightlake.handlers.prepare.handler"
    assert prepare["Timeout"] == 20
    variables = prepare["Environment"]["Variables"]
    assert (variables["STAGE"], variables["LAKE_BUCKET"], variables["POWERTOOLS_SERVICE_NAME"]) == (
        *("dev", "lake"),
        "prepare",
    )


def test_capacity_comes_from_the_settings(template: assertions.Template) -> None:
    notify, prepare = function(template, "notify"), function(template, "prepare")
    assert (notify["MemorySize"], notify["ReservedConcurrentExecutions"]) == (256, 3)
    assert prepare["MemorySize"] == FunctionSettings().memory_mb
    assert "ReservedConcurrentExecutions" not in prepare


def test_each_function_has_a_role_of_its_own_that_may_only_log_and_trace(template: assertions.Template) -> None:
    prepare, notify = function(template, "prepare"), function(template, "notify")
    assert prepare["Role"] != notify["Role"]
    granted = actions(template, prepare["Role"])
    assert set(granted) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    }
    own_group = {"Fn::GetAtt": [prepare["LoggingConfig"]["LogGroup"]["Ref"], "Arn"]}
    assert granted["logs:PutLogEvents"] == granted["logs:CreateLogStream"] == own_group


def test_no_role_carries_a_managed_policy(template: assertions.Template) -> None:
    assert [
        role for role in template.find_resources("AWS::IAM::Role").values() if "ManagedPolicyArns" in role["Properties"]
    ] == []


def test_an_asynchronous_function_leaves_what_it_cannot_handle_in_its_dead_letter_queue(
    template: assertions.Template,
) -> None:
    notify = function(template, "notify")
    queue = notify["DeadLetterConfig"]["TargetArn"]
    assert actions(template, notify["Role"])["sqs:SendMessage"] == queue
    properties = template.to_json()["Resources"][queue["Fn::GetAtt"][0]]["Properties"]
    assert properties["SqsManagedSseEnabled"] is True
    assert properties["MessageRetentionPeriod"] == 14 * 24 * 3600
    template.has_resource_properties(
        "AWS::SQS::QueuePolicy",
        {
            "Queues": [{"Ref": queue["Fn::GetAtt"][0]}],
            "PolicyDocument": {
                "Statement": [
                    {
                        "Action": "sqs:*",
                        "Effect": "Deny",
                        "Principal": {"AWS": "*"},
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        "Resource": queue,
                    }
                ]
            },
        },
    )


def test_logs_are_kept_as_long_as_the_settings_say(template: assertions.Template) -> None:
    template.has_resource_properties(
        "AWS::Logs::LogGroup", {"LogGroupName": "/aws/lambda/nightlake-dev-prepare", "RetentionInDays": 14}
    )


def test_a_version_that_a_night_may_still_call_survives_the_next_deployment(template: assertions.Template) -> None:
    template.has_resource("AWS::Lambda::Version", {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"})
