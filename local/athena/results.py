"""Results as Athena prints them: values as text, the columns' metadata, and pages of the result files.

Values become text inside DuckDB, so that a large result streams to its file without passing through Python.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from local.athena import types
from local.athena.catalog import Table
from local.athena.compiler.cast import as_text
from local.athena.compiler.typed import Typed
from local.athena.types import Type

Columns = Sequence[tuple[str, Type]]
Fetch = Callable[[int, int], bytes]
"""Reads the bytes of a result object from one offset to (not including) another."""

MACROS = """
CREATE OR REPLACE TEMP MACRO nightlake_printed(x) AS
    -- as Java prints a double or a float: plain from 0.001 to 10,000,000; CAST(x AS varchar) is otherwise in Trino
    CASE WHEN x = 0 THEN CASE WHEN signbit(x) THEN '-0.0' ELSE '0.0' END
        WHEN isfinite(x) AND abs(x) >= 0.001 AND abs(x) < 10000000 THEN CAST(x AS VARCHAR)
        WHEN isfinite(x) THEN CASE WHEN x < 0 THEN '-' ELSE '' END || nightlake_shortest(CAST(abs(x) AS VARCHAR))
        ELSE nightlake_double_text(x) END;
"""
"""What `rendered` calls by name, beside the compiler's own macros."""

TEXT_COLUMNS = {
    "SHOW_DATABASES": ("database_name",),
    "SHOW_TABLES": ("tab_name",),
    "SHOW_VIEWS": ("views",),
    "SHOW_COLUMNS": ("field",),
    "SHOW_PARTITIONS": ("partition",),
    "SHOW_CREATE_TABLE": ("createtab_stmt",),
    "SHOW_CREATE_VIEW": ("Create View",),
    "SHOW_TBLPROPERTIES": ("prpt_name", "prpt_value"),
    "DESCRIBE_TABLE": ("col_name", "data_type", "comment"),
}
"""The columns by which Athena describes the lines of a statement that is no query; all are of Hive's type string."""

_CHUNK = 256 * 1024
_PRECISIONS = {
    "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "real": 17, "double": 17,
    "timestamp": 3, "timestamp with time zone": 3, "time": 3, "varbinary": 1_073_741_824,
}  # fmt: skip
_UNBOUNDED = 2_147_483_647

_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)"|)([,\n])')


def column_info(columns: Columns) -> list[dict[str, Any]]:
    """The ColumnInfo of every column: https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html."""
    return [
        _described(
            name,
            Type=types.athena_name(kind),
            Precision=_precision(kind),
            Scale=kind.scale if isinstance(kind, types.Decimal) else 0,
            CaseSensitive=types.is_text(kind),
        )
        for name, kind in columns
    ]


def text_info(substatement: str) -> list[dict[str, Any]]:
    """The ColumnInfo of a statement whose result is text; empty where it gives no lines."""
    names = TEXT_COLUMNS.get(substatement, ())
    return [_described(name, Type="string", Precision=0, Scale=0, CaseSensitive=False) for name in names]


def _described(name: str, **kind: Any) -> dict[str, Any]:
    place = {"CatalogName": "hive", "SchemaName": "", "TableName": ""}
    return {**place, "Name": name, "Label": name, "Nullable": "UNKNOWN", **kind}


def _precision(kind: Type) -> int:
    if isinstance(kind, types.Decimal):
        return kind.precision
    if isinstance(kind, types.Varchar | types.Char):
        return _UNBOUNDED if kind.length is None else kind.length
    return _PRECISIONS.get(kind.name, 0)


def rendered(kind: Type, sql: str) -> str:
    """DuckDB SQL that turns a value of `kind` into the text that Athena prints; NULL stays NULL."""
    if isinstance(kind, types.Array):
        return f"('[' || array_to_string(list_transform({sql}, lambda e: {_inner(kind.element, 'e')}), ', ') || ']')"
    if isinstance(kind, types.Map):
        entry = f"{_inner(kind.key, 'e.key')} || '=' || {_inner(kind.value, 'e.value')}"
        return f"('{{' || array_to_string(list_transform(map_entries({sql}), lambda e: {entry}), ', ') || '}}')"
    if isinstance(kind, types.Row):
        return _rendered_row(kind, sql)
    return _rendered_scalar(kind, sql)


def _rendered_scalar(kind: Type, sql: str) -> str:
    if kind == types.VARBINARY:
        return f"rtrim(regexp_replace(lower(hex({sql})), '(..)', '\\1 ', 'g'))"
    if kind == types.UNKNOWN:
        return "CAST(NULL AS VARCHAR)"
    if kind in (types.REAL, types.DOUBLE):
        return f"nightlake_printed({sql})"
    return sql if kind == types.JSON else as_text(Typed(sql, kind))


def _inner(kind: Type, sql: str) -> str:
    return f"coalesce({rendered(kind, sql)}, 'null')"


def _rendered_row(kind: types.Row, sql: str) -> str:
    fields = zip(types.duckdb_fields(kind), kind.fields, strict=True)
    parts = [
        types.literal(f"{name or held}=") + " || " + _inner(field, f"({sql}).{types.quote(held)}")
        for held, (name, field) in fields
    ]
    inside = " || ', ' || ".join(parts)
    return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {inside} || '}}' END"


def header(columns: Columns) -> str:
    """The first line of a result CSV."""
    return ",".join('"' + name.replace('"', '""') + '"' for name, _ in columns) + "\n"


def csv_rows(fetch: Fetch, size: int, start: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """At most `limit` rows of a result CSV of `size` bytes, as the API shows them, and where the next page starts.

    An empty field is a NULL, a quoted one a value.
    """
    return _rows(fetch, size, start, limit, _csv_row)


def text_rows(fetch: Fetch, size: int, start: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """At most `limit` lines of a result text of `size` bytes, each one value, and where the next page starts."""
    return _rows(fetch, size, start, limit, _text_row)


def _rows(
    fetch: Fetch,
    size: int,
    start: int,
    limit: int,
    row_at: Callable[[bytes, int], tuple[dict[str, Any], int] | None],
) -> tuple[list[dict[str, Any]], int | None]:
    rows: list[dict[str, Any]] = []
    buffer, at, read = b"", 0, start
    while len(rows) < limit:
        found = row_at(buffer, at)
        if found:
            rows.append(found[0])
            at = found[1]
        elif read < size:
            end = min(size, read + max(_CHUNK, len(buffer)))
            buffer, at, read = buffer[at:] + fetch(read, end), 0, end
        else:
            break
    following = read - (len(buffer) - at)
    return rows, following if following < size else None


def _csv_row(buffer: bytes, at: int) -> tuple[dict[str, Any], int] | None:
    values: list[dict[str, str]] = []
    while match := _FIELD.match(buffer, at):
        text = match[1]
        values.append({} if text is None else {"VarCharValue": text.replace(b'""', b'"').decode()})
        at = match.end()
        if match[2] == b"\n":
            return {"Data": values}, at
    return None


def _text_row(buffer: bytes, at: int) -> tuple[dict[str, Any], int] | None:
    end = buffer.find(b"\n", at)
    return None if end < 0 else ({"Data": [{"VarCharValue": buffer[at:end].decode()}]}, end + 1)


def matching(tables: Iterable[Table], expression: str | None) -> list[Table]:
    """Tables whose names match an expression of ListTableMetadata: alternatives by `|`, `*` stands for anything."""
    if not expression:
        return list(tables)
    patterns = [pattern.replace(".*", "*") for pattern in expression.lower().split("|")]
    return [table for table in tables if any(fnmatch.fnmatchcase(table.name, pattern) for pattern in patterns)]
