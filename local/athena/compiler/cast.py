"""Coercions and casts with Trino's rounding, formats and errors."""

from collections.abc import Callable

from local.athena.compiler.json_cast import from_json, to_json
from local.athena.compiler.typed import Typed, let, null
from local.athena.errors import TypeMismatchError, failing
from local.athena.short_decimals import DIGITS, where_short
from local.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL_DAY,
    INTERVAL_YEAR,
    JSON,
    REAL,
    SMALLINT,
    TIME,
    TIMESTAMP,
    TIMESTAMP_TZ,
    TINYINT,
    UNKNOWN,
    VARCHAR,
    Array,
    Char,
    Decimal,
    Map,
    Row,
    Type,
    Varchar,
    as_decimal,
    duckdb_fields,
    is_integer,
    is_numeric,
    is_text,
    quote,
    to_duckdb,
)

_SHORT_DECIMAL = 15  # so many digits a double holds exactly
_INTEGER_NAMES = {TINYINT: "TINYINT", SMALLINT: "SMALLINT", INTEGER: "INT", BIGINT: "BIGINT"}
_DATE = r"\s*[+-]?\d{4,}-\d{1,2}-\d{1,2}\s*"
_TIME = r"([01]?\d|2[0-3]):\d{1,2}(:\d{1,2}(\.\d+)?)?"
_TIMESTAMP = rf"\s*\d{{4,}}-\d{{1,2}}-\d{{1,2}}( {_TIME})?\s*"


def coerce(value: Typed, target: Type) -> Typed:
    """`value` as `target`, where Trino does so unasked: nothing is lost."""
    source = value.type
    if source == target:
        return value
    if source == UNKNOWN:
        return null(target)
    if isinstance(target, Char):
        return (
            value.as_type(target)
            if value.sql == ""
            else _replaced(value, f"rpad({value.sql}, {target.length}, ' ')", target)
        )
    if is_text(source) and is_text(target):
        return value.as_type(target)
    if isinstance(target, Array | Map | Row):
        return _nested(value, target, coerce)
    return _replaced(value, _widened(value, target), target)


def _replaced(value: Typed, sql: str, target: Type) -> Typed:
    keeps = is_numeric(target) and value.is_literal
    return Typed(sql, target, value.value if keeps else None, is_literal=keeps, once=value.once)


def _widened(value: Typed, target: Type) -> str:
    source = value.type
    if target == TIMESTAMP_TZ:
        return f"CASE WHEN {value.sql} IS NOT NULL THEN {_with_zone(value.sql)} END"
    if isinstance(source, Decimal) and target in (REAL, DOUBLE) and source.precision > _SHORT_DECIMAL:
        return let([value], lambda x: _nearest(x, source, target))
    return f"CAST({value.sql} AS {to_duckdb(target)})"


def _nearest(sql: str, source: Decimal, target: Type) -> str:
    """The double or real that is nearest to a decimal."""
    long = f"CAST(CAST({sql} AS VARCHAR) AS {to_duckdb(target)})"
    return where_short([(sql, source, _SHORT_DECIMAL)], lambda short: f"CAST({short} AS {to_duckdb(target)})", long)


def _with_zone(sql: str) -> str:
    return f"struct_pack(instant := CAST({sql} AS TIMESTAMP), zone := 'UTC')"


def _nested(value: Typed, target: Type, convert: Callable[[Typed, Type], Typed]) -> Typed:
    """An array, map or row whose parts `convert` turns into those of `target`."""
    source = value.type
    if to_duckdb(source) == to_duckdb(target) and convert is coerce and not _has_char(target):
        return value.as_type(target)
    if isinstance(source, Array) and isinstance(target, Array):
        body = convert(Typed("element", source.element), target.element)
        return Typed(f"list_transform({value.sql}, lambda element: {body.sql})", target, once=value.once)
    if isinstance(source, Map) and isinstance(target, Map):
        key = convert(Typed("entry.key", source.key), target.key).sql
        item = convert(Typed("entry.value", source.value), target.value).sql
        pairs = f"list_transform(map_entries({value.sql}), lambda entry: {{'key': {key}, 'value': {item}}})"
        return Typed(f"map_from_entries({pairs})", target, once=value.once)
    if isinstance(source, Row) and isinstance(target, Row) and len(source.fields) == len(target.fields):
        parts = list(zip(duckdb_fields(source), source.fields, duckdb_fields(target), target.fields, strict=True))

        def body_of(sql: str) -> str:
            packed = ", ".join(
                f"{quote(new)} := {convert(Typed(f'({sql}).{quote(old)}', kind), wanted).sql}"
                for old, (_, kind), new, (_, wanted) in parts
            )
            return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({packed}) END"

        return Typed(let([value], body_of), target, once=value.once)
    raise TypeMismatchError(f"Cannot cast {source} to {target}")


