"""Calls of functions: scalar, aggregate and window, with DISTINCT, ORDER BY, FILTER, IGNORE NULLS and lambdas."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from local.athena.compiler.cast import coerce
from local.athena.compiler.keys import hides_zone, needs_key, same_key
from local.athena.compiler.typed import Typed, repeats
from local.athena.compiler.window import over_clause
from local.athena.errors import (
    ExpressionNotScalarError,
    FunctionNotFoundError,
    NestedAggregationError,
    NestedWindowError,
    NotSupportedError,
    QuerySyntaxError,
)
from local.athena.functions.missing import is_missing
from local.athena.functions.registry import FUNCTIONS, Argument, Call, Function, Lambda, Match
from local.athena.parser import AthenaSql, described, position
from local.athena.types import (
    TIMESTAMP_TZ,
    UNKNOWN,
    Type,
    to_duckdb,
)

if TYPE_CHECKING:
    from local.athena.compiler.expression import Expressions

_KEEPS_ZONES = {  # functions that do not compare what they are given
    *("cardinality", "transform", "filter", "slice", "reverse", "concat", "flatten", "zip", "zip_with", "reduce"),
    *("any_match", "all_match", "none_match", "count", "array_agg", "arbitrary", "any_value", "lag", "lead"),
    *("first_value", "last_value", "nth_value", "map_keys", "map_values", "transform_values"),
}
_TELLS_APART = {"approx_distinct", "approx_most_frequent", "histogram", "map_agg", "multimap_agg", "mode", "set_agg"}


def wrapped(expressions: "Expressions", node: exp.Expr, over: exp.Expr | None) -> Typed:
    """A call inside FILTER, IGNORE NULLS and OVER, in any order."""
    condition, nulls = None, ""
    while isinstance(node, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.Window):
        if isinstance(node, exp.Window):
            over = node
        elif isinstance(node, exp.Filter):
            condition = node.expression.this
        else:
            nulls = "IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else ""
        node = node.this
    if isinstance(node, exp.GroupConcat):
        raise NotSupportedError("LISTAGG with FILTER or OVER is not supported", position(node))
    if not isinstance(node, exp.Anonymous):
        raise NotSupportedError(f"{described(node)} is not supported here", position(node))
    return call(expressions, node, condition=condition, nulls=nulls, over=over)


def call(
    expressions: "Expressions",
    node: exp.Expr,
    *,
    condition: exp.Expr | None = None,
    nulls: str = "",
    over: exp.Expr | None = None,
    order: Sequence[exp.Expr] = (),
) -> Typed:
    """A call with what stands around it. Raises leaves of QueryError."""
    name = node.name.lower()
    if name not in FUNCTIONS and is_missing(name):
        raise NotSupportedError(f"Function {name} is not supported here", position(node))
    if name not in FUNCTIONS:
        raise FunctionNotFoundError(f"Function '{node.name}' not registered", position(node))
    kind = FUNCTIONS.kind(name)
    if kind == "scalar":
        if condition is not None or over is not None or nulls:
            raise FunctionNotFoundError(f"Function '{name}' is not an aggregation function", position(node))
        return _scalar(expressions, name, node)
    if over is not None:
        return _over(expressions, node, condition, nulls, over)
    if kind == "window":
        raise ExpressionNotScalarError(f"Window function {name} requires an OVER clause", position(node))
    return _aggregate(expressions, name, node, condition, order)


def _scalar(expressions: "Expressions", name: str, node: exp.Expr) -> Typed:
    for argument in node.expressions:
        if isinstance(argument, exp.Distinct | exp.Order):
            raise QuerySyntaxError(f"DISTINCT and ORDER BY are not allowed for scalar function {name}", position(node))
    values, match = _resolve(expressions, name, node, node.expressions)
    once = not FUNCTIONS.deterministic(name)
    sql = repeats(match.emit, values)
    kind = to_duckdb(match.returns)
    held = sql if match.returns == UNKNOWN else f"CAST({sql} AS {kind})"
    return Typed(held, match.returns, once=once or any(value.once for value in values))


def _resolve(
    expressions: "Expressions", name: str, node: exp.Expr, arguments: Sequence[exp.Expr]
) -> tuple[list[Typed], Match]:
    """The arguments as the function wants them, and the overload."""
    compiled: list[Typed | _LambdaText] = [
        _LambdaText(expressions, item) if isinstance(item, exp.Lambda) else expressions.compile(item)
        for item in arguments
    ]
    asked = Call(name, tuple(_argument(item) for item in compiled), expressions.queries.session)
    match = FUNCTIONS.resolve(asked)
    if match is None:
        given = ", ".join("<lambda>" if isinstance(item, _LambdaText) else str(item.type) for item in compiled)
        raise FunctionNotFoundError(
            f"Unexpected parameters ({given}) for function {name}. Expected: {FUNCTIONS.expected(name)}",
            position(node),
        )
    for argument in asked.arguments:
        if isinstance(argument, Argument) and _loses_instants(name, argument.type):
            raise NotSupportedError(f"{name} over {argument.type} is not supported", position(node))
    values = []
    for item, wanted in zip(compiled, match.arguments, strict=True):
        if isinstance(item, _LambdaText):
            assert isinstance(wanted, Function)  # noqa: S101
            values.append(Typed(item.text(wanted), wanted))
        else:
            values.append(coerce(item, wanted))
    return values, match


def _aggregate(
    expressions: "Expressions", name: str, node: exp.Expr, condition: exp.Expr | None, order: Sequence[exp.Expr]
) -> Typed:
    if expressions.in_aggregate:
        raise NestedAggregationError(f"Cannot nest aggregations inside aggregation '{name}'", position(node))
    grouping = expressions.scope.grouping
    if grouping is None:
        raise ExpressionNotScalarError(
            f"Aggregations are not allowed here: [{node.sql(dialect=AthenaSql)}]", position(node)
        )
    before = expressions.ungrouped()
    before.in_aggregate = True
    before.scope.grouping = None
    value = _modified(before, name, node, condition=condition, nulls="", over=None, order=order)
    return grouping.aggregate(value)


def _over(expressions: "Expressions", node: exp.Expr, condition: exp.Expr | None, nulls: str, over: exp.Expr) -> Typed:
    name = node.name.lower()
    if not expressions.windows:
        shown = node.sql(dialect=AthenaSql)
        if expressions.in_aggregate:
            raise NestedWindowError(f"Cannot nest window functions inside aggregation: [{shown}]", position(node))
        raise ExpressionNotScalarError(f"Window functions are not allowed here: [{shown}]", position(node))
    inner = expressions.without_windows()
    return _modified(inner, name, node, condition=condition, nulls=nulls, over=over_clause(inner, over), order=())


def _modified(
    expressions: "Expressions",
    name: str,
    node: exp.Expr,
    *,
    condition: exp.Expr | None,
    nulls: str,
    over: str | None,
    order: Sequence[exp.Expr],
) -> Typed:
    """An aggregate or window call with its DISTINCT, ORDER BY, FILTER, IGNORE NULLS and OVER."""
    arguments, unique = list(node.expressions), ""
    if arguments and isinstance(arguments[-1], exp.Order):
        order = arguments[-1].expressions
        arguments[-1:] = [arguments[-1].this]
    if len(arguments) == 1 and isinstance(arguments[0], exp.Distinct):
        if over is not None:
            raise NotSupportedError("DISTINCT in window function parameters not yet supported", position(node))
        unique, arguments = "DISTINCT ", list(arguments[0].expressions)
        if arguments and isinstance(arguments[-1], exp.Order):
            order = arguments[-1].expressions
            arguments[-1:] = [arguments[-1].this]
    if len(arguments) == 1 and isinstance(arguments[0], exp.Star):
        if name != "count" or unique:
            raise QuerySyntaxError(f"* is not allowed in {name}", position(node))
        arguments = []
    values, match = _resolve(expressions, name, node, arguments)
    if unique and name == "count":
        values = [replace(value, sql=same_key(value)) for value in values]
    elif unique and any(needs_key(value.type) for value in values):
        raise NotSupportedError(f"{name}(DISTINCT) over {values[0].type} is not supported", position(node))
    ordering = f" ORDER BY {expressions.order_by(order)}" if order else ""
    filtered = f" FILTER (WHERE {expressions.boolean(condition, 'FILTER clause').sql})" if condition is not None else ""
    framed = f" OVER ({over})" if over is not None else ""
    ignoring = f" {nulls}" if nulls else ""

    def invoke(function: str, *texts: str) -> str:
        return f"{function}({unique if texts else ''}{', '.join(texts)}{ordering}{ignoring}){filtered}{framed}"

    sql = match.emit(invoke, [value.sql for value in values])
    return Typed(f"CAST({sql} AS {to_duckdb(match.returns)})", match.returns)


class _LambdaText:
    """A lambda of the source, compiled when its parameters' types are known.

    Its SQL is a lambda of one parameter: of several it is a struct with the fields v0, v1, ...
    """

    def __init__(self, expressions: "Expressions", node: exp.Lambda) -> None:
        self.expressions = expressions
        self.node = node
        self.parameters = [parameter.name for parameter in node.expressions]

    def compile(self, kinds: Sequence[Type]) -> tuple[list[str], Typed]:
        depth = len(self.expressions.scope.names)  # equal text for equal source, and no inner name hides an outer one
        names = [f"p{depth}.v{i}" for i in range(len(self.parameters))] if len(self.parameters) > 1 else [f"p{depth}"]
        values = {own.lower(): Typed(name, kind) for own, name, kind in zip(self.parameters, names, kinds, strict=True)}
        return names, self.expressions.within(values).compile(self.node.this)

    def body(self, kinds: tuple[Type, ...]) -> Type:
        return self.compile(kinds)[1].type

    def text(self, wanted: Function) -> str:
        names, value = self.compile(wanted.parameters)
        return f"lambda {names[0].partition('.')[0]}: {coerce(value, wanted.returns).sql}"


def _argument(item: "Typed | _LambdaText") -> Argument | Lambda:
    if isinstance(item, _LambdaText):
        return Lambda(len(item.parameters), item.body)
    return Argument(item.type, item.value, is_literal=item.is_literal)


def is_aggregate(node: exp.Expr) -> bool:
    """Whether `node` is an aggregate call that no OVER makes a window's."""
    if isinstance(node, exp.GroupConcat):
        return True
    if not isinstance(node, exp.Anonymous):
        return False
    name = node.name.lower()
    if name != "grouping" and (name not in FUNCTIONS or FUNCTIONS.kind(name) != "aggregate"):
        return False
    around: exp.Expr | None = node.parent
    inside: exp.Expr = node
    while isinstance(around, exp.Filter | exp.IgnoreNulls | exp.RespectNulls) and around.this is inside:
        inside, around = around, around.parent
    return not (isinstance(around, exp.Window) and around.this is inside)


def _loses_instants(name: str, kind: Type) -> bool:
    """Whether the function compares an argument of `kind` by instant and zone, where Trino compares the instants."""
    return (hides_zone(kind) and name not in _KEEPS_ZONES) or (kind == TIMESTAMP_TZ and name in _TELLS_APART)
