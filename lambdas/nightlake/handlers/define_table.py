"""Task DefineTable: the definition of one table, where it has another or none."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.core.define_table import define_table
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, database, table, found}`, where `found` has the `columns` of a table that exists in Glue.

    Result: `{change, input}`: a Glue TableInput and whether to `create` or `update` the table with it, or `none`.
    Raises PipelineNotDeployedError or TableNotInContractError.
    """
    about(table=event["table"])
    defined = define_table(
        pipeline(event["pipeline"]),
        event["database"],
        event["table"],
        event["found"].get("columns"),
        databases=settings().databases,
        lake_bucket=settings().lake_bucket,
    )
    logger.info("Table defined", change=defined.change)
    return defined.model_dump()
