"""Text files as a table's columns: lines split by LazySimpleSerDe, OpenCSVSerde or a JSON SerDe, then read as types."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from local.athena import formats, types
from local.athena.catalog import Storage, Table
from local.athena.errors import NotSupportedError, failing
from local.athena.parquet import array
from local.athena.types import Array, Decimal, Map, Row, Type, Varchar, literal

if TYPE_CHECKING:
    import duckdb

_MAX_LINE = 16 * 1024 * 1024  # Athena takes 200 MB; every thread holds a buffer of twice this
_NO_DELIMITER = r"e'\x1f\x1e\x1d'"
_CODECS = (".gz", ".zst")
_UNREAD_CODECS = (".bz2", ".snappy", ".lz4", ".deflate", ".lzo", ".xz", ".zip")
_SERDE_OPTIONS = {
    formats.LAZY.serde: {"field.delim", "serialization.format", "escape.delim", "line.delim", "collection.delim"}
    | {"mapkey.delim", "serialization.null.format"},
    formats.CSV.serde: {"separatorchar", "quotechar", "escapechar", "serialization.format"},
    formats.OPENX.serde: {"serialization.format", "case.insensitive", "ignore.malformed.json", "paths"},
    formats.HCATALOG.serde: {"serialization.format", "paths"},
    formats.HIVE_JSON.serde: {"serialization.format", "paths"},
}
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIMESTAMP = rf"{_DATE} \d{{2}}:\d{{2}}:\d{{2}}(\.\d{{1,3}})?"
_OPEN_CSV_TYPES = (types.VARCHAR, types.BOOLEAN, types.INTEGER, types.BIGINT, types.DOUBLE, types.DATE, types.TIMESTAMP)


def reader(
    connection: "duckdb.DuckDBPyConnection",
    urls: Sequence[str],
    columns: Sequence[tuple[str, Type]],
    storage: Storage,
    table: Table,
) -> tuple[str, list[str]]:
    """DuckDB SQL of a relation over the files' lines, and each table column's expression over it.

    Raises:
        NotSupportedError: the table's SerDe has an option, a type or a compression that is not read here.
    """
    _check_codecs(urls)
    options = _options(storage)
    skip = int(table.parameters.get("skip.header.line.count") or 0)
    lines = (
        f"(SELECT coalesce(line, '') AS line, file_index FROM read_csv({array(urls)},"  # noqa: S608 (escaped)
        f" columns = {{'line': 'VARCHAR'}}, delim = {_NO_DELIMITER}, quote = '', escape = '', header = false,"
        f" auto_detect = false, strict_mode = false, skip = {skip}, max_line_size = {_MAX_LINE},"
        f" buffer_size = {2 * _MAX_LINE}))"
    )
    if storage.serde in formats.JSON:
        return _json(connection, lines, columns, options)
    if storage.serde == formats.CSV.serde:
        return _open_csv(connection, lines, columns, options)
    return _lazy(lines, columns, options)


def _check_codecs(urls: Sequence[str]) -> None:
    for url in urls:
        if url.lower().endswith(_UNREAD_CODECS):
            raise NotSupportedError(f"The compression of {url} is not supported by the local Athena: use gzip or zstd")


def _options(storage: Storage) -> Mapping[str, str]:
    options = {key.lower(): value for key, value in storage.serde_parameters.items()}
    known = _SERDE_OPTIONS[formats.of(storage).serde]
    for key in options:
        if key not in known:
            raise NotSupportedError(f"SerDe property '{key}' of {storage.serde} is not supported by the local Athena")
    return options


def _register(connection: "duckdb.DuckDBPyConnection", split: Callable[[str], Any]) -> str:
    """Put a function on the connection that makes a line to fields; gives its name there."""
    import duckdb
    from duckdb.func import FunctionNullHandling

    counted = connection.execute(
        "SELECT count(*) FROM duckdb_functions() WHERE starts_with(function_name, 'nightlake_split_')"
    ).fetchone()
    name = f"nightlake_split_{counted[0] if counted else 0}"
    text = duckdb.sqltype("VARCHAR")
    connection.create_function(name, split, [text], duckdb.list_type(text), null_handling=FunctionNullHandling.SPECIAL)
    return name


def _lazy(lines: str, columns: Sequence[tuple[str, Type]], options: Mapping[str, str]) -> tuple[str, list[str]]:
    """LazySimpleSerDe: no quotes, `\\N` is NULL, what is no number is NULL, missing fields are NULL."""
    delimiter = options.get("field.delim") or options.get("serialization.format") or "\x01"
    delimiter = "\x01" if delimiter == "1" else delimiter
    if options.get("line.delim", "\n") != "\n" or "escape.delim" in options:
        raise NotSupportedError(
            "LazySimpleSerDe with ESCAPED BY or other line ends is not supported by the local Athena"
        )
    null = options.get("serialization.null.format", "\\N")
    source = f"(SELECT string_split(line, {literal(delimiter)}) AS f, file_index FROM {lines})"  # noqa: S608
    values = [(f"nullif(f[{position}], {literal(null)})", kind) for position, (_, kind) in enumerate(columns, 1)]
    return source, [_lenient(value, kind) for value, kind in values]


def _lenient(value: str, kind: Type) -> str:
    if isinstance(kind, Varchar):
        return value if kind.length is None else f"left({value}, {kind.length})"
    return f"CASE WHEN {_well_formed(value, kind)} THEN TRY_CAST({value} AS {types.to_duckdb(kind)}) END"


def _well_formed(value: str, kind: Type) -> str:
    """The condition that a text is a value of the type in Hive's spelling."""
    if kind in types.INTEGERS:
        return f"regexp_full_match({value}, '[+-]?[0-9]+')"
    if isinstance(kind, Decimal) or kind in (types.REAL, types.DOUBLE):
        return f"regexp_full_match({value}, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|NaN|-?Infinity')"
    patterns = {types.BOOLEAN: "(?i)true|false", types.DATE: _DATE, types.TIMESTAMP: _TIMESTAMP}
    if kind not in patterns:
        raise NotSupportedError(f"Columns of type {kind} in text files are not supported by the local Athena")
    return f"regexp_full_match({value}, {literal(patterns[kind])})"


