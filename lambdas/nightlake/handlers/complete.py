"""Tasks Complete and ReleaseLock: how the run ended is written down, and its locks are released."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.complete import End, complete
from nightlake.core.dates import parse_instant, run_id
from nightlake.core.history import find_head, newest_day
from nightlake.core.night_metrics import night_metrics
from nightlake.core.run_record import RunRecord
from nightlake.handlers import page
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, emit, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.complete.End`; result: `{record, newest}`, the key of the `core.run_record.RunRecord`, and
    whether no later day is published.

    Raises PipelineNotDeployedError.
    """
    end = End.model_validate(event)
    about(run_id=run_id(parse_instant(end.started_at), end.execution_id))
    record, key = complete(
        end,
        pipeline(end.pipeline),
        lake=Objects(settings().lake_bucket),
        raw=Objects(settings().raw_bucket),
        catalog=Glue(),
        staging_database=settings().staging_database,
        now=datetime.now(UTC),
    )
    logger.info("Run completed", outcome=record.outcome, snapshot=record.snapshot)
    emit([*night_metrics(record), page.write(record)])
    return {"record": key, "newest": _is_newest(record)}


def _is_newest(record: RunRecord) -> bool:
    head = find_head(Objects(settings().lake_bucket), record.pipeline)
    return record.snapshot is not None and head is not None and newest_day(head[0]) == record.date
