"""Tasks Complete and ReleaseLock: how the run ended is written down, and its locks are released."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.complete import End, complete
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import METRICS, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.complete.End`; result: `{record}`, the key of the `core.run_record.RunRecord`.

    Raises PipelineNotDeployedError.
    """
    end = End.model_validate(event)
    logger.append_keys(pipeline=end.pipeline, date=end.date)
    record, key = complete(
        end,
        pipeline(end.pipeline),
        lake=Objects(settings().lake_bucket),
        raw=Objects(settings().raw_bucket),
        catalog=Glue(),
        staging_database=settings().staging_database,
        now=datetime.now(UTC),
    )
    logger.info("Run completed", run_id=record.run_id, outcome=record.outcome, snapshot=record.snapshot)
    for name, value in (
        ("RowsPublished", sum(table.rows for table in record.tables) if record.snapshot else 0),
        ("RowsQuarantined", sum(source.quarantined for source in record.sources)),
    ):
        with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=METRICS) as metric:
            metric.add_dimension("pipeline", record.pipeline)
    return {"record": key}
