"""What each kind of source brings with it: functions, what these are told and may do, how they reach a database."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import cfnlint.api
import pytest
from any_kinds import API_SECRET, of_kinds
from aws_cdk import App
from nightlake.core.pipeline import Pipeline

from infra.settings import RUNNING, SettingsError
from infra.stacks import add_stage, build
from infra.whole_template import nested_templates, whole_template

Template = dict[str, Any]
Synth = Callable[..., Template]

KINDS = ("s3", "http", "postgres:app")
OWN_FUNCTIONS = {"http": {"plan_http"}, "postgres:app": {"plan_postgres", "convert_postgres"}}
TRIAL = {"databases": {"app": {"trial": True}}}
NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "route_table_ids": ["rtb-0123456789abcdef0"],
    "s3_prefix_list_id": "pl-63a5400a",
}
DATABASE_GROUP = "sg-0fedcba9876543210"
OWN = {"databases": {"app": {"secret_name": "shop/reader", "security_group_id": DATABASE_GROUP}}, "network": NETWORK}
LOCAL = {"databases": {"app": {"secret_name": "local/app"}}}
ENI = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}


@pytest.fixture(scope="module")
def synth(pipelines: tuple[Pipeline, ...], context: dict[str, object]) -> Synth:
    """synth("http", "s3", stage=..., settings={...}): the stateless template."""

    @cache
    def synthesized(kinds: tuple[str, ...], stage: str, settings: str, running: str | None) -> Template:
        shop = of_kinds(next(each for each in pipelines if each.name == "sales"), *kinds)
        overrides: dict[str, Any] = {f"nightlake:{stage}": json.loads(settings)} | (
            {RUNNING: running} if running else {}
        )
        app = App(context={**context, **overrides})
        add_stage(app, stage, (shop,))
        return whole_template(app.synth(), f"nightlake-{stage}-stateless")

    def run(*kinds: str, stage: str = "dev", settings: object = TRIAL, running: object = None) -> Template:
        return synthesized(kinds, stage, json.dumps(settings), json.dumps(running) if running else None)

    return run


def of_type(template: Template, kind: str) -> list[Template]:
    """The properties of all resources of that type."""
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == f"AWS::{kind}"]


def functions(template: Template) -> dict[str, Template]:
    return {each["FunctionName"].rpartition("-")[2]: each for each in of_type(template, "Lambda::Function")}


def statements(template: Template, function: str) -> list[Template]:
    """Every statement of the function's role."""
    role = {"Ref": functions(template)[function]["Role"]["Fn::GetAtt"][0]}
    policies = of_type(template, "IAM::Policy") + of_type(template, "IAM::ManagedPolicy")
    return [each for policy in policies if role in policy["Roles"] for each in policy["PolicyDocument"]["Statement"]]


def allowed(template: Template, function: str, action: str) -> list[str]:
    """What the function's role may do that action on, as text."""
    return [
        json.dumps(resource)
        for each in statements(template, function)
        if each["Effect"] == "Allow" and action in as_list(each["Action"])
        for resource in as_list(each["Resource"])
    ]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("kinds", [("s3",), ("http",), ("postgres:app",), KINDS], ids="+".join)
def test_a_mix_of_kinds_has_the_functions_that_its_nights_call_and_no_others(
    synth: Synth, kinds: tuple[str, ...]
) -> None:
    template = synth(*kinds)
    assert {name for name in functions(template) if "_http" in name or "_postgres" in name} == set().union(
        *(OWN_FUNCTIONS.get(kind, ()) for kind in kinds)
    )
    assert bool(of_type(template, "EC2::VPC")) is ("postgres:app" in kinds)


@pytest.mark.parametrize("settings", [TRIAL, OWN], ids=["trial", "own"])
def test_cdk_nag_and_cfn_lint_find_nothing(
    pipelines: tuple[Pipeline, ...], context: dict[str, object], settings: object
) -> None:
    shop = of_kinds(next(each for each in pipelines if each.name == "sales"), *KINDS)
    # Synth fails on a finding of cdk-nag.
    assembly = build((shop,), {**context, "stage": "dev", "nightlake:dev": settings}).synth()
    name = "nightlake-dev-stateless"
    for template in (assembly.get_stack_by_name(name).template, *nested_templates(assembly, name).values()):
        found = cfnlint.api.lint(json.dumps(template), regions=["us-east-1", "eu-central-1"])
        assert [f"{match.rule.id} {match.path}: {match.message}" for match in found] == []


def test_a_stage_of_an_account_is_synthesized_without_asking_that_account(synth: Synth) -> None:
    template = synth(*KINDS, settings=TRIAL | {"account": "123456789012", "region": "eu-west-1"})
    assert {json.dumps(subnet["AvailabilityZone"]) for subnet in of_type(template, "EC2::Subnet")} == {
        json.dumps({"Fn::Select": [number, {"Fn::GetAZs": ""}]}) for number in range(2)
    }


