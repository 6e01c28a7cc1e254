"""Athena's usual clients, unchanged, against the local AWS: awswrangler and PyAthena."""

import datetime
import functools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import awswrangler as wr
import boto3
import pandas as pd
import pyathena
import pytest
import sqlalchemy
from pyarrow import fs
from pyathena.arrow.cursor import ArrowCursor
from pyathena.async_cursor import AsyncCursor
from pyathena.cursor import DictCursor
from pyathena.error import OperationalError
from pyathena.pandas.cursor import PandasCursor
from sqlalchemy import orm

from local import aws

pytestmark = [
    pytest.mark.e2e,
    # Their own affairs: pandas and SQLAlchemy tell these clients of things to come.
    pytest.mark.filterwarnings("default"),
]

BUCKET = "athena-clients"
DATABASE = "athena_clients"
OUTPUT = f"s3://{BUCKET}/results/"
TYPED = """
    SELECT id, name, price, at, sold, amount, tags
    FROM (VALUES
        (1, 'apple', DECIMAL '1.50', TIMESTAMP '2026-01-01 10:00:00.123', DATE '2026-01-01', 0.5e0, ARRAY['a', 'b']),
        (2, CAST(NULL AS varchar), DECIMAL '2.25', NULL, NULL, NULL, NULL)
    ) AS t(id, name, price, at, sold, amount, tags)
    ORDER BY id
"""


