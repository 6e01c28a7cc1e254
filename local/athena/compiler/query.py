"""Queries: from the parsed tree to DuckDB SQL with Trino's meaning."""

from sqlglot import exp

from local.athena.compiler.scope import CatalogView, CompiledQuery
from local.athena.errors import NotSupportedError
from local.athena.functions.registry import Session


def compile_query(tree: exp.Expr, catalog: CatalogView, session: Session) -> CompiledQuery:
    """Compiles a query parsed by `local.athena.parser.parse`. Raises the leaves of QueryError."""
    raise NotSupportedError(f"{type(tree).__name__} over {catalog} in {session}")
