"""Task AuditMerge: the verdict on one merge, whose files are then sealed."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.athena import Athena
from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.audit_merge import Places, Request, audit_merge
from nightlake.core.dates import parse_date
from nightlake.handlers.contracts import pipeline, statements
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, date, run_id, merge, table, location, query_id}`, the query being that of kind `audit`.

    Result: `{table, rows, files, verdict}`. Raises MergeAuditError, QueryResultUnreadableError,
    StagedFileChangedError, SealedFilesChangedError, ProjectionError, PipelineNotDeployedError or InvalidDateError.
    """
    request = Request.model_validate({**event, "date": parse_date(event["date"])})
    about(merge=request.merge)
    places = Places(lake=Objects(settings().lake_bucket), catalog=Glue(), staging_database=settings().staging_database)
    result = audit_merge(
        request,
        pipeline(request.pipeline),
        statements(request.pipeline, "merge")[request.merge],
        Athena().result(request.query_id),
        places,
    )
    logger.info("Merge audited and sealed", **result)
    return result
