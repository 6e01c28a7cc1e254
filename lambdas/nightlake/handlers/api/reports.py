"""The routes about reports: what the nights computed."""

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api.question import read_day
from nightlake.core.api.reports import find_report, list_reports
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, router


@router.get("/v1/reports")
def get_reports() -> Response[str]:
    """Every report and the dates that it is there for."""
    asked.parameters_of()
    return answer({"reports": list_reports(asked.lake(), asked.published(), asked.report_names())})


@router.get("/v1/reports/<name>")
def get_report(name: str) -> Response[str]:
    """One report of a business date, the newest without one."""
    day = read_day(asked.parameters_of("date"), "date")
    return answer(find_report(asked.lake(), asked.published(), asked.report_names(), name, day))
