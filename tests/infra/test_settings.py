"""What a stage's settings are by default, and that a wrong override is refused with key, value and reason."""

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
