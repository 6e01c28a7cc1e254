"""Task EvaluateModel: the verdict on a version, against the champion and popularity on the same held-out events."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.model.judge import judge_version
from nightlake.handlers.models import model_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, version, champion}` and what else the execution knows; result: `{version, promote, reasons}`.

    Raises PipelineNotDeployedError, NoModelDeclaredError, ModelNotFoundError, ModelUnreadableError,
    SnapshotNotFoundError or TrainingDataMissingError.
    """
    _, model = model_of(event["pipeline"])
    verdict = judge_version(
        Objects(settings().lake_bucket),
        event["pipeline"],
        model,
        version=event["version"],
        champion=event["champion"],
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        progress=logger.info,
    )
    logger.info("Model judged", version=verdict.version, promote=verdict.promote, reasons=verdict.reasons)
    return {"version": verdict.version, "promote": verdict.promote, "reasons": list(verdict.reasons)}
