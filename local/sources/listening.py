"""A streaming app that is made up: tracks of many tastes, people who have some, and histories that grow day by day.

All of it follows from the numbers of an `App` and from the day; what was so on one day is the beginning of the next.
"""

import random
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any

from local.sources.names import FIRST_NAMES, LAST_NAMES

FIRST = date(2025, 9, 1)
"""Before this day there is no app."""
GENRES = (
    "Rock", "Pop", "Hip Hop", "Jazz", "Electronic", "Classical", "Country", "Blues", "R&B",
    "Reggae", "Folk", "Metal", "Punk", "Funk", "Indie", "Alternative", "Techno",
)  # fmt: skip
GENDERS = ("Female", "Male", "Non-binary", "Agender", "Genderfluid")
UNKNOWN = 1_000_000_000
"""A user and a track of this number are in histories, and nowhere else."""
_TASTES = 24  # each is a part of a genre: those who like one of its tracks like others of them
_NEW_TASTES = 6  # those that few people have, until listening shifts
_GROWING = 120  # days in which the first users come
_ARTISTS = 8  # of a taste
_REPEATED = 0.25  # so often somebody hears again what they have heard
_TRIES = 4
_ODD: Mapping[int, list[int | None]] = {7: [UNKNOWN], 21: [None]}
_WORDS = ("Amber", "Broken", "Crystal", "Distant", "Electric", "Fading", "Golden", "Hollow", "Iron", "Jade", "Midnight")
_THINGS = ("Avenue", "Birds", "Circles", "Dreams", "Echo", "Fire", "Garden", "Harbour", "Island", "Lights", "Rain")


