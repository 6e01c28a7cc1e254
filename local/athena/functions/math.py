"""Numbers: https://trino.io/docs/current/functions/math.html and bitwise.html.

DuckDB fails where Java gives NaN or an infinity, and rounds doubles by other rules: both are written out here.
"""

from local.athena.errors import failing
from local.athena.functions.guard import RANGE, refuse, within_38_digits
from local.athena.functions.registry import FUNCTIONS, Argument, Call, Emitter, Match
from local.athena.short_decimals import DIGITS, where_short
from local.athena.types import (
    DOUBLE,
    INTEGER,
    REAL,
    UNKNOWN,
    Decimal,
    Type,
    as_decimal,
    common_super_type,
    decimal,
    is_integer,
    is_numeric,
    literal,
    to_duckdb,
)

_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
_BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}
_NAN, _INFINITY = "CAST('NaN' AS DOUBLE)", "CAST('Infinity' AS DOUBLE)"


def _number(call: Call, position: int = 0) -> Type | None:
    """The number type of an argument, or None if it is none."""
    kind = call.types[position]
    kind = DOUBLE if kind == UNKNOWN else kind
    return kind if is_numeric(kind) else None


def _same(template: str) -> Emitter:
    return lambda arguments: template.format(*arguments)


# absolute value, sign, floor, ceiling


def _abs(call: Call) -> Match | None:
    kind = _number(call) if len(call.arguments) == 1 else None
    if kind is None:
        return None
    if not is_integer(kind):
        return Match((kind,), kind, _same("abs({0})"))
    least = -(2 ** (_BITS[kind.name] - 1))
    message = f"Value {least} is out of range for abs({kind})"
    return Match((kind,), kind, lambda a: refuse(f"{a[0]} = {least}", message, f"abs({a[0]})", to_duckdb(kind), RANGE))


def _sign(call: Call) -> Match | None:
    kind = _number(call) if len(call.arguments) == 1 else None
    if kind is None:
        return None
    if kind in (DOUBLE, REAL):
        return Match((kind,), kind, _same("CASE WHEN isnan({0}) OR {0} = 0 THEN {0} ELSE sign({0}) END"))
    return Match((kind,), decimal(1, 0) if isinstance(kind, Decimal) else kind, _same("sign({0})"))


def _whole(function: str) -> None:
    """ceiling and floor: of the same type, of decimals without a scale."""

    def resolve(call: Call) -> Match | None:
        kind = _number(call) if len(call.arguments) == 1 else None
        if kind is None:
            return None
        if is_integer(kind):
            return Match((kind,), kind, _same("{0}"))
        if not isinstance(kind, Decimal):
            return Match((kind,), kind, _same(f"{function}({{0}})"))
        returns = decimal(kind.precision - kind.scale + min(kind.scale, 1), 0)
        return Match((kind,), returns, _same(_without_scale(function, kind)))

    for name in ("ceil", "ceiling") if function == "ceil" else (function,):
        FUNCTIONS.scalar(name, resolve)


# rounding


def _round(call: Call) -> Match | None:
    kind = _number(call) if len(call.arguments) in (1, 2) else None
    if kind is None:
        return None
    digits = len(call.arguments) == 2  # noqa: PLR2004
    kinds = (kind, INTEGER) if digits else (kind,)
    if isinstance(kind, Decimal):
        return _round_decimal(call, kind, digits=digits)
    if is_integer(kind):
        held = "CASE WHEN {1} >= 0 THEN {0} ELSE round(CAST({0} AS HUGEINT), {1}) END"
        return Match(kinds, kind, _same(held if digits else "{0}"))
    number = "CAST({0} AS DOUBLE)"
    scaled = f"(round({number} * pow(10, {{1}})) / pow(10, {{1}}))"
    beyond = f"CASE WHEN isinf({number} * pow(10, {{1}})) THEN {number} ELSE {scaled} END"
    return Match(kinds, kind, _same(beyond if digits else f"round({number})"))


