"""Task PinModel: which snapshot is learned from or scored, and whether this execution may."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from nightlake.adapters.s3 import Objects
from nightlake.adapters.states import States
from nightlake.core.errors import InvalidInputError
from nightlake.core.model.pin import ModelStart, pin
from nightlake.handlers.models import model_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, faults, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.model.pin.ModelStart`; result: a `Pinned`.

    Raises InvalidInputError, PipelineNotDeployedError, NoModelDeclaredError, InvalidScheduledTimeError,
    RunInProgressError or TrainingDataMissingError.
    """
    try:
        start = ModelStart.model_validate(event)
    except ValidationError as error:
        raise InvalidInputError(
            f"The execution cannot start with this input ({faults(error)}); give reason, again, or nothing"
        ) from error
    model_of(start.pipeline)
    pinned = pin(start, store=Objects(settings().lake_bucket), executions=States())
    about(run_id=pinned.run_id, date=pinned.date.isoformat())
    logger.info("Snapshot pinned", snapshot=pinned.snapshot, champion=pinned.champion, duplicate=pinned.duplicate)
    return pinned.model_dump(mode="json")
