"""Task FinishModel: what was published with which version is noted, and the lock of the model is released."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.dates import parse_instant, run_id
from nightlake.core.model.finish import ModelEnd, end_metrics, finish
from nightlake.handlers.models import publisher_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, emit, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.model.finish.ModelEnd`; result: `{}`.

    Raises PipelineNotDeployedError, NoModelDeclaredError or SnapshotNotFoundError.
    """
    end = ModelEnd.model_validate(event)
    about(run_id=run_id(parse_instant(end.started_at), end.execution_id))
    # Whatever became of the declaration meanwhile: a lock is given back without it.
    publisher = publisher_of(end.pipeline).name if end.published else None
    ended = finish(end, publisher, store=Objects(settings().lake_bucket), now=datetime.now(UTC))
    logger.info("Model run ended", outcome=ended.outcome, champion=ended.champion, published=ended.published)
    emit([end_metrics(ended)])
    return {}