def _has_char(kind: Type) -> bool:
    if isinstance(kind, Array):
        return _has_char(kind.element)
    if isinstance(kind, Map):
        return _has_char(kind.key) or _has_char(kind.value)
    if isinstance(kind, Row):
        return any(_has_char(field) for _, field in kind.fields)
    return isinstance(kind, Char)


def cast(value: Typed, target: Type, position: tuple[int, int] | None = None) -> Typed:
    """`CAST(value AS target)`. Raises TypeMismatchError if Trino has no such cast."""
    source = value.type
    if source == target:
        return value
    if source == UNKNOWN:
        return null(target)
    try:
        if isinstance(target, Array | Map | Row) and source != JSON:
            return _nested(value, target, cast)
        sql = _cast_sql(value, target)
    except (KeyError, TypeMismatchError):
        raise TypeMismatchError(f"Cannot cast {source} to {target}", position) from None
    return Typed(sql, target, once=value.once)


def _cast_sql(value: Typed, target: Type) -> str:  # noqa: C901, PLR0911 (one line for each kind of type)
    if value.type == JSON:
        return from_json(value, target, cast)
    if target == JSON:
        return to_json(value, as_text)
    if is_text(target):
        return _to_text(value, target)
    if is_text(value.type):
        value = _trimmed(value)
    if target == BOOLEAN:
        return _to_boolean(value)
    if is_integer(target):
        return _to_integer(value, target)
    if isinstance(target, Decimal):
        return _to_decimal(value, target)
    if target in (REAL, DOUBLE):
        return _to_double(value, target)
    if target in (DATE, TIME, TIMESTAMP, TIMESTAMP_TZ):
        return _to_temporal(value, target)
    if target.name == "varbinary" and is_text(value.type):
        return f"encode({value.sql})"
    raise KeyError(target)


def _trimmed(value: Typed) -> Typed:
    return Typed(f"rtrim({value.sql}, ' ')", VARCHAR, once=value.once) if isinstance(value.type, Char) else value


def _or_fail(tried: str, sql: str, message: str, target: Type, code: str = "INVALID_CAST_ARGUMENT") -> str:
    """`tried`, which is NULL where it does not work, or an error if `sql` is not NULL."""
    failure = failing(code, message, to_duckdb(target))
    return f"coalesce({tried}, CASE WHEN {sql} IS NOT NULL THEN {failure} END)"


def _shown(sql: str) -> str:
    return f"CAST({sql} AS VARCHAR)"


def _to_boolean(value: Typed) -> str:
    if is_text(value.type):
        return let([value], _text_to_boolean)
    if is_numeric(value.type):
        return f"({value.sql} <> 0)"
    raise KeyError(value.type)


def _text_to_boolean(sql: str) -> str:
    yes, no = f"lower({sql}) IN ('t', 'true', '1')", f"lower({sql}) IN ('f', 'false', '0')"
    words = f"CASE WHEN {yes} THEN TRUE WHEN {no} THEN FALSE END"
    return _or_fail(words, sql, f"'Cannot cast ''' || {sql} || ''' to BOOLEAN'", BOOLEAN)


