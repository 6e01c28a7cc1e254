"""All our SQL is of the grammar that AWS reads: queries of Trino's, table definitions of Hive's."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from nightlake.core.across import across_query
from nightlake.core.across_parts import Part
from nightlake.core.audit import audit_query
from nightlake.core.contract import load_pipelines
from nightlake.core.databases import Databases
from nightlake.core.merge_attempt import MergeAttempt
from nightlake.core.pipeline import Column, Pipeline
from nightlake.core.report_parameters import read_header
from nightlake.core.sql_reading import Kind
from nightlake.core.statement import KINDS, RunDay, render
from nightlake.core.table import Table, ddl, tables

from infra.saved_queries import saved_queries, saved_reports
from local.athena.errors import QuerySyntaxError
from local.athena.parser import parse

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PIPELINES = load_pipelines(ROOT / "pipelines")


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


REFUSED = yaml.safe_load((HERE / "refused.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["statement"])
def test_what_trinos_grammar_refuses_is_refused_at_its_word(case: dict[str, Any]) -> None:
    with pytest.raises(QuerySyntaxError) as refused:
        parse(case["statement"])
    start = f"SYNTAX_ERROR: line 1:{case['column']}: mismatched input '{case['word']}'. Expecting: "
    assert str(refused.value).startswith(start)


def test_trinos_grammar_refuses_it() -> None:
    statements = [case["statement"] for case in REFUSED]
    assert errors("trino", statements).keys() == set(statements)


def test_the_files_of_sql_are_of_the_grammar_that_reads_them() -> None:
    files = sorted((ROOT / "sql").rglob("*.sql"))
    # The name of a parameter is the one word of ours in them.
    texts = [re.sub(r"(?<=[ (]):[a-z]\w*", "?", file.read_text(encoding="utf-8")) for file in files]
    assert texts
    assert errors("hive", [text for text in texts if is_definition(text)]) == {}
    assert errors("trino", [text for text in texts if not is_definition(text)]) == {}


def test_what_a_night_asks_of_athena_is_of_trinos_grammar() -> None:
    asked = [query for pipeline in PIPELINES for query in night(pipeline)]
    assert len(asked) > len(PIPELINES)
    assert errors("trino", asked) == {}


def night(pipeline: Pipeline) -> Iterator[str]:
    """Every statement that a night of the pipeline runs."""
    folder = ROOT / "sql" / pipeline.name
    texts = {place: {file.stem: file.read_text() for file in (folder / place).glob("*.sql")} for place in KINDS}

    def bound(kind: Kind, name: str, text: str) -> str:
        return render(
            text,
            kind=kind,
            name=name,
            run=RunDay(date=date(2017, 6, 12), run_id="r1"),
            pipeline=pipeline,
            databases=Databases(served="lake-1", staging="lake-1_staging", quarantine="lake-1_quarantine"),
            lake_bucket="lake",
            suffix="0a",
            views=texts["views"],
            attempts=[MergeAttempt(merge=merge, table=f"{merge}__0a", location="x/") for merge in pipeline.merge],
        ).query

    for part in (Part(), Part(part=3, parts=4)):
        yield bound("across", "across", across_query(pipeline, part))
    for place, kind in KINDS.items():
        if kind != "audit":
            yield from (bound(kind, name, text) for name, text in texts[place].items() if read_header(text).is_nightly)
    yield from (bound("audit", merge, audit_query(merge, texts["audits"])) for merge in pipeline.merge)


def test_the_tables_of_every_contract_are_of_hives_grammar() -> None:
    odd = Table(
        name="odd",
        description="It's a \\ and a ; `quote`",
        columns=(
            Column(name="_order", type="array<struct<a:int,b:decimal(10,2)>>", description="'' -- /* no comment"),
            Column(name="table", type="map<string,array<double>>"),
        ),
    )
    declared = [table for pipeline in PIPELINES for dataset in pipeline.datasets for table in tables(dataset)]
    assert declared
    assert errors("hive", [ddl(table, "s3://lake/empty/") for table in (*declared, odd)]) == {}


def test_the_saved_queries_are_of_trinos_grammar() -> None:
    found = [query.sql for pipeline in PIPELINES for dataset in pipeline.datasets for query in saved_queries(dataset)]
    found += [query.sql for pipeline in PIPELINES for query in saved_reports(pipeline)]
    assert found
    assert errors("trino", found) == {}


def test_the_statements_of_the_docs_are_of_the_grammar_that_reads_them() -> None:
    pages = "\n".join(page.read_text() for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
    asked = re.findall(r'nightlake query "((?:SELECT|WITH)[^"]*)"', pages)
    run = re.findall(r'"((?:SELECT|WITH) [^"]*)"', pages) + re.findall(r'"""\s*(CREATE TABLE .*?)"""', pages, re.DOTALL)
    assert asked
    assert run
    assert errors("trino", [*asked, *run]) == {}


@pytest.mark.parametrize(
    ("grammar", "wrong"), [("trino", "SELECT FROM WHERE"), ("hive", "CREATE EXTERNAL TABLE t (a int) LOCATION")]
)
def test_what_is_wrong_is_told(grammar: str, wrong: str) -> None:
    assert wrong in errors(grammar, [wrong])
