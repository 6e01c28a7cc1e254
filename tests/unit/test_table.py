"""Glue, Athena's DDL and Arrow agree on every table, because all three come from the contract."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
import sqlglot
from awswrangler._data_types import athena2pyarrow, pyarrow2athena
from moto import mock_aws
from nightlake.core.column_type import PLAIN
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.table import Table, arrow_schema, ddl, empty_location, table_input, tables
from sqlglot import exp

ROOT = Path(__file__).resolve().parents[2]
EVERY_TYPE = (
    *PLAIN,
    "decimal(38,18)",
    "array<decimal(5,2)>",
    "map<string,bigint>",
    "struct<a:int,b:array<struct<c:date>>>",
)
EVERYTHING = Dataset(
    name="everything",
    description="It's \\ all\nhere",
    columns=(
        Column(name="id", type="bigint", required=True, description="The ' key"),
        *(Column(name=f"column_{number}", type=kind) for number, kind in enumerate(EVERY_TYPE)),
        Column(name="_secret", type="string", private=True),
    ),
    primary_key=("id",),
)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    (sales,) = (pipeline for pipeline in load_pipelines(ROOT / "pipelines") if pipeline.name == "sales")
    return sales.model_copy(update={"datasets": (*sales.datasets, EVERYTHING)})


@pytest.fixture(scope="module")
def published(pipeline: Pipeline) -> list[tuple[Table, dict[str, Any]]]:
    found = [table for dataset in pipeline.datasets for table in tables(dataset)]
    return [(table, table_input(table, empty_location("lake-bucket", pipeline, table))) for table in found]


def test_private_columns_have_a_table_of_their_own(pipeline: Pipeline) -> None:
    names = {
        table.name: [column.name for column in table.columns]
        for dataset in pipeline.datasets
        for table in tables(dataset)
    }
    assert list(names) == [
        "transactions",
        "products",
        "customers",
        "customers_private",
        "everything",
        "everything_private",
    ]
    of_run = ["_run_id", "_loaded_at", "_source", "_position"]
    assert names["customers_private"] == ["customer_id", "income", "marital_status", *of_run]
    assert {"income", "marital_status"}.isdisjoint(names["customers"])
    assert names["customers"][:2] == ["customer_id", "age"]


def test_glue_tables_are_partitioned_by_text_and_point_at_nothing(
    published: list[tuple[Table, dict[str, Any]]],
) -> None:
    for table, found in published:
        assert found["Name"] == table.name
        assert found["PartitionKeys"] == [{"Name": key, "Type": "string"} for key in ("year", "month", "day")]
        assert found["StorageDescriptor"]["Location"] == f"s3://lake-bucket/empty/sales/{table.name}/"
        assert found["TableType"] == "EXTERNAL_TABLE"


@mock_aws
def test_glue_keeps_the_columns(published: list[tuple[Table, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    glue = boto3.client("glue", region_name="eu-central-1")
    glue.create_database(DatabaseInput={"Name": "served"})
    for table, found in published:
        glue.create_table(DatabaseName="served", TableInput=found)
        stored = glue.get_table(DatabaseName="served", Name=table.name)["Table"]
        assert stored["StorageDescriptor"]["Columns"] == found["StorageDescriptor"]["Columns"]


def test_the_ddl_says_what_glue_says(pipeline: Pipeline, published: list[tuple[Table, dict[str, Any]]]) -> None:
    for table, found in published:
        tree = sqlglot.parse_one(ddl(table, empty_location("lake-bucket", pipeline, table)), dialect="athena")
        assert isinstance(tree, exp.Create)
        assert isinstance(tree.this, exp.Schema)
        columns = [
            {"Name": column.name, "Type": hive(column.kind), "Comment": comment(column)}
            for column in tree.this.expressions
            if isinstance(column, exp.ColumnDef)
        ]
        keys = tree.find(exp.PartitionedByProperty)
        location = tree.find(exp.LocationProperty)
        about = tree.find(exp.SchemaCommentProperty)
        assert tree.this.this.name == found["Name"]
        assert columns == found["StorageDescriptor"]["Columns"]
        assert keys is not None
        assert [{"Name": key.name, "Type": hive(key.kind)} for key in keys.this.expressions] == found["PartitionKeys"]
        assert location is not None
        assert location.this.name == found["StorageDescriptor"]["Location"]
        assert (about.this.name if about else "") == found["Description"]


def hive(kind: Any) -> str:
    """A parsed type in Glue's spelling: lower case, no blanks, a colon after a field's name."""
    text = kind.sql(dialect="hive").lower()
    return text.replace(": ", ":").replace(", ", ",")


def comment(column: exp.ColumnDef) -> str:
    found = column.find(exp.CommentColumnConstraint)
    return found.this.name if found else ""


def test_the_arrow_schema_is_the_one_awswrangler_would_read(published: list[tuple[Table, dict[str, Any]]]) -> None:
    for table, found in published:
        schema = arrow_schema(table)
        glue_columns = found["StorageDescriptor"]["Columns"]
        assert [(field.name, pyarrow2athena(field.type)) for field in schema] == [
            (column["Name"], column["Type"]) for column in glue_columns
        ]
        for field, column in zip(schema, glue_columns, strict=True):
            if column["Type"] != "timestamp" and "map" not in column["Type"]:
                assert athena2pyarrow(column["Type"]) == field.type


def test_timestamps_are_utc_milliseconds_and_money_is_exact(pipeline: Pipeline) -> None:
    schema = arrow_schema(tables(pipeline.datasets[0])[0])
    assert schema.field("sold_at").type == pa.timestamp("ms")
    assert schema.field("sales_value").type == pa.decimal128(12, 2)


def test_long_and_odd_descriptions_fit_into_glue() -> None:
    odd = Dataset(name="odd", columns=(Column(name="a", type="int", description="é\n\x07" * 200),))
    text = ddl(tables(odd)[0], "s3://lake/empty/")
    (found,) = [
        column for column in sqlglot.parse_one(text, dialect="athena").find_all(exp.ColumnDef) if column.name == "a"
    ]
    assert len(comment(found)) == 255
    assert comment(found).isprintable()


def test_the_committed_statements_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "sql/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
