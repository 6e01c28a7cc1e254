"""The app as a whole: every stage synthesizes offline, clean for cdk-nag and cfn-lint, and beside another stage."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cfnlint.api
import pytest
from aws_cdk import App
from aws_cdk.cx_api import CloudAssembly
from nightlake.core.pipeline import Pipeline

from infra.stacks import add_stage
from infra.whole_template import nested_templates, whole_template

ROOT = Path(__file__).parents[2]
STAGES = ("local", "dev", "prod")
STACKS = ("stateful", "stateless")

Template = dict[str, Any]
Templates = Callable[[str, str], Template]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("stack", STACKS)
def test_cfn_lint_finds_nothing(
    assembly: Callable[[str], CloudAssembly], stage: str, stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # where .cfnlintrc lies
    name = f"nightlake-{stage}-{stack}"
    templates = [assembly(stage).get_stack_by_name(name).template, *nested_templates(assembly(stage), name).values()]
    found = [
        match
        for template in templates
        for match in cfnlint.api.lint(json.dumps(template), regions=["us-east-1", "eu-central-1"])
    ]
    assert [f"{match.rule.id} {match.path}: {match.message}" for match in found] == []


def test_each_pipeline_has_a_nested_stack_that_is_tagged_like_the_others(
    assembly: Callable[[str], CloudAssembly], pipelines: tuple[Pipeline, ...]
) -> None:
    nested = nested_templates(assembly("prod"), "nightlake-prod-stateless")
    assert len(nested) == len(pipelines)
    for template in nested.values():
        machines = [each for each in template["Resources"].values() if each["Type"].endswith("::StateMachine")]
        assert machines
        assert {"Key": "stage", "Value": "prod"} in machines[0]["Properties"]["Tags"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_outputs_that_everything_outside_looks_up_are_there(template: Templates, stage: str) -> None:
    assert set(template(stage, "stateful")["Outputs"]) >= {
        "RawBucket",
        "LakeBucket",
        "QuarantineBucket",
        "ResultsBucket",
        "Database",
        "StagingDatabase",
        "QuarantineDatabase",
        "PipelineWorkgroup",
        "BiWorkgroup",
        "BiReaderRole",
    }


NAMING = {
    "AlarmName",
    "AliasName",
    "BucketName",
    "DashboardName",
    "FunctionName",
    "GroupName",
    "LogGroupName",
    "Name",
    "QueueName",
    "RoleName",
    "StateMachineName",
    "TopicName",
}
# Named inside another resource, whose own name carries the stage: a workgroup, a function.
INNER = {"AWS::Athena::NamedQuery", "AWS::Lambda::Alias"}


def physical_names(template: Template) -> Iterator[str]:
    """The type and name of every resource that the template names itself."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        named = properties.get("DatabaseInput", properties)
        for key in NAMING & set(named) if resource["Type"] not in INNER else ():
            if "Ref" not in named[key]:  # that would be the name of another resource
                yield f"{resource['Type']} {json.dumps(named[key])}"


def test_two_stages_in_one_account_share_no_name(template: Templates) -> None:
    names = {
        stage: {name for stack in STACKS for name in physical_names(template(stage, stack))}
        for stage in ("dev", "prod")
    }
    assert any("nightlake-dev-lake-" in name for name in names["dev"])
    assert names["dev"] & names["prod"] == set()


def statements(node: object) -> Iterator[Template]:
    """Every policy statement anywhere in a template."""
    match node:
        case {"Effect": _, "Action": _}:
            yield node
        case dict():
            for child in node.values():
                yield from statements(child)
        case list():
            for child in node:
                yield from statements(child)


@pytest.mark.parametrize("stack", STACKS)
def test_nobody_unknown_is_allowed_anything(template: Templates, stack: str) -> None:
    allowed = [found for found in statements(template("prod", stack)) if found["Effect"] == "Allow"]
    assert allowed
    for statement in allowed:
        everybody = statement.get("Principal") in ("*", {"AWS": "*"})
        ours = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
        assert not everybody or statement["Condition"] == ours, statement
        assert "NotPrincipal" not in statement, statement


def test_two_stages_can_stand_in_one_app(context: dict[str, object], pipelines: tuple[Pipeline, ...]) -> None:
    app = App(context=context)
    add_stage(app, "dev", pipelines)
    add_stage(app, "prod", pipelines)
    stacks = {stack.stack_name for stack in app.synth().stacks}
    assert stacks == {f"nightlake-{stage}-{stack}" for stage in ("dev", "prod") for stack in STACKS}


@pytest.mark.parametrize(("stage", "protected"), [("local", False), ("dev", False), ("prod", True)])
def test_the_stateful_stack_of_prod_cannot_be_deleted_by_accident(
    assembly: Callable[[str], CloudAssembly], stage: str, protected: bool
) -> None:
    stateful = assembly(stage).get_stack_by_name(f"nightlake-{stage}-stateful")
    assert bool(stateful.termination_protection) is protected


def test_synth_writes_the_same_templates_again(
    template: Templates, context: dict[str, object], pipelines: tuple[Pipeline, ...]
) -> None:
    app = App(context=context)
    add_stage(app, "prod", pipelines)
    again = app.synth()
    for stack in STACKS:
        assert whole_template(again, f"nightlake-prod-{stack}") == template("prod", stack)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "-c stage=local|dev|prod"),
        ({"stage": "staging"}, "stage is 'staging'"),
        ({"stage": "dev", "nightlake:dev": {"retian": True}}, "retian = True: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_ends_the_app_with_one_clear_message(given: dict[str, object], message: str) -> None:
    environment = {**os.environ, "CDK_CONTEXT_JSON": json.dumps(given)}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
