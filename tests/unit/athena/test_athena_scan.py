"""A table's rows: which objects are read, and as which columns."""

import gzip
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.athena import errors
from local.athena.text import csv_splitter, split_csv

Lake = Any
PARQUET = "STORED AS PARQUET LOCATION 's3://lake/t/'"


def test_only_registered_partitions_are_read_each_from_its_own_location(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (id int) PARTITIONED BY (day string) {PARQUET}")
    lake.put("s3://lake/t/day=1/f", {"id": pa.array([1], pa.int32())})
    lake.put("s3://elsewhere/x/f", {"id": pa.array([2], pa.int32())})
    lake.put("s3://lake/t/day=3/f", {"id": pa.array([3], pa.int32())})
    lake("ALTER TABLE t ADD PARTITION (day='1') PARTITION (day='2') LOCATION 's3://elsewhere/x/'")
    assert lake.rows("SELECT id, day FROM t ORDER BY id") == [(1, "1"), (2, "2")]
    assert lake.rows("SELECT id FROM t WHERE day = '2'") == [(2,)]


def test_pruned_partitions_are_not_opened_nor_counted(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (id int) PARTITIONED BY (day string) {PARQUET}")
    for day in ("1", "2"):
        lake.put(f"s3://lake/t/day={day}/f", {"id": pa.array(range(1000), pa.int32())})
    lake("MSCK REPAIR TABLE t")
    whole = lake("SELECT sum(id) FROM t").scanned_bytes
    lake.store.write("s3://lake/t/day=1/f", b"not parquet")
    pruned = lake("SELECT sum(id) FROM t WHERE day > '1'")
    assert pruned.table.to_pylist() == [{"_col0": 499500}]
    assert 0 < pruned.scanned_bytes == whole / 2
    with pytest.raises(errors.CannotOpenSplitError, match="not a valid Parquet file"):
        lake("SELECT sum(id) FROM t")


def test_typed_partition_keys_and_the_default_partition(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (id int) PARTITIONED BY (n int) {PARQUET}")
    for value in ("10", "9", "__HIVE_DEFAULT_PARTITION__"):
        lake.put(f"s3://lake/t/n={value}/f", {"id": pa.array([1], pa.int32())})
    lake("MSCK REPAIR TABLE t")
    assert lake.rows("SELECT n FROM t ORDER BY n") == [(9,), (10,), (None,)]
    assert lake.rows("SELECT n FROM t WHERE n < 10") == [(9,)]
    lake("ALTER TABLE t ADD PARTITION (n='x') LOCATION 's3://lake/t/n=9/'")
    with pytest.raises(errors.InvalidPartitionValueError, match="'x' for integer partition key: n"):
        lake("SELECT n FROM t")


def test_columns_are_found_by_name_and_later_ones_are_null_in_old_files(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a int, b string, c double) {PARQUET}")
    lake.put("s3://lake/t/old", {"B": ["x"], "a": pa.array([1], pa.int32()), "gone": [True]})
    lake.put("s3://lake/t/new", {"c": [1.5], "b": ["y"], "a": pa.array([2], pa.int32())})
    assert lake.rows("SELECT * FROM t ORDER BY a") == [(1, "x", None), (2, "y", 1.5)]


def test_hidden_and_empty_objects_are_skipped_and_folders_are_read(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a int) {PARQUET}")
    for name in ("seen", "deep/er/seen"):
        lake.put(f"s3://lake/t/{name}", {"a": pa.array([1], pa.int32())})
    for name in ("_hidden", ".hidden", "_tmp/hidden"):
        lake.store.write(f"s3://lake/t/{name}", b"hidden")
    lake.store.write("s3://lake/t/empty", b"")
    lake.store.write("s3://lake/tother/f", b"another table")
    assert lake.rows("SELECT count(*) FROM t") == [(2,)]


def test_columns_by_their_place_are_refused(lake: Lake) -> None:
    by_place = "WITH SERDEPROPERTIES ('parquet.column.index.access' = 'true')"
    serde = "ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'"
    lake(f"CREATE EXTERNAL TABLE t (a int) {serde} {by_place} {PARQUET}")
    with pytest.raises(errors.NotSupportedError, match=r"parquet\.column\.index\.access"):
        lake("SELECT a FROM t")


def test_a_missing_location_is_empty(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a int, b string) {PARQUET}")
    assert lake.rows("SELECT * FROM t") == []
    assert lake.rows("SELECT count(*), sum(a) FROM t") == [(0, None)]


@pytest.mark.parametrize(
    ("kind", "held", "read"),
    [
        ("bigint", pa.array([1], pa.int32()), 1),
        ("double", pa.array([1.5], pa.float32()), 1.5),
        ("decimal(12,3)", pa.array([Decimal("1.25")], pa.decimal128(10, 2)), Decimal("1.250")),
        ("string", pa.array([b"x"], pa.binary()), "x"),
        ("varchar(2)", pa.array(["xyz"]), "xy"),
        ("timestamp", pa.array([1_500], pa.timestamp("us")), datetime(1970, 1, 1, 0, 0, 0, 2000)),  # noqa: DTZ001
        ("array<int>", pa.array([[1, None]], pa.list_(pa.int32())), [1, None]),
        ("struct<a:bigint,b:string>", pa.array([{"a": 1}], pa.struct([("a", pa.int32())])), {"a": 1, "b": None}),
        ("map<string,double>", pa.array([[("k", 1.5)]], pa.map_(pa.string(), pa.float32())), [("k", 1.5)]),
        ("date", pa.array([date(2026, 1, 2)]), date(2026, 1, 2)),
    ],
)
def test_parquet_types_that_trino_reads(lake: Lake, kind: str, held: pa.Array, read: object) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a {kind}) {PARQUET}")
    lake.put("s3://lake/t/f", {"a": held})
    assert lake.rows("SELECT a FROM t") == [(read,)]


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("int", pa.array([1], pa.int64())),
        ("bigint", pa.array(["1"])),
        ("string", pa.array([1], pa.int32())),
        ("float", pa.array([1.5])),
        ("decimal(10,1)", pa.array([Decimal("1.25")], pa.decimal128(10, 2))),
        ("date", pa.array([1], pa.timestamp("ms"))),
        ("array<int>", pa.array([1], pa.int32())),
    ],
)
def test_parquet_types_that_do_not_fit_are_bad_data_only_when_read(lake: Lake, kind: str, held: pa.Array) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a {kind}, b int) {PARQUET}")
    lake.put("s3://lake/t/f", {"a": held, "b": pa.array([7], pa.int32())})
    with pytest.raises(
        errors.BadDataError, match=r"Field a's type .* incompatible with type .* defined in table schema"
    ):
        lake("SELECT a FROM t")
    assert lake.rows("SELECT b FROM t") == [(7,)]


