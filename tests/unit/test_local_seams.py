"""The seams' contract with the pinned emulator, and the parts of them that need no server."""

import importlib.metadata
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from local import resources, seams
from local.errors import EmulatorDiffersError


def test_the_installed_emulator_is_the_one_the_seams_were_written_against() -> None:
    seams.verify()


def test_another_version_of_the_emulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.6.0")

    with pytest.raises(EmulatorDiffersError, match=r"ministack 1\.6\.0.*re-verify local/seams\.py"):
        seams.verify()


@pytest.mark.parametrize("address", ["services.stepfunctions:_call_lambda", "services.stepfunctions:_gone"])
def test_another_source_of_a_patched_function_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setitem(seams.PATCHED, address, "000000000000")

    with pytest.raises(EmulatorDiffersError, match=f"differs from 1.5.33 at {address}"):
        seams.verify()


def test_the_emulator_still_lacks_the_types_that_we_add() -> None:
    known = seams._handlers()

    assert not known.keys() & resources.MISSING_TYPES.keys()
    assert resources.REPLACED_TYPES.keys() <= known.keys()


def test_every_difference_left_says_what_covers_it() -> None:
    left = [known for known in seams.differences() if known.state != "restored"]

    assert left
    assert not [known.name for known in left if not known.cover]


def test_the_table_has_every_difference_once() -> None:
    rows = seams.seams_table().splitlines()[2:]
    names = [row.split(" | ")[0].removeprefix("| ") for row in rows]

    assert sorted(names) == sorted(known.name for known in seams.differences())
    assert len(set(names)) == len(names)
    assert all(row.count(" | ") == 4 for row in rows)


def test_embedded_metrics_are_counted_once_per_dimension_set() -> None:
    line = {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "Shop",
                    "Dimensions": [["Source"], []],
                    "Metrics": [{"Name": "Rows", "Unit": "Count"}, {"Name": "Seconds"}],
                }
            ]
        },
        "Source": "tills",
        "Rows": [40, 2],
        "Seconds": 1.5,
    }

    assert list(seams._metrics_of(json.dumps(line))) == [
        ("Shop", "Rows", 40, "Count", {"Source": "tills"}),
        ("Shop", "Rows", 2, "Count", {"Source": "tills"}),
        ("Shop", "Seconds", 1.5, "None", {"Source": "tills"}),
        ("Shop", "Rows", 40, "Count", {}),
        ("Shop", "Rows", 2, "Count", {}),
        ("Shop", "Seconds", 1.5, "None", {}),
    ]


@pytest.mark.parametrize("line", ['"_aws" is a word', '{"_aws": 1}', '["_aws"]'])
def test_a_line_that_only_looks_like_metrics_is_none(line: str) -> None:
    assert list(seams._metrics_of(line)) == []


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("$", False),
        ("$.a", False),
        ("$.a.b[1]", False),
        ("$.null", False),
        ("$['a']['b'][0]", False),
        ("$.a.b[2]", True),
        ("$.a.c", True),
        ("$.null.x", True),
        ("$$.Execution.Id", False),
        ("States.UUID()", False),
    ],
)
def test_a_path_is_missing_when_it_leads_nowhere(path: str, missing: bool) -> None:
    data: Any = {"a": {"b": [1, 2]}, "null": None}

    assert seams._is_missing(path, data) is missing


def test_a_retry_waits_longer_each_time_up_to_its_maximum() -> None:
    retrier = {"IntervalSeconds": 2, "BackoffRate": 3, "MaxDelaySeconds": 20}

    assert [seams._delay(retrier, retries) for retries in range(4)] == [2, 6, 18, 20]
    assert [seams._delay({}, retries) for retries in range(3)] == [1, 2, 4]


def test_jitter_draws_from_the_whole_delay() -> None:
    retrier = {"IntervalSeconds": 10, "JitterStrategy": "FULL"}
    delays = [seams._delay(retrier, 0) for _ in range(200)]

    assert all(0 <= delay <= 10 for delay in delays)
    assert len(set(delays)) > 100


@pytest.mark.parametrize(
    ("after", "following"),
    [
        (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 1, 2, tzinfo=UTC)),
    ],
)
def test_three_in_berlin_is_another_hour_in_summer_than_in_winter(after: datetime, following: datetime) -> None:
    from ministack.services import eventbridge

    text = seams._in_zone(seams._ZonedText("cron(0 3 * * ? *)"), ZoneInfo("Europe/Berlin"))
    fields = seams._cron_in_zone(eventbridge._parse_cron_fields)(text)

    assert seams._next_in_zone(eventbridge._cron_next_fire)(fields, after) == following


def test_a_scheduled_time_is_the_minute_that_the_expression_names() -> None:
    schedule = {"ScheduleExpression": "cron(0 3 * * ? *)", "Arn": "arn:s"}
    event = {"Time": 1795230004.7, "EventId": "e"}

    assert seams._with_context("<aws.scheduler.scheduled-time> <aws.scheduler.schedule-arn>", event, schedule) == (
        "2026-11-21T03:00:00Z arn:s"
    )