def _round_decimal(call: Call, kind: Decimal, *, digits: bool) -> Match:
    if not digits:
        returns = decimal(min(38, kind.precision - kind.scale + min(1, kind.scale)), 0)
        return Match((kind,), returns, _same(_without_scale("round", kind)))
    returns = decimal(min(38, kind.precision + 1), kind.scale)
    rounded = _by_digits(call, kind, returns, "round")
    if kind.precision < 38:  # noqa: PLR2004
        return Match((kind, INTEGER), returns, rounded)
    return Match((kind, INTEGER), returns, lambda a: within_38_digits(rounded(a), kind.scale))


def _without_scale(function: str, kind: Decimal) -> str:
    """The template of a function that gives whole decimals."""
    long = f"{function}({{0}})"
    if kind.precision <= DIGITS or not kind.scale:
        return long
    return where_short([("{0}", kind, DIGITS - 1)], lambda short: f"{function}({short})", long)


def _truncate(call: Call) -> Match | None:
    kind = _number(call) if len(call.arguments) in (1, 2) else None
    if kind in (DOUBLE, REAL) and len(call.arguments) == 1:
        return Match((kind,), kind, _same("trunc({0})"))
    if not isinstance(kind, Decimal):
        return None
    if len(call.arguments) == 1:
        return Match((kind,), decimal(max(1, kind.precision - kind.scale), 0), _same(_without_scale("trunc", kind)))
    return Match((kind, INTEGER), kind, _by_digits(call, kind, kind, "trunc"))


def _by_digits(call: Call, kind: Decimal, returns: Decimal, function: str) -> Emitter:
    """Rounds to a number of digits: DuckDB wants it constant, so that every possible one is a branch of its own."""
    whole = kind.precision - kind.scale
    wide = f"CAST({{0}} AS {to_duckdb(returns)})"

    def one(digits: int) -> str:
        if digits >= kind.scale:
            return wide
        if digits < -whole:
            return "0"
        long = f"{function}({wide}, {digits})"
        if returns.precision <= DIGITS:
            return long
        return where_short([("{0}", kind, DIGITS - 1)], lambda short: f"{function}({short}, {digits})", long)

    given = call.arguments[1]
    if isinstance(given, Argument) and isinstance(given.literal, int):
        return _same(one(given.literal))
    branches = " ".join(
        f"WHEN {digits} THEN CAST({one(digits)} AS {to_duckdb(returns)})" for digits in range(-whole, kind.scale)
    )
    return _same(
        f"CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL WHEN {{1}} >= {kind.scale} THEN {wide}"
        f" ELSE CASE {{1}} {branches} ELSE 0 END END"
    )


# remainder


def _mod(call: Call) -> Match | None:
    if len(call.arguments) != 2 or None in (_number(call), _number(call, 1)):  # noqa: PLR2004
        return None
    kind = common_super_type(*call.types)
    if kind in (DOUBLE, REAL, UNKNOWN):
        return Match((DOUBLE, DOUBLE), kind if kind == REAL else DOUBLE, _same("{0} % {1}"))
    returns, rest = kind, "{0} % {1}"
    if isinstance(kind, Decimal):
        if kind.precision > DIGITS:
            rest = where_short([("{0}", kind, DIGITS), ("{1}", kind, DIGITS)], "{} % {}".format, rest)
        left, right = as_decimal(call.types[0]) or kind, as_decimal(call.types[1]) or kind
        scale = max(left.scale, right.scale)
        returns = decimal(min(38, min(left.precision - left.scale, right.precision - right.scale) + scale), scale)
    assert kind is not None  # noqa: S101
    zero = failing("DIVISION_BY_ZERO", literal("Division by zero"), to_duckdb(kind))
    # DuckDB's remainder of the least number by -1 overflows
    one = " WHEN {1} = -1 AND {0} IS NOT NULL THEN 0" if is_integer(kind) else ""
    return Match((kind, kind), returns or kind, _same(f"CASE WHEN {{1}} = 0 THEN {zero}{one} ELSE {rest} END"))


for _name, _resolver in {
    "abs": _abs, "sign": _sign, "round": _round, "truncate": _truncate, "mod": _mod
}.items():  # fmt: skip
    FUNCTIONS.scalar(_name, _resolver)
for _name in ("ceil", "floor"):
    _whole(_name)

# doubles

