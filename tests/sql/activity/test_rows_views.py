"""The views of activity: what they answer over the published days."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from athena_shop import Shop

DAY = "2013-07-01"
Make = Callable[..., dict[str, Any]]


def view(shop: Shop, name: str) -> list[dict[str, Any]]:
    """The rows of a view, in the order of their values."""
    shop.run("view", name, DAY)
    rows: list[dict[str, Any]] = shop.lake(f"TABLE {name}", database="served").table.to_pylist()
    return sorted(rows, key=str)


def test_hourly_activity_is_a_row_for_each_city_and_hour(shop: Shop, log: Make, hour: Make) -> None:
    logged = [
        log(1, f"{DAY} 09:00", latency_ms="10"),
        log(2, f"{DAY} 09:59", latency_ms="20", level="fatal"),
        log(3, f"{DAY} 09:59", latency_ms="60", user_id=None),
        log(4, f"{DAY} 10:00"),
        log(5, f"{DAY} 09:00", city="New York"),
    ]
    shop.land(DAY, app_logs=logged, weather=[hour(f"{DAY} 09:00", precipitation="1.5")])
    shop.merge("activity_enriched", DAY)
    rows = sorted(view(shop, "hourly_activity"), key=lambda row: (row["city"], row["logged_hour"]))
    york, newark, late = rows
    assert newark == {
        "city": "Newark",
        "logged_hour": datetime(2013, 7, 1, 9),  # noqa: DTZ001 (UTC, as stored)
        "requests": 3,
        "errors": 1,
        "error_percent": Decimal("33.33"),
        "users": 1,
        "average_latency_ms": Decimal("30.000"),
        "temperature": Decimal("21.5"),
        "precipitation": Decimal("1.5"),
        "wind_speed": Decimal("9.0"),
        "year": "2013",
        "month": "07",
        "day": "01",
    }
    assert (late["requests"], late["errors"], late["temperature"]) == (1, 0, None)
    assert (york["city"], york["requests"], york["temperature"]) == ("New York", 1, None)


def test_daily_activity_is_a_row_for_each_published_day(shop: Shop, log: Make) -> None:
    shop.land("2013-06-30", app_logs=[log(9, "2013-06-30 09:30", level="error")])
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30"), log(2, f"{DAY} 10:30", user_id=None), log(3, f"{DAY} 11:30")])
    for day in ("2013-06-30", DAY):
        shop.merge("activity_enriched", day)
    first, second = sorted(view(shop, "daily_activity"), key=lambda row: str(row["logged_on"]))
    assert (first["logged_on"], first["errors"], first["error_percent"]) == (date(2013, 6, 30), 1, Decimal("100.00"))
    assert second == {
        "logged_on": date(2013, 7, 1),
        "requests": 3,
        "errors": 0,
        "error_percent": Decimal("0.00"),
        "users": 1,
        "anonymous_requests": 1,
        "average_latency_ms": Decimal("12.500"),
        "year": "2013",
        "month": "07",
        "day": "01",
    }


def test_current_users_are_those_of_the_newest_day(shop: Shop, user: Make) -> None:
    shop.land("2013-06-30", users=[user(7), user(8)])
    shop.land(DAY, users=[user(7, segment="free", home_city=None, wants_news=True, paid_total="9.99")])
    assert view(shop, "current_users") == [
        {
            "user_id": 7,
            "segment": "free",
            "home_city": "unknown",
            "signed_up_at": datetime(2012, 5, 4, 3, 2, 1),  # noqa: DTZ001 (UTC, as stored)
            "wants_news": True,
            "paid_total": Decimal("9.99"),
            "delivered_on": date(2013, 7, 1),
        }
    ]
