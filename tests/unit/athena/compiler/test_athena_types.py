"""Trino's types: spelling, coercion and what holds them."""

import pytest

from local.athena.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    REAL,
    SMALLINT,
    TIMESTAMP,
    TIMESTAMP_TZ,
    UNKNOWN,
    VARCHAR,
    array,
    can_coerce,
    char,
    common_super_type,
    decimal,
    map_of,
    parse_hive,
    parse_type,
    row,
    to_duckdb,
    varchar,
)


@pytest.mark.parametrize(
    ("hive", "trino"),
    [
        ("int", "integer"),
        ("string", "varchar"),
        ("float", "real"),
        ("binary", "varbinary"),
        ("decimal(12,2)", "decimal(12,2)"),
        ("decimal", "decimal(10,0)"),
        ("array<struct<a:int,b:map<string,double>>>", "array(row(a integer, b map(varchar, double)))"),
        ("timestamp", "timestamp(3)"),
        ("VARCHAR(20)", "varchar(20)"),
    ],
)
def test_hive_types_are_trinos(hive: str, trino: str) -> None:
    assert str(parse_hive(hive)) == trino


@pytest.mark.parametrize(
    "text",
    ["row(a integer, b varchar(3))", "row(integer, varchar)", "timestamp(3) with time zone", "interval day to second"],
)
def test_a_type_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_type(text)) == text


@pytest.mark.parametrize("text", ["strnig", "decimal(39,0)", "decimal(3,4)", "array<int", "map<int>", "timestamp(6)"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Unknown type|DECIMAL|not supported"):
        parse_hive(text)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (INTEGER, BIGINT, BIGINT),
        (INTEGER, decimal(5, 2), decimal(12, 2)),
        (BIGINT, decimal(5, 2), decimal(21, 2)),
        (decimal(5, 2), DOUBLE, DOUBLE),
        (decimal(5, 2), REAL, REAL),
        (decimal(38, 0), decimal(38, 10), decimal(38, 10)),
        (varchar(3), varchar(5), varchar(5)),
        (varchar(3), VARCHAR, VARCHAR),
        (varchar(3), char(5), char(5)),
        (DATE, TIMESTAMP, TIMESTAMP),
        (TIMESTAMP, TIMESTAMP_TZ, TIMESTAMP_TZ),
        (UNKNOWN, array(INTEGER), array(INTEGER)),
        (array(INTEGER), array(DOUBLE), array(DOUBLE)),
        (map_of(varchar(1), INTEGER), map_of(VARCHAR, BIGINT), map_of(VARCHAR, BIGINT)),
        (row(("a", INTEGER)), row(("b", BIGINT)), row((None, BIGINT))),
        (VARCHAR, INTEGER, None),
        (DATE, VARCHAR, None),
        (array(INTEGER), INTEGER, None),
    ],
)
def test_the_common_type(one: object, other: object, common: object) -> None:
    assert common_super_type(one, other) == common  # type: ignore[arg-type]
    assert common_super_type(other, one) == common  # type: ignore[arg-type]


def test_nothing_narrows_unasked() -> None:
    assert can_coerce(SMALLINT, INTEGER)
    assert not can_coerce(BIGINT, INTEGER)
    assert not can_coerce(varchar(5), varchar(3))
    assert can_coerce(row((None, INTEGER)), row(("a", BIGINT)))


def test_a_rows_fields_always_have_distinct_names_in_duckdb() -> None:
    kind = row((None, INTEGER), ("A", VARCHAR), ("a", BIGINT))
    assert to_duckdb(kind) == 'STRUCT("field0" INTEGER, "a" VARCHAR, "field2" BIGINT)'
