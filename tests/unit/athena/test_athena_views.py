"""Views: stored in Glue as Athena stores them, with the columns that they had when they were made."""

import base64
import json
from typing import Any

import pytest

from local.athena import errors

Lake = Any


def test_a_view_is_stored_as_athena_stores_it(lake: Lake) -> None:
    lake("CREATE VIEW v AS\nSELECT 1 AS id, CAST('x' AS varchar) AS name, ARRAY[DATE '2026-01-01'] AS days")
    table = lake.table("v")
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
    assert table["ViewExpandedText"] == "/* Presto View */"
    text = table["ViewOriginalText"]
    assert text.startswith("/* Presto View: ")
    assert text.endswith(" */")
    assert json.loads(base64.b64decode(text[len("/* Presto View: ") : -len(" */")])) == {
        "originalSql": "SELECT 1 AS id, CAST('x' AS varchar) AS name, ARRAY[DATE '2026-01-01'] AS days",
        "catalog": "awsdatacatalog",
        "schema": "db",
        "columns": [
            {"name": "id", "type": "integer"},
            {"name": "name", "type": "varchar"},
            {"name": "days", "type": "array(date)"},
        ],
    }
    assert [column["Type"] for column in table["StorageDescriptor"]["Columns"]] == ["int", "string", "array<date>"]


def test_a_view_is_read_replaced_shown_and_dropped(lake: Lake) -> None:
    lake("CREATE VIEW v AS SELECT 1 AS id")
    assert lake.rows("SELECT id FROM v") == [(1,)]
    with pytest.raises(errors.AlreadyExistsError, match="View already exists"):
        lake("CREATE VIEW v AS SELECT 2 AS id")
    lake("CREATE OR REPLACE VIEW v AS SELECT id + 1 AS id\nFROM (VALUES 1) AS t(id)")
    assert lake.rows("SELECT id FROM v") == [(2,)]
    assert lake("SHOW CREATE VIEW v").lines == [
        "CREATE VIEW db.v AS ",
        "SELECT id + 1 AS id",
        "FROM (VALUES 1) AS t(id)",
    ]
    with pytest.raises(errors.DdlFailedError, match="use DROP VIEW"):
        lake("DROP TABLE v")
    lake("DROP VIEW v")
    with pytest.raises(errors.TableNotFoundError, match="does not exist"):
        lake("DROP VIEW v")
    lake("DROP VIEW IF EXISTS v")


def test_a_view_does_not_follow_its_tables_new_columns(lake: Lake) -> None:
    lake("CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://lake/t/'")
    lake.put("s3://lake/t/f", {"b": ["x"]})
    lake("CREATE VIEW v AS SELECT a FROM t")
    lake("ALTER TABLE t ADD COLUMNS (b string)")
    assert lake("SELECT * FROM v").table.column_names == ["a"]
    with pytest.raises(errors.AlreadyExistsError, match="Table already exists"):
        lake("CREATE OR REPLACE VIEW t AS SELECT 1 AS a")


def test_a_view_means_its_own_database(lake: Lake) -> None:
    lake("CREATE DATABASE other")
    lake("CREATE VIEW v AS SELECT 1 AS id")
    lake("CREATE VIEW w AS SELECT id FROM v")
    assert lake.rows("SELECT id FROM db.w", database="other") == [(1,)]


def test_what_is_no_view_of_athena_is_refused(lake: Lake) -> None:
    lake.glue.create_table(
        DatabaseName="db",
        TableInput={"Name": "v", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "SELECT 1", "PartitionKeys": []},
    )
    with pytest.raises(errors.InvalidViewError, match=r"'db\.v' cannot be read: it is not a Presto view"):
        lake("SELECT * FROM v")


def test_a_view_needs_names_for_its_columns(lake: Lake) -> None:
    with pytest.raises(errors.MissingColumnNameError, match="not specified at position 2"):
        lake("CREATE VIEW v AS SELECT 1 AS a, 2")
    with pytest.raises(errors.DuplicateColumnNameError, match="'a' specified more than once"):
        lake("CREATE VIEW v AS SELECT 1 AS a, 2 AS A")


def test_a_view_is_not_made_over_itself(lake: Lake) -> None:
    lake("CREATE VIEW one AS SELECT 1 AS a")
    lake("CREATE VIEW two AS SELECT a FROM one")
    with pytest.raises(errors.InvalidViewError, match=r"VIEW_IS_RECURSIVE: .* recursive view: awsdatacatalog\.db\.one"):
        lake("CREATE OR REPLACE VIEW one AS SELECT a FROM two")
    with pytest.raises(errors.ViewIsRecursiveError, match=r"recursive view: awsdatacatalog\.db\.one"):
        lake("CREATE OR REPLACE VIEW one AS SELECT a FROM one")
    assert lake.rows("SELECT a FROM two") == [(1,)]
