"""The query API behind API Gateway: what the lake holds, from its contracts and from HEAD's files."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.handlers.api import routes
from nightlake.handlers.api.answers import (
    CLIENT_ERRORS,
    answer_client_error,
    answer_internal_error,
    answer_unknown_route,
    bounded,
)
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger

_TOLD = ("Content-Encoding", "ETag", "Link", "Location", "Retry-After", "X-Request-Id")
"""The headers that a page of another origin may read."""


@cache
def api() -> APIGatewayRestResolver:
    """The routes and their errors, for every caller and for pages of the origins that the stage's settings list."""
    origins = settings().cors_origins
    resolver = APIGatewayRestResolver(
        cors=CORSConfig(allow_origin=origins[0], extra_origins=list(origins[1:]), expose_headers=list(_TOLD))
        if origins
        else None
    )
    resolver.include_router(routes.router)
    resolver.use(middlewares=[bounded])
    resolver.exception_handler(list(CLIENT_ERRORS))(answer_client_error)
    resolver.not_found(answer_unknown_route)
    resolver.exception_handler(Exception)(answer_internal_error)
    return resolver


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """API Gateway REST proxy event to proxy response."""
    answer: dict[str, Any] = api().resolve(event, context)
    # The answer differs by these: a cache between must not give one caller's to another.
    differs = ["Accept", "Accept-Encoding", *(["Origin"] if settings().cors_origins else [])]
    answer["multiValueHeaders"] |= {
        "Vary": [", ".join(differs)],
        "X-Request-Id": [event["requestContext"]["requestId"]],
        "X-Content-Type-Options": ["nosniff"],
    }
    return answer
