"""CREATE TABLE AS, INSERT INTO and UNLOAD: the files, what Glue then knows, and what is refused."""

import gzip
from typing import Any

import pyarrow.parquet as pq
import pytest

from local.athena import errors
from local.athena.ctas import ColumnOrderMismatchError

Lake = Any


def codec(lake: Lake, uri: str) -> str:
    kind: str = pq.ParquetFile(lake.store.path(uri)).metadata.row_group(0).column(0).compression
    return kind


def test_ctas_writes_gzip_parquet_below_the_output_and_registers_the_table(lake: Lake) -> None:
    done = lake("CREATE TABLE t AS SELECT 1 AS id, 'x' AS name, CAST(1.5 AS decimal(10,2)) AS price", query_id="q1")
    (file,) = lake.files("s3://results/tables/q1/")
    assert codec(lake, file) == "GZIP"
    assert done.update_count == 1
    assert done.manifest == "s3://results/tables/q1-manifest.csv"
    assert lake.store.read(done.manifest).decode().split() == [file]
    assert lake.rows("SELECT * FROM t")[0][:2] == (1, "x")
    described = [(column["Name"], column["Type"]) for column in lake.table("t")["StorageDescriptor"]["Columns"]]
    assert described == [("id", "int"), ("name", "varchar(1)"), ("price", "decimal(10,2)")]


def test_ctas_partitions_are_folders_and_registered(lake: Lake) -> None:
    lake(
        "CREATE TABLE t WITH (external_location = 's3://lake/t/', partitioned_by = ARRAY['day', 'n'],"
        " write_compression = 'SNAPPY') AS SELECT * FROM"
        " (VALUES (1, 'a b', 1), (2, 'c', 2), (3, NULL, 2)) AS v(id, day, n)"
    )
    files = lake.files("s3://lake/t/")
    assert [file.rsplit("/", 1)[0] for file in files] == [
        "s3://lake/t/day=__HIVE_DEFAULT_PARTITION__/n=2",
        "s3://lake/t/day=a b/n=1",
        "s3://lake/t/day=c/n=2",
    ]
    assert codec(lake, files[0]) == "SNAPPY"
    assert lake("SHOW PARTITIONS t").lines == ["day=__HIVE_DEFAULT_PARTITION__/n=2", "day=a b/n=1", "day=c/n=2"]
    assert lake.rows("SELECT id, day, n FROM t ORDER BY id") == [(1, "a b", 1), (2, "c", 2), (3, None, 2)]


def test_ctas_refuses_what_athena_refuses(lake: Lake) -> None:
    lake("CREATE TABLE t AS SELECT 1 AS id")
    with pytest.raises(errors.TableAlreadyExistsError, match=r"'awsdatacatalog\.db\.t' already exists"):
        lake("CREATE TABLE t AS SELECT 1 AS id")
    assert lake("CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS id").update_count == 0
    lake.store.write("s3://lake/full/_old", b"x")
    with pytest.raises(errors.PathAlreadyExistsError, match="already exists: s3://lake/full"):
        lake("CREATE TABLE u WITH (external_location = 's3://lake/full') AS SELECT 1 AS id")
    with pytest.raises(errors.NotSupportedError, match="enforces a centralized output location"):
        lake("CREATE TABLE u WITH (external_location = 's3://lake/u/') AS SELECT 1 AS id", enforced=True)
    with pytest.raises(ColumnOrderMismatchError, match=r"last columns .* \[day\]"):
        lake("CREATE TABLE u WITH (partitioned_by = ARRAY['day']) AS SELECT 'x' AS day, 1 AS id")
    with pytest.raises(errors.MissingColumnNameError, match="position 2"):
        lake("CREATE TABLE u AS SELECT 1 AS id, 2")
    with pytest.raises(errors.InvalidTablePropertyError, match="'colour' does not exist"):
        lake("CREATE TABLE u WITH (colour = 'red') AS SELECT 1 AS id")
    for properties in ("format = 'ORC'", "bucketed_by = ARRAY['id'], bucket_count = 2", "table_type = 'ICEBERG'"):
        with pytest.raises(errors.NotSupportedError):
            lake(f"CREATE TABLE u WITH ({properties}) AS SELECT 1 AS id")
    with pytest.raises(errors.NotSupportedError, match="Unsupported Hive type: timestamp"):
        lake("CREATE TABLE u AS SELECT current_timestamp AS now")
    assert lake("SHOW TABLES").lines == ["t"]


def test_more_than_100_partitions_are_too_many(lake: Lake) -> None:
    rows = ", ".join(f"({n}, {n})" for n in range(101))
    query = f"SELECT * FROM (VALUES {rows}) AS v(id, p)"  # noqa: S608 (our own rows)
    properties = "external_location = 's3://lake/{}/', partitioned_by = ARRAY['p']"
    statement = f"CREATE TABLE {{}} WITH ({properties}) AS {query}"
    with pytest.raises(errors.TooManyOpenPartitionsError, match="100 open writers"):
        lake(statement.format("t", "t"))
    assert lake.files("s3://lake/t/") == []
    with pytest.raises(errors.TooManyOpenPartitionsError, match="100 open writers"):
        lake(statement.format("u", "u"), orphans=True)
    assert len(lake.files("s3://lake/u/")) == 100
    assert lake("SHOW TABLES").lines == []


