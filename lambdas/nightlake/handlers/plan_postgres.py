"""Task Plan of a source that is a table: whether its day is complete, and which parts are to be converted."""

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.delivery import Delivery
from nightlake.core.extract_postgres import Extraction
from nightlake.core.plan import Request
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.sources import AnySource
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.databases import database
from nightlake.handlers.plan import plan_source
from nightlake.handlers.settings import settings
from nightlake.handlers.task import task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.plan.Request`; result: a `core.plan.Planned`.

    Raises PipelineNotDeployedError, SourceNotReadyError, HeaderMismatchError, SecretUnreadableError,
    DatabaseSecretError, DatabaseAuthError, DatabaseTlsError, DatabaseUnavailableError, ConnectionsExceededError,
    LockTimeoutError, QueryTimeoutError, QueryFailedError, PermissionDeniedError, TableNotFoundError or
    TableUnsuitableError.
    """
    return plan_source(event, _extract)


def _extract(source: AnySource, request: Request, now: datetime) -> Delivery:
    if not isinstance(source, PostgresSource):
        raise TypeError(f"plan_postgres plans sources of kind 'postgres', not {source.from_!r}")
    dataset, lake = pipeline(request.pipeline).dataset(request.dataset), Objects(settings().lake_bucket)
    return Extraction(source, dataset, database(source.database), lake)(request, now)
