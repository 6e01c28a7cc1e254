"""Schedules are checked as AWS checks them, before it gets to see them."""

import pytest
from nightlake.core.cron import check_cron, fires_daily


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
    ("text", "daily"),
    [
        ("0 3 * * ? *", True),
        ("0 3 ? * * *", True),
        ("0/5 * * * ? *", True),
        ("0 3 ? * MON-FRI *", False),
        ("0 3 1 * ? *", False),
        ("0 3 * 6 ? *", False),
        ("0 3 * * ? 2026", False),
    ],
)
def test_which_schedules_fire_every_day(text: str, daily: bool) -> None:
    assert fires_daily(text) is daily
