"""`nightlake query`, as a person and a script see it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import aws

pytestmark = pytest.mark.e2e

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def query(nightlake_at: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """`nightlake query` on a local AWS to which nothing is deployed."""
    home = tmp_path_factory.mktemp("undeployed")
    try:
        aws.start(home, port=0, detached=False)
        yield lambda *arguments, **options: nightlake_at(home)("query", *arguments, **options)
    finally:
        aws.clean(home)


def test_it_answers_in_json_before_anything_is_deployed(query: Command) -> None:
    sql = (
        "SELECT 1/2 AS a, CAST(1 AS decimal(10,2))/3 AS b, date_diff('day', DATE '2024-02-28', DATE '2024-03-01') AS c,"
        " 0.5e0 AS d, true AS e, CAST(NULL AS varchar) AS f"
    )
    done = query(sql, "--json")

    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["rows"] == [[0, "0.33", 2, 0.5, True, None]]
    kinds = [column["type"] for column in answer["columns"]]
    assert kinds == ["integer", "decimal", "bigint", "double", "boolean", "varchar"]
    assert (answer["more"], answer["scanned_bytes"]) == (False, 0)


def test_it_shows_a_table_with_nulls_rows_and_bytes(query: Command) -> None:
    done = query("SELECT * FROM (VALUES (1, 'péar [x]'), (2, NULL)) AS t(id, name) ORDER BY id")

    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in done.stdout.splitlines()]
    assert [row for row in cells if row] == [["id", "name"], ["integer", "varchar"], ["1", "péar [x]"], ["2", "NULL"]]
    assert re.search(r"^2 rows, 0 bytes scanned, [0-9.]+ s$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("how", ["file", "standard input"])
def test_it_reads_the_statement_from(query: Command, tmp_path: Path, how: str) -> None:
    text = "SELECT 'it''s'\n  AS said;\n"
    (tmp_path / "said.sql").write_text(text)

    done = query("--file", str(tmp_path / "said.sql")) if how == "file" else query("-", typed=text)

    assert "it's" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("SELECT 1", "--file", __file__), (" ",), ("--file", "nowhere.sql")])
def test_it_wants_one_statement(query: Command, arguments: tuple[str, ...]) -> None:
    assert query(*arguments).returncode == 2


def test_it_shows_where_a_query_is_wrong(query: Command) -> None:
    done = query("SELECT 1 AS a,\n\tnobody AS b")

    assert done.returncode == 1
    reason, line, caret = done.stdout.splitlines()
    assert reason.startswith("FAILED: COLUMN_NOT_FOUND: line 2:2: Column 'nobody' cannot be resolved")
    assert line[caret.index("^") :] == "nobody AS b"


def test_it_shows_where_a_statement_is_malformed(query: Command) -> None:
    done = query(f"SELECT {'1, ' * 100} FROM")

    assert done.returncode == 1
    assert "mismatched input" in done.stderr
    assert [len(line) < 110 for line in done.stderr.splitlines()[1:]] == [True, True]


def test_a_failure_in_json_has_athenas_words_alone(query: Command) -> None:
    failed = query("SELECT nobody", "--json")
    malformed = query("SELEC 1", "--json")

    assert (failed.returncode, malformed.returncode) == (1, 1)
    assert json.loads(failed.stdout)["reason"].startswith("COLUMN_NOT_FOUND: line 1:8: Column 'nobody'")
    assert json.loads(malformed.stdout)["reason"].startswith("line 1:1: mismatched input 'SELEC'")


def test_it_shows_the_first_rows_and_says_where_all_are(query: Command) -> None:
    done = query("SELECT x FROM UNNEST(sequence(1, 3000)) AS t(x) ORDER BY x", "--max-rows", "1500")

    assert "│   1500 │" in done.stdout
    assert "│   1501 │" not in done.stdout
    assert re.search(r"^the first 1,500 rows, all are in s3://\S+\.csv, 0 bytes", done.stdout, re.MULTILINE)


def test_more_columns_than_fit_stand_below_each_other(query: Command) -> None:
    columns = ", ".join(f"{n} AS column_{n}" for n in range(40))
    done = query(f"SELECT {columns} FROM (VALUES 1, 2)")  # noqa: S608

    shown = [line.split() for line in done.stdout.splitlines()]
    assert [line for line in shown if line[0] == "row"] == [["row", "1"], ["row", "2"]]
    assert shown.count(["column_39", "39"]) == 2


def test_statements_that_are_no_queries_show_lines_or_what_was_written(query: Command) -> None:
    created = query("CREATE DATABASE query_command")
    written = query("CREATE TABLE query_command.t WITH (format = 'JSON') AS SELECT 1 AS a")
    shown = query("SHOW CREATE TABLE query_command.t")

    assert created.stdout.startswith("done, 0 bytes scanned")
    assert written.stdout.startswith("1 row written, 0 bytes scanned")
    assert shown.stdout.splitlines()[:2] == ["CREATE EXTERNAL TABLE `query_command.t`(", "  `a` int)"]


def test_the_help_names_every_option(query: Command) -> None:
    done = query("--help")

    assert done.returncode == 0
    for option in ("--file", "--database", "--workgroup", "--max-rows", "--stage", "--json"):
        assert option in done.stdout
