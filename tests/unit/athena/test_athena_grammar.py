"""Queries that Trino's parser refuses are refused, in its words; what it takes, we take."""

import pytest

from local.athena import grammar
from local.athena.errors import NotSupportedError, QueryError, QuerySyntaxError
from local.athena.parser import parse


@pytest.mark.parametrize(
    ("sql", "message"),
    [  # as in Trino's TestSqlParserErrorHandling
        ("select * from foo where @what", "line 1:25: mismatched input '@'. Expecting: <expression>"),
        ("select *\nfrom x\nwhere from", "line 3:7: mismatched input 'from'. Expecting: <expression>"),
        ("select ", "line 1:8: mismatched input '<EOF>'. Expecting: '*', 'ALL', 'DISTINCT', <expression>"),
        (
            "select * from `foo`",
            "line 1:15: backquoted identifiers are not supported; use double quotes to quote identifiers",
        ),
        (
            "select * from foo `bar`",
            "line 1:19: backquoted identifiers are not supported; use double quotes to quote identifiers",
        ),
        (
            "select 1x from dual",
            "line 1:8: identifiers must not start with a digit; surround the identifier with double quotes",
        ),
        ("select fuu from dual limit 10 order by fuu", "line 1:31: mismatched input 'order'. Expecting: <EOF>"),
        ("select foo.!", "line 1:12: mismatched input '!'. Expecting: '*', <identifier>"),
        ("select foo(DISTINCT)", "line 1:20: mismatched input ')'. Expecting: <expression>"),
        (
            "SELECT grouping(a+2) FROM (VALUES (1)) AS t (a) GROUP BY a+2",
            "line 1:18: mismatched input '+'. Expecting: ')', ',', '.'",
        ),
        (
            "SELECT a FROM a AS x TABLESAMPLE x ",
            "line 1:34: mismatched input 'x'. Expecting: 'BERNOULLI', 'SYSTEM'",
        ),
        (
            "SELECT a AS z FROM t GROUP BY CUBE (a), ",
            "line 1:41: mismatched input '<EOF>'. Expecting: '(', 'CUBE', 'GROUPING', 'ROLLUP', <expression>",
        ),
        ("SELECT CAST(a AS )", "line 1:18: mismatched input ')'. Expecting: <type>"),
        ("SELECT CAST(a AS decimal()", "line 1:26: mismatched input ')'. Expecting: <integer>, <type>"),
        ("SELECT foo(*) filter (", "line 1:23: mismatched input '<EOF>'. Expecting: 'WHERE'"),
        ("SELECT * FROM t WHERE EXISTS (", "line 1:31: mismatched input '<EOF>'. Expecting: <query>"),
        ('SELECT a FROM "".t', "line 1:15: Zero-length delimited identifier not allowed"),
    ],
)
def test_a_text_is_refused_in_trinos_words(sql: str, message: str) -> None:
    with pytest.raises(QuerySyntaxError) as refused:
        parse(sql)
    assert str(refused.value) == f"SYNTAX_ERROR: {message}"


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT 0x1F", "0x1F"),
        ("SELECT 1_000", "1_000"),
        ("SELECT * FROM t MATCH_RECOGNIZE (PATTERN (a) DEFINE a AS true)", "MATCH_RECOGNIZE"),
        ("SELECT json_value(a, 'lax $.b') FROM t", "JSON_VALUE"),
    ],
)
def test_what_only_we_do_not_read_is_refused_by_name(sql: str, named: str) -> None:
    with pytest.raises(NotSupportedError, match=named):
        parse(sql)


def test_two_statements_are_one_too_many() -> None:
    with pytest.raises(QueryError, match="Only one sql statement is allowed"):
        parse("SELECT 1; SELECT 2")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT limit, offset, filter FROM t limit LIMIT 1",
        "SELECT a isnull, b text, c string FROM t AS div",
        "SELECT row FROM (VALUES 1) AS t(row) WHERE row BETWEEN 1 AND 2 AND true",
        "SELECT interval FROM t WHERE a > INTERVAL -'1' DAY",
        "SELECT 1; -- the end",
        "SELECT a FROM t JOIN u JOIN v ON u.a = v.a ON t.a = u.a",
        "(TABLE t) UNION ALL (VALUES 1 ORDER BY 1 LIMIT ALL) OFFSET 1 ROW FETCH FIRST ROW ONLY",
        "SELECT U&'d\\0061t' UESCAPE '!', X'00 ff', .5, 5.e3, DOUBLE PRECISION '1'",
    ],
)
def test_words_are_names_where_no_keyword_can_stand(sql: str) -> None:
    grammar.check(sql)


def test_a_long_query_is_read_in_time_that_grows_with_its_length() -> None:
    grammar.check("VALUES " + " + ".join(["f((a))"] * 500))


def test_too_deep_a_query_is_refused() -> None:
    with pytest.raises(QueryError, match="statement is too large"):
        parse("SELECT " + "(" * 3000 + "1" + ")" * 3000)
