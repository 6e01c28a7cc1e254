"""What every Task's handler has in common: one log shape, one metrics namespace, the payload limit."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from nightlake.adapters.outage import outage
from nightlake.core.metrics import NAMESPACE, Measured
from nightlake.core.payload import EVENT_LIMIT_BYTES, RESULT_LIMIT_BYTES, check_size
from nightlake.handlers.settings import settings

logger: Final = Logger()

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]

_SAID: Final = ("pipeline", "date", "run_id", "dataset")


def task(function: Handler) -> Handler:
    """Turn `function(event, context)` into a Task's handler.

    Every line that it logs names pipeline, date, run and dataset as far as the event does, and a `correlation_id`: the
    run, which all functions of a night share, or else the request. An error is logged with its stack and raised.
    Raises PayloadTooLargeError when the event or the result would not fit through Step Functions, AwsUnavailableError
    for whatever an outage of AWS is told by.
    """

    @logger.inject_lambda_context(clear_state=True)
    @wraps(function)
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        logger.set_correlation_id(context.aws_request_id)
        about(**_said(event))
        try:
            check_size(event, what="The event", limit=EVENT_LIMIT_BYTES)
            result = function(event, context)
            check_size(result, what="The result", limit=RESULT_LIMIT_BYTES)
        except Exception as error:
            logger.exception("Task failed", error=type(error).__name__)
            if (passes := outage(error)) is not None:
                raise passes from error
            raise
        return result

    wrapped: Handler = handler
    return wrapped


def about(**keys: object) -> None:
    """Name these on every line from here to the end of the invocation; a `run_id` is the `correlation_id`, too."""
    logger.append_keys(**keys)
    if "run_id" in keys:
        logger.set_correlation_id(str(keys["run_id"]))


def _said(event: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of itself; Convert's says it in its shard."""
    shard = event.get("shard")
    said = {**(shard if isinstance(shard, Mapping) else {}), **event}
    return {name: said[name] for name in _SAID if name in said}


def faults(error: ValidationError) -> str:
    """What of an event cannot be, field by field."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())


def emit(measured: Iterable[Measured]) -> None:
    """Write metrics as lines of the log, in CloudWatch's embedded metric format, each with the stage as a dimension.

    The last thing that a handler does: a retry after it would emit the same values again, of which the alarms and
    the dashboard take the maximum.
    """
    for each in measured:
        # The empty service keeps Powertools from adding a dimension of its own: alarms name all dimensions, or none.
        lines = EphemeralMetrics(namespace=NAMESPACE, service="")
        lines.add_dimension("stage", settings().stage)
        for name, value in each.dimensions.items():
            lines.add_dimension(name, value)
        for metric, (unit, quantity) in each.values.items():
            lines.add_metric(name=metric, unit=unit, value=quantity)
        lines.flush_metrics()
