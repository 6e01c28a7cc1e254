"""Casts from and to JSON, whose values are held as text (https://trino.io/docs/current/functions/json.html)."""

from collections.abc import Callable

from local.athena.compiler.typed import Typed, let
from local.athena.errors import NotSupportedError, failing
from local.athena.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    JSON,
    REAL,
    TIMESTAMP,
    VARCHAR,
    Array,
    Decimal,
    Map,
    Row,
    Type,
    Varchar,
    duckdb_fields,
    is_integer,
    is_numeric,
    is_text,
    literal,
    quote,
    to_duckdb,
)

Cast = Callable[[Typed, Type], Typed]


def from_json(value: Typed, target: Type, cast: Cast) -> str:
    """SQL of `CAST(json AS target)`; `cast` casts what is not JSON. Raises KeyError if Trino has no such cast."""
    if isinstance(target, Array):
        return let([value], lambda x: _when(x, "ARRAY", target, _to_array(x, target, cast)))
    if isinstance(target, Map):
        return let([value], lambda x: _when(x, "OBJECT", target, _to_map(x, target, cast)))
    if isinstance(target, Row):
        return let([value], lambda x: _to_row(x, target, cast))
    if target == BOOLEAN or is_numeric(target) or isinstance(target, Varchar):
        return let([value], lambda x: _to_scalar(x, target, cast))
    raise KeyError(target)


def _refused(sql: str, target: Type) -> str:
    return failing("INVALID_CAST_ARGUMENT", f"'Cannot cast ''' || {sql} || ''' to {target}'", to_duckdb(target))


def _when(sql: str, kind: str, target: Type, converted: str) -> str:
    return (
        f"CASE WHEN {sql} IS NULL OR json_type({sql}) = 'NULL' THEN NULL"
        f" WHEN json_type({sql}) = '{kind}' THEN {converted} ELSE {_refused(sql, target)} END"
    )


def _element(sql: str, target: Type, cast: Cast) -> str:
    """A nested value, which DuckDB holds in its own JSON type."""
    inner = Typed(f"CAST({sql} AS VARCHAR)", JSON)
    return inner.sql if target == JSON else cast(inner, target).sql


def _to_array(sql: str, target: Array, cast: Cast) -> str:
    return f"list_transform(CAST(CAST({sql} AS JSON) AS JSON[]), lambda item: {_element('item', target.element, cast)})"


def _to_map(sql: str, target: Map, cast: Cast) -> str:
    key = cast(Typed("entry.key", VARCHAR), target.key).sql
    pair = f"{{'key': {key}, 'value': {_element('entry.value', target.value, cast)}}}"
    entries = f"map_entries(CAST(CAST({sql} AS JSON) AS MAP(VARCHAR, JSON)))"
    return f"map_from_entries(list_transform({entries}, lambda entry: {pair}))"


def _to_row(sql: str, target: Row, cast: Cast) -> str:
    """From an object by the fields' names, in any case, or from an array of as many items by position."""
    entries = f"map_entries(CAST(CAST({sql} AS JSON) AS MAP(VARCHAR, JSON)))"
    packs = []
    for by_name in (True, False):
        parts = []
        for i, (held, (name, kind)) in enumerate(zip(duckdb_fields(target), target.fields, strict=True)):
            named = f"list_filter({entries}, lambda field: lower(field.key) = {literal(name or '')})[1].value"
            item = named if by_name else f"json_extract({sql}, '$[{i}]')"
            parts.append(f"{quote(held)} := {_element(item, kind, cast)}")
        packs.append(f"struct_pack({', '.join(parts)})")
    count = len(target.fields)
    named = "false" if target.fields[0][0] is None else "true"
    return (
        f"CASE WHEN {sql} IS NULL OR json_type({sql}) = 'NULL' THEN NULL"
        f" WHEN json_type({sql}) = 'OBJECT' AND {named} THEN {packs[0]}"
        f" WHEN json_type({sql}) = 'ARRAY' AND json_array_length({sql}) = {count} THEN {packs[1]}"
        f" ELSE {_refused(sql, target)} END"
    )


