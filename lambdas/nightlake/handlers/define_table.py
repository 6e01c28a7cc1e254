"""Task DefineTable: the definition of one table that does not exist yet."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.core.define_table import define_table
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, database, table}`; result: the Glue TableInput of that table.

    Raises PipelineNotDeployedError or TableNotInContractError.
    """
    logger.append_keys(pipeline=event["pipeline"], table=event["table"])
    defined = define_table(
        pipeline(event["pipeline"]),
        event["database"],
        event["table"],
        databases=settings().databases,
        lake_bucket=settings().lake_bucket,
    )
    logger.info("Table defined", columns=len(defined["StorageDescriptor"]["Columns"]))
    return defined