def test_a_failing_ctas_leaves_orphans_only_when_asked(lake: Lake) -> None:
    lake("CREATE EXTERNAL TABLE n (x bigint) STORED AS PARQUET LOCATION 's3://lake/n/'")
    lake.put("s3://lake/n/f", {"x": [*range(1, 1_000_000), 0]})
    statement = "CREATE TABLE t WITH (external_location = 's3://lake/{}/') AS SELECT 1 / x AS y FROM n"
    with pytest.raises(errors.DivisionByZeroError):
        lake(statement.format("clean"))
    with pytest.raises(errors.DivisionByZeroError):
        lake(statement.format("dirty"), orphans=True)
    assert lake.files("s3://lake/clean/") == []
    assert lake.files("s3://lake/dirty/")
    assert lake("SHOW TABLES").lines == ["n"]


def test_text_and_json_are_written_as_they_are_read(lake: Lake) -> None:
    rows = "SELECT * FROM (VALUES (1, 'a', TIMESTAMP '2026-01-02 03:04:05.678'), (2, NULL, NULL)) AS v(id, name, at)"
    text = "format = 'TEXTFILE', field_delimiter = '|', external_location = 's3://lake/t/'"
    lake(f"CREATE TABLE t WITH ({text}) AS {rows}")
    lake(f"CREATE TABLE j WITH (format = 'JSON', external_location = 's3://lake/j/') AS {rows}")
    (file,) = lake.files("s3://lake/t/")
    assert file.endswith(".gz")
    assert gzip.decompress(lake.store.read(file)) == b"1|a|2026-01-02 03:04:05.678\n2|\\N|\\N\n"
    assert lake.rows("SELECT * FROM t ORDER BY id") == lake.rows("SELECT * FROM j ORDER BY id")
    assert lake.rows("SELECT name, at IS NULL FROM j ORDER BY id") == [("a", False), (None, True)]


def test_with_no_data_makes_the_table_only(lake: Lake) -> None:
    lake("CREATE TABLE t AS SELECT 1 AS id WITH NO DATA", query_id="q1")
    assert lake.files("s3://results/tables/q1/") == []
    assert lake.rows("SELECT id FROM t") == []


def test_insert_adds_files_in_the_partitions_places_and_registers_new_ones(lake: Lake) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (id bigint, note string) PARTITIONED BY (day string) STORED AS PARQUET LOCATION 's3://lake/t/'"
    )
    lake("ALTER TABLE t ADD PARTITION (day='1') LOCATION 's3://lake/elsewhere/'")
    done = lake("INSERT INTO t VALUES (1, 'x', '1'), (2, NULL, '2')")
    assert done.update_count == 2
    assert [file.rsplit("/", 1)[0] for file in lake.files("s3://lake/")] == ["s3://lake/elsewhere", "s3://lake/t/day=2"]
    lake("INSERT INTO t (day, id) SELECT day, id + 10 FROM t")
    assert lake.rows("SELECT * FROM t ORDER BY id") == [(1, "x", "1"), (2, None, "2"), (11, None, "1"), (12, None, "2")]


def test_insert_refuses_other_types_and_unknown_columns(lake: Lake) -> None:
    lake("CREATE EXTERNAL TABLE t (id int, note string) STORED AS PARQUET LOCATION 's3://lake/t/'")
    for values in ("'x', 'y'", "1", "1, 2"):
        with pytest.raises(errors.TypeMismatchError, match=r"mismatched column types: Table: \[integer, varchar\]"):
            lake(f"INSERT INTO t VALUES ({values})")  # noqa: S608 (our own values)
    with pytest.raises(errors.QuerySyntaxError, match="does not exist in target table: nope"):
        lake("INSERT INTO t (nope) VALUES (1)")
    with pytest.raises(errors.TableNotFoundError, match=r"'awsdatacatalog\.db\.u' does not exist"):
        lake("INSERT INTO u VALUES (1)")
    lake("CREATE VIEW v AS SELECT 1 AS id")
    with pytest.raises(errors.NotSupportedError, match="views"):
        lake("INSERT INTO v VALUES (1)")


def test_unload_writes_files_and_no_table(lake: Lake) -> None:
    lake(
        "UNLOAD (SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, p)) TO 's3://lake/out/'"
        " WITH (format = 'PARQUET', compression = 'ZSTD', partitioned_by = ARRAY['p'])"
    )
    files = lake.files("s3://lake/out/")
    assert [file.rsplit("/", 1)[0] for file in files] == ["s3://lake/out/p=a", "s3://lake/out/p=b"]
    assert codec(lake, files[0]) == "ZSTD"
    assert lake("SHOW TABLES").lines == []
    with pytest.raises(errors.PathAlreadyExistsError):
        lake("UNLOAD (SELECT 1 AS id) TO 's3://lake/out/' WITH (format = 'PARQUET')")
    with pytest.raises(errors.InvalidTablePropertyError, match="'format' is required"):
        lake("UNLOAD (SELECT 1 AS id) TO 's3://lake/other/' WITH (compression = 'ZSTD')")