def _to_scalar(sql: str, target: Type, cast: Cast) -> str:
    text = f"json_extract_string({sql}, '$')"
    double = cast(Typed(f"CAST({text} AS DOUBLE)", DOUBLE), target).sql
    truth = cast(Typed(f"({text} = 'true')", BOOLEAN), target).sql
    plain = cast(Typed(text, VARCHAR), target).sql
    if target == BOOLEAN:
        plain = f"CASE json_type({sql}) WHEN 'VARCHAR' THEN {plain} ELSE CAST({text} AS DOUBLE) <> 0 END"
    return (
        f"CASE json_type({sql}) WHEN 'NULL' THEN NULL WHEN 'DOUBLE' THEN {double} WHEN 'BOOLEAN' THEN {truth}"
        f" WHEN 'ARRAY' THEN {_refused(sql, target)} WHEN 'OBJECT' THEN {_refused(sql, target)} ELSE {plain} END"
    )


def to_json(value: Typed, as_text: Callable[[Typed], str]) -> str:
    """SQL of `CAST(value AS json)`. Raises KeyError if Trino has no such cast."""
    return let([value], lambda x: _text(Typed(x, value.type), as_text))


def _text(value: Typed, as_text: Callable[[Typed], str]) -> str:  # noqa: PLR0911 (one for each kind of type)
    kind, sql = value.type, value.sql
    if kind == JSON:
        return sql
    if isinstance(kind, Array):
        items = f"list_transform({sql}, lambda item: coalesce({_text(Typed('item', kind.element), as_text)}, 'null'))"
        return f"('[' || array_to_string({items}, ',') || ']')"
    if isinstance(kind, Map):
        return _map_text(sql, kind, as_text)
    if isinstance(kind, Row):
        return _row_text(sql, kind, as_text)
    if isinstance(kind, Varchar):
        return f"CAST(to_json({sql}) AS VARCHAR)"
    if kind in (DATE, TIMESTAMP):
        return f"('\"' || {as_text(value)} || '\"')"
    if kind in (DOUBLE, REAL):
        scientific = as_text(value)
        return (
            f"CASE WHEN {sql} = 0 THEN '0.0' WHEN NOT isfinite({sql}) THEN '\"' || {scientific} || '\"'"
            f" WHEN abs({sql}) >= 1e-3 AND abs({sql}) < 1e7 THEN CAST({sql} AS VARCHAR) ELSE {scientific} END"
        )
    if kind == BOOLEAN or is_integer(kind) or isinstance(kind, Decimal):
        return as_text(value)
    raise KeyError(kind)


def _map_text(sql: str, kind: Map, as_text: Callable[[Typed], str]) -> str:
    if not (is_text(kind.key) or is_integer(kind.key) or kind.key == BOOLEAN):
        raise KeyError(kind)
    pair = (
        f"{{'key': {as_text(Typed('entry.key', kind.key))},"
        f" 'value': coalesce({_text(Typed('entry.value', kind.value), as_text)}, 'null')}}"
    )
    pairs = f"list_sort(list_transform(map_entries({sql}), lambda entry: {pair}))"
    items = f"list_transform({pairs}, lambda entry: CAST(to_json(entry.key) AS VARCHAR) || ':' || entry.value)"
    return f"('{{' || array_to_string({items}, ',') || '}}')"


def _row_text(sql: str, kind: Row, as_text: Callable[[Typed], str]) -> str:
    parts = []
    for held, (name, field) in zip(duckdb_fields(kind), kind.fields, strict=True):
        if name is None:
            raise NotSupportedError(
                "Casting a row without field names to json is not supported; cast it to named fields"
            )
        text = _text(Typed(f"({sql}).{quote(held)}", field), as_text)
        parts.append(f"to_json({literal(name)}) || ':' || coalesce({text}, 'null')")
    joined = " || ',' || ".join(parts)
    return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {joined} || '}}' END"
