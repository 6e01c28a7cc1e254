"""Task Report: what the query of a report answered, kept as JSON."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.athena import Athena
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.dates import parse_date
from nightlake.core.report import MAX_ROWS, build
from nightlake.core.report_parameters import defaults, read_header
from nightlake.handlers.contracts import statements
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, name, date, run_id, snapshot, query_id}`; result: `{name, rows, key}`.

    Raises ReportTooLargeError, QueryResultUnreadableError or InvalidDateError.
    """
    about(report=event["name"])
    day = parse_date(event["date"])
    text = statements(event["pipeline"], "reports").get(event["name"], "")
    report = build(
        pipeline=event["pipeline"],
        name=event["name"],
        day=day,
        run_id=event["run_id"],
        snapshot=event["snapshot"],
        result=Athena().result(event["query_id"], limit=MAX_ROWS + 1),
        values=defaults(read_header(text), day),
    )
    key = layout.report(report.pipeline, report.name, report.run_id)
    Objects(settings().lake_bucket).put_model(key, report)
    logger.info("Report kept", rows=len(report.rows), key=key)
    return {"name": report.name, "rows": len(report.rows), "key": key}
