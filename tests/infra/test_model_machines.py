"""A pipeline with a model: its two machines, what they may do, what starts them, and who hears when they fail."""

import json
from itertools import chain
from typing import Any

import pytest
from aws_cdk import App
from nightlake.core.model.declaration import InteractionColumns, ItemColumns, Recommender, UserColumns
from nightlake.core.pipeline import Pipeline, Schedule

from infra import nag
from infra.stacks import add_stage
from infra.whole_template import whole_template

OWN = "arn:aws:states:eu-west-1:123456789012"
Resources = dict[str, Any]


@pytest.fixture(scope="module")
def template(pipelines: tuple[Pipeline, ...], context: dict[str, object]) -> dict[str, Any]:
    """Sales with a model, and a pipeline that publishes what it recommends."""
    sales = next(each for each in pipelines if each.name == "sales")
    model = Recommender(
        interactions=InteractionColumns(dataset="transactions", user="customer_id", item="product_id"),
        users=UserColumns(dataset="customers", key="customer_id"),
        items=ItemColumns(dataset="products", key="product_id"),
        delivers_to="lists",
    )
    lists = sales.model_copy(
        update={"name": "lists", "schedule": Schedule(cron=None, by_request=True), "merge": ()}
        | {"datasets": (sales.datasets[0].model_copy(update={"name": "recommendations"}),)}
        | {"sources": (sales.sources[0].model_copy(update={"dataset": "recommendations"}),)}
    )
    app = App(context=context)
    add_stage(app, "dev", (sales.model_copy(update={"model": model}), lists))
    nag.check(app)
    return whole_template(app.synth(), "nightlake-dev-stateless")


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> Resources:
    found: Resources = template["Resources"]
    return found


def of_type(resources: Resources, kind: str) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def text(value: Any) -> str:
    """A value of the template as it will be, references named."""
    if isinstance(value, dict) and "Fn::Join" in value:
        return "".join(map(text, value["Fn::Join"][1]))
    if isinstance(value, dict):
        (found,) = value.values()
        pseudo = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
        return pseudo.get(found, found) if isinstance(found, str) else str(found[0])
    return str(value)


def machine(resources: Resources, kind: str) -> dict[str, Any]:
    machines = of_type(resources, "AWS::StepFunctions::StateMachine").values()
    found: dict[str, Any] = next(each for each in machines if each["StateMachineName"].endswith(f"-sales-{kind}"))
    return found