def test_scanned_bytes_are_those_of_the_columns_read(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a bigint, b string) {PARQUET}")
    lake.put("s3://lake/t/f", {"a": list(range(10_000)), "b": [f"text {n}" for n in range(10_000)]})
    one, other = (lake(f"SELECT max({column}) FROM t").scanned_bytes for column in "ab")  # noqa: S608
    assert one
    assert other
    assert lake("SELECT max(a), max(b) FROM t").scanned_bytes == one + other
    assert lake("SELECT count(*) FROM t").scanned_bytes == 0


def test_lazy_simple_serde_knows_no_quotes_and_gives_null_for_no_number(lake: Lake) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (a int, b string, c double, d date) ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
        " LOCATION 's3://lake/t/' TBLPROPERTIES ('skip.header.line.count'='1')"
    )
    body = 'a,b,c,d\n1,"x",1.5,2026-01-02\n\nnone,\\N,x,nodate,more\n3\n'
    lake.store.write("s3://lake/t/f.csv.gz", gzip.compress(body.encode()))
    assert lake.rows("SELECT * FROM t") == [
        (1, '"x"', 1.5, date(2026, 1, 2)),
        (None, None, None, None),
        (None, None, None, None),
        (3, None, None, None),
    ]
    assert lake("SELECT count(*) FROM t").scanned_bytes == len(gzip.compress(body.encode()))


def test_open_csv_serde_reads_quotes_escapes_days_and_milliseconds(lake: Lake) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (a string, b int, c date, d timestamp)"
        " ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
        " WITH SERDEPROPERTIES ('separatorChar'=';') LOCATION 's3://lake/t/'"
    )
    lake.store.write("s3://lake/t/f", b'"a;""b""";1;1;1500\n"x\\"y";2;0;0;extra\nplain;"3"\n')
    assert lake.rows("SELECT * FROM t") == [
        ('a;"b"', 1, date(1970, 1, 2), datetime(1970, 1, 1, 0, 0, 1, 500000)),  # noqa: DTZ001
        ('x"y', 2, date(1970, 1, 1), datetime(1970, 1, 1)),  # noqa: DTZ001
        ("plain", 3, None, None),
    ]
    lake.store.write("s3://lake/t/g", b"x;;1;1\n")
    with pytest.raises(errors.BadDataError, match="Error parsing field value '' for field 1"):
        lake("SELECT b FROM t")


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a,b", ["a", "b"]),
        ('"a,b",c', ["a,b", "c"]),
        ('"a""b"', ['a"b']),
        (r'"a\"b","\\"', ['a"b', "\\"]),
        (r"a\b", ["ab"]),
        ("", [""]),
        ("a,", ["a", ""]),
    ],
)
def test_a_line_is_split_as_opencsv_splits_it(line: str, fields: list[str]) -> None:
    assert split_csv(line, ",", '"', "\\") == fields


