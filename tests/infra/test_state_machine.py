"""The daily state machine as it is deployed: the real definition, full logs, and rights for exactly what it does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from nightlake.core.pipeline import Pipeline
from nightlake.core.table import tables

from infra import nag
from infra.settings import Settings
from infra.state_machine import DefinitionError, StateMachine

ROOT = Path(__file__).parents[2]

Templates = Callable[[str, str], dict[str, Any]]


def flat(value: Any) -> str:
    """An ARN as text, with `<LogicalId>` or `<LogicalId.Attribute>` where it is known only at deployment."""
    match value:
        case {"Ref": name}:
            return {"AWS::Partition": "aws", "AWS::Region": "region", "AWS::AccountId": "account"}.get(
                name, f"<{name}>"
            )
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(flat, parts))
        case _:
            return str(value)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def only(template: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    ((logical_id, resource),) = [(n, r) for n, r in template["Resources"].items() if r["Type"] == kind]
    return logical_id, resource["Properties"]


def rights(template: dict[str, Any], role: dict[str, Any]) -> dict[str, set[str]]:
    """Action -> resources of all policies of a role."""
    granted: dict[str, set[str]] = {}
    for resource in template["Resources"].values():
        if (
            resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
            and {"Ref": role["Fn::GetAtt"][0]} in resource["Properties"]["Roles"]
        ):
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                for action in listed(statement["Action"]):
                    granted.setdefault(action, set()).update(map(flat, listed(statement["Resource"])))
    return granted


@pytest.fixture(scope="module")
def prod(template: Templates) -> dict[str, Any]:
    return template("prod", "stateless")


@pytest.fixture(scope="module")
def machine(prod: dict[str, Any]) -> dict[str, Any]:
    return named(prod, "nightlake-prod-sales-daily")


def named(template: dict[str, Any], name: str) -> dict[str, Any]:
    """The state machine of that name."""
    kind = "AWS::StepFunctions::StateMachine"
    machines = [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]
    (machine,) = [each for each in machines if each["StateMachineName"] == name]
    return machine


def test_the_definition_is_the_rendered_file_with_its_names_bound(
    prod: dict[str, Any], machine: dict[str, Any]
) -> None:
    limit = {"TimeoutSeconds": (120 + 2 * 30) * 60}  # sources may be two hours late, then twice the promised half hour
    assert (
        json.loads(machine["DefinitionString"])
        == json.loads((ROOT / "statemachines/rendered/sales.asl.json").read_text()) | limit
    )
    bound = {name: flat(value) for name, value in machine["DefinitionSubstitutions"].items()}
    assert bound["Pipeline"] == "sales"
    functions = {
        each["Properties"]["FunctionName"]: logical_id
        for logical_id, each in prod["Resources"].items()
        if each["Type"] == "AWS::Lambda::Function"
    }
    prepare = functions["nightlake-prod-prepare"]
    (version,) = [
        logical_id
        for logical_id, each in prod["Resources"].items()
        if each["Type"] == "AWS::Lambda::Version" and each["Properties"]["FunctionName"] == {"Ref": prepare}
    ]
    assert (
        bound["PrepareFunction"] == f"arn:aws:lambda:region:account:function:nightlake-prod-prepare:<{version}.Version>"
    )


def test_its_role_may_do_exactly_what_its_states_do(
    prod: dict[str, Any], machine: dict[str, Any], pipelines: tuple[Pipeline, ...]
) -> None:
    granted = rights(prod, machine["RoleArn"])
    (sales,) = (each for each in pipelines if each.name == "sales")
    names = [table.name for dataset in sales.datasets for table in tables(dataset)]
    views = [file.stem for file in (ROOT / "sql/sales/views").glob("*.sql")]
    within = {
        "nightlake_prod": [*names, *sales.merge, *views],
        "nightlake_prod_staging": [*names, *(f"{merge}__*" for merge in sales.merge)],
        "nightlake_prod_quarantine": [sales.name],
    }
    glue = {
        "arn:aws:glue:region:account:catalog",
        *(f"arn:aws:glue:region:account:database/{database}" for database in within),
        *(f"arn:aws:glue:region:account:table/{database}/{name}" for database in within for name in within[database]),
    }
    for action in ("glue:GetTable", "glue:CreateTable"):
        assert granted[action] == glue
    invoked = {
        f"{flat(value).rpartition(':')[0]}:*"
        for name, value in machine["DefinitionSubstitutions"].items()
        if name.endswith("Function")
    }
    assert granted["lambda:InvokeFunction"] == invoked
    assert len(invoked) == 13
    lake, results = (f"arn:aws:s3:::nightlake-prod-{name}-account-region" for name in ("lake", "results"))
    written = {f"{lake}/staging/sales/*", f"{lake}/runs/sales/*", f"{results}/pipeline/*"}
    plans = {f"{lake}/runs/sales/*", f"{lake}/staging/sales/*"}
    assert granted["s3:PutObject"] == written | plans
    assert granted["s3:GetObject"] == written | plans | {f"{lake}/data/sales/*"}
    assert "s3:DeleteObject" not in granted
    own = "arn:aws:states:region:account"
    assert granted["states:StartExecution"] == {f"{own}:stateMachine:nightlake-prod-sales-daily"}
    assert granted["states:RedriveExecution"] == {
        f"{own}:execution:nightlake-prod-sales-daily/{dataset.name}:*" for dataset in sales.datasets
    }
    assert granted["athena:StartQueryExecution"] == {"arn:aws:athena:region:account:workgroup/nightlake-prod-pipeline"}
    everything = {action for action, resources in granted.items() if "*" in resources}
    assert {action.partition(":")[0] for action in everything} == {"logs", "xray", "lakeformation"}


def test_the_role_of_a_backfill_may_run_nights_and_nothing_else(prod: dict[str, Any]) -> None:
    granted = rights(prod, named(prod, "nightlake-prod-sales-backfill")["RoleArn"])
    own = "arn:aws:states:region:account"
    assert granted["states:StartExecution"] == {f"{own}:stateMachine:nightlake-prod-sales-daily"}
    assert granted["states:StopExecution"] == {f"{own}:execution:nightlake-prod-sales-daily:*"}
    assert {action.partition(":")[0] for action in granted} == {"states", "events", "logs", "xray"}


def test_only_step_functions_of_this_account_may_take_the_role(prod: dict[str, Any], machine: dict[str, Any]) -> None:
    role = prod["Resources"][machine["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert flat(trust["Condition"]["ArnLike"]["aws:SourceArn"]) == "arn:aws:states:region:account:stateMachine:*"


@pytest.mark.parametrize(("stage", "with_data"), [("dev", True), ("prod", False)])
def test_everything_is_logged_and_traced_and_data_stays_out_of_prods_log(
    template: Templates, stage: str, with_data: bool
) -> None:
    synthesized = template(stage, "stateless")
    machine = named(synthesized, f"nightlake-{stage}-sales-daily")
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    logging = machine["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", with_data)
    group = logging["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
    name = synthesized["Resources"][group]["Properties"]["LogGroupName"]
    assert name == f"/aws/vendedlogs/states/nightlake-{stage}-sales-daily"


def test_a_distributed_map_may_start_itself_and_list_its_prefix_without_a_finding_of_cdk_nag() -> None:
    files = {
        "Type": "Map",
        "Label": "Files",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": "raw", "Prefix": "sales/"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Seen",
            "States": {"Seen": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    app = App()
    nag.check(app)
    StateMachine(
        Stack(app, "Stack"),
        "Daily",
        settings=Settings(stage="dev"),
        name="daily",
        timeout=Duration.hours(3),
        definition={"StartAt": "Files", "States": {"Files": files}},
        substitutions={},
        tables={},
        read={},
        write={},
        keys={},
    )
    template = app.synth().get_stack_by_name("Stack").template
    _, machine = only(template, "AWS::StepFunctions::StateMachine")
    _, policy = only(template, "AWS::IAM::Policy")
    granted = rights(template, machine["RoleArn"])
    own = "arn:aws:states:region:account"
    assert granted["states:StartExecution"] == {f"{own}:stateMachine:daily"}
    assert granted["states:RedriveExecution"] == {f"{own}:execution:daily/Files:*"}
    (listing,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Action"] == "s3:ListBucket"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["sales/*"]}}


def test_a_name_that_the_stack_does_not_know_is_refused() -> None:
    with pytest.raises(DefinitionError, match="uses Unknown, which the stack does not know: it knows Pipeline"):
        StateMachine(
            Stack(App(), "Stack"),
            "Daily",
            settings=Settings(stage="dev"),
            name="daily",
            timeout=Duration.hours(3),
            definition={"StartAt": "${Unknown}", "States": {}},
            substitutions={"Pipeline": "sales"},
            tables={},
            read={},
            write={},
            keys={},
        )
