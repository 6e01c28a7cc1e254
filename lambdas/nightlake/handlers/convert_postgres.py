"""Task Convert of a source that is a table: one part of its rows to Parquet, bad ones to quarantine."""

from collections.abc import Iterator
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.pipeline import Dataset
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.table import read_table
from nightlake.core.shard import Shard
from nightlake.handlers.convert import convert_shard
from nightlake.handlers.databases import database
from nightlake.handlers.settings import settings
from nightlake.handlers.task import task


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """As `convert`: `{shard, run_id}` to `{fingerprint, rows, quarantined, reused}`.

    Raises PipelineNotDeployedError, SourceChangedError, BalanceError, SecretUnreadableError, DatabaseSecretError,
    DatabaseAuthError, DatabaseTlsError, DatabaseUnavailableError, LockTimeoutError, QueryTimeoutError,
    QueryFailedError, PermissionDeniedError, TableNotFoundError or TableUnsuitableError.
    """
    return convert_shard(event, context, _read)


def _read(shard: Shard, source: PostgresSource, dataset: Dataset) -> Iterator[Batch]:
    lake = Objects(settings().lake_bucket)
    return read_table(shard, source, dataset, database=database(source.database), lake=lake)
