"""Operators over numbers, times and intervals, and comparisons, as exact as Trino's."""

from local.athena.compiler.cast import coerce
from local.athena.compiler.keys import holds_float, order_key, same_key
from local.athena.compiler.typed import Typed, is_light, let
from local.athena.errors import NotSupportedError, TypeMismatchError, failing
from local.athena.short_decimals import DIGITS, rounded_quotient, short_product, where_short, where_short_quotient
from local.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTERVAL_DAY,
    INTERVAL_YEAR,
    MAX_DECIMAL,
    REAL,
    TIME,
    TIMESTAMP,
    TIMESTAMP_TZ,
    UNKNOWN,
    Array,
    Decimal,
    Map,
    Row,
    Type,
    as_decimal,
    common_super_type,
    decimal,
    duckdb_fields,
    is_integer,
    is_numeric,
    is_orderable,
    quote,
    to_duckdb,
)

Position = tuple[int, int] | None
_INTEGER_LIMIT = 37  # digits up to which three times a number fits 128 bits
_DAY = 86_400_000


def _mismatch(left: Type, operator: str, right: Type, position: Position) -> TypeMismatchError:
    return TypeMismatchError(f"Cannot apply operator: {left} {operator} {right}", position)


def arithmetic(operator: str, left: Typed, right: Typed, position: Position = None) -> Typed:
    """`left operator right` of + - * / %. Raises TypeMismatchError."""
    if left.type == UNKNOWN and is_numeric(right.type):
        left = coerce(left, right.type)
    elif right.type == UNKNOWN and is_numeric(left.type):
        right = coerce(right, left.type)
    once = left.once or right.once
    if is_numeric(left.type) and is_numeric(right.type):
        common = common_super_type(left.type, right.type)
        if common in (REAL, DOUBLE):
            left, right = coerce(left, common), coerce(right, common)
            return Typed(f"({left.sql} {operator} {right.sql})", common, once=once)
        if common is not None and is_integer(common):
            return Typed(_integers(operator, coerce(left, common), coerce(right, common)), common, once=once)
        return _decimals(operator, left, right)
    timed = _times(operator, left, right)
    if timed is None:
        raise _mismatch(left.type, operator, right.type, position)
    return Typed(timed[0], timed[1], once=once)


def _by_zero(kind: Type) -> str:
    return failing("DIVISION_BY_ZERO", "'Division by zero'", to_duckdb(kind))


def _divides(right: Typed) -> bool:
    """Whether a literal divisor is known not to be zero."""
    return right.is_literal and right.value is not None and right.value != 0


def _integers(operator: str, left: Typed, right: Typed) -> str:
    kind = to_duckdb(left.type)
    if operator in "+-*":
        return f"CAST({left.sql} {operator} {right.sql} AS {kind})"
    symbol = "//" if operator == "/" else "%"
    if _divides(right) and right.value != -1:
        return f"CAST({left.sql} {symbol} {right.sql} AS {kind})"
    # DuckDB's remainder of the least number by -1 overflows
    one = f" WHEN {{b}} = -1 AND {{a}} IS NOT NULL THEN CAST(0 AS {kind})" if symbol == "%" else ""
    return let(
        [left, right],
        lambda a, b: (
            f"CASE WHEN {b} = 0 THEN {_by_zero(left.type)}{one.format(a=a, b=b)}"
            f" ELSE CAST({a} {symbol} {b} AS {kind}) END"
        ),
    )


def _decimals(operator: str, left: Typed, right: Typed) -> Typed:
    a, b = as_decimal(left.type), as_decimal(right.type)
    assert a is not None  # noqa: S101
    assert b is not None  # noqa: S101
    scale = max(a.scale, b.scale)
    whole = max(a.precision - a.scale, b.precision - b.scale)
    once = left.once or right.once
    if operator in "+-":
        kind = decimal(min(MAX_DECIMAL, whole + scale + 1), scale)
        held = to_duckdb(kind)
        return Typed(
            f"CAST(CAST({left.sql} AS {held}) {operator} CAST({right.sql} AS {held}) AS {held})", kind, once=once
        )
    if operator == "*":
        return _product(left, a, right, b)
    if operator == "/":
        return Typed(*_quotient(left, a, right, b), once=once)
    kind = decimal(min(MAX_DECIMAL, min(a.precision - a.scale, b.precision - b.scale) + scale), scale)
    return Typed(_remainder(left, a, right, b, kind), kind, once=once)


