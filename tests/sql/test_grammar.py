"""All our SQL is of the grammar that AWS reads: queries of Trino's, table definitions of Hive's."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def errors(grammar: str, statements: Sequence[str]) -> dict[str, list[str]]:
    """The syntax errors of each wrong statement."""
    done = subprocess.run(
        ["node", str(HERE / "trino_grammar.mjs"), grammar],
        input=json.dumps(statements),
        capture_output=True,
        text=True,
        check=True,
    )
    found = zip(statements, json.loads(done.stdout), strict=True)
    return {statement: wrong for statement, wrong in found if wrong}


def is_definition(text: str) -> bool:
    return "CREATE EXTERNAL TABLE" in text


def test_the_oracles_statements_are_of_trinos_grammar() -> None:
    cases = [case for file in sorted((HERE / "oracle").glob("*.yaml")) for case in yaml.safe_load(file.read_text())]
    assert errors("trino", [case["statement"] for case in cases]) == {}


def test_the_files_of_sql_are_of_the_grammar_that_reads_them() -> None:
    texts = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "sql").rglob("*.sql"))]
    assert texts
    assert errors("hive", [text for text in texts if is_definition(text)]) == {}
    assert errors("trino", [text for text in texts if not is_definition(text)]) == {}


@pytest.mark.parametrize(
    ("grammar", "wrong"), [("trino", "SELECT FROM WHERE"), ("hive", "CREATE EXTERNAL TABLE t (a int) LOCATION")]
)
def test_what_is_wrong_is_told(grammar: str, wrong: str) -> None:
    assert wrong in errors(grammar, [wrong])
