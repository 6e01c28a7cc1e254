"""What a caller asks of a report: read from the body of his request, and bound to a snapshot and to Athena's SQL."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from nightlake.core.api.published import Published
from nightlake.core.api.queries import Question
from nightlake.core.api.question import read_day
from nightlake.core.api.reports import unknown_report
from nightlake.core.databases import Databases
from nightlake.core.errors import (
    InvalidParameterError,
    NothingPublishedError,
    ReportNotFoundError,
    UnknownParameterError,
)
from nightlake.core.pipeline import Pipeline
from nightlake.core.report_parameters import read_header, read_values

_MAX_BYTES: Final = 65_536
_MEMBERS: Final = ("report", "date", "parameters")
_EXAMPLE: Final = '{"report": "top_products", "date": "2026-11-20", "parameters": {"department": "GROCERY"}}'


@dataclass(frozen=True)
class Asked:
    """A report by name, of a business date (the newest without one), with some of its parameters as JSON gives them."""

    report: str
    day: date | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reports:
    """The reports of one pipeline: their texts by name, and the views that they may read."""

    pipeline: Pipeline
    texts: Mapping[str, str]
    views: Collection[str]


def read_body(body: str | None) -> Asked:
    """The question that a body is. Raises InvalidParameterError, or UnknownParameterError for a member too many."""
    content = _decoded(body or "")
    if not isinstance(content, dict) or not isinstance(content.get("report"), str):
        raise InvalidParameterError(f"body: write an object that names a report, like {_EXAMPLE}")
    unknown = ", ".join(f"'{name}'" for name in content if name not in _MEMBERS)
    if unknown:
        raise UnknownParameterError(f"body knows no {unknown}; it knows {', '.join(_MEMBERS)}")
    given = content.get("parameters", {})
    if not isinstance(given, dict):
        raise InvalidParameterError(f"parameters: write an object of names and values, like {_EXAMPLE}", "parameters")
    return Asked(content["report"], _day(content.get("date")), given)


def ask(asked: Asked, reports: Collection[Reports], published: Published, databases: Databases) -> Question:
    """What Athena is asked for, of HEAD's snapshot.

    Raises ReportNotFoundError, NothingPublishedError, UnknownParameterError or InvalidParameterError.
    """
    found = next((each for each in reports if asked.report in each.texts), None)
    if found is None:
        raise unknown_report(asked.report, {each.pipeline.name: list(each.texts) for each in reports})
    name, text, pipeline = asked.report, found.texts[asked.report], found.pipeline
    pinned = published.newest(pipeline.name)
    if pinned is None:
        raise NothingPublishedError(f"Nothing of '{pipeline.name}' is published yet; its first good night will do it")
    run = next((run for run in reversed(pinned.snapshot.runs) if asked.day in (None, run.date)), None)
    if run is None:
        dates = ", ".join(run.date.isoformat() for run in pinned.snapshot.runs[:-11:-1])
        raise ReportNotFoundError(f"There is no report '{name}' of {asked.day}; the newest can be of: {dates}")
    values = read_values(read_header(text), asked.parameters, run.date)

    # The parser takes longer to import than most requests to answer.
    from nightlake.core.statement import RunDay, render

    statement = render(
        text,
        kind="report",
        name=name,
        run=RunDay(date=run.date, run_id=run.run_id),
        pipeline=pipeline,
        databases=databases,
        lake_bucket="",
        suffix="",
        views=found.views,
        values=values,
    )
    return Question(
        pipeline=pipeline.name,
        report=name,
        day=run.date,
        snapshot=pinned.snapshot.number,
        values=values,
        query=statement.query,
        database=statement.database,
        literals=statement.parameters,
    )


def _decoded(body: str) -> object:
    """JSON with exact numbers. Raises InvalidParameterError."""
    if len(body) > _MAX_BYTES:
        raise InvalidParameterError(f"body: it has {len(body):,} characters, and at most {_MAX_BYTES:,} are read")
    try:
        content: object = json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        raise InvalidParameterError(f"body: it is not JSON; write it like {_EXAMPLE}") from None
    return content


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _day(given: object) -> date | None:
    return None if given is None else read_day({"date": str(given)}, "date")