def _remainder(left: Typed, a: Decimal, right: Typed, b: Decimal, kind: Decimal) -> str:
    whole = max(a.precision - a.scale, b.precision - b.scale)
    held, result = f"DECIMAL({min(MAX_DECIMAL, whole + kind.scale)},{kind.scale})", to_duckdb(kind)

    def rest(x: str, y: str) -> str:
        if whole + kind.scale > MAX_DECIMAL:
            long = f"nightlake_modulo(CAST({x} AS VARCHAR), CAST({y} AS VARCHAR))"
        else:
            long = f"CAST({x} AS {held}) % CAST({y} AS {held})"
        if whole + kind.scale <= DIGITS:
            return long
        operands = [(sql, of, DIGITS - kind.scale + of.scale) for sql, of in ((x, a), (y, b))]
        return where_short(operands, short, f"CAST({long} AS {result})")

    def short(x: str, y: str) -> str:
        same = f"DECIMAL({DIGITS},{kind.scale})"
        return f"CAST(CAST({x} AS {same}) % CAST({y} AS {same}) AS {result})"

    return let(
        [left, right],
        lambda x, y: f"CASE WHEN {y} = 0 THEN {_by_zero(kind)} ELSE CAST({rest(x, y)} AS {result}) END",
    )


def _product(left: Typed, a: Decimal, right: Typed, b: Decimal) -> Typed:
    precision, scale = min(MAX_DECIMAL, a.precision + b.precision), a.scale + b.scale
    if scale > MAX_DECIMAL:
        raise TypeMismatchError(f"DECIMAL scale must be in range [0, precision ({precision})]: {scale}")
    kind = decimal(precision, scale)
    wide = max(a.precision, DIGITS + 1) if precision > DIGITS else a.precision
    one, other = f"CAST({left.sql} AS DECIMAL({wide},{a.scale}))", f"CAST({right.sql} AS {to_duckdb(b)})"
    sql = f"CAST({one} * {other} AS {to_duckdb(kind)})"
    factors = (*(left.factors or (left,)), *(right.factors or (right,)))
    if not is_light(*factors):
        return Typed(sql, kind, once=left.once or right.once)
    if precision > DIGITS:
        short = short_product([(each.sql, as_decimal(each.type) or kind) for each in factors])
        sql = f"coalesce(CAST({short} AS {to_duckdb(kind)}), {sql})" if short else sql
    return Typed(sql, kind, factors=factors)


def _quotient(left: Typed, a: Decimal, right: Typed, b: Decimal) -> tuple[str, Decimal]:
    """Rounded half up, by integers: `left * 10^(scale + b.scale)` by `right * 10^b.scale`."""
    scale = max(a.scale, b.scale)
    kind = decimal(min(MAX_DECIMAL, a.precision + b.scale + max(b.scale - a.scale, 0)), scale)
    held = to_duckdb(kind)

    def wide(x: str, y: str) -> str:
        text = f"nightlake_divide(CAST({x} AS VARCHAR), CAST({y} AS VARCHAR), {scale})"
        failed = failing("NUMERIC_VALUE_OUT_OF_RANGE", "'Decimal overflow'", held)
        return f"coalesce(TRY_CAST({text} AS {held}), CASE WHEN {text} IS NOT NULL THEN {failed} END)"

    def body(x: str, y: str) -> str:
        digits = max(a.precision + scale + b.scale, b.precision + b.scale)
        dividend, divisor = (x, a), (y, b)
        if digits > _INTEGER_LIMIT:
            found = wide(x, y)
        else:
            by = DIGITS if digits <= DIGITS else MAX_DECIMAL
            found = f"CAST({rounded_quotient(dividend, divisor, scale, by)} AS {held})"
        if digits > DIGITS:
            found = where_short_quotient(dividend, divisor, scale, held, found)
        zero = "" if _divides(right) else f"WHEN {y} = 0 THEN {_by_zero(kind)} "
        return f"CASE {zero}WHEN {y} <> 0 THEN {found} END"

    return let([left, right], body), kind


