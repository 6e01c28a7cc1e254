"""A pipeline is data: a big, weekly, slow one with an unlucky name deploys and alarms as rightly as sales does."""

import json
from collections import Counter
from typing import Any

import pytest
from any_kinds import of_kinds
from aws_cdk import App
from aws_cdk.cx_api import CloudAssembly
from nightlake.core.http_auth import BearerAuth
from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Pipeline, Schedule

from infra.stacks import add_stage
from infra.whole_template import nested_templates, whole_template

MANAGED_POLICY_BYTES = 6_144
INLINE_POLICY_BYTES = 10_240
MANAGED_POLICIES_OF_A_ROLE = 10
TEMPLATE_BYTES = 1_000_000
TEMPLATE_LIMITS = {"Resources": 500, "Parameters": 200, "Outputs": 200}
PATTERN_CHARACTERS = 2_048


@pytest.fixture(scope="module")
def big(pipelines: tuple[Pipeline, ...]) -> Pipeline:
    """100 datasets of 200 columns from 30 APIs, weekly, with a day's time to be ready, called like the query API."""
    sales = next(each for each in pipelines if each.name == "sales")
    column = next(column for column in sales.datasets[0].columns if column.name not in sales.datasets[0].primary_key)
    columns = tuple(column.model_copy(update={"name": f"column_{number}"}) for number in range(200))
    datasets = tuple(
        sales.datasets[0].model_copy(update={"name": f"dataset_{number}", "columns": columns}) for number in range(100)
    )
    weekly = Schedule(cron="0 3 ? * MON *", timezone="UTC")
    (api,) = of_kinds(sales, "http").sources
    assert isinstance(api, HttpSource)
    sources = tuple(
        api.model_copy(
            update={
                "dataset": f"dataset_{number}",
                "auth": BearerAuth(by="bearer", secret=f"apis/of-somebody/{number}"),
            }
        )
        for number in range(30)
    )
    return sales.model_copy(
        update={
            "name": "api",
            "datasets": datasets,
            "sources": sources,
            "schedule": weekly,
            "latency_minutes": 1_440,
        }
    )


@pytest.fixture(scope="module")
def assembly(big: Pipeline, pipelines: tuple[Pipeline, ...], context: dict[str, object]) -> CloudAssembly:
    """Beside the big one sales, and twenty that other teams have copied from it."""
    sales = next(each for each in pipelines if each.name == "sales")
    copies = (sales.model_copy(update={"name": f"sales-{number}"}) for number in range(20))
    app = App(context=context, builtin_cloud_formation_validation=False)
    add_stage(app, "dev", (sales, big, *copies))
    return app.synth()


@pytest.fixture(scope="module")
def resources(assembly: CloudAssembly) -> dict[str, Any]:
    found: dict[str, Any] = whole_template(assembly, "nightlake-dev-stateless")["Resources"]
    return found


def machine(resources: dict[str, Any], name: str) -> dict[str, Any]:
    machines = (each["Properties"] for each in resources.values() if each["Type"] == "AWS::StepFunctions::StateMachine")
    return next(each for each in machines if each["StateMachineName"] == f"nightlake-dev-{name}-daily")


def test_policies_stay_below_what_iam_takes(resources: dict[str, Any]) -> None:
    # What a reference becomes when deployed is never longer than the reference itself.
    sizes = {
        name: (each["Type"], len(json.dumps(each["Properties"]["PolicyDocument"], separators=(",", ":"))))
        for name, each in resources.items()
        if each["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    }
    limits = {"AWS::IAM::Policy": INLINE_POLICY_BYTES, "AWS::IAM::ManagedPolicy": MANAGED_POLICY_BYTES}
    assert {name: size for name, (kind, size) in sizes.items() if size > limits[kind]} == {}
    managed = Counter(
        json.dumps(role)
        for each in resources.values()
        if each["Type"] == "AWS::IAM::ManagedPolicy"
        for role in each["Properties"]["Roles"]
    )
    assert managed
    assert max(managed.values()) <= MANAGED_POLICIES_OF_A_ROLE


def test_every_template_is_one_that_cloudformation_takes(assembly: CloudAssembly) -> None:
    templates = [stack.template for stack in assembly.stacks]
    for stack in assembly.stacks:
        templates += nested_templates(assembly, stack.stack_name).values()
    assert len(templates) == 2 + 2 * 22
    for template in templates:
        assert len(json.dumps(template, separators=(",", ":")).encode()) < TEMPLATE_BYTES
        for part, limit in TEMPLATE_LIMITS.items():
            assert len(template.get(part, ())) <= limit, part


def test_an_event_pattern_is_one_that_eventbridge_takes(resources: dict[str, Any]) -> None:
    patterns = [
        each["Properties"].get("EventPattern") for each in resources.values() if each["Type"] == "AWS::Events::Rule"
    ]
    assert max(len(json.dumps(pattern, separators=(",", ":"))) for pattern in patterns) < PATTERN_CHARACTERS


def test_a_small_pipeline_beside_it_still_names_its_tables(resources: dict[str, Any]) -> None:
    policies = [json.dumps(each) for each in resources.values() if each["Type"] == "AWS::IAM::Policy"]
    assert any("table/nightlake_dev/customers_private" in policy for policy in policies)


def test_every_night_is_missed_also_one_that_is_not_of_every_day(resources: dict[str, Any]) -> None:
    names = {each["Properties"].get("AlarmName") for each in resources.values() if "Alarm" in each["Type"]}
    assert {f"nightlake-dev-pipeline-{name}-not-started" for name in ("sales", "api")} <= names
    assert {"nightlake-dev-pipeline-api-slow", "nightlake-dev-api-slow"} <= names


def test_every_alarm_looks_back_no_longer_than_cloudwatch_does(resources: dict[str, Any]) -> None:
    alarms = (each["Properties"] for each in resources.values() if each["Type"] == "AWS::CloudWatch::Alarm")
    week = 7 * 24 * 3600
    assert [alarm["AlarmName"] for alarm in alarms if alarm["EvaluationPeriods"] * alarm["Period"] > week] == []


@pytest.mark.parametrize("name", ["sales", "api"])
def test_a_slow_night_is_alarmed_before_it_is_stopped(
    resources: dict[str, Any], pipelines: tuple[Pipeline, ...], big: Pipeline, name: str
) -> None:
    definition = machine(resources, name)["DefinitionString"]
    parts = [definition] if isinstance(definition, str) else definition["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "reference" for part in parts)
    pipeline = next(each for each in (*pipelines, big) if each.name == name)
    latest = max(source.ready.deadline_minutes for source in pipeline.sources)
    assert json.loads(text)["TimeoutSeconds"] > (latest + pipeline.latency_minutes) * 60
