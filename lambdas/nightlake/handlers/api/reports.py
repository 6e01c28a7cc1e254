"""The routes about reports: what the nights computed."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api import formats
from nightlake.core.api.question import read_day, read_limit, singles
from nightlake.core.api.reports import DEFAULT_HISTORY, MAX_HISTORY, find_history, find_report, list_reports
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, answer_rows, header, router

_DATE: Final = "date"


@router.get("/v1/reports")
def get_reports() -> Response[str]:
    """Every report with its parameters and the dates that it is there for."""
    asked.parameters_of()
    return answer({"reports": list_reports(asked.lake(), asked.published(), asked.reports())})


@router.get("/v1/reports/<name>")
def get_report(name: str) -> Response[str]:
    """One report of a business date, the newest without one, with the values that the night computed it with."""
    parameters = singles(router.current_event.multi_value_query_string_parameters)
    day = read_day(parameters, _DATE)
    parameters.pop(_DATE, None)
    told = find_report(asked.lake(), asked.published(), asked.reports(), name, day=day, given=parameters)
    return answer_report(told)


@router.get("/v1/reports/<name>/history")
def get_report_history(name: str) -> Response[str]:
    """The last reports of one name, the newest first: of each its rows, or the columns in `select`."""
    parameters = asked.parameters_of("select", "to", "limit")
    columns = parameters["select"].split(",") if "select" in parameters else None
    return answer(
        find_history(
            asked.lake(),
            asked.published(),
            asked.reports(),
            name,
            limit=read_limit(parameters, default=DEFAULT_HISTORY, most=MAX_HISTORY),
            until=read_day(parameters, "to"),
            columns=columns,
        )
    )


def answer_report(told: Mapping[str, Any]) -> Response[str]:
    """Columns and rows as JSON tells them, or in the other format that the caller accepts best."""
    if formats.choose(header("accept"), formats.FORMATS) == formats.JSON:
        return answer(told)
    # Not even typed rows are worth the import of Arrow to those who want JSON.
    from nightlake.core.api.report_table import report_table

    return answer_rows([json.dumps(told)], lambda: report_table(told))
