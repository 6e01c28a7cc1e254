"""What stands in FROM: tables, views, subqueries, joins, VALUES, UNNEST."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from local.athena.compiler.arithmetic import compare
from local.athena.compiler.cast import coerce
from local.athena.compiler.expression import Expressions
from local.athena.compiler.scope import Field, Scope, Table, View
from local.athena.compiler.typed import Typed
from local.athena.errors import (
    ColumnNotFoundError,
    InvalidViewError,
    MismatchedColumnAliasesError,
    NotSupportedError,
    QueryError,
    QuerySyntaxError,
    TableNotFoundError,
    TypeMismatchError,
    ViewIsRecursiveError,
    ViewIsStaleError,
)
from local.athena.parser import AthenaSql, parse, position
from local.athena.types import BIGINT, Array, Map, Row, Type, can_coerce, common_super_type, duckdb_fields, quote

if TYPE_CHECKING:
    from local.athena.compiler.query import Output, QueryCompiler

Relation = tuple[str, tuple[Field, ...]]


class Relations:
    """Compiles FROM clauses."""

    def __init__(self, queries: "QueryCompiler") -> None:
        self.queries = queries

    def source(self, node: exp.Expr, outer: Scope | None) -> Relation:
        """The SQL ` FROM ...` of a SELECT, and the fields it offers; both empty without FROM."""
        clause = node.args.get("from_")
        if clause is None:
            return "", ()
        sql, fields = self._joined(clause.this, node.args.get("joins") or (), outer)
        return f" FROM {sql}", fields

    def _joined(self, first: exp.Expr, joins: Sequence[exp.Expr], outer: Scope | None) -> Relation:
        relation = self._item(first, (), outer)
        own = [] if isinstance(first, exp.Subquery) else first.args.get("joins") or []
        for join in (*own, *joins):
            relation = self._join(relation, join, outer)
        return relation

    def _item(self, node: exp.Expr, left: tuple[Field, ...], outer: Scope | None) -> Relation:
        if node.args.get("sample") is not None:
            raise NotSupportedError("TABLESAMPLE is not supported", position(node))
        if node.args.get("pivots"):
            raise NotSupportedError("PIVOT is not supported", position(node))
        if isinstance(node, exp.Table):
            return self._table(node)
        if isinstance(node, exp.Unnest):
            return self._unnest(node, Scope(left, outer))
        if isinstance(node, exp.Values):
            return self._derived(self.queries.values(node, outer), node)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            scope = Scope(left, outer)
            sql, fields = self._derived(self.queries.query(node.this.this, scope), node)
            self.queries.mark(scope)
            return f"LATERAL {sql}", fields
        if isinstance(node, exp.Subquery):
            return self._parenthesised(node, outer)
        raise NotSupportedError(
            f"{type(node).__name__} is not supported in FROM: {node.sql(dialect=AthenaSql)[:80]}", position(node)
        )

    def _parenthesised(self, node: exp.Expr, outer: Scope | None) -> Relation:
        inner = node.this
        if isinstance(inner, exp.Query | exp.Values) and not isinstance(inner, exp.Table):
            return self._derived(self.queries.query(inner, outer), node)
        sql, fields = self._joined(inner, node.args.get("joins") or (), outer)
        return f"({sql})", fields

    def _derived(self, output: "Output", node: exp.Expr) -> Relation:
        """A subquery as a relation, under its alias."""
        name = self.queries.relation_name()
        fields = tuple(
            Field(column.name, Typed(f"{name}.c{i}", column.type), (), column.origin)
            for i, column in enumerate(output.columns)
        )
        return f"({output.sql}) AS {name}", self._aliased(fields, node)

    def _aliased(self, fields: tuple[Field, ...], node: exp.Expr) -> tuple[Field, ...]:
        alias = node.args.get("alias")
        if alias is None or not alias.name:
            return fields
        fields = tuple(replace(each, qualifier=(alias.name.lower(),)) for each in fields)
        columns = alias.args.get("columns") or []
        if columns and len(columns) != len(fields):
            raise MismatchedColumnAliasesError(
                f"Column alias list has {len(columns)} entries but '{alias.name}' has {len(fields)} columns available",
                position(node),
            )
        if columns:
            fields = tuple(replace(each, name=name.name) for each, name in zip(fields, columns, strict=True))
        return fields

    # tables and views

    def _table(self, node: exp.Expr) -> Relation:
        if node.args.get("version") is not None:
            raise NotSupportedError("Time travel is not supported for this table", position(node))
        if not isinstance(node.this, exp.Identifier):
            raise NotSupportedError(
                f"Table function {node.this.sql(dialect=AthenaSql)[:60]} is not supported", position(node)
            )
        session = self.queries.session
        name = node.name.lower()
        if not node.args.get("db"):
            for depth in range(len(self.queries.with_names) - 1, -1, -1):
                if name in self.queries.with_names[depth]:
                    return self._with_query(depth, name, node)
        database = node.text("db").lower() or session.database.lower()
        catalog = node.text("catalog").lower() or session.catalog.lower()
        found = self.queries.catalog.resolve(catalog, database, name)
        if found is None:
            raise TableNotFoundError(f"Table '{catalog}.{database}.{name}' does not exist", position(node))
        if isinstance(found, View):
            return self._view(found, node)
        return self._scan(found, node)

    def _scan(self, table: Table, node: exp.Expr) -> Relation:
        index = self.queries.add_scan(table)
        alias = self.queries.relation_name()
        owner = (table.catalog, table.database, table.name)
        fields = tuple(
            Field(name, Typed(f"{alias}.{quote(name)}", kind), owner, (index, name), (index, name))
            for name, kind in table.columns
        )
        fields = self._aliased(fields, node)
        named = {each.name.lower() for each in (node.find_ancestor(exp.Select) or node).find_all(exp.Identifier)}
        hidden = tuple(
            Field(name, Typed(f"{alias}.{quote(name)}", kind), fields[0].qualifier, None, (index, name), hidden=True)
            for name, kind in table.hidden
            if name in named and fields
        )
        return f"{quote(self.queries.sources[index].relation)} AS {alias}", (*fields, *hidden)

    def _with_query(self, depth: int, name: str, node: exp.Expr) -> Relation:
        """A WITH query is compiled anew where it is named, as Trino does; it sees the ones before it."""
        item = self.queries.with_names[depth][name]
        before = self.queries.with_names
        earlier = dict(list(before[depth].items())[: list(before[depth]).index(name)])
        self.queries.with_names = [*before[:depth], earlier]
        try:
            output = self.queries.query(item.this, None)
        finally:
            self.queries.with_names = before
        sql, fields = self._derived(output, item)
        return sql, self._renamed(fields, name, node)

    def _renamed(self, fields: tuple[Field, ...], name: str, node: exp.Expr) -> tuple[Field, ...]:
        return self._aliased(tuple(replace(each, qualifier=(name,)) for each in fields), node)

    def _view(self, view: View, node: exp.Expr) -> Relation:
        key = (view.catalog, view.database, view.name)
        if key in self.queries.views:
            raise ViewIsRecursiveError(f"Statement would create a recursive view: {'.'.join(key)}", position(node))
        queries = self.queries
        before = (queries.session, queries.with_names)
        queries.views.append(key)
        queries.session = replace(
            queries.session, catalog=view.text_catalog, database=view.text_database, parameters=()
        )
        queries.with_names = []
        try:
            output = queries.query(parse(view.text), None)
        except QueryError as error:
            raise InvalidViewError(
                f"Failed analyzing stored view '{'.'.join(key)}': {error}", position(node)
            ) from error
        finally:
            queries.views.pop()
            queries.session, queries.with_names = before
        return self._as_promised(view, output, node)

    def _as_promised(self, view: View, output: "Output", node: exp.Expr) -> Relation:
        shown = f"View '{view.catalog}.{view.database}.{view.name}' is stale or in invalid state"
        if len(output.columns) != len(view.columns):
            raise ViewIsStaleError(
                f"{shown}: stored view column count ({len(view.columns)}) does not match column count derived from the"
                f" view query analysis ({len(output.columns)})",
                position(node),
            )
        name = self.queries.relation_name()
        fields = []
        for i, ((promised, kind), column) in enumerate(zip(view.columns, output.columns, strict=True)):
            if not can_coerce(column.type, kind):
                raise ViewIsStaleError(
                    f"{shown}: column [{promised}] of type {column.type} projected from query view at position {i}"
                    f" cannot be coerced to column [{promised}] of type {kind} stored in view definition",
                    position(node),
                )
            value = coerce(Typed(f"{name}.c{i}", column.type), kind)
            origin = column.origin if column.type == kind else None
            fields.append(Field(promised, value, (view.catalog, view.database, view.name), origin))
        return f"({output.sql}) AS {name}", self._aliased(tuple(fields), node)

    # joins

    def _join(self, left: Relation, node: exp.Expr, outer: Scope | None) -> Relation:
        if node.args.get("method"):
            raise NotSupportedError(f"{node.args['method']} JOIN is not supported", position(node))
        side = str(node.args.get("side") or "").upper()
        kind = str(node.args.get("kind") or "").upper()
        if kind not in ("", "INNER", "CROSS", "OUTER") or side not in ("", "LEFT", "RIGHT", "FULL"):
            raise NotSupportedError(f"{side} {kind} JOIN is not supported", position(node))
        on, using = node.args.get("on"), node.args.get("using")
        if isinstance(node.this, exp.Unnest | exp.Lateral) and (on or using) and on != exp.true():
            word = "UNNEST" if isinstance(node.this, exp.Unnest) else "LATERAL"
            raise NotSupportedError(
                f"{side or 'INNER'} JOIN involving {word} is only supported with condition ON TRUE", position(node)
            )
        right = self._item(node.this, () if side in ("RIGHT", "FULL") else left[1], outer)
        left, right = _shielded(left, right, side)
        if using:
            return self._using(left, right, side, using, node)
        if on is None:
            if side:
                raise QuerySyntaxError(f"mismatched input: {side} JOIN needs ON or USING", position(node))
            return f"{left[0]} CROSS JOIN {right[0]}", (*left[1], *right[1])
        fields = (*left[1], *right[1])
        scope = Scope(fields, outer)
        condition = Expressions(self.queries, scope).boolean(on, "JOIN ON clause")
        self.queries.mark(scope)
        if not side:
            self.queries.prune(on, scope)
        return f"{left[0]} {side or 'INNER'} JOIN {right[0]} ON {condition.sql}", fields

    def _using(self, left: Relation, right: Relation, side: str, using: Sequence[exp.Expr], node: exp.Expr) -> Relation:
        conditions, merged, taken = [], [], set()
        for column in using:
            sides = [self._only_field(relation, column, node) for relation in (left, right)]
            common = common_super_type(sides[0].value.type, sides[1].value.type)
            if common is None:
                raise TypeMismatchError(
                    f"Column Types of left and right side differ: {sides[0].value.type} vs {sides[1].value.type}",
                    position(column),
                )
            one, other = (coerce(each.value, common) for each in sides)
            conditions.append(compare("=", one, other).sql)
            value = {"RIGHT": other, "FULL": Typed(f"coalesce({one.sql}, {other.sql})", common)}.get(side, one)
            origin = {"": sides[0].origin, "LEFT": sides[0].origin, "RIGHT": sides[1].origin}.get(side)
            merged.append(Field(column.name, value, (), origin))
            for each in sides:
                taken.add(id(each))
                if each.source is not None:
                    self.queries.sources[each.source[0]].columns.add(each.source[1])
        rest = [each for relation in (left, right) for each in relation[1] if id(each) not in taken]
        return f"{left[0]} {side or 'INNER'} JOIN {right[0]} ON {' AND '.join(conditions)}", (*merged, *rest)

    def _only_field(self, relation: Relation, column: exp.Expr, node: exp.Expr) -> Field:
        found = Scope(relation[1]).find((column.name.lower(),), position(column))
        if found is None:
            raise ColumnNotFoundError(f"Column '{column.name}' is missing from a side of the join", position(node))
        return found[0]

    # unnest

    def _unnest(self, node: exp.Expr, scope: Scope) -> Relation:
        """Each array or map becomes columns side by side; the shorter are filled with NULL."""
        expressions = Expressions(self.queries, scope)
        lists: list[tuple[str | None, str, Type]] = []
        lengths = []
        for argument in node.expressions:
            value = expressions.compile(argument)
            lists += self._lists(value, argument)
            lengths.append(f"len(map_keys({value.sql}))" if isinstance(value.type, Map) else f"len({value.sql})")
        self.queries.mark(scope)
        columns = [f"unnest({sql}) AS c{i}" for i, (_, sql, _) in enumerate(lists)]
        fields_of = [(name, kind) for name, _, kind in lists]
        offset = node.args.get("offset")
        if offset:
            longest = f"greatest({', '.join(lengths)})" if len(lengths) > 1 else lengths[0]
            columns.append(f"unnest(range(1, {longest} + 1)) AS c{len(lists)}")
            fields_of.append((None, BIGINT))
        name = self.queries.relation_name()
        fields = tuple(Field(own, Typed(f"{name}.c{i}", kind)) for i, (own, kind) in enumerate(fields_of))
        return f"LATERAL (SELECT {', '.join(columns)}) AS {name}", self._aliased(fields, _with_offset(node, offset))

    def _lists(self, value: Typed, node: exp.Expr) -> list[tuple[str | None, str, Type]]:
        kind = value.type
        if isinstance(kind, Map):
            return [(None, f"map_keys({value.sql})", kind.key), (None, f"map_values({value.sql})", kind.value)]
        if isinstance(kind, Array) and isinstance(kind.element, Row):
            return [
                (own, f"list_transform({value.sql}, lambda element: (element).{quote(held)})", each)
                for held, (own, each) in zip(duckdb_fields(kind.element), kind.element.fields, strict=True)
            ]
        if isinstance(kind, Array):
            return [(None, value.sql, kind.element)]
        raise TypeMismatchError(f"Cannot unnest type: {kind}", position(node))


def _with_offset(node: exp.Expr, offset: object) -> exp.Expr:
    """The UNNEST with the ordinality's name back among the aliases, from where the parser took it."""
    if not isinstance(offset, exp.Identifier):
        return node
    whole = node.copy()
    whole.args["alias"].append("columns", offset.copy())
    return whole


def _shielded(left: Relation, right: Relation, side: str) -> tuple[Relation, Relation]:
    """A condition above an outer join says nothing about the rows that the join fills with NULL."""

    def hidden(relation: Relation) -> Relation:
        return relation[0], tuple(replace(each, origin=None) for each in relation[1])

    return (hidden(left) if side in ("RIGHT", "FULL") else left), (hidden(right) if side in ("LEFT", "FULL") else right)
