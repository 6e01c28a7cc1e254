"""What counts as the delivery of a day, when it is complete, and what is told when it is not."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from memory_objects import MemoryObjects
from nightlake.core.delivery import Delivery, find_delivery
from nightlake.core.errors import EncodingError
from nightlake.core.source import CsvSource, JsonLinesSource
from pydantic import ValidationError

DAY = date(2017, 6, 12)
NOW = datetime(2017, 6, 13, 3, tzinfo=UTC)
FOLDER = "sales/2017/06/12/"


def source(path: str = "sales/{date:%Y/%m/%d}/*.json", **ready: Any) -> JsonLinesSource:
    return JsonLinesSource.model_validate(
        {"dataset": "sales", "from": "s3", "format": "jsonl", "path": path, "ready": ready or {"files": 1}}
    )


@pytest.fixture
def raw() -> MemoryObjects:
    return MemoryObjects("raw", now=lambda: NOW - timedelta(minutes=5))


def find(raw: MemoryObjects, **ready: Any) -> Delivery:
    return find_delivery(source(**ready), DAY, raw, now=NOW)


def keys(delivery: Delivery) -> list[str]:
    return [item.key for item in delivery.objects]


def test_wildcards_match_names_of_that_day_and_never_cross_a_folder(raw: MemoryObjects) -> None:
    for key in ("b.json", "a.json", "sub/c.json", "d.jsonx", "e.csv", ""):
        raw.put(FOLDER + key, b"")
    raw.put("sales/2017/06/13/f.json", b"")
    assert keys(find(raw)) == [FOLDER + "a.json", FOLDER + "b.json"]
    part = source("sales/{date:%Y/%m/%d}/s?b/*")
    raw.put(FOLDER + "sub/", b"")
    assert keys(find_delivery(part, DAY, raw, now=NOW)) == [FOLDER + "sub/c.json"]


def test_a_dot_of_the_path_is_a_dot(raw: MemoryObjects) -> None:
    raw.put(FOLDER + "axjson", b"")
    assert keys(find(raw)) == []


def test_objects_are_pinned_to_their_newest_version(raw: MemoryObjects) -> None:
    raw.put(FOLDER + "a.json", b"old")
    before = find(raw)
    raw.put(FOLDER + "a.json", b"new")
    (item,) = find(raw).objects
    assert raw.get(item.key, item.version_id) == b"new"
    assert (item.etag, item.size) == (raw.head(item.key).etag, 3)  # type: ignore[union-attr]
    assert find(raw).digest == find(raw).digest != before.digest


def test_a_day_is_complete_with_so_many_files(raw: MemoryObjects) -> None:
    raw.put(FOLDER + "a.json", b"")
    assert find(raw, files=2).missing == "1 more of 2 objects"
    raw.put(FOLDER + "b.json", b"")
    assert find(raw, files=2).missing == ""


def test_a_marker_completes_a_day_and_is_no_data(raw: MemoryObjects) -> None:
    raw.put(FOLDER + "a.json", b"")
    assert find(raw, marker="done.json").missing == f"the object {FOLDER}done.json"
    raw.put(FOLDER + "done.json", b"")
    assert find(raw, marker="done.json").missing == ""
    assert keys(find(raw, marker="done.json")) == [FOLDER + "a.json"]


def test_a_marker_may_say_that_there_is_nothing(raw: MemoryObjects) -> None:
    raw.put(FOLDER + "_SUCCESS", b"")
    assert find(raw, marker="_SUCCESS") == Delivery((), "")


def test_a_manifest_and_the_data_must_name_each_other(raw: MemoryObjects) -> None:
    manifest = FOLDER + "manifest.json"
    assert find(raw, manifest="manifest.json").missing == f"the object {manifest}"
    raw.put(manifest, "\ufeffa.json\r\n\nb.json\n other.txt\n".encode())
    raw.put(FOLDER + "a.json", b"")
    expected = f"{FOLDER}b.json, {FOLDER}other.txt, which {manifest} lists"
    assert find(raw, manifest="manifest.json").missing == expected
    raw.put(FOLDER + "b.json", b"")
    raw.put(FOLDER + "other.txt", b"")
    assert find(raw, manifest="manifest.json").missing == ""
    assert keys(find(raw, manifest="manifest.json")) == [FOLDER + "a.json", FOLDER + "b.json"]
    raw.put(FOLDER + "c.json", b"half of someth")
    assert find(raw, manifest="manifest.json").missing == f"the mention of {FOLDER}c.json in {manifest}"


def test_a_manifest_that_is_no_text_is_told_by_name(raw: MemoryObjects) -> None:
    raw.put(FOLDER + "m", b"\xff\xfe")
    with pytest.raises(EncodingError, match=f"{FOLDER}m is not UTF-8"):
        find(raw, manifest="m")


def test_a_day_that_still_changes_is_not_complete(raw: MemoryObjects) -> None:
    raw.put(FOLDER + "a.json", b"")
    assert find(raw, files=1, quiet_minutes=5).missing == ""
    assert find(raw, files=1, quiet_minutes=6).missing == (
        f"6 minutes without a change ({FOLDER}a.json is of 2017-06-13T02:55:00Z)"
    )


@pytest.mark.parametrize(
    "path", ["sales/{date:%Y-%m-%d}.csv", "sales/*/{date:%Y/%m/%d}/a", "sales/{date:%Y/%m-%d}.csv"]
)
def test_a_sign_needs_a_folder_of_its_day(path: str) -> None:
    source(path, files=1)
    with pytest.raises(ValidationError, match="a marker or manifest lies in a folder of its day"):
        source(path, marker="done")


@pytest.mark.parametrize(
    ("path", "ready", "arrivals", "key", "day"),
    [
        ("o/{date:%Y/%m/%d}/*.csv", {"files": 1}, "o/*/*.csv", "o/2017/06/12/a.csv", date(2017, 6, 12)),
        ("o/{date:%Y/%m/%d}/*.csv", {"files": 1}, "o/*/*.csv", "o/2017/06/12/b/a.csv", None),
        ("o/{date:%Y/%m/%d}/*.csv", {"files": 1}, "o/*/*.csv", "o/2017/02/30/a.csv", None),
        ("o/{date:%Y/%m/%d}/*.csv", {"files": 1}, "o/*/*.csv", "o/2017/6/12/a.csv", None),
        ("o/x?*-{date:%Y%m%d}.csv", {"files": 1}, "o/x*-*.csv", "o/x1-20170612.csv", date(2017, 6, 12)),
        ("o/{date:%Y/%Y-%j}/[a].csv", {"files": 1}, "o/*/[a].csv", "o/2017/2017-163/[a].csv", date(2017, 6, 12)),
        ("o/{date:%Y/%Y-%j}/[a].csv", {"files": 1}, "o/*/[a].csv", "o/2017/2018-163/[a].csv", None),
        ("o/{date:%Y/%m/%d}/in/*.csv", {"marker": "_OK"}, "o/*/in/_OK", "o/2017/06/12/in/_OK", date(2017, 6, 12)),
        ("o/{date:%Y/%m/%d}/in/*.csv", {"marker": "_OK"}, "o/*/in/_OK", "o/2017/06/12/in/a.csv", None),
        ("o/{date:%Y/%m/%d}/*.csv", {"manifest": "all.txt"}, "o/*/all.txt", "o/2017/06/12/all.txt", date(2017, 6, 12)),
    ],
)
def test_a_key_names_the_day_that_it_delivers(
    path: str, ready: dict[str, Any], arrivals: str, key: str, day: date | None
) -> None:
    source = CsvSource.model_validate({"from": "s3", "dataset": "o", "format": "csv", "path": path, "ready": ready})
    assert source.arrivals == arrivals
    assert source.day_of(key) == day
