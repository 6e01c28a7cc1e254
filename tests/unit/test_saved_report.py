"""Reports as the Athena console has them: complete but for the database, of the last business date."""

from typing import Any

import pytest
from nightlake.core.pipeline import BusinessDate, Pipeline
from nightlake.core.saved_report import saved_report


def saved(pipeline: Pipeline, text: str, **rule: Any) -> str:
    pipeline = pipeline.model_copy(update={"business_date": BusinessDate(**rule)})
    return saved_report(text, name="best", pipeline=pipeline, views=("daily",))


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("year = '2000' AND day = '01'", "year = DATE_FORMAT({0}, '%Y') AND day = DATE_FORMAT({0}, '%d')"),
        ("a > DATE '2000-01-01' - INTERVAL '6' DAY", "a > ({0}) - INTERVAL '6' DAY"),
        ("a > date\n'2000-01-01'", "a > ({0})"),
        ("a > CAST('2000-01-01' AS date)", "a > CAST(({0}) AS date)"),
        ("b = 'year = ''2000''' -- 2000-01-01", "b = 'year = ''2000''' -- 2000-01-01"),
    ],
)
def test_the_placeholder_day_is_the_last_business_date(sales: Pipeline, written: str, made: str) -> None:
    text = "SELECT a FROM daily WHERE {}"
    assert saved(sales, text.format(written)) == text.format(made.format("current_date - INTERVAL '1' DAY"))


def test_the_business_date_is_that_of_the_pipelines_zone(sales: Pipeline) -> None:
    text = "SELECT a FROM daily WHERE a = DATE '2000-01-01'"
    assert saved(sales, text, offset_days=0).endswith("a = (current_date)")
    there = saved(sales, text, offset_days=-2, timezone="Europe/Vienna")
    assert there.endswith("(CAST(current_timestamp AT TIME ZONE 'Europe/Vienna' AS date) - INTERVAL '2' DAY)")


def test_parameters_have_their_defaults_and_the_console_asks_for_the_others(sales: Pipeline) -> None:
    head = ("-- parameter shop: string = 'it''s'", "-- parameter since: date = '2000-01-01'", "-- parameter n: int")
    written = "\n".join((*head, "SELECT a FROM daily WHERE b = :shop AND c > :since AND d = :n"))
    made = "SELECT a FROM daily WHERE b = 'it''s' AND c > (current_date - INTERVAL '1' DAY) AND d = ?"
    assert saved(sales, written) == "\n".join((*head, made))
