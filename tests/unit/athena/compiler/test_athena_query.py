"""Queries: names, grouping, joins, windows, sets and order as in Trino, and what each scan is told."""

from typing import Any

import pytest

from local.athena.errors import QueryError


@pytest.fixture
def sales(ask: Any) -> Any:
    ask.table(
        "sales",
        {"id": "integer", "shop": "varchar", "amount": "decimal(10,2)", "tags": "array(varchar)", "year": "varchar"},
        [
            "1, 'north', 10.00, ['a', 'b'], '2023'",
            "2, 'south', 20.50, ['c'], '2024'",
            "3, 'north', NULL, NULL, '2024'",
        ],
        keys=["year"],
    )
    ask.table("shops", {"shop": "varchar", "city": "varchar"}, ["'north', 'Oslo'", "'west', 'Lima'"])
    return ask


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT shop, count(*) FROM sales GROUP BY shop ORDER BY 1", [("north", 2), ("south", 1)]),
        ("SELECT SHOP, Count(*) + 1 FROM Sales s GROUP BY s.shop ORDER BY s.shop", [("north", 3), ("south", 2)]),
        ("SELECT lower(shop) FROM sales GROUP BY lower(shop) ORDER BY 1 DESC", [("south",), ("north",)]),
        ("SELECT year FROM sales GROUP BY 1 HAVING count(*) > 1", [("2024",)]),
        ("SELECT count(*) FROM sales WHERE id > 100", [(0,)]),
        ("SELECT id FROM sales ORDER BY amount", [(1,), (2,), (3,)]),
        ("SELECT id FROM sales ORDER BY amount DESC", [(2,), (1,), (3,)]),
        ("SELECT id FROM sales ORDER BY amount NULLS FIRST LIMIT 1", [(3,)]),
        ("SELECT id FROM sales ORDER BY id OFFSET 1 LIMIT 1", [(2,)]),
        ("SELECT -id AS n FROM sales ORDER BY n", [(-3,), (-2,), (-1,)]),
        ("SELECT id AS shop FROM sales ORDER BY shop DESC", [(3,), (2,), (1,)]),
        ("SELECT DISTINCT shop FROM sales ORDER BY shop", [("north",), ("south",)]),
        (
            "SELECT s.id, city FROM sales s LEFT JOIN shops p ON s.shop = p.shop ORDER BY 1",
            [(1, "Oslo"), (2, None), (3, "Oslo")],
        ),
        (
            "SELECT shop, id, city FROM shops FULL JOIN sales USING (shop) ORDER BY 1, 2",
            [("north", 1, "Oslo"), ("north", 3, "Oslo"), ("south", 2, None), ("west", None, "Lima")],
        ),
        (
            "SELECT id, tag, n FROM sales CROSS JOIN UNNEST(tags) WITH ORDINALITY AS t(tag, n) ORDER BY 1, 3",
            [(1, "a", 1), (1, "b", 2), (2, "c", 1)],
        ),
        (
            "SELECT id, tag FROM sales LEFT JOIN UNNEST(tags) AS t(tag) ON true ORDER BY 1, 2",
            [(1, "a"), (1, "b"), (2, "c"), (3, None)],
        ),
        ("SELECT * FROM UNNEST(ARRAY[1, 2], ARRAY['x']) AS t(a, b)", [(1, "x"), (2, None)]),
        ("SELECT * FROM UNNEST(ARRAY[(1, 'a'), (2, 'b')])", [(1, "a"), (2, "b")]),
        ("SELECT 1 UNION ALL SELECT 1 UNION SELECT 2 ORDER BY 1", [(1,), (2,)]),
        ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 2 ORDER BY 1", [(1,), (2,)]),
        ("VALUES 1, 2 EXCEPT SELECT 2", [(1,)]),
        ("WITH a AS (SELECT id FROM sales), b AS (SELECT * FROM a WHERE id > 1) SELECT sum(id) FROM b", [(5,)]),
        (
            "SELECT id, row_number() OVER (PARTITION BY shop ORDER BY id DESC) FROM sales ORDER BY id",
            [(1, 2), (2, 1), (3, 1)],
        ),
        (
            "SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM sales ORDER BY id",
            [(1,), (3,), (5,)],
        ),
        ("SELECT sum(id) OVER w FROM sales WINDOW w AS (PARTITION BY shop) ORDER BY id", [(4,), (2,), (4,)]),
        ("SELECT shop, sum(count(*)) OVER () FROM sales GROUP BY shop ORDER BY 1", [("north", 3), ("south", 3)]),
        (
            "SELECT shop, grouping(shop), count(*) FROM sales GROUP BY ROLLUP (shop) ORDER BY 2, 1",
            [("north", 0, 2), ("south", 0, 1), (None, 1, 3)],
        ),
        ("SELECT id FROM sales s WHERE EXISTS (SELECT 1 FROM shops p WHERE p.shop = s.shop) ORDER BY 1", [(1,), (3,)]),
        ("SELECT id FROM sales WHERE shop IN (SELECT shop FROM shops) ORDER BY 1", [(1,), (3,)]),
        (
            "SELECT (SELECT city FROM shops p WHERE p.shop = s.shop) FROM sales s ORDER BY id",
            [("Oslo",), (None,), ("Oslo",)],
        ),
        ("SELECT id > ALL (SELECT id FROM sales WHERE id < 3) FROM sales ORDER BY id", [(False,), (False,), (True,)]),
        ("SELECT count(DISTINCT shop), count(amount) FILTER (WHERE id > 1) FROM sales", [(2, 1)]),
        ("SELECT transform(tags, t -> lower(shop)) FROM sales WHERE id = 2", [(["south"],)]),
        ("SELECT x FROM (VALUES (1, 'a')) AS t(x, y)", [(1,)]),
        ("SELECT a.id FROM sales a, sales b WHERE a.id = b.id + 1 ORDER BY 1", [(2,), (3,)]),
    ],
)
def test_a_query_answers(sales: Any, sql: str, rows: list[tuple[Any, ...]]) -> None:
    assert sales(sql) == rows


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT amount FROM sales GROUP BY shop",
            "EXPRESSION_NOT_AGGREGATE: line 1:8: 'amount' must be an aggregate expression or appear in GROUP BY clause",
        ),
        ("SELECT amount, count(*) FROM sales", "'amount' must be an aggregate expression or appear in GROUP BY clause"),
        ("SELECT * FROM sales GROUP BY shop", "'id' must be an aggregate expression or appear in GROUP BY clause"),
        ("SELECT shop FROM sales ORDER BY count(*)", "'shop' must be an aggregate expression"),
        ("SELECT id FROM nosuch", "TABLE_NOT_FOUND: line 1:16: Table 'awsdatacatalog.default.nosuch' does not exist"),
        ("SELECT shop FROM sales, shops", "AMBIGUOUS_NAME: line 1:8: Column 'shop' is ambiguous"),
        (
            "SELECT s.shop FROM sales s JOIN shops USING (shop)",
            "COLUMN_NOT_FOUND: line 1:8: Column 's.shop' cannot be resolved",
        ),
        (
            "SELECT id FROM sales WHERE id",
            "TYPE_MISMATCH: line 1:28: WHERE clause must evaluate to a boolean: actual type integer",
        ),
        ("SELECT id FROM sales WHERE count(*) > 1", "WHERE clause cannot contain aggregations, window functions"),
        (
            "SELECT id FROM sales ORDER BY 2",
            "INVALID_COLUMN_REFERENCE: line 1:31: ORDER BY position 2 is not in select list",
        ),
        (
            "SELECT DISTINCT shop FROM sales ORDER BY id",
            "For SELECT DISTINCT, ORDER BY expressions must appear in select list",
        ),
        ("SELECT 1 UNION SELECT 1, 2", "UNION query has different number of fields: 1, 2"),
        ("SELECT 1 UNION SELECT 'a'", "column 1 in UNION query has incompatible types: integer, varchar(1)"),
        ("SELECT count(sum(id)) FROM sales", "NESTED_AGGREGATION"),
        ("SELECT x FROM sales AS t(x)", "Column alias list has 1 entries but 't' has 5 columns available"),
        ("SELECT *", "SELECT * not allowed in queries without FROM clause"),
        ("SELECT id FROM sales NATURAL JOIN shops", "NOT_SUPPORTED"),
        ("SELECT id FROM sales TABLESAMPLE BERNOULLI (10)", "NOT_SUPPORTED"),
        ("WITH RECURSIVE t(n) AS (SELECT 1) SELECT * FROM t", "NOT_SUPPORTED"),
        ("SELECT id FROM sales; SELECT 1", "Only one sql statement is allowed"),
        ("SELEC 1", "SYNTAX_ERROR"),
    ],
)
def test_a_query_fails_in_trinos_words(sales: Any, sql: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        sales(sql)
    assert message in str(caught.value)


def test_output_columns_are_named_as_trino_names_them(sales: Any) -> None:
    assert sales.names("SELECT id, s.Shop, id + 1, count(*) OVER () AS n, 1 FROM sales s") == [
        "id",
        "Shop",
        "_col2",
        "n",
        "_col4",
    ]
    assert sales.names("SELECT * FROM shops") == ["shop", "city"]


@pytest.mark.parametrize(
    ("sql", "filters"),
    [
        ("SELECT id FROM sales WHERE year = '2024' AND id > 1", ["(\"year\" = '2024')"]),
        ("SELECT id FROM sales WHERE year = '2024' OR id > 1", [None]),
        ("SELECT * FROM (SELECT * FROM sales) WHERE year = '2024'", ["(\"year\" = '2024')"]),
        ("WITH s AS (SELECT year y, id FROM sales) SELECT id FROM s WHERE y = '2024'", ["(\"year\" = '2024')"]),
        ("SELECT year, count(*) FROM sales GROUP BY year HAVING year = '2024'", [None]),
        ("SELECT * FROM (SELECT year, count(*) FROM sales GROUP BY year) WHERE year = '2024'", ["(\"year\" = '2024')"]),
        ("SELECT * FROM (SELECT * FROM sales ORDER BY id LIMIT 1) WHERE year = '2024'", [None]),
        ("SELECT * FROM (SELECT year, sum(id) OVER () FROM sales) WHERE year = '2024'", [None]),
        ("SELECT city FROM shops LEFT JOIN sales USING (shop) WHERE year = '2024'", [None, None]),
        ("SELECT city FROM sales LEFT JOIN shops USING (shop) WHERE year = '2024'", ["(\"year\" = '2024')", None]),
        ("SELECT a.id FROM sales a JOIN sales b ON a.id = b.id AND a.year = '2023'", ["(\"year\" = '2023')", None]),
    ],
)
def test_a_scan_is_told_what_its_partitions_must_satisfy(sales: Any, sql: str, filters: list[str | None]) -> None:
    assert [scan.partition_filter for scan in sales.scans(sql)] == filters


def test_a_scan_is_told_the_columns_of_use(sales: Any) -> None:
    (scan,) = sales.scans("SELECT shop FROM sales WHERE id > 1")
    assert scan.columns == ("id", "shop")


def test_a_view_keeps_its_own_names_and_its_promise(sales: Any) -> None:
    sales.view(
        "by_year",
        "SELECT year, CAST(sum(id) AS bigint) total FROM sales GROUP BY year",
        {"year": "varchar", "total": "bigint"},
    )
    assert sales("SELECT v.total FROM by_year v WHERE year = '2024'") == [(5,)]
    assert [scan.partition_filter for scan in sales.scans("SELECT * FROM by_year WHERE year = '2024'")] == [
        "(\"year\" = '2024')"
    ]
    sales.view("stale", "SELECT id, shop FROM sales", {"id": "integer"})
    with pytest.raises(QueryError, match=r"VIEW_IS_STALE: line 1:15: View 'awsdatacatalog\.default\.stale' is stale"):
        sales("SELECT * FROM stale")
    sales.view("itself", "SELECT * FROM itself", {"id": "integer"})
    with pytest.raises(QueryError, match="recursive"):
        sales("SELECT * FROM itself")


def test_parameters_stand_for_literals_in_order(sales: Any) -> None:
    assert sales("SELECT id FROM sales WHERE shop = ? AND id > ?", "'north'", "1") == [(3,)]
    with pytest.raises(QueryError, match="Incorrect number of parameters: expected 2 but found 1"):
        sales("SELECT id FROM sales WHERE shop = ? AND id > ?", "'north'")
