"""Task AuditAcross: the verdict on keys and relationships of a run."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.athena import Athena
from nightlake.adapters.s3 import Objects
from nightlake.core.audit_across import Request, audit_across
from nightlake.core.dates import parse_date
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, date, run_id, query_ids}`, the queries being those of kind `across`.

    Result: `{verdict, checks, warnings}`. Raises DuplicateKeysError, RelationshipBrokenError,
    QueryResultUnreadableError, PipelineNotDeployedError or InvalidDateError.
    """
    told = {"date": parse_date(event["date"]), "query_ids": tuple(event["query_ids"])}
    request = Request.model_validate(event | told)
    result = audit_across(
        request,
        pipeline(request.pipeline),
        map(Athena().result, request.query_ids),
        lake=Objects(settings().lake_bucket),
        staging_database=settings().staging_database,
    )
    logger.info("Keys and relationships audited", **result)
    return result
