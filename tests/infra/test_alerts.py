"""A failure reaches its subscribers exactly once: by the definition's own alert or by the rule, over TLS, encrypted."""

import json
from typing import Any

import pytest
from aws_cdk import Stack, assertions

from infra.alerts import Alerts
from infra.settings import Settings

OWN_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.fixture(scope="module")
def template() -> assertions.Template:
    stack = Stack()
    alerts = Alerts(stack, "Alerts", settings=Settings(stage="dev", alarm_emails=("night@example.com",)))
    alerts.watch()
    return assertions.Template.from_stack(stack)


def statements(template: assertions.Template, kind: str, document: str) -> list[dict[str, Any]]:
    (resource,) = template.find_resources(kind).values()
    found: list[dict[str, Any]] = resource["Properties"][document]["Statement"]
    return found


def by_service(found: list[dict[str, Any]], service: str) -> dict[str, Any]:
    (statement,) = [s for s in found if s["Principal"] == {"Service": service}]
    return statement


def test_the_topic_is_encrypted_with_a_key_of_its_own_that_rotates(template: assertions.Template) -> None:
    (key_id,) = template.find_resources("AWS::KMS::Key", {"Properties": {"EnableKeyRotation": True}})
    template.has_resource_properties("AWS::SNS::Topic", {"KmsMasterKeyId": {"Fn::GetAtt": [key_id, "Arn"]}})


def test_alarms_and_rules_may_use_the_key(template: assertions.Template) -> None:
    found = statements(template, "AWS::KMS::Key", "KeyPolicy")
    alarms, rules = (by_service(found, f"{name}.amazonaws.com") for name in ("cloudwatch", "events"))
    assert alarms["Action"] == rules["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert alarms["Condition"] == OWN_ACCOUNT


def test_only_this_accounts_alarms_and_the_rule_may_publish_and_only_over_tls(template: assertions.Template) -> None:
    found = statements(template, "AWS::SNS::TopicPolicy", "PolicyDocument")
    assert by_service(found, "cloudwatch.amazonaws.com")["Condition"] == OWN_ACCOUNT
    assert by_service(found, "events.amazonaws.com")["Action"] == "sns:Publish"
    (deny,) = [s for s in found if s["Effect"] == "Deny"]
    assert (deny["Action"], deny["Principal"]) == ("sns:Publish", "*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {s["Effect"] for s in found if "Service" not in s["Principal"]} == {"Deny"}


def test_every_address_of_the_settings_is_subscribed(template: assertions.Template) -> None:
    template.has_resource_properties("AWS::SNS::Subscription", {"Protocol": "email", "Endpoint": "night@example.com"})


def test_the_rule_tells_of_what_no_catch_sees_and_stays_quiet_otherwise(template: assertions.Template) -> None:
    (rule,) = template.find_resources("AWS::Events::Rule").values()
    ours = ("arn:", {"Ref": "AWS::Partition"}, ":states:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"})
    assert rule["Properties"]["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [{"prefix": {"Fn::Join": ["", [*ours, ":stateMachine:nightlake-dev-"]]}}],
            "$or": [
                {"status": ["TIMED_OUT", "ABORTED"]},
                {"status": ["FAILED"], "error": ["States.Runtime", "States.DataLimitExceeded"]},
            ],
        },
    }


def test_the_message_of_the_rule_is_text_with_a_link_to_the_execution(template: assertions.Template) -> None:
    (rule,) = template.find_resources("AWS::Events::Rule").values()
    (target,) = rule["Properties"]["Targets"]
    transformer = target["InputTransformer"]
    lines = [json.loads(line) for line in transformer["InputTemplate"].splitlines()]
    assert lines[0] == "Nightlake: a night ended <detail-status> before it could say why"
    assert lines[-1].endswith("#/v2/executions/details/<detail-executionArn>")
    assert transformer["InputPathsMap"]["detail-executionArn"] == "$.detail.executionArn"
