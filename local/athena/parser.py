"""Trino's SQL as a tree: sqlglot's parser, with functions left unresolved and operators' positions kept."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import TokenType

from local.athena import grammar
from local.athena.errors import NotSupportedError, StackOverflowError

_SPECIAL = frozenset({"CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION", "LISTAGG", "NORMALIZE"})
_TYPES = {"ARRAY", "BIGINT", "BOOLEAN", "CHAR", "DATE", "DECIMAL", "DOUBLE", "INT", "INTEGER", "JSON", "MAP", "REAL"}
_TYPES |= {"SMALLINT", "TINYINT", "VARBINARY", "VARCHAR"}
_UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_NO_PARENTHESES = {
    TokenType.CURRENT_DATE: "current_date",
    TokenType.CURRENT_TIME: "current_time",
    TokenType.CURRENT_TIMESTAMP: "current_timestamp",
    TokenType.CURRENT_USER: "current_user",
    TokenType.CURRENT_CATALOG: "current_catalog",
    TokenType.CURRENT_SCHEMA: "current_schema",
    TokenType.LOCALTIME: "localtime",
    TokenType.LOCALTIMESTAMP: "localtimestamp",
}


def _no_parentheses(name: str) -> Callable[[], exp.Expr]:
    return lambda: exp.Anonymous(this=name, expressions=[])


class _Parser(TrinoParser):
    """Leaves what our registry of functions resolves as `exp.Anonymous`."""

    FUNCTIONS: ClassVar = {}
    FUNCTION_PARSERS: ClassVar = {
        name: parser for name, parser in TrinoParser.FUNCTION_PARSERS.items() if name in _SPECIAL
    }
    NO_PAREN_FUNCTIONS: ClassVar = {token: _no_parentheses(name) for token, name in _NO_PARENTHESES.items()}
    NO_PAREN_FUNCTION_PARSERS: ClassVar = {
        "ANY": TrinoParser.NO_PAREN_FUNCTION_PARSERS["ANY"],
        "CASE": lambda self: self._case(),
        "IF": TrinoParser.NO_PAREN_FUNCTION_PARSERS["IF"],
    }
    JSON_OPERATORS: ClassVar = {}
    COLUMN_OPERATORS: ClassVar = {TokenType.DOT: TrinoParser.COLUMN_OPERATORS[TokenType.DOT]}

    FUNCTION_PARSERS["POSITION"] = lambda self: self._position()
    PLACEHOLDER_PARSERS: ClassVar = {TokenType.PLACEHOLDER: lambda self: self._parameter()}

    def _parameter(self) -> exp.Expr:
        """A `?`, told its number: how many stand before it in the text."""
        token = self._prev
        before = sum(earlier.token_type == TokenType.PLACEHOLDER for earlier in self._tokens[: self._index - 1])
        return self.expression(exp.Placeholder(this=str(before))).update_positions(token)

    def _parse_function_call(self, *arguments: Any, **options: Any) -> exp.Expr | None:
        token = self._curr
        parsed = super()._parse_function_call(*arguments, **options)
        if parsed is not None and "line" not in parsed.meta:
            parsed.update_positions(token)
        return parsed

    def _case(self) -> exp.Expr | None:
        token = self._prev
        parsed: exp.Expr | None = self._parse_case()
        return parsed.update_positions(token) if parsed else parsed

    def _position(self) -> exp.Expr:
        """`position(a IN b)`; with a comma it is a call of a function that does not exist."""
        arguments = self._parse_csv(self._parse_bitwise)
        if self._match(TokenType.IN):
            return self.expression(exp.StrPosition(this=self._parse_bitwise(), substr=arguments[0]))
        return self.expression(exp.Anonymous(this="position", expressions=arguments))

    def _parse_interval(self, *_: Any, **__: Any) -> exp.Interval | None:
        """`INTERVAL -'1' DAY TO SECOND`, the unit always there."""
        index = self._index
        if self._match(TokenType.INTERVAL):
            negative = self._match(TokenType.DASH)
            self._match(TokenType.PLUS)
            if self._match(TokenType.STRING):
                text = exp.Literal.string(self._prev.text).update_positions(self._prev)
                unit = self._unit()
                if unit is not None and self._match_text_seq("TO"):
                    unit = self.expression(exp.IntervalSpan(this=unit, expression=self._unit()))
                if unit is not None:
                    return self.expression(exp.Interval(this=exp.Neg(this=text) if negative else text, unit=unit))
        self._retreat(index)
        return None

    def _unit(self) -> exp.Expr | None:
        if self._curr is None or self._curr.text.upper() not in _UNITS:
            return None
        self._advance()
        return exp.Var(this=self._prev.text.upper())

    def _operators(
        self, operand: Callable[[], exp.Expr | None], kinds: Mapping[TokenType, type[exp.Expr]]
    ) -> exp.Expr | None:
        this = operand()
        while self._match_set(kinds):
            token = self._prev
            parsed = self.expression(kinds[token.token_type](this=this, expression=operand()))
            this = parsed.update_positions(token)
        return this

    _FACTOR: ClassVar[dict[TokenType, type[exp.Expr]]] = {
        TokenType.STAR: exp.Mul,
        TokenType.SLASH: exp.Div,
        TokenType.MOD: exp.Mod,
    }
    _TERM: ClassVar[dict[TokenType, type[exp.Expr]]] = {TokenType.PLUS: exp.Add, TokenType.DASH: exp.Sub}

    def _parse_factor(self, parse_mod: bool = True) -> exp.Expr | None:  # noqa: ARG002
        return self._operators(lambda: self._parse_at_time_zone(self._parse_unary()), self._FACTOR)

    def _parse_term(self, parse_mod: bool = True) -> exp.Expr | None:  # noqa: ARG002
        return self._operators(self._parse_factor, self._TERM)

    def _parse_bitwise(self) -> exp.Expr | None:
        return self._operators(self._parse_term, {TokenType.DPIPE: exp.DPipe})

    def _parse_comparison(self, this: exp.Expr | None = None) -> exp.Expr | None:
        return self._operators(lambda: this or self._parse_range(), {**self.COMPARISON})

    def _parse_equality(self, parse_is: bool = True) -> exp.Expr | None:  # noqa: ARG002
        return self._operators(self._parse_comparison, {TokenType.EQ: exp.EQ, TokenType.NEQ: exp.NEQ})


class _Tokenizer(Trino.Tokenizer):
    """Knows Trino's keywords and types only: all other words are names."""

    HEX_STRINGS: ClassVar = []
    BYTE_STRINGS: ClassVar = [("x'", "'"), ("X'", "'")]  # as it is written, spaces too
    KEYWORDS: ClassVar = {
        words: token
        for words, token in Trino.Tokenizer.KEYWORDS.items()
        if not words[0].isalpha() or set(words.split()) <= grammar.KEYWORDS | _TYPES
    }


