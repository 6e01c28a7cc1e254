"""What the service answers that this one takes the place of: everything uniformly random, and nobody has a taste.

A thousand of each, with ids of up to five digits in no order; durations of up to an hour; things that were changed
before they came; a history of five tracks for everybody.
"""

import random
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from local.sources.listening import GENRES

GENDERS = (
    "Male", "Female", "Non-binary", "Genderqueer", "Genderfluid", "Agender", "Bigender", "Gender questioning",
    "Gender nonconforming",
)  # fmt: skip
_COUNT = 1000
_IDS = 100_000
_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_SYLLABLES = ("ba", "con", "der", "fi", "gra", "hu", "lo", "mi", "per", "sta", "tor", "ve")


class Mixed(NamedTuple):
    """The three lists."""

    tracks: list[dict[str, Any]]
    users: list[dict[str, Any]]
    histories: list[dict[str, Any]]


@lru_cache(maxsize=4)
def mixed(seed: int) -> Mixed:
    """The lists of that seed."""
    chance = random.Random(seed)  # noqa: S311 - made up
    tracks = [_track(chance, number) for number in chance.sample(range(1, _IDS + 1), _COUNT)]
    users = [_user(chance, number) for number in chance.sample(range(1, _IDS + 1), _COUNT)]
    ids = [track["id"] for track in tracks]
    histories = [
        {"user_id": user["id"], "items": chance.sample(ids, 5), **_times(chance, ordered=True)} for user in users
    ]
    return Mixed(tracks, users, histories)


def _track(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": _word(chance),
        "artist": f"{_word(chance).title()} {_word(chance).title()}",
        "songwriters": f"{_word(chance).title()} {_word(chance).title()}",
        "duration": f"{chance.randrange(60):02}:{chance.randrange(60):02}",
        "genres": _word(chance),  # a word, and no genre
        "album": _word(chance),
        **_times(chance, ordered=False),
    }


def _user(chance: random.Random, number: int) -> dict[str, Any]:
    first, last = _word(chance).title(), _word(chance).title()
    return {
        "id": number,
        "first_name": first,
        "last_name": last,
        "email": f"{first}{last}@example.org".lower(),
        "gender": chance.choice(GENDERS),
        "favorite_genres": chance.choice(GENRES),
        **_times(chance, ordered=False),
    }


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=2))


def _times(chance: random.Random, *, ordered: bool) -> dict[str, str]:
    created_at = _NOW - timedelta(seconds=chance.uniform(0, 2 * 365 * 86400))
    since = (_NOW - created_at).total_seconds() if ordered else 365 * 86400
    updated_at = _NOW - timedelta(seconds=chance.uniform(0, since))
    return {
        "created_at": created_at.replace(tzinfo=None).isoformat(),
        "updated_at": updated_at.replace(tzinfo=None).isoformat(),
    }
