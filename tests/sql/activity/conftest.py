"""`shop`: the tables of the pipeline `activity`, empty, and the files of its SQL to run on them; rows to fill them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from athena_lake import athena_lake
from athena_shop import SQL, Shop
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline

Row = dict[str, Any]


@pytest.fixture(scope="session")
def activity() -> Pipeline:
    return next(each for each in load_pipelines(SQL.parent / "pipelines") if each.name == "activity")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, activity: Pipeline) -> Iterator[Shop]:
    with athena_lake(tmp_path, monkeypatch) as lake:
        yield Shop(lake, activity)


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
