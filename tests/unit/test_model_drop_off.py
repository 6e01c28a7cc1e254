"""Where a model's results go: only to a pipeline that takes them, and a day's delivery is whole or none."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from memory_objects import MemoryObjects
from nightlake.core.delivery import find_delivery
from nightlake.core.model.drop_off import complete_delivery, drop_off_faults, part_key, source_of
from nightlake.core.pipeline import Pipeline
from nightlake.core.source import ParquetSource
from small_music import MODEL, publisher

DAY = date(2026, 11, 20)
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> Pipeline:
    """The publisher, its first source written otherwise."""
    said = publisher()
    first, *others = said.sources
    written = first.model_dump(mode="json", by_alias=True)
    change(written)
    return said.model_copy(update={"sources": (ParquetSource.model_validate_json(json.dumps(written)), *others)})


def missing(raw: MemoryObjects) -> str:
    source = source_of(publisher(), "recommendations")
    return find_delivery(source, DAY, raw, now=datetime.now(UTC)).missing


def test_a_pipeline_that_takes_all_of_it_has_no_fault() -> None:
    assert list(drop_off_faults(publisher(), MODEL)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda said: said.update(dataset="others"), "has no dataset 'recommendations'"),
        (lambda said: said.update(ready={"files": 1}), r"recommendations\.recommendations needs .*manifest"),
        (lambda said: said.update(path="a/{date:%Y/%m/%d}/*/*.parquet"), "needs a path of one wildcard"),
        (lambda said: said.update(path="a/{date:%Y/%m/%d}/one.parquet"), "needs a path of one wildcard"),
    ],
)
def test_a_pipeline_that_does_not_is_refused_with_its_reason(change: Change, told: str) -> None:
    (fault,) = drop_off_faults(changed(change), MODEL)
    assert re.search(told, fault)


def test_a_days_delivery_is_the_files_of_its_manifest_and_no_others() -> None:
    raw = MemoryObjects("raw")
    source = source_of(publisher(), "recommendations")
    old, new, next_day = part_key(source, DAY, "old"), part_key(source, DAY, "new"), "recommendations/recommendations/x"
    raw.put(next_day, b"another")
    raw.put(old, b"old")
    complete_delivery(raw, source, DAY, [old])
    assert missing(raw) == ""
    raw.put(new, b"new")  # a scoring has begun: until it is complete, the day has no delivery
    assert "new.parquet" in missing(raw)
    complete_delivery(raw, source, DAY, [new])
    assert missing(raw) == ""
    assert [each.key for each in raw.list("")] == [
        "recommendations/recommendations/2026/11/20/_MANIFEST",
        new,
        next_day,
    ]
