"""A report is the query's rows in exact JSON, with what they are of; one that is too large is refused."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from nightlake.core.errors import ReportTooLargeError
from nightlake.core.query_result import QueryResult, ResultColumn
from nightlake.core.report import MAX_ROWS, Report, build, json_value


def built(result: QueryResult) -> Report:
    return build(pipeline="sales", name="top", day=date(2017, 6, 12), run_id="r1", snapshot=7, result=result)


def test_a_report_says_what_it_is_of_and_types_its_columns() -> None:
    columns = (ResultColumn(name="rank", type="bigint"), ResultColumn(name="revenue", type="decimal(18,2)"))
    report = built(QueryResult(columns=columns, rows=((1, Decimal("2.50")), (2, None))))
    assert json.loads(report.model_dump_json()) == {
        "pipeline": "sales",
        "name": "top",
        "date": "2017-06-12",
        "run_id": "r1",
        "snapshot": 7,
        "parameters": {},
        "columns": [{"name": "rank", "type": "bigint"}, {"name": "revenue", "type": "decimal(18,2)"}],
        "rows": [{"rank": 1, "revenue": "2.50"}, {"rank": 2, "revenue": None}],
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("0E-7"), "0.0000000"),
        (date(2017, 6, 12), "2017-06-12"),
        (datetime(2017, 6, 12, 9, 30, 0, 5000), "2017-06-12T09:30:00.005Z"),  # noqa: DTZ001 (as Athena answers)
        (True, True),
        (2.5, 2.5),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ("naïve", "naïve"),
        (None, None),
    ],
)
def test_values_are_exact_in_json(value: Any, written: Any) -> None:
    found = json_value(value)
    assert found == written
    assert type(found) is type(written)


def test_a_report_has_a_bound() -> None:
    column = (ResultColumn(name="n", type="bigint"),)
    rows = tuple((n,) for n in range(MAX_ROWS + 1))
    assert len(built(QueryResult(columns=column, rows=rows[:-1])).rows) == MAX_ROWS
    with pytest.raises(ReportTooLargeError, match=r"more than 10,000 rows; .* sql/sales/reports/top\.sql"):
        built(QueryResult(columns=column, rows=rows))
