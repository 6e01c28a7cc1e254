"""A table of PostgreSQL as its catalog describes it, and how each of its columns is asked for."""

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from nightlake.core.column_type import ColumnType
from nightlake.core.errors import TableNotFoundError, TableUnsuitableError
from nightlake.core.frozen import Frozen
from nightlake.core.postgres_session import Session
from nightlake.core.postgres_source import PostgresSource

# What arrives as the value that it is: the driver gives numbers, moments and texts of these.
_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "name"})
_NATIVE: Final = frozenset({"bool", "int2", "int4", "int8", "float4", "float8"}) | _TEXTS
_LISTS: Final = frozenset({"_bool", "_int2", "_int4", "_int8", "_float4", "_float8", "_text", "_varchar"})
_MOMENTS: Final = {"date": "date", "timestamp": "timestamp", "timestamptz": "timestamp"}  # and what they are here
INTEGERS: Final = frozenset({"int2", "int4", "int8"})
_KINDS: Final[dict[str, Literal["table", "partitioned", "view"]]] = {
    "r": "table",
    "m": "table",
    "p": "partitioned",
    "v": "view",
    "f": "view",
}
_FIXED: Final = frozenset({"bool", "int2", "int4", "int8", "float4", "float8", "uuid", *_MOMENTS})
_COMPRESSED: Final = 256  # times at most a value is shorter in the table than it is
_NAME: Final = re.compile(r'"([^"]+)"|([^."]+)')
_FIRST_DAY: Final = "0001-01-01"
_BEHIND_LAST_DAY: Final = "10000-01-01"


class TableColumn(Frozen):
    """A column: `type` as pg_type names it, of a domain the one below; what it is declared as.

    `kind` is a for an array, c for a row, b for everything else.
    """

    name: str
    type: str
    kind: Literal["a", "b", "c"]
    declared: str
    required: bool
    is_domain: bool = False


class TableInfo(Frozen):
    """A table. `bytes` and `rows` are estimates, None where nobody knows; `blocks` counts those of its main part.

    `aside_bytes` have the values that are too long to lie in their rows, None where nobody knows.

    `indexed` are the columns that some index begins with; `may_write` says whether the session's role could change it,
    `is_encoded` whether its database knows what the bytes of a text mean.
    """

    name: str
    kind: Literal["table", "partitioned", "view"]
    columns: tuple[TableColumn, ...]
    bytes: int | None
    rows: int | None
    blocks: int
    aside_bytes: int | None
    indexed: frozenset[str]
    may_write: bool
    is_encoded: bool = True

    def column(self, name: str) -> TableColumn | None:
        """The column of that name; None where there is none."""
        return next((column for column in self.columns if column.name == name), None)


class Asked(NamedTuple):
    """How a column is selected: `value`, and where the driver could not say some values, `odd`, their texts."""

    value: str
    odd: str | None = None


def identifier(name: str) -> str:
    """A name as SQL takes it, whatever its letters."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it; ours hold no backslashes, and Unicode as it is."""
    return "'" + text.replace("'", "''") + "'"


def relation(source: PostgresSource) -> str:
    """The table's name as SQL takes it."""
    return ".".join(identifier(quoted or plain) for quoted, plain in _NAME.findall(source.table))


def inspect(session: Session, source: PostgresSource) -> TableInfo:
    """What the catalog says of the source's table.

    Raises TableNotFoundError, or TableUnsuitableError where its watermark or key is not there or of no use.
    """
    found = session.rows(_TABLE.format(table=literal(relation(source))))
    if not found or found[0]["kind"] not in _KINDS:
        raise TableNotFoundError(
            f"{source.database} has no table or view {source.table} that this role sees; write its name as the catalog "
            "does, with its schema, or let the role use that schema"
        )
    (about,) = found
    kind = _KINDS[about["kind"]]
    columns = [TableColumn.model_validate(row) for row in session.rows(_COLUMNS.format(oid=about["oid"]))]
    table = TableInfo(
        name=about["name"],
        kind=kind,
        columns=tuple(columns),
        bytes=about["bytes"] or None,
        rows=about["rows"] if about["rows"] > 0 else None,
        blocks=about["blocks"],
        aside_bytes=None if kind == "view" else about["aside"],
        indexed=frozenset(row["name"] for row in session.rows(_INDEXED.format(oid=about["oid"]))),
        may_write=about["may_write"],
        is_encoded=about["encoding"] != "SQL_ASCII",
    )
    _check(table, source)
    return table


def _check(table: TableInfo, source: PostgresSource) -> None:
    where = f"{source.database}: {source.table}"
    watermark = table.column(source.watermark)
    if watermark is None or watermark.type not in _MOMENTS:
        told = "is not there" if watermark is None else f"is of type {watermark.declared}"
        raise TableUnsuitableError(
            f"{where}: the watermark {source.watermark!r} {told}; name a column of type timestamptz, timestamp or "
            "date, or let a view have one"
        )
    if source.key is not None:
        key = table.column(source.key)
        if key is None or key.type not in INTEGERS:
            told = "is not there" if key is None else f"is of type {key.declared}"
            raise TableUnsuitableError(
                f"{where}: the key {source.key!r} {told}; name a column of whole numbers, or cut by time"
            )
    if source.shards == "blocks" and table.kind != "table":
        told = "a view" if table.kind == "view" else "partitioned"
        raise TableUnsuitableError(f"{where} is {told}, and has no blocks of its own; cut by time or key")


