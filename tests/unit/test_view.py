"""A view is created again when it says something else or its tables do, not when Athena only wrote it differently."""

import base64
import json
from typing import Any

import pytest
from memory_catalog import MemoryCatalog
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


def kept(text: str) -> dict[str, Any]:
    definition = base64.b64encode(json.dumps({"originalSql": text}).encode()).decode()
    return {"Name": "daily", "ViewOriginalText": f"/* Presto View: {definition} */"}


@pytest.fixture
def catalog() -> MemoryCatalog:
    """A catalog with the table that the view reads."""
    found = MemoryCatalog()
    found.create_table("lake", {"Name": "sales"})
    return found


def current(catalog: MemoryCatalog) -> bool:
    return is_current(catalog, "lake", "daily", STATEMENT)


@pytest.mark.parametrize("text", [QUERY, AS_ATHENA_KEEPS_IT])
def test_the_same_view_is_current(catalog: MemoryCatalog, text: str) -> None:
    catalog.create_table("lake", kept(text))
    assert current(catalog)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT day, sum(value) AS total FROM lake.sales AS s WHERE value > 2 AND day <> 'x' GROUP BY day",
        "SELECT day, sum(value) AS total FROM lake.sales AS s WHERE value > 1 AND day <> 'X' GROUP BY day",
        "SELECT day, sum(value) AS total FROM other.sales AS s WHERE value > 1 AND day <> 'x' GROUP BY day",
    ],
    ids=["number", "text", "table"],
)
def test_another_view_is_not(catalog: MemoryCatalog, text: str) -> None:
    catalog.create_table("lake", kept(text))
    assert not current(catalog)


def test_no_view_and_a_table_of_that_name_are_not(catalog: MemoryCatalog) -> None:
    assert not current(catalog)
    catalog.create_table("lake", {"Name": "daily"})
    assert not current(catalog)


def test_a_view_is_not_current_once_its_table_has_changed(catalog: MemoryCatalog) -> None:
    catalog.create_table("lake", kept(QUERY))
    catalog.create_table("lake", {"Name": "another"})
    assert current(catalog)
    catalog.update_table("lake", {"Name": "sales"})
    assert not current(catalog)
    catalog.update_table("lake", kept(QUERY))
    assert current(catalog)
