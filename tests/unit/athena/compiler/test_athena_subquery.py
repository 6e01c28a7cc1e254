"""Subqueries in expressions, with Trino's NULLs, and what stands around a query: windows, pages, stars."""

# ruff: noqa: S608 (the statements are the tests' own)

import operator
from collections.abc import Callable
from typing import Any

import pytest

from local.athena.errors import QueryError

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TWO = "(VALUES '2020-02-28', '2020-03-01') AS t(d)"
SETS: list[list[int | None]] = [[], [1], [2], [1, 2], [2, 3], [None], [1, None], [2, 2]]


def expected(compare: Callable[[Any, Any], bool], word: str, value: int | None, items: list[int | None]) -> bool | None:
    """The comparison by the standard's three-valued logic."""
    results = [None if value is None or item is None else compare(value, item) for item in items]
    decisive = word != "ALL"
    if decisive in results:
        return decisive
    return None if None in results else not decisive


@pytest.mark.parametrize("word", ["ALL", "ANY", "SOME"])
@pytest.mark.parametrize("sign", COMPARISONS)
@pytest.mark.parametrize("kind", ["integer", "double"])
def test_a_quantified_comparison_is_of_three_values(ask: Any, kind: str, sign: str, word: str) -> None:
    for items in SETS:
        ask.table("items", {"x": kind}, [str(item or "NULL") for item in items])
        rows = ask(f"SELECT v, v {sign} {word} (TABLE items) FROM (VALUES 1, 2, 3, NULL) AS t(v)")
        assert len(rows) == 4
        assert dict(rows) == {v: expected(COMPARISONS[sign], word, v, items) for v in (1, 2, 3, None)}, items