class AthenaSql(Trino):
    """Trino's dialect as Athena's engine reads queries."""

    Tokenizer = _Tokenizer
    Parser = _Parser
    INDEX_OFFSET = 0
    SUPPORTS_USER_DEFINED_TYPES = True  # so that an unknown type is ours to refuse by name


def position(node: exp.Expr) -> tuple[int, int] | None:
    """Where a node is written: line and column from 1, or None if nothing of it was written."""
    found = [spot for spot in (_spot(part) for part in (node, *node.find_all(exp.Identifier, exp.Literal))) if spot]
    own = _spot(node)
    return own or (min(found) if found else None)


def described(node: exp.Expr) -> str:
    """A node of the tree for an error: what it is, and its text."""
    return f"{type(node).__name__}: {node.sql(dialect=AthenaSql)[:80]}"


def _spot(node: exp.Expr) -> tuple[int, int] | None:
    meta = node.meta
    if "line" not in meta or "col" not in meta:
        return None
    return int(meta["line"]), max(1, int(meta["col"]) - (int(meta["end"]) - int(meta["start"])))


def parse(sql: str) -> exp.Expr:
    """Parses one query; trailing semicolons are fine.

    Raises QuerySyntaxError, NotSupportedError, StackOverflowError.
    """
    grammar.check(sql)
    try:
        trees = sqlglot.parse(sql, dialect=AthenaSql)
    except (ParseError, TokenError) as error:
        first = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        where = (int(first["line"]), int(first["col"])) if first.get("line") and first.get("col") else None
        near = str(first.get("highlight") or "<EOF>")
        raise NotSupportedError(f"What stands here is not supported: '{near}'", where) from error
    except RecursionError:
        raise StackOverflowError("statement is too large (stack overflow while parsing)", (1, 1)) from None
    (tree,) = (tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon))
    return tree
