"""Trino's grammar of queries: whether a text is one, and if not, at which word and what could stand there.

The rules are those of Trino's parser (core/trino-grammar, SqlBase.g4) for queries, without row pattern recognition
and the SQL/JSON functions. Every derivation is followed, so that a word may be a name or a keyword as the rest asks.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from local.athena.errors import NotSupportedError, QuerySyntaxError, StackOverflowError

# Words are keywords, quoted symbols themselves, `@kind` a token of a kind; `x%` is x, x, ...
_RULES = """
statement  : query EOF
query      : (WITH RECURSIVE? with%)? body
with       : identifier columns? AS '(' query ')'
columns    : '(' identifier% ')'
body       : term order? (OFFSET count (ROW | ROWS)?)? (LIMIT (ALL | count) | fetch)?
order      : ORDER BY sort%
fetch      : FETCH (FIRST | NEXT) count? (ROW | ROWS) (ONLY | WITH TIES)
count      : @integer | '?'
term       : operand ((INTERSECT | UNION | EXCEPT) quantity? operand)*
quantity   : DISTINCT | ALL
operand    : select | TABLE name | VALUES expression% | '(' body ')'
select     : SELECT quantity? item% (FROM relation%)? (WHERE expression)? group? (HAVING expression)? windows?
group      : GROUP BY quantity? element%
windows    : WINDOW window%
item       : expression (AS? identifier)? | primary '.' '*' (AS columns)? | '*'
element    : set | (ROLLUP | CUBE) '(' set%? ')' | GROUPING SETS '(' set% ')'
set        : '(' expression%? ')' | expression
sort       : expression (ASC | DESC)? (NULLS (FIRST | LAST))?
window     : identifier AS '(' frame ')'
frame      : identifier? (PARTITION BY expression%)? order? extent?
extent     : (RANGE | ROWS | GROUPS) (bound | BETWEEN bound AND bound)
bound      : UNBOUNDED (PRECEDING | FOLLOWING) | CURRENT ROW | expression (PRECEDING | FOLLOWING)
relation   : sampled (CROSS JOIN sampled | NATURAL join JOIN sampled
           | join JOIN relation (ON expression | USING columns))*
join       : (INNER | (LEFT | RIGHT | FULL) OUTER?)?
sampled    : source (AS? identifier columns?)? (TABLESAMPLE (BERNOULLI | SYSTEM) '(' expression ')')?
source     : name (FOR (TIMESTAMP | VERSION) AS OF value)? | '(' query ')' | '(' relation ')' | LATERAL '(' query ')'
           | UNNEST '(' expression% ')' (WITH ORDINALITY)? | TABLE '(' name '(' argument%? ')' ')'
argument   : (identifier '=>')? expression
expression : NOT* condition ((AND | OR) NOT* condition)*
condition  : value predicate?
predicate  : comparison value | comparison (ALL | SOME | ANY) '(' query ')' | NOT? BETWEEN value AND value
           | NOT? IN '(' (expression% | query) ')' | NOT? LIKE value (ESCAPE value)?
           | IS NOT? (NULL | DISTINCT FROM value)
comparison : '=' | '<>' | '!=' | '<' | '<=' | '>' | '>='
value      : unary (('+' | '-' | '*' | '/' | '%' | '||') unary)*
unary      : ('+' | '-')* primary (AT TIME ZONE (interval | string))*
primary    : atom ('[' value ']' | '.' identifier)*
atom       : NULL | TRUE | FALSE | @number | @integer | @binary | '?' | string | interval | call | case | identifier
           | identifier string | DOUBLE PRECISION string | '(' query ')' | EXISTS '(' query ')' | '(' expression% ')'
           | ROW '(' expression% ')' | ARRAY '[' expression%? ']' | (CAST | TRY_CAST) '(' expression AS type ')'
           | identifier '->' expression | '(' identifier%? ')' '->' expression | POSITION '(' value IN value ')'
           | CURRENT_DATE | (CURRENT_TIME | CURRENT_TIMESTAMP | LOCALTIME | LOCALTIMESTAMP) ('(' @integer ')')?
           | CURRENT_USER | CURRENT_CATALOG | CURRENT_SCHEMA | CURRENT_PATH | EXTRACT '(' identifier FROM value ')'
           | TRIM '(' ((LEADING | TRAILING | BOTH)? value? FROM)? value ')' | TRIM '(' value ',' value ')'
           | SUBSTRING '(' value FROM value (FOR value)? ')' | NORMALIZE '(' value (',' (NFD | NFC | NFKD | NFKC))? ')'
           | GROUPING '(' name%? ')' | listagg
call       : name '(' ('*' | (identifier '.' '*')) ')' filter? over?
           | name '(' (quantity? expression%)? order? ')' filter? (((IGNORE | RESPECT) NULLS)? over)?
listagg    : LISTAGG '(' quantity? expression (',' string)? (ON OVERFLOW overflow)? ')'
             WITHIN GROUP '(' order ')' filter?