def test_a_backslash_is_itself_in_queries_and_escapes_in_hives_ddl(lake: Lake) -> None:
    lake(r"UNLOAD (SELECT 'a\' AS x, ')' AS y) TO 's3://lake/out/' WITH (format = 'JSON', compression = 'NONE');")
    (file,) = lake.files("s3://lake/out/")
    assert lake.store.read(file) == b'{"x":"a\\\\","y":")"}\n'
    rows = r"ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t'"
    lake(rf"CREATE EXTERNAL TABLE t (a int) COMMENT 'it\'s' {rows} LOCATION 's3://b/t'")
    table = lake.table("t")
    assert table["Parameters"]["comment"] == "it's"
    assert table["StorageDescriptor"]["SerdeInfo"]["Parameters"]["field.delim"] == "\t"


def test_a_table_with_escapes_is_not_written(lake: Lake) -> None:
    lake("CREATE EXTERNAL TABLE t (a string) ROW FORMAT DELIMITED ESCAPED BY '~' LOCATION 's3://lake/escaped/'")
    with pytest.raises(errors.NotSupportedError, match="ESCAPED BY"):
        lake("INSERT INTO t VALUES ('a')")


def test_insert_stores_what_fits(lake: Lake) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (i int, v varchar(2), d decimal(3,1), f float)"
        " STORED AS PARQUET LOCATION 's3://lake/t/'"
    )
    lake("INSERT INTO t VALUES (BIGINT '5', 'ab   ', 1.25, 2)")
    lake("INSERT INTO t (i, v) VALUES (2.5E0, NULL)")
    assert lake.rows("SELECT i, v, CAST(d AS varchar), f FROM t ORDER BY i") == [
        (3, None, None, None),
        (5, "ab", "1.3", 2.0),
    ]
    with pytest.raises(errors.NumericValueOutOfRangeError):
        lake("INSERT INTO t (i) VALUES (3000000000)")
    with pytest.raises(errors.InvalidCastArgumentError) as error:
        lake("INSERT INTO t (v) VALUES ('abc')")
    assert error.value.message == (
        "Cannot truncate non-space characters when casting from varchar(3) to varchar(2) on INSERT"
    )
    with pytest.raises(errors.QuerySyntaxError, match="specified more than once: i"):
        lake("INSERT INTO t (i, i) VALUES (1, 2)")


def test_a_property_stands_once(lake: Lake) -> None:
    with pytest.raises(errors.DuplicatePropertyError, match="Duplicate property: format"):
        lake("UNLOAD (SELECT 1 AS a) TO 's3://lake/u/' WITH (format = 'JSON', format = 'PARQUET')")


def test_texts_hold_numbers_as_java_prints_them(lake: Lake) -> None:
    text = "format = 'TEXTFILE', field_delimiter = '|', external_location = 's3://lake/t/', write_compression = 'NONE'"
    lake(f"CREATE TABLE t WITH ({text}) AS SELECT 1E10 AS a, 0.5E0 AS b, REAL '1.5' AS c, CAST(NULL AS double) AS d")
    (file,) = lake.files("s3://lake/t/")
    assert lake.store.read(file) == b"1.0E10|0.5|1.5|\\N\n"
    assert lake.rows("SELECT * FROM t") == [(1e10, 0.5, 1.5, None)]


@pytest.mark.parametrize(
    ("kind", "value"), [("TEXTFILE", "ARRAY[1]"), ("TEXTFILE", "X'01'"), ("JSON", "X'01'"), ("JSON", "ARRAY[X'01']")]
)
def test_what_texts_cannot_hold_here_is_refused(lake: Lake, kind: str, value: str) -> None:
    with pytest.raises(errors.NotSupportedError, match=r"Column 'a' of type .* write it as PARQUET"):
        lake(f"CREATE TABLE t WITH (format = '{kind}', external_location = 's3://lake/t/') AS SELECT {value} AS a")
    assert lake.files("s3://lake/t/") == []


def test_a_location_is_of_s3(lake: Lake) -> None:
    with pytest.raises(errors.InvalidTablePropertyError, match="is not an S3 address"):
        lake("UNLOAD (SELECT 1 AS a) TO '/tmp/x' WITH (format = 'JSON')")
    with pytest.raises(errors.InvalidTablePropertyError, match="is not an S3 address"):
        lake("CREATE TABLE t WITH (external_location = '/tmp/x') AS SELECT 1 AS a")


def test_numbers_in_lines_of_text_are_written_as_java_writes_them(lake: Lake) -> None:
    lake(
        "CREATE TABLE t WITH (format = 'TEXTFILE', field_delimiter = '|', external_location = 's3://lake/t/')"
        " AS SELECT 0.05 AS rate, -0.5 AS other, 1e16 AS big, 1e-5 AS small, CAST(NULL AS decimal(2,2)) AS none"
    )
    (file,) = lake.files("s3://lake/t/")
    assert gzip.decompress(lake.store.read(file)).decode() == "0.05|-0.5|1.0E16|1.0E-5|\\N\n"
