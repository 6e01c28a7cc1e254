"""Task TrainModel: a new version of a model, from the pinned snapshot."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.model.train import Training, train
from nightlake.handlers.models import model_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.model.train.Training`; result: `{version}`, which is not champion yet.

    Raises PipelineNotDeployedError, NoModelDeclaredError, SnapshotNotFoundError, TrainingDataMissingError,
    InteractionsUnusableError or PublishContendedError.
    """
    training = Training.model_validate(event)
    deployed, model = model_of(training.pipeline)
    record = train(
        training,
        model,
        contract_hash=deployed.contract_hash,
        store=Objects(settings().lake_bucket),
        now=datetime.now(UTC),
        progress=logger.info,
    )
    logger.info("Model trained", version=record.version, algorithm=record.recipe.algorithm, events=record.events)
    return {"version": record.version}
