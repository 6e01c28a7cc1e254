"""Queries: from the parsed tree to DuckDB SQL with Trino's meaning."""

# ruff: noqa: S608 (writing SQL is what a compiler does; names are quoted and literals escaped)

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from sqlglot import exp

from local.athena.compiler.calls import is_aggregate
from local.athena.compiler.cast import coerce
from local.athena.compiler.expression import Expressions
from local.athena.compiler.keys import needs_key, ordered, same_key
from local.athena.compiler.relation import Relations
from local.athena.compiler.scope import CatalogView, CompiledQuery, Field, Grouping, Scan, Scope, Table
from local.athena.compiler.typed import Typed
from local.athena.errors import (
    AmbiguousNameError,
    ColumnNotFoundError,
    ExpressionNotAggregateError,
    ExpressionNotInDistinctError,
    ExpressionNotScalarError,
    InvalidColumnReferenceError,
    MismatchedColumnAliasesError,
    MissingOrderByError,
    NotSupportedError,
    NumericValueOutOfRangeError,
    QueryError,
    QuerySyntaxError,
    StackOverflowError,
    TypeMismatchError,
)
from local.athena.functions.registry import Session
from local.athena.parser import AthenaSql, position
from local.athena.types import (
    UNKNOWN,
    Row,
    Type,
    common_super_type,
    is_integer,
    quote,
)


def compile_query(tree: exp.Expr, catalog: CatalogView, session: Session) -> CompiledQuery:
    """Compiles a query parsed by `local.athena.parser.parse`. Raises the leaves of QueryError."""
    queries = QueryCompiler(catalog, session)
    try:
        output = queries.query(tree, None)
    except RecursionError:
        raise StackOverflowError("statement is too large (stack overflow during analysis)") from None
    columns = tuple((column.name or f"_col{i}", column.type) for i, column in enumerate(output.columns))
    return CompiledQuery(output.sql, columns, queries.scans())


@dataclass(frozen=True)
class Column:
    """A column of a query's output; `origin` is as of a Field."""

    name: str | None
    type: Type
    origin: tuple[int, str] | None = None


@dataclass(frozen=True)
class Output:
    """A compiled query: its SQL's columns are named c0, c1..."""

    sql: str
    columns: list[Column]


@dataclass
class _Source:
    """A scan in the making."""

    relation: str
    table: Table
    scope: Scope | None = None
    columns: set[str] = field(default_factory=set)
    conditions: list[str] = field(default_factory=list)


