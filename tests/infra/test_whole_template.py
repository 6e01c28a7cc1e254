"""A stack with a nested one, read as one template: what each refers to is what it would be without nesting."""

import pytest
from aws_cdk import App, CfnOutput, NestedStack, Stack
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from infra.whole_template import Template, nested_templates, whole_template


@pytest.fixture(scope="module")
def templates() -> tuple[Template, Template]:
    """A topic, and in a nested stack a queue named after it that waits for another: the whole, and the nested one."""
    app = App()
    stack = Stack(app, "Shop")
    topic = sns.CfnTopic(stack, "Topic")
    nested = NestedStack(stack, "Inner")
    first = sqs.CfnQueue(nested, "First")
    queue = sqs.CfnQueue(nested, "Queue", queue_name=f"of-{topic.attr_topic_name}", kms_master_key_id=first.ref)
    queue.add_dependency(first)
    CfnOutput(stack, "Arn", value=queue.attr_arn)
    assembly = app.synth()
    (inner,) = nested_templates(assembly, "Shop").values()
    return whole_template(assembly, "Shop"), inner


def test_every_resource_is_there_once_and_no_stack_is(templates: tuple[Template, Template]) -> None:
    whole, inner = templates
    assert inner["Resources"].keys() == {"First", "Queue"}
    kinds = [each["Type"] for each in whole["Resources"].values()]
    assert sorted(kinds) == ["AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::SQS::Queue"]


def test_parameters_outputs_and_dependencies_are_what_they_stand_for(templates: tuple[Template, Template]) -> None:
    whole, inner = templates
    assert inner["Parameters"]
    (first, queue) = (key for key, each in whole["Resources"].items() if each["Type"] == "AWS::SQS::Queue")
    assert whole["Resources"][queue]["DependsOn"] == [first]
    assert whole["Resources"][queue]["Properties"] == {
        "KmsMasterKeyId": {"Ref": first},
        "QueueName": {"Fn::Join": ["", ["of-", {"Fn::GetAtt": ["Topic", "TopicName"]}]]},
    }
    assert whole["Outputs"]["Arn"]["Value"] == {"Fn::GetAtt": [queue, "Arn"]}
