"""Posts JSON to a webhook over https; never follows a redirect, never says its URL, which is a secret."""

import json
from typing import Any, Final

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from nightlake.core.errors import InvalidWebhookError, WebhookRefusedError, WebhookUnreachableError

TIMEOUT: Final = urllib3.Timeout(connect=3.0, read=10.0)
BUSY: Final = 429
SERVER_ERROR: Final = 500
OK: Final = range(200, 300)


def post(url: str, message: dict[str, Any], *, name: str) -> None:
    """Post the message to the webhook called `name`.

    Raises InvalidWebhookError when the URL is not https, WebhookUnreachableError when trying again can help (no
    connection, no answer in 10 seconds, 429, 5xx), WebhookRefusedError for every other answer than 2xx.
    """
    address = _https_address(url)
    if address is None:
        raise InvalidWebhookError(f"The secret of webhook '{name}' is not an https URL; put the URL into it")
    with urllib3.PoolManager() as pool:
        try:
            answer = pool.request(
                "POST",
                address,
                body=json.dumps(message).encode(),
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT,
                retries=False,
            )
        except HTTPError as error:
            # Without `from`: errors of urllib3 may carry the URL, and a log tells of every cause.
            raise WebhookUnreachableError(
                f"Webhook '{name}' does not answer ({type(error).__name__}); it is tried again"
            ) from None
    if answer.status == BUSY or answer.status >= SERVER_ERROR:
        raise WebhookUnreachableError(f"Webhook '{name}' answers {answer.status}; it is tried again")
    if answer.status not in OK:
        raise WebhookRefusedError(f"Webhook '{name}' refuses the message with {answer.status}; renew its URL")


def _https_address(text: str) -> str | None:
    try:
        url = parse_url(text.strip())
    except LocationParseError:
        return None
    return url.url if url.scheme == "https" and url.host else None
