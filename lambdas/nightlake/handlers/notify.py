"""Carries the alerts of the SNS topic to the chat channels that the stage's settings list."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.data_classes import SNSEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.secretsmanager import Secrets
from nightlake.adapters.webhook import post
from nightlake.core.alert import chat_message, read_alert
from nightlake.core.errors import InvalidWebhookError, NightlakeError, WebhookRefusedError
from nightlake.handlers.settings import Webhook, settings
from nightlake.handlers.task import logger


@cache
def secrets() -> Secrets:
    """The secrets that this function may read."""
    return Secrets()


@logger.inject_lambda_context(correlation_id_path="Records[0].Sns.MessageId", clear_state=True)
@event_source(data_class=SNSEvent)
def handler(event: SNSEvent, _context: LambdaContext) -> None:
    """Send every message to every webhook; one that fails does not keep the others from hearing.

    The last failure is raised, so that Lambda tries the event again: a channel may hear an alert twice, never not.
    """
    failure: NightlakeError | None = None
    for record in event.records:
        alert = read_alert(record.sns.subject, record.sns.message)
        for webhook in settings().webhooks:
            try:
                deliver(webhook, chat_message(alert, webhook.kind))
                logger.info("Alert delivered", webhook=webhook.name, title=alert.title)
            except NightlakeError as error:
                logger.exception("Alert not delivered", webhook=webhook.name, title=alert.title)
                failure = error
    if failure is not None:
        raise failure


def deliver(webhook: Webhook, message: dict[str, Any]) -> None:
    """Post to the webhook; when its URL does not serve, with the one that its secret holds by now.

    Raises InvalidWebhookError, SecretUnreadableError, WebhookUnreachableError or WebhookRefusedError.
    """
    url = secret_url(webhook)
    try:
        post(url, message, name=webhook.name)
    except (InvalidWebhookError, WebhookRefusedError):
        renewed = secret_url(webhook, again=True)
        if renewed == url:
            raise
        post(renewed, message, name=webhook.name)


def secret_url(webhook: Webhook, *, again: bool = False) -> str:
    """The webhook's URL. Raises InvalidWebhookError when its secret has no text, SecretUnreadableError."""
    url = secrets().read(webhook.secret_name, again=again)
    if url is None:
        raise InvalidWebhookError(
            f"Secret '{webhook.secret_name}' of webhook '{webhook.name}' has no text; put the webhook's URL into it"
        )
    return url