@pytest.fixture
def pairs(ask: Any) -> Any:
    ask.table("pairs", {"a": "integer", "b": "varchar"}, ["1, 'x'", "2, NULL", "3, 'x'"])
    return ask


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT (1, 'x') IN (SELECT a, b FROM pairs)", [(True,)]),
        ("SELECT (2, 'x') IN (TABLE pairs), (4, 'x') IN (TABLE pairs)", [(None, False)]),
        ("SELECT (2, 'x') NOT IN (VALUES (1, 'x'), (2, 'y'))", [(True,)]),
        ("SELECT nan() IN (VALUES nan()), 1e0 IN (VALUES nan(), NULL)", [(False, None)]),
        ("SELECT (SELECT a, b FROM pairs WHERE a = 1)", [({"a": 1, "b": "x"},)]),
        ("SELECT EXISTS (TABLE pairs), EXISTS (VALUES 1), EXISTS (SELECT 1 WHERE false)", [(True, True, False)]),
        ("SELECT p.a FROM pairs p WHERE p.a >= ALL (SELECT q.a FROM pairs q WHERE q.b = p.b) ORDER BY 1", [(2,), (3,)]),
        ("SELECT a FROM pairs ORDER BY b FETCH FIRST 1 ROW WITH TIES", [(1,), (3,)]),
        ("SELECT a FROM pairs ORDER BY b OFFSET 2 FETCH FIRST 1 ROW WITH TIES", [(2,)]),
        ("(SELECT b FROM pairs) UNION ALL (VALUES 'x') ORDER BY b FETCH FIRST ROW WITH TIES", [("x",)] * 3),
        ("SELECT sum(a) OVER (w ORDER BY a) FROM pairs WINDOW w AS (PARTITION BY b) ORDER BY a", [(1,), (2,), (4,)]),
        (
            "SELECT sum(a) OVER v FROM pairs WINDOW w AS (PARTITION BY b), v AS (w ORDER BY a DESC) ORDER BY a",
            [(4,), (2,), (3,)],
        ),
        ("SELECT p.* AS (x, y) FROM pairs p WHERE a = 1", [(1, "x")]),
        ("SELECT r.*, t.r.a FROM (VALUES CAST(ROW(1, 2) AS row(a int, b int))) AS t(r)", [(1, 2, 1)]),
        ("SELECT ROW(1, 'x').* AS (a, b)", [(1, "x")]),
        ("SELECT count(*) FROM pairs GROUP BY ()", [(3,)]),
        ("SELECT b, count(*) FROM pairs GROUP BY DISTINCT b ORDER BY b", [("x", 2), (None, 1)]),
        (
            "SELECT (1, 2) < (1, 3), ARRAY[2] <= ARRAY[1, 5], ('a', 1) BETWEEN ('a', 0) AND ('a', 2)",
            [(True, False, True)],
        ),
        ("SELECT U&'!00e9!!' UESCAPE '!', U&'\\00e9'", [("é!", "é")]),
        ("SELECT current_timestamp(3) = current_timestamp, localtimestamp(3) = localtimestamp", [(True, True)]),
        ("SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN a PRECEDING AND 1 PRECEDING) FROM pairs", [(None,), (1,), (3,)]),
        (
            f"SELECT count(*) OVER (ORDER BY date(d) RANGE INTERVAL '2' DAY PRECEDING) FROM {TWO}",
            [(1,), (2,)],
        ),
        ("SELECT X'00 0a', DECIMAL '007.50' = 7.5", [(b"\x00\n", True)]),
    ],
)
def test_a_query_of_such_parts_answers(pairs: Any, sql: str, rows: list[tuple[Any, ...]]) -> None:
    assert pairs(sql) == rows


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1 IN (TABLE pairs)", "TYPE_MISMATCH: line 1:8: Value expression and result of subquery must be of"),
        ("SELECT ROW(1) IN (SELECT ROW(1))", "NOT_SUPPORTED"),
        ("SELECT 1e0 < ALL (VALUES nan())", "NOT_SUPPORTED: NaN in a quantified comparison is not supported"),
        ("SELECT (1, NULL) < (1, 3)", "NOT_SUPPORTED: ROW comparison not supported for fields with null elements"),
        ("SELECT a FROM pairs FETCH FIRST ROW WITH TIES", "FETCH FIRST WITH TIES clause requires ORDER BY"),
        ("SELECT a FROM pairs FETCH FIRST 0 ROWS ONLY", "NUMERIC_VALUE_OUT_OF_RANGE: FETCH FIRST row count must be"),
        ("SELECT sum(a) OVER w FROM pairs", "INVALID_WINDOW_REFERENCE: line 1:8: Cannot resolve WINDOW name w"),
        ("SELECT sum(a) OVER (w PARTITION BY b) FROM pairs WINDOW w AS (ORDER BY a)", "INVALID_PARTITION_BY"),
        ("SELECT sum(a) OVER (w ORDER BY b) FROM pairs WINDOW w AS (ORDER BY a)", "INVALID_ORDER_BY"),
        (
            "SELECT sum(a) OVER (w ORDER BY b) FROM pairs WINDOW w AS (ROWS CURRENT ROW)",
            "INVALID_WINDOW_REFERENCE: line 1:8: Cannot reference named WINDOW containing frame specification",
        ),
        ("SELECT x.* FROM pairs", "Unable to resolve reference x"),
        ("SELECT a.* FROM pairs", "TYPE_MISMATCH"),
        ("SELECT p.* AS (x) FROM pairs p", "MISMATCHED_COLUMN_ALIASES"),
        ("SELECT 1 FROM pairs GROUP BY DISTINCT ROLLUP (a), ROLLUP (a)", "NOT_SUPPORTED"),
        (
            "SELECT 1 FROM pairs p LEFT JOIN LATERAL (SELECT p.a) ON p.a = 1",
            "LEFT JOIN involving LATERAL is only supported with condition ON TRUE",
        ),
        (
            "SELECT 1 FROM pairs p JOIN UNNEST(ARRAY[1]) AS t(x) ON p.a = x",
            "INNER JOIN involving UNNEST is only supported with condition ON TRUE",
        ),
        ("SELECT X'0'", "SYNTAX_ERROR: line 1:8: Binary literal must contain an even number of digits"),
        ("SELECT X'0g'", "SYNTAX_ERROR: line 1:8: Binary literal can only contain hexadecimal digits"),
        ("SELECT DECIMAL '1e3'", "INVALID_LITERAL: line 1:16: '1e3' is not a valid DECIMAL literal"),
        ("SELECT DATE '2020-02-30'", "INVALID_LITERAL: line 1:13: '2020-02-30' is not a valid DATE literal"),
        ("SELECT TIMESTAMP '2020-01-01 24:00:00'", "is not a valid TIMESTAMP literal"),
        ("SELECT TIME '25:00'", "is not a valid TIME literal"),
        ("SELECT CHAR 'a'", "NOT_SUPPORTED"),
        ("SELECT U&'\\D83D'", "INVALID_LITERAL"),
        ("SELECT current_timestamp(6)", "NOT_SUPPORTED"),
        (
            "SELECT (SELECT sum(p.a) FROM (VALUES 1) AS t(x)) FROM pairs p",
            "NOT_SUPPORTED: line 1:20: An aggregate over",
        ),
        ("SELECT sum(a) OVER (ROWS 1 FOLLOWING) FROM pairs", "starting from FOLLOWING cannot end with CURRENT ROW"),
        (
            "SELECT sum(a) OVER (ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM pairs",
            "INVALID_WINDOW_FRAME: line 1:50: Window frame starting from CURRENT ROW cannot end with PRECEDING",
        ),
        ("SELECT sum(a) OVER (ROWS -1 PRECEDING) FROM pairs", "offset value must not be negative or null"),
        (
            "SELECT sum(a) OVER (ROWS BETWEEN a - 2 PRECEDING AND 1 FOLLOWING) FROM pairs",
            "must not be negative or null",
        ),
        ("SELECT sum(a) OVER (ORDER BY b RANGE 1 PRECEDING) FROM pairs", "NOT_SUPPORTED"),
        ("SELECT CAST(1 AS string)", "TYPE_NOT_FOUND: line 1:8: Unknown type: string"),
        ("SELECT CAST(1 AS float)", "TYPE_NOT_FOUND: line 1:8: Unknown type: float"),
        ("SELECT position('a', 'b')", "FUNCTION_NOT_FOUND"),
        ("SELECT INTERVAL '1' WEEK", "Unknown type: INTERVAL"),
    ],
)
def test_what_cannot_be_answered_is_refused(pairs: Any, sql: str, message: str) -> None:
    with pytest.raises(QueryError) as refused:
        pairs(sql)
    assert message in str(refused.value)
