"""What a stage's settings are by default, and that a wrong override is refused with key, value and reason."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from aws_cdk import RemovalPolicy

from infra.settings import Settings, SettingsError, load_settings


def test_prod_keeps_its_data_and_keeps_data_out_of_its_logs() -> None:
    prod = load_settings("prod")
    assert prod.termination_protection
    assert prod.removal_policy is RemovalPolicy.RETAIN
    assert not prod.log_execution_data


@pytest.mark.parametrize("stage", ["local", "dev"])
def test_a_trial_stage_can_be_destroyed(stage: str) -> None:
    settings = load_settings(stage)
    assert not settings.termination_protection
    assert settings.removal_policy is RemovalPolicy.DESTROY


@pytest.mark.parametrize("stage", ["production", None, "", 3])
def test_an_unknown_stage_is_refused_with_the_ones_that_exist(stage: object) -> None:
    with pytest.raises(SettingsError, match=r"-c stage=local\|dev\|prod"):
        load_settings(stage)


def test_an_override_replaces_one_value_and_leaves_its_neighbours() -> None:
    settings = load_settings(
        "prod",
        {
            "account": "123456789012",
            "api": {"quota_per_day": 7},
            "functions": {"notify": {"memory_mb": 256}},
            "webhooks": [{"name": "team-data", "kind": "slack", "secret_name": "chat/team-data"}],
        },
    )
    default = load_settings("prod")
    assert settings.account == "123456789012"
    assert settings.api.quota_per_day == 7
    assert settings.api.throttle_rate == default.api.throttle_rate
    assert settings.function("notify").memory_mb == 256
    assert settings.function("query") == default.function("query")
    assert [webhook.secret_name for webhook in settings.webhooks] == ["chat/team-data"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"retian": True}, r"retian = True: Extra inputs"),
        ({"account": "12"}, r"account = '12': String should match"),
        ({"log_retention_days": 8}, r"log_retention_days = 8: Input should be 1, 3"),
        ({"retain": "yes"}, r"retain = 'yes': Input should be a valid boolean"),
        ({"functions": {"qurey": {}}}, r"functions\.qurey.* = 'qurey': Input should be 'prepare'"),
        ({"functions": {"query": {"memory_mb": 64}}}, r"functions\.query\.memory_mb = 64: .*greater"),
        ({"bi_readers": ["someone"]}, r"bi_readers\.0 = 'someone'"),
        ({"alarm_emails": ["nobody"]}, r"alarm_emails\.0 = 'nobody'"),
        ({"raw_expiry_days": 30}, r"raw_expiry_days = 30: .*give more than 30 days"),
        ({"api": {"cors_origins": ["shop.example"]}}, r"api\.cors_origins\.0 = 'shop\.example': String should match"),
        ({"api": {"cors_origins": ["*", "https://shop.example"]}}, r"stands for every origin"),
        ({"api": {"cors_origins": ["https://shop.example/"]}}, r"api\.cors_origins\.0 = 'https://shop\.example/'"),
        (
            {"api": {"auth": {"iam": {"arn:aws:iam::123456789012:role/a": ["write:*"]}}}},
            r"api\.auth\.iam.* = 'write:\*': String should match",
        ),
        (
            {
                "api": {
                    "auth": {
                        "iam": {"arn:aws:iam::123456789012:role/a": ["read:*"]},
                        "jwt": {"issuer": "https://a.b", "audience": "c", "jwks_url": "https://a.b/keys"},
                    }
                }
            },
            r"keep one of jwt and iam",
        ),
        (
            {"api": {"auth": {"jwt": {"issuer": "http://a.b", "audience": "c", "jwks_url": "https://a.b/keys"}}}},
            r"api\.auth\.jwt\.issuer = 'http://a\.b'",
        ),
        ({"api": {"waf": {"requests_per_address": 1}}}, r"api\.waf\.requests_per_address = 1"),
        ({"stage": "dev"}, r"without `stage`"),
        ("retain", r"must be an object of settings"),
    ],
)
def test_a_wrong_override_is_refused_with_its_key_value_and_reason(overrides: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        load_settings("prod", overrides)
    assert "cdk.json" in str(refused.value)
    assert "nightlake:prod" in str(refused.value)


def test_every_problem_of_an_override_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings("dev", {"retian": True, "raw_expiry_days": 0})
    assert "retian = True" in str(refused.value)
    assert "raw_expiry_days = 0" in str(refused.value)


@pytest.mark.parametrize("days", get_args(Settings.model_fields["log_retention_days"].annotation))
def test_every_allowed_log_retention_is_one_that_cloudwatch_has(days: int) -> None:
    assert load_settings("dev", {"log_retention_days": days}).log_retention is not None


OWN = {"secret_name": "shop/reader", "security_group_id": "sg-0123456789abcdef0"}
NETWORK = {"vpc_id": "vpc-01234567", "subnet_ids": ["subnet-01234567"], "s3_prefix_list_id": "pl-63a5400a"}


def test_what_the_deployment_page_shows_is_accepted() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
    shown = [
        json.loads(block)["context"] for block in re.findall(r"```json\n(.+?)```", page, re.S) if "context" in block
    ]
    assert len(shown) == 2
    for context in shown:
        assert load_settings("prod", context["nightlake:prod"]) != load_settings("prod")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"databases": {"app": {}}}, r"databases\.app = .*secret_name"),
        ({"databases": {"App": {"trial": True}}}, r"databases\.App"),
        ({"databases": {"app": OWN}}, r"reach app in a VPC: say which one as `network`"),
        (
            {"databases": {"app": {"secret_name": "shop/reader"}}, "network": NETWORK},
            r"databases\.app needs security_group_id",
        ),
        ({"databases": {"app": {"trial": True, "port": 5433}}}, r"made from nothing"),
        ({"databases": {"app": {"trial": True}}, "network": NETWORK}, r"remove `trial` of app, or `network`"),
        ({"databases": {"app": {"trial": True}, "other": OWN}}, r"a network of its own"),
        ({"databases": {"app": OWN}, "network": NETWORK | {"vpc_id": "vpc-x"}}, r"network\.vpc_id = 'vpc-x'"),
        ({"databases": {"app": OWN}, "network": NETWORK | {"subnet_ids": []}}, r"network\.subnet_ids"),
        ({"endpoints": {"https://api.example.com": "http://127.0.0.1:80"}}, r"only the local stage has stand-ins"),
    ],
)
def test_databases_that_cannot_be_reached_are_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings("prod", overrides)


@pytest.mark.parametrize("overrides", [{"databases": {"app": {"trial": True}}}, {"network": NETWORK}])
def test_the_local_stage_makes_no_network(overrides: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="has its own PostgreSQL"):
        load_settings("local", overrides)


def test_what_runs_here_goes_before_what_cdk_json_says() -> None:
    running = {
        "endpoints": {"https://api.example.com": "http://127.0.0.1:4000"},
        "databases": {"app": {"secret_name": "b"}},
    }
    settings = load_settings("local", {"databases": {"app": {"secret_name": "a"}}}, sources=json.dumps(running))
    assert settings.endpoints == running["endpoints"]
    assert settings.databases["app"].secret_name == "b"


@pytest.mark.parametrize("running", ["[]", "{", '{"stage": "dev"}'])
def test_what_is_no_description_of_what_runs_here_is_refused(running: str) -> None:
    with pytest.raises(SettingsError, match="nightlake:running"):
        load_settings("local", sources=running)


@pytest.mark.parametrize("address", ["http://192.168.0.1:80", "https://127.0.0.1:80", "http://127.0.0.1:80/v1"])
def test_a_stand_in_is_on_this_machine(address: str) -> None:
    with pytest.raises(SettingsError, match=r"endpoints\."):
        load_settings("local", {"endpoints": {"https://api.example.com": address}})
