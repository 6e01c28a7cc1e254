"""`information_schema` and `"<table>$partitions"`: what BI tools and people ask of the catalog by query."""

from typing import Any

import pytest

from local.athena import errors

Lake = Any

_SALES = """CREATE EXTERNAL TABLE sales (id bigint, amount decimal(12,2))
PARTITIONED BY (year string, month int) STORED AS PARQUET LOCATION 's3://lake/empty/'"""


def test_partitions_are_a_table(lake: Lake) -> None:
    lake(_SALES)
    assert lake.rows('SELECT * FROM "sales$partitions"') == []
    lake("ALTER TABLE sales ADD PARTITION (year='2017', month=6) LOCATION 's3://lake/a/'")
    lake("ALTER TABLE sales ADD PARTITION (year='2016', month=12) LOCATION 's3://lake/b/'")
    found = lake('SELECT year, month FROM db."sales$partitions" ORDER BY year DESC LIMIT 1')
    assert found.table.to_pylist() == [{"year": "2017", "month": 6}]
    assert [str(kind) for _, kind in found.columns] == ["varchar", "integer"]
    assert found.scanned_bytes == 0


def test_only_partitioned_tables_have_partitions(lake: Lake) -> None:
    lake("CREATE EXTERNAL TABLE plain (id int) STORED AS PARQUET LOCATION 's3://lake/plain/'")
    with pytest.raises(errors.TableNotFoundError, match=r"plain\$partitions"):
        lake('SELECT * FROM "plain$partitions"')


def test_the_information_schema_lists_tables_views_and_columns(lake: Lake) -> None:
    lake(_SALES)
    lake("CREATE VIEW total AS SELECT sum(amount) AS amount FROM sales")
    tables = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'db' ORDER BY 1"
    assert lake.rows(tables) == [("sales", "BASE TABLE"), ("total", "VIEW")]
    columns = """SELECT table_name, ordinal_position, column_name, data_type FROM information_schema.columns
        WHERE table_schema = 'db' ORDER BY table_name, ordinal_position"""
    assert lake.rows(columns) == [
        ("sales", 1, "id", "bigint"),
        ("sales", 2, "amount", "decimal(12,2)"),
        ("sales", 3, "year", "varchar"),
        ("sales", 4, "month", "integer"),
        ("total", 1, "amount", "decimal(38,2)"),
    ]
    assert lake.rows("SELECT view_definition FROM information_schema.views WHERE table_schema = 'db'") == [
        ("SELECT sum(amount) AS amount FROM sales",)
    ]
    assert ("awsdatacatalog", "db") in lake.rows("SELECT * FROM information_schema.schemata")


def test_the_information_schema_has_no_other_tables(lake: Lake) -> None:
    with pytest.raises(errors.TableNotFoundError, match=r"information_schema\.nope"):
        lake("SELECT * FROM information_schema.nope")
