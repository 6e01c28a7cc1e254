"""Parquet files as a table's columns: by name, with the coercions that Trino's reader makes and no other."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from local.athena import types
from local.athena.errors import BadDataError, CannotOpenSplitError, NotSupportedError
from local.athena.types import Array, Char, Decimal, Map, Row, Type, Varchar, literal, quote

if TYPE_CHECKING:
    import duckdb

_INT32 = ("tinyint", "smallint", "integer", "utinyint", "usmallint")
_ACCEPTED: dict[Type, tuple[str, ...]] = {
    types.BOOLEAN: ("boolean",),
    types.TINYINT: _INT32,
    types.SMALLINT: _INT32,
    types.INTEGER: _INT32,
    types.BIGINT: (*_INT32, "bigint", "uinteger"),
    types.REAL: ("float",),
    types.DOUBLE: ("float", "double"),
    types.DATE: ("date",),
}
_TIMESTAMPS = ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns")
_ZONED = "timestamp with time zone"


class _MismatchError(Exception):
    """A file's type cannot be read as the table's."""


def files_by_schema(connection: "duckdb.DuckDBPyConnection", urls: Sequence[str]) -> list[list[str]]:
    """The files in groups that have the same schema; raises CannotOpenSplitError for what is no Parquet file."""
    import duckdb

    column = "(name, type, num_children, converted_type, logical_type, precision, scale)"
    schema = f"list({column} ORDER BY column_id) AS s"
    query = f"SELECT file_name, {schema} FROM parquet_schema({array(urls)}) GROUP BY ALL"  # noqa: S608 (escaped)
    try:
        rows = connection.execute(f"SELECT list(file_name ORDER BY file_name) FROM ({query}) GROUP BY s").fetchall()  # noqa: S608
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise CannotOpenSplitError(f"Error opening Hive split: not a valid Parquet file: {error}") from error
    return [row[0] for row in rows]


def scanned_bytes(connection: "duckdb.DuckDBPyConnection", urls: Sequence[str], columns: Sequence[str]) -> int:
    """The compressed bytes of the column chunks that a query of these columns reads."""
    if not columns or not urls:
        return 0
    names = ", ".join(literal(name) for name in columns)
    found = connection.execute(
        f"SELECT coalesce(sum(total_compressed_size), 0) FROM parquet_metadata({array(urls)})"  # noqa: S608 (escaped)
        f" WHERE lower(split_part(path_in_schema, ', ', 1)) IN ({names})"
    ).fetchone()
    return int(found[0]) if found else 0


def reader(
    connection: "duckdb.DuckDBPyConnection", urls: Sequence[str], columns: Sequence[tuple[str, Type]]
) -> tuple[str, list[str]]:
    """DuckDB's table function over files of one schema, and each table column's expression over it."""
    source = f"read_parquet({array(urls)}, hive_partitioning = false)"
    found = connection.execute(f"SELECT * FROM read_parquet({array(urls[:1])}, hive_partitioning = false) LIMIT 0")  # noqa: S608
    kinds = {str(each[0]).lower(): (str(each[0]), each[1]) for each in found.description or ()}
    return source, [_column(name, kind, kinds, urls[0]) for name, kind in columns]


def _column(name: str, kind: Type, kinds: dict[str, tuple[str, Any]], url: str) -> str:
    if name not in kinds:
        return f"CAST(NULL AS {types.to_duckdb(kind)})"
    if isinstance(kind, Char):
        raise NotSupportedError(f"Columns of type {kind} ({name}) in files are not supported by the local Athena")
    held, source = kinds[name]
    try:
        return _coerced(quote(held), source, kind)
    except _MismatchError as error:
        raise BadDataError(
            f"Field {name}'s type {str(source).upper()} in parquet file {url} is incompatible with type {kind}"
            " defined in table schema"
        ) from error


def _coerced(value: str, source: Any, kind: Type) -> str:
    """`value` of DuckDB's type `source` as `kind`; raises _MismatchError where Trino's reader refuses."""
    if kind in _ACCEPTED:
        return _cast(value, source, kind, source.id in _ACCEPTED[kind])
    for shape, coerced in _SHAPES.items():
        if isinstance(kind, shape):
            return coerced(value, source, kind)
    if kind == types.VARBINARY and source.id in ("blob", "varchar"):
        return value if source.id == "blob" else f"encode({value})"
    if kind == types.TIMESTAMP and source.id in (*_TIMESTAMPS, _ZONED):
        plain = f"timezone('UTC', {value})" if source.id == _ZONED else f"CAST({value} AS TIMESTAMP)"
        return f"nightlake_milliseconds({plain})"
    raise _MismatchError


def _cast(value: str, source: Any, kind: Type, accepted: bool) -> str:
    if not accepted:
        raise _MismatchError
    wanted = types.to_duckdb(kind)
    return value if str(source) == wanted else f"CAST({value} AS {wanted})"


def _decimal(value: str, source: Any, kind: Decimal) -> str:
    if source.id != "decimal":
        raise _MismatchError
    precision, scale = (int(number) for _, number in source.children)
    return _cast(value, source, kind, scale <= kind.scale and precision - scale <= kind.precision - kind.scale)


def _text(value: str, source: Any, kind: Varchar) -> str:
    if source.id not in ("varchar", "blob"):
        raise _MismatchError
    text = value if source.id == "varchar" else f"decode({value})"
    return text if kind.length is None else f"left({text}, {kind.length})"


def _list(value: str, source: Any, kind: Array) -> str:
    if source.id != "list":
        raise _MismatchError
    element = _coerced("e", source.children[0][1], kind.element)
    return value if element == "e" else f"list_transform({value}, lambda e: {element})"


def _map(value: str, source: Any, kind: Map) -> str:
    if source.id != "map":
        raise _MismatchError
    (_, key), (_, held) = source.children
    parts = _coerced("e.key", key, kind.key), _coerced("e.value", held, kind.value)
    if parts == ("e.key", "e.value"):
        return value
    entry = f"struct_pack(key := {parts[0]}, value := {parts[1]})"
    return f"map_from_entries(list_transform(map_entries({value}), lambda e: {entry}))"


def _row(value: str, source: Any, kind: Row) -> str:
    if source.id != "struct":
        raise _MismatchError
    held = {name.lower(): (name, part) for name, part in source.children}
    fields = [(name, field) for name, (_, field) in zip(types.duckdb_fields(kind), kind.fields, strict=True)]
    parts = []
    for name, field in fields:
        if name in held:
            part = _coerced(f"{value}.{quote(held[name][0])}", held[name][1], field)
        else:
            part = f"CAST(NULL AS {types.to_duckdb(field)})"
        parts.append(f"{quote(name)} := {part}")
    return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"


_SHAPES: dict[type[Type], Callable[[str, Any, Any], str]] = {
    Decimal: _decimal,
    Array: _list,
    Map: _map,
    Row: _row,
    Varchar: _text,
}


def array(texts: Sequence[str]) -> str:
    """A list of texts as DuckDB SQL."""
    return f"[{', '.join(literal(text) for text in texts)}]"
