"""Subqueries in expressions: scalar, EXISTS, IN and quantified comparisons, with Trino's NULLs."""

# ruff: noqa: S608 (writing SQL is what a compiler does; names are quoted and literals escaped)

from typing import TYPE_CHECKING

from sqlglot import exp

from local.athena.compiler.arithmetic import compare
from local.athena.compiler.cast import coerce
from local.athena.compiler.keys import same_key
from local.athena.compiler.typed import Typed, let
from local.athena.errors import NotSupportedError, TypeMismatchError, failing
from local.athena.parser import position
from local.athena.types import (
    BOOLEAN,
    DOUBLE,
    REAL,
    Array,
    Map,
    Row,
    Type,
    common_super_type,
    duckdb_fields,
    is_orderable,
    quote,
    row,
    to_duckdb,
)

COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}

if TYPE_CHECKING:
    from local.athena.compiler.expression import Expressions


def is_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.Query | exp.Values)


def quantifier(node: exp.Expr) -> tuple[str, exp.Expr] | None:
    """ANY or ALL and the query, if `node` is the right side of a quantified comparison."""
    if isinstance(node, exp.Any | exp.All):
        word, query = type(node).__name__.upper(), node.this
    elif isinstance(node, exp.Anonymous) and node.name.upper() in ("ALL", "ANY", "SOME") and len(node.expressions) == 1:
        word, query = node.name.upper().replace("SOME", "ANY"), node.expressions[0]
    else:
        return None
    return (word, query) if is_query(query) else None


def scalar(expressions: "Expressions", node: exp.Expr) -> Typed:
    sql, kind, _ = _column(expressions, node)
    return Typed(f"({sql})", kind, once=True)


def exists(expressions: "Expressions", node: exp.Expr) -> Typed:
    sql, _ = expressions.queries.subquery(node, expressions.scope)
    return Typed(f"EXISTS ({sql})", BOOLEAN, once=True)


def member(expressions: "Expressions", left: Typed, query: exp.Expr, node: exp.Expr) -> Typed:
    """`left IN (query)`. Raises TypeMismatchError, NotSupportedError."""
    column, common, other = _compared(expressions, left, query, node)
    one = coerce(left, common)
    if isinstance(common, Row):  # as a hash join of structs would take NULL for a value
        equal = compare("=", one, other).sql
        found = "CASE WHEN bool_or(c) THEN TRUE WHEN bool_or(c IS NULL) THEN NULL ELSE FALSE END"
        return Typed(f"(SELECT {found} FROM (SELECT {equal} AS c FROM ({column}) AS q) AS m)", BOOLEAN, once=True)
    numbers = f" WHERE NOT isnan({other.sql}) OR {other.sql} IS NULL" if common in (REAL, DOUBLE) else ""
    sql = f"({same_key(one)} IN (SELECT {same_key(other)} FROM ({column}) AS q{numbers}))"
    return Typed(sql, BOOLEAN, once=True)


def quantified(expressions: "Expressions", left: Typed, quantity: tuple[str, exp.Expr], node: exp.Expr) -> Typed:
    """The comparison `node` of `left` with ANY or ALL of a query. Raises TypeMismatchError, NotSupportedError."""
    operator, (word, query) = COMPARISONS[type(node)], quantity
    if (operator, word) == ("=", "ANY"):
        return member(expressions, left, query, node)
    if (operator, word) == ("<>", "ALL"):
        return Typed(f"(NOT {member(expressions, left, query, node).sql})", BOOLEAN, once=True)
    column, common, other = _compared(expressions, left, query, node)
    if operator not in ("=", "<>") and not is_orderable(common):
        raise TypeMismatchError(
            f"Type [{common}] must be orderable in order to be used in quantified comparison", position(node)
        )
    if isinstance(common, Row):
        raise NotSupportedError(f"Comparing {common} by {operator} {word} is not supported", position(node))
    one = _number(coerce(left, common))
    return Typed(f"({one} {operator} {word} (SELECT {_number(other)} FROM ({column}) AS q))", BOOLEAN, once=True)


def _column(expressions: "Expressions", node: exp.Expr) -> tuple[str, Type, bool]:
    """The query's SQL with one column c0, its type, and whether it is a row of several columns."""
    sql, columns = expressions.queries.subquery(node, expressions.scope)
    if len(columns) == 1:
        return sql, columns[0][1], False
    kind = row(*columns)
    packed = ", ".join(f"{quote(name)} := q.c{i}" for i, name in enumerate(duckdb_fields(kind)))
    return f"SELECT CAST(struct_pack({packed}) AS {to_duckdb(kind)}) AS c0 FROM ({sql}) AS q", kind, True


def _compared(expressions: "Expressions", left: Typed, query: exp.Expr, node: exp.Expr) -> tuple[str, Type, Typed]:
    """The query's SQL, the type in which `left` is compared with its column, and the column of it as that type."""
    sql, kind, packed = _column(expressions, query)
    common = common_super_type(left.type, kind)
    if common is None:
        raise TypeMismatchError(
            f"Value expression and result of subquery must be of the same type: {left.type} vs {kind}", position(node)
        )
    if isinstance(common, Array | Map) or (isinstance(kind, Row) and not packed):
        raise NotSupportedError(f"Comparing with a subquery of one column of {kind} is not supported", position(node))
    return sql, common, coerce(Typed("q.c0", kind), common)


def _number(value: Typed) -> str:
    """`value` as DuckDB compares it; NaN, which it takes for the greatest number, fails."""
    if value.type not in (REAL, DOUBLE):
        return same_key(value)
    failed = failing("NOT_SUPPORTED", "'NaN in a quantified comparison is not supported'", to_duckdb(value.type))
    return let([value], lambda x: f"CASE WHEN isnan({x}) THEN {failed} ELSE {x} END")
