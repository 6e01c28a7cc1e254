"""What the stateless stack composes: who may do what, what every function is told, and what others look up."""

import json
import re
from collections.abc import Callable
from typing import Any

import cfnlint.api
import pytest
from nightlake.core.api.issuer import Issuer
from nightlake.core.pipeline import Pipeline

from infra.stacks import build
from infra.tasks import TASKS

Template = dict[str, Any]
Templates = Callable[[str, str], Template]
Overridden = Callable[[str, dict[str, object]], dict[str, object]]

LOGS_AND_TRACES = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}


def functions(template: Template) -> dict[str, Template]:
    return {
        each["Properties"]["FunctionName"].rpartition("-")[2]: each["Properties"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    }


def rights(template: Template, function: Template) -> dict[str, Any]:
    """Action -> resource of everything that a function's role may do."""
    return dict(all_rights(template, function))


def all_rights(template: Template, function: Template) -> list[tuple[str, Any]]:
    """Every action with the resources that one statement allows it on."""
    role = {"Ref": function["Role"]["Fn::GetAtt"][0]}
    return [
        (action, statement["Resource"])
        for each in template["Resources"].values()
        if each["Type"] == "AWS::IAM::Policy" and role in each["Properties"]["Roles"]
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]


@pytest.fixture(scope="module")
def with_webhooks(pipelines: tuple[Pipeline, ...], overridden: Overridden) -> Template:
    """The dev stage with a Slack channel in cdk.json."""
    webhook = {"name": "ops", "kind": "slack", "secret_name": "nightlake/ops"}
    assembly = build(pipelines, overridden("dev", {"webhooks": [webhook]})).synth()
    synthesized: Template = assembly.get_stack_by_name("nightlake-dev-stateless").template
    return synthesized


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_function_that_reads_only_its_own_code_may_only_log_and_trace(template: Templates, stage: str) -> None:
    stateless = template(stage, "stateless")
    assert set(rights(stateless, functions(stateless)["define_table"])) == LOGS_AND_TRACES


@pytest.mark.parametrize(
    ("action", "resource", "who"),
    [
        ("s3:GetObjectVersion", "-raw-", {"plan", "plan_http", "convert", "complete"}),
        ("s3:PutObject", "-raw-", {"plan_http", "score_users", "deliver_model"}),
        ("s3:PutObject", "-lake-.*/staging/", {"convert", "convert_postgres", "measure_model"}),
        ("s3:PutObject", "/data/", {"seal", "audit_merge", "publish"}),
        ("s3:PutObject", "/snapshots/", {"publish", "rollback", "collect_garbage"}),
        ("s3:DeleteObject", "/data/", set()),
        ("s3:DeleteObject", "/snapshots/", {"collect_garbage"}),
        ("s3:GetObject", "-quarantine-", {"convert", "convert_postgres", "validate"}),
        ("glue:BatchUpdatePartition", "/nightlake_prod/", {"prepare", "publish", "rollback"}),
        ("athena:GetQueryResults", "workgroup/nightlake-prod-pipeline", {"audit_across", "audit_merge", "report"}),
        ("athena:StartQueryExecution", "", {"query"}),
    ],
)
def test_only_these_functions_may(template: Templates, action: str, resource: str, who: set[str]) -> None:
    stateless = template("prod", "stateless")
    assert who == {
        name
        for name, function in functions(stateless).items()
        for allowed, on in all_rights(stateless, function)
        if allowed == action and re.search(resource, json.dumps(on))
    }


def denials(stack: Template, service: str = "s3") -> list[Any]:
    """What the policies of the query function's role deny of a service."""
    role = {"Ref": functions(stack)["query"]["Role"]["Fn::GetAtt"][0]}
    return [
        statement
        for each in stack["Resources"].values()
        if each["Type"] == "AWS::IAM::Policy" and role in each["Properties"]["Roles"]
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and service in str(statement["Action"])
    ]


def test_the_api_can_read_no_file_of_a_private_table_where_the_settings_say_so(
    template: Templates, pipelines: tuple[Pipeline, ...], overridden: Overridden
) -> None:
    open_to_scopes = template("dev", "stateless")
    assert denials(open_to_scopes) == []
    assert functions(open_to_scopes)["query"]["Environment"]["Variables"]["SERVES_PRIVATE"] == "true"
    assembly = build(pipelines, overridden("dev", {"api": {"private": False}})).synth()
    closed = assembly.get_stack_by_name("nightlake-dev-stateless").template
    (denied,) = denials(closed)
    assert denied["Action"] == "s3:GetObject"
    assert "/data/*/*_private/*" in json.dumps(denied["Resource"])
    assert functions(closed)["query"]["Environment"]["Variables"]["SERVES_PRIVATE"] == "false"


def test_the_api_asks_athena_in_its_own_workgroup_and_never_for_a_private_table(template: Templates) -> None:
    stack = template("dev", "stateless")
    function = functions(stack)["query"]
    asked = {str(action): json.dumps(on) for action, on in all_rights(stack, function) if "athena" in str(action)}
    assert "workgroup/nightlake-dev-api" in asked["athena:StartQueryExecution"]
    assert not any("-pipeline" in on or "-bi" in on for on in asked.values())
    (denied,) = denials(stack, "glue")
    assert "glue:GetTable" in denied["Action"]
    assert "table/nightlake_dev/*_private" in json.dumps(denied["Resource"])
    assert function["Environment"]["Variables"]["API_WORKGROUP"] == "nightlake-dev-api"
    assert function["Environment"]["Variables"]["QUERIES_AT_ONCE"] == "2"


def test_the_authorizer_may_look_one_key_up_and_nothing_else(template: Templates) -> None:
    stack = template("dev", "stateless")
    granted = rights(stack, functions(stack)["authorize"])
    assert set(granted) == LOGS_AND_TRACES | {"dynamodb:GetItem"}
    assert granted["dynamodb:GetItem"]["Fn::Join"][1][-1] == ":table/nightlake-dev-keys"


def test_an_authorizer_of_tokens_is_told_of_their_issuer_and_carries_what_proves_them(overridden: Overridden) -> None:
    jwt = {"issuer": "https://login.example", "audience": "lake", "jwks_url": "https://login.example/keys"}
    assembly = build((), overridden("dev", {"api": {"auth": {"jwt": jwt}}})).synth()
    made = functions(assembly.get_stack_by_name("nightlake-dev-stateless").template)
    told = Issuer.model_validate_json(made["authorize"]["Environment"]["Variables"]["TOKENS"])
    assert (told.issuer, told.scopes_claim) == ("https://login.example", "scope")
    assert {name: len(function["Layers"]) for name, function in made.items()} == dict.fromkeys(made, 1) | {
        "authorize": 2
    }


def test_nights_cannot_take_what_readers_need(template: Templates) -> None:
    kept = {
        name: function.get("ReservedConcurrentExecutions")
        for name, function in functions(template("prod", "stateless")).items()
    }
    assert {name for name, number in kept.items() if number} == {"query", "authorize"}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_function_is_told_where_everything_is(
    template: Templates, pipelines: tuple[Pipeline, ...], name: str
) -> None:
    kinds = {source.from_ for pipeline in pipelines for source in pipeline.sources}
    kinds |= {"model" for pipeline in pipelines if pipeline.model}
    if (kind := TASKS[name].kind) and kind not in kinds:
        pytest.skip(f"no pipeline has a source of kind {kind}")
    variables = functions(template("dev", "stateless"))[name]["Environment"]["Variables"]
    assert variables["STAGE"] == "dev"
    assert (variables["DATABASE"], variables["STAGING_DATABASE"]) == ("nightlake_dev", "nightlake_dev_staging")
    assert variables["QUARANTINE_DATABASE"] == "nightlake_dev_quarantine"
    buckets = {f"{bucket}_BUCKET" for bucket in ("RAW", "LAKE", "QUARANTINE")}
    assert buckets <= set(variables)
    assert {variable for variable in variables if variable.startswith("POWERTOOLS_")} == {
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_LOG_LEVEL",
    }


def test_the_query_function_alone_is_told_which_pages_may_read_it(
    template: Templates, pipelines: tuple[Pipeline, ...], overridden: Overridden
) -> None:
    overrides: dict[str, object] = {"api": {"cors_origins": ["https://shop.example", "https://office.example"]}}
    assembly = build(pipelines, overridden("dev", overrides)).synth()
    told = {
        name: function["Environment"]["Variables"].get("CORS_ORIGINS")
        for name, function in functions(assembly.get_stack_by_name("nightlake-dev-stateless").template).items()
    }
    assert told.pop("query") == '["https://shop.example", "https://office.example"]'
    assert set(told.values()) == {None}
    query = functions(template("dev", "stateless"))["query"]
    assert query["Environment"]["Variables"]["CORS_ORIGINS"] == "[]"


def test_functions_carry_the_layer_where_the_runtime_lacks_its_packages(template: Templates) -> None:
    for stage, carried in (("local", False), ("dev", True), ("prod", True)):
        for function in functions(template(stage, "stateless")).values():
            assert ("Layers" in function) is carried, stage


def test_nobody_is_notified_in_a_chat_that_the_settings_do_not_name(template: Templates) -> None:
    assert "notify" not in functions(template("prod", "stateless"))


def test_the_notifier_may_read_its_own_secrets_only(with_webhooks: Template) -> None:
    notify = functions(with_webhooks)["notify"]
    granted = rights(with_webhooks, notify)
    assert set(granted) == LOGS_AND_TRACES | {
        "secretsmanager:GetSecretValue",
        "secretsmanager:DescribeSecret",
        "sqs:SendMessage",
    }
    assert granted["secretsmanager:GetSecretValue"]["Fn::Join"][1][-1] == ":secret:nightlake/ops-??????"
    assert json.loads(notify["Environment"]["Variables"]["WEBHOOKS"]) == [
        {"name": "ops", "kind": "slack", "secret_name": "nightlake/ops"}
    ]


def test_the_notifier_hears_the_topic_and_what_it_cannot_deliver_is_kept(with_webhooks: Template) -> None:
    resources = with_webhooks["Resources"]
    (subscription,) = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::SNS::Subscription"]
    assert subscription["Protocol"] == "lambda"
    notify = functions(with_webhooks)["notify"]
    assert resources[subscription["Endpoint"]["Fn::GetAtt"][0]]["Properties"] == notify
    queue = notify["DeadLetterConfig"]["TargetArn"]
    assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": queue}
    alarms = {
        each["Properties"]["AlarmName"]: each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    (dimension,) = alarms["nightlake-dev-function-notify-dead-letters"]["Dimensions"]
    assert dimension["Value"]["Fn::GetAtt"] == [queue["Fn::GetAtt"][0], "QueueName"]


def test_a_stage_with_webhooks_has_no_finding_of_cfn_lint_either(with_webhooks: Template) -> None:
    assert [f"{match.rule.id} {match.path}" for match in cfnlint.api.lint(json.dumps(with_webhooks))] == []


def test_a_lake_without_pipelines_yet_is_an_api_that_nobody_is_woken_for(context: dict[str, object]) -> None:
    empty = build((), {**context, "stage": "dev"}).synth().get_stack_by_name("nightlake-dev-stateless").template
    kinds = {each["Type"] for each in empty["Resources"].values()}
    assert "AWS::ApiGateway::RestApi" in kinds
    assert kinds & {"AWS::StepFunctions::StateMachine", "AWS::Events::Rule", "AWS::CloudWatch::CompositeAlarm"} == set()
    assert cfnlint.api.lint(json.dumps(empty)) == []


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_the_outputs_that_everything_outside_looks_up_have_fixed_names(template: Templates, stage: str) -> None:
    assert set(template(stage, "stateless")["Outputs"]) == {
        "ApiUrl",
        "ApiId",
        "ApiStage",
        "ApiAuth",
        "UsagePlan",
        "AlertTopic",
        "Dashboard",
        "StateMachineActivity",
        "StateMachineMusic",
        "StateMachineOrders",
        "StateMachineRecommendations",
        "StateMachineSales",
        "RecommendMachineMusic",
        "RetrainMachineMusic",
        "PromoteModelFunction",
        "BackfillActivity",
        "BackfillMusic",
        "BackfillOrders",
        "BackfillSales",
        "RollbackFunction",
        "CollectGarbageFunction",
    }


@pytest.mark.parametrize(
    ("stage", "overrides", "deaf"),
    [
        ("prod", {}, True),
        ("dev", {}, True),
        ("local", {}, False),
        ("prod", {"alarm_emails": ["night@example.com"]}, False),
        ("prod", {"webhooks": [{"name": "ops", "kind": "slack", "secret_name": "nightlake/ops"}]}, False),
    ],
)
def test_synth_warns_of_a_stage_whose_failures_nobody_hears_of(
    context: dict[str, object], stage: str, overrides: dict[str, object], deaf: bool
) -> None:
    assembly = build((), {**context, "stage": stage, f"nightlake:{stage}": overrides}).synth()
    messages = assembly.get_stack_by_name(f"nightlake-{stage}-stateless").messages
    said = [
        str(message.entry.data) for message in messages if "Nobody hears of a failed night" in str(message.entry.data)
    ]
    assert bool(said) is deaf
    assert all(f"nightlake:{stage} in cdk.json" in text for text in said)
