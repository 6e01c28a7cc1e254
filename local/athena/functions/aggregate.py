"""Aggregates: https://trino.io/docs/current/functions/aggregate.html.

Trino estimates in approx_distinct and approx_percentile; here they are exact, which lies within what it promises.
"""

from collections.abc import Callable

from local.athena.functions.array import reduced
from local.athena.functions.guard import refuse, within_38_digits
from local.athena.functions.map_row import first_values, grouped
from local.athena.functions.registry import FUNCTIONS, Call, Match, Signature
from local.athena.short_decimals import where_short_quotient
from local.athena.types import (
    BIGINT,
    DOUBLE,
    REAL,
    TIMESTAMP_TZ,
    Array,
    Decimal,
    Type,
    array,
    decimal,
    is_integer,
    is_orderable,
    to_duckdb,
)

Invoke = Callable[..., str]
_COUNT = decimal(19, 0)

FUNCTIONS.aggregate("count", "-> bigint", lambda invoke, _: invoke("count", "*"))
FUNCTIONS.aggregate("count", "T -> bigint", "count")
FUNCTIONS.aggregate("count_if", "boolean -> bigint", lambda invoke, a: invoke("count", f"CASE WHEN {a[0]} THEN 1 END"))
for _name in ("bool_and", "every"):
    FUNCTIONS.aggregate(_name, "boolean -> boolean", "bool_and")
FUNCTIONS.aggregate("bool_or", "boolean -> boolean", "bool_or")
for _name in ("any_value", "arbitrary"):
    FUNCTIONS.aggregate(_name, "T -> T", "any_value")
FUNCTIONS.aggregate("array_agg", "T -> array(T)", "list")


def _listagg(invoke: Invoke, arguments: list[str]) -> str:
    joined = invoke("string_agg", *arguments)
    long = "Concatenated string has the length in bytes larger than the maximum output length 1048576"
    return refuse(f"strlen({joined}) > 1048576", long, joined, "VARCHAR", "EXCEEDED_FUNCTION_MEMORY_LIMIT")


FUNCTIONS.aggregate("listagg", "varchar, varchar -> varchar", _listagg)
for _name, _function in {"and": "bit_and", "or": "bit_or", "xor": "bit_xor"}.items():
    FUNCTIONS.aggregate(f"bitwise_{_name}_agg", "bigint -> bigint", _function)


def _sum(call: Call) -> Match | None:
    kind = call.types[0]
    if len(call.arguments) != 1:
        return None
    if is_integer(kind):
        return Match((BIGINT,), BIGINT, lambda invoke, a: invoke("sum", *a))
    if isinstance(kind, Decimal):
        return Match(
            (kind,), decimal(38, kind.scale), lambda invoke, a: within_38_digits(invoke("sum", *a), kind.scale)
        )
    if kind in (REAL, DOUBLE) or kind.name.startswith("interval"):
        return Match((kind,), kind, lambda invoke, a: invoke("sum", *a))
    return None


def _avg(call: Call) -> Match | None:
    kind = call.types[0]
    if len(call.arguments) != 1:
        return None
    if isinstance(kind, Decimal):

        def mean(invoke: Invoke, arguments: list[str]) -> str:
            held = f"{{'sum': {invoke('sum', arguments[0])}, 'count': {invoke('count', arguments[0])}}}"
            divided = f"nightlake_divide(CAST(mean.sum AS VARCHAR), CAST(mean.count AS VARCHAR), {kind.scale})"
            long, total = f"CAST({divided} AS {to_duckdb(kind)})", decimal(38, kind.scale)
            quotient = where_short_quotient(
                ("mean.sum", total), ("mean.count", _COUNT), kind.scale, to_duckdb(kind), long
            )
            return f"list_transform([{held}], lambda mean: {quotient})[1]"

        return Match((kind,), kind, mean)
    if kind.name.startswith("interval"):
        return Match((kind,), kind, lambda invoke, a: f"round({invoke('avg', *a)})")
    if kind == REAL:
        return Match((kind,), kind, lambda invoke, a: invoke("avg", *a))
    return Match((DOUBLE,), DOUBLE, lambda invoke, a: invoke("avg", *a)) if kind == DOUBLE or is_integer(kind) else None


def _count(n: str) -> str:
    """How many values to keep, as Trino takes it."""
    return refuse(f"{n} <= 0 OR {n} > 10000", "the number of values must be between 1 and 10000", n, "BIGINT")


def _extreme(name: str) -> None:
    by = f"arg_{name}_null"

    def plain(call: Call) -> Match | None:
        kind = call.types[0]
        if not is_orderable(kind) or len(call.arguments) not in (1, 2):
            return None
        if kind == TIMESTAMP_TZ:
            instant = f"arg_{name}"
            return (
                Match((kind,), kind, lambda invoke, a: invoke(instant, a[0], f"({a[0]}).instant"))
                if len(call.arguments) == 1
                else None
            )
        if len(call.arguments) == 1:
            return Match((kind,), kind, lambda invoke, a: invoke(name, *a))
        return (
            Match((kind, BIGINT), array(kind), lambda invoke, a: invoke(name, a[0], _count(a[1])))
            if is_integer(call.types[1])
            else None
        )

    def of(call: Call) -> Match | None:
        if len(call.arguments) not in (2, 3) or not is_orderable(call.types[1]) or call.types[1] == TIMESTAMP_TZ:
            return None
        value, key = call.types[0], call.types[1]
        if len(call.arguments) == 2:  # noqa: PLR2004
            return Match((value, key), value, lambda invoke, a: invoke(by, *a))
        held = f"arg_{name}"

        def several(invoke: Invoke, a: list[str]) -> str:
            boxed = invoke(held, f"{{'v': {a[0]}}}", a[1], _count(a[2]))
            return f"list_transform({boxed}, lambda each: each.v)"

        return Match((value, key, BIGINT), array(value), several) if is_integer(call.types[2]) else None

    FUNCTIONS.aggregate(name, plain)
    FUNCTIONS.aggregate(f"{name}_by", of)