@dataclass(frozen=True)
class App:
    """How large the app is, and what becomes of it.

    `users` come in its first months, and a few more later; each listens `listens_a_day` times on average. From the day
    `shift_from` on they listen to other things than before.
    """

    users: int = 500
    tracks: int = 1500
    listens_a_day: float = 0.35
    seed: int = 1
    shift_from: date | None = None

    def track_count(self, day: date) -> int:
        """How many tracks there are at the end of the day."""
        return self.tracks + _days(day) // 2

    def user_count(self, day: date) -> int:
        """How many users there are at the end of the day."""
        first = min(self.users, -(-(_days(day) + 1) * self.users // _GROWING))
        return first + max(0, _days(day) - _GROWING) * max(1, self.users // 1000) // 2

    def track(self, number: int) -> dict[str, Any]:
        """The track of that number, from 1. One has a duration that is none."""
        chance = self._chance("track", number)
        taste = self._taste(number)
        length = "3:75" if number == 13 else f"{chance.randrange(1, 9):02}:{chance.randrange(60):02}"  # noqa: PLR2004
        came = FIRST + timedelta(days=max(0, number - self.tracks) * 2)
        created_at = _moment(chance, came)
        return {
            "id": number,
            "name": f"{chance.choice(_WORDS)} {chance.choice(_THINGS)}",
            "artist": f"The {_WORDS[taste % len(_WORDS)]} {_THINGS[chance.randrange(_ARTISTS)]}",
            "songwriters": f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}",
            "duration": length,
            "genres": GENRES[taste % len(GENRES)],
            "album": f"{chance.choice(_THINGS)} {chance.randrange(1, 9)}",
            "created_at": created_at.isoformat(),
            "updated_at": (created_at + timedelta(days=chance.randrange(-30, 30))).isoformat(),
        }

    def user(self, number: int) -> dict[str, Any]:
        """The user of that number, from 1. One has an address that is none."""
        chance = self._chance("user", number)
        first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        favorite = self._tastes(number)[0] if chance.random() < 0.85 else chance.randrange(_TASTES)  # noqa: PLR2004
        created_at = self._joined_at(number)
        return {
            "id": number,
            "first_name": first,
            "last_name": last,
            "email": f"user{number}{' at ' if number == 404 else '@'}example.com",  # noqa: PLR2004
            "gender": chance.choice(GENDERS),
            "favorite_genres": GENRES[favorite % len(GENRES)],
            "created_at": created_at.isoformat(),
            "updated_at": (created_at + timedelta(hours=chance.randrange(48))).isoformat(),
        }

    def history(self, number: int, day: date) -> dict[str, Any]:
        """What the user of that number has heard until the end of the day; 0 is one that the app does not know.

        One user has heard a track that is no more, one has heard nobody knows what.
        """
        created_at = self._joined_at(max(1, number))
        joined = created_at.date()
        heard, last = self._heard(max(1, number), joined, day)
        begins = _ODD.get(number, [])
        return {
            "user_id": number or UNKNOWN,
            "items": [*begins, *heard] if joined < day else None,
            "created_at": created_at.isoformat(),
            "updated_at": (created_at + timedelta(days=last)).isoformat(),
        }

    def _heard(self, user: int, joined: date, day: date) -> tuple[list[int], int]:
        """The tracks, the oldest first, and on which day of the user the last one was heard."""
        chance = self._chance("history", user)
        tastes = self._tastes(user)
        expected = self.listens_a_day * chance.lognormvariate(-0.32, 0.8)
        heard: list[int] = []
        known: set[int] = set()
        last = 0
        for passed in range((day - joined).days):
            today = joined + timedelta(days=passed + 1)
            shifted = self.shift_from is not None and today >= self.shift_from
            liked = tuple(_TASTES - 1 - taste % _NEW_TASTES for taste in tastes) if shifted else tastes
            for _ in range(int(expected + chance.random())):
                heard.append(self._next(chance, liked, known))
                known.add(heard[-1])
                last = passed + 1
        return heard, last

    def _next(self, chance: random.Random, tastes: Sequence[int], known: set[int]) -> int:
        for _ in range(_TRIES):
            drawn = chance.random()
            # Of ten tracks seven are what the user likes best, two what they like, too, and one is anything.
            taste = tastes[0] if drawn < 0.7 else tastes[1] if drawn < 0.9 else chance.randrange(_TASTES)  # noqa: PLR2004
            numbers, weights = self._of_taste[taste]
            track = numbers[bisect(weights, chance.random() * weights[-1])]
            if track not in known or chance.random() < _REPEATED:
                break
        return track

    def _joined_at(self, number: int) -> datetime:
        late = number - 1 - self.users
        more = max(1, self.users // 1000)
        days = (number - 1) * _GROWING // self.users if late < 0 else _GROWING + (2 * late + 1) // more + 1
        return _moment(self._chance("joined", number), FIRST + timedelta(days=days))

    def _taste(self, track: int) -> int:
        return self._chance("taste", track).randrange(_TASTES)

    def _tastes(self, user: int) -> tuple[int, int]:
        chance = self._chance("tastes", user)
        return int(chance.random() ** 1.5 * _TASTES), int(chance.random() ** 1.5 * _TASTES)  # some are of many

    def _chance(self, what: str, number: int) -> random.Random:
        return random.Random(f"{self.seed}/{what}/{number}")  # noqa: S311 - a made-up app

    @cached_property
    def _of_taste(self) -> list[tuple[list[int], list[float]]]:
        """By taste the tracks that have been there from the beginning, and how often they are heard, added up."""
        found: list[list[int]] = [[] for _ in range(_TASTES)]
        for number in range(1, self.tracks + 1):
            found[self._taste(number)].append(number)
        return [
            (numbers, list(accumulate((rank + 3) ** -0.8 for rank in range(len(numbers)))))
            for numbers in (each or [1] for each in found)
        ]


def _days(day: date) -> int:
    return (day - FIRST).days


def _moment(chance: random.Random, day: date) -> datetime:
    """Some time of the day, without a zone, as the app's database has it; often without microseconds."""
    seconds = timedelta(seconds=chance.randrange(86400), microseconds=chance.choice((0, chance.randrange(1_000_000))))
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) + seconds).replace(tzinfo=None)
