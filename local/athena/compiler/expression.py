"""Expressions: every node is given its Trino type and DuckDB SQL, or refused by name."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol

from sqlglot import exp

from local.athena.compiler import subquery
from local.athena.compiler.arithmetic import arithmetic, compare, distinct, negate
from local.athena.compiler.calls import call, is_aggregate, wrapped
from local.athena.compiler.cast import as_text, cast, coerce
from local.athena.compiler.keys import ordered
from local.athena.compiler.literals import check_escape, decimal_literal, interval_amount, is_time, number, unescaped
from local.athena.compiler.scope import Scope
from local.athena.compiler.typed import Typed, let, null, text_literal
from local.athena.errors import (
    ColumnNotFoundError,
    ExpressionNotAggregateError,
    InvalidArgumentsError,
    InvalidFunctionArgumentError,
    InvalidLiteralError,
    InvalidParameterUsageError,
    NotSupportedError,
    QueryError,
    QuerySyntaxError,
    TypeMismatchError,
    TypeNotFoundError,
    failing,
)
from local.athena.functions.registry import Session
from local.athena.parser import AthenaSql, described, parse, position
from local.athena.runtime import canonical_zone, parse_zoned
from local.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    REAL,
    TIME,
    TIMESTAMP,
    TIMESTAMP_TZ,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    Array,
    Char,
    Map,
    Row,
    Type,
    array,
    common_type,
    duckdb_fields,
    is_integer,
    is_orderable,
    is_text,
    literal,
    parse_type,
    quote,
    row,
    to_duckdb,
    varchar,
)

_OPERATORS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_CLOCKS = ("current_time", "current_timestamp", "localtime", "localtimestamp")
_EXTRACT = {"DOW": "day_of_week", "DOY": "day_of_year", "YOW": "year_of_week"}


class Queries(Protocol):
    """What expressions need of the query compiler: subqueries."""

    session: Session

    def subquery(self, node: exp.Expr, scope: Scope) -> tuple[str, list[tuple[str | None, Type]]]:
        """A nested query's SQL, whose columns are c0, c1..., and its columns."""