@pytest.fixture(autouse=True)
def environment(cloud: aws.Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients find the local AWS as every SDK does: by the environment."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="module")
def lake(cloud: aws.Endpoint) -> None:
    """A partitioned table, written by awswrangler as our pipelines' readers know it."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    cloud.client("glue").create_database(DatabaseInput={"Name": DATABASE})


@pytest.fixture
def sales(lake: None) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"id": [1, 2, 3], "name": ["apple", None, "fig"], "day": ["2026-01-01", "2026-01-01", "2026-01-02"]}
    )
    wr.s3.to_parquet(
        frame,
        path=f"s3://{BUCKET}/sales/",
        dataset=True,
        database=DATABASE,
        table="sales",
        partition_cols=["day"],
        mode="overwrite",
    )
    return frame


# awswrangler


@pytest.mark.parametrize(
    "approach", [{"ctas_approach": True}, {"ctas_approach": False}, {"ctas_approach": False, "unload_approach": True}]
)
def test_awswrangler_reads_a_query(sales: pd.DataFrame, approach: dict[str, bool]) -> None:
    if "unload_approach" in approach:
        approach = approach | {"s3_output": f"s3://{BUCKET}/unloaded/"}  # type: ignore[dict-item]

    frame = wr.athena.read_sql_query(
        "SELECT id, name, day FROM sales ORDER BY id", database=DATABASE, **{"s3_output": OUTPUT} | approach
    )

    found = frame.sort_values("id").to_dict("records")
    assert [(row["id"], row["day"]) for row in found] == [(1, "2026-01-01"), (2, "2026-01-01"), (3, "2026-01-02")]
    assert [row["name"] for row in found if not pd.isna(row["name"])] == ["apple", "fig"]
    assert frame.query_metadata["Status"]["State"] == "SUCCEEDED"


def test_awswrangler_keeps_types(lake: None) -> None:
    frame = wr.athena.read_sql_query(TYPED, database=DATABASE, ctas_approach=False, s3_output=OUTPUT)

    first, second = frame.to_dict("records")
    assert (first["id"], first["name"], first["price"], first["amount"]) == (1, "apple", Decimal("1.50"), 0.5)
    assert first["at"] == pd.Timestamp("2026-01-01 10:00:00.123")
    assert first["sold"] == datetime.date(2026, 1, 1)
    assert pd.isna(second["name"])


def test_awswrangler_reads_in_chunks_and_binds_parameters(sales: pd.DataFrame) -> None:
    chunks = wr.athena.read_sql_query(
        "SELECT id FROM sales WHERE day = :day",
        database=DATABASE,
        ctas_approach=False,
        s3_output=OUTPUT,
        chunksize=1,
        params={"day": "2026-01-01"},
    )
    bound = wr.athena.read_sql_query(
        "SELECT id FROM sales WHERE day = ?",
        database=DATABASE,
        ctas_approach=False,
        s3_output=OUTPUT,
        params=["'2026-01-02'"],
        paramstyle="qmark",
    )

    assert [len(chunk) for chunk in chunks] == [1, 1]
    assert list(bound["id"]) == [3]


def test_awswrangler_adds_columns_and_rows_to_a_table(lake: None) -> None:
    place = {"path": f"s3://{BUCKET}/grown/", "dataset": True, "database": DATABASE, "table": "grown"}
    frame = pd.DataFrame({"id": [1, 2], "day": ["a", "b"]})
    wr.s3.to_parquet(frame, **place, partition_cols=["day"], mode="overwrite")
    wr.s3.to_parquet(frame.assign(extra=1.5), **place, partition_cols=["day"], mode="append", schema_evolution=True)

    read = wr.athena.read_sql_query(
        "SELECT day, count(*) AS n, sum(extra) AS extra FROM grown GROUP BY day ORDER BY day",
        database=DATABASE,
        ctas_approach=False,
        s3_output=OUTPUT,
    )

    assert read.to_dict("records") == [{"day": "a", "n": 2, "extra": 1.5}, {"day": "b", "n": 2, "extra": 1.5}]


def test_awswrangler_writes_csv_that_athena_reads(lake: None) -> None:
    frame = pd.DataFrame({"id": [1, 2], "name": ["apple", "fig"]})
    place = {"path": f"s3://{BUCKET}/csv/", "dataset": True, "database": DATABASE, "table": "csv"}
    wr.s3.to_csv(frame, **place, index=False, mode="overwrite")

    read = wr.athena.read_sql_table("csv", database=DATABASE, ctas_approach=False, s3_output=OUTPUT)

    assert sorted(read["name"]) == ["apple", "fig"]


def test_awswrangler_makes_a_table_of_a_query_and_unloads_one(sales: pd.DataFrame) -> None:
    made = wr.athena.create_ctas_table(
        "SELECT id, day FROM sales",
        database=DATABASE,
        ctas_table="made",
        s3_output=f"s3://{BUCKET}/made/",
        partitioning_info=["day"],
        wait=True,
    )
    unloaded = wr.athena.unload("SELECT id FROM sales", path=f"s3://{BUCKET}/unloaded_too/", database=DATABASE)

    assert made["ctas_query_metadata"].raw_payload["Status"]["State"] == "SUCCEEDED"
    partitions = wr.catalog.get_parquet_partitions(DATABASE, "made")
    assert sorted(partitions.values()) == [["2026-01-01"], ["2026-01-02"]]
    files = wr.s3.read_csv(unloaded.manifest_location, header=None)[0].tolist()
    assert sorted(wr.s3.read_parquet(files)["id"]) == [1, 2, 3]


def test_awswrangler_sees_the_catalog(sales: pd.DataFrame) -> None:
    assert wr.catalog.does_table_exist(DATABASE, "sales")
    assert DATABASE in list(wr.catalog.databases()["Database"])
    assert "sales" in list(wr.catalog.tables(database=DATABASE)["Table"])
    assert wr.catalog.get_table_types(DATABASE, "sales") == {"id": "bigint", "name": "string", "day": "string"}
    assert wr.catalog.get_table_location(DATABASE, "sales") == f"s3://{BUCKET}/sales/"
    statement = wr.athena.show_create_table("sales", database=DATABASE, s3_output=OUTPUT)
    assert statement.startswith(f"CREATE EXTERNAL TABLE `{DATABASE}.sales`")


def test_awswrangler_prepares_a_statement_and_reuses_a_result(sales: pd.DataFrame) -> None:
    wr.athena.create_prepared_statement("SELECT id FROM sales WHERE day = ?", "of_day")
    asked = {"database": DATABASE, "ctas_approach": False, "s3_output": OUTPUT}

    first, second = (
        wr.athena.read_sql_query(
            "EXECUTE of_day USING '2026-01-02'", **asked, athena_cache_settings={"max_cache_seconds": 900}
        )
        for _ in range(2)
    )

    assert list(first["id"]) == list(second["id"]) == [3]
    wr.athena.delete_prepared_statement("of_day")
    assert wr.athena.list_prepared_statements() == []


def test_awswrangler_raises_what_athena_says(sales: pd.DataFrame) -> None:
    with pytest.raises(wr.exceptions.QueryFailed, match="Column 'nobody' cannot be resolved"):
        wr.athena.read_sql_query("SELECT nobody FROM sales", database=DATABASE, ctas_approach=False, s3_output=OUTPUT)


def test_awswrangler_repairs_and_describes_a_table(sales: pd.DataFrame) -> None:
    wr.athena.repair_table("sales", database=DATABASE, s3_output=OUTPUT)

    described = wr.athena.describe_table("sales", database=DATABASE, s3_output=OUTPUT)

    assert list(described["Column Name"]) == ["id", "name", "day"]
    assert list(described["Partition"]) == [False, False, True]


# PyAthena


@pytest.fixture
def arrow(cloud: aws.Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow's S3, by which the arrow cursor reads, knows no AWS_ENDPOINT_URL and no AWS_CA_BUNDLE: it is told.

    https://github.com/apache/arrow/issues/49643, and the arguments of
    https://arrow.apache.org/docs/python/generated/pyarrow.fs.S3FileSystem.html.
    """
    at = functools.partial(fs.S3FileSystem, endpoint_override=cloud.url, tls_ca_file_path=str(cloud.ca_bundle))
    monkeypatch.setattr(fs, "S3FileSystem", at)


@pytest.fixture
def connection(sales: pd.DataFrame) -> Iterator[Any]:
    with pyathena.connect(s3_staging_dir=OUTPUT, region_name=aws.REGION, schema_name=DATABASE) as opened:
        yield opened


def test_pyathenas_cursor_converts_values(connection: Any) -> None:
    cursor = connection.cursor()

    rows = cursor.execute(TYPED).fetchall()

    at, sold = pd.Timestamp("2026-01-01 10:00:00.123").to_pydatetime(), datetime.date(2026, 1, 1)
    assert rows[0][:6] == (1, "apple", Decimal("1.50"), at, sold, 0.5)
    assert rows[1] == (2, None, Decimal("2.25"), None, None, None, None)
    assert [column[0] for column in cursor.description] == ["id", "name", "price", "at", "sold", "amount", "tags"]


def test_pyathena_binds_parameters_on_both_sides(connection: Any) -> None:
    formatted = connection.cursor().execute("SELECT id FROM sales WHERE day = %(day)s", {"day": "2026-01-02"})
    bound = connection.cursor(DictCursor).execute(
        "SELECT id FROM sales WHERE day = ?", ["'2026-01-01'"], paramstyle="qmark"
    )

    assert formatted.fetchall() == [(3,)]
    assert sorted(row["id"] for row in bound.fetchall()) == [1, 2]


def test_pyathenas_pandas_and_arrow_cursors_read_the_result(connection: Any, arrow: None) -> None:
    sql = "SELECT id, name FROM sales ORDER BY id"

    frame = connection.cursor(PandasCursor).execute(sql).as_pandas()
    table = connection.cursor(ArrowCursor).execute(sql).as_arrow()

    assert list(frame["id"]) == table.column("id").to_pylist() == [1, 2, 3]
    assert [name or None for name in table.column("name").to_pylist()] == ["apple", None, "fig"]


def test_pyathena_unloads(connection: Any, arrow: None) -> None:
    table = connection.cursor(ArrowCursor, unload=True).execute("SELECT id, day FROM sales").as_arrow()

    assert sorted(table.column("id").to_pylist()) == [1, 2, 3]


def test_pyathena_raises_what_athena_says(connection: Any) -> None:
    with pytest.raises(OperationalError, match=r"Table 'awsdatacatalog.athena_clients\.nobody' does not exist"):
        connection.cursor().execute("SELECT 1 FROM nobody")


def test_pyathenas_dictionaries_come_in_order(connection: Any) -> None:
    rows = connection.cursor(DictCursor).execute("SELECT id, name FROM sales ORDER BY id DESC").fetchmany(2)

    assert rows == [{"id": 3, "name": "fig"}, {"id": 2, "name": None}]


def test_pyathenas_pandas_cursor_reads_chunks_and_unloaded_rows(connection: Any) -> None:
    sql = "SELECT x FROM UNNEST(sequence(1, 25)) AS t(x)"

    chunks = connection.cursor(PandasCursor).execute(sql, chunksize=10).as_pandas()
    unloaded = connection.cursor(PandasCursor, unload=True).execute(sql).as_pandas()

    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert sorted(unloaded["x"]) == list(range(1, 26))


def test_pyathenas_async_cursor_runs_queries_at_once(connection: Any) -> None:
    cursor = connection.cursor(AsyncCursor)

    started = [cursor.execute(f"SELECT {number} AS n")[1] for number in range(5)]

    assert [future.result().fetchall() for future in started] == [[(number,)] for number in range(5)]
    cursor.close()


def test_pyathena_cancels(connection: Any) -> None:
    cursor = connection.cursor(AsyncCursor)
    endless = ", ".join(f"UNNEST(sequence(1, 10000)) AS t{n}(x{n})" for n in range(4))
    identifier, future = cursor.execute(f"SELECT count(*) FROM {endless}")  # noqa: S608 (our own)

    cursor.cancel(identifier).result()

    assert future.result().state == "CANCELLED"
    cursor.close()


def test_pyathena_lists_databases_and_tables(connection: Any) -> None:
    cursor = connection.cursor()

    assert DATABASE in [database.name for database in cursor.list_databases(None)]
    assert "sales" in [table.name for table in cursor.list_table_metadata(schema_name=DATABASE)]
    assert [column.name for column in cursor.get_table_metadata("sales").partition_keys] == ["day"]


def test_pyathena_reuses_a_result(connection: Any) -> None:
    cursor, sql = connection.cursor(), f"SELECT '{uuid4()}' AS once"

    reused = [cursor.execute(sql, result_reuse_enable=True).reused_previous_result for _ in range(2)]

    assert reused == [False, True]


# SQLAlchemy


@pytest.fixture
def engine(sales: pd.DataFrame) -> Iterator[sqlalchemy.Engine]:
    made = sqlalchemy.create_engine(
        f"awsathena+rest://@athena.{aws.REGION}.amazonaws.com:443/{DATABASE}?s3_staging_dir={OUTPUT}"
    )
    yield made
    made.dispose()


def test_sqlalchemy_reflects_and_asks(engine: sqlalchemy.Engine) -> None:
    table = sqlalchemy.Table("sales", sqlalchemy.MetaData(), autoload_with=engine)

    with engine.connect() as connection:
        query = sqlalchemy.select(table.c.id, sqlalchemy.func.upper(table.c.name)).where(table.c.day == "2026-01-02")
        rows = connection.execute(query).fetchall()
        text = connection.execute(sqlalchemy.text("SELECT :word AS word"), {"word": "it's"}).scalar()

    assert [tuple(row) for row in rows] == [(3, "FIG")]
    assert text == "it's"


def test_sqlalchemy_inspects(engine: sqlalchemy.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE OR REPLACE VIEW seen AS SELECT 1 AS one"))
    inspected = sqlalchemy.inspect(engine)

    assert DATABASE in inspected.get_schema_names()
    assert "sales" in inspected.get_table_names()
    assert inspected.get_view_names() == ["seen"]
    assert "SELECT 1 AS one" in inspected.get_view_definition("seen")
    columns = {column["name"]: str(column["type"]) for column in inspected.get_columns("sales")}
    assert columns == {"id": "BIGINT", "name": "VARCHAR", "day": "VARCHAR"}
    assert (inspected.has_table("sales"), inspected.has_table("nobody")) == (True, False)


def test_sqlalchemys_mapped_classes_are_asked(engine: sqlalchemy.Engine) -> None:
    class Base(orm.DeclarativeBase):
        pass

    class Sale(Base):
        __tablename__ = "sales"
        id: orm.Mapped[int] = orm.mapped_column(sqlalchemy.BigInteger, primary_key=True)
        name: orm.Mapped[str]
        day: orm.Mapped[str]

    counted = sqlalchemy.func.count().label("n")
    with orm.Session(engine) as session:
        days = session.execute(
            sqlalchemy.select(Sale.day, counted).where(Sale.id.in_([1, 2, 3])).group_by(Sale.day).order_by(Sale.day)
        )
        fig = session.scalars(sqlalchemy.select(Sale).where(Sale.name == "fig").limit(1)).one()

    assert [tuple(row) for row in days] == [("2026-01-01", 2), ("2026-01-02", 1)]
    assert (fig.id, fig.day) == (3, "2026-01-02")


def test_sqlalchemy_makes_fills_and_drops_a_table(engine: sqlalchemy.Engine) -> None:
    metadata = sqlalchemy.MetaData()
    table = sqlalchemy.Table(
        "made_by_metadata",
        metadata,
        sqlalchemy.Column("id", sqlalchemy.Integer),
        sqlalchemy.Column("price", sqlalchemy.Numeric(10, 2)),
        sqlalchemy.Column("at", sqlalchemy.TIMESTAMP),
        awsathena_location=f"s3://{BUCKET}/made_by_metadata/",
        awsathena_file_format="PARQUET",
    )
    row = (1, Decimal("1.50"), pd.Timestamp("2026-01-01 10:00:00").to_pydatetime())

    metadata.create_all(engine)
    with engine.connect() as connection:
        connection.execute(table.insert().values(row))
        found = connection.execute(sqlalchemy.select(table)).fetchall()
    metadata.drop_all(engine)

    assert [tuple(each) for each in found] == [row]
    assert not sqlalchemy.inspect(engine).has_table("made_by_metadata")


def test_pandas_reads_and_writes_by_sqlalchemy(engine: sqlalchemy.Engine) -> None:
    place = f"&location=s3://{BUCKET}/by_pandas/&file_format=PARQUET"
    writer = sqlalchemy.create_engine(f"{engine.url}{place}")

    pd.DataFrame({"a": [1, 2]}).to_sql("by_pandas", writer, index=False)
    read = pd.read_sql("SELECT a FROM by_pandas ORDER BY a", engine)

    writer.dispose()
    assert list(read["a"]) == [1, 2]
