"""Task Validate: the verdict on one source."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.code_version import code_version
from nightlake.core.dates import parse_date
from nightlake.core.validate import Places, Request, answer, validate
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, dataset, date, run_id, attempt, plan}`, where `plan` is the key of the source's Plan.

    Result: what `core.validate.answer` says. Raises PipelineNotDeployedError, InvalidDateError, ObjectNotFoundError or
    ProjectionError.
    """
    request = Request.model_validate({**event, "date": parse_date(event["date"])})
    places = Places(
        lake=Objects(settings().lake_bucket),
        quarantine=Objects(settings().quarantine_bucket),
        raw_bucket=settings().raw_bucket,
        catalog=Glue(),
        quarantine_database=settings().quarantine_database,
    )
    judged = validate(request, pipeline(request.pipeline), places, code_version=code_version())
    result = answer(judged, request)
    logger.info("Source judged", **result)
    return result
