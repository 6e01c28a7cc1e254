"""A view is created again when what it says has changed, not when Athena only wrote it down differently."""

import base64
import json

import pytest
from nightlake.core.view import is_current

QUERY = """SELECT day, sum(value) AS total
FROM "lake"."sales" AS s WHERE value > 1 AND day <> 'x' GROUP BY day"""
STATEMENT = f'-- the days\nCREATE OR REPLACE VIEW "lake"."daily" AS\n{QUERY}'
AS_ATHENA_KEEPS_IT = """SELECT
  day
, "sum"(value) total
FROM
  lake.sales s
WHERE ((value > 1) AND (day <> 'x'))
GROUP BY day
"""


def kept(text: str) -> dict[str, str]:
    definition = base64.b64encode(json.dumps({"originalSql": text}).encode()).decode()
    return {"Name": "daily", "ViewOriginalText": f"/* Presto View: {definition} */"}


@pytest.mark.parametrize("text", [QUERY, AS_ATHENA_KEEPS_IT])
def test_the_same_view_is_current(text: str) -> None:
    assert is_current(kept(text), STATEMENT)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT day, sum(value) AS total FROM lake.sales AS s WHERE value > 2 AND day <> 'x' GROUP BY day",
        "SELECT day, sum(value) AS total FROM lake.sales AS s WHERE value > 1 AND day <> 'X' GROUP BY day",
        "SELECT day, sum(value) AS total FROM other.sales AS s WHERE value > 1 AND day <> 'x' GROUP BY day",
    ],
    ids=["number", "text", "table"],
)
def test_another_view_is_not(text: str) -> None:
    assert not is_current(kept(text), STATEMENT)


def test_no_view_and_a_table_of_that_name_are_not() -> None:
    assert not is_current(None, STATEMENT)
    assert not is_current({"Name": "daily"}, STATEMENT)
