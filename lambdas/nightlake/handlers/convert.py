"""Task Convert: one shard of a source to Parquet, its bad rows to quarantine."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.convert import Meter, ReadTable, convert, note_failure
from nightlake.core.shard import Shard
from nightlake.core.shard_output import Attempt
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Event: `{shard, run_id}`; result: `{fingerprint, rows, quarantined, reused}`. What it raises, Validate can tell.

    Raises PipelineNotDeployedError, SourceChangedError, BalanceError, or what says that the object cannot be read:
    EncodingError, JsonSyntaxError, JsonTruncatedError, ParquetUnreadableError.
    """
    return convert_shard(event, context)


def convert_shard(event: dict[str, Any], context: LambdaContext, table: ReadTable | None = None) -> dict[str, Any]:
    """The same for every kind of source; `table` reads the rows of one that is a table."""
    shard = Shard.model_validate_json(json.dumps(event["shard"]))
    run_id = event["run_id"]
    lake = Objects(settings().lake_bucket)
    try:
        receipt = convert(
            shard,
            pipeline(shard.pipeline),
            Attempt(run_id, context.aws_request_id, datetime.now(UTC)),
            raw=Objects(settings().raw_bucket),
            staging=lake,
            quarantine=Objects(settings().quarantine_bucket),
            table=table,
            meter=Meter(int(context.memory_limit_in_mb), time.monotonic),
        )
    except Exception as error:
        note_failure(shard, run_id, error, lake)
        raise
    result = {
        "fingerprint": shard.fingerprint,
        "rows": receipt.rows,
        "quarantined": receipt.quarantined,
        "reused": receipt.run_id != run_id,
    }
    logger.info("Shard converted", shard=shard.index, object=shard.object.key, **result)
    return result
