"""Alerts of the topic reach every chat that can be reached, and none is lost without an error."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_secretsmanager import SecretsManagerClient
from nightlake.adapters.secretsmanager import Secrets
from nightlake.core.errors import (
    InvalidWebhookError,
    SecretUnreadableError,
    WebhookRefusedError,
    WebhookUnreachableError,
)
from nightlake.handlers import notify

OPS, TEAM = "/ops/secret-token", "/team/secret-token"
Notify = Callable[[str], None]


@pytest.fixture
def store(environment: Callable[..., None], chat: Any) -> Iterator[SecretsManagerClient]:
    """Secrets Manager with the URLs of two channels that the function's environment names."""
    with mock_aws():
        environment(
            WEBHOOKS=json.dumps(
                [
                    {"name": "ops", "kind": "slack", "secret_name": "chat/ops"},
                    {"name": "team", "kind": "teams", "secret_name": "chat/team"},
                ]
            )
        )
        client = boto3.client("secretsmanager")
        client.create_secret(Name="chat/ops", SecretString=f"{chat.url}{OPS}")
        client.create_secret(Name="chat/team", SecretString=f"{chat.url}{TEAM}")
        yield client


@pytest.fixture
def tell(store: object, event: Callable[[str], dict[str, Any]], lambda_context: Any) -> Notify:
    """`tell(name)`: the function is invoked with tests/events/<name>.json."""
    return lambda name: notify.handler(event(name), lambda_context)


def test_every_channel_hears_the_alert_in_its_own_shape(tell: Notify, chat: Any) -> None:
    tell("sns_failed_night")
    (slack_path, slack), (teams_path, teams) = chat.received
    assert (slack_path, teams_path) == (OPS, TEAM)
    assert slack["text"].startswith("*Nightlake: sales failed*\nPipeline sales failed for 2026-11-20")
    title, text = teams["attachments"][0]["content"]["body"]
    assert title["text"] == "Nightlake: sales failed"
    assert "not a day of the calendar" in text["text"]


def test_an_alarm_is_heard_too(tell: Notify, chat: Any) -> None:
    tell("sns_alarm")
    assert chat.received[0][1]["text"].startswith("*ALARM: nightlake-dev-query-errors*\nThreshold Crossed")


@pytest.mark.parametrize(
    ("status", "error"), [(429, WebhookUnreachableError), (503, WebhookUnreachableError), (403, WebhookRefusedError)]
)
def test_a_channel_that_fails_keeps_no_other_from_hearing_and_is_raised(
    tell: Notify, chat: Any, status: int, error: type[Exception]
) -> None:
    chat.answers[OPS] = [status]
    with pytest.raises(error, match="'ops'"):
        tell("sns_failed_night")
    assert TEAM in [path for path, _ in chat.received]


def test_a_missing_secret_keeps_no_other_from_hearing_and_is_raised(
    tell: Notify, chat: Any, store: SecretsManagerClient
) -> None:
    store.delete_secret(SecretId="chat/ops", ForceDeleteWithoutRecovery=True)
    with pytest.raises(InvalidWebhookError, match="Secret 'chat/ops' of webhook 'ops' has no text; put"):
        tell("sns_failed_night")
    assert [path for path, _ in chat.received] == [TEAM]


def test_an_unreadable_secret_keeps_no_other_from_hearing_and_is_raised(
    tell: Notify, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoRight(Secrets):
        def read(self, name: str, *, again: bool = False) -> str | None:
            if name == "chat/ops":
                raise SecretUnreadableError("Secret 'chat/ops' cannot be read")
            return super().read(name, again=again)

    monkeypatch.setattr(notify, "Secrets", NoRight)
    with pytest.raises(SecretUnreadableError, match="chat/ops"):
        tell("sns_failed_night")
    assert [path for path, _ in chat.received] == [TEAM]


def test_a_url_that_was_renewed_is_used_by_a_function_that_remembers_the_old_one(
    tell: Notify, chat: Any, store: SecretsManagerClient
) -> None:
    tell("sns_alarm")
    store.put_secret_value(SecretId="chat/ops", SecretString=f"{chat.url}/ops/renewed")
    chat.answers[OPS] = [404]
    chat.received.clear()
    tell("sns_failed_night")
    assert [path for path, _ in chat.received] == [OPS, "/ops/renewed", TEAM]


def test_a_wrong_text_that_was_mended_is_not_remembered(tell: Notify, chat: Any, store: SecretsManagerClient) -> None:
    store.put_secret_value(SecretId="chat/ops", SecretString="paste the URL here")
    with pytest.raises(InvalidWebhookError, match="webhook 'ops' is not an https URL"):
        tell("sns_failed_night")
    store.put_secret_value(SecretId="chat/ops", SecretString=f"{chat.url}{OPS}")
    chat.received.clear()
    tell("sns_failed_night")
    assert [path for path, _ in chat.received] == [OPS, TEAM]


def test_the_log_says_who_heard_what_and_no_secret(
    tell: Notify, chat: Any, log: Callable[[], list[dict[str, Any]]]
) -> None:
    chat.answers[OPS] = [500]
    with pytest.raises(WebhookUnreachableError):
        tell("sns_failed_night")
    lines = log()
    assert [(line["level"], line["webhook"], line["title"]) for line in lines] == [
        ("ERROR", "ops", "Nightlake: sales failed"),
        ("INFO", "team", "Nightlake: sales failed"),
    ]
    assert "answers 500" in json.dumps(lines[0])
    assert "secret-token" not in json.dumps(lines)