def test_the_night_may_call_exactly_its_functions(synth: Synth) -> None:
    template = synth(*KINDS)
    (machine,) = [
        each for each in of_type(template, "StepFunctions::StateMachine") if each["StateMachineName"].endswith("-daily")
    ]
    called = {name for name in machine["DefinitionSubstitutions"] if name.endswith("Function")}
    assert {"PlanFunction", "PlanHttpFunction", "PlanPostgresFunction", "ConvertPostgresFunction"} <= called
    role = {"Ref": machine["RoleArn"]["Fn::GetAtt"][0]}
    policies = of_type(template, "IAM::Policy") + of_type(template, "IAM::ManagedPolicy")
    invoked = {
        json.dumps(resource)
        for policy in policies
        if role in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "lambda:InvokeFunction" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert len(invoked) == len(called)


def test_an_api_is_asked_without_a_network_of_its_own_and_lands_under_its_own_prefix(synth: Synth) -> None:
    template = synth("http")
    assert "VpcConfig" not in functions(template)["plan_http"]
    (written,) = [arn for arn in allowed(template, "plan_http", "s3:PutObject") if "-raw-" in arn]
    assert "/shop/transactions/*" in written
    assert [arn for arn in allowed(template, "plan", "s3:PutObject") if "-raw-" in arn] == []
    (secret,) = allowed(template, "plan_http", "secretsmanager:GetSecretValue")
    assert f":secret:{API_SECRET}-??????" in secret


def test_what_reads_a_database_may_read_its_secret_and_no_other(synth: Synth) -> None:
    template = synth(*KINDS, settings=OWN)
    for function in OWN_FUNCTIONS["postgres:app"]:
        (secret,) = allowed(template, function, "secretsmanager:GetSecretValue")
        assert ":secret:shop/reader-??????" in secret
        assert json.loads(functions(template)[function]["Environment"]["Variables"]["DATABASES"]) == {
            "app": {"secret_name": "shop/reader"}
        }
    assert allowed(template, "convert", "secretsmanager:GetSecretValue") == []


def test_a_secret_with_its_own_key_and_what_it_does_not_say_is_told_in_the_settings(synth: Synth) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/0123"
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-0123-AbCdEf"
    said = {"secret_name": arn, "secret_key_arn": key, "host": "db.example.com", "port": 6432, "dbname": "shop"}
    database = said | {"security_group_id": DATABASE_GROUP}
    template = synth("postgres:app", settings={"databases": {"app": database}, "network": NETWORK})
    assert allowed(template, "plan_postgres", "secretsmanager:GetSecretValue") == [json.dumps(arn)]
    assert json.dumps(key) in allowed(template, "plan_postgres", "kms:Decrypt")
    told = json.loads(functions(template)["plan_postgres"]["Environment"]["Variables"]["DATABASES"])
    del said["secret_key_arn"]
    assert told == {"app": said}
    assert {each["ToPort"] for each in of_type(template, "EC2::SecurityGroupIngress")} == {6432, 443}


def test_a_database_is_read_in_the_vpc_of_the_settings_and_from_nowhere_else(synth: Synth) -> None:
    template = synth(*KINDS, settings=OWN)
    inside = {name for name, function in functions(template).items() if "VpcConfig" in function}
    assert inside == OWN_FUNCTIONS["postgres:app"]
    for name in inside:
        assert functions(template)[name]["VpcConfig"]["SubnetIds"] == NETWORK["subnet_ids"]
    assert of_type(template, "EC2::VPC") == of_type(template, "RDS::DBInstance") == []
    assert of_type(template, "EC2::NatGateway") == of_type(template, "EC2::InternetGateway") == []


def test_its_functions_reach_the_database_s3_and_secrets_manager_alone(synth: Synth) -> None:
    template = synth(*KINDS, settings=OWN)
    ways = {
        each.get("DestinationPrefixListId") or json.dumps(each["DestinationSecurityGroupId"]): each["ToPort"]
        for each in of_type(template, "EC2::SecurityGroupEgress")
    }
    (secrets,) = ways.keys() - {NETWORK["s3_prefix_list_id"], json.dumps(DATABASE_GROUP)}
    assert ways == {NETWORK["s3_prefix_list_id"]: 443, json.dumps(DATABASE_GROUP): 5432, secrets: 443}
    assert "Secrets" in secrets
    nowhere = {"255.255.255.255/32"}
    for group in of_type(template, "EC2::SecurityGroup"):
        assert {each["CidrIp"] for each in group.get("SecurityGroupEgress", ())} <= nowhere
    (opened,) = [each for each in of_type(template, "EC2::SecurityGroupIngress") if each["GroupId"] == DATABASE_GROUP]
    assert opened["ToPort"] == 5432


def test_an_endpoint_of_ours_leads_nobody_else_astray_and_opens_one_secret(synth: Synth) -> None:
    template = synth(*KINDS, settings=OWN)
    gateway, endpoint = sorted(of_type(template, "EC2::VPCEndpoint"), key=lambda each: each["VpcEndpointType"])
    assert gateway["RouteTableIds"] == NETWORK["route_table_ids"]
    assert endpoint["PrivateDnsEnabled"] is False
    (statement,) = endpoint["PolicyDocument"]["Statement"]
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert "shop/reader" in json.dumps(statement["Resource"])
    variables = functions(template)["plan_postgres"]["Environment"]["Variables"]
    assert "DnsEntries" in json.dumps(variables["AWS_ENDPOINT_URL_SECRETS_MANAGER"])


def test_endpoints_that_the_vpc_has_are_used(synth: Synth) -> None:
    own = {name: value for name, value in NETWORK.items() if name != "route_table_ids"}
    group = "sg-0aaaaaaaaaaaaaaaa"
    network = own | {"secrets_endpoint_security_group_id": group}
    template = synth("postgres:app", settings=OWN | {"network": network})
    assert of_type(template, "EC2::VPCEndpoint") == []
    assert group in {each.get("DestinationSecurityGroupId") for each in of_type(template, "EC2::SecurityGroupEgress")}
    assert "AWS_ENDPOINT_URL_SECRETS_MANAGER" not in functions(template)["plan_postgres"]["Environment"]["Variables"]


@pytest.mark.parametrize("function", sorted(OWN_FUNCTIONS["postgres:app"]))
def test_network_interfaces_are_made_by_the_service_and_never_by_the_code(synth: Synth, function: str) -> None:
    own = [each for each in statements(synth(*KINDS), function) if ENI & set(as_list(each["Action"]))]
    allow, deny = sorted(own, key=lambda each: each["Effect"])
    assert {*allow["Action"]} - {*deny["Action"]} == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
    assert {*deny["Action"]} == ENI
    condition = json.dumps(deny["Condition"]["ArnLike"]["lambda:SourceFunctionArn"])
    assert f":function:nightlake-dev-{function}" in condition
    assert not any(action.startswith("ec2:") for each in statements(synth(*KINDS), "plan") for action in each["Action"])


def test_a_trial_database_is_private_encrypted_and_its_password_is_rotated_by_rds(synth: Synth) -> None:
    template = synth(*KINDS)
    (server,) = of_type(template, "RDS::DBInstance")
    assert server["PubliclyAccessible"] is False
    assert server["StorageEncrypted"] is True
    assert server["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in server
    assert {each["Parameters"]["rds.force_ssl"] for each in of_type(template, "RDS::DBParameterGroup")} == {"1"}
    assert of_type(template, "EC2::InternetGateway") == of_type(template, "EC2::NatGateway") == []
    told = json.dumps(functions(template)["plan_postgres"]["Environment"]["Variables"]["DATABASES"])
    assert "MasterUserSecret.SecretArn" in told
    assert "Endpoint.Address" in told


@pytest.mark.parametrize(("stage", "kept"), [("dev", "Delete"), ("prod", "Snapshot")])
def test_what_becomes_of_a_trial_database_is_what_its_stage_does_with_data(synth: Synth, stage: str, kept: str) -> None:
    template = synth(*KINDS, stage=stage)
    (server,) = [each for each in template["Resources"].values() if each["Type"] == "AWS::RDS::DBInstance"]
    assert server["DeletionPolicy"] == kept


def test_a_trial_database_that_nobody_reads_is_not_made(synth: Synth) -> None:
    assert of_type(synth("http"), "RDS::DBInstance") == []


def test_the_local_stage_has_no_network_and_is_told_what_runs_here(synth: Synth) -> None:
    running = {"endpoints": {"https://api.example.com": "http://127.0.0.1:4321"}} | LOCAL
    template = synth(*KINDS, stage="local", settings={}, running=running)
    assert not [each for each in template["Resources"].values() if each["Type"].startswith(("AWS::EC2", "AWS::RDS"))]
    told = {name: function["Environment"]["Variables"] for name, function in functions(template).items()}
    assert {name for name, variables in told.items() if "ENDPOINTS" in variables} == {"plan_http"}
    assert json.loads(told["plan_http"]["ENDPOINTS"]) == running["endpoints"]
    assert json.loads(told["convert_postgres"]["DATABASES"]) == running["databases"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_an_api_that_is_deployed_is_asked_itself(synth: Synth, stage: str) -> None:
    for function in functions(synth(*KINDS, stage=stage)).values():
        assert "ENDPOINTS" not in function["Environment"]["Variables"]


def test_a_database_that_the_stage_lacks_is_refused_with_who_reads_it_and_what_to_write(synth: Synth) -> None:
    with pytest.raises(SettingsError) as refused:
        synth("postgres:app", settings={})
    for word in (
        "pipelines/shop: source transactions",
        "'app'",
        "cdk.json",
        "nightlake:dev",
        "trial",
        "docs/deploy.md",
    ):
        assert word in str(refused.value)
