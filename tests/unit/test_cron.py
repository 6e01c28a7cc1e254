"""Schedules are checked as AWS checks them, before it gets to see them."""

from datetime import datetime

import pytest
from nightlake.core.cron import check_cron, last_firing


@pytest.mark.parametrize(
    "text",
    [
        "0 3 * * ? *",
        "0/15 8-17 ? * MON-FRI *",
        "30 4 1,15 * ? 2026-2030",
        "0 3 L * ? *",
        "0 3 ? * 6#3 *",
        "0 3 ? * 2L *",
        "0 3 3W * ? *",
        "0 0 1 JAN,jul ? *",
        "*/5 * * * ? *",
    ],
)
def test_what_aws_accepts(text: str) -> None:
    assert check_cron(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 1 fields"),
        ("0 3 * * *", "has 5 fields"),
        ("0  3 * * ? *", "has 7 fields"),
        ("60 3 * * ? *", "'60' is no minute"),
        ("0 24 * * ? *", "'24' is no hour"),
        ("0 3 0 * ? *", "'0' is no day of month"),
        ("0 3 * 13 ? *", "'13' is no month"),
        ("0 3 ? * 0 *", "'0' is no day of week"),
        ("0 3 ? * FUNDAY *", "'FUNDAY' is no day of week"),
        ("0 3 * * ? 1969", "'1969' is no year"),
        ("0 17-8 * * ? *", "'17-8' is no hour"),
        ("0 3/0 * * ? *", "'3/0' is no hour"),
        ("0 3, * * ? *", "'3,' is no hour"),
        ("0 ٣ * * ? *", "'٣' is no hour"),
        ("0 3 * * * *", "must have ?"),
        ("0 3 ? * ? *", "must have ?"),
    ],
)
def test_what_aws_refuses(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("?", r"\?")):
        check_cron(text)


@pytest.mark.parametrize(
    ("cron", "now", "fired"),
    [
        ("0 3 * * ? *", "2026-11-21T03:00", "2026-11-21T03:00"),
        ("0 3 * * ? *", "2026-11-21T02:59", "2026-11-20T03:00"),
        ("0/15 8-17 ? * MON-FRI *", "2026-11-21T03:00", "2026-11-20T17:45"),
        ("5/20 * * * ? *", "2026-11-21T03:04", "2026-11-21T02:45"),
        ("0 3 L * ? *", "2026-11-21T03:00", "2026-10-31T03:00"),
        ("0 3 LW * ? *", "2026-11-21T03:00", "2026-10-30T03:00"),
        ("0 3 1W * ? *", "2026-11-21T03:00", "2026-11-02T03:00"),
        ("0 3 31W * ? *", "2026-11-21T03:00", "2026-10-30T03:00"),
        ("0 3 ? * 6#3 *", "2026-11-21T03:00", "2026-11-20T03:00"),
        ("0 3 ? * 1#5 *", "2026-11-21T03:00", "2026-08-30T03:00"),
        ("0 3 ? * 2L *", "2026-11-21T03:00", "2026-10-26T03:00"),
        ("0 3 ? * L *", "2026-11-21T02:00", "2026-11-14T03:00"),
        ("0 3 29 2 ? *", "2026-11-21T03:00", "2024-02-29T03:00"),
        ("30 4 1,15 * ? 2020-2025", "2026-11-21T03:00", "2025-12-15T04:30"),
        ("0 3 * * ? 2030", "2026-11-21T03:00", None),
    ],
)
def test_when_a_schedule_fired_last(cron: str, now: str, fired: str | None) -> None:
    found = last_firing(check_cron(cron), timezone="UTC", now=datetime.fromisoformat(f"{now}:00+00:00"))
    assert found == (None if fired is None else datetime.fromisoformat(f"{fired}:00+00:00"))


@pytest.mark.parametrize(
    ("now", "fired"),
    [
        ("2026-03-29T01:00", "2026-03-28T01:30"),  # there is no 02:30 on this day
        ("2026-10-25T00:30", "2026-10-25T00:30"),  # the first of two
        ("2026-10-25T05:00", "2026-10-25T00:30"),
    ],
)
def test_a_local_time_fires_once_or_not_at_all_when_clocks_change(now: str, fired: str) -> None:
    found = last_firing("30 2 * * ? *", timezone="Europe/Paris", now=datetime.fromisoformat(f"{now}:00+00:00"))
    assert found == datetime.fromisoformat(f"{fired}:00+00:00")