def _times(operator: str, left: Typed, right: Typed) -> tuple[str, Type] | None:
    intervals = (INTERVAL_DAY, INTERVAL_YEAR)
    if operator == "+" and left.type in intervals and right.type not in intervals:
        left, right = right, left
    if operator == "*" and right.type in intervals:
        left, right = right, left
    if right.type in intervals and left.type == right.type and operator in "+-":
        return f"({left.sql} {operator} {right.sql})", left.type
    if left.type in intervals and is_numeric(right.type) and operator in "*/":
        return _scaled_interval(operator, left, right)
    if right.type in intervals and operator in "+-":
        return _shifted(operator, left, right)
    if (
        operator == "-"
        and left.type in (DATE, TIMESTAMP, TIMESTAMP_TZ)
        and right.type in (DATE, TIMESTAMP, TIMESTAMP_TZ)
    ):
        return f"(({_micros(left)} - {_micros(right)}) // 1000)", INTERVAL_DAY
    return None


def _micros(value: Typed) -> str:
    instant = f"({value.sql}).instant" if value.type == TIMESTAMP_TZ else f"CAST({value.sql} AS TIMESTAMP)"
    return f"epoch_us({instant})"


def _scaled_interval(operator: str, left: Typed, right: Typed) -> tuple[str, Type] | None:
    if not (is_integer(right.type) or right.type == DOUBLE):
        right = coerce(right, DOUBLE)
    kind = to_duckdb(left.type)
    if operator == "/":
        by_zero = _by_zero(left.type)
        divided = f"trunc({left.sql} / CAST({right.sql} AS DOUBLE))"
        return f"CASE WHEN {right.sql} = 0 THEN {by_zero} ELSE CAST({divided} AS {kind}) END", left.type
    if is_integer(right.type):
        return f"CAST({left.sql} * {right.sql} AS {kind})", left.type
    return f"CAST(trunc({left.sql} * {right.sql}) AS {kind})", left.type


def _shifted(operator: str, left: Typed, right: Typed) -> tuple[str, Type] | None:
    amount = f"to_milliseconds({right.sql})" if right.type == INTERVAL_DAY else f"to_months({right.sql})"
    if left.type == TIMESTAMP:
        return f"({left.sql} {operator} {amount})", TIMESTAMP
    if left.type == TIME and right.type == INTERVAL_DAY:  # around midnight
        return f"CAST(DATE '1970-01-01' + {left.sql} {operator} {amount} AS TIME)", TIME
    if left.type == DATE and right.type == INTERVAL_YEAR:
        return f"CAST({left.sql} {operator} {amount} AS DATE)", DATE
    if left.type == DATE:
        message = "'Cannot add hour, minutes or seconds to a date'"
        failed = failing("INVALID_FUNCTION_ARGUMENT", message, "DATE")
        whole = f"CAST({left.sql} {operator} to_milliseconds({right.sql}) AS DATE)"
        return f"CASE WHEN {right.sql} % {_DAY} <> 0 THEN {failed} ELSE {whole} END", DATE
    if left.type == TIMESTAMP_TZ:
        moved = f"struct_pack(instant := ({left.sql}).instant {operator} {amount}, zone := ({left.sql}).zone)"
        if right.type == INTERVAL_YEAR:  # on the clock of its own zone
            moved = f"nightlake_at(nightlake_local({left.sql}) {operator} {amount}, ({left.sql}).zone)"
        return f"CASE WHEN {left.sql} IS NOT NULL AND {right.sql} IS NOT NULL THEN {moved} END", TIMESTAMP_TZ
    return None


def negate(value: Typed, position: Position = None) -> Typed:
    """`-value`. Raises TypeMismatchError."""
    if value.type == UNKNOWN:
        return value
    if not is_numeric(value.type) and value.type not in (INTERVAL_DAY, INTERVAL_YEAR):
        raise TypeMismatchError(f"Cannot negate {value.type}", position)
    return Typed(f"CAST(-({value.sql}) AS {to_duckdb(value.type)})", value.type, once=value.once)