def _to_integer(value: Typed, target: Type) -> str:
    kind, shown = to_duckdb(target), _INTEGER_NAMES[target]
    source = value.type
    if source == BOOLEAN or (is_integer(source) and _narrower(source, target)):
        return f"CAST({value.sql} AS {kind})"
    if is_integer(source):
        out = "NUMERIC_VALUE_OUT_OF_RANGE"
        return let(
            [value],
            lambda x: _or_fail(f"TRY_CAST({x} AS {kind})", x, f"'Out of range for {target}: ' || {x}", target, out),
        )
    if is_text(source):
        return let(
            [value],
            lambda x: _or_fail(
                f"CASE WHEN CAST(TRY_CAST({x} AS {kind}) AS VARCHAR) = {x}"  # as most are written; the rest is checked
                f" OR regexp_full_match({x}, '[+-]?[0-9]+') THEN TRY_CAST({x} AS {kind}) END",
                x,
                f"'Cannot cast ''' || {x} || ''' to {shown}'",
                target,
            ),
        )
    if isinstance(source, Decimal):
        return let(
            [value],
            lambda x: _or_fail(_rescaled(x, source, target), x, f"'Cannot cast ''' || {x} || ''' to {shown}'", target),
        )
    if source in (REAL, DOUBLE):
        message = f"'Unable to cast ' || nightlake_double_text({{0}}) || ' to {target}'"
        return let(
            [value],
            lambda x: _or_fail(
                f"CASE WHEN isfinite({x}) THEN TRY_CAST(round({x}) AS {kind}) END", x, message.format(x), target
            ),
        )
    raise KeyError(source)


def _rescaled(sql: str, source: Decimal, target: Type) -> str:
    """A decimal as another type of numbers, NULL where it is too great for that."""
    long = f"TRY_CAST({sql} AS {to_duckdb(target)})"
    if source.precision <= DIGITS or not source.scale:
        return long
    return where_short([(sql, source, DIGITS)], lambda short: f"TRY_CAST({short} AS {to_duckdb(target)})", long)


def _narrower(source: Type, target: Type) -> bool:
    order = list(_INTEGER_NAMES)
    return order.index(source) <= order.index(target)


def _to_decimal(value: Typed, target: Decimal) -> str:
    kind, source = to_duckdb(target), value.type
    exact = as_decimal(source)
    where = f"DECIMAL({target.precision}, {target.scale})"
    if source == BOOLEAN:
        return f"CAST(CAST({value.sql} AS INTEGER) AS {kind})"
    if exact is not None:
        if exact.scale <= target.scale and exact.precision - exact.scale <= target.precision - target.scale:
            return f"CAST({value.sql} AS {kind})"
        name = source.name.upper() if exact is not source else f"DECIMAL({exact.precision}, {exact.scale})"
        message = f"'Cannot cast {name} ''' || {{0}} || ''' to {where}'"
        return let([value], lambda x: _or_fail(_rescaled(x, exact, target), x, message.format(x), target))
    if source in (REAL, DOUBLE):
        message = f"'Cannot cast {source.name.upper()} ''' || {{0}} || ''' to {where}'"
        return let(  # by its shortest text, as Java's BigDecimal.valueOf
            [value], lambda x: _or_fail(f"TRY_CAST(CAST({x} AS VARCHAR) AS {kind})", x, message.format(x), target)
        )
    if is_text(source):
        number = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
        message = f"'Cannot cast VARCHAR ''' || {{0}} || ''' to {where}'"
        return let(
            [value],
            lambda x: _or_fail(
                f"CASE WHEN regexp_full_match({x}, '{number}') THEN TRY_CAST({x} AS {kind}) END",
                x,
                message.format(x),
                target,
            ),
        )
    raise KeyError(source)


def _to_double(value: Typed, target: Type) -> str:
    kind, source = to_duckdb(target), value.type
    if source == BOOLEAN:
        return f"CAST(CAST({value.sql} AS INTEGER) AS {kind})"
    if (source, target) == (DOUBLE, REAL):  # beyond a float's range it is infinite, as in Java
        infinite = "CAST(CASE WHEN {0} > 0 THEN 'Infinity' ELSE '-Infinity' END AS FLOAT)"
        limit = "CAST(3.4028235677973366e38 AS DOUBLE)"
        return let(
            [value],
            lambda x: (
                f"CASE WHEN abs({x}) < {limit} OR isnan({x}) THEN TRY_CAST({x} AS FLOAT)"
                f" WHEN {x} IS NOT NULL THEN {infinite.format(x)} END"
            ),
        )
    if is_numeric(source):
        return _widened(value, target)
    if is_text(source):
        number = r"\s*([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?|NaN|[+-]?Infinity)\s*"
        return let(
            [value],
            lambda x: _or_fail(
                f"CASE WHEN regexp_full_match({x}, '{number}') THEN TRY_CAST(rtrim(trim({x}), 'dDfF') AS {kind}) END"
                if target == DOUBLE
                else f"CASE WHEN regexp_full_match({x}, '{number}') THEN CAST(trim({x}) AS {kind}) END",
                x,
                f"'Cannot cast ''' || {x} || ''' to {target.name.upper()}'",
                target,
            ),
        )
    raise KeyError(source)


