"""Rollback, which a person asks for: HEAD moves to another kept snapshot, and the catalog after it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.history import rollback
from nightlake.core.projection import project
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, to?}`, the number of a kept snapshot, default the one before; result: `{from, to}`.

    Raises PipelineNotDeployedError, SnapshotNotFoundError, PublishContendedError or ProjectionError.
    """
    deployed = pipeline(event["pipeline"])
    store = Objects(settings().lake_bucket)
    before, after = rollback(store, deployed.name, event.get("to"))
    changes = project(store, Glue(), deployed, database=settings().database)
    logger.info("HEAD moved", before=before, after=after, catalog_changes=changes)
    return {"from": before, "to": after}
