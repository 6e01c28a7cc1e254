"""Task MeasureModel: how the champion does on what is new, whether it drifts, and the users to be scored."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.model.measure import Scoring, measure, measurement_metrics
from nightlake.handlers.models import model_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import emit, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.model.measure.Scoring`; result: `{drifted, reasons, users, shards, bucket, key}`, where the shards
    are lines of the object `key`.

    Raises PipelineNotDeployedError, NoModelDeclaredError, ModelNotFoundError, ModelUnreadableError,
    SnapshotNotFoundError, InteractionsUnusableError or TrainingDataMissingError.
    """
    scoring = Scoring.model_validate(event)
    _, model = model_of(scoring.pipeline)
    store = Objects(settings().lake_bucket)
    measured, shards = measure(scoring, model, store=store)
    logger.info("Model measured", drifted=measured.drifted, reasons=measured.reasons, shards=len(shards))
    emit([measurement_metrics(measured)])
    return {
        "drifted": measured.drifted,
        "reasons": list(measured.reasons),
        "users": sum(shard.users for shard in shards),
        "shards": len(shards),
        "bucket": store.bucket,
        "key": layout.scoring_shards(scoring.pipeline, scoring.run_id),
    }