class QueryCompiler:
    """Compiles one statement's queries; holds its scans and the names of its relations."""

    def __init__(self, catalog: CatalogView, session: Session) -> None:
        self.catalog = catalog
        self.session = session
        self.sources: list[_Source] = []
        self._relations = count()
        self.with_names: list[dict[str, exp.Expr]] = []
        self.views: list[tuple[str, str, str]] = []

    def scans(self) -> tuple[Scan, ...]:
        return tuple(
            Scan(
                source.relation,
                source.table,
                tuple(name for name, _ in (*source.table.columns, *source.table.hidden) if name in source.columns),
                " AND ".join(source.conditions) or None,
            )
            for source in self.sources
        )

    def relation_name(self) -> str:
        return f"r{next(self._relations)}"

    def add_scan(self, table: Table) -> int:
        """Registers a read of `table` and gives its number."""
        self.sources.append(_Source(f"scan${len(self.sources)}", table))
        return len(self.sources) - 1

    def mark(self, scope: Scope) -> None:
        """Notes the columns of scans that expressions of `scope` read."""
        for index, column in scope.used:
            self.sources[index].columns.add(column)

    def subquery(self, node: exp.Expr, scope: Scope) -> tuple[str, list[tuple[str | None, Type]]]:
        output = self.query(node, scope)
        return output.sql, [(column.name, column.type) for column in output.columns]

    def query(self, node: exp.Expr, outer: Scope | None) -> Output:
        """Compiles a query of any form, with its WITH."""
        given = node.args.get("with_")
        if given is not None:
            if given.args.get("recursive"):
                raise NotSupportedError("WITH RECURSIVE is not supported", position(given))
            self.with_names.append({})
            try:
                for item in given.expressions:
                    self._with(item)
                return self._body(node, outer)
            finally:
                self.with_names.pop()
        return self._body(node, outer)

    def _with(self, item: exp.Expr) -> None:
        name = item.alias.lower()
        if name in self.with_names[-1]:
            raise QuerySyntaxError(f"WITH query name '{item.alias}' specified more than once", position(item))
        self.with_names[-1] = {**self.with_names[-1], name: item}

    def _body(self, node: exp.Expr, outer: Scope | None) -> Output:
        if isinstance(node, exp.Select):
            return _SelectCompiler(self, node, outer).compile()
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer)
        if isinstance(node, exp.Values):
            return self._paged(self.values(node, outer), node, outer)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query | exp.Values):
            return self._paged(self.query(node.this, outer), node, outer)
        raise NotSupportedError(
            f"{type(node).__name__} is not supported: {node.sql(dialect=AthenaSql)[:80]}", position(node)
        )

    def values(self, node: exp.Expr, outer: Scope | None) -> Output:
        """`VALUES (1, 'a'), (2, 'b')`: the rows' types unified by column."""
        expressions = Expressions(self, Scope((), outer))
        rows = [
            [expressions.compile(item) for item in (row.expressions if isinstance(row, exp.Tuple) else [row])]
            for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            raise TypeMismatchError("Values rows have mismatched sizes", position(node))
        message = "Values rows have mismatched types"
        kinds = [_unified([value.type for value in column], message, node) for column in zip(*rows, strict=True)]
        texts = [
            f"({', '.join(coerce(value, kind).sql for value, kind in zip(row, kinds, strict=True))})" for row in rows
        ]
        names = ", ".join(f"c{i}" for i in range(len(kinds)))
        sql = f"SELECT * FROM (VALUES {', '.join(texts)}) AS v({names})"
        return Output(sql, [Column(None, kind) for kind in kinds])

    def _set_operation(self, node: exp.Expr, outer: Scope | None) -> Output:
        word = "UNION" if isinstance(node, exp.Union) else "INTERSECT" if isinstance(node, exp.Intersect) else "EXCEPT"
        left, right = self.query(node.this, outer), self.query(node.expression, outer)
        if len(left.columns) != len(right.columns):
            raise TypeMismatchError(
                f"{word} query has different number of fields: {len(left.columns)}, {len(right.columns)}",
                position(node),
            )
        columns = []
        for i, (one, other) in enumerate(zip(left.columns, right.columns, strict=True)):
            kind = common_super_type(one.type, other.type)
            if kind is None:
                raise TypeMismatchError(
                    f"column {i + 1} in {word} query has incompatible types: {one.type}, {other.type}", position(node)
                )
            columns.append(Column(one.name, kind))
        unique = node.args.get("distinct") is not False
        sides = [self._coerced(side, columns) for side in (left, right)]
        apart = [column.type for column in columns if needs_key(column.type)]
        if apart and word != "UNION":
            raise NotSupportedError(f"{word} over {apart[0]} is not supported", position(node))
        sql = f"({sides[0]}) {word}{'' if unique and not apart else ' ALL'} ({sides[1]})"
        if apart and unique:
            name = self.relation_name()
            whole = distinct_word([Typed(f"{name}.c{i}", column.type) for i, column in enumerate(columns)])
            sql = f"SELECT {whole}{name}.* FROM ({sql}) AS {name}"
        return self._paged(Output(sql, columns), node, outer)

    def _coerced(self, output: Output, columns: Sequence[Column]) -> str:
        name = self.relation_name()
        items = [
            f"{coerce(Typed(f'{name}.c{i}', own.type), wanted.type).sql} AS c{i}"
            for i, (own, wanted) in enumerate(zip(output.columns, columns, strict=True))
        ]
        return f"SELECT {', '.join(items)} FROM ({output.sql}) AS {name}"

    def _paged(self, output: Output, node: exp.Expr, outer: Scope | None) -> Output:
        """A query whose ORDER BY sees its output only."""
        order, page = node.args.get("order"), self.page(node)
        if order is None and not page:
            return output
        name = self.relation_name()
        fields = tuple(
            Field(column.name, Typed(f"{name}.c{i}", column.type)) for i, column in enumerate(output.columns)
        )
        expressions = Expressions(self, Scope(fields, outer))
        keys = []
        for item in order.expressions if order is not None else ():
            index = ordinal(item.this, len(fields), "ORDER BY")
            keys.append(ordered(item, fields[index].value if index is not None else expressions.compile(item.this)))
        rest = self.sorted(node, ", ".join(keys)) if keys else page
        names = ", ".join(f"{name}.c{i} AS c{i}" for i in range(len(fields)))
        return replace(output, sql=f"SELECT {names} FROM ({output.sql}) AS {name}{rest}")

    def page(self, node: exp.Expr) -> str:
        """The SQL of OFFSET, LIMIT and FETCH FIRST."""
        limit, offset, text = node.args.get("limit"), node.args.get("offset"), ""
        if isinstance(limit, exp.Fetch):
            if _with_ties(limit) and node.args.get("order") is None:
                raise MissingOrderByError("FETCH FIRST WITH TIES clause requires ORDER BY", position(node))
            text = f" LIMIT {self._fetched(limit)}"
        elif limit is not None and not (
            isinstance(limit.expression, exp.Var) and limit.expression.name.upper() == "ALL"
        ):
            text = f" LIMIT {self._whole(limit.expression, 'LIMIT')}"
        if offset is not None:
            text += f" OFFSET {self._whole(offset.expression, 'OFFSET')}"
        return text

    def sorted(self, node: exp.Expr, sorting: str) -> str:
        """The SQL of ORDER BY `sorting`, OFFSET, LIMIT and FETCH FIRST, also WITH TIES."""
        limit, offset = node.args.get("limit"), node.args.get("offset")
        if not isinstance(limit, exp.Fetch) or not _with_ties(limit):
            return f" ORDER BY {sorting}{self.page(node)}"
        skipped = self._whole(offset.expression, "OFFSET") if offset is not None else 0
        over = f"OVER (ORDER BY {sorting})"
        ties = f"rank() {over} <= {skipped + self._fetched(limit)} AND row_number() {over} > {skipped}"
        return f" QUALIFY {ties} ORDER BY {sorting}"

    def _fetched(self, limit: exp.Expr) -> int:
        count = self._whole(limit.args.get("count") or exp.Literal.number(1), "FETCH FIRST")
        if count == 0:
            raise NumericValueOutOfRangeError("FETCH FIRST row count must be positive (actual value: 0)")
        return count

    def _whole(self, node: exp.Expr, clause: str) -> int:
        value = Expressions(self, Scope()).compile(node)
        if not is_integer(value.type) or not isinstance(value.value, int) or value.value < 0:
            raise QuerySyntaxError(f"{clause} must be a whole number of rows", position(node))
        return value.value

    def prune(self, node: exp.Expr, scope: Scope) -> None:
        """Gives each conjunct of a condition that is about one scan's partition keys to that scan."""
        for conjunct in _conjuncts(node):
            origins = self._origins(conjunct, scope)
            scans = {origin[0] for origin in origins or ()}
            if len(scans) != 1:
                continue
            source = self.sources[scans.pop()]
            if not {column for _, column in origins or ()} <= source.table.partition_keys:
                continue
            fields = tuple(
                replace(known, value=replace(known.value, sql=quote(known.origin[1])))
                for known in scope.fields
                if known.origin is not None
            )
            condition = Expressions(self, Scope(fields)).boolean(conjunct, "WHERE clause")
            if not condition.once:
                source.conditions.append(condition.sql)

    def _origins(self, node: exp.Expr, scope: Scope) -> set[tuple[int, str]] | None:
        """The scans' columns a condition reads, or None if it reads anything else."""
        origins = set()
        if node.find(exp.Query, exp.Lambda):
            return None
        for column in node.find_all(exp.Column):
            parts = tuple(part.name.lower() for part in column.parts)
            found = next((f for f in scope.fields if f.answers(parts)), None)
            if found is None or found.origin is None:
                return None
            origins.add(found.origin)
        return origins


def _with_ties(limit: exp.Expr) -> bool:
    options = limit.args.get("limit_options")
    return options is not None and bool(options.args.get("with_ties"))


def distinct_word(values: Sequence[Typed]) -> str:
    """DISTINCT over a select list of `values`."""
    if not any(needs_key(value.type) for value in values):
        return "DISTINCT "
    return f"DISTINCT ON ({', '.join(same_key(value) for value in values)}) "


def _conjuncts(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.And):
        return [*_conjuncts(node.this), *_conjuncts(node.expression)]
    return _conjuncts(node.this) if isinstance(node, exp.Paren) else [node]


def _unified(kinds: Sequence[Type], message: str, node: exp.Expr) -> Type:
    common: Type = UNKNOWN
    for kind in kinds:
        both = common_super_type(common, kind)
        if both is None:
            raise TypeMismatchError(f"{message}: {common} vs {kind}", position(node))
        common = both
    return common


def ordinal(node: exp.Expr, size: int, clause: str) -> int | None:
    """The index from 0 that an integer literal in ORDER BY or GROUP BY names, or None. Raises if there is none such."""
    if not isinstance(node, exp.Literal) or node.is_string or not str(node.this).isdigit():
        return None
    index = int(str(node.this))
    if not 1 <= index <= size:
        raise InvalidColumnReferenceError(f"{clause} position {index} is not in select list", position(node))
    return index - 1


@dataclass(frozen=True)
class _Item:
    """One output column before it is compiled: an expression, or a field of a star."""

    name: str | None
    node: exp.Expr | None
    field: Field | None = None


class _SelectCompiler:
    """Compiles one SELECT."""

    def __init__(self, queries: QueryCompiler, node: exp.Expr, outer: Scope | None) -> None:
        self.queries = queries
        self.node = node
        self.outer = outer
        self.fields: tuple[Field, ...] = ()
        self._sets = ""
        _only(node, {"expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset"})

    def compile(self) -> Output:
        node = self.node
        source, fields = Relations(self.queries).source(node, self.outer)
        self.fields = fields
        scope = Scope(fields, self.outer)
        where = self._where(scope)
        items = self._items(scope)
        order = node.args["order"].expressions if node.args.get("order") is not None else []
        grouping = self._group(scope, items, order)
        scope.grouping = grouping
        expressions = Expressions(self.queries, scope, windows=True)
        expressions.named_windows = {window.this.name.lower(): window for window in node.args.get("windows") or ()}
        outputs = [self._item(item, expressions) for item in items]
        keys = self._order_keys(order, items, outputs, scope, expressions)
        having = node.args.get("having")
        kept = (
            Expressions(self.queries, scope).boolean(having.this, "HAVING clause").sql if having is not None else None
        )
        body = f"{source}{where}" if grouping is None else self._grouped(grouping, f"{source}{where}")
        if kept is not None:
            body += f" WHERE {kept}"
        self.queries.mark(scope)
        columns = [self._output(item, value, grouping) for item, value in zip(items, outputs, strict=True)]
        return Output(self._assembled(outputs, keys, order, body), columns)

    def _where(self, scope: Scope) -> str:
        where = self.node.args.get("where")
        if where is None:
            return ""
        bad = [call for call in _shallow(where.this) if is_aggregate(call) or isinstance(call, exp.Window)]
        if bad:
            shown = ", ".join(call.sql(dialect=AthenaSql) for call in bad)
            raise ExpressionNotScalarError(
                f"WHERE clause cannot contain aggregations, window functions or grouping operations: [{shown}]",
                position(bad[0]),
            )
        condition = Expressions(self.queries, scope).boolean(where.this, "WHERE clause")
        self.queries.prune(where.this, scope)
        return f" WHERE {condition.sql}"

    def _items(self, scope: Scope) -> list[_Item]:
        items: list[_Item] = []
        for node in self.node.expressions:
            if isinstance(node, exp.Aliases) and _is_star(node.this):
                items += _renamed(self._star(node.this, scope), node)
            elif _is_star(node):
                items += self._star(node, scope)
            elif isinstance(node, exp.Alias):
                items.append(_Item(node.alias, node.this))
            elif isinstance(node, exp.Column | exp.Dot):
                items.append(_Item(node.name, node))
            else:
                items.append(_Item(None, node))
        return items

    def _star(self, node: exp.Expr, scope: Scope) -> list[_Item]:
        if isinstance(node, exp.Dot):
            return self._row_star(node.this, scope)
        fields = scope.fields
        prefix = tuple(part.name.lower() for part in node.parts[:-1]) if isinstance(node, exp.Column) else ()
        if not fields and not prefix:
            raise ColumnNotFoundError("SELECT * not allowed in queries without FROM clause", position(node))
        chosen = [f for f in fields if not f.hidden and (not prefix or f.qualifier[-len(prefix) :] == prefix)]
        if not chosen:
            names = dict(zip(("this", "table", "db"), (exp.to_identifier(name) for name in prefix[::-1]), strict=False))
            if scope.find(prefix, position(node)) is None:
                raise QuerySyntaxError(f"Unable to resolve reference {'.'.join(prefix)}", position(node))
            return self._row_star(exp.Column(**names), scope)
        return [_Item(f.name, None, f) for f in chosen]

    def _row_star(self, node: exp.Expr, scope: Scope) -> list[_Item]:
        """`value.*`: the fields of a row."""
        kind = Expressions(self.queries, scope).compile(node).type
        if not isinstance(kind, Row):
            raise TypeMismatchError(f"expected type of kind row but got {kind}", position(node))
        return [
            _Item(name, exp.Bracket(this=node.copy(), expressions=[exp.Literal.number(i + 1)]))
            for i, (name, _) in enumerate(kind.fields)
        ]

    def _item(self, item: _Item, expressions: Expressions) -> Typed:
        if item.node is not None:
            return expressions.compile(item.node)
        assert item.field is not None  # noqa: S101
        scope = expressions.scope
        if item.field.source is not None:
            scope.used.add(item.field.source)
        if scope.grouping is None:
            return item.field.value
        key = scope.grouping.keys.get(item.field.value.sql)
        if key is None:
            raise _not_grouped(item.field.name, self.node)
        return key

    def _output(self, item: _Item, value: Typed, grouping: Grouping | None) -> Column:
        """An output column keeps its origin if it is a scan's column unchanged and every row passes through."""
        origin = None
        if item.field is not None:
            origin = item.field.origin
        elif isinstance(item.node, exp.Column):
            parts = tuple(part.name.lower() for part in item.node.parts)
            origin = next((known.origin for known in self.fields if known.answers(parts)), None)
        sets = grouping is not None and "(" in self._sets
        blocked = (
            sets or any(isinstance(part, exp.Window) for part in _shallow(self.node)) or self.queries.page(self.node)
        )
        return Column(item.name, value.type, None if blocked else origin)

    # grouping

    def _group(self, scope: Scope, items: Sequence[_Item], order: Sequence[exp.Expr]) -> Grouping | None:
        group, having = self.node.args.get("group"), self.node.args.get("having")
        parts = [item.node for item in items if item.node is not None] + [item.this for item in order]
        aggregated = any(is_aggregate(call) for part in parts for call in _shallow(part))
        if group is None and having is None and not aggregated:
            return None
        grouping = Grouping(self.queries.relation_name())
        if group is not None:
            self._keys(group, scope, items, grouping)
        return grouping

    def _keys(self, group: exp.Expr, scope: Scope, items: Sequence[_Item], grouping: Grouping) -> None:
        _only(group, {"expressions", "all"})
        expressions = Expressions(self.queries, scope)
        clauses = [self._clause(node, expressions, items, grouping) for node in group.expressions]
        if any(isinstance(node, exp.GroupingSets | exp.Cube | exp.Rollup) for node in group.expressions):
            if group.args.get("all") is False:
                raise NotSupportedError("GROUP BY DISTINCT is not supported with grouping sets", position(group))
            if any(not isinstance(c, exp.Column) for node in group.expressions for c in _set_columns(node)):
                raise InvalidColumnReferenceError("GROUP BY expression must be a column reference", position(group))
            self._sets = f" GROUP BY {', '.join(clauses)}"
        elif not grouping.keys:
            self._sets = " GROUP BY ()"
        else:
            self._sets = " GROUP BY " + ", ".join(
                str(i + 1) if same == sql else same for i, (sql, same) in enumerate(grouping.same.items())
            )

    def _clause(self, node: exp.Expr, expressions: Expressions, items: Sequence[_Item], grouping: Grouping) -> str:
        for kind, word in (
            (exp.GroupingSets, "GROUPING SETS "),
            (exp.Cube, "CUBE "),
            (exp.Rollup, "ROLLUP "),
            (exp.Tuple, ""),
        ):
            if isinstance(node, kind):
                parts = [self._clause(part, expressions, items, grouping) for part in node.expressions]
                return f"{word}({', '.join(parts)})"
        index = ordinal(node, len(items), "GROUP BY")
        if index is not None and items[index].node is None:
            value = self._item(items[index], expressions)
        else:
            target = items[index].node if index is not None else node
            assert target is not None  # noqa: S101
            value = self._key(target, expressions)
        grouping.add_key(value)
        return grouping.same[value.sql]

    def _key(self, node: exp.Expr, expressions: Expressions) -> Typed:
        while isinstance(node, exp.Paren):
            node = node.this
        bad = [call for call in _shallow(node) if is_aggregate(call) or isinstance(call, exp.Window)]
        if bad:
            shown = ", ".join(call.sql(dialect=AthenaSql) for call in bad)
            raise ExpressionNotScalarError(
                f"GROUP BY clause cannot contain aggregations, window functions or grouping operations: [{shown}]",
                position(bad[0]),
            )
        return expressions.compile(node)

    def _grouped(self, grouping: Grouping, body: str) -> str:
        columns = [f"{self._of_group(sql, grouping.same[sql])} AS k{i}" for i, sql in enumerate(grouping.keys)]
        columns += [f"{sql} AS a{i}" for i, sql in enumerate(grouping.aggregates)]
        if not grouping.keys and not grouping.aggregates:  # HAVING alone, of a constant
            columns = ["count(*) AS a0"]
        return f' FROM (SELECT {", ".join(columns)}{body}{self._sets}) AS "{grouping.relation}"'

    def _of_group(self, sql: str, same: str) -> str:
        """A key; of values that are the same to Trino, one."""
        if sql == same:
            return sql
        return f"CASE WHEN GROUPING({same}) = 0 THEN first({sql}) END" if "(" in self._sets else f"first({sql})"

    # the end

    def _order_keys(
        self,
        order: Sequence[exp.Expr],
        items: Sequence[_Item],
        outputs: Sequence[Typed],
        scope: Scope,
        expressions: Expressions,
    ) -> list[Typed]:
        """ORDER BY sees the output's names first, then the source's columns."""
        names: dict[str, list[Typed]] = {}
        for item, value in zip(items, outputs, strict=True):
            if item.name is not None:
                names.setdefault(item.name.lower(), []).append(value)
        plain = {name: values[0] for name, values in names.items() if len({value.sql for value in values}) == 1}
        ordering = scope.inner({})
        ordering.outputs = plain
        inner = Expressions(self.queries, ordering, windows=True)
        inner.named_windows = expressions.named_windows
        keys = []
        for wanted in order:
            index = ordinal(wanted.this, len(outputs), "ORDER BY")
            if index is not None:
                keys.append(outputs[index])
                continue
            if isinstance(wanted.this, exp.Column) and len(wanted.this.parts) == 1:
                name = wanted.this.name.lower()
                if name in names and name not in plain:
                    raise AmbiguousNameError(f"Column '{wanted.this.name}' is ambiguous", position(wanted.this))
            keys.append(inner.compile(wanted.this))
        return keys

    def _assembled(self, outputs: Sequence[Typed], keys: Sequence[Typed], order: Sequence[exp.Expr], body: str) -> str:
        unique = self.node.args.get("distinct")
        page = self.queries.page(self.node)
        texts = [value.sql for value in outputs]
        columns = [f"{text} AS c{i}" for i, text in enumerate(texts)]
        word = ""
        if unique is not None:
            self._check_distinct(unique, outputs, keys)
            word = distinct_word(outputs)
        if not keys:
            return f"SELECT {word}{', '.join(columns)}{body}{page}"
        name = self.queries.relation_name()
        sorting = []
        for i, (item, key) in enumerate(zip(order, keys, strict=True)):
            if key.sql in texts:
                held = f"{name}.c{texts.index(key.sql)}"
            else:
                held = f"{name}.o{i}"
                columns.append(f"{key.sql} AS o{i}")
            sorting.append(ordered(item, replace(key, sql=held)))
        inner = f"SELECT {word}{', '.join(columns)}{body}"
        shown = ", ".join(f"{name}.c{i} AS c{i}" for i in range(len(outputs)))
        return f"SELECT {shown} FROM ({inner}) AS {name}{self.queries.sorted(self.node, ', '.join(sorting))}"

    def _check_distinct(self, unique: exp.Expr, outputs: Sequence[Typed], keys: Sequence[Typed]) -> None:
        if unique.args.get("on") is not None:
            raise NotSupportedError("SELECT DISTINCT ON is not supported", position(unique))
        if any(key.sql not in [value.sql for value in outputs] for key in keys):
            raise ExpressionNotInDistinctError(
                "For SELECT DISTINCT, ORDER BY expressions must appear in select list", position(self.node)
            )


def _is_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) or (
        isinstance(node, exp.Column | exp.Dot) and isinstance(node.args.get("expression", node.this), exp.Star)
    )