def compare(operator: str, left: Typed, right: Typed, position: Position = None) -> Typed:
    """`left operator right` of = <> < <= > >=. Raises TypeMismatchError."""
    common = common_super_type(left.type, right.type)
    if common is None or (operator not in ("=", "<>") and not is_orderable(common)):
        raise _mismatch(left.type, operator, right.type, position)
    sql = compare_as(common, operator, coerce(left, common), coerce(right, common))
    return Typed(sql, BOOLEAN, once=left.once or right.once)


def compare_as(kind: Type, operator: str, left: Typed, right: Typed) -> str:
    """The comparison of two values of type `kind`."""
    if kind in (DOUBLE, REAL):
        return _compare_floats(operator, left, right)
    if kind == TIMESTAMP_TZ:
        return f"(({left.sql}).instant {operator} ({right.sql}).instant)"
    if isinstance(kind, Array | Row) and operator not in ("=", "<>"):
        return _order_nested(kind, operator, left, right)
    if isinstance(kind, Row):
        return let([left, right], lambda a, b: _compare_rows(kind, operator, a, b))
    if isinstance(kind, Array):
        equal = let([left, right], lambda a, b: _equal_arrays(kind, a, b))
        return equal if operator == "=" else f"(NOT {equal})"
    if isinstance(kind, Map):
        raise NotSupportedError(f"Comparing {kind} is not supported here")
    return f"({left.sql} {operator} {right.sql})"


def _compare_floats(operator: str, left: Typed, right: Typed) -> str:
    """NaN is unequal to everything, also to itself; in DuckDB it equals itself and is the greatest."""
    plain = f"({left.sql} {operator} {right.sql})"
    checked = left if operator in (">", ">=", "=", "<>") else right
    if checked.is_literal or (operator in ("=", "<>") and right.is_literal):
        return plain
    both = f"CASE WHEN {left.sql} IS NOT NULL AND {right.sql} IS NOT NULL THEN isnan({checked.sql}) END"
    if operator == "<>":
        return f"({plain} OR {both})"
    return f"({plain} AND NOT {both})"


def _order_nested(kind: Type, operator: str, left: Typed, right: Typed) -> str:
    if holds_float(kind):
        raise NotSupportedError(f"Comparing {kind} by {operator} is not supported here")
    return f"({order_key(left)} {operator} {order_key(right)})"


def _compare_rows(kind: Row, operator: str, left: str, right: str) -> str:
    equal = " AND ".join(
        compare_as(field, "=", Typed(f"({left}).{quote(name)}", field), Typed(f"({right}).{quote(name)}", field))
        for name, (_, field) in zip(duckdb_fields(kind), kind.fields, strict=True)
    )
    whole = f"CASE WHEN {left} IS NOT NULL AND {right} IS NOT NULL THEN {equal} END"
    return whole if operator == "=" else f"(NOT {whole})"


def _equal_arrays(kind: Array, left: str, right: str) -> str:
    each = compare_as(kind.element, "=", Typed("pair[1]", kind.element), Typed("pair[2]", kind.element))
    pairs = f"list_transform(list_zip({left}, {right}), lambda pair: {each})"
    return (
        f"CASE WHEN len({left}) <> len({right}) THEN FALSE WHEN list_contains({pairs}, FALSE) THEN FALSE"
        f" WHEN list_count({pairs}) < len({left}) THEN NULL"
        f" WHEN {left} IS NOT NULL AND {right} IS NOT NULL THEN TRUE END"
    )


def distinct(left: Typed, right: Typed, position: Position = None) -> Typed:
    """`left IS DISTINCT FROM right`. Raises TypeMismatchError."""
    common = common_super_type(left.type, right.type)
    if common is None:
        raise _mismatch(left.type, "IS DISTINCT FROM", right.type, position)
    one, other = same_key(coerce(left, common)), same_key(coerce(right, common))
    return Typed(f"({one} IS DISTINCT FROM {other})", BOOLEAN, once=left.once or right.once)


def bigint(number: int) -> Typed:
    return Typed(f"CAST({number} AS BIGINT)", BIGINT, number, is_literal=True)
