"""Text files as a table's columns: lines split by LazySimpleSerDe, OpenCSVSerde or a JSON SerDe, then read as types."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from local.athena import formats, types
from local.athena.catalog import Storage, Table
from local.athena.errors import RAISED, NotSupportedError, failing
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
_INTEGER = "[+-]?([0-9]+([.][0-9]*)?|[.][0-9]*)"
_DATE = r"\d{4}-\d{1,2}-\d{1,2}"
_TIMESTAMP = rf"{_DATE} \d{{1,2}}:\d{{1,2}}:\d{{1,2}}([.]\d{{1,9}})?"
_LEADING = 2  # opencsv takes quotes in a line's first characters for what they are
_OPEN_CSV_TYPES = (types.VARCHAR, types.BOOLEAN, types.INTEGER, types.BIGINT, types.DOUBLE, types.DATE, types.TIMESTAMP)


def reader(  # noqa: PLR0917 (the table's rows)
    connection: "duckdb.DuckDBPyConnection",
    urls: Sequence[str],
    columns: Sequence[tuple[str, Type]],
    storage: Storage,
    table: Table,
    used: frozenset[str],
) -> tuple[str, dict[str, str]]:
    """DuckDB SQL of a relation over the files' lines, and the expression over it of each table column that is used.

    Values are read as Trino's readers of lines do, which are "bug for bug compatible" with the SerDes
    (lib/trino-hive-formats of Trino's source).

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
    wanted = {position: column for position, column in enumerate(columns) if column[0] in used}
    if storage.serde in formats.JSON:
        source, values = _json(connection, lines, wanted, options, storage.serde)
    elif storage.serde == formats.CSV.serde:
        lenient = table.parameters.get("use.null.for.invalid.data", "false").lower() == "true"
        source, values = _open_csv(connection, lines, wanted, options, lenient)
    else:
        source, values = _lazy(connection, lines, wanted, options)
    return source, dict(zip((name for name, _ in wanted.values()), values, strict=True))


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
    from duckdb.func import FunctionNullHandling, PythonUDFType

    counted = connection.execute(
        "SELECT count(*) FROM duckdb_functions() WHERE starts_with(function_name, 'nightlake_split_')"
    ).fetchone()
    name = f"nightlake_split_{counted[0] if counted else 0}"
    text = duckdb.sqltype("VARCHAR")

    def apply(lines: Any) -> Any:
        import pyarrow as pa

        return pa.array([split(line) for line in lines.to_pylist()], pa.list_(pa.string()))

    connection.create_function(
        name,
        apply,
        [text],
        duckdb.list_type(text),
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    return name


_Columns = Mapping[int, tuple[str, Type]]
"""The columns that a query uses, by their places."""


def _lazy(
    connection: "duckdb.DuckDBPyConnection", lines: str, columns: _Columns, options: Mapping[str, str]
) -> tuple[str, list[str]]:
    """LazySimpleSerDe: no quotes, `\\N` is NULL, what is no number is NULL, missing fields are NULL."""
    delimiter = options.get("field.delim") or options.get("serialization.format") or "\x01"
    delimiter = "\x01" if delimiter == "1" else delimiter
    if options.get("line.delim", "\n") != "\n":
        raise NotSupportedError("LazySimpleSerDe with other line ends is not supported by the local Athena")
    null, escape = options.get("serialization.null.format", "\\N"), options.get("escape.delim")
    split = f"string_split(line, {literal(delimiter)})"
    shown = [f"nullif(f[{position + 1}], {literal(null)})" for position in columns]
    if escape:
        last = max(columns, default=-1)
        texts = [place in columns and isinstance(columns[place][1], Varchar) for place in range(last + 1)]
        name = _register(connection, lambda line: split_escaped(line, delimiter, escape, null, texts))
        split, shown = f"{name}(line)", [f"f[{position + 1}]" for position in columns]
    source = f"(SELECT {split} AS f, file_index FROM {lines})"  # noqa: S608
    return source, [_lenient(value, kind) for value, (_, kind) in zip(shown, columns.values(), strict=True)]


def split_escaped(line: str, delimiter: str, escape: str, null: str, texts: Sequence[bool]) -> list[str | None]:
    """A line's fields, where an escaped delimiter is none; those that are `texts` without their escapes."""
    fields, start, position = [], 0, 0
    while position < len(line):
        if line[position] == escape:
            position += 1
        elif line[position] == delimiter:
            fields.append(line[start:position])
            start = position + 1
        position += 1
    fields.append(line[start:])
    escaped = re.compile(re.escape(escape) + "(.)", re.DOTALL)
    return [
        None if field == null else escaped.sub(r"\1", field) if text else field
        for field, text in zip(fields, texts, strict=False)
    ]


def _lenient(value: str, kind: Type) -> str:
    if isinstance(kind, Varchar):
        return value if kind.length is None else f"left({value}, {kind.length})"
    return f"CASE WHEN {_well_formed(value, kind, fraction=True)} THEN {_read(value, kind)} END"


def _read(value: str, kind: Type) -> str:
    """A well-formed text as a value, NULL where that is out of range."""
    if kind in types.INTEGERS:  # what stands behind the point is dropped
        whole = f"regexp_replace({value}, '^([+-]?)([0-9]*).*$', '\\10\\2')"
        return f"TRY_CAST({whole} AS {types.to_duckdb(kind)})"
    if kind == types.TIMESTAMP:
        return f"nightlake_milliseconds(TRY_CAST({value} AS TIMESTAMP))"
    if kind == types.DATE:
        return _lenient_date(value)
    return f"TRY_CAST({value} AS {types.to_duckdb(kind)})"


def _lenient_date(value: str) -> str:
    """A date as Hive reads it: February 31 is March 3. A month 13 or a day 32 is refused: Hive's versions differ."""
    year, month, day = (f"CAST(split_part({value}, '-', {part}) AS BIGINT)" for part in (1, 2, 3))
    told = f"'The date ' || {value} || ' is not supported by the local Athena: there is no such month or day'"
    return (
        f"CASE WHEN {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31"
        f" THEN make_date({year}, {month}, 1) + CAST({day} - 1 AS INTEGER)"
        f" ELSE {failing('NOT_SUPPORTED', told, 'DATE')} END"
    )


def _well_formed(value: str, kind: Type, *, fraction: bool = False) -> str:
    """The condition that a text is a value of the type in Hive's spelling; with `fraction` `1.5` is an integer."""
    if kind in types.INTEGERS:
        return f"regexp_full_match({value}, {literal(_INTEGER if fraction else '[+-]?[0-9]+')})"
    if isinstance(kind, Decimal) or kind in (types.REAL, types.DOUBLE):
        return f"regexp_full_match({value}, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|NaN|-?Infinity')"
    patterns = {types.BOOLEAN: "(?i)true|false", types.DATE: _DATE, types.TIMESTAMP: _TIMESTAMP}
    if kind not in patterns:
        raise NotSupportedError(f"Columns of type {kind} in text files are not supported by the local Athena")
    return f"regexp_full_match({value}, {literal(patterns[kind])})"


def _open_csv(
    connection: "duckdb.DuckDBPyConnection",
    lines: str,
    columns: _Columns,
    options: Mapping[str, str],
    lenient: bool,
) -> tuple[str, list[str]]:
    separator = options.get("separatorchar", ",")
    quote, escape = options.get("quotechar", '"'), options.get("escapechar", "\\")
    escape = "\\" if escape == '"' else escape  # so OpenCSVSerde
    name = _register(connection, csv_splitter(separator, quote, escape))
    special = " OR ".join(f"contains(line, {literal(char)})" for char in {quote, escape})
    source = (
        f"(SELECT CASE WHEN line = '' THEN CAST([] AS VARCHAR[]) WHEN {special} THEN {name}(line)"  # noqa: S608
        f" ELSE string_split(line, {literal(separator)}) END AS f, file_index FROM {lines})"
    )
    return source, [
        _open_csv_value(f"f[{position + 1}]", position, column, lenient) for position, column in columns.items()
    ]


def csv_splitter(separator: str, quote: str, escape: str) -> Callable[[str], list[str]]:
    """`split_csv` that is quicker with lines whose quotes only enclose whole fields."""
    s, q, e = (re.escape(char) for char in (separator, quote, escape))
    field = rf"(?:{q}([^{q}{e}]*){q}|([^{q}{e}{s}]*))"
    distinct = len({separator, quote, escape}) == 3  # noqa: PLR2004
    plain, fields = re.compile(rf"{field}(?:{s}{field})*"), re.compile(rf"(?:^|{s}){field}")

    def split(line: str) -> list[str]:
        if distinct and plain.fullmatch(line):
            return [enclosed or bare for enclosed, bare in fields.findall(line)]
        return split_csv(line, separator, quote, escape)

    return split


def split_csv(line: str, separator: str, quote: str, escape: str) -> list[str]:
    """One line as OpenCSVSerde splits it; a field whose quotes do not end in its line is left out.

    Source: CsvDeserializer of Trino, "bug for bug compatible with OpenCSVSerde".
    """
    fields: list[str] = []
    field, quoted, inside, position = "", False, False, 0
    while position < len(line):
        char, following = line[position], line[position + 1 : position + 2]
        if char == escape:
            if (quoted or inside) and following in (quote, escape) and following:
                field, position = field + following, position + 1
        elif char == quote:
            if (quoted or inside) and following == quote:
                field, position = field + quote, position + 1
            else:
                if position > _LEADING and line[position - 1] != separator and following and following != separator:
                    field = "" if field and field.isspace() else field + quote
                quoted = not quoted
            inside = not inside
        elif char == separator and not quoted:
            fields, field, inside = [*fields, field], "", False
        else:
            field, inside = field + char, True
        position += 1
    return fields if quoted else [*fields, field]


def _open_csv_value(value: str, place: int, column: tuple[str, Type], lenient: bool) -> str:
    name, kind = column
    if kind not in _OPEN_CSV_TYPES:
        raise NotSupportedError(
            f"OpenCSVSerde has no type {kind} (column {name}): declare it as string and cast it in the query"
        )
    if kind == types.VARCHAR:
        return value
    read = types.BIGINT if kind in (types.DATE, types.TIMESTAMP) else kind
    number = _strict(value, place, read)
    if lenient:
        number = f"CASE WHEN {_well_formed(value, read)} THEN TRY_CAST({value} AS {types.to_duckdb(read)}) END"
    if kind == types.TIMESTAMP:  # milliseconds since 1970
        return f"make_timestamp({number} * 1000)"
    return f"make_date(CAST({number} AS INTEGER))" if kind == types.DATE else number  # days since 1970


def _strict(value: str, place: int, kind: Type) -> str:
    wanted = types.to_duckdb(kind)
    message = f"""'Error parsing field value \'\'' || {value} || '\'\' for field {place}"""
    message += f""": For input string: "' || {value} || '"'"""
    cast = f"TRY_CAST({value} AS {wanted})"
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN {_well_formed(value, kind)} AND {cast} IS NOT NULL THEN {cast}"
        f" ELSE {failing('HIVE_BAD_DATA', message, wanted)} END"
    )


def _json(
    connection: "duckdb.DuckDBPyConnection", lines: str, columns: _Columns, options: Mapping[str, str], serde: str
) -> tuple[str, list[str]]:
    ignore = options.get("ignore.malformed.json", "false").lower() == "true"
    if options.get("case.insensitive", "true").lower() != "true":
        raise NotSupportedError("case.insensitive = false is not supported by the local Athena")
    openx = serde == formats.OPENX.serde

    def split(line: str) -> list[str | None]:
        if openx and not line.strip().startswith(("{", "[")):
            return [None] * len(columns)
        try:
            members = _members(json.loads(line, parse_float=_Number, parse_int=_Number))
        except ValueError as error:
            if ignore:
                return [None] * len(columns)
            raise ValueError(
                f"{RAISED}HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: {error}"
            ) from error
        return [_json_text(members.get(name), kind) for name, kind in columns.values()]

    name = _register(connection, split)
    # A row that is no JSON fails the query also where no column of it is used.
    kept = "line IS NOT NULL" if openx else "trim(line) <> ''"
    kept += "" if columns else f" AND {name}(line) IS NOT NULL"
    source = f"(SELECT {name}(line) AS f, file_index FROM {lines} WHERE {kept})"  # noqa: S608
    return source, [
        _json_value(f"f[{at}]", position, kind) for at, (position, (_, kind)) in enumerate(columns.items(), 1)
    ]


def _json_value(value: str, place: int, kind: Type) -> str:
    if isinstance(kind, Varchar):
        return value if kind.length is None else f"left({value}, {kind.length})"
    if isinstance(kind, Array | Map | Row):
        return f"CAST(CAST({value} AS JSON) AS {types.to_duckdb(kind)})"
    return _strict(value, place, kind)


def _json_text(value: Any, kind: Type) -> str | None:
    """A JSON value as the text that its column is read from."""
    if value is None:
        return None
    if isinstance(kind, Array | Map | Row):
        return json.dumps(_shaped(value, kind))
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else _dumped(value)


class _Number(str):
    """A number of a JSON text as it is written there."""

    __slots__ = ()


def _dumped(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_dumped(key)}:{_dumped(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


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
        raise ValueError(f"{RAISED}HIVE_BAD_DATA: {value!r} is no value of {kind}")  # noqa: TRY004 (of the data, not of this program)
    return _json_text(value, kind)


def _members(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no object")  # noqa: TRY004 (of the data, not of this program)
    return {key.lower(): each for key, each in value.items()}
