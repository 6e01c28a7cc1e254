"""Task Plan of a source that is a table: whether its day is complete, and which parts are to be converted."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.code_version import code_version
from nightlake.core.extract_postgres import Extraction
from nightlake.core.plan import Request, plan
from nightlake.core.postgres_source import PostgresSource
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.databases import database
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.plan.Request`; result: a `core.plan.Planned`.

    Raises PipelineNotDeployedError, SourceNotReadyError, HeaderMismatchError, SecretUnreadableError,
    DatabaseSecretError, DatabaseAuthError, DatabaseTlsError, DatabaseUnavailableError, ConnectionsExceededError,
    LockTimeoutError, QueryTimeoutError, QueryFailedError, PermissionDeniedError, TableNotFoundError or
    TableUnsuitableError.
    """
    request = Request.model_validate(event)
    known, lake = pipeline(request.pipeline), Objects(settings().lake_bucket)
    source = known.source(request.dataset)
    if not isinstance(source, PostgresSource):
        raise TypeError(f"{request.dataset} is no table")
    extraction = Extraction(source, known.dataset(request.dataset), database(source.database), lake)
    planned = plan(
        request,
        known,
        raw=Objects(settings().raw_bucket),
        lake=lake,
        code_version=code_version(),
        now=datetime.now(UTC),
        extract=lambda _source, asked, now: extraction(asked, now),
    )
    result = planned.model_dump(mode="json")
    logger.info("Source planned", **result)
    return result
