"""Task Report: what the query of a report answered, kept as JSON."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.athena import Athena
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.dates import parse_date
from nightlake.core.report import MAX_ROWS, build
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, name, date, run_id, snapshot, query_id}`; result: `{name, rows, key}`.

    Raises ReportTooLargeError, QueryResultUnreadableError or InvalidDateError.
    """
    about(report=event["name"])
    report = build(
        pipeline=event["pipeline"],
        name=event["name"],
        day=parse_date(event["date"]),
        run_id=event["run_id"],
        snapshot=event["snapshot"],
        result=Athena().result(event["query_id"], limit=MAX_ROWS + 1),
    )
    key = layout.report(report.pipeline, report.name, report.run_id)
    Objects(settings().lake_bucket).put_model(key, report)
    logger.info("Report kept", rows=len(report.rows), key=key)
    return {"name": report.name, "rows": len(report.rows), "key": key}
