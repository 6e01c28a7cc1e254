"""What every Task's handler has in common: one log shape, one trace, one metrics namespace, the payload limit."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.core.payload import EVENT_LIMIT_BYTES, RESULT_LIMIT_BYTES, check_size

logger: Final = Logger()
# AWS calls only: X-Ray writes the URL of every call it sees, and a webhook's is a secret.
tracer: Final = Tracer(patch_modules=("botocore",))
METRICS: Final = "Nightlake"

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


def task(function: Handler) -> Handler:
    """Turn `function(event, context)` into a Task's handler.

    Raises PayloadTooLargeError when the event or the result would not fit through Step Functions.
    """

    @logger.inject_lambda_context(clear_state=True)
    @tracer.capture_lambda_handler(capture_response=False)
    @wraps(function)
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        check_size(event, what="The event", limit=EVENT_LIMIT_BYTES)
        result = function(event, context)
        check_size(result, what="The result", limit=RESULT_LIMIT_BYTES)
        return result

    wrapped: Handler = handler
    return wrapped
