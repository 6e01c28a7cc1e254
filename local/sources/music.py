"""A streaming app's API in the shape of MooVitamix, as a process: `python -m local.sources.music PORT`.

PUT /control takes `settings`, too: how large the app is, which day it is there, and when listening shifts.
"""

import os
import sys
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from local.errors import DayNotSeedableError
from local.sources import service
from local.sources.faults import Fault, State
from local.sources.listening import FIRST, App
from local.sources.mixed_up import mixed
from local.sources.stand_in import Query, RefusedError, StandIn

ORIGIN = "https://api.moovitamix.example"
"""Whose place the service takes."""
OWN_URL = "NIGHTLAKE_MUSIC_URL"
"""Environment variable that holds the address, on this machine, of another service to use instead."""
NAME = "music"
"""Of its process."""
LARGEST_PAGE = 100
_LISTENS_OF_A_USER = 40
_TRACKS_OF_A_USER = 3
_FEWEST_TRACKS = 60
_MOST_TRACKS = 100_000

Item = Callable[[int], dict[str, Any]]


class Settings(BaseModel):
    """What the app is.

    `day` is the day that has just ended there; without it, yesterday. An app that is `random` is one that nothing can
    be learned from, as the original is: it is the same on every day, and of the other settings it knows the seed alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["listening", "random"] = "listening"
    day: date | None = Field(None, ge=FIRST)
    users: int = Field(500, ge=1, le=10_000_000)
    tracks: int = Field(1500, ge=1, le=1_000_000)
    listens_a_day: float = Field(0.35, ge=0, le=1000)
    seed: int = 1
    shift_from: date | None = None


class MusicService:
    """The app as it is now."""

    def __init__(self, today: Callable[[], date]) -> None:
        self._today = today
        self._settings = Settings()

    def configure(self, settings: dict[str, JsonValue]) -> None:
        """From now on the app is this one; settings that are not named are what they are by default.

        Raises:
            pydantic.ValidationError: it cannot be.
        """
        self._settings = Settings.model_validate(settings)

    def answer(self, path: str, query: Query) -> Any:
        """A page of a list.

        Raises:
            RefusedError: as the app would, in words like its own.
        """
        lists = {"/tracks": self._tracks, "/users": self._users, "/listen_history": self._histories}
        if path not in lists:
            raise RefusedError(HTTPStatus.NOT_FOUND, "Not Found")
        page, size = _number(query, "page", 1, None), _number(query, "size", LARGEST_PAGE, LARGEST_PAGE)
        total, item = lists[path]()
        first = (page - 1) * size
        return {
            "items": [item(place) for place in range(first, min(first + size, total))],
            "total": total,
            "page": page,
            "size": size,
            "pages": -(-total // size),
        }

    def _tracks(self) -> tuple[int, Item]:
        if self._settings.kind == "random":
            return _listed(mixed(self._settings.seed).tracks)
        app = _app(self._settings)
        return app.track_count(self._day), lambda place: app.track(place + 1)

    def _users(self) -> tuple[int, Item]:
        if self._settings.kind == "random":
            return _listed(mixed(self._settings.seed).users)
        app = _app(self._settings)
        return app.user_count(self._day), lambda place: app.user(place + 1)

    def _histories(self) -> tuple[int, Item]:
        if self._settings.kind == "random":
            return _listed(mixed(self._settings.seed).histories)
        app, day = _app(self._settings), self._day
        return app.user_count(day) + 1, lambda place: app.history(place, day)

    @property
    def _day(self) -> date:
        return self._settings.day or self._today() - timedelta(days=1)


def server(port: int = 0, *, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> StandIn:
    """The service, bound to a port of 127.0.0.1 (0: a free one) and not yet serving."""
    app = MusicService(today)
    return StandIn(port, answer=app.answer, lie=lying, refusal=_refusal, configure=app.configure)


def tell(home: Path, day: date, rows: int) -> bool:
    """Let the app be at the end of that day, with about so many listens after half a year.

    False when it is there already, or where another service is used instead.

    Raises:
        ServiceFailedError: it did not start.
        DayNotSeedableError: there was no app yet.
    """
    if day < FIRST:
        raise DayNotSeedableError(f"The app of the music has data from {FIRST} on: seed a later day.")
    if os.environ.get(OWN_URL):
        return False
    url = f"{service.start(home, NAME, __name__).url}/control"
    users = max(1, rows // _LISTENS_OF_A_USER)
    size = {"users": users, "tracks": max(_FEWEST_TRACKS, min(_TRACKS_OF_A_USER * users, _MOST_TRACKS))}
    # Without the empty handler a proxy of the caller's would be asked for 127.0.0.1.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        state = State.model_validate_json(answer.read())
    settings = (state.settings or {}) | {"day": day.isoformat(), **size}
    if settings == state.settings:
        return False
    told = State(faults=state.faults, settings=settings).model_dump_json().encode()
    opener.open(urllib.request.Request(url, told, method="PUT"), timeout=30).close()  # noqa: S310 - ours
    return True


def lying(answer: Any, fault: Fault) -> Any:
    """The answer as the fault tells it."""
    items: list[dict[str, Any]] = [dict(item) for item in answer["items"]]
    fields = [name for name in (items[0] if items else {}) if name not in ("id", "user_id")]
    field = fault.field or (fields[0] if fields else "")
    match fault.kind:
        case "missing_field":
            items = [{name: value for name, value in item.items() if name != field} for item in items]
        case "text_values":
            items = [item | {field: "n/a"} for item in items]
        case "null_tail":
            items = [*items[: -fault.hours], *(dict.fromkeys(item) for item in items[-fault.hours :])]
        case "unequal_lengths":
            items = items[:-1]
        case "wrong_schema":
            return answer | {"items": {name: [item[name] for item in items] for name in fields}}
    return answer | {"items": items}


@lru_cache(maxsize=4)
def _app(settings: Settings) -> App:
    return App(settings.users, settings.tracks, settings.listens_a_day, settings.seed, settings.shift_from)


def _listed(items: list[dict[str, Any]]) -> tuple[int, Item]:
    return len(items), items.__getitem__


def _number(query: Query, name: str, default: int, most: int | None) -> int:
    text = query.get(name, [str(default)])[-1]
    if not text.isascii() or not text.lstrip("-").isdigit():
        raise _unprocessable(f"{name}: Input should be a valid integer")
    number = int(text)
    if number < 1:
        raise _unprocessable(f"{name}: Input should be greater than or equal to 1")
    if most is not None and number > most:
        raise _unprocessable(f"{name}: Input should be less than or equal to {most}")
    return number


def _unprocessable(reason: str) -> RefusedError:
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, reason)


def _refusal(reason: str) -> dict[str, Any]:
    return {"detail": reason}


if __name__ == "__main__":
    server(int(sys.argv[1])).serve_forever()
