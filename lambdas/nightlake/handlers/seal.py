"""Task Seal: the validated files of the good sources become the run's own, out of reach of any worker."""

from datetime import date
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.across_parts import across_parts
from nightlake.core.seal import seal, summary
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, date, run_id, validations: [key]}`; result: `{tables: [{table, rows, files}], parts}`.

    `parts` are those in which the rows are checked for keys and relationships, see `core.across_parts`.

    Raises PipelineNotDeployedError, SourceRejectedError, StagedFileChangedError, SealedFilesChangedError or
    ProjectionError.
    """
    contract = pipeline(event["pipeline"])
    sealed = seal(
        Objects(settings().lake_bucket),
        Glue(),
        contract,
        staging_database=settings().staging_database,
        day=date.fromisoformat(event["date"]),
        run_id=event["run_id"],
        validations=event["validations"],
    )
    tables = summary(sealed)
    logger.info("Tables sealed", tables=tables)
    parts = across_parts(contract, {table["table"]: table["rows"] for table in tables})
    return {"tables": tables, "parts": [part.model_dump() for part in parts]}
