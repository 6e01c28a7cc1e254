"""What is the same to Trino is one group, one distinct value, one peer; what it does not order fails."""

# ruff: noqa: S608 (the statements are the tests' own)

from datetime import datetime
from typing import Any

import pytest

from local.athena.errors import NotSupportedError

ZONED = "(VALUES TIMESTAMP '2020-01-01 00:00:00 UTC', TIMESTAMP '2020-01-01 01:00:00 +01:00') AS t(x)"
MAPS = "(VALUES MAP(ARRAY[1, 2], ARRAY[3, 4]), MAP(ARRAY[2, 1], ARRAY[4, 3])) AS t(x)"


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        (f"SELECT count(*) FROM {ZONED} GROUP BY x", 2),
        (f"SELECT count(*) FROM {ZONED} GROUP BY ARRAY[x]", 2),
        (f"SELECT count(*) FROM {ZONED} GROUP BY ROW(x, 1)", 2),
        (f"SELECT count(*) FROM {MAPS} GROUP BY x", 2),
        (f"SELECT count(DISTINCT x) FROM {ZONED}", 1),
        (f"SELECT count(DISTINCT ARRAY[x]) FROM {ZONED}", 1),
        (f"SELECT count(*) FROM (SELECT DISTINCT x FROM {ZONED})", 1),
        (f"SELECT count(*) FROM (SELECT DISTINCT x FROM {ZONED} ORDER BY x)", 1),
        (f"SELECT count(*) FROM (SELECT DISTINCT x FROM {MAPS})", 1),
        (f"SELECT count(*) FROM (SELECT x FROM {ZONED} UNION SELECT TIMESTAMP '2020-01-01 02:00:00 +02:00')", 1),
        (f"SELECT DISTINCT sum(1) OVER (PARTITION BY x) FROM {ZONED}", 2),
        (f"SELECT DISTINCT rank() OVER (ORDER BY x) FROM {ZONED}", 1),
        (f"SELECT count(*) FROM {ZONED} JOIN (VALUES TIMESTAMP '2019-12-31 23:00:00 -01:00') AS u(x) USING (x)", 2),
        ("SELECT count(*) FROM (VALUES nan()) AS t(x) JOIN (VALUES nan()) AS u(x) USING (x)", 0),
    ],
)
def test_values_that_are_the_same_to_trino_are_one(ask: Any, sql: str, count: int) -> None:
    assert ask(sql) == [(count,)]


def test_zones_are_told_apart_in_no_grouping_set(ask: Any) -> None:
    sets = f"SELECT x IS NULL, grouping(x), count(*) FROM {ZONED} GROUP BY GROUPING SETS ((x), ()) ORDER BY 2"
    assert ask(sets) == [(False, 0, 2), (True, 1, 2)]


def test_a_group_of_one_instant_shows_the_zone_of_one_row(ask: Any) -> None:
    ((value,),) = ask(f"SELECT x FROM {ZONED} GROUP BY x")
    assert value["instant"] == datetime(2020, 1, 1)  # noqa: DTZ001
    assert value["zone"] in ("UTC", "+01:00")


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT x FROM {ZONED} INTERSECT SELECT x FROM {ZONED}",
        f"SELECT histogram(x) FROM {ZONED}",
        f"SELECT approx_distinct(x) FROM {ZONED}",
        f"SELECT array_agg(DISTINCT x) FROM {ZONED}",
        f"SELECT array_distinct(array_agg(x)) FROM {ZONED}",
        f"SELECT contains(array_agg(x), TIMESTAMP '2020-01-01 00:00:00 UTC') FROM {ZONED}",
    ],
)
def test_what_would_tell_zones_apart_is_refused(ask: Any, sql: str) -> None:
    with pytest.raises(NotSupportedError, match="time zone"):
        ask(sql)


@pytest.mark.parametrize(
    ("values", "kind"), [("ARRAY[1, 2], ARRAY[1, NULL]", "ARRAY"), ("ROW(1, 2), ROW(1, NULL)", "ROW")]
)
def test_what_holds_null_has_no_order(ask: Any, values: str, kind: str) -> None:
    with pytest.raises(NotSupportedError, match=f"{kind} comparison not supported for"):
        ask(f"SELECT x FROM (VALUES {values}) AS t(x) ORDER BY x")


def test_arrays_are_ordered_by_their_elements_and_null_is_last(ask: Any) -> None:
    assert ask("SELECT x FROM (VALUES NULL, ARRAY[2], ARRAY[1, 2], ARRAY[1]) AS t(x) ORDER BY x") == [
        ([1],),
        ([1, 2],),
        ([2],),
        (None,),
    ]
