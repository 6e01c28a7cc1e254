"""Task ScoreUsers: the lists of one shard of users, delivered as Parquet."""

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.s3 import Objects
from nightlake.core.model.model_record import ScoringShard
from nightlake.core.model.score import score
from nightlake.handlers.models import model_of, publisher_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{shard}`, a `core.model.model_record.ScoringShard`; result: `{users, rows}`.

    Raises PipelineNotDeployedError, NoModelDeclaredError, ModelNotFoundError, ModelUnreadableError or
    ScoringIncompleteError.
    """
    shard = ScoringShard.model_validate_json(json.dumps(event["shard"]))
    _, model = model_of(shard.pipeline)
    receipt = score(
        shard,
        model,
        publisher_of(shard.pipeline),
        lake=Objects(settings().lake_bucket),
        raw=Objects(settings().raw_bucket),
    )
    logger.info("Users scored", shard=shard.index, users=receipt.users, rows=receipt.rows)
    return {"users": receipt.users, "rows": receipt.rows}
