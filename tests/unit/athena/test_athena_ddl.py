"""Hive's DDL, SHOW and DESCRIBE: what Glue then holds, and the texts that come back."""

from typing import Any

import pytest

from local.athena import errors
from local.athena.session import Session

Lake = Any
TABLE = """
CREATE EXTERNAL TABLE IF NOT EXISTS `sales` (  -- a comment
  `id` bigint COMMENT 'it''s the key',
  `Price` DECIMAL(10, 2),
  `at` struct<x:int,y:array<string>>
)
COMMENT 'Sales; all of them'
PARTITIONED BY (`year` string, `month` string)
STORED AS PARQUET
LOCATION 's3://lake/sales'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression'='SNAPPY');
"""


def test_create_external_table_is_kept_as_glue_keeps_it(lake: Lake) -> None:
    lake(TABLE)
    table = lake.table("sales")
    storage = table["StorageDescriptor"]
    assert [(column["Name"], column["Type"]) for column in storage["Columns"]] == [
        ("id", "bigint"),
        ("price", "decimal(10,2)"),
        ("at", "struct<x:int,y:array<string>>"),
    ]
    assert storage["Columns"][0]["Comment"] == "it's the key"
    assert storage["Location"] == "s3://lake/sales/"
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")
    assert [key["Name"] for key in table["PartitionKeys"]] == ["year", "month"]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"] == {
        "EXTERNAL": "TRUE",
        "comment": "Sales; all of them",
        "classification": "parquet",
        "parquet.compression": "SNAPPY",
    }
    lake(TABLE)


def test_show_create_table_makes_the_same_table_again(lake: Lake) -> None:
    lake(TABLE)
    shown = lake("SHOW CREATE TABLE sales").lines
    assert shown[0] == "CREATE EXTERNAL TABLE `db.sales`("
    before = lake.table("sales")
    lake("DROP TABLE sales")
    lake("\n".join(shown).replace("`db.sales`", "`sales`"))
    after = lake.table("sales")
    for part in ("StorageDescriptor", "PartitionKeys", "Parameters"):
        assert after[part] == before[part]


def test_show_and_describe_are_aligned_as_hive_does(lake: Lake) -> None:
    lake(TABLE)
    lake("CREATE VIEW latest AS SELECT id FROM sales")
    assert lake("SHOW TABLES").lines == ["latest", "sales"]
    assert lake("SHOW TABLES IN db 'sal*'").lines == ["sales"]
    assert lake("SHOW VIEWS").lines == ["latest"]
    assert lake("SHOW DATABASES LIKE 'd.*'").lines == ["db"]
    assert lake("SHOW COLUMNS IN sales").lines[0] == "id                  "
    assert lake("SHOW TBLPROPERTIES sales('classification')").lines == ["parquet"]
    described = lake("DESCRIBE sales").lines
    assert described[0] == "id                  \tbigint              \tit's the key        "
    assert described[-1] == "month               \tstring              \t                    "
    assert "# Partition Information\t \t " in described
    with pytest.raises(errors.NotSupportedError, match="DESCRIBE FORMATTED"):
        lake("DESCRIBE FORMATTED sales")


def test_partitions_are_added_moved_and_dropped(lake: Lake) -> None:
    lake(TABLE)
    lake(
        "ALTER TABLE sales ADD PARTITION (month='01', year='2026') PARTITION (year='2026', month='02') LOCATION 's3://x/y'"
    )
    (first, second) = lake.glue.get_partitions(DatabaseName="db", TableName="sales")["Partitions"]
    assert (first["Values"], first["StorageDescriptor"]["Location"]) == (
        ["2026", "01"],
        "s3://lake/sales/year=2026/month=01/",
    )
    assert second["StorageDescriptor"]["Location"] == "s3://x/y/"
    with pytest.raises(errors.DdlFailedError, match="Partition already exists"):
        lake("ALTER TABLE sales ADD PARTITION (year='2026', month='01')")
    lake("ALTER TABLE sales ADD IF NOT EXISTS PARTITION (year='2026', month='02') LOCATION 's3://other/'")
    lake("ALTER TABLE sales PARTITION (year='2026', month='01') SET LOCATION 's3://moved/here'")
    places = [
        each["StorageDescriptor"]["Location"]
        for each in lake.glue.get_partitions(DatabaseName="db", TableName="sales")["Partitions"]
    ]
    assert places == ["s3://moved/here/", "s3://x/y/"]
    lake("ALTER TABLE sales DROP PARTITION (year='2026', month='01')")
    assert lake("SHOW PARTITIONS sales").lines == ["year=2026/month=02"]
    with pytest.raises(errors.DdlFailedError, match="Partition not found"):
        lake("ALTER TABLE sales DROP PARTITION (year='1999')")
    lake("ALTER TABLE sales DROP IF EXISTS PARTITION (year='1999')")
    with pytest.raises(errors.DdlFailedError, match="lacks the keys month"):
        lake("ALTER TABLE sales ADD PARTITION (year='2026')")


def test_columns_and_properties_are_added(lake: Lake) -> None:
    lake(TABLE)
    lake("ALTER TABLE sales ADD COLUMNS (note string COMMENT 'new', n int)")
    lake("ALTER TABLE sales SET TBLPROPERTIES ('owner'='us')")
    lake("ALTER TABLE sales SET LOCATION 's3://new/place/'")
    table = lake.table("sales")
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]][-2:] == ["note", "n"]
    assert table["Parameters"]["owner"] == "us"
    assert table["Parameters"]["classification"] == "parquet"
    assert table["StorageDescriptor"]["Location"] == "s3://new/place/"
    with pytest.raises(errors.DdlFailedError, match="Duplicate column name: note"):
        lake("ALTER TABLE sales ADD COLUMNS (note string)")