def _open_csv(
    connection: "duckdb.DuckDBPyConnection",
    lines: str,
    columns: Sequence[tuple[str, Type]],
    options: Mapping[str, str],
) -> tuple[str, list[str]]:
    separator = options.get("separatorchar", ",")
    quote, escape = options.get("quotechar", '"'), options.get("escapechar", "\\")
    name = _register(connection, lambda line: list(split_csv(line, separator, quote, escape)))
    special = " OR ".join(f"contains(line, {literal(char)})" for char in {quote, escape})
    source = (
        f"(SELECT CASE WHEN {special} THEN {name}(line) ELSE string_split(line, {literal(separator)}) END AS f,"  # noqa: S608
        f" file_index FROM {lines})"
    )
    return source, [_open_csv_value(f"f[{position}]", *column) for position, column in enumerate(columns, 1)]


def split_csv(line: str, separator: str, quote: str, escape: str) -> list[str]:
    """One line as opencsv splits it: an escape counts inside quotes only and is dropped elsewhere; "" is a quote."""
    fields: list[str] = []
    field, quoted, position = "", False, 0
    while position < len(line):
        char, following = line[position], line[position + 1 : position + 2]
        if char == escape:
            if quoted and following in (quote, escape):
                field, position = field + following, position + 1
        elif char == quote:
            if quoted and following == quote:
                field, position = field + quote, position + 1
            else:
                quoted = not quoted
        elif char == separator and not quoted:
            fields, field = [*fields, field], ""
        else:
            field += char
        position += 1
    if quoted:
        raise csv.Error("a quoted field does not end in its line: OpenCSVSerde has no line breaks in fields")
    return [*fields, field]


def _open_csv_value(value: str, name: str, kind: Type) -> str:
    if kind not in _OPEN_CSV_TYPES:
        raise NotSupportedError(
            f"OpenCSVSerde has no type {kind} (column {name}): declare it as string and cast it in the query"
        )
    if kind == types.VARCHAR:
        return value
    if kind in (types.DATE, types.TIMESTAMP):  # days and milliseconds since 1970
        number = _strict(value, name, types.BIGINT)
        return (
            f"make_timestamp({number} * 1000)" if kind == types.TIMESTAMP else f"make_date(CAST({number} AS INTEGER))"
        )
    return _strict(value, name, kind)


def _strict(value: str, name: str, kind: Type) -> str:
    wanted = types.to_duckdb(kind)
    message = f"'Error parsing field value ''' || {value} || ''' for field {name}: not a value of {kind}'"
    cast = f"TRY_CAST({value} AS {wanted})"
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN {_well_formed(value, kind)} AND {cast} IS NOT NULL THEN {cast}"
        f" ELSE {failing('HIVE_BAD_DATA', message, wanted)} END"
    )


def _json(
    connection: "duckdb.DuckDBPyConnection",
    lines: str,
    columns: Sequence[tuple[str, Type]],
    options: Mapping[str, str],
) -> tuple[str, list[str]]:
    ignore = options.get("ignore.malformed.json", "false").lower() == "true"
    if options.get("case.insensitive", "true").lower() != "true":
        raise NotSupportedError("case.insensitive = false is not supported by the local Athena")

    def split(line: str) -> list[str | None]:
        try:
            members = _members(json.loads(line, parse_float=str, parse_int=str))
        except ValueError as error:
            if ignore:
                return [None] * len(columns)
            raise ValueError(f"Row is not a valid JSON Object - JSONException: {error}") from error
        return [_json_text(members.get(name), kind) for name, kind in columns]

    name = _register(connection, split)
    source = f"(SELECT {name}(line) AS f, file_index FROM {lines} WHERE trim(line) <> '')"  # noqa: S608
    return source, [_json_value(f"f[{position}]", *column) for position, column in enumerate(columns, 1)]


def _json_value(value: str, name: str, kind: Type) -> str:
    if isinstance(kind, Varchar):
        return value if kind.length is None else f"left({value}, {kind.length})"
    if isinstance(kind, Array | Map | Row):
        return f"CAST(CAST({value} AS JSON) AS {types.to_duckdb(kind)})"
    return _strict(value, name, kind)


def _json_text(value: Any, kind: Type) -> str | None:
    """A JSON value as the text that its column is read from."""
    if value is None:
        return None
    if isinstance(kind, Array | Map | Row):
        return json.dumps(_shaped(value, kind))
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _shaped(value: Any, kind: Type) -> Any:
    """A JSON value with every field of its rows, in lower case, and its leaves as texts."""
    if value is None:
        return None
    if isinstance(kind, Array) and isinstance(value, list):
        return [_shaped(each, kind.element) for each in value]
    if isinstance(kind, Map) and isinstance(value, dict):
        return {key: _shaped(each, kind.value) for key, each in value.items()}
    if isinstance(kind, Row):
        members = _members(value)
        fields = zip(types.duckdb_fields(kind), kind.fields, strict=True)
        return {name: _shaped(members.get(name), field) for name, (_, field) in fields}
    if isinstance(kind, Array | Map):
        raise ValueError(f"{value!r} is no value of {kind}")  # noqa: TRY004 (of the data, not of this program)
    return _json_text(value, kind)


def _members(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no object")  # noqa: TRY004 (of the data, not of this program)
    return {key.lower(): each for key, each in value.items()}
