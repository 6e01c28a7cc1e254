"""Task Plan: whether a source's day has landed, and which shards are to be converted."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.code_version import code_version
from nightlake.core.plan import Extract, Request, plan
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.plan.Request`; result: a `core.plan.Planned`.

    Raises PipelineNotDeployedError, SourceNotReadyError, SourceChangedError, or what says that an object cannot be
    read: HeaderMismatchError, EncodingError, CompressedObjectError, JsonTruncatedError, JsonSyntaxError,
    ParquetUnreadableError.
    """
    return plan_source(event)


def plan_source(event: dict[str, Any], extract: Extract | None = None) -> dict[str, Any]:
    """The same for every kind of source; `extract` says what there is of one that is no files."""
    request = Request.model_validate(event)
    planned = plan(
        request,
        pipeline(request.pipeline),
        raw=Objects(settings().raw_bucket),
        lake=Objects(settings().lake_bucket),
        code_version=code_version(),
        now=datetime.now(UTC),
        extract=extract,
    )
    result = planned.model_dump(mode="json")
    logger.info("Source planned", **result)
    return result