@settings(max_examples=1000, deadline=None)
@given(
    line=st.text("ab ,\"\\|'\n", min_size=1),
    marks=st.sampled_from([(",", '"', "\\"), ("|", "'", "\\"), (",", '"', ",")]),
)
def test_the_quick_way_to_split_csv_is_the_slow_one(line: str, marks: tuple[str, str, str]) -> None:
    assert csv_splitter(*marks)(line) == split_csv(line, *marks)


def test_json_serde_reads_members_in_any_case_and_nested_values(lake: Lake) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (id bigint, name string, price decimal(30,2), tags array<string>,"
        " at struct<x:int,y:string>) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://lake/t/'"
    )
    lines = (
        '{"ID": 1, "name": "a", "price": 1234567890123456789012345678.10, "tags": ["x"], "at": {"X": 7}}',
        '{"name": {"b": 1.50}, "extra": 1}',
    )
    lake.store.write("s3://lake/t/f.json", "\n".join(lines).encode())
    assert lake.rows("SELECT * FROM t") == [
        (1, "a", Decimal("1234567890123456789012345678.10"), ["x"], {"x": 7, "y": None}),
        (None, '{"b":1.50}', None, None, None),
    ]
    lake.store.write("s3://lake/t/g.json", b'{"id": "one"}')
    with pytest.raises(errors.BadDataError, match="'one' for field 0"):
        lake("SELECT id FROM t")


def test_what_is_not_read_is_refused_by_name(lake: Lake) -> None:
    for clause in ("STORED AS ORC", "STORED AS AVRO", "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'"):
        with pytest.raises(errors.NotSupportedError, match=r"ORC|AVRO|RegexSerDe"):
            lake(f"CREATE EXTERNAL TABLE t (a int) {clause} LOCATION 's3://lake/t/'")
    lake("CREATE EXTERNAL TABLE t (a int) LOCATION 's3://lake/t/'")
    lake.store.write("s3://lake/t/f.bz2", b"x")
    with pytest.raises(errors.NotSupportedError, match=r"f\.bz2"):
        lake("SELECT a FROM t")


def test_a_partition_of_text_with_other_types_is_a_mismatch(lake: Lake) -> None:
    lake("CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (d string) LOCATION 's3://lake/t/'")
    lake("ALTER TABLE t ADD PARTITION (d='1')")
    table = lake.table("t")
    table["StorageDescriptor"]["Columns"][0]["Type"] = "string"
    kept = {key: table[key] for key in ("Name", "TableType", "PartitionKeys", "StorageDescriptor", "Parameters")}
    lake.glue.update_table(DatabaseName="db", TableInput=kept)
    with pytest.raises(errors.PartitionSchemaMismatchError, match=r"column 'a' in table 'db\.t' is declared as type"):
        lake("SELECT a FROM t")


def test_lazy_numbers_dates_and_times_are_read_as_trino_reads_them(lake: Lake) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (n tinyint, i int, d date, ts timestamp, x double) ROW FORMAT DELIMITED"
        " FIELDS TERMINATED BY ',' LOCATION 's3://lake/t/'"
    )
    rows = [
        "1.9,-3.,2026-01-02,2026-01-02 03:04:05.678901,1e3",
        ".5,+4,2026-1-2,2026-1-2 3:4:5,-.5",
        "300,x, ,2026-01-02T03:04:05,",
        ".,1.x,2026-01,2026-01-02,1d",
    ]
    lake.store.write("s3://lake/t/f", "\n".join(rows).encode())
    day, second = date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001
    assert lake.rows("SELECT * FROM t") == [
        (1, -3, day, second.replace(microsecond=679_000), 1000.0),
        (0, 4, day, second, -0.5),
        (None, None, None, None, None),
        (0, None, None, None, None),
    ]


def test_lazy_dates_roll_over_and_odd_ones_are_refused(lake: Lake) -> None:
    lake("CREATE EXTERNAL TABLE t (d date) LOCATION 's3://lake/t/'")
    lake.store.write("s3://lake/t/f", b"2026-02-31\n")
    assert lake.rows("SELECT d FROM t") == [(date(2026, 3, 3),)]
    lake.store.write("s3://lake/t/f", b"2026-13-01\n")
    with pytest.raises(errors.NotSupportedError, match="The date 2026-13-01 is not supported"):
        lake("SELECT d FROM t")


