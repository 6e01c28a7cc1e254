"""Task DeliverModel: all users have a list, and the delivery is complete."""

from datetime import date
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.model.deliver import deliver
from nightlake.handlers.models import model_of, publisher_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, run_id, date, champion}` and what else the execution knows; result: `{date}`, which the
    pipeline that publishes is started with.

    Raises PipelineNotDeployedError, NoModelDeclaredError or ScoringIncompleteError.
    """
    _, model = model_of(event["pipeline"])
    rows = deliver(
        event["pipeline"],
        event["run_id"],
        date.fromisoformat(event["date"]),
        model,
        publisher_of(event["pipeline"]),
        champion=event["champion"],
        lake=Objects(settings().lake_bucket),
        raw=Objects(settings().raw_bucket),
    )
    logger.info("Recommendations delivered", rows=rows)
    return {"date": event["date"]}