class Expressions:
    """Compiles expressions of one scope."""

    def __init__(self, queries: Queries, scope: Scope, *, windows: bool = False) -> None:
        self.queries = queries
        self.scope = scope
        self.windows = windows  # whether window functions may stand here
        self.named_windows: dict[str, exp.Window] = {}
        self.in_aggregate = False  # whether this is inside an aggregate's arguments

    def boolean(self, node: exp.Expr, clause: str) -> Typed:
        """A condition. Raises TypeMismatchError, naming `clause`, if it is none."""
        value = self.compile(node)
        if value.type not in (BOOLEAN, UNKNOWN):
            raise TypeMismatchError(f"{clause} must evaluate to a boolean: actual type {value.type}", position(node))
        return coerce(value, BOOLEAN)

    def compile(self, node: exp.Expr) -> Typed:
        """The SQL and the type of `node`. Raises leaves of QueryError."""
        key = self._group_key(node)
        if key is not None:
            return key
        if type(node) in _OPERATORS:
            return self._arithmetic(node)
        if type(node) in subquery.COMPARISONS:
            return self._comparison(node)
        method = self._METHODS.get(type(node))
        if method is None:
            raise NotSupportedError(f"{described(node)} is not supported", position(node))
        return method(self, node)

    def _group_key(self, node: exp.Expr) -> Typed | None:
        """The GROUP BY key that `node` is, by its SQL before grouping."""
        grouping = self.scope.grouping
        if grouping is None or isinstance(node, exp.Literal | exp.Query | exp.Lambda | exp.Subquery):
            return None
        if not grouping.keys or node.find(exp.Query) or is_aggregate(node) or isinstance(node, exp.Window):
            return None
        if isinstance(node, exp.Paren):
            return self._group_key(node.this)
        try:
            before = self.ungrouped().compile(node)
        except QueryError:
            return None
        return grouping.keys.get(before.sql)

    def ungrouped(self) -> "Expressions":
        """For what stands before the grouping: keys, and the arguments of aggregates."""
        scope = self.scope.inner({})
        scope.grouping = None
        return Expressions(self.queries, scope)

    def within(self, names: dict[str, Typed]) -> "Expressions":
        """For the body of a lambda with parameters `names`."""
        inner = Expressions(self.queries, self.scope.inner(names))
        inner.in_aggregate = self.in_aggregate
        return inner

    def without_windows(self) -> "Expressions":
        """For the arguments of a window function."""
        inner = Expressions(self.queries, self.scope)
        inner.named_windows = self.named_windows
        return inner

    # names

    def _column(self, node: exp.Expr) -> Typed:
        if isinstance(node.this, exp.Star):
            raise QuerySyntaxError("SELECT * is not allowed here", position(node))
        parts = [part.name for part in node.parts] if isinstance(node, exp.Column) else [node.name]
        return self._named(tuple(parts), node)

    def _named(self, written: tuple[str, ...], node: exp.Expr) -> Typed:
        parts = tuple(part.lower() for part in written)
        if parts[0] in self.scope.names:
            return self._fields_of(self.scope.names[parts[0]], written[1:], node)
        if len(parts) == 1 and parts[0] in self.scope.outputs:
            if self.in_aggregate:
                raise ColumnNotFoundError(
                    "Invalid reference to output projection attribute from ORDER BY aggregation", position(node)
                )
            return self.scope.outputs[parts[0]]
        found = self.scope.find(parts, position(node))
        if found is None and parts[0] in self.scope.outputs:
            return self._fields_of(self.scope.outputs[parts[0]], written[1:], node)
        if found is None:
            raise ColumnNotFoundError(
                f"Column '{'.'.join(written)}' cannot be resolved or requester is not authorized to access requested"
                " resources",
                position(node),
            )
        field, taken, scope = found
        if self.in_aggregate and scope is not self.scope:
            raise NotSupportedError(
                "An aggregate over a column of the query around it is not supported", position(node)
            )
        value = field.value
        if field.source is not None:
            scope.used.add(field.source)
        if scope.grouping is not None:
            key = scope.grouping.keys.get(value.sql)
            if key is None:
                shown = ".".join(written)
                raise ExpressionNotAggregateError(
                    f"'{shown}' must be an aggregate expression or appear in GROUP BY clause", position(node)
                )
            value = key
        return self._fields_of(value, written[taken:], node)

    def _fields_of(self, value: Typed, names: Sequence[str], node: exp.Expr) -> Typed:
        for name in names:
            value = self._field(value, name, node)
        return value

    def _field(self, value: Typed, name: str, node: exp.Expr) -> Typed:
        if not isinstance(value.type, Row):
            raise TypeMismatchError(f"Expression {node.sql(dialect=AthenaSql)} is not of type ROW", position(node))
        found = [i for i, (own, _) in enumerate(value.type.fields) if own and own.lower() == name.lower()]
        if len(found) > 1:
            raise InvalidArgumentsError(f"Ambiguous row field reference: {name}", position(node))
        if not found:
            raise ColumnNotFoundError(f"Column '{node.sql(dialect=AthenaSql)}' cannot be resolved", position(node))
        held = duckdb_fields(value.type)[found[0]]
        return Typed(f"({value.sql}).{quote(held)}", value.type.fields[found[0]][1], once=value.once)

    def _dot(self, node: exp.Expr) -> Typed:
        return self._field(self.compile(node.this), node.expression.name, node)

    # literals

    def _literal(self, node: exp.Expr) -> Typed:
        text = str(node.this)
        if node.is_string:
            return text_literal(text, varchar(len(text)))
        return number(text, position(node))

    def _boolean(self, node: exp.Expr) -> Typed:
        return Typed("TRUE" if node.this else "FALSE", BOOLEAN, bool(node.this), is_literal=True)

    def _null(self, _: exp.Expr) -> Typed:
        return null(UNKNOWN)

    def _hex(self, node: exp.Expr) -> Typed:
        text = re.sub(r"\s", "", str(node.this))
        if not re.fullmatch("[0-9a-fA-F]*", text):
            raise QuerySyntaxError("Binary literal can only contain hexadecimal digits", position(node))
        if len(text) % 2:
            raise QuerySyntaxError("Binary literal must contain an even number of digits", position(node))
        return Typed(f"from_hex('{text}')", VARBINARY)

    def _unicode(self, node: exp.Expr) -> Typed:
        escape = node.args.get("escape")
        try:
            text = unescaped(str(node.this), escape.name if escape else "\\")
        except ValueError:
            raise InvalidLiteralError("Incomplete escape sequence", position(node)) from None
        return text_literal(text, varchar(len(text)))

    def _interval(self, node: exp.Expr) -> Typed:
        value, unit = node.this, node.args.get("unit")
        negative = isinstance(value, exp.Neg)
        text = (value.this if negative else value).name
        if isinstance(unit, exp.IntervalSpan):
            span = (unit.this.name.upper(), unit.expression.name.upper())
        else:
            span = (unit.name.upper(),) * 2 if unit is not None else ("", "")
        amount, kind = interval_amount(text, *span, position(node))
        amount = -amount if negative else amount
        return Typed(f"CAST({amount} AS {to_duckdb(kind)})", kind)

    def _parameter(self, node: exp.Expr) -> Typed:
        index = int(node.name)
        given = self.queries.session.parameters
        if index >= len(given):
            raise InvalidParameterUsageError(
                f"Incorrect number of parameters: expected {index + 1} but found {len(given)}", position(node)
            )
        tree = parse(f"SELECT {given[index]}")
        return Expressions(self.queries, Scope()).compile(tree.expressions[0])

    # operators

    def _paren(self, node: exp.Expr) -> Typed:
        value = self.compile(node.this)
        return replace(value, sql=value.sql if value.is_literal else f"({value.sql})")

    def _arithmetic(self, node: exp.Expr) -> Typed:
        return arithmetic(
            _OPERATORS[type(node)], self.compile(node.this), self.compile(node.expression), position(node)
        )

    def _negative(self, node: exp.Expr) -> Typed:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return number(f"-{node.this.this}", position(node))
        return negate(self.compile(node.this), position(node))

    def _comparison(self, node: exp.Expr) -> Typed:
        operator, right = subquery.COMPARISONS[type(node)], node.expression
        left = self.compile(node.this)
        quantity = subquery.quantifier(right)
        if quantity is not None:
            return subquery.quantified(self, left, quantity, node)
        return compare(operator, left, self.compile(right), position(node))

    def _logical(self, node: exp.Expr) -> Typed:
        word = "AND" if isinstance(node, exp.And) else "OR"
        terms = [self.boolean(part, "Logical expression term") for part in node.flatten(unnest=False)]
        sql = f" {word} ".join(term.sql for term in terms)
        return Typed(f"({sql})", BOOLEAN, once=any(term.once for term in terms))

    def _not(self, node: exp.Expr) -> Typed:
        value = self.boolean(node.this, "Value of logical NOT expression")
        return Typed(f"(NOT {value.sql})", BOOLEAN, once=value.once)

    def _is(self, node: exp.Expr) -> Typed:
        value = self.compile(node.this)
        if not isinstance(node.expression, exp.Null):
            raise NotSupportedError("IS TRUE and IS FALSE are not supported", position(node))
        return Typed(f"({value.sql} IS NULL)", BOOLEAN, once=value.once)

    def _distinct_from(self, node: exp.Expr) -> Typed:
        value = distinct(self.compile(node.this), self.compile(node.expression), position(node))
        return value if isinstance(node, exp.NullSafeNEQ) else replace(value, sql=f"(NOT {value.sql})")

    def _concat(self, node: exp.Expr) -> Typed:
        parts = list(node.flatten(unnest=False))
        arrays = [isinstance(self.compile(part).type, Array) for part in parts]
        if any(arrays):  # an element beside an array is added to it
            parts = [p if is_array else exp.Array(expressions=[p]) for p, is_array in zip(parts, arrays, strict=True)]
        return self._invoke("concat", parts, node)

    def _between(self, node: exp.Expr) -> Typed:
        if node.args.get("symmetric"):
            raise NotSupportedError("BETWEEN SYMMETRIC is not supported", position(node))
        value, low, high = (self.compile(node.args[part]) for part in ("this", "low", "high"))
        common = common_type([value.type, low.type, high.type])
        if common is None or not is_orderable(common):
            raise TypeMismatchError(
                f"Cannot check if {value.type} is BETWEEN {low.type} and {high.type}", position(node)
            )

        once = value.once or low.once or high.once
        if not _compares_apart(common):
            texts = [coerce(part, common).sql for part in (value, low, high)]
            return Typed(f"({texts[0]} BETWEEN {texts[1]} AND {texts[2]})", BOOLEAN, once=once)

        def body(sql: str) -> str:
            one = replace(value, sql=sql)
            return f"({compare('>=', one, low).sql} AND {compare('<=', one, high).sql})"

        return Typed(let([value], body), BOOLEAN, once=once)

    def _in(self, node: exp.Expr) -> Typed:
        value = self.compile(node.this)
        query = node.args.get("query") or node.expressions[0]
        if subquery.is_query(query):
            return subquery.member(self, value, query, node)
        items = [self.compile(item) for item in node.expressions]
        common = self._unified([value, *items], "IN value and list items", node)
        sided = [coerce(item, common) for item in items]
        left = coerce(value, common)
        if _compares_apart(common):
            sql = let(
                [left],
                lambda x: "(" + " OR ".join(compare("=", replace(left, sql=x), item).sql for item in sided) + ")",
            )
        else:
            sql = f"({left.sql} IN ({', '.join(item.sql for item in sided)}))"
        return Typed(sql, BOOLEAN, once=any(item.once for item in (value, *items)))

    def _like(self, node: exp.Expr, escape: exp.Expr | None = None) -> Typed:
        value, pattern = self.compile(node.this), self.compile(node.expression)
        for side, part in (("Left side", value), ("Pattern", pattern)):
            if not is_text(part.type) and part.type != UNKNOWN:
                raise TypeMismatchError(
                    f"{side} of LIKE expression must evaluate to a varchar (actual: {part.type})", position(node)
                )
        sql = f"{coerce(value, VARCHAR).sql} LIKE {coerce(pattern, VARCHAR).sql}"
        if escape is not None:
            symbol = self.compile(escape)
            check_escape(symbol, pattern, position(node))
            sql += f" ESCAPE {symbol.sql}"
        once = value.once or pattern.once
        return Typed(f"(NOT ({sql}))" if node.args.get("negate") else f"({sql})", BOOLEAN, once=once)

    def _escape(self, node: exp.Expr) -> Typed:
        return self._like(node.this, node.expression)

    def _subscript(self, node: exp.Expr) -> Typed:
        value = self.compile(node.this)
        if len(node.expressions) != 1:
            raise QuerySyntaxError("A subscript has one index", position(node))
        index = self.compile(node.expressions[0])
        if isinstance(value.type, Array):
            return self._element(value, index, node)
        if isinstance(value.type, Map):
            return self._entry(value, index, node)
        if isinstance(value.type, Row) and isinstance(index.value, int):
            if not 1 <= index.value <= len(value.type.fields):
                raise InvalidFunctionArgumentError(
                    f"ROW subscript out of bounds: {index.value}. ROW has {len(value.type.fields)} fields",
                    position(node),
                )
            held = duckdb_fields(value.type)[index.value - 1]
            return Typed(f"({value.sql}).{quote(held)}", value.type.fields[index.value - 1][1], once=value.once)
        raise TypeMismatchError(f"Cannot use {index.type} for subscript of {value.type}", position(node))

    def _element(self, value: Typed, index: Typed, node: exp.Expr) -> Typed:
        if not is_integer(index.type):
            raise TypeMismatchError(f"Cannot use {index.type} for subscript of {value.type}", position(node))
        assert isinstance(value.type, Array)  # noqa: S101
        kind = to_duckdb(value.type.element)

        def body(items: str, at: str) -> str:
            bad = "INVALID_FUNCTION_ARGUMENT"
            negative = f"'Array subscript is negative: ' || {at}"
            long = f"'Array subscript must be less than or equal to array length: ' || {at} || ' > ' || len({items})"
            return (
                f"CASE WHEN {at} = 0 THEN {failing(bad, literal('SQL array indices start at 1'), kind)}"
                f" WHEN {at} < 0 THEN {failing(bad, negative, kind)}"
                f" WHEN {at} > len({items}) THEN {failing(bad, long, kind)}"
                f" ELSE list_extract({items}, {at}) END"
            )

        once = value.once or index.once
        return Typed(let([value, coerce(index, BIGINT)], body), value.type.element, once=once)

    def _entry(self, value: Typed, index: Typed, node: exp.Expr) -> Typed:
        assert isinstance(value.type, Map)  # noqa: S101
        common = common_type([value.type.key, index.type])
        if common != value.type.key:
            raise TypeMismatchError(f"Cannot use {index.type} for subscript of {value.type}", position(node))
        kind, key = to_duckdb(value.type.value), coerce(index, value.type.key)
        try:
            shown = as_text(replace(key, sql="\x01"))
        except KeyError:
            shown = "CAST(\x01 AS VARCHAR)"

        def body(entries: str, at: str) -> str:
            missing = failing(
                "INVALID_FUNCTION_ARGUMENT", "'Key not present in map: ' || " + shown.replace("\x01", at), kind
            )
            return (
                f"CASE WHEN {entries} IS NULL OR {at} IS NULL THEN NULL WHEN map_contains({entries}, {at})"
                f" THEN map_extract({entries}, {at})[1] ELSE {missing} END"
            )

        return Typed(let([value, key], body), value.type.value, once=value.once or index.once)

    def _at_time_zone(self, node: exp.Expr) -> Typed:
        value, zone = self.compile(node.this), self.compile(node.args["zone"])
        if value.type == TIMESTAMP:
            value = coerce(value, TIMESTAMP_TZ)
        if value.type != TIMESTAMP_TZ:
            raise TypeMismatchError(
                f"Type of value must be a time or timestamp with or without time zone (actual {value.type})",
                position(node),
            )
        if not isinstance(zone.value, str):
            raise NotSupportedError("AT TIME ZONE is supported with a literal zone only", position(node))
        name = canonical_zone(zone.value)
        if name is None:
            raise InvalidFunctionArgumentError(f"'{zone.value}' is not a valid time zone")
        sql = let(
            [value],
            lambda x: (
                f"CASE WHEN {x} IS NOT NULL THEN struct_pack(instant := ({x}).instant, zone := {literal(name)}) END"
            ),
        )
        return Typed(sql, TIMESTAMP_TZ, once=value.once)

    # conditionals

    def _unified(self, values: Sequence[Typed], what: str, node: exp.Expr) -> Type:
        common: Type = UNKNOWN
        for value in values:
            both = common_type([common, value.type])
            if both is None:
                every = ", ".join(sorted({str(each.type) for each in values}))
                raise TypeMismatchError(
                    f"{what} must be the same type or coercible to a common type. Cannot find common type between"
                    f" {common} and {value.type}, all types (without duplicates): [{every}]",
                    position(node),
                )
            common = both
        return common

    def _case(self, node: exp.Expr) -> Typed:
        branches = node.args["ifs"]
        results = [self.compile(branch.args["true"]) for branch in branches]
        if node.args.get("default") is not None:
            results.append(self.compile(node.args["default"]))
        common = self._unified(results, "All CASE results", node)
        texts = [coerce(result, common).sql for result in results]
        operand = self.compile(node.this) if node.this is not None else None
        whens = [self.compile(branch.this) for branch in branches]

        def body(sql: str = "") -> str:
            conditions = []
            for branch, when in zip(branches, whens, strict=True):
                if operand is None:
                    conditions.append(self._condition(when, branch.this, "CASE WHEN clause").sql)
                else:
                    conditions.append(compare("=", replace(operand, sql=sql), when, position(branch)).sql)
            parts = [f"WHEN {c} THEN {t}" for c, t in zip(conditions, texts[: len(branches)], strict=True)]
            default = texts[-1] if len(texts) > len(branches) else f"CAST(NULL AS {to_duckdb(common)})"
            return f"CASE {' '.join(parts)} ELSE {default} END"

        once = any(value.once for value in (*results, *whens)) or bool(operand and operand.once)
        return Typed(let([operand], body) if operand else body(), common, once=once)

    def _condition(self, value: Typed, node: exp.Expr, what: str) -> Typed:
        if value.type not in (BOOLEAN, UNKNOWN):
            raise TypeMismatchError(f"{what} must evaluate to a boolean: actual type {value.type}", position(node))
        return coerce(value, BOOLEAN)

    def _if(self, node: exp.Expr) -> Typed:
        condition = self._condition(self.compile(node.this), node.this, "IF condition")
        results = [self.compile(node.args["true"])]
        if node.args.get("false") is not None:
            results.append(self.compile(node.args["false"]))
        common = common_type([result.type for result in results])
        if common is None:
            raise TypeMismatchError(
                f"Result types for IF must be the same: {results[0].type} vs {results[1].type}", position(node)
            )
        texts = [coerce(result, common).sql for result in results] + [f"CAST(NULL AS {to_duckdb(common)})"]
        sql = f"CASE WHEN {condition.sql} THEN {texts[0]} ELSE {texts[1]} END"
        return Typed(sql, common, once=condition.once or any(result.once for result in results))

    def _coalesce(self, node: exp.Expr) -> Typed:
        values = [self.compile(item) for item in node.expressions]
        if len(values) < 2:  # noqa: PLR2004
            raise QuerySyntaxError("The 'coalesce' function must have at least two arguments", position(node))
        common = self._unified(values, "All COALESCE operands", node)
        sql = f"coalesce({', '.join(coerce(value, common).sql for value in values)})"
        return Typed(sql, common, once=any(value.once for value in values))

    def _nullif(self, node: exp.Expr) -> Typed:
        if len(node.expressions) != 2:  # noqa: PLR2004
            raise QuerySyntaxError("Invalid number of arguments for 'nullif' function", position(node))
        first, second = (self.compile(item) for item in node.expressions)
        if common_type([first.type, second.type]) is None:
            raise TypeMismatchError(
                f"Types are not comparable with NULLIF: {first.type} vs {second.type}", position(node)
            )
        kind = to_duckdb(first.type)

        def body(one: str) -> str:
            same = compare("=", replace(first, sql=one), second).sql
            return f"CASE WHEN {same} THEN CAST(NULL AS {kind}) ELSE {one} END"

        return Typed(let([first], body), first.type, once=first.once or second.once)

    def _try(self, node: exp.Expr) -> Typed:
        if len(node.expressions) != 1:
            raise QuerySyntaxError("The 'try' function must have exactly one argument", position(node))
        value = self.compile(node.expressions[0])
        if value.once:
            raise NotSupportedError(
                "TRY over a subquery or a function that is not deterministic is not supported", position(node)
            )
        return replace(value, sql=f"TRY({value.sql})", factors=())

    def _cast(self, node: exp.Expr) -> Typed:
        target = self.type_of(node.args["to"], node)
        if "line" not in node.meta:  # a literal with its type in front: DATE '2020-01-01'
            return self._typed_literal(node, target)
        value = self.compile(node.this)
        if isinstance(node, exp.TryCast):
            sql = let([value], lambda x: f"TRY({cast(replace(value, sql=x, once=False), target, position(node)).sql})")
            return Typed(sql, target, once=value.once)
        return cast(value, target, position(node))

    def _typed_literal(self, node: exp.Expr, target: Type) -> Typed:
        text = str(node.this.this)
        where = position(node)
        if target == TIMESTAMP_TZ:
            zoned = parse_zoned(text)
            if zoned is None:
                raise InvalidLiteralError(f"'{text}' is not a valid TIMESTAMP literal", where)
            return Typed(f"struct_pack(instant := TIMESTAMP '{zoned[0]}', zone := '{zoned[1]}')", TIMESTAMP_TZ)
        if target.name == "decimal":
            return decimal_literal(text, where)
        if isinstance(target, Char):
            raise NotSupportedError("A literal of type char is not supported; use CAST", where)
        if target in (DATE, TIME, TIMESTAMP) and not is_time(text, target):
            raise InvalidLiteralError(f"'{text}' is not a valid {target.name.upper()} literal", where)
        return cast(text_literal(text, varchar(len(text))), target, where)

    def type_of(self, node: exp.Expr, whole: exp.Expr) -> Type:
        """The type that a cast or a column definition names. Raises TypeNotFoundError, NotSupportedError."""
        text = node.sql(dialect=AthenaSql)
        if "line" not in whole.meta and text.upper().startswith("TIME"):
            base, _, rest = text.partition("(")
            digits, _, zone = rest.partition(")")
            if digits.isdigit() and int(digits) <= 3:  # noqa: PLR2004
                text = f"{base}{zone}"
        try:
            return parse_type(text)
        except ValueError as error:
            if "not supported" in str(error):
                raise NotSupportedError(str(error), position(whole)) from error
            raise TypeNotFoundError(str(error), position(whole)) from error

    # constructors

    def _array(self, node: exp.Expr) -> Typed:
        values = [self.compile(item) for item in node.expressions]
        common = self._unified(values, "All ARRAY elements", node)
        sql = f"CAST([{', '.join(coerce(value, common).sql for value in values)}] AS {to_duckdb(array(common))})"
        return Typed(sql, array(common), once=any(value.once for value in values))

    def _row(self, node: exp.Expr) -> Typed:
        values = [self.compile(item) for item in node.expressions]
        kind = row(*((None, value.type) for value in values))
        packed = ", ".join(
            f"{quote(name)} := {value.sql}" for name, value in zip(duckdb_fields(kind), values, strict=True)
        )
        return Typed(
            f"CAST(struct_pack({packed}) AS {to_duckdb(kind)})", kind, once=any(value.once for value in values)
        )

    def _json(self, node: exp.Expr) -> Typed:
        if not isinstance(node.this, exp.Literal):
            raise NotSupportedError("JSON is supported of a literal only", position(node))
        return self._invoke("json_parse", [node.this], node)

    # subqueries

    def _subquery(self, node: exp.Expr) -> Typed:
        return subquery.scalar(self, node)

    def _exists(self, node: exp.Expr) -> Typed:
        query = node.this if isinstance(node, exp.Exists) else node.expressions[0]
        return subquery.exists(self, query)

    # functions

    def _extract(self, node: exp.Expr) -> Typed:
        field = node.this.name.upper()
        if field in ("HOUR", "MINUTE", "SECOND") and self.compile(node.expression).type == DATE:
            raise TypeMismatchError(f"Cannot extract {field} from date", position(node))
        return self._invoke(_EXTRACT.get(field, field.lower()), [node.expression], node)

    def _trim(self, node: exp.Expr) -> Typed:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
        return self._invoke(name, [part for part in (node.this, node.expression) if part is not None], node)

    def _substring(self, node: exp.Expr) -> Typed:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return self._invoke("substring", [part for part in parts if part is not None], node)

    def _position(self, node: exp.Expr) -> Typed:
        return self._invoke("strpos", [node.this, node.args["substr"]], node)

    def _normalize(self, node: exp.Expr) -> Typed:
        form = str(node.args.get("form") or "NFC").upper()
        return self._invoke("normalize", [node.this, exp.Literal.string(form)], node)

    def _listagg(self, node: exp.Expr) -> Typed:
        if node.find(exp.OverflowTruncateBehavior):
            raise NotSupportedError("LISTAGG with ON OVERFLOW TRUNCATE is not supported", position(node))
        ordered = node.this
        argument = ordered.this if isinstance(ordered, exp.Order) else ordered
        separator = node.args.get("separator") or exp.Literal.string("")
        wanted = exp.Anonymous(this="listagg", expressions=[argument, separator])
        wanted.meta.update(node.meta)
        order = ordered.expressions if isinstance(ordered, exp.Order) else []
        return call(self, wanted, order=order)

    def _anonymous(self, node: exp.Expr) -> Typed:
        if node.name.lower() in _CLOCKS and node.expressions:
            if node.expressions[0].name != "3":
                raise NotSupportedError(
                    f"{node.sql(dialect=AthenaSql)} is not supported; use precision 3", position(node)
                )
            node = exp.Anonymous(this=node.name, expressions=[])
        special = self._SPECIAL_FORMS.get(node.name.lower())
        return special(self, node) if special else call(self, node)

    def _invoke(self, name: str, arguments: list[exp.Expr], node: exp.Expr) -> Typed:
        wanted = exp.Anonymous(this=name, expressions=arguments)
        wanted.meta.update(node.meta)
        return call(self, wanted)

    def _filter(self, node: exp.Expr) -> Typed:
        return wrapped(self, node, None)

    def _window(self, node: exp.Expr) -> Typed:
        return wrapped(self, node.this, node)

    def order_by(self, items: Sequence[exp.Expr]) -> str:
        """`a ASC NULLS LAST, ...`; Trino puts NULLs last in both directions unless told."""
        return ", ".join(ordered(item, self.compile(item.this)) for item in items)

    def _grouping(self, node: exp.Expr) -> Typed:
        grouping = self.scope.grouping
        if grouping is None:
            raise QuerySyntaxError("GROUPING operation can only be used with GROUP BY", position(node))
        before = self.ungrouped()
        texts = [grouping.same.get(before.compile(item).sql) for item in node.expressions]
        if None in texts:
            raise QuerySyntaxError("The arguments of GROUPING must be columns of GROUP BY", position(node))
        kind = INTEGER if len(texts) <= 31 else BIGINT  # noqa: PLR2004
        return grouping.aggregate(Typed(f"CAST(GROUPING({', '.join(map(str, texts))}) AS {to_duckdb(kind)})", kind))

    _SPECIAL_FORMS: ClassVar[dict[str, Callable[..., Typed]]] = {
        "coalesce": _coalesce,
        "nullif": _nullif,
        "try": _try,
        "row": _row,
        "grouping": _grouping,
        "exists": _exists,
    }
    _METHODS: ClassVar[dict[type[exp.Expr], Callable[..., Typed]]] = {
        exp.Column: _column,
        exp.Identifier: _column,
        exp.Dot: _dot,
        exp.Literal: _literal,
        exp.Boolean: _boolean,
        exp.Null: _null,
        exp.ByteString: _hex,
        exp.UnicodeString: _unicode,
        exp.Interval: _interval,
        exp.Placeholder: _parameter,
        exp.Paren: _paren,
        exp.Neg: _negative,
        exp.And: _logical,
        exp.Or: _logical,
        exp.Not: _not,
        exp.Is: _is,
        exp.NullSafeEQ: _distinct_from,
        exp.NullSafeNEQ: _distinct_from,
        exp.DPipe: _concat,
        exp.Between: _between,
        exp.In: _in,
        exp.Like: _like,
        exp.Escape: _escape,
        exp.Bracket: _subscript,
        exp.AtTimeZone: _at_time_zone,
        exp.Case: _case,
        exp.If: _if,
        exp.Cast: _cast,
        exp.TryCast: _cast,
        exp.Array: _array,
        exp.Tuple: _row,
        exp.ParseJSON: _json,
        exp.Subquery: _subquery,
        exp.Select: _subquery,
        exp.Exists: _exists,
        exp.Extract: _extract,
        exp.Trim: _trim,
        exp.Substring: _substring,
        exp.StrPosition: _position,
        exp.Normalize: _normalize,
        exp.GroupConcat: _listagg,
        exp.Anonymous: _anonymous,
        exp.Filter: _filter,
        exp.IgnoreNulls: _filter,
        exp.RespectNulls: _filter,
        exp.Window: _window,
    }


def _compares_apart(kind: Type) -> bool:
    """Whether values of `kind` compare otherwise than DuckDB compares what holds them."""
    return kind in (DOUBLE, REAL, TIMESTAMP_TZ) or isinstance(kind, Array | Map | Row)
