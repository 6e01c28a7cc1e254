"""A report: what a query over the published tables answered, kept as JSON with the run and the snapshot it is of."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from pydantic import Field

from nightlake.core.errors import ReportTooLargeError
from nightlake.core.frozen import Frozen
from nightlake.core.query_result import QueryResult, ResultColumn, Value

MAX_ROWS: Final = 10_000

Json = bool | int | float | str | None


class Report(Frozen):
    """One report of one run, computed with these values of its parameters.

    A row is a mapping from column names; `json_value` says how values are written.
    """

    pipeline: str
    name: str
    date: date
    run_id: str
    snapshot: int
    parameters: dict[str, Json] = Field(default_factory=dict)
    columns: tuple[ResultColumn, ...]
    rows: tuple[dict[str, Json], ...]


def build(
    *,
    pipeline: str,
    name: str,
    day: date,
    run_id: str,
    snapshot: int,
    result: QueryResult,
    values: Mapping[str, Value] | None = None,
) -> Report:
    """The report of a query's result, asked for with these values. Raises ReportTooLargeError above MAX_ROWS rows."""
    if len(result.rows) > MAX_ROWS:
        raise ReportTooLargeError(
            f"Report '{name}' of pipeline '{pipeline}' answers more than {MAX_ROWS:,} rows; "
            f"aggregate or limit them in sql/{pipeline}/reports/{name}.sql, or make a view of it"
        )
    return Report(
        pipeline=pipeline,
        name=name,
        date=day,
        run_id=run_id,
        snapshot=snapshot,
        parameters={parameter: json_value(value) for parameter, value in (values or {}).items()},
        columns=result.columns,
        rows=tuple({key: json_value(value) for key, value in record.items()} for record in result.records()),
    )


def json_value(value: Value) -> Json:
    """A value in JSON, as the API writes it: decimals exact in strings, days and times in ISO 8601, times in UTC."""
    match value:
        case Decimal():
            return format(value, "f")
        case datetime():
            return f"{value.isoformat(timespec='milliseconds')}Z"
        case date():
            return value.isoformat()
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value
