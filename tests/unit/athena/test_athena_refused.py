"""What docs/fidelity.md says is refused by name is: one statement for each."""

from typing import Any

import pytest

from local.athena.errors import NotSupportedError

Lake = Any
REGEX = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'"
STATEMENTS = [
    "EXPLAIN SELECT 1",
    "MERGE INTO t USING t AS s ON t.a = s.a WHEN MATCHED THEN DELETE",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "OPTIMIZE t REWRITE DATA USING BIN_PACK",
    "VACUUM t",
    "USING EXTERNAL FUNCTION f(x INT) RETURNS INT LAMBDA 'f' SELECT f(1)",
    "CREATE TABLE u (a int) LOCATION 's3://b/u/' TBLPROPERTIES ('table_type' = 'ICEBERG')",
    "CREATE TABLE u WITH (bucketed_by = ARRAY['a'], bucket_count = 2) AS SELECT 1 AS a",
    "CREATE TABLE u WITH (format = 'ORC') AS SELECT 1 AS a",
    "CREATE TABLE u WITH (write_compression = 'LZ4') AS SELECT 1 AS a",
    "CREATE EXTERNAL TABLE u (a int) CLUSTERED BY (a) INTO 2 BUCKETS LOCATION 's3://b/u/'",
    "CREATE EXTERNAL TABLE u (a int) STORED AS ORC LOCATION 's3://b/u/'",
    f"CREATE EXTERNAL TABLE u (a int) {REGEX} LOCATION 's3://b/u/'",
    "CREATE EXTERNAL TABLE u (a int) LOCATION 's3://b/u/' TBLPROPERTIES ('projection.enabled' = 'true')",
    "ALTER TABLE t CHANGE a b int",
    "DESCRIBE FORMATTED t",
    "DESCRIBE EXTENDED t",
    "DESCRIBE INPUT p",
    "SHOW FUNCTIONS",
    "WITH FUNCTION f(x int) RETURNS int RETURN x SELECT f(1)",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
    "SELECT * FROM t MATCH_RECOGNIZE (MEASURES A.a AS x PATTERN (A) DEFINE A AS true)",
    "SELECT * FROM t TABLESAMPLE BERNOULLI (50)",
    "SELECT * FROM TABLE(sequence(1, 3))",
    "SELECT TIMESTAMP '2020-01-01 00:00:00.123456'",
    "SELECT UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'",
    "SELECT ST_Point(1, 2)",
    "SELECT approx_set(1)",
    "SELECT json_value('{}', 'lax $.a')",
    "SELECT date_format(TIMESTAMP '2020-01-01 00:00:00', x) FROM (VALUES '%Y') AS v(x)",
    "SELECT regexp_like('a', '[a-z&&[^b]]')",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_it_is_refused_by_name(lake: Lake, statement: str) -> None:
    lake("CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://lake/t/'")
    with pytest.raises(NotSupportedError):
        lake(statement)
