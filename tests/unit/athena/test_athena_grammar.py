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
    ("sql", "place", "word"),
    [
        ("SELECT a = b = c FROM t", 14, "="),
        ("SELECT 1 < 2 < 3", 14, "<"),
        ("SELECT a IS TRUE FROM t", 13, "TRUE"),
        ("SELECT a IS NOT FALSE FROM t", 17, "FALSE"),
        ("SELECT a IS UNKNOWN FROM t", 13, "UNKNOWN"),
        ("SELECT 1 == 1", 11, "="),
        ("SELECT 1 <=> 1", 12, ">"),
        ("SELECT a && b FROM t", 10, "&"),
        ("SELECT !a FROM t", 8, "!"),
        ("SELECT 1::varchar", 9, ":"),
        ("SELECT a FROM t LIMIT 1, 2", 24, ","),
        ("SELECT a FROM t LIMIT 1 OFFSET 1", 25, "OFFSET"),
        ("SELECT a FROM t LIMIT 1 + 1", 25, "+"),
        ("SELECT a FROM t LIMIT 10 PERCENT", 26, "PERCENT"),
        ("SELECT a FROM t LIMIT 1 BY a", 25, "BY"),
        ("SELECT DISTINCT ON (a) b FROM t", 17, "ON"),
        ("SELECT a FROM t QUALIFY row_number() OVER () = 1", 25, "row_number"),
        ("SELECT 'a' ILIKE 'A'", 18, "'A'"),
        ("SELECT 'a' RLIKE 'A'", 18, "'A'"),
        ("SELECT 'a' ~ 'A'", 12, "~"),
        ("SELECT 'a' SIMILAR TO 'A'", 20, "TO"),
        ("SELECT * EXCLUDE (a) FROM t", 10, "EXCLUDE"),
        ("SELECT * EXCEPT (a) FROM t", 18, "a"),
        ("SELECT * REPLACE (1 AS a) FROM t", 10, "REPLACE"),
        ("SELECT a, FROM t", 11, "FROM"),
        ("SELECT a FROM t,", 17, "<EOF>"),
        ("SELECT coalesce(1, 2,)", 22, ")"),
        ("SELECT ARRAY[1,]", 16, "]"),
        ("SELECT (1, 2,)", 14, ")"),
        ("SELECT 5 // 2", 11, "/"),
        ("SELECT 5 DIV 2", 14, "2"),
        ("SELECT 5 & 2", 10, "&"),
        ("SELECT 5 ^ 2", 10, "^"),
        ("SELECT ~5", 8, "~"),
        ("SELECT 5 << 2", 11, "<"),
        ("SELECT $$a$$", 8, "$"),
        ("SELECT $1", 8, "$"),
        ("SELECT :name", 8, ":"),
        ("SELECT @name", 8, "@"),
        ("SELECT a$b FROM t", 9, "$"),
        ("SELECT [1, 2]", 8, "["),
        ("SELECT {'a': 1}", 8, "{"),
        ("SELECT a AS 'b' FROM t", 13, "'b'"),
        ("SELECT 'a' 'b'", 12, "'b'"),
        ("SELECT 1 AS from", 13, "from"),
        ("SELECT order FROM t", 8, "order"),
        ("SELECT a FROM 's3://bucket/key'", 15, "'s3://bucket/key'"),
        ("SELECT a FROM t JOIN u", 23, "<EOF>"),
        ("SELECT a FROM t CROSS JOIN u ON true", 30, "ON"),
        ("SELECT a FROM t LEFT SEMI JOIN u ON true", 22, "SEMI"),
        ("FROM t SELECT a", 1, "FROM"),
        ("SELECT a FROM t FOR UPDATE", 21, "UPDATE"),
        ("SELECT TOP 1 a FROM t", 12, "1"),
        ("SELECT a INTO b FROM t", 10, "INTO"),
        ("SELECT a FROM t SORT BY a", 22, "BY"),
        ("SELECT a FROM t LATERAL VIEW explode(b) u AS c", 25, "VIEW"),
        ("SELECT a FROM t GROUP BY a WITH ROLLUP", 28, "WITH"),
        ("SELECT a FROM t USING SAMPLE 10", 17, "USING"),
        ("SELECT 1 UNION BY NAME SELECT 2", 16, "BY"),
        ("SELECT a NOT NULL FROM t", 14, "NULL"),
        ("SELECT a IN () FROM t", 14, ")"),
        ("SELECT a IN b FROM t", 13, "b"),
        ("SELECT EXISTS (1)", 16, "1"),
        ("SELECT substring('abc' FOR 2)", 24, "FOR"),
        ("SELECT extract('year' FROM a) FROM t", 16, "'year'"),
        ("SELECT current_date()", 20, "("),
        ("SELECT INTERVAL 1 DAY", 17, "1"),
        ("SELECT CAST(1 varchar)", 15, "varchar"),
        ("SELECT safe_cast(1 AS varchar)", 20, "AS"),
        ("SELECT a FROM generate_series(1, 3)", 30, "("),
        ("SELECT UNNEST(ARRAY[1])", 8, "UNNEST"),
        ("SELECT (ROW(1, 2)).1", 19, ".1"),
        ("SELECT ARRAY[1, 2][1:2]", 21, ":"),
        ("SELECT JSON '{}' ->> 'a'", 18, "->"),
        ("WITH t AS MATERIALIZED (SELECT 1) SELECT * FROM t", 11, "MATERIALIZED"),
        ("WITH t AS (SELECT 1), SELECT * FROM t", 23, "SELECT"),
        ("SELECT 'unclosed", 8, "'"),
        ("SELECT 1 # comment", 10, "#"),
        ("SELECT 1)", 9, ")"),
    ],
)
def test_what_other_dialects_take_is_refused_at_its_word(sql: str, place: int, word: str) -> None:
    with pytest.raises(QuerySyntaxError) as refused:
        parse(sql)
    assert str(refused.value).startswith(f"SYNTAX_ERROR: line 1:{place}: mismatched input '{word}'. Expecting: ")


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
