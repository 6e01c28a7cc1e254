"""Who asks the API: the authorizer that API Gateway calls before it, with the key or the token of a request."""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.dynamodb import Keys
from nightlake.core.api.authorization import allow, deny
from nightlake.core.api.issuer import Issuer
from nightlake.core.api_key import digest
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger

if TYPE_CHECKING:
    from nightlake.adapters.tokens import Tokens

Policy = dict[str, Any]


@cache
def keys() -> Keys:
    """The stage's keys."""
    return Keys(settings().keys_table)


@cache
def tokens(issuer: Issuer) -> "Tokens":
    """The issuer's tokens; what proves them is in the layer only where a stage has an issuer."""
    from nightlake.adapters.tokens import Tokens

    return Tokens(issuer)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> Policy:
    """Event: API Gateway's REQUEST authorizer event; result: a policy and who asks.

    What is raised, an outage of DynamoDB or of an issuer, is a 500 for the caller: nobody is let in for it.
    """
    issuer = settings().tokens
    return _by_token(event, issuer) if issuer else _by_key(event)


def _by_key(event: dict[str, Any]) -> Policy:
    found = keys().find(digest(_header(event, "x-api-key")))
    if found is None or not found.is_valid(datetime.now(UTC)):
        logger.info("Refused", key=found.id if found else None)
        return deny(event["methodArn"])
    return allow(event["methodArn"], found.caller, usage_key=found.hash)


def _by_token(event: dict[str, Any], issuer: Issuer) -> Policy:
    scheme, _, token = _header(event, "authorization").partition(" ")
    claims = tokens(issuer).claims(token.strip()) if scheme.lower() == "bearer" else None
    caller = issuer.caller(claims) if claims else None
    if caller is None:
        logger.info("Refused")
        return deny(event["methodArn"])
    return allow(event["methodArn"], caller)


def _header(event: dict[str, Any], name: str) -> str:
    """A header in whatever case it was sent; empty when it was not."""
    return next((value for sent, value in (event.get("headers") or {}).items() if sent.lower() == name), "")