FUNCTIONS.aggregate("sum", _sum)
FUNCTIONS.aggregate("avg", _avg)
_extreme("max")
_extreme("min")

# statistics

for _name, _function in {
    "stddev": "stddev_samp", "stddev_samp": "stddev_samp", "stddev_pop": "stddev_pop", "variance": "var_samp",
    "var_samp": "var_samp", "var_pop": "var_pop", "kurtosis": "kurtosis",
}.items():  # fmt: skip
    FUNCTIONS.aggregate(_name, "double -> double", _function)
for _name in ("covar_pop", "covar_samp"):
    FUNCTIONS.aggregate(_name, "double, double -> double", _name)


def _finite(name: str) -> Callable[..., str]:
    """Trino has NULL where the quotient is none."""

    def emit(invoke: Invoke, arguments: list[str]) -> str:
        result = invoke(name, *arguments)
        return f"CASE WHEN isfinite({result}) THEN {result} END"

    return emit


for _name in ("corr", "regr_slope", "regr_intercept"):
    FUNCTIONS.aggregate(_name, "double, double -> double", _finite(_name))


def _skewness(invoke: Invoke, arguments: list[str]) -> str:
    """Trino's is the population's, DuckDB's corrects for the sample."""
    count = f"CAST({invoke('count', *arguments)} AS DOUBLE)"
    return f"{invoke('skewness', *arguments)} * ({count} - 2) / sqrt({count} * ({count} - 1))"


FUNCTIONS.aggregate("skewness", "double -> double", _skewness)


def _geometric_mean(invoke: Invoke, arguments: list[str]) -> str:
    x = arguments[0]
    logarithm = (
        f"CASE WHEN {x} = 0 THEN CAST('-Infinity' AS DOUBLE) WHEN {x} < 0 THEN CAST('NaN' AS DOUBLE) ELSE ln({x}) END"
    )
    return f"exp({invoke('avg', logarithm)})"


FUNCTIONS.aggregate("geometric_mean", "double -> double", _geometric_mean)

# estimates

FUNCTIONS.aggregate("approx_distinct", "T -> bigint", lambda invoke, a: invoke("count", f"DISTINCT {a[0]}"))
FUNCTIONS.aggregate(
    "approx_distinct",
    "T, double -> bigint",
    lambda invoke, a: refuse(
        f"NOT {a[1]} BETWEEN 0.0040625 AND 0.26",
        "Standard error must be in [0.0040625, 0.26]",
        invoke("count", f"DISTINCT {a[0]}"),
        "BIGINT",
    ),
)


def _percentile(call: Call) -> Match | None:
    if len(call.arguments) != 2:  # noqa: PLR2004
        return None
    kind, share = call.types
    if not (is_integer(kind) or kind in (REAL, DOUBLE) or isinstance(kind, Decimal)):
        return None
    held: Type = DOUBLE if isinstance(kind, Decimal) else kind
    many = isinstance(share, Array)
    kinds: tuple[Type, Type] = (held, array(DOUBLE) if many else DOUBLE)
    returns = array(held) if many else held
    one = "NOT {0} BETWEEN 0 AND 1"
    outside = f"len(list_filter({{0}}, lambda share: {one.format('share')})) > 0" if many else one

    def emit(invoke: Invoke, arguments: list[str]) -> str:
        value, at = arguments
        checked = refuse(outside.format(at), "Percentile must be between 0 and 1", at, to_duckdb(kinds[1]))
        return invoke("quantile_disc", value, checked)

    return Match(kinds, returns, emit)


FUNCTIONS.aggregate("approx_percentile", _percentile)

# maps

FUNCTIONS.aggregate("histogram", "K -> map(K, bigint)", "histogram")


def _entries(invoke: Invoke, arguments: list[str]) -> str:
    listed = invoke("list", f"{{'k': {arguments[0]}, 'v': {arguments[1]}}}")
    return f"nullif(list_filter({listed}, lambda entry: entry.k IS NOT NULL), [])"


FUNCTIONS.aggregate("map_agg", "K, V -> map(K, V)", lambda invoke, a: first_values(_entries(invoke, a), "k", "v"))
FUNCTIONS.aggregate(
    "multimap_agg", "K, V -> map(K, array(V))", lambda invoke, a: grouped(_entries(invoke, a), "k", "v")
)
FUNCTIONS.aggregate(
    "map_union",
    "map(K, V) -> map(K, V)",
    lambda invoke, a: first_values(f"flatten({invoke('list', f'map_entries({a[0]})')})", "key", "value"),
)

# lambdas

_REDUCE = Signature("T, S, function(S,T,S), function(S,S,S) -> S", lambda _: "")


def _reduce(call: Call) -> Match | None:
    match = _REDUCE(call)
    if match is None:
        return None
    element, state = match.arguments[0], match.arguments[1]

    def emit(invoke: Invoke, arguments: list[str]) -> str:
        listed = invoke("list", arguments[0])
        items = f"list_filter({listed}, lambda item: item IS NOT NULL)"
        folded = reduced(items, invoke("any_value", arguments[1]), arguments[2], to_duckdb(element), to_duckdb(state))
        return f"CASE WHEN len({items}) > 0 THEN {folded} END"

    return Match(match.arguments, match.returns, emit)


FUNCTIONS.aggregate("reduce_agg", _reduce)
