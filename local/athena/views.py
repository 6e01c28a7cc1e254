"""Views as Athena keeps them: Trino's view definition in Glue, base64 of JSON inside a comment."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from local.athena import catalog, types
from local.athena.catalog import Column
from local.athena.compiler import scope
from local.athena.errors import InvalidMetadataError, InvalidViewError
from local.athena.session import CATALOG
from local.athena.types import Array, Char, Decimal, Map, Row, Type, Varchar

_PREFIX, _SUFFIX = "/* Presto View: ", " */"
_EXPANDED = "/* Presto View */"
_PARAMETERS = {"presto_view": "true", "comment": "Presto View"}


def typed_columns(table: catalog.Table) -> tuple[tuple[str, Type], ...]:
    """A table's columns, partition keys last, with Trino's types; raises InvalidMetadataError."""
    return tuple((column.name.lower(), column_type(table, column)) for column in table.all_columns)


def column_type(table: catalog.Table, column: Column) -> Type:
    """A column's type for Trino; raises InvalidMetadataError where Glue holds none."""
    try:
        return types.parse_hive(column.type)
    except ValueError as error:
        raise InvalidMetadataError(
            f"Glue table '{table.database}.{table.name}' column '{column.name}' has invalid data type: {column.type}"
        ) from error


def decode(table: catalog.Table) -> scope.View:
    """The view that a Glue table holds; raises InvalidViewError if it is none of Athena's."""
    try:
        held = _definition(table.view_text.strip())
        columns = tuple((each["name"].lower(), types.parse_type(each["type"].lower())) for each in held["columns"])
        return scope.View(
            catalog=CATALOG,
            database=table.database,
            name=table.name,
            text=held["originalSql"],
            columns=columns,
            text_catalog=(held.get("catalog") or CATALOG).lower(),
            text_database=(held.get("schema") or table.database).lower(),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidViewError(f"View '{table.database}.{table.name}' cannot be read: {error}") from error


def _definition(text: str) -> Any:
    opening, closing = _PREFIX.strip(), _SUFFIX.strip()
    if not text.startswith(opening) or not text.endswith(closing):
        raise ValueError("it is not a Presto view")
    return json.loads(base64.b64decode(text[len(opening) : -len(closing)].strip(), validate=True))


def encode(
    database: str, name: str, sql: str, session_database: str, columns: Sequence[tuple[str, Type]]
) -> catalog.Table:
    """The Glue table of a view: https://docs.aws.amazon.com/athena/latest/ug/views.html and Trino's HiveViewCodec."""
    definition = {
        "originalSql": sql,
        "catalog": CATALOG,
        "schema": session_database,
        "columns": [{"name": column, "type": str(kind)} for column, kind in columns],
    }
    held = base64.b64encode(json.dumps(definition, separators=(",", ":")).encode()).decode()
    return catalog.Table(
        database=database,
        name=name,
        columns=tuple(Column(column, hive_type(kind)) for column, kind in columns),
        parameters=_PARAMETERS,
        type=catalog.VIEW,
        view_text=f"{_PREFIX}{held}{_SUFFIX}",
        others={"ViewExpandedText": _EXPANDED},
    )


_HIVE_NAMES = {"integer": "int", "real": "float", "varbinary": "binary", "json": "string", "unknown": "string"}


def hive_type(kind: Type) -> str:
    """A type as Glue keeps it; types that Hive lacks, in views only, as Trino spells them."""
    match kind:
        case Decimal() | Char():
            return str(kind)
        case Varchar():
            return "string" if kind.length is None else str(kind)
        case Array():
            return f"array<{hive_type(kind.element)}>"
        case Map():
            return f"map<{hive_type(kind.key)},{hive_type(kind.value)}>"
        case Row():
            names = types.duckdb_fields(kind)
            fields = zip(names, kind.fields, strict=True)
            return f"struct<{','.join(f'{name}:{hive_type(field)}' for name, (_, field) in fields)}>"
    return _HIVE_NAMES.get(kind.name, kind.name)
