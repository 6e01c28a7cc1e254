"""A report as people run it by hand in the Athena console: of the last business date, with its defaults."""

import re
from collections.abc import Collection
from typing import Final

from nightlake.core.pipeline import BusinessDate, Pipeline
from nightlake.core.report_parameters import DAY, ReportParameter, literal
from nightlake.core.sql_reading import read
from nightlake.core.statement import edited, readable, span

_DATE_BEFORE: Final = re.compile(r"\bDATE\s*$", re.IGNORECASE)


def saved_report(text: str, *, name: str, pipeline: Pipeline, views: Collection[str]) -> str:
    """The statement of a report's text, complete but for the database; a value without a default is a question mark.

    The console asks for it. Faults are `nightlake check`'s to tell; raises sqlglot's SqlglotError.
    """
    reading = read(text, kind="report", name=name, readable=readable("report", name, pipeline, views))
    today = _business_date(pipeline.business_date)
    edits: dict[tuple[int, int], str] = {}
    for day, form in reading.days:
        start, end = span(day)
        if form != "%Y-%m-%d":
            edits[start, end] = f"DATE_FORMAT({today}, '{form}')"
        else:
            # DATE '...' takes a text only; CAST('...' AS date) takes a date as well.
            before = _DATE_BEFORE.search(text[:start])
            edits[before.start() if before else start, end] = f"({today})"
    for place, parameter in reading.parameters:
        declared = reading.header.named(parameter)
        edits[place] = _written(declared, today) if declared else "?"
    return edited(text, edits)


def _written(parameter: ReportParameter, today: str) -> str:
    if parameter.default is None:
        return "?"
    if parameter.kind.name == "date" and parameter.default == DAY:
        return f"({today})"
    return literal(parameter.kind, parameter.default)


def _business_date(rule: BusinessDate) -> str:
    """The business date of a night that starts now, in Athena's SQL; Athena's own clock is in UTC."""
    now = (
        "current_date" if rule.timezone == "UTC" else f"CAST(current_timestamp AT TIME ZONE '{rule.timezone}' AS date)"
    )
    return f"{now} - INTERVAL '{-rule.offset_days}' DAY" if rule.offset_days else now
