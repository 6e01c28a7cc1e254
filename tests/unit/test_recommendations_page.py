"""The page of the recommendations says what is so: what is made, which commands there are, what the API answers."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl, urlsplit

import pytest
from nightlake.core.contract import load_pipeline
from nightlake.core.pipeline import Pipeline
from nightlake.handlers.api import asked
from recommended_lake import RecommendedLake, recommend

from cli.model import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/recommendations.md").read_text()


def test_what_it_makes_is_all_that_is_made() -> None:
    table = PAGE.partition("## What it makes")[2].partition("## ")[0]
    told = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.partition(" |")[0])}
    files = (ROOT / "sql/recommendations").glob("*/*.sql")
    assert told == {file.stem for file in files}
    assert {each.name for each in load_pipeline(ROOT / "pipelines/recommendations").datasets} < told


def test_the_commands_are_those_that_there_are() -> None:
    table = PAGE.partition("| command | |")[2].partition("\n\n")[0]
    told = re.findall(r"^\| `nightlake model (\w+)", table, re.MULTILINE)
    known = [command.name or command.callback.__name__ for command in app.registered_commands]  # type: ignore[union-attr]
    assert sorted(told) == sorted(known)


def test_the_example_is_answered(
    every_pipeline: dict[str, Pipeline],
    environment: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    send: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    ((path, shown),) = re.findall(r"```\nGET (\S+)\n```\n```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "contracts" / "music.json").write_text(every_pipeline["music"].model_dump_json())
    environment()
    lake = RecommendedLake(every_pipeline["music"], every_pipeline["recommendations"])
    monkeypatch.setattr(asked, "lake", lambda: lake.store)
    recommend(lake)
    parts = urlsplit(path)
    answered = send(parts.path, dict(parse_qsl(parts.query)), authorizer={"caller": "app", "scopes": "read:music"})
    assert json.loads(answered["body"]) == json.loads(shown)


def test_every_source_of_a_list_is_told() -> None:
    from nightlake.core.api.recommendations import ListSource

    table = PAGE.partition("| `source` |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [*get_args(ListSource)]