def asked(column: TableColumn, kind: ColumnType, source: PostgresSource, *, is_encoded: bool = True) -> Asked:
    """How to select a column of the table for a column of that type in the lake.

    Everything that is no plain value comes as the text that PostgreSQL has for it, numbers of any size with all of
    their digits; rows, and arrays of what is not plain, come as JSON. A timestamp without a zone is read on the clocks
    of the source like one in a text file, unless these show UTC. Where texts are not encoded, they come as bytes.
    """
    name = identifier(column.name) + (f'::pg_catalog."{column.type}"' if column.is_domain else "")
    is_plain = column.kind == "b" and column.type in _NATIVE
    if is_plain and column.type not in _TEXTS and kind.name != "string":
        return Asked(name)
    if column.type in _LISTS and kind.name == "array" and is_encoded:
        plain = f"(cardinality({name}) = 0 OR array_ndims({name}) = 1 AND array_lower({name}, 1) = 1)"
        return Asked(f"CASE WHEN {plain} THEN {name} END", f"CASE WHEN NOT {plain} THEN to_json({name})::text END")
    is_local = column.type == "timestamp" and source.timezone != "UTC"
    if is_plain or column.kind != "b" or kind.name != _MOMENTS.get(column.type) or is_local:
        text = name if is_plain and column.type in _TEXTS and is_encoded else _text(column)
        if kind.is_nested:
            text = f"nullif({text}, 'null')"  # what JSON calls null is none here, too
        return Asked(text if is_encoded else f"convert_to({text}, 'SQL_ASCII')")
    if column.name == source.watermark:
        return Asked(name)  # its window holds no infinity
    inside = f"({name} >= {literal(_FIRST_DAY)}::{column.type} AND {name} < {literal(_BEHIND_LAST_DAY)}::{column.type})"
    return Asked(f"CASE WHEN {inside} THEN {name} END", f"CASE WHEN NOT {inside} THEN {name}::text END")


def too_long(columns: Iterable[TableColumn], table: TableInfo, source: PostgresSource) -> str | None:
    """Whether a row has a value that is too long, as SQL; None where the table surely has none.

    Only what is long as it lies there is looked at: nothing else of a row is read for that, or written as text.
    """
    limit = source.max_value_bytes
    names = [identifier(column.name) for column in columns if column.kind != "b" or column.type not in _FIXED]
    if not names or (table.aside_bytes is not None and table.aside_bytes < limit // _COMPRESSED):
        return None
    tests = (f"CASE WHEN {lies_long(name, source)} THEN octet_length({name}::text) > {limit} END" for name in names)
    return f"coalesce({' OR '.join(tests)}, false)"


def lies_long(name: str, source: PostgresSource) -> str:
    """Whether a value, whose SQL is `name`, is as long in the table as one that is too long may be."""
    return f"pg_column_size({name}) >= {source.max_value_bytes // _COMPRESSED}"


def _text(column: TableColumn) -> str:
    name = identifier(column.name)
    if column.type == "bytea" and column.kind == "b":
        return f"encode({name}, 'hex')"
    return f"to_json({name})::text" if column.kind in ("c", "a") else f"{name}::text"


_TABLE: Final = """
SELECT c.oid::bigint AS oid, format('%s.%s', n.nspname, c.relname) AS name, c.relkind::text AS kind,
  (SELECT coalesce(sum(pg_table_size(p.relid)), 0)::bigint FROM (
    SELECT c.oid AS relid WHERE c.relkind IN ('r', 'm')
    UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf AND c.relkind = 'p') p) AS bytes,
  (SELECT coalesce(sum(pg_relation_size(nullif(x.reltoastrelid, 0))), 0)::bigint FROM pg_class x WHERE x.oid = c.oid
    OR c.relkind = 'p' AND x.oid IN (SELECT relid FROM pg_partition_tree(c.oid))) AS aside,
  CASE WHEN c.relkind IN ('r', 'm', 'p') THEN c.reltuples::bigint ELSE -1 END AS rows,
  CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0
  END AS blocks,
  current_setting('server_encoding') AS encoding,
  has_table_privilege(c.oid, 'INSERT') OR has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE')
  AS may_write
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass({table})
"""
_COLUMNS: Final = """
WITH RECURSIVE base AS (
  SELECT oid, oid AS below, typbasetype AS next FROM pg_type
  UNION ALL SELECT b.oid, t.oid, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.next)
SELECT a.attname::text AS name, t.typname::text AS type,
  CASE WHEN t.typtype = 'c' THEN 'c' WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'a' ELSE 'b' END AS kind,
  format_type(a.atttypid, a.atttypmod) AS declared, a.attnotnull AS required, t.oid <> a.atttypid AS is_domain
FROM pg_attribute a JOIN base b ON b.oid = a.atttypid AND b.next = 0 JOIN pg_type t ON t.oid = b.below
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_INDEXED: Final = """
SELECT DISTINCT a.attname::text AS name FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
  AND a.attnum = i.indkey[0] WHERE i.indrelid = {oid} AND i.indisvalid AND i.indpred IS NULL
"""


def row_bytes(table: TableInfo) -> int:
    """About how many bytes a row has, for want of better knowledge 256."""
    if not table.bytes or not table.rows:
        return 256
    return max(1, table.bytes // table.rows)
