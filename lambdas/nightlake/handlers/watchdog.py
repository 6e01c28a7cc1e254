"""The watchdog, every five minutes: has each night that is due begun, is it there? And after a deployment: a marker."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.adapters.states import States
from nightlake.core.watchdog import deployments, watch, watch_metrics
from nightlake.handlers.contracts import pipelines
from nightlake.handlers.settings import settings
from nightlake.handlers.task import emit, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: EventBridge's, of the clock or of a change of the stack; result: `{watched: [core.watchdog.Watch]}` or
    `{deployment}`.

    Raises what S3 and Step Functions raise; the next look is five minutes later.
    """
    if event.get("source") == "aws.cloudformation":
        status = event["detail"]["status-details"]["status"]
        logger.info("The stack changes", status=status)
        emit([deployments(1)])
        return {"deployment": status}
    lake, executions, now = Objects(settings().lake_bucket), States(), datetime.now(UTC)
    watched = [watch(pipeline, lake, executions, now=now) for pipeline in pipelines().values()]
    for seen in watched:
        level = logger.warning if seen.not_started or seen.not_finished else logger.info
        level("Night watched", **seen.model_dump(mode="json"))
    emit([deployments(0), *map(watch_metrics, watched)])
    return {"watched": [seen.model_dump(mode="json") for seen in watched]}
