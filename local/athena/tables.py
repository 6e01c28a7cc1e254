"""A catalog as the compiler sees it: tables with Trino's types, views with their texts, and tables about tables."""

from dataclasses import dataclass

from local.athena import system, types, views
from local.athena.catalog import Catalog
from local.athena.compiler import scope
from local.athena.errors import CatalogNotFoundError, SchemaNotFoundError
from local.athena.scan import PATH
from local.athena.session import CATALOG


@dataclass(frozen=True)
class Tables:
    """What queries over `source` may read."""

    source: Catalog

    def resolve(self, catalog: str, database: str, name: str) -> scope.Table | scope.View | None:
        """The table or view, or None.

        Raises:
            CatalogNotFoundError: only Glue's own catalog is here.
            SchemaNotFoundError: the database is not there.
            InvalidMetadataError: a column's type in Glue is none that Athena knows.
            InvalidViewError: a view's text is not as Athena writes it.
        """
        if catalog.lower() != CATALOG:
            raise CatalogNotFoundError(f"Catalog '{catalog}' not found")
        if found := system.resolve(self.source, database, name):
            return found
        table = self.source.table(database, name)
        if not table:
            if database != system.SCHEMA and not self.source.database(database):
                raise SchemaNotFoundError(f"Schema '{database}' does not exist")
            return None
        if table.is_view:
            return views.decode(table)
        keys = frozenset(key.name.lower() for key in table.partition_keys)
        return scope.Table(CATALOG, database, name, views.typed_columns(table), keys, ((PATH, types.VARCHAR),))
