"""Task Seal: the validated files of the good sources become the run's own, out of reach of any worker."""

from datetime import date
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.seal import seal, summary
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, date, run_id, validations: [key]}`; result: `{tables: [{table, rows, files}]}`.

    Raises PipelineNotDeployedError, SourceRejectedError, StagedFileChangedError, SealedFilesChangedError or
    ProjectionError.
    """
    logger.append_keys(pipeline=event["pipeline"], date=event["date"], run_id=event["run_id"])
    sealed = seal(
        Objects(settings().lake_bucket),
        Glue(),
        pipeline(event["pipeline"]),
        staging_database=settings().staging_database,
        day=date.fromisoformat(event["date"]),
        run_id=event["run_id"],
        validations=event["validations"],
    )
    tables = summary(sealed)
    logger.info("Tables sealed", tables=tables)
    return {"tables": tables}
