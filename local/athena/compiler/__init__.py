"""From a parsed statement to DuckDB SQL, with Trino's types at every node."""

from local.athena.compiler.query import compile_query
from local.athena.compiler.scope import CatalogView, CompiledQuery, Scan, Table, View

__all__ = ["CatalogView", "CompiledQuery", "Scan", "Table", "View", "compile_query"]
