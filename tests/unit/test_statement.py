"""SQL files are bound to a run: its day and its tables take their places, all else stays to the letter."""

from datetime import date
from typing import Any

import pytest
import sqlglot
from nightlake.core.databases import Databases
from nightlake.core.errors import StatementError
from nightlake.core.merge_attempt import MergeAttempt
from nightlake.core.pipeline import Pipeline
from nightlake.core.statement import RunDay, Statement, render

ATTEMPT = MergeAttempt(merge="sales_enriched", table="sales_enriched__9f", location="staging/x/")
MERGE = "CREATE TABLE sales_enriched AS SELECT product_id, year, month, day FROM transactions WHERE year = '2000'"


@pytest.fixture
def pipeline(sales: Pipeline) -> Pipeline:
    return sales.model_copy(update={"merge": ("sales_enriched", "sales_by_week")})


def bound(pipeline: Pipeline, text: str, **changed: Any) -> Statement:
    arguments: dict[str, Any] = {
        "kind": "report",
        "name": "sales_enriched",
        "run": RunDay(date=date(2017, 6, 2), run_id="r1"),
        "pipeline": pipeline,
        "databases": Databases(served="lake", staging="lake_staging", quarantine="lake_quarantine"),
        "lake_bucket": "bucket",
        "suffix": "9f",
        "views": ("daily_revenue",),
        "attempts": (ATTEMPT,),
    }
    return render(text, **arguments | changed)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("year = '2000' AND month = '01' AND day = '01'", "year = '2017' AND month = '06' AND day = '02'"),
        ("t.year = '2000' AND '01' = t.\"day\"", "t.year = '2017' AND '02' = t.\"day\""),
        ("(year, month) = ('2000', '01')", "(year, month) = ('2017', '06')"),
        ("(month, day) IN (('01', '01'))", "(month, day) IN (('06', '02'))"),
        ("(year) >= '2000'", "(year) >= '2017'"),
        ("year BETWEEN '2000' AND '2000'", "year BETWEEN '2017' AND '2017'"),
        ("sold_at >= DATE '2000-01-01' - INTERVAL '6' DAY", "sold_at >= DATE '2017-06-02' - INTERVAL '6' DAY"),
        ("date_add('day', 1, CAST('2000-01-01' AS date)) > sold_at", None),
        ("week = '01' OR store_id = 2000", "week = '01' OR store_id = 2000"),
        ("note = 'year = ''2000''' -- year = '2000' é", "note = 'year = ''2000''' -- year = '2000' é"),
    ],
)
def test_the_placeholder_day_becomes_the_runs_day_where_it_is_compared(
    pipeline: Pipeline, written: str, made: str | None
) -> None:
    text = "/* é😀 year = '2000' */ SELECT '2000' AS y, '2000-01-01' AS d FROM {} AS t\nWHERE {}"
    made = made or written.replace("2000-01-01", "2017-06-02")
    query = bound(pipeline, text.format("transactions", written)).query
    assert query == text.format('"lake"."transactions"', made)


@pytest.mark.parametrize(
    ("kind", "text", "made"),
    [
        ("view", "CREATE OR REPLACE VIEW sales_enriched AS SELECT a FROM transactions",
         'CREATE OR REPLACE VIEW "lake"."sales_enriched" AS SELECT a FROM "lake"."transactions"'),
        ("report", "SELECT a FROM daily_revenue, sales_by_week AS s", None),
        ("report", "WITH W AS (SELECT a FROM products) SELECT a FROM w JOIN Customers ON w.a = customers.a",
         'WITH W AS (SELECT a FROM "lake"."products") SELECT a FROM w JOIN "lake"."customers" ON w.a = customers.a'),
        ("report", "SELECT a FROM products WHERE EXISTS (WITH w AS (SELECT 1 AS b) SELECT b FROM w)",
         'SELECT a FROM "lake"."products" WHERE EXISTS (WITH w AS (SELECT 1 AS b) SELECT b FROM w)'),
        ("report", "SELECT u.v FROM products CROSS JOIN UNNEST(ARRAY[1]) AS u(v)",
         'SELECT u.v FROM "lake"."products" CROSS JOIN UNNEST(ARRAY[1]) AS u(v)'),
        ("across", "SELECT income FROM customers_private", 'SELECT income FROM "lake_staging"."customers_private"'),
    ],
)  # fmt: skip
def test_tables_are_those_of_the_kinds_database(pipeline: Pipeline, kind: str, text: str, made: str | None) -> None:
    made = made or 'SELECT a FROM "lake"."daily_revenue", "lake"."sales_by_week" AS s'
    statement = bound(pipeline, text, kind=kind)
    assert statement.query == made
    assert statement.database == ("lake_staging" if kind == "across" else "lake")
    assert statement.attempt is None