def granted(resources: Resources, kind: str) -> dict[str, set[str]]:
    """Action -> resources of a machine's role."""
    role = machine(resources, kind)["RoleArn"]["Fn::GetAtt"][0]
    rights: dict[str, set[str]] = {}
    policies = (of_type(resources, f"AWS::IAM::{kind}").values() for kind in ("Policy", "ManagedPolicy"))
    for policy in chain.from_iterable(policies):
        if {"Ref": role} in policy["Roles"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                named, on = statement["Action"], statement["Resource"]
                for action in [named] if isinstance(named, str) else named:
                    rights.setdefault(action, set()).update(map(text, on if isinstance(on, list) else [on]))
    return rights


def test_recommending_may_publish_by_one_night_start_a_retraining_and_touch_its_own_runs(resources: Resources) -> None:
    rights = granted(resources, "recommend")
    own, publisher = "nightlake-dev-sales-recommend", "nightlake-dev-lists-daily"
    assert rights["states:StartExecution"] == {
        f"{OWN}:stateMachine:{name}" for name in (own, publisher, "nightlake-dev-sales-retrain")
    }
    assert rights["states:StopExecution"] == {f"{OWN}:execution:{name}:*" for name in (own, publisher)}
    for action in ("s3:GetObject", "s3:PutObject"):
        (where,) = rights[action]
        assert where.endswith("/models/sales/runs/*")
    called = {arn.rpartition("/")[2] for arn in rights["lambda:InvokeFunction"]}
    assert len(called) == 8


def test_retraining_may_start_recommending_and_touch_nothing(resources: Resources) -> None:
    rights = granted(resources, "retrain")
    assert rights["states:StartExecution"] == {f"{OWN}:stateMachine:nightlake-dev-sales-recommend"}
    assert not [action for action in rights if action.startswith("s3:")]
    assert len(rights["lambda:InvokeFunction"]) == 5


def test_a_night_may_announce_itself(resources: Resources) -> None:
    assert granted(resources, "daily")["events:PutEvents"] == {
        "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    }


def test_a_night_by_request_has_no_trigger_and_no_backfill(template: dict[str, Any], resources: Resources) -> None:
    rules = of_type(resources, "AWS::Events::Rule").values()
    names = {each["Name"] for each in rules if "Name" in each}
    assert {"nightlake-dev-sales-trigger", "nightlake-dev-sales-recommend", "nightlake-dev-sales-retrain"} <= names
    assert not [name for name in names if "-lists-" in name]
    machines = {each["StateMachineName"] for each in of_type(resources, "AWS::StepFunctions::StateMachine").values()}
    assert {name for name in machines if "-lists-" in name} == {"nightlake-dev-lists-daily"}
    assert {"StateMachineLists", "RecommendMachineSales", "RetrainMachineSales"} <= template["Outputs"].keys()
    assert "BackfillLists" not in template["Outputs"]


def test_machines_that_end_without_an_alert_are_told_of(resources: Resources) -> None:
    rules = of_type(resources, "AWS::Events::Rule").values()
    (watched,) = [each for each in rules if "aws.states" in json.dumps(each.get("EventPattern"))]
    ((_, prefix),) = watched["EventPattern"]["detail"]["stateMachineArn"][0].items()
    machines = of_type(resources, "AWS::StepFunctions::StateMachine").values()
    assert [
        each for each in machines if not f"{OWN}:stateMachine:{each['StateMachineName']}".startswith(text(prefix))
    ] == []


def test_the_alarms_of_drift_have_the_limits_that_are_declared(resources: Resources) -> None:
    alarms = {each["AlarmName"]: each for each in of_type(resources, "AWS::CloudWatch::Alarm").values()}
    limits = {name: alarms[f"nightlake-dev-model-sales-{name}"]["Threshold"] for name in ("drifted", "shifted", "old")}
    assert limits == {"drifted": 1, "shifted": 0.2, "old": 60}


def test_a_scoring_may_last_as_long_as_the_night_that_publishes_and_five_hours_more(resources: Resources) -> None:
    limits = {
        kind: json.loads(text(machine(resources, kind)["DefinitionString"]))["TimeoutSeconds"]
        for kind in ("recommend", "retrain")
    }
    assert limits["recommend"] > 5 * 3600
    assert limits["retrain"] == 3 * 3600


def test_a_models_functions_touch_its_own_objects_and_what_they_deliver(resources: Resources) -> None:
    """Which function may write and delete what: bucket and key pattern."""
    written: dict[str, set[str]] = {}
    deleted: dict[str, set[str]] = {}
    encrypting: set[str] = set()
    functions = of_type(resources, "AWS::Lambda::Function").values()
    roles = {each["Role"]["Fn::GetAtt"][0]: each["FunctionName"].rpartition("-")[2] for each in functions}
    for policy in of_type(resources, "AWS::IAM::Policy").values():
        name = roles.get(policy["Roles"][0]["Ref"], "")
        if not name.endswith(("_model", "_users")):
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, on = statement["Action"], statement["Resource"]
            if "kms:GenerateDataKey" in actions:
                encrypting.add(name)
            where = {
                text(each).rpartition(":")[2].partition("-dev-")[2] for each in (on if isinstance(on, list) else [on])
            }
            if statement["Effect"] == "Allow" and "s3:PutObject" in actions:
                written.setdefault(name, set()).update(where)
            if "s3:DeleteObject" in actions:
                deleted.setdefault(name, set()).update(where)
    keys = {name: {each.partition("/")[2] for each in where} for name, where in written.items()}
    assert keys == {
        "pin_model": {"locks/*"},
        "train_model": {"models/*/versions/*"},
        "evaluate_model": {"models/*/verdict.json"},
        "promote_model": {"models/*/CHAMPION"},
        "measure_model": {"models/*/measurement.json", "models/*/shards.jsonl", "staging/*/_model/*"},
        "score_users": {"models/*/receipts/*", "sales/transactions/*"},
        "deliver_model": {"sales/transactions/*"},
        "finish_model": {"locks/*", "models/*/scored/*", "models/*/runs/*/record.json"},
    }
    assert {name: {each.partition("/")[2] for each in where} for name, where in deleted.items()} == {
        "deliver_model": {"sales/transactions/*"}
    }
    assert all(where.startswith("raw-") for where in deleted["deliver_model"] | written["deliver_model"])
    assert encrypting == keys.keys()
