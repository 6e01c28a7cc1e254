"""The page of the pipeline music says what is so."""

import re
from pathlib import Path

from nightlake.core.contract import load_pipeline

from local.sources import music

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/music.md").read_text()


def test_what_it_makes_is_all_that_is_made() -> None:
    told = set(re.findall(r"^\| (`[a-z_`, ]+) \|", PAGE.partition("## What it makes")[2], re.MULTILINE))
    files = (ROOT / "sql/music").glob("*/*.sql")
    made = {file.stem for file in files if file.parent.name in ("merge", "views", "reports")}
    named = {name for row in told for name in re.findall(r"[a-z_]+", row)}
    assert made == named - set(music.Settings.model_fields)


def test_every_setting_is_told_of_with_its_default() -> None:
    table = PAGE.partition("| setting |")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])} == set(
        music.Settings.model_fields
    )
    for name in ("users", "tracks", "listens_a_day", "seed"):
        (row,) = (row for row in rows if f"`{name}`" in row)
        assert str(music.Settings.model_fields[name].default) in row


def test_the_declarations_that_it_explains_are_those_of_the_pipeline() -> None:
    tracks, _, listens = load_pipeline(ROOT / "pipelines/music").sources
    assert tracks.model_dump(include={"durations", "on_drift"}) == {
        "durations": ("duration_seconds",),
        "on_drift": "ignore",
    }
    said = listens.model_dump(include={"split", "layout", "records_optional"})
    assert said == {"split": "items", "layout": "values", "records_optional": True}
    for word in ("durations", "split", "layout: values", "records_optional", "on_drift: ignore", "connections"):
        assert f"`{word}`" in PAGE
