"""An SQL file is one complete Athena statement named like what it creates; anything else is refused with its line."""

from pathlib import Path

import pytest
from nightlake.core.sql import lint_sql

GOOD = {
    "revenue.sql": "-- revenue by day\nSELECT sold_on, sum(sales_value) AS revenue FROM sales GROUP BY sold_on",
    "counted.sql": "SELECT count(*) AS n FROM sales",
    "sales.sql": "CREATE EXTERNAL TABLE `sales` (`a` bigint) PARTITIONED BY (`year` string) "
    "STORED AS PARQUET LOCATION 's3://lake/empty/sales/'",
    "current.sql": "CREATE OR REPLACE VIEW current AS WITH x AS (SELECT a FROM sales) SELECT a FROM x",
}

BAD = {
    "empty": ("", 1, "0 statements"),
    "only a comment": ("-- nothing\n", 1, "0 statements"),
    "two statements": ("SELECT a FROM b;\nSELECT c FROM d", 1, "2 statements"),
    "misspelt verb": ("SELEC a FROM b", 1, "not Athena SQL"),
    "an expression alone": ("SELEC a", 1, "SELEC"),
    "not a query": ("SELECT a FROM b\nWHERE (a = 1", 2, "not Athena SQL"),
    "open string": ("SELECT 'abc FROM b", 1, "cannot be read"),
    "star": ("SELECT a FROM (\n  SELECT *\n  FROM b)", 2, "selects *"),
    "qualified star": ("SELECT a,\n b.*\n  FROM b", 2, "selects *"),
    "unchecked statement": ("MSCK REPAIR TABLE x", 1, "MSCK"),
    "destructive": ("DROP TABLE x", 1, "DROP"),
    "another name": ("CREATE VIEW other AS SELECT a FROM b", 1, "other.sql"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_has_no_problems(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(GOOD[name])
    assert lint_sql(path) == ()


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_line_and_reason(tmp_path: Path, case: str) -> None:
    text, line, reason = BAD[case]
    path = tmp_path / "query.sql"
    path.write_text(text)
    problems = lint_sql(path)
    assert problems
    assert problems[0].file == str(path)
    assert problems[0].line == line
    assert reason in problems[0].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"SELECT {'(' * 5_000}1{')' * 5_000} AS a", "nested too deeply"),
        (f"SELECT '{'x' * 262_144}' AS a", "Athena takes 262,144"),
    ],
    ids=["parentheses", "size"],
)
def test_what_is_too_deep_or_too_large_is_a_problem_like_any_other(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "query.sql"
    path.write_text(text)
    (found,) = lint_sql(path)
    assert (found.file, found.line) == (str(path), 1)
    assert reason in found.reason


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "query.sql"
    path.write_bytes(b"SELECT 'caf\xe9' AS a")
    assert "UTF-8" in lint_sql(path)[0].reason