def _renamed(items: list[_Item], node: exp.Expr) -> list[_Item]:
    names = [alias.name for alias in node.expressions]
    if len(names) != len(items):
        raise MismatchedColumnAliasesError(
            f"Column alias list has {len(names)} entries but relation has {len(items)} columns", position(node)
        )
    return [replace(item, name=name) for item, name in zip(items, names, strict=True)]


def _set_columns(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.GroupingSets | exp.Cube | exp.Rollup | exp.Tuple):
        return [column for part in node.expressions for column in _set_columns(part)]
    return _set_columns(node.this) if isinstance(node, exp.Paren) else [node]


def _shallow(node: exp.Expr) -> list[exp.Expr]:
    """`node` and what is in it, without what nested queries hold."""
    nested = (exp.Query, exp.Values)
    return list(node.walk(prune=lambda part: part is not node and isinstance(part, nested)))


def _not_grouped(name: str | None, node: exp.Expr) -> QueryError:
    return ExpressionNotAggregateError(
        f"'{name}' must be an aggregate expression or appear in GROUP BY clause", position(node)
    )


def _only(node: exp.Expr, known: set[str]) -> None:
    """Refuses clauses that nothing here gives a meaning. Raises NotSupportedError."""
    allowed = known | {"with_", "distinct", "windows", "kind", "hint"} if isinstance(node, exp.Select) else known
    for name, value in node.args.items():
        if value and name not in allowed:
            raise NotSupportedError(
                f"{name.strip('_').upper()} is not supported in {type(node).__name__.upper()}", position(node)
            )
