"""A newer night, and the schedule, start a model's machines; what starts neither, and what becomes of a lost start."""

import json
from typing import Any

import pytest
from aws_cdk import Stack, assertions
from aws_cdk import aws_stepfunctions as sfn

from infra.model_trigger import ModelTrigger

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:nightlake-dev-music-"
TEMPLATE = tuple[assertions.Template, dict[str, dict[str, Any]]]


def trigger(cron: str | None = "0 6 ? * SUN *") -> TEMPLATE:
    """The template, and its rules by name."""
    stack = Stack()
    recommend, retrain = (
        sfn.StateMachine.from_state_machine_arn(stack, kind, MACHINE + kind) for kind in ("recommend", "retrain")
    )
    ModelTrigger(stack, "Trigger", stage="dev", pipeline="music", cron=cron, recommend=recommend, retrain=retrain)
    template = assertions.Template.from_stack(stack)
    found = template.find_resources("AWS::Events::Rule").values()
    return template, {rule["Properties"]["Name"]: rule["Properties"] for rule in found}


@pytest.fixture(scope="module")
def both() -> TEMPLATE:
    return trigger()


def test_only_a_night_that_published_the_newest_day_and_is_no_backfill_starts_recommending(both: TEMPLATE) -> None:
    rule = both[1]["nightlake-dev-music-recommend"]
    assert rule["EventPattern"] == {
        "source": ["nightlake"],
        "detail-type": ["Night Succeeded"],
        "detail": {"stage": ["dev"], "pipeline": ["music"], "newest": [True], "backfill": [False]},
    }
    (target,) = rule["Targets"]
    assert target["Arn"] == f"{MACHINE}recommend"
    paths = target["InputTransformer"]["InputPathsMap"]
    assert set(paths.values()) == {f"$.detail.{name}" for name in ("date", "run_id", "snapshot")}
    filled = target["InputTransformer"]["InputTemplate"]
    for name in paths:
        filled = filled.replace(f"<{name}>", json.dumps(name))
    assert json.loads(filled)["reason"] == "a night was published"


def test_the_schedule_starts_a_retraining(both: TEMPLATE) -> None:
    rule = both[1]["nightlake-dev-music-retrain"]
    assert rule["ScheduleExpression"] == "cron(0 6 ? * SUN *)"
    (target,) = rule["Targets"]
    assert target["Arn"] == f"{MACHINE}retrain"
    assert trigger(cron=None)[1].keys() == {"nightlake-dev-music-recommend"}


def test_a_start_that_cannot_be_delivered_becomes_a_dead_letter(both: TEMPLATE) -> None:
    template, rules = both
    (queue,) = template.find_resources("AWS::SQS::Queue")
    for rule in rules.values():
        (target,) = rule["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}


def test_each_rule_may_start_its_machine_and_nothing_else(both: TEMPLATE) -> None:
    policies = both[0].find_resources("AWS::IAM::Policy").values()
    statements = [each for policy in policies for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    assert {each["Action"] for each in statements} == {"states:StartExecution"}
    assert {each["Resource"] for each in statements} == {f"{MACHINE}recommend", f"{MACHINE}retrain"}
