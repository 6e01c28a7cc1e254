"""`nightlake report`: the page of a run, fetched from the lake to a file."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
from ended_run import run_of
from moto import mock_aws
from nightlake.core import layout
from nightlake.core.run_record import ReportRecord, RunRecord
from typer.testing import CliRunner

from cli import report
from cli.lake import Lake
from cli.main import app

BUCKET = "nightlake-local-lake"
PAGE = b"<!doctype html>\n<title>sales</title>\n"
SUNDAY, MONDAY = date(2017, 6, 11), date(2017, 6, 12)


@pytest.fixture
def nightlake(environment: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`nightlake(options)`: the command over a lake with two runs, the newer of which has left no page."""
    reports = (ReportRecord(name="top_products", rows=20, key="k"),)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)

        def put(record: RunRecord) -> None:
            key = layout.record("sales", record.run_id)
            client.put_object(Bucket=BUCKET, Key=key, Body=record.model_dump_json(by_alias=True))

        put(run_of(MONDAY))
        put(sunday := run_of(SUNDAY, reports=reports))
        client.put_object(Bucket=BUCKET, Key=layout.page("sales", SUNDAY, sunday.run_id), Body=PAGE)
        monkeypatch.setattr(report, "connect", lambda _stage: None)
        monkeypatch.setattr(report, "lake_of", lambda _cloud: Lake(client, BUCKET))
        monkeypatch.setattr(report, "HOME", tmp_path)
        yield lambda *options: CliRunner().invoke(app, ["report", "sales", *options])


def test_it_fetches_the_page_and_says_where_it_is(nightlake: Callable[..., Any], tmp_path: Path) -> None:
    done = nightlake("--date", "2017-06-11", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert Path(facts["page"]).read_bytes() == PAGE
    assert Path(facts["page"]).is_relative_to(tmp_path)
    assert (facts["ok"], facts["outcome"], facts["date"]) == (True, "succeeded", "2017-06-11")
    assert facts["reports"] == [{"name": "top_products", "rows": 20}]


def test_it_writes_where_it_is_told_and_opens_what_it_wrote(
    nightlake: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(report.webbrowser, "open", opened.append)
    file = tmp_path / "deep" / "page.html"
    done = nightlake("--date", "2017-06-11", "--out", str(file), "--open")
    assert done.exit_code == 0, done.output
    assert file.read_bytes() == PAGE
    assert opened == [file.as_uri()]
    assert "top_products, 20 rows" in done.output


def test_a_run_without_a_page_is_said_in_words(nightlake: Callable[..., Any], tmp_path: Path) -> None:
    done = nightlake("--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"] == "NoPageError"
    assert "nightlake run sales --date 2017-06-12" in json.loads(done.stdout)["reason"]
    assert not [*tmp_path.rglob("*.html")]
