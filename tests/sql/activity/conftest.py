"""Rows to fill the tables of the pipeline `activity` with."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

Row = dict[str, Any]


@pytest.fixture(scope="session")
def log() -> Callable[..., Row]:
    """`log(1, "2013-07-01 09:30", level="error")`: a row of app_logs."""

    def row(number: int, at: str, **more: Any) -> Row:
        known = {"level": "info", "service": "gateway", "city": "Newark", "user_id": 7, "status": 200}
        return {"log_id": number, "logged_at": datetime.fromisoformat(at), "latency_ms": "12.500", **known, **more}

    return row


@pytest.fixture(scope="session")
def hour() -> Callable[..., Row]:
    """`hour("2013-07-01 09:00", precipitation="1.5")`: a row of weather."""

    def row(at: str, **more: Any) -> Row:
        known = {"city": "Newark", "temperature": "21.5", "humidity": 60, "precipitation": "0.0", "wind_speed": "9.0"}
        return {"observed_at": datetime.fromisoformat(at), **known, **more}

    return row


@pytest.fixture(scope="session")
def user() -> Callable[..., Row]:
    """`user(7, segment="plus")`: a row of users."""

    def row(number: int, **more: Any) -> Row:
        signed_up = datetime(2012, 5, 4, 3, 2, 1)  # noqa: DTZ001 (UTC, as stored)
        return {"user_id": number, "segment": "plus", "home_city": "Newark", "signed_up_at": signed_up, **more}

    return row
