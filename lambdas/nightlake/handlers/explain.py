"""Task Explain: what becomes of a source that failed, and what a person is told of it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.explain import Request, explain
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.explain.Request`; result: a `core.explain.Explained`. Raises PipelineNotDeployedError."""
    request = Request.model_validate(event)
    explained = explain(request, pipeline(request.pipeline), Objects(settings().lake_bucket))
    logger.info("Source failed", **explained.model_dump(mode="json", exclude={"subject", "message"}))
    return explained.model_dump(mode="json")
