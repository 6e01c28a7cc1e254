"""The reports of activity: what they answer for a day, and nothing, not an error, for an empty one."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from athena_shop import SQL, Shop

DAY = "2013-07-01"
REPORTS = sorted(file.stem for file in (SQL / "activity" / "reports").glob("*.sql"))
VIEWS = sorted(file.stem for file in (SQL / "activity" / "views").glob("*.sql"))
Make = Callable[..., dict[str, Any]]


def report(shop: Shop, name: str, *days: str) -> list[dict[str, Any]]:
    """Publishes the days and asks for the report of the last one."""
    for day in days:
        shop.merge("activity_enriched", day)
    for view in VIEWS:
        shop.run("view", view, days[-1])
    return shop.run("report", name, days[-1])


@pytest.mark.parametrize("name", REPORTS)
def test_a_day_without_requests_has_an_empty_report(shop: Shop, name: str) -> None:
    shop.land(DAY)
    assert report(shop, name, DAY) == []


def test_errors_by_hour_and_weather_sets_them_side_by_side(shop: Shop, log: Make, hour: Make) -> None:
    logged = [log(1, f"{DAY} 09:30"), log(2, f"{DAY} 09:31", level="error"), log(3, f"{DAY} 08:31")]
    shop.land(DAY, app_logs=logged, weather=[hour(f"{DAY} 09:00", precipitation="3.5")])
    early, wet = report(shop, "errors_by_hour_and_weather", DAY)
    assert (early["logged_hour"], early["requests"], early["precipitation"]) == (datetime(2013, 7, 1, 8), 1, None)  # noqa: DTZ001
    assert wet == {
        "city": "Newark",
        "logged_hour": datetime(2013, 7, 1, 9),  # noqa: DTZ001 (UTC, as stored)
        "requests": 2,
        "errors": 1,
        "error_percent": Decimal("50.00"),
        "temperature": Decimal("21.5"),
        "precipitation": Decimal("3.5"),
        "wind_speed": Decimal("9.0"),
    }


def test_errors_by_rain_sorts_hours_by_what_fell(shop: Shop, log: Make, hour: Make) -> None:
    fallen = {"00": "0.0", "01": "0.1", "02": "2.4", "03": "2.5"}
    weather = [hour(f"{DAY} {at}:00", precipitation=much) for at, much in fallen.items()]
    logged = [log(number, f"{DAY} 0{number}:10") for number in range(5)]
    logged += [log(5, f"{DAY} 03:11", level="error"), log(6, f"{DAY} 01:11", level="fatal")]
    shop.land(DAY, app_logs=logged, weather=weather)
    found = [tuple(row.values()) for row in report(shop, "errors_by_rain", DAY)]
    assert found == [
        ("unknown", 1, 1, 0, Decimal("0.00")),
        ("dry", 1, 1, 0, Decimal("0.00")),
        ("light rain", 2, 3, 1, Decimal("33.33")),
        ("heavy rain", 1, 2, 1, Decimal("50.00")),
    ]


def test_active_users_by_segment_counts_people_of_day_and_week(shop: Shop, log: Make, user: Make) -> None:
    people = [user(1, segment="free"), user(2, segment="free"), user(3)]
    shop.land("2013-06-24", app_logs=[log(1, "2013-06-24 09:30", user_id=2)], users=people)
    shop.land("2013-06-25", app_logs=[log(2, "2013-06-25 09:30", user_id=2)], users=people)
    today = [
        log(3, f"{DAY} 09:30", user_id=1),
        log(4, f"{DAY} 09:31", user_id=1, level="error"),
        log(5, f"{DAY} 09:31", user_id=3),
        log(6, f"{DAY} 09:31", user_id=None),
        log(7, f"{DAY} 09:31", user_id=99),
    ]
    shop.land(DAY, app_logs=today, users=people)
    found = report(shop, "active_users_by_segment", "2013-06-24", "2013-06-25", DAY)
    assert [tuple(row.values()) for row in found] == [
        ("free", 1, 2, 2, Decimal("2.00"), 1),
        ("plus", 1, 1, 1, Decimal("1.00"), 0),
    ]


def test_slowest_services_come_first(shop: Shop, log: Make) -> None:
    logged = [log(number, f"{DAY} 09:30", latency_ms=str(number), service="search") for number in range(1, 101)]
    logged += [log(200, f"{DAY} 09:30", latency_ms="900.125", service="media", level="error")]
    shop.land(DAY, app_logs=logged)
    slow, fast = report(shop, "slowest_services", DAY)
    assert slow == {
        "service": "media",
        "requests": 1,
        "errors": 1,
        "average_ms": Decimal("900.125"),
        "median_ms": 900.1,
        "p95_ms": 900.1,
        "slowest_ms": Decimal("900.125"),
    }
    assert (fast["service"], fast["requests"], fast["average_ms"]) == ("search", 100, Decimal("50.500"))
    assert fast["median_ms"] == pytest.approx(50, abs=1)
    assert fast["p95_ms"] == pytest.approx(95, abs=1)
