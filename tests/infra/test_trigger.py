"""The night is started at the contract's hour, with the scheduled time as its input, and never lost in silence."""

from typing import Any

import pytest
from aws_cdk import Stack, assertions
from aws_cdk import aws_stepfunctions as sfn
from nightlake.core.pipeline import Schedule

from infra.trigger import Trigger

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:nightlake-dev-sales-daily"
NAME = "nightlake-dev-sales-trigger"


def template(timezone: str = "UTC", cron: str | None = "0 3 * * ? *", **said: Any) -> assertions.Template:
    stack = Stack()
    machine = sfn.StateMachine.from_state_machine_arn(stack, "Machine", MACHINE)
    schedule = Schedule(cron=cron, timezone=timezone, **said)
    Trigger(stack, "Trigger", name=NAME, schedule=schedule, machine=machine, bucket="raw", arrivals=["shop/*/\\*.csv"])
    return assertions.Template.from_stack(stack)


@pytest.fixture(scope="module")
def utc() -> assertions.Template:
    return template("UTC")


@pytest.fixture(scope="module")
def berlin() -> assertions.Template:
    return template("Europe/Berlin")


def only(template: assertions.Template, kind: str) -> dict[str, Any]:
    (resource,) = template.find_resources(kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def queue_arn(template: assertions.Template) -> dict[str, Any]:
    (logical_id,) = template.find_resources("AWS::SQS::Queue", {"Properties": {"QueueName": f"{NAME}-dead-letters"}})
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def start_role(template: assertions.Template) -> dict[str, Any]:
    """Action -> resource of the one policy that lets the trigger start the machine."""
    return {
        statement["Action"]: statement["Resource"]
        for statement in only(template, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]
    }


def test_a_utc_pipeline_starts_by_a_rule_at_its_hour(utc: assertions.Template) -> None:
    rule = only(utc, "AWS::Events::Rule")
    assert (rule["ScheduleExpression"], rule["State"]) == ("cron(0 3 * * ? *)", "ENABLED")
    (target,) = rule["Targets"]
    assert target["Arn"] == MACHINE
    assert target["InputTransformer"] == {
        "InputPathsMap": {"time": "$.time"},
        "InputTemplate": '{"scheduled_time":<time>}',
    }
    assert utc.find_resources("AWS::Scheduler::Schedule") == {}


def test_a_start_that_cannot_be_delivered_becomes_a_dead_letter(utc: assertions.Template) -> None:
    (target,) = only(utc, "AWS::Events::Rule")["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": queue_arn(utc)}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200, "MaximumRetryAttempts": 185}
    writers = [
        statement
        for statement in only(utc, "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    (rule_id,) = utc.find_resources("AWS::Events::Rule")
    assert [(w["Principal"], w["Action"], w["Condition"]) for w in writers] == [
        (
            {"Service": "events.amazonaws.com"},
            "sqs:SendMessage",
            {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule_id, "Arn"]}}},
        )
    ]


def test_the_rule_may_start_this_machine_and_nothing_else(utc: assertions.Template) -> None:
    assert start_role(utc) == {"states:StartExecution": MACHINE}


def test_another_time_zone_takes_a_schedule_that_keeps_the_local_hour(berlin: assertions.Template) -> None:
    schedule = only(berlin, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = schedule["Target"]
    assert target["Arn"] == MACHINE
    assert target["Input"] == '{"scheduled_time":"<aws.scheduler.scheduled-time>"}'
    assert target["DeadLetterConfig"] == {"Arn": queue_arn(berlin)}
    assert berlin.find_resources("AWS::Events::Rule") == {}


def test_the_schedule_has_a_group_and_a_role_of_its_own(berlin: assertions.Template) -> None:
    (group_id,) = berlin.find_resources("AWS::Scheduler::ScheduleGroup")
    assert only(berlin, "AWS::Scheduler::Schedule")["GroupName"] == NAME
    assert start_role(berlin) == {"states:StartExecution": MACHINE, "sqs:SendMessage": queue_arn(berlin)}
    (trust,) = only(berlin, "AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {
        "aws:SourceAccount": {"Ref": "AWS::AccountId"},
        "aws:SourceArn": {"Fn::GetAtt": [group_id, "Arn"]},
    }


def test_a_delivery_starts_a_run_of_its_day_where_that_is_declared() -> None:
    delivered = template(cron=None, on_delivery=True)
    rule = only(delivered, "AWS::Events::Rule")
    assert "ScheduleExpression" not in rule
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["raw"]}, "object": {"key": [{"wildcard": "shop/*/\\\\*.csv"}]}},
    }
    (target,) = rule["Targets"]
    assert (target["Arn"], target["DeadLetterConfig"]) == (MACHINE, {"Arn": queue_arn(delivered)})
    assert set(target["InputTransformer"]["InputPathsMap"].values()) == {
        "$.detail.object.key",
        "$.detail.object.sequencer",
        "$.time",
    }
    assert start_role(delivered) == {"states:StartExecution": MACHINE}


def test_a_delivery_starts_runs_beside_the_nights() -> None:
    assert len(template(on_delivery=True).find_resources("AWS::Events::Rule")) == 2
    assert len(template("Europe/Berlin", on_delivery=True).find_resources("AWS::Events::Rule")) == 1
