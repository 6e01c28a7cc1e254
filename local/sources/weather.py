"""A weather service in the shape of Open-Meteo's archive API, as a process: `python -m local.sources.weather PORT`."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any

from local.sources import climate
from local.sources.faults import Fault
from local.sources.stand_in import Query, RefusedError, StandIn

ORIGIN = "https://archive-api.open-meteo.com"
"""Whose place the service takes."""
_PATH = "/v1/archive"
_FIRST = date(1940, 1, 1)


def server(port: int = 0, *, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> StandIn:
    """The service, bound to a port of 127.0.0.1 (0: a free one) and not yet serving."""
    return StandIn(port, answer=lambda path, query: archive(path, query, today=today()), lie=lying, refusal=_refusal)


def archive(path: str, query: Query, *, today: date) -> Any:
    """The answer to a query: an object, or a list of them where several places were asked for.

    Raises:
        RefusedError: as Open-Meteo would, in its words.
    """
    if path != _PATH:
        raise RefusedError(HTTPStatus.NOT_FOUND, "Not Found")
    places = list(zip(_numbers(query, "latitude", 90), _numbers(query, "longitude", 180), strict=False))
    first, last = _day(query, "start_date", today), _day(query, "end_date", today)
    if last < first:
        raise _bad("End-date must be larger or equals than start-date")
    names = [name for text in query.get("hourly", ()) for name in text.split(",")]
    for name in names:
        if name not in climate.UNITS:
            raise _bad(f"Cannot initialize VariableOrSpread from invalid String value {name} for key hourly")
    zone = query.get("timezone", ["GMT"])[0]
    if zone not in ("GMT", "UTC"):
        raise _bad("Invalid timezone")
    answers = [_answer(latitude, longitude, (first, last), names, zone) for latitude, longitude in places]
    return answers[0] if len(answers) == 1 else answers


def lying(answer: Any, fault: Fault) -> Any:
    """The answer as the fault tells it."""
    if isinstance(answer, list):
        return [lying(each, fault) for each in answer]
    hourly: dict[str, list[Any]] = dict(answer["hourly"])
    hours = len(hourly["time"])
    field = fault.field or next((name for name in hourly if name != "time"), "time")
    match fault.kind:
        case "missing_field":
            del hourly[field]
        case "null_tail":
            tail = min(fault.hours, hours)
            for name in hourly.keys() - {"time"}:
                hourly[name] = hourly[name][: hours - tail] + [None] * tail
        case "unequal_lengths":
            hourly[field] = hourly[field][:-1]
        case "text_values":
            hourly[field] = ["n/a"] * hours
        case "wrong_schema":
            rows = [dict(zip(hourly, values, strict=True)) for values in zip(*hourly.values(), strict=True)]
            return answer | {"hourly": rows}
    return answer | {"hourly": hourly}


def _answer(latitude: float, longitude: float, days: tuple[date, date], names: list[str], zone: str) -> dict[str, Any]:
    station = climate.nearest(latitude, longitude)
    midnight = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
    hours = [midnight + timedelta(hours=hour) for hour in range(((days[1] - days[0]).days + 1) * 24)]
    measured = [climate.weather(station, hour) for hour in hours]
    return {
        "latitude": station.latitude,
        "longitude": station.longitude,
        "generationtime_ms": 0.1,
        "utc_offset_seconds": 0,
        "timezone": zone,
        "timezone_abbreviation": zone,
        "elevation": station.elevation,
        "hourly_units": {"time": "iso8601"} | {name: climate.UNITS[name] for name in names},
        "hourly": {"time": [f"{hour:%Y-%m-%dT%H:%M}" for hour in hours]}
        | {name: [values[name] for values in measured] for name in names},
    }


def _numbers(query: Query, name: str, limit: int) -> list[float]:
    try:
        numbers = [float(text) for text in query[name][0].split(",")]
    except (KeyError, ValueError):
        raise _bad(f"Value of type 'Float' required for key '{name}'.") from None
    for number in numbers:
        if not -limit <= number <= limit:
            raise _bad(f"{name.title()} must be in range of -{limit} to {limit}°. Given: {number}.")
    return numbers


def _day(query: Query, name: str, today: date) -> date:
    try:
        day = date.fromisoformat(query[name][0])
    except KeyError:
        raise _bad(f"Parameter '{name}' is required") from None
    except ValueError:
        raise _bad("Invalid date format. Make sure to use 'YYYY-MM-DD'") from None
    if not _FIRST <= day <= today:
        raise _bad(f"Parameter '{name}' is out of allowed range from {_FIRST} to {today}")
    return day


def _bad(reason: str) -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, reason)


def _refusal(reason: str) -> dict[str, Any]:
    return {"error": True, "reason": reason}


if __name__ == "__main__":
    server(int(sys.argv[1])).serve_forever()
