"""A message reaches a real https server, and each answer of it is an error that says whether to try again."""

import socket
import traceback
from pathlib import Path
from typing import Any

import pytest
import urllib3
from nightlake.adapters import webhook
from nightlake.adapters.webhook import post
from nightlake.core.errors import InvalidWebhookError, WebhookRefusedError, WebhookUnreachableError

from local import tls

PATH = "/services/T000/B000/secret-token"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_message_is_posted_as_json(chat: Any, status: int) -> None:
    chat.answers[PATH] = [status]
    post(f"{chat.url}{PATH}\n", {"text": "Grüße"}, name="ops")
    assert chat.received == [(PATH, {"text": "Grüße"})]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_or_broken_chat_is_worth_another_try(chat: Any, status: int) -> None:
    chat.answers[PATH] = [status]
    with pytest.raises(WebhookUnreachableError, match=f"Webhook 'ops' answers {status}; it is tried again"):
        post(f"{chat.url}{PATH}", {}, name="ops")
    assert len(chat.received) == 1, "Lambda tries again, the handler does not"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not(chat: Any, status: int) -> None:
    chat.answers[PATH] = [status]
    with pytest.raises(WebhookRefusedError, match=f"'ops' refuses the message with {status}; renew its URL"):
        post(f"{chat.url}{PATH}", {}, name="ops")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(chat: Any, status: int) -> None:
    chat.answers[PATH] = [status]
    with pytest.raises(WebhookRefusedError, match=str(status)):
        post(f"{chat.url}{PATH}", {}, name="ops")
    assert [path for path, _ in chat.received] == [PATH]


def test_a_chat_that_keeps_silent_is_left(chat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", urllib3.Timeout(connect=3.0, read=0.1))
    chat.silent = True
    with pytest.raises(WebhookUnreachableError, match=r"does not answer \(ReadTimeoutError\)"):
        post(f"{chat.url}{PATH}", {}, name="ops")


def test_a_chat_that_is_not_there_is_worth_another_try_and_leaves_no_trace_of_its_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"https://localhost:{closed.getsockname()[1]}{PATH}"
    with pytest.raises(WebhookUnreachableError, match="does not answer") as raised:
        post(url, {}, name="ops")
    told = "".join(traceback.format_exception(raised.value))
    assert "urllib3" not in told, "its errors may carry the URL"


def test_a_server_that_cannot_prove_its_name_gets_no_message(
    chat: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ensure(tmp_path / "another").authority))
    with pytest.raises(WebhookUnreachableError, match="SSLError"):
        post(f"{chat.url}{PATH}", {}, name="ops")
    assert chat.received == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "hooks.example/secret-token", "http://hooks.example/secret-token", "https://", "https:///secret-token"),
        *("ftp://hooks.example/secret-token", "https://[secret-token", "https://hooks.example:port/secret-token"),
    ],
)
def test_anything_but_an_https_url_is_refused_without_saying_it(text: str) -> None:
    with pytest.raises(InvalidWebhookError, match="webhook 'ops' is not an https URL") as refused:
        post(text, {}, name="ops")
    assert "secret-token" not in str(refused.value)


def test_no_error_says_the_url(chat: Any) -> None:
    chat.answers[PATH] = [403, 503]
    for error in (WebhookRefusedError, WebhookUnreachableError):
        with pytest.raises(error) as raised:
            post(f"{chat.url}{PATH}", {}, name="ops")
        assert "secret-token" not in str(raised.value)