def test_what_is_not_published_yet_is_read_where_this_run_made_it(pipeline: Pipeline) -> None:
    statement = bound(
        pipeline, "SELECT sales_enriched.a FROM sales_enriched JOIN transactions AS t ON t.a = 1", kind="audit"
    )
    assert statement.query == (
        'SELECT sales_enriched.a FROM "lake_staging"."sales_enriched__9f" AS "sales_enriched" '
        'JOIN "lake_staging"."transactions" AS t ON t.a = 1'
    )
    with pytest.raises(StatementError, match="sales_enriched, which this run has not made"):
        bound(pipeline, "SELECT a FROM sales_enriched", kind="audit", attempts=())


def test_a_merge_writes_a_new_table_at_a_new_place(pipeline: Pipeline) -> None:
    statement = bound(pipeline, MERGE, kind="merge")
    location = "staging/sales/sales_enriched/r1/9f/"
    assert statement.attempt == MergeAttempt(merge="sales_enriched", table="sales_enriched__9f", location=location)
    assert statement.query == MERGE.replace("'2000'", "'2017'").replace(
        "transactions", '"lake_staging"."transactions"'
    ).replace(
        "sales_enriched",
        "\"lake_staging\".\"sales_enriched__9f\" WITH (format = 'PARQUET', write_compression = 'SNAPPY', "
        f"external_location = 's3://bucket/{location}', partitioned_by = ARRAY['year', 'month', 'day'])",
    )
    assert statement.database == "lake_staging"
    other = bound(pipeline, MERGE, kind="merge", suffix="a0").attempt
    assert other is not None
    assert other.table != statement.attempt.table
    assert other.location != statement.attempt.location


def test_a_merge_reads_the_merges_before_it(pipeline: Pipeline) -> None:
    text = MERGE.replace("sales_enriched", "sales_by_week").replace("FROM transactions", "FROM sales_enriched")
    assert '"lake_staging"."sales_enriched__9f"' in bound(pipeline, text, kind="merge", name="sales_by_week").query
    later = MERGE.replace("FROM transactions", "FROM sales_by_week")
    with pytest.raises(StatementError, match="reads sales_by_week: it may read transactions, products, customers,"):
        bound(pipeline, later, kind="merge")


def test_what_is_bound_parses_to_the_tree_with_those_nodes_replaced(pipeline: Pipeline) -> None:
    text = "SELECT a, SUM(b) OVER (ORDER BY c) FROM products WHERE year = '2000' AND x IN (SELECT y FROM customers)"
    wanted = sqlglot.parse_one(text, read="athena")
    for table in wanted.find_all(sqlglot.exp.Table):
        table.replace(sqlglot.exp.table_(table.name, db="lake", quoted=True))
    for literal in wanted.find_all(sqlglot.exp.Literal):
        literal.replace(sqlglot.exp.Literal.string("2017"))
    assert sqlglot.parse_one(bound(pipeline, text).query, read="athena") == wanted