def test_msck_registers_folders_that_are_partitions_and_nothing_else(lake: Lake) -> None:
    lake(TABLE)
    for path in ("year=2026/month=01/f", "year=2026/f", "other/month=01/f", "_tmp/month=1/f"):
        lake.store.write(f"s3://lake/sales/{path}", b"x")
    shown = lake("MSCK REPAIR TABLE sales").lines
    assert shown == [
        "Partitions not in metastore:\tsales:year=2026/month=01",
        "Repair: Added partition to metastore sales:year=2026/month=01",
    ]
    assert lake("SHOW PARTITIONS sales").lines == ["year=2026/month=01"]
    assert lake("MSCK REPAIR TABLE sales").lines == ()


def test_databases_are_made_and_dropped(lake: Lake) -> None:
    lake("CREATE DATABASE IF NOT EXISTS other COMMENT 'one more' LOCATION 's3://lake/other/'")
    with pytest.raises(errors.DdlFailedError, match="Database other already exists"):
        lake("CREATE SCHEMA other")
    lake("CREATE EXTERNAL TABLE other.t (a int) LOCATION 's3://lake/t/'")
    with pytest.raises(errors.DdlFailedError, match="is not empty"):
        lake("DROP DATABASE other")
    lake("DROP DATABASE other CASCADE")
    lake("DROP DATABASE IF EXISTS other")
    assert lake("SHOW DATABASES").lines == ["db"]


def test_what_is_missing_is_named(lake: Lake) -> None:
    for statement in ("DESCRIBE nope", "SHOW PARTITIONS nope", "MSCK REPAIR TABLE nope", "DROP TABLE nope"):
        with pytest.raises(errors.DdlFailedError, match=r"Table not found db\.nope"):
            lake(statement)
    lake("DROP TABLE IF EXISTS nope")
    with pytest.raises(errors.DdlFailedError, match="Database does not exist: nope"):
        lake("SHOW TABLES IN nope")


@pytest.mark.parametrize(
    ("statement", "error", "reason"),
    [
        ("", errors.QuerySyntaxError, "mismatched input '<EOF>'"),
        ("FROB t", errors.QuerySyntaxError, "line 1:1: mismatched input 'FROB'"),
        ("SELECT 1; SELECT 2", errors.QuerySyntaxError, "Only one sql statement is allowed"),
        ("DROP TABLE a; DROP TABLE b", errors.QuerySyntaxError, "mismatched input ';'"),
        ("CREATE TABLE t (a int)", errors.NotSupportedError, "Iceberg"),
        ("CREATE EXTERNAL TABLE t (a int)", errors.QuerySyntaxError, "LOCATION"),
        ("CREATE EXTERNAL TABLE t (a wat) LOCATION 's3://b/t/'", errors.QuerySyntaxError, "line 1:28: .*'wat'"),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 'b/t/'", errors.DdlFailedError, "write s3://bucket/prefix/"),
        ("EXPLAIN SELECT 1", errors.NotSupportedError, "EXPLAIN is not supported"),
        ("DELETE FROM t", errors.NotSupportedError, "DELETE is not supported"),
        ("ALTER TABLE t RENAME TO u", errors.NotSupportedError, "RENAME"),
        ("WITH FUNCTION abs(x int) RETURNS int RETURN 5 SELECT abs(1)", errors.NotSupportedError, "WITH FUNCTION"),
        ("EXECUTE nope", errors.NotFoundError, "Prepared statement not found: nope"),
    ],
)
def test_what_is_no_statement_here_is_refused(lake: Lake, statement: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        lake(statement)


@pytest.mark.parametrize(
    ("statement", "kind", "name"),
    [
        ("-- first\n(SELECT 1);", "DML", "SELECT"),
        ("VALUES 1", "DML", "SELECT"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "DML", "SELECT"),
        ("INSERT INTO t SELECT 1", "DML", "INSERT"),
        ("CREATE TABLE t AS SELECT 1 AS a", "DDL", "CREATE_TABLE_AS_SELECT"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS a", "DDL", "CREATE_VIEW"),
        ("SHOW TABLES", "UTILITY", "SHOW_TABLES"),
        ("DESC t", "UTILITY", "DESCRIBE_TABLE"),
    ],
)
def test_statements_have_athenas_kinds(lake: Lake, statement: str, kind: str, name: str) -> None:
    found = lake.engine.parse(statement, Session())
    assert (found.type, found.substatement) == (kind, name)


def test_prepared_statements_are_kept_bound_and_forgotten(lake: Lake) -> None:
    kept: dict[str, str] = {}
    lake("PREPARE pick FROM SELECT x FROM (VALUES (1, 'a'), (2, 'b')) AS v(x, y) WHERE y = ? AND x > ?", prepared=kept)
    assert lake.rows("EXECUTE pick USING 'b', 1", prepared=kept) == [(2,)]
    with pytest.raises(errors.InvalidParameterUsageError, match="expected 2 but found 1"):
        lake("EXECUTE pick USING 'b'", prepared=kept)
    lake("DEALLOCATE PREPARE pick", prepared=kept)
    assert kept == {}