_LN = f"CASE WHEN {{0}} = 0 THEN -{_INFINITY} WHEN {{0}} < 0 THEN {_NAN} ELSE ln({{0}}) END"
_DOUBLES = {
    "exp": "exp({0})",
    "cbrt": "nightlake_cbrt({0})",
    "degrees": "degrees({0})",
    "radians": "radians({0})",
    "ln": _LN,
    "log2": f"({_LN}) / ln(2)",
    "log10": _LN.replace("ln(", "log10("),
    "sqrt": f"CASE WHEN {{0}} < 0 THEN {_NAN} ELSE sqrt({{0}}) END",
    "acos": f"CASE WHEN abs({{0}}) > 1 THEN {_NAN} ELSE acos({{0}}) END",
    "asin": f"CASE WHEN abs({{0}}) > 1 THEN {_NAN} ELSE asin({{0}}) END",
    "atan": "atan({0})",
    "sinh": "sinh({0})",
    "cosh": "cosh({0})",
    "tanh": "tanh({0})",
    **{name: f"CASE WHEN isinf({{0}}) THEN {_NAN} ELSE {name}({{0}}) END" for name in ("sin", "cos", "tan")},
}
for _name, _text in _DOUBLES.items():
    FUNCTIONS.scalar(_name, "double -> double", _text)
FUNCTIONS.scalar("atan2", "double, double -> double", "atan2({0}, {1})")
FUNCTIONS.scalar(
    "log", "double, double -> double", lambda a: f"({_LN.format(a[1])}) / ({_LN.format(a[0])})"
)  # fmt: skip
for _name in ("pow", "power"):
    FUNCTIONS.scalar(  # C says that one to whatever power is one
        _name,
        "double, double -> double",
        f"CASE WHEN isnan({{1}}) OR (abs({{0}}) = 1 AND isinf({{1}})) THEN {_NAN} ELSE pow({{0}}, {{1}}) END",
    )
FUNCTIONS.scalar("pi", "-> double", "pi()")
FUNCTIONS.scalar("e", "-> double", "CAST('2.718281828459045' AS DOUBLE)")
FUNCTIONS.scalar("infinity", "-> double", _INFINITY)
FUNCTIONS.scalar("nan", "-> double", _NAN)
FUNCTIONS.scalar("is_nan", "double -> boolean", "isnan({0})")
FUNCTIONS.scalar("is_finite", "double -> boolean", "isfinite({0})")
FUNCTIONS.scalar("is_infinite", "double -> boolean", "isinf({0})")
FUNCTIONS.scalar(
    "cosine_similarity", "map(varchar, double), map(varchar, double) -> double", "nightlake_cosine({0}, {1})"
)

# bases, buckets, chance

FUNCTIONS.scalar("from_base", "varchar, bigint -> bigint", "nightlake_from_base({0}, {1})")
FUNCTIONS.scalar("to_base", "bigint, bigint -> varchar(64)", "nightlake_to_base({0}, {1})")


def _bucket(arguments: list[str]) -> str:
    x, low, high, count = arguments
    inside = f"CAST(trunc({count} * ({x} - {{0}}) / ({{1}} - {{0}}) + 1) AS BIGINT)"
    up = f"CASE WHEN {x} < {low} THEN 0 WHEN {x} >= {high} THEN {count} + 1 ELSE {inside.format(low, high)} END"
    down = f"CASE WHEN {x} > {low} THEN 0 WHEN {x} <= {high} THEN {count} + 1 ELSE {inside.format(low, high)} END"
    chosen = f"CASE WHEN {low} < {high} THEN {up} ELSE {down} END"
    wrong = (
        (f"{count} <= 0", "bucketCount must be greater than 0"),
        (f"isnan({x})", "operand must not be NaN"),
        (f"NOT isfinite({low})", "first bound must be finite"),
        (f"NOT isfinite({high})", "second bound must be finite"),
        (f"{low} = {high}", "bounds cannot equal each other"),
    )
    for condition, message in reversed(wrong):
        chosen = refuse(condition, message, chosen, "BIGINT")
    nulls = " OR ".join(f"{each} IS NULL" for each in arguments)
    return f"CASE WHEN {nulls} THEN NULL ELSE {chosen} END"


