"""The page of the pipeline activity says what is so."""

import re
from pathlib import Path
from typing import get_args

from nightlake.core.contract import load_pipeline
from nightlake.core.http_source import HttpSource

from local.sources import activity, app
from local.sources.faults import Kind
from local.sources.weather import ORIGIN

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/activity.md").read_text()


def test_every_fault_is_told_of() -> None:
    table = PAGE.partition("| `kind` |")[2].partition("\n\n")[0]
    told = {kind for row in table.splitlines() for kind in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert told == set(get_args(Kind))


def test_what_it_makes_is_all_that_is_made() -> None:
    told = set(re.findall(r"`([a-z_]+)`", PAGE.partition("## What it makes")[2].partition("Before")[0]))
    files = (ROOT / "sql/activity").glob("*/*.sql")
    made = {file.stem for file in files if file.parent.name in ("merge", "views", "reports")}
    assert made == told - {"is_known_user", "is_known_weather"}


def test_the_places_are_those_of_the_pipeline_and_of_the_application() -> None:
    source = load_pipeline(ROOT / "pipelines/activity").source("weather")
    assert isinstance(source, HttpSource)
    assert {place["city"]: (place["latitude"], place["longitude"]) for place in source.each} == activity.PLACES
    assert tuple(activity.PLACES) == app.CITIES
    assert source.url.startswith(f"{ORIGIN}/")
