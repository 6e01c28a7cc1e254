"""Names, quotes, reserved words and parameters: what Athena takes where, and what it refuses."""

from typing import Any

import pytest

from local.athena.errors import DdlFailedError, InvalidParameterUsageError, NotSupportedError, QuerySyntaxError

TEXT = "STORED AS TEXTFILE LOCATION 's3://data/t/'"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE EXTERNAL TABLE t (date string)",
        "CREATE EXTERNAL TABLE t (id int) PARTITIONED BY (user string)",
        "CREATE EXTERNAL TABLE table (id int)",
        "CREATE EXTERNAL TABLE _t (id int)",
        'CREATE EXTERNAL TABLE "t" (id int)',
    ],
)
def test_reserved_words_in_ddl_need_backquotes(lake: Any, sql: str) -> None:
    with pytest.raises(QuerySyntaxError, match="mismatched input"):
        lake(f"{sql} {TEXT}")


def test_backquoted_names_may_be_reserved(lake: Any) -> None:
    lake(f"CREATE EXTERNAL TABLE `partition` (`date` int, `_x` string) PARTITIONED BY (`user` string) {TEXT}")
    lake("ALTER TABLE `partition` ADD PARTITION (`user` = 'a')")
    assert lake("SHOW PARTITIONS `partition`").lines == ["user=a"]


def test_what_show_create_table_writes_makes_the_same_table(lake: Any) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (a int COMMENT 'it''s', b struct<x:int,y:array<string>>, c decimal, d char(3))"
        " COMMENT 'c' PARTITIONED BY (p string COMMENT 'pp')"
        r" ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' ESCAPED BY '\\' LOCATION 's3://data/t'"
        " TBLPROPERTIES ('skip.header.line.count'='1')"
    )
    statement = "\n".join(lake("SHOW CREATE TABLE t").lines)
    lake("DROP TABLE t")
    lake(statement)
    assert "\n".join(lake("SHOW CREATE TABLE t").lines) == statement


def test_a_quote_may_be_escaped_in_double_quotes(lake: Any) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (a string) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
        r""" WITH SERDEPROPERTIES ("separatorChar" = ",", "quoteChar" = "\"", "escapeChar" = "\\") """ + TEXT
    )
    parameters = lake.table("t")["StorageDescriptor"]["SerdeInfo"]["Parameters"]
    assert parameters == {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\\"}


def test_databases_have_properties(lake: Any) -> None:
    lake("ALTER DATABASE db SET DBPROPERTIES ('creator'='John Doe', 'department'='applied mathematics')")
    lake("ALTER SCHEMA db SET DBPROPERTIES ('creator'='Jane')")
    parameters = lake.glue.get_database(Name="db")["Database"]["Parameters"]
    assert parameters == {"creator": "Jane", "department": "applied mathematics"}
    with pytest.raises(DdlFailedError, match="Database does not exist: nope"):
        lake("ALTER DATABASE nope SET DBPROPERTIES ('a'='b')")


def test_columns_are_replaced(lake: Any) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a int, b int) PARTITIONED BY (p string) {TEXT}")
    lake("ALTER TABLE t REPLACE COLUMNS (a string)")
    assert [each["Name"] for each in lake.table("t")["StorageDescriptor"]["Columns"]] == ["a"]
    with pytest.raises(DdlFailedError, match="Duplicate column name: p"):
        lake("ALTER TABLE t REPLACE COLUMNS (a string, p string)")


def test_partitions_are_named_and_placed_as_hive_escapes_them(lake: Any) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (p string) {TEXT}")
    lake("ALTER TABLE t ADD PARTITION (p = 'a:b/c é [1]')")
    assert lake("SHOW PARTITIONS t").lines == ["p=a%3Ab%2Fc é %5B1%5D"]
    (found,) = lake.glue.get_partitions(DatabaseName="db", TableName="t")["Partitions"]
    assert found["Values"] == ["a:b/c é [1]"]
    assert found["StorageDescriptor"]["Location"] == "s3://data/t/p=a%3Ab%2Fc é %5B1%5D/"


def test_repair_leaves_folders_that_are_not_in_lower_case(lake: Any) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (userid string) {TEXT}")
    lake.store.write("s3://data/t/userId=1/f", b"1\n")
    lake.store.write("s3://data/t/userid=a%3Ab/f", b"2\n")
    lake("MSCK REPAIR TABLE t")
    assert lake("SHOW PARTITIONS t").lines == ["userid=a%3Ab"]
    assert lake.rows("SELECT * FROM t") == [(2, "a:b")]


@pytest.mark.parametrize("sql", ["SELECT ? AS a", "SELECT 1 AS a LIMIT ?", "CREATE TABLE t AS SELECT ? AS a"])
def test_parameters_stand_in_where_only(lake: Any, sql: str) -> None:
    with pytest.raises(NotSupportedError, match="WHERE clause only"):
        lake(sql, parameters=("1",))


@pytest.mark.parametrize(
    ("sql", "parameters", "message"),
    [
        ("SELECT 1 AS a WHERE 1 = ?", (), "expected 1 but found 0"),
        ("SELECT 1 AS a WHERE 1 = ?", ("1", "2"), "expected 1 but found 2"),
        ("SELECT 1 AS a", ("1",), "expected 0 but found 1"),
        ("SHOW TABLES", ("1",), "expected 0 but found 1"),
    ],
)
def test_as_many_parameters_as_question_marks(lake: Any, sql: str, parameters: Any, message: str) -> None:
    with pytest.raises(InvalidParameterUsageError, match=message):
        lake(sql, parameters=parameters)


def test_a_view_has_no_parameters(lake: Any) -> None:
    with pytest.raises(NotSupportedError, match="A view has no parameters"):
        lake("CREATE VIEW v AS SELECT 1 AS a WHERE 1 = ?", parameters=("1",))
