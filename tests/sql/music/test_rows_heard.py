"""The merge of music and its audits: each listen of a known user to a known track once, and no others."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from athena_shop import SQL, Shop

DAY = "2026-02-28"
AT = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 (UTC, as stored)
AUDITS = sorted(file.stem for file in (SQL / "music" / "audits").glob("*.sql"))
Make = Callable[..., Any]


def test_heard_adds_what_is_known_of_user_and_track(shop: Shop, track: Make, listener: Make, history: Make) -> None:
    listens = [listen | {"_run_id": "r1", "_source": "app", "_position": 2} for listen in history(1, [7])]
    shop.land(DAY, tracks=[track(7)], listeners=[listener(1)], listens=listens)
    assert shop.merge("heard", DAY) == [
        {
            "user_id": 1,
            "created_at": AT,
            "position": 0,
            "track_id": 7,
            "track": "Song 7",
            "artist": "The Artists",
            "genre": "Pop",
            "duration_seconds": 180,
            "favorite_genre": "Pop",
            "is_favorite_genre": True,
            "updated_at": AT,
            "_run_id": "r1",
            "_loaded_at": None,
            "_source": "app",
            "_position": 2,
            "year": "2026",
            "month": "02",
            "day": "28",
        }
    ]


def test_heard_knows_neither_strangers_nor_other_days(shop: Shop, track: Make, listener: Make, history: Make) -> None:
    shop.land("2026-02-27", tracks=[track(8)], listeners=[listener(2)], listens=history(1, [7]))
    listens = [*history(1, [7, 8, 7]), *history(2, [7])]
    shop.land(DAY, tracks=[track(7, genre=None)], listeners=[listener(1)], listens=listens)
    rows = shop.merge("heard", DAY)
    assert sorted((row["user_id"], row["position"], row["track_id"]) for row in rows) == [(1, 0, 7), (1, 2, 7)]
    assert {(row["genre"], row["is_favorite_genre"]) for row in rows} == {("unknown", False)}


@pytest.mark.parametrize("name", AUDITS)
def test_a_sound_merge_passes(shop: Shop, track: Make, listener: Make, history: Make, name: str) -> None:
    listens = [*history(1, [7] * 19), *history(2, [7])]
    shop.land(DAY, tracks=[track(7)], listeners=[listener(1)], listens=listens)
    shop.merge("heard", DAY)
    assert shop.run("audit", name, DAY) == []


@pytest.mark.parametrize("name", AUDITS)
def test_a_day_without_listens_passes(shop: Shop, name: str) -> None:
    shop.land(DAY)
    shop.merge("heard", DAY)
    assert shop.run("audit", name, DAY) == []


def test_heard_rows_names_what_is_lost_or_doubled(shop: Shop, track: Make, listener: Make, history: Make) -> None:
    shop.land(DAY, tracks=[track(7), track(7)], listeners=[listener(1)], listens=history(1, [7]))
    shop.merge("heard", DAY)
    shop.land(DAY, tracks=[track(7)], listeners=[listener(1)], listens=history(1, [7, 7]))
    found = shop.run("audit", "heard_rows", DAY)
    assert sorted((row["position"], row["surplus"]) for row in found) == [(0, 1), (1, -1)]


def test_heard_strangers_is_loud_above_one_in_twenty(shop: Shop, track: Make, listener: Make, history: Make) -> None:
    listens = [*history(1, [7] * 18), *history(2, [7])]
    shop.land(DAY, tracks=[track(7)], listeners=[listener(1)], listens=listens)
    shop.merge("heard", DAY)
    assert shop.run("audit", "heard_strangers", DAY) == [{"listens": 19, "heard": 18}]
