"""The audits of activity_enriched: silent over a sound merge, each loud over what it is there for."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from athena_shop import SQL, Shop

DAY = "2013-07-01"
AUDITS = sorted(file.stem for file in (SQL / "activity" / "audits").glob("*.sql"))
Make = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("name", AUDITS)
def test_a_sound_merge_passes(shop: Shop, log: Make, hour: Make, user: Make, name: str) -> None:
    shop.land("2013-06-30", app_logs=[log(9, "2013-06-30 09:30")])
    late = log(3, "2013-06-30 23:59")
    logged = [log(1, f"{DAY} 09:30"), log(2, f"{DAY} 09:31", level="fatal"), late]
    shop.land(DAY, app_logs=logged, users=[user(7)], weather=[hour(f"{DAY} 09:00")])
    shop.merge("activity_enriched", DAY)
    assert shop.run("audit", name, DAY) == []


@pytest.mark.parametrize("name", AUDITS)
def test_a_day_without_requests_passes(shop: Shop, name: str) -> None:
    shop.land(DAY)
    shop.merge("activity_enriched", DAY)
    assert shop.run("audit", name, DAY) == []


def test_activity_enriched_rows_names_what_is_lost_or_doubled(shop: Shop, log: Make, user: Make) -> None:
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30"), log(2, f"{DAY} 09:30", user_id=None)], users=[user(7), user(7)])
    shop.merge("activity_enriched", DAY)
    shop.land(DAY, app_logs=[log(number, f"{DAY} 09:30") for number in (1, 2, 3)])
    found = shop.run("audit", "activity_enriched_rows", DAY)
    assert sorted(found, key=str) == [{"log_id": 1, "surplus": 1}, {"log_id": 3, "surplus": -1}]


def test_activity_enriched_totals_sees_a_microsecond_and_an_error(shop: Shop, log: Make) -> None:
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30", latency_ms="1.000")])
    shop.merge("activity_enriched", DAY)
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30", latency_ms="1.001", level="error")])
    assert shop.run("audit", "activity_enriched_totals", DAY) == [
        {
            "latency_ms": Decimal("1.000"),
            "expected_latency_ms": Decimal("1.001"),
            "errors": 0,
            "expected_errors": 1,
        }
    ]


def test_activity_enriched_totals_sees_that_all_is_gone(shop: Shop, log: Make) -> None:
    shop.land(DAY)
    shop.merge("activity_enriched", DAY)
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30")])
    (found,) = shop.run("audit", "activity_enriched_totals", DAY)
    assert (found["latency_ms"], found["expected_latency_ms"]) == (None, Decimal("12.500"))


@pytest.mark.parametrize(("strangers", "found"), [(1, []), (2, [{"signed_in": 20, "unknown": 2}])])
def test_activity_enriched_users_allows_one_stranger_in_twenty(
    shop: Shop, log: Make, user: Make, strangers: int, found: list[dict[str, int]]
) -> None:
    signed_in = [log(number, f"{DAY} 09:30", user_id=8 if number < strangers else 7) for number in range(20)]
    shop.land(DAY, app_logs=[*signed_in, log(20, f"{DAY} 09:30", user_id=None)], users=[user(7)])
    shop.merge("activity_enriched", DAY)
    assert shop.run("audit", "activity_enriched_users", DAY) == found


def test_activity_enriched_weather_names_hours_without_any(shop: Shop, log: Make, hour: Make) -> None:
    logged = [log(1, f"{DAY} 09:30"), log(2, f"{DAY} 10:30"), log(3, f"{DAY} 10:31")]
    shop.land(DAY, app_logs=logged, weather=[hour(f"{DAY} 09:00")])
    shop.merge("activity_enriched", DAY)
    missing = {"city": "Newark", "logged_hour": datetime(2013, 7, 1, 10), "requests": 2}  # noqa: DTZ001 (UTC)
    assert shop.run("audit", "activity_enriched_weather", DAY) == [missing]


def test_activity_enriched_weather_says_nothing_of_a_day_that_has_none(shop: Shop, log: Make) -> None:
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30")])
    shop.merge("activity_enriched", DAY)
    assert shop.run("audit", "activity_enriched_weather", DAY) == []