@pytest.mark.parametrize(
    ("kind", "text", "line", "reason"),
    [
        ("report", "SELECT a\nFROM secrets", 2, "reads secrets: it may read transactions, products"),
        ("report", "SELECT a FROM customers_private", 1, "reads customers_private"),
        ("report", "WITH w AS (SELECT 1 AS a) SELECT a FROM other.w", 1, "reads other.w"),
        ("report", "SELECT a FROM products; SELECT b FROM products", 1, "holds 2 statements"),
        ("report", "SELECT a\nFROM other.products", 2, "reads other.products"),
        ("report", "SELECT a FROM TABLE(f(1))", 1, "reads TABLE"),
        ("report", "SELECT a FROM products WHERE a IN (\nSELECT b FROM elsewhere)", 2, "reads elsewhere"),
        ("report", "SELECT a FROM (WITH w AS (SELECT 1 AS a) SELECT a FROM w) AS x,\nw", 2, "reads w"),
        ("report", "WITH\nproducts AS (SELECT 1 AS a) SELECT a FROM products", 2, "hides the table products"),
        ("report", "SELECT a FROM products\nWHERE year = '2017'", 2, "compares year with '2017'"),
        ("report", "SELECT a FROM products WHERE month IN ('01', '02')", 1, "compares month with '02'"),
        ("report", "SELECT a FROM products WHERE day = 1", 1, "compares day with 1"),
        ("report", "SELECT a FROM products WHERE CAST(year AS integer) = 2000", 1, "compares year with 2000"),
        ("report", "SELECT a FROM products WHERE concat(year, month) = '200001'", 1, "names the day '200001'"),
        ("report", "SELECT a FROM products WHERE year || '-' || month >= '2000-01'", 1, "names the day '2000-01'"),
        ("report", "SELECT a FROM products WHERE d >\nDATE '2017-06-12'", 2, "names the day '2017-06-12'"),
        ("report", "SELECT a FROM products WHERE year || '-' || month = '2000-01-01'", 1, "names the day '2000-01-01'"),
        ("report", "SELECT a FROM products WHERE d > TIMESTAMP '2000-01-01 00:00:00'", 1, "names the day"),
        ("report", "DROP TABLE products", 1, "is not a SELECT"),
        ("report", "CREATE TABLE x AS SELECT a FROM products", 1, "is not a SELECT"),
        ("report", "SELECT FROM (", 1, "is not Athena SQL"),
        ("view", "CREATE OR REPLACE VIEW sales_enriched AS SELECT a FROM daily_revenue", 1, "reads daily_revenue"),
        ("view", "CREATE VIEW sales_enriched AS SELECT a FROM products", 1, "CREATE OR REPLACE VIEW sales_enriched AS"),
        ("view", "SELECT a FROM products", 1, "is not CREATE OR REPLACE VIEW"),
        ("view", "CREATE OR REPLACE VIEW sales_enriched AS SELECT a FROM products\nWHERE day = '01'", 2, "for all"),
        ("merge", MERGE.replace(" WHERE year = '2000'", ""), 1, "is for no day"),
        ("merge", MERGE.replace("month, day", "day, month"), 1, "other last columns than year, month, day"),
        ("merge", MERGE.replace("sales_enriched", "sales"), 1, "creates sales: create sales_enriched"),
        ("merge", MERGE.replace(" AS SELECT", " WITH (format = 'ORC') AS SELECT"), 1, "says how it is created"),
        ("merge", MERGE.replace("TABLE", "TABLE IF NOT EXISTS"), 1, "says how it is created"),
        ("merge", MERGE.replace("CREATE TABLE", "CREATE VIEW"), 1, "is not CREATE TABLE"),
        ("audit", "SELECT a FROM daily_revenue", 1, "reads daily_revenue"),
    ],
)
def test_what_cannot_be_bound_is_refused_with_file_line_and_reason(
    pipeline: Pipeline, kind: str, text: str, line: int, reason: str
) -> None:
    with pytest.raises(StatementError) as refused:
        bound(pipeline, text, kind=kind)
    assert f"The {kind} 'sales_enriched' of pipeline 'sales'" in str(refused.value)
    assert reason in str(refused.value)
    if reason != "is not Athena SQL":
        assert f"line {line}, " in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