def _to_temporal(value: Typed, target: Type) -> str:
    source = value.type
    if is_text(source):
        return let([value], lambda x: _text_to_temporal(x, target))
    if (source, target) in ((DATE, TIMESTAMP), (TIMESTAMP, DATE), (TIMESTAMP, TIME)):
        return f"CAST({value.sql} AS {to_duckdb(target)})"
    if target == TIMESTAMP_TZ and source in (DATE, TIMESTAMP):
        return _widened(value, target)
    if source == TIMESTAMP_TZ and target in (DATE, TIME, TIMESTAMP):
        return f"CAST(nightlake_local({value.sql}) AS {to_duckdb(target)})"
    raise KeyError(source)


def _text_to_temporal(sql: str, target: Type) -> str:
    message = f"'Value cannot be cast to {target.name.partition(' ')[0]}: ' || {sql}"
    if target == TIMESTAMP_TZ:
        return _or_fail(f"nightlake_zoned({sql})", sql, message, target)
    pattern = {DATE: _DATE, TIME: rf"\s*{_TIME}\s*", TIMESTAMP: _TIMESTAMP}[target]
    parsed = f"TRY_CAST(ltrim(trim({sql}), '+') AS {to_duckdb(target)})"
    if target == TIMESTAMP:
        parsed = (
            f"nightlake_milliseconds(TRY_CAST(CASE WHEN regexp_full_match(trim({sql}), '.*[ ][0-9]+:[0-9]+')"
            f" THEN trim({sql}) || ':00' ELSE trim({sql}) END AS TIMESTAMP))"
        )
    elif target == TIME:
        parsed = (
            f"TRY_CAST(CASE WHEN regexp_full_match(trim({sql}), '[0-9]+:[0-9]+')"
            f" THEN trim({sql}) || ':00' ELSE trim({sql}) END AS TIME)"
        )
    return _or_fail(f"CASE WHEN regexp_full_match({sql}, '{pattern}') THEN {parsed} END", sql, message, target)


def as_text(value: Typed) -> str:
    """SQL of `CAST(value AS varchar)`. Raises KeyError if Trino has no such cast."""
    source, sql = value.type, value.sql
    if is_text(source):
        return sql
    if isinstance(source, Decimal):  # DuckDB writes no zero before the point where the type has no digit there
        text = f"CAST({sql} AS VARCHAR)"
        return f"replace({text}, '.', '0.')" if source.precision == source.scale else text
    if source == BOOLEAN or is_integer(source):
        return f"CAST({sql} AS VARCHAR)"
    names = {
        DATE: "nightlake_date_text",
        DOUBLE: "nightlake_double_text",
        REAL: "nightlake_real_text",
        TIMESTAMP: "nightlake_timestamp_text",
        TIME: "nightlake_time_text",
        TIMESTAMP_TZ: "nightlake_zoned_text",
        INTERVAL_DAY: "nightlake_interval_day_text",
        INTERVAL_YEAR: "nightlake_interval_year_text",
    }
    return f"{names[source]}({sql})"


def _to_text(value: Typed, target: Type) -> str:
    if isinstance(target, Char) and not is_text(value.type):
        raise KeyError(value.type)
    text = as_text(value)
    length = target.length if isinstance(target, Varchar | Char) else None
    if length is None or (
        isinstance(value.type, Varchar) and isinstance(target, Varchar) and _fits(value.type, length)
    ):
        return text
    if isinstance(target, Char):
        return f"rpad({text}, {length}, ' ')"
    if is_text(value.type):
        return f"left({text}, {length})"
    whole = Typed(text, VARCHAR, once=value.once)
    failure = failing("INVALID_CAST_ARGUMENT", f"'Value ' || {{0}} || ' cannot be represented as {target}'", "VARCHAR")
    return let([whole], lambda x: f"CASE WHEN length({x}) > {length} THEN {failure.format(x)} ELSE {x} END")


def _fits(kind: Varchar, length: int) -> bool:
    return kind.length is not None and kind.length <= length