overflow   : ERROR | TRUNCATE string? (WITH | WITHOUT) COUNT
filter     : FILTER '(' WHERE expression ')'
over       : OVER (identifier | '(' frame ')')
case       : CASE expression? (WHEN expression THEN expression)+ (ELSE expression)? END
interval   : INTERVAL ('+' | '-')? string unit (TO unit)?
unit       : YEAR | MONTH | DAY | HOUR | MINUTE | SECOND
type       : base (ARRAY ('[' @integer ']')?)*
base       : ROW '(' (type | identifier type)% ')' | INTERVAL unit (TO unit)? | DOUBLE PRECISION
           | (TIME | TIMESTAMP) ('(' (@integer | type) ')')? ((WITH | WITHOUT) TIME ZONE)?
           | ARRAY '<' type '>' | MAP '<' type ',' type '>' | identifier ('(' (@integer | type)% ')')?
string     : @string | @unicode (UESCAPE @string)?
name       : identifier ('.' identifier)*
identifier : @name
"""
_RESERVED_WORDS = """
ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_CATALOG CURRENT_DATE CURRENT_PATH CURRENT_ROLE
CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEALLOCATE DELETE DESCRIBE DISTINCT DROP ELSE END ESCAPE
EXCEPT EXECUTE EXISTS EXTRACT FALSE FOR FROM FULL GROUP GROUPING HAVING IN INNER INSERT INTERSECT INTO IS JOIN
JSON_ARRAY JSON_EXISTS JSON_OBJECT JSON_QUERY JSON_TABLE JSON_VALUE LEFT LIKE LISTAGG LOCALTIME LOCALTIMESTAMP NATURAL
NORMALIZE NOT NULL ON OR ORDER OUTER PREPARE RECURSIVE RIGHT ROLLUP SELECT SKIP TABLE THEN TRIM TRUE UESCAPE UNION
UNNEST USING VALUES WHEN WHERE WITH
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
KEYWORDS = frozenset(re.findall(r"\b[A-Z][A-Z_]+\b", _RULES))
_SHOWN = {
    "query": "<query>",
    "expression": "<expression>",
    "value": "<expression>",
    "primary": "<expression>",
    "predicate": "<predicate>",
    "identifier": "<identifier>",
    "string": "<string>",
    "type": "<type>",
    "@integer": "<integer>",
    "EOF": "<EOF>",
}
_UNSUPPORTED = {"MATCH_RECOGNIZE", *(word for word in _RESERVED if word.startswith("JSON_"))}