FUNCTIONS.scalar("width_bucket", "double, double, double, bigint -> bigint", lambda a: _bucket(list(a)))
FUNCTIONS.scalar(
    "width_bucket",
    "double, array(double) -> bigint",
    lambda a: refuse(
        f"len({a[1]}) = 0",
        "Bins cannot be an empty array",
        f"CASE WHEN {a[0]} IS NOT NULL THEN len(list_filter({a[1]}, lambda bin: bin <= {a[0]})) END",
        "BIGINT",
    ),
)
for _name in ("random", "rand"):
    FUNCTIONS.scalar(_name, "-> double", "random()", deterministic=False)
    for _kind in _INTEGERS:
        FUNCTIONS.scalar(
            _name,
            f"{_kind} -> {_kind}",
            lambda a: refuse(f"{a[0]} <= 0", "bound must be positive", f"trunc(random() * {a[0]})", "DOUBLE"),
            deterministic=False,
        )
        FUNCTIONS.scalar(
            _name,
            f"{_kind}, {_kind} -> {_kind}",
            lambda a: refuse(
                f"{a[0]} >= {a[1]}",
                "start value must be less than stop value",
                f"{a[0]} + trunc(random() * ({a[1]} - {a[0]}))",
                "DOUBLE",
            ),
            deterministic=False,
        )

# bits

for _name, _operator in {"bitwise_and": "&", "bitwise_or": "|"}.items():
    FUNCTIONS.scalar(_name, "bigint, bigint -> bigint", f"{{0}} {_operator} {{1}}")
FUNCTIONS.scalar("bitwise_xor", "bigint, bigint -> bigint", "xor({0}, {1})")
FUNCTIONS.scalar("bitwise_not", "bigint -> bigint", "~{0}")


def _wrapped(value: str, bits: int) -> str:
    """A HUGEINT as a signed number of so many bits."""
    full, half = 2**bits, 2 ** (bits - 1)
    return f"((({value}) + {half}::HUGEINT) % {full}::HUGEINT + {full}::HUGEINT) % {full}::HUGEINT - {half}::HUGEINT"


def _shifts(kind: str) -> None:
    bits = _BITS[kind]
    wide = "({0}::HUGEINT * (1::HUGEINT << {1}::INTEGER))"
    unsigned = f"(({{0}}::HUGEINT + {2**bits}::HUGEINT) % {2**bits}::HUGEINT >> {{1}}::INTEGER)"
    signature = f"{kind}, integer -> {kind}"
    FUNCTIONS.scalar(
        "bitwise_left_shift", signature, f"CASE WHEN {{1}} >= {bits} THEN 0 ELSE {_wrapped(wide, bits)} END"
    )
    FUNCTIONS.scalar(
        "bitwise_right_shift", signature, f"CASE WHEN {{1}} >= {bits} THEN 0 ELSE {_wrapped(unsigned, bits)} END"
    )
    FUNCTIONS.scalar(
        "bitwise_right_shift_arithmetic",
        signature,
        f"CASE WHEN {{1}} >= {bits} THEN CASE WHEN {{0}} >= 0 THEN 0 ELSE -1 END ELSE {{0}}::BIGINT >> {{1}} END",
    )


for _name in _INTEGERS:
    _shifts(_name)


def _bit_count(arguments: list[str]) -> str:
    number, bits = arguments
    masked = f"bit_count(({number}::HUGEINT + (1::HUGEINT << {bits}::INTEGER)) % (1::HUGEINT << {bits}::INTEGER))"
    limit = f"(1::HUGEINT << ({bits}::INTEGER - 1))"
    fits = refuse(
        f"{number}::HUGEINT >= {limit} OR {number}::HUGEINT < -{limit}",
        "Number must be representable with the bits specified",
        masked,
        "BIGINT",
    )
    return refuse(f"{bits} < 2 OR {bits} > 64", "Bits specified in bit_count must be between 2 and 64", fits, "BIGINT")


FUNCTIONS.scalar("bit_count", "bigint, bigint -> bigint", lambda a: _bit_count(list(a)))
