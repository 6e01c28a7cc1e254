"""What `nightlake check` says of a pipeline's SQL: file, line and what to do, before a night would."""

from pathlib import Path

import pytest
from nightlake.core.pipeline import Pipeline
from nightlake.core.pipeline_sql import lint_pipeline_sql

MERGE = "CREATE TABLE sales_enriched AS\nSELECT a, year, month, day\nFROM transactions\nWHERE year = '2000'"


def lint(folder: Path, pipeline: Pipeline, **files: str) -> list[tuple[str, int, str]]:
    """The problems of a folder with these files, named `folder__name="text"`."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    problems = lint_pipeline_sql(folder, pipeline)
    return [(Path(found.file).relative_to(folder).as_posix(), found.line, found.reason) for found in problems]


def test_good_files_have_no_problems(tmp_path: Path, sales: Pipeline) -> None:
    view = "CREATE OR REPLACE VIEW daily AS SELECT a FROM sales_enriched"
    found = lint(
        tmp_path,
        sales,
        merge__sales_enriched=MERGE,
        audits__rows="SELECT a FROM sales_enriched JOIN transactions AS t ON t.year = '2000'",
        views__daily=view,
        reports__best="SELECT a FROM daily, products",
        tables__transactions="CREATE EXTERNAL TABLE transactions (a int) LOCATION 's3://lake/x/'",
    )
    assert found == []


@pytest.mark.parametrize(
    ("file", "text", "at", "reason"),
    [
        ("reports__best", "SELECT a\nFROM elsewhere", 2, "reads elsewhere: it may read transactions, products, "),
        ("reports__best", "SELECT a FROM products\nWHERE day = '12'", 2, "compares day with '12'"),
        ("merge__sales_enriched", MERGE.replace("= '2000'", "<> ''"), 4, "compares year with ''"),
        ("merge__other", MERGE, 1, "add other to `merge`"),
        ("views__transactions", "CREATE OR REPLACE VIEW transactions AS SELECT 1 AS a", 1, "there is a table"),
        ("views__Daily", "CREATE OR REPLACE VIEW Daily AS SELECT 1 AS a", 1, "the file's name 'Daily'"),
        ("report__best", "SELECT a FROM products", 1, "nothing runs the files of 'report': did you mean 'reports'?"),
        ("reports__old__best", "SELECT a FROM products", 1, "nothing runs the files of 'reports/old'"),
    ],
)
def test_a_bad_file_is_told_with_line_and_reason(
    tmp_path: Path, sales: Pipeline, *, file: str, text: str, at: int, reason: str
) -> None:
    ((found, line, told),) = lint(tmp_path, sales, **{file: text})
    assert found == f"{file.replace('__', '/')}.sql"
    assert line == at
    assert reason in told


def test_what_is_no_sql_is_left_to_the_linter_of_files(tmp_path: Path, sales: Pipeline) -> None:
    assert lint(tmp_path, sales, reports__best="SELEC a", reports__all="SELECT * FROM elsewhere") == []