def test_every_fault_is_told_at_once_in_the_order_of_the_lines(pipeline: Pipeline) -> None:
    with pytest.raises(StatementError) as refused:
        bound(pipeline, "SELECT a FROM x\nWHERE year = '2017'\nAND a IN (SELECT b FROM z)")
    assert [text.split(", ")[1] for text in str(refused.value).splitlines()] == ["line 1", "line 2", "line 3"]


HEAD = "-- parameter shop: string = 'it''s'\n-- parameter since: date = '2000-01-01'\n"


def headed(query: str) -> str:
    """A report with two parameters, in lines 1 and 2."""
    return HEAD + query


ASKED = headed("SELECT a, ':shop' AS b FROM products -- é :shop?\nWHERE c = :shop AND d > :since AND :shop <> ''")


def test_a_report_is_bound_to_the_defaults_of_its_parameters_in_the_night(pipeline: Pipeline) -> None:
    statement = bound(pipeline, ASKED)
    assert statement.query.endswith("WHERE c = 'it''s' AND d > DATE '2017-06-02' AND 'it''s' <> ''")
    assert "':shop' AS b" in statement.query
    assert "é :shop?" in statement.query
    assert statement.parameters == ()


def test_a_report_is_asked_with_other_values_as_question_marks(pipeline: Pipeline) -> None:
    statement = bound(pipeline, ASKED, values={"shop": "'; --", "since": date(2017, 1, 1)})
    assert statement.query.endswith("WHERE c = ? AND d > ? AND ? <> ''")
    assert statement.parameters == ("'''; --'", "DATE '2017-01-01'", "'''; --'")


def test_a_night_cannot_ask_a_report_that_needs_a_value(pipeline: Pipeline) -> None:
    text = "-- parameter shop: string\nSELECT a FROM products WHERE b = :shop"
    with pytest.raises(StatementError, match="has no default of shop, so no night can run it; ask the API for it"):
        bound(pipeline, text)
    assert bound(pipeline, text, values={"shop": "a"}).parameters == ("'a'",)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("SELECT a FROM products\nWHERE b = :shop", 2, "asks for :shop, which is no parameter of it: write --"),
        (headed("SELECT a FROM products WHERE b = :shop"), 2, "never asks for the parameter since"),
        (headed("SELECT :since AS x FROM products\nWHERE b = :shop"), 3, "has :since outside of a WHERE"),
        (headed("SELECT a FROM products WHERE b = :shop\nLIMIT :since"), 4, "has :since outside of a WHERE"),
        (headed("SELECT a FROM :shop WHERE b = :since"), 3, "has :shop outside of a WHERE"),
        ("-- parameter n: int\nSELECT a FROM products WHERE b > c - INTERVAL :n DAY", 2, "multiply instead, :n *"),
        ("SELECT a FROM products WHERE b = ?", 1, "has a placeholder that is no parameter: write :name"),
        ('SELECT a FROM products WHERE b = :"shop"', 1, "has a placeholder that is no parameter"),
        ("SELECT a FROM products WHERE b = @shop", 1, "has a placeholder that is no parameter"),
        ("-- parameter shop\nSELECT a FROM products", 1, "declares no parameter: write it like"),
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_asked_is_told_with_its_line(
    pipeline: Pipeline, text: str, line: int, reason: str
) -> None:
    with pytest.raises(StatementError) as refused:
        bound(pipeline, text)
    assert any(f"line {line}, " in told and reason in told for told in str(refused.value).splitlines())


def test_only_reports_have_parameters(pipeline: Pipeline) -> None:
    with pytest.raises(StatementError, match="asks for :shop, which is no parameter of it: only reports have some"):
        bound(pipeline, "SELECT a FROM products WHERE b = :shop", kind="audit", attempts=(ATTEMPT,))
