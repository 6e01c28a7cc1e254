"""Tables and views of the catalog as the compiler is told of them."""

import base64
import json
from typing import Any

import pytest

from local.athena import types
from local.athena.catalog import VIEW, Column, Table
from local.athena.compiler.scope import View
from local.athena.errors import (
    CatalogNotFoundError,
    InvalidMetadataError,
    InvalidViewError,
    QueryError,
    SchemaNotFoundError,
)
from local.athena.names import Names

STORED = {
    "originalSql": "SELECT 1 x",
    "catalog": "awsdatacatalog",
    "schema": "shop",
    "columns": [{"name": "x", "type": "integer"}],
}


class Shop:
    """A catalog of one database."""

    def __init__(self, *tables: Table) -> None:
        self._tables = {table.name: table for table in tables}

    def database(self, name: str) -> str | None:
        return name if name == "shop" else None

    def table(self, database: str, name: str) -> Table | None:
        return self._tables.get(name) if database == "shop" else None


def names(*tables: Table) -> Names:
    return Names(Shop(*tables))  # type: ignore[arg-type]


def view(text: str) -> Table:
    return Table("shop", "v", (), type=VIEW, view_text=text)


def presto(stored: Any) -> str:
    return f"/* Presto View: {base64.b64encode(json.dumps(stored).encode()).decode()} */"


def test_a_table_has_trinos_types_and_its_keys_last() -> None:
    columns = (Column("id", "int"), Column("tags", "array<string>"))
    table = names(Table("shop", "sales", columns, (Column("day", "string"),))).resolve(
        "awsdatacatalog", "shop", "sales"
    )

    assert table is not None
    assert table.columns == (("id", types.INTEGER), ("tags", types.array(types.VARCHAR)), ("day", types.VARCHAR))


def test_a_view_knows_its_text_and_the_columns_it_promised() -> None:
    found = names(view(presto(STORED))).resolve("awsdatacatalog", "shop", "v")

    assert isinstance(found, View)
    assert (found.text, found.text_database, found.columns) == ("SELECT 1 x", "shop", (("x", types.INTEGER),))


@pytest.mark.parametrize(
    ("known", "address", "error"),
    [
        ((), ("other", "shop", "sales"), CatalogNotFoundError),
        ((), ("awsdatacatalog", "nowhere", "sales"), SchemaNotFoundError),
        ((Table("shop", "t", (Column("x", "union"),)),), ("awsdatacatalog", "shop", "t"), InvalidMetadataError),
        ((view("SELECT 1"),), ("awsdatacatalog", "shop", "v"), InvalidViewError),
        ((view(presto({"columns": []})),), ("awsdatacatalog", "shop", "v"), InvalidViewError),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_an_error(
    known: tuple[Table, ...], address: tuple[str, str, str], error: type[QueryError]
) -> None:
    with pytest.raises(error):
        names(*known).resolve(*address)


def test_a_table_that_is_not_there_is_none() -> None:
    assert names().resolve("awsdatacatalog", "shop", "nobody") is None
