"""What a function reads from its environment, and that an error about it does not show the environment."""

import json
from collections.abc import Callable

import pytest
from nightlake.handlers.settings import Webhook, settings
from pydantic import ValidationError


def test_lists_come_as_json_and_may_be_absent(environment: Callable[..., None]) -> None:
    assert (settings().webhooks, settings().cors_origins) == ((), ())
    webhook = {"name": "ops", "kind": "teams", "secret_name": "chat/ops"}
    environment(WEBHOOKS=json.dumps([webhook]), CORS_ORIGINS='["https://shop.example"]')
    assert settings().webhooks == (Webhook(name="ops", kind="teams", secret_name="chat/ops"),)
    assert settings().cors_origins == ("https://shop.example",)


def test_a_name_that_the_stack_forgot_is_told_without_the_credentials_beside_it(
    environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE")
    environment(AWS_SECRET_ACCESS_KEY="credential", WEBHOOKS='[{"name": "ops", "url": "credential"}]')
    with pytest.raises(ValidationError) as refused:
        settings()
    assert "DATABASE\n  Field required" in str(refused.value)
    assert "credential" not in str(refused.value)