def test_columns_that_no_query_reads_may_be_of_any_type(lake: Lake) -> None:
    lake(
        "CREATE EXTERNAL TABLE t (a string, l array<int>) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'"
        " LOCATION 's3://lake/t/'"
    )
    lake.store.write("s3://lake/t/f", b"x|1,2\n")
    assert lake.rows("SELECT a FROM t") == [("x",)]
    with pytest.raises(errors.NotSupportedError, match=r"array\(integer\) in text files"):
        lake("SELECT l FROM t")


OPEN_CSV = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://lake/t/'"


def test_open_csv_has_no_line_breaks_in_fields(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a string, b string, c string) {OPEN_CSV}")
    lake.store.write("s3://lake/t/f", b'1,"more\nlines",5\n\n2,b,6\n')
    nothing = (None, None, None)
    assert lake.rows("SELECT * FROM t") == [("1", None, None), nothing, nothing, ("2", "b", "6")]


def test_open_csv_says_which_value_is_no_number_or_makes_it_null(lake: Lake) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a string, n int, d date) {OPEN_CSV}")
    lake(f"CREATE EXTERNAL TABLE lenient (a string, n int, d date) {OPEN_CSV}"
         " TBLPROPERTIES ('use.null.for.invalid.data'='true')")  # fmt: skip
    lake.store.write("s3://lake/t/f", b"x,,18276\n")
    with pytest.raises(errors.BadDataError) as error:
        lake("SELECT * FROM t")
    assert str(error.value) == "HIVE_BAD_DATA: Error parsing field value '' for field 1: For input string: \"\""
    assert lake.rows("SELECT * FROM lenient") == [("x", None, date(2020, 1, 15))]


def test_a_line_that_is_no_json_fails_whatever_is_read_of_it(lake: Lake) -> None:
    serde = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
    lake(f"CREATE EXTERNAL TABLE t (id int, n array<int>) {serde} LOCATION 's3://lake/t/'")
    lake(
        f"CREATE EXTERNAL TABLE lenient (id int) {serde} WITH SERDEPROPERTIES ('ignore.malformed.json'='true')"
        " LOCATION 's3://lake/t/'"
    )
    lake.store.write("s3://lake/t/f", b'{"id":1}\n{"id":\n\nno object\n')
    for sql in ("SELECT id FROM t", "SELECT count(*) FROM t"):
        with pytest.raises(errors.CursorError, match="Row is not a valid JSON Object - JSONException"):
            lake(sql)
    assert lake.rows("SELECT id FROM lenient") == [(1,), (None,), (None,), (None,)]
    lake.store.write("s3://lake/t/f", b'{"id":1,"n":"x"}\n\nno object\n')
    assert lake.rows("SELECT id FROM t") == [(1,), (None,), (None,)]
    with pytest.raises(errors.BadDataError, match="'x' is no value of array"):
        lake("SELECT n FROM t")


@pytest.mark.parametrize("kind", ["STORED AS PARQUET", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"])
def test_the_path_of_a_row_is_a_column_that_a_query_names(lake: Lake, kind: str) -> None:
    lake(f"CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (p string) {kind} LOCATION 's3://lake/t/'")
    assert lake.rows('SELECT a, "$path" FROM t') == []
    for file in ("p=1/f", "p=1/g", "p=2/f"):
        if "PARQUET" in kind:
            lake.put(f"s3://lake/t/{file}", {"a": pa.array([1], pa.int32())})
        else:
            lake.store.write(f"s3://lake/t/{file}", b"1\n")
    lake("MSCK REPAIR TABLE t")
    assert lake.rows('SELECT DISTINCT "$path" FROM t ORDER BY 1') == [
        ("s3://lake/t/p=1/f",), ("s3://lake/t/p=1/g",), ("s3://lake/t/p=2/f",)
    ]  # fmt: skip
    assert lake.rows("""SELECT *, x."$PATH" FROM t AS x WHERE "$path" LIKE '%p=1/g'""") == [
        (1, "1", "s3://lake/t/p=1/g")
    ]
    assert lake.rows("""SELECT y.* FROM t AS x JOIN t AS y ON x."$path" = y."$path" WHERE x.p = '2'""") == [(1, "2")]
    lake('CREATE VIEW v AS SELECT a, "$path" AS file FROM t')
    assert lake.rows("SELECT count(DISTINCT file) FROM v") == [(3,)]
    assert lake.rows("SELECT * FROM t LIMIT 1") == [(1, "1")]
    with pytest.raises(errors.ColumnNotFoundError):
        lake('SELECT "$path" FROM v')
