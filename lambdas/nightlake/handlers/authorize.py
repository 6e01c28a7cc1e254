"""Who asks the API: the authorizer that API Gateway calls before it, with the key of a request."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.dynamodb import Keys
from nightlake.core.api.authorization import allow, deny
from nightlake.core.api_key import digest
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger


@cache
def keys() -> Keys:
    """The stage's keys."""
    return Keys(settings().keys_table)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: API Gateway's REQUEST authorizer event; result: a policy and who asks.

    What is raised, an outage of DynamoDB, is a 500 for the caller: nobody is let in for it.
    """
    found = keys().find(digest(_header(event, "x-api-key")))
    if found is None or not found.is_valid(datetime.now(UTC)):
        logger.info("Refused", key=found.id if found else None)
        return deny(event["methodArn"])
    return allow(event["methodArn"], found.caller, usage_key=found.hash)


def _header(event: dict[str, Any], name: str) -> str:
    """A header in whatever case it was sent; empty when it was not."""
    return next((value for sent, value in (event.get("headers") or {}).items() if sent.lower() == name), "")
