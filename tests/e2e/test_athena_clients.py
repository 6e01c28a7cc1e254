"""Athena's usual clients, unchanged, against the local AWS: awswrangler and PyAthena."""

import datetime
import functools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import awswrangler as wr
import boto3
import pandas as pd
import pyathena
import pytest
import sqlalchemy
from pyarrow import fs
from pyathena.arrow.cursor import ArrowCursor
from pyathena.cursor import DictCursor
from pyathena.error import OperationalError
from pyathena.pandas.cursor import PandasCursor

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
    """pyarrow's S3, by which the arrow cursor reads, knows no AWS_ENDPOINT_URL and no AWS_CA_BUNDLE: it is told."""
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


def test_sqlalchemy_reflects_and_asks(cloud: aws.Endpoint, sales: pd.DataFrame) -> None:
    engine = sqlalchemy.create_engine(
        f"awsathena+rest://@athena.{aws.REGION}.amazonaws.com:443/{DATABASE}?s3_staging_dir={OUTPUT}"
    )
    table = sqlalchemy.Table("sales", sqlalchemy.MetaData(), autoload_with=engine)

    with engine.connect() as connection:
        query = sqlalchemy.select(table.c.id, sqlalchemy.func.upper(table.c.name)).where(table.c.day == "2026-01-02")
        rows = connection.execute(query).fetchall()
        names = sqlalchemy.inspect(connection).get_table_names()
    engine.dispose()

    assert [tuple(row) for row in rows] == [(3, "FIG")]
    assert "sales" in names
    assert [column.name for column in table.columns] == ["id", "name", "day"]
