"""The words of a statement with their places: for Hive's DDL and all else that is not a query."""

import re
from dataclasses import dataclass
from typing import NoReturn

from local.athena.errors import QuerySyntaxError

_WORDS = r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<string>%s)
    |(?P<quoted>%s)
    |(?P<backquoted>`(?:[^`]|``)*`)
    |(?P<word>[A-Za-z_@$][\w@$]*)
    |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    |(?P<symbol><=|>=|<>|!=|\|\||->|=>|.)"""
_HIVE = re.compile(_WORDS % (r"'(?:[^'\\]|''|\\.)*'", r'"(?:[^"\\]|""|\\.)*"'), re.VERBOSE | re.DOTALL)
_TRINO = re.compile(_WORDS % (r"'(?:[^']|'')*'", r'"(?:[^"]|"")*"'), re.VERBOSE | re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[0-3][0-7]{2}|.)|''", re.DOTALL)

# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html
_RESERVED = frozenset(
    """
    ALL ALTER AND ARRAY AS AUTHORIZATION BETWEEN BIGINT BINARY BOOLEAN BOTH BY CASE CASHE CAST CHAR COLUMN CONF
    CONSTRAINT COMMIT CREATE CROSS CUBE CURRENT CURRENT_DATE CURRENT_TIMESTAMP CURSOR DATABASE DATE DAYOFWEEK DECIMAL
    DELETE DESCRIBE DISTINCT DIV DOUBLE DROP ELSE END EXCHANGE EXISTS EXTENDED EXTERNAL EXTRACT FALSE FETCH FLOAT FLOOR
    FOLLOWING FOR FOREIGN FROM FULL FUNCTION GRANT GROUP GROUPING HAVING IF IMPORT IN INNER INSERT INT INTEGER INTERSECT
    INTERVAL INTO IS JOIN LATERAL LEFT LESS LIKE LOCAL MACRO MAP MORE NONE NOT NULL NUMERIC OF ON ONLY OR ORDER OUT
    OUTER OVER PARTIALSCAN PARTITION PERCENT PRECEDING PRECISION PRESERVE PRIMARY PROCEDURE RANGE READS REDUCE REGEXP
    REFERENCES REVOKE RIGHT RLIKE ROLLBACK ROLLUP ROW ROWS SELECT SET SMALLINT START TABLE TABLESAMPLE THEN TIME
    TIMESTAMP TO TRANSFORM TRIGGER TRUE TRUNCATE UNBOUNDED UNION UNIQUEJOIN UPDATE USER USING UTC_TIMESTAMP VALUES
    VARCHAR VIEWS WHEN WHERE WINDOW WITH
    """.split()  # noqa: SIM905 (a list of the documentation's)
)


@dataclass(frozen=True)
class Token:
    """One word; `text` is as it was written, `start` and `end` its place in the statement."""

    kind: str
    text: str
    start: int
    end: int


class Tokens:
    """A statement's words, taken from the left. In Hive's statements a backslash escapes; in Trino's it is itself."""

    def __init__(self, sql: str, *, hive: bool, quotes: tuple[str, ...] = ()) -> None:
        self.sql = sql
        self._hive = hive
        self._quotes = quotes or (("backquoted",) if hive else ("quoted",))
        self._tokens = [
            Token(str(found.lastgroup), found[0], found.start(), found.end())
            for found in (_HIVE if hive else _TRINO).finditer(sql)
            if found.lastgroup != "space"
        ]
        while self._tokens and self._tokens[-1].text == ";":
            self._tokens.pop()
        self._at = 0
        self._end = Token("end", "<EOF>", len(sql), len(sql))

    def peek(self, ahead: int = 0) -> Token:
        index = self._at + ahead
        return self._tokens[index] if index < len(self._tokens) else self._end

    def next(self) -> Token:
        token = self.peek()
        self._at += 1
        return token

    def at(self, *words: str) -> bool:
        """Whether these unquoted words or symbols come next."""
        return all(
            self.peek(ahead).kind in ("word", "symbol") and self.peek(ahead).text.upper() == word
            for ahead, word in enumerate(words)
        )

    def accept(self, *words: str) -> bool:
        """Take these words if they come next."""
        found = self.at(*words)
        if found:
            self._at += len(words)
        return found

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.accept(word):
                self.refuse(f"'{word}'")

    def refuse(self, *expected: str) -> NoReturn:
        """Raises QuerySyntaxError for the word that comes next."""
        raise self.refusal(*expected)

    def refusal(self, *expected: str) -> QuerySyntaxError:
        """The error for the word that comes next."""
        wanted = f" Expecting: {', '.join(expected)}" if expected else ""
        return QuerySyntaxError(f"mismatched input '{self.peek().text}'.{wanted}", self.position(self.peek().start))

    def position(self, index: int) -> tuple[int, int]:
        before = self.sql[:index]
        return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1

    def end(self) -> None:
        """Refuse what is left."""
        if self.peek().kind != "end":
            self.refuse("<EOF>")

    def name(self) -> str:
        """An identifier in lower case. Hive's quotes are backquotes, which its reserved words need."""
        token = self.peek()
        if token.kind not in ("word", *self._quotes):
            self.refuse("<identifier>")
        if self._hive and token.kind == "word" and (token.text.upper() in _RESERVED or token.text[0] == "_"):
            self.refuse("<identifier>: put reserved words, and names that begin with _, in backquotes")
        self._at += 1
        if token.kind == "word":
            return token.text.lower()
        quote = token.text[0]
        return token.text[1:-1].replace(quote * 2, quote).lower()

    def names(self) -> tuple[str, ...]:
        """A name with its qualifiers: `db.table`."""
        found = [self.name()]
        while self.accept("."):
            found.append(self.name())
        return tuple(found)

    def string(self) -> str:
        """A text in single quotes (Hive also takes double ones), its escapes resolved."""
        token = self.peek()
        if token.kind != "string" and not (self._hive and token.kind == "quoted"):
            self.refuse("<string>")
        self._at += 1
        if not self._hive:
            return token.text[1:-1].replace("''", "'")
        return _ESCAPE.sub(_unescape, token.text[1:-1])

    def literal(self) -> str:
        """A constant as text: a string, or a number with its sign."""
        sign = "-" if self.accept("-") else ""
        if self.peek().kind == "number":
            return sign + self.next().text
        return self.string()

    def rest(self) -> str:
        """What is left of the statement; everything before is blank, so that places in errors stay right."""
        start, end = self.peek().start, self._tokens[-1].end if self._tokens else 0
        return self.between(start, end)

    def skip(self) -> None:
        """Take all that is left."""
        self._at = len(self._tokens)

    def ends(self, *words: str) -> bool:
        """Whether the statement ends with these words."""
        last = self._tokens[-len(words) :]
        return [token.text.upper() for token in last] == list(words)

    def without(self, count: int, text: str) -> str:
        """`text`, which ends where the statement does, without its last `count` words."""
        return text[: self._tokens[-count].start]

    def arguments(self) -> list[str]:
        """What is left, split at the commas that stand in no parentheses."""
        found, depth, start = [], 0, self.peek().start
        while self.peek().kind != "end":
            token = self.next()
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0) if token.kind == "symbol" else 0
            if token.text == "," and depth == 0:
                found.append(self.sql[start : token.start])
                start = token.end
        return [*found, self.sql[start : self._tokens[-1].end]]

    def between(self, start: int, end: int) -> str:
        """A part of the statement, blank up to `start`."""
        return re.sub(r"[^\n]", " ", self.sql[:start]) + self.sql[start:end]

    def enclosed(self) -> str:
        """What stands in parentheses; both are taken."""
        self.expect("(")
        start, depth = self.peek().start, 1
        while depth:
            token = self.peek()
            if token.kind == "end":
                self.refuse("')'")
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "symbol" else 0
            self._at += 1
        return self.between(start, token.start)


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    if code is None:
        return "'"
    if code[0] == "u" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if len(code) > 1 else _ESCAPES.get(code, code)
