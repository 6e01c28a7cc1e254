"""By what DuckDB tells values apart, and puts them in order, as Trino does."""

from collections.abc import Callable

from sqlglot import exp

from local.athena.compiler.typed import Typed, let
from local.athena.errors import TypeMismatchError, failing
from local.athena.parser import position
from local.athena.types import DOUBLE, REAL, TIMESTAMP_TZ, Array, Map, Row, Type, duckdb_fields, is_orderable, quote


def needs_key(kind: Type) -> bool:
    """Whether DuckDB tells values of `kind` apart that are the same to Trino: zones of an instant, orders of a map."""
    if isinstance(kind, Array):
        return needs_key(kind.element)
    if isinstance(kind, Row):
        return any(needs_key(field) for _, field in kind.fields)
    return kind == TIMESTAMP_TZ or isinstance(kind, Map)


def hides_zone(kind: Type) -> bool:
    """Whether `kind` holds timestamps with time zone inside."""
    if isinstance(kind, Map):
        return any(part == TIMESTAMP_TZ or hides_zone(part) for part in (kind.key, kind.value))
    return isinstance(kind, Array | Row) and any(part == TIMESTAMP_TZ or hides_zone(part) for part in _parts(kind))


def holds_float(kind: Type) -> bool:
    """Whether `kind` holds numbers that may be NaN."""
    return kind in (REAL, DOUBLE) or (isinstance(kind, Array | Row) and any(holds_float(part) for part in _parts(kind)))


def _parts(kind: Array | Row) -> list[Type]:
    return [kind.element] if isinstance(kind, Array) else [field for _, field in kind.fields]


def same_key(value: Typed) -> str:
    """SQL of what is equal in DuckDB just for values that are the same to Trino (IS NOT DISTINCT FROM)."""
    kind, sql = value.type, value.sql
    if not needs_key(kind):
        return sql
    if isinstance(kind, Array):
        return f"list_transform({sql}, lambda part: {same_key(Typed('part', kind.element))})"
    if isinstance(kind, Map):
        key, held = same_key(Typed("part.key", kind.key)), same_key(Typed("part.value", kind.value))
        return f"list_sort(list_transform(map_entries({sql}), lambda part: {{'k': {key}, 'v': {held}}}))"
    if isinstance(kind, Row):
        return let([value], lambda x: _row(kind, x, same_key))
    return f"({sql}).instant"


def order_key(value: Typed) -> str:
    """SQL by which DuckDB orders as Trino; it fails on arrays and rows that hold NULL, which Trino does not order."""
    kind, sql = value.type, value.sql
    if isinstance(kind, Array):
        key = f"list_transform({sql}, lambda part: {order_key(Typed('part', kind.element))})"
        return _checked(f"list_count({sql}) < len({sql})", "ARRAY comparison not supported for arrays", key)
    if isinstance(kind, Row):
        return let([value], lambda x: _row(kind, x, _field_key))
    return same_key(value)


def _field_key(field: Typed) -> str:
    return _checked(f"{field.sql} IS NULL", "ROW comparison not supported for fields", order_key(field))


def _row(kind: Row, sql: str, key: Callable[[Typed], str]) -> str:
    fields = zip(duckdb_fields(kind), kind.fields, strict=True)
    packed = ", ".join(f"{quote(name)} := {key(Typed(f'({sql}).{quote(name)}', field))}" for name, (_, field) in fields)
    return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({packed}) END"


def _checked(wrong: str, message: str, key: str) -> str:
    failed = failing("NOT_SUPPORTED", f"'{message} with null elements'", "BOOLEAN")
    return f"CASE WHEN CASE WHEN {wrong} THEN {failed} ELSE TRUE END THEN {key} END"


def ordered(item: exp.Expr, value: Typed) -> str:
    """One item of ORDER BY. Raises TypeMismatchError if its type has no order."""
    if not is_orderable(value.type):
        raise TypeMismatchError(
            f"Type {value.type} is not orderable, and therefore cannot be used in ORDER BY", position(item)
        )
    direction = "DESC" if item.args.get("desc") else "ASC"
    return f"{order_key(value)} {direction} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"
