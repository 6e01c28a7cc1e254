"""What names mean to the compiler: tables and views of the catalog with Trino's types."""

import base64
import json

from local.athena import catalog, types
from local.athena.compiler.scope import Table, View
from local.athena.errors import CatalogNotFoundError, InvalidMetadataError, InvalidViewError, SchemaNotFoundError
from local.athena.session import CATALOG

_OPENING, _CLOSING = "/* Presto View: ", " */"


class Names:
    """The compiler's view of a catalog; it remembers the tables that were asked for."""

    def __init__(self, known: catalog.Catalog) -> None:
        self._catalog = known
        self._tables: dict[tuple[str, str], catalog.Table | None] = {}

    def table(self, database: str, name: str) -> catalog.Table | None:
        """The catalog's table or view, looked up once in a statement."""
        if (database, name) not in self._tables:
            self._tables[database, name] = self._catalog.table(database, name)
        return self._tables[database, name]

    def resolve(self, catalog_name: str, database: str, name: str) -> Table | View | None:
        """The table or view with its columns' types, or None.

        Raises:
            CatalogNotFoundError: only Glue's own catalog is here.
            SchemaNotFoundError: the database is not there.
            InvalidMetadataError: a column's type in Glue is none that Athena knows.
            InvalidViewError: a view's text is not as Athena writes it.
        """
        if catalog_name != CATALOG:
            raise CatalogNotFoundError(f"Catalog '{catalog_name}' not found")
        found = self.table(database, name)
        if found is None:
            if self._catalog.database(database) is None:
                raise SchemaNotFoundError(f"Schema '{database}' does not exist")
            return None
        return _view(found) if found.is_view else _table(found)


def _table(found: catalog.Table) -> Table:
    return Table(
        catalog=CATALOG,
        database=found.database,
        name=found.name,
        columns=tuple(
            (column.name, _type(column.type, f"{found.database}.{found.name}")) for column in found.all_columns
        ),
        partition_keys=frozenset(key.name for key in found.partition_keys),
    )


def _type(text: str, table: str) -> types.Type:
    try:
        return types.parse_hive(text)
    except ValueError as error:
        raise InvalidMetadataError(f"{error} in table {table}") from error


def _view(found: catalog.Table) -> View:
    try:
        if not found.view_text.startswith(_OPENING):
            raise ValueError("it is no Presto view")  # noqa: TRY301 (one way to say so)
        stored = json.loads(base64.b64decode(found.view_text.removeprefix(_OPENING).removesuffix(_CLOSING)))
        return View(
            catalog=CATALOG,
            database=found.database,
            name=found.name,
            text=stored["originalSql"],
            columns=tuple((column["name"], types.parse_type(column["type"])) for column in stored["columns"]),
            text_catalog=(stored.get("catalog") or CATALOG).lower(),
            text_database=(stored.get("schema") or found.database).lower(),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidViewError(f"View '{found.database}.{found.name}' cannot be read: {error}") from error
