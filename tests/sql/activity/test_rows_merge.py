"""The merge of activity: each row of the log once, with what is known of its user and of the weather of its hour."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from athena_shop import Shop

DAY = "2013-07-01"
Make = Callable[..., dict[str, Any]]


def test_activity_enriched_adds_what_is_known_of_user_and_weather(
    shop: Shop, log: Make, hour: Make, user: Make
) -> None:
    row = log(1, "2013-07-01 09:30:15.250", level="error", status=500, trace_id="t", message="m")
    row |= {"_run_id": "r1", "_source": "app", "_position": 2}
    shop.land(DAY, app_logs=[row], users=[user(7)], weather=[hour("2013-07-01 09:00"), hour("2013-07-01 10:00")])
    assert shop.merge("activity_enriched", DAY) == [
        {
            "log_id": 1,
            "logged_at": datetime(2013, 7, 1, 9, 30, 15, 250000),  # noqa: DTZ001 (UTC, as stored)
            "logged_hour": datetime(2013, 7, 1, 9),  # noqa: DTZ001
            "level": "error",
            "is_error": True,
            "service": "gateway",
            "city": "Newark",
            "status": 500,
            "latency_ms": Decimal("12.500"),
            "trace_id": "t",
            "message": "m",
            "user_id": 7,
            "segment": "plus",
            "home_city": "Newark",
            "signed_up_at": datetime(2012, 5, 4, 3, 2, 1),  # noqa: DTZ001
            "is_known_user": True,
            "temperature": Decimal("21.5"),
            "humidity": 60,
            "precipitation": Decimal("0.0"),
            "wind_speed": Decimal("9.0"),
            "is_known_weather": True,
            "_run_id": "r1",
            "_loaded_at": None,
            "_source": "app",
            "_position": 2,
            "year": "2013",
            "month": "07",
            "day": "01",
        }
    ]


def test_activity_enriched_keeps_requests_of_nobody_and_of_strangers(shop: Shop, log: Make, user: Make) -> None:
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30", user_id=None), log(2, f"{DAY} 09:31", user_id=8)], users=[user(7)])
    rows = sorted(shop.merge("activity_enriched", DAY), key=lambda row: int(row["log_id"]))
    assert [row["segment"] for row in rows] == ["anonymous", "unknown"]
    assert [row["is_known_user"] for row in rows] == [False, False]
    assert [row["is_known_weather"] for row in rows] == [False, False]


def test_activity_enriched_takes_the_weather_of_the_very_city_and_hour(shop: Shop, log: Make, hour: Make) -> None:
    logged = [log(1, f"{DAY} 09:59:59.999"), log(2, f"{DAY} 10:00"), log(3, f"{DAY} 10:00", city="New York")]
    weather = [hour(f"{DAY} 09:00", temperature="9.0"), hour(f"{DAY} 10:00", temperature="10.0")]
    shop.land(DAY, app_logs=logged, weather=weather)
    found = {row["log_id"]: row["temperature"] for row in shop.merge("activity_enriched", DAY)}
    assert found == {1: Decimal("9.0"), 2: Decimal("10.0"), 3: None}


def test_activity_enriched_puts_a_late_row_into_the_day_it_belongs_to(shop: Shop, log: Make, hour: Make) -> None:
    shop.land(DAY, app_logs=[log(1, "2013-06-30 23:59"), log(2, f"{DAY} 00:00")], weather=[hour(f"{DAY} 00:00")])
    rows = {row["log_id"]: row for row in shop.merge("activity_enriched", DAY)}
    assert [rows[1][key] for key in ("year", "month", "day")] == ["2013", "06", "30"]
    assert [rows[2][key] for key in ("year", "month", "day")] == ["2013", "07", "01"]
    assert (rows[1]["is_known_weather"], rows[2]["is_known_weather"]) == (False, True)


def test_activity_enriched_is_of_the_runs_day_on_all_sides(shop: Shop, log: Make, user: Make, hour: Make) -> None:
    shop.land("2013-06-30", app_logs=[log(9, "2013-06-30 09:30")], users=[user(7)], weather=[hour("2013-06-30 09:00")])
    shop.land(DAY, app_logs=[log(1, f"{DAY} 09:30")], users=[user(7, segment="free")], weather=[hour(f"{DAY} 09:00")])
    (row,) = shop.merge("activity_enriched", DAY)
    assert (row["log_id"], row["segment"], row["is_known_weather"]) == (1, "free", True)
