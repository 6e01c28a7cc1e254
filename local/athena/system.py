"""Tables that are about tables: `information_schema` and `"<table>$partitions"`, answered from the catalog.

Sources: Athena user guide, "Query the AWS Glue Data Catalog"; Trino documentation, "Hive connector", table properties;
io.trino.connector.informationschema.InformationSchemaTable.
"""

from collections.abc import Iterable, Sequence

from local.athena import views
from local.athena.catalog import Catalog, Database, Table
from local.athena.compiler import scope
from local.athena.scan import NULL_PARTITION
from local.athena.session import CATALOG
from local.athena.types import BIGINT, VARCHAR, Type, literal, parse_hive, quote, to_duckdb

SCHEMA = "information_schema"
_PARTITIONS = "$partitions"
_COLUMNS: dict[str, tuple[tuple[str, Type], ...]] = {
    "schemata": (("catalog_name", VARCHAR), ("schema_name", VARCHAR)),
    "tables": (
        ("table_catalog", VARCHAR),
        ("table_schema", VARCHAR),
        ("table_name", VARCHAR),
        ("table_type", VARCHAR),
    ),
    "views": (
        ("table_catalog", VARCHAR),
        ("table_schema", VARCHAR),
        ("table_name", VARCHAR),
        ("view_definition", VARCHAR),
    ),
    "columns": (
        ("table_catalog", VARCHAR),
        ("table_schema", VARCHAR),
        ("table_name", VARCHAR),
        ("column_name", VARCHAR),
        ("ordinal_position", BIGINT),
        ("column_default", VARCHAR),
        ("is_nullable", VARCHAR),
        ("data_type", VARCHAR),
    ),
}


def resolve(catalog: Catalog, database: str, name: str) -> scope.Table | None:
    """The system table of this name, or None."""
    if database == SCHEMA:
        return scope.Table(CATALOG, SCHEMA, name, _COLUMNS[name]) if name in _COLUMNS else None
    if not name.endswith(_PARTITIONS):
        return None
    table = catalog.table(database, name.removesuffix(_PARTITIONS))
    if table is None or table.is_view or not table.partition_keys:
        return None
    keys = tuple((key.name.lower(), parse_hive(key.type)) for key in table.partition_keys)
    return scope.Table(CATALOG, database, name, keys)


def rows(table: scope.Table, catalog: Catalog) -> str | None:
    """DuckDB SQL of a system table's rows, typed as its columns; None for a table that holds data."""
    if table.database == SCHEMA:
        return _select(table, _about(table.name, catalog))
    held = catalog.table(table.database, table.name.removesuffix(_PARTITIONS)) if _PARTITIONS in table.name else None
    if held is None:
        return None
    values = (each.values for each in catalog.partitions(held))
    return _select(table, ([None if text == NULL_PARTITION else text for text in texts] for texts in values))


def _about(name: str, catalog: Catalog) -> Iterable[Sequence[str | None]]:
    # Trino lists its own schema in every catalog, beside those that people made.
    databases = (*catalog.databases(), Database(SCHEMA))
    if name == "schemata":
        return [[CATALOG, database.name] for database in databases]
    tables = [table for database in databases[:-1] for table in catalog.tables(database.name)]
    if name == "tables":
        own = [[CATALOG, SCHEMA, table, "BASE TABLE"] for table in _COLUMNS]
        return [[CATALOG, each.database, each.name, "VIEW" if each.is_view else "BASE TABLE"] for each in tables] + own
    if name == "views":
        return [[CATALOG, each.database, each.name, views.decode(each).text] for each in tables if each.is_view]
    own_columns = [_column(SCHEMA, table, i, *column) for table in _COLUMNS for i, column in enumerate(_COLUMNS[table])]
    return [row for table in tables for row in _columns(table)] + own_columns


def _columns(table: Table) -> Iterable[list[str | None]]:
    typed = views.decode(table).columns if table.is_view else views.typed_columns(table)
    return (_column(table.database, table.name, position, name, kind) for position, (name, kind) in enumerate(typed))


def _column(database: str, table: str, position: int, name: str, kind: Type) -> list[str | None]:
    return [CATALOG, database, table, name, str(position + 1), None, "YES", str(kind)]


def _select(table: scope.Table, texts: Iterable[Sequence[str | None]]) -> str:
    names = ", ".join(quote(name) for name, _ in table.columns)
    typed = ", ".join(f"CAST({quote(name)} AS {to_duckdb(kind)}) AS {quote(name)}" for name, kind in table.columns)
    found = list(texts)
    held = found or [[None] * len(table.columns)]  # VALUES needs a row
    values = ", ".join(f"({', '.join('NULL' if text is None else literal(text) for text in row)})" for row in held)
    condition = "" if found else " WHERE false"
    return f"SELECT {typed} FROM (VALUES {values}) AS t({names}){condition}"  # noqa: S608 (escaped)