_TOKEN = re.compile(
    r"""(?P<space>[ \r\n\t]+|--[^\r\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^']|'')*')
    |(?P<unicode>U&'(?:[^']|'')*')
    |(?P<binary>X'[^']*')
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<backquoted>`(?:[^`]|``)*`)
    |(?P<digits>(?!\d+(?:E[+-]?\d+)?(?!\w))(?!\d+E[+-]\d)\d\w+)
    |(?P<number>\d+(?:\.\d*)?E[+-]?\d+|\.\d+(?:E[+-]?\d+)?|\d+\.\d*)
    |(?P<integer>\d+)
    |(?P<word>[A-Z_]\w*)
    |(?P<symbol><>|!=|<=|>=|\|\||->|=>|.)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


@dataclass
class _Reading:
    """One text being read: what is known of each rule at each token, and the furthest token that fitted nowhere."""

    tokens: list[_Token]
    known: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    within: list[tuple[int, str]] = field(default_factory=list)
    furthest: int = -1
    expected: set[str] = field(default_factory=set)

    def wanted(self, at: int, shown: str) -> None:
        if at < self.furthest:
            return
        if at > self.furthest:
            self.furthest, self.expected = at, set()
        self.expected.add(next((rule for start, rule in self.within if start == at), shown))


_Matcher = Callable[[_Reading, int], set[int]]  # the tokens at which what starts at a token may end


def _terminal(word: str) -> _Matcher:
    shown = _SHOWN.get(word, f"'{word}'")

    def fits(token: _Token) -> bool:
        if word == "@name":
            reserved = token.kind == "word" and token.text.upper() in _RESERVED
            return token.kind in ("word", "quoted", "backquoted", "digits") and not reserved
        if word == "EOF":
            return token.kind == "end"
        if word[0] == "@":
            return token.kind == word[1:]
        return token.kind in ("word", "symbol") and token.text.upper() == word

    def match(reading: _Reading, at: int) -> set[int]:
        if fits(reading.tokens[at]):
            return {at + 1}
        reading.wanted(at, shown)
        return set()

    return match


def _sequence(parts: list[_Matcher]) -> _Matcher:
    def match(reading: _Reading, at: int) -> set[int]:
        ends = {at}
        for part in parts:
            ends = {end for start in ends for end in part(reading, start)}
            if not ends:
                break
        return ends

    return match


def _choice(parts: list[_Matcher]) -> _Matcher:
    return lambda reading, at: {end for part in parts for end in part(reading, at)}


def _repeated(part: _Matcher) -> _Matcher:
    def match(reading: _Reading, at: int) -> set[int]:
        ends, fresh = {at}, {at}
        while fresh:
            fresh = {end for start in fresh for end in part(reading, start)} - ends
            ends |= fresh
        return ends

    return match


def _rule(name: str, bodies: dict[str, _Matcher]) -> _Matcher:
    shown = _SHOWN.get(name)

    def match(reading: _Reading, at: int) -> set[int]:
        found = reading.known.get((name, at))
        if found is None:
            if shown:
                reading.within.append((at, shown))
            found = reading.known[name, at] = bodies[name](reading, at)
            if shown:
                reading.within.pop()
        return found

    return match


class _Rules:
    """Reads the rules' text."""

    def __init__(self, text: str) -> None:
        self.bodies: dict[str, _Matcher] = {}
        for name, body in re.findall(r"^(\w+) *: (.*(?:\n +.*)*)", text, re.MULTILINE):
            self.words = re.findall(r"'[^']+'|@?\w+|[()|?*+%]", body)
            self.bodies[name] = self._alternatives()

    def _alternatives(self) -> _Matcher:
        found = [self._parts()]
        while self.words and self.words[0] == "|":
            self.words.pop(0)
            found.append(self._parts())
        return found[0] if len(found) == 1 else _choice(found)

    def _parts(self) -> _Matcher:
        found = []
        while self.words and self.words[0] not in "|)":
            found.append(self._part())
        return found[0] if len(found) == 1 else _sequence(found)

    def _part(self) -> _Matcher:
        word = self.words.pop(0)
        if word == "(":
            part = self._alternatives()
            self.words.pop(0)
        elif word[0] == "'":
            part = _terminal(word[1:-1])
        else:
            part = _rule(word, self.bodies) if word.islower() and word[0] != "@" else _terminal(word)
        while self.words and self.words[0] in "?*+%":
            part = self._suffixed(part, self.words.pop(0))
        return part

    def _suffixed(self, part: _Matcher, suffix: str) -> _Matcher:
        if suffix == "?":
            return _choice([part, _sequence([])])
        if suffix == "*":
            return _repeated(part)
        return _sequence([part, _repeated(part if suffix == "+" else _sequence([_terminal(","), part]))])


@lru_cache(maxsize=1)
def _rules() -> dict[str, _Matcher]:
    return _Rules(_RULES).bodies


def _tokens(sql: str) -> list[_Token]:
    found = [_Token(str(each.lastgroup), each[0], each.start()) for each in _TOKEN.finditer(sql)]
    tokens = [token for token in found if token.kind != "space"]
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    return [*tokens, _Token("end", "<EOF>", len(sql))]


def check(sql: str) -> None:
    """Raises QuerySyntaxError in Trino's words if `sql` is not a query; NotSupportedError where only we do not read it.

    Semicolons at the end are fine.
    """
    reading = _Reading(_tokens(sql))
    try:
        ends = _rules()["statement"](reading, 0)
    except RecursionError:
        raise StackOverflowError("statement is too large (stack overflow while parsing)", (1, 1)) from None
    if not ends:
        raise _mismatch(reading, sql)
    for token in reading.tokens:
        if token.kind in ("quoted", "backquoted", "digits"):
            _check_name(token, _place(sql, token))


def _mismatch(reading: _Reading, sql: str) -> QuerySyntaxError | NotSupportedError:
    token = reading.tokens[reading.furthest]
    for word, after in pairwise(reading.tokens[: reading.furthest + 2]):
        if word.kind == "word" and word.text.upper() in _UNSUPPORTED and after.text == "(":
            return NotSupportedError(f"{word.text.upper()} is not supported", _place(sql, word))
    if token.text == ";":
        return QuerySyntaxError("Only one sql statement is allowed", (1, 1))
    wanted = ", ".join(sorted(reading.expected))
    return QuerySyntaxError(f"mismatched input '{token.text}'. Expecting: {wanted}", _place(sql, token))


def _check_name(token: _Token, where: tuple[int, int]) -> None:
    """What the grammar takes as a name and Trino refuses all the same."""
    if token.kind == "backquoted":
        raise QuerySyntaxError(
            "backquoted identifiers are not supported; use double quotes to quote identifiers", where
        )
    if token.kind == "digits" and re.fullmatch(r"(?i)[\d_]+|0[xob][\da-f_]+", token.text):
        raise NotSupportedError(f"A number written {token.text} is not supported; write its decimal digits", where)
    if token.kind == "digits":
        raise QuerySyntaxError(
            "identifiers must not start with a digit; surround the identifier with double quotes", where
        )
    if token.text == '""':
        raise QuerySyntaxError("Zero-length delimited identifier not allowed", where)


def _place(sql: str, token: _Token) -> tuple[int, int]:
    before = sql[: token.start]
    return before.count("\n") + 1, token.start - before.rfind("\n")
