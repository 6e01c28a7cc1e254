"""The views and reports of music: what they answer over the published days."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from athena_shop import Shop

DAY = "2026-02-28"
BEFORE = "2026-02-27"
Make = Callable[..., Any]
Rows = list[dict[str, Any]]


def view(shop: Shop, name: str) -> Rows:
    """The rows of a view, in the order of their values."""
    shop.run("view", name, DAY)
    rows: Rows = shop.lake(f"TABLE {name}", database="served").table.to_pylist()
    return sorted(rows, key=str)


def heard(shop: Shop, day: str, track: Make, listener: Make, listens: Rows) -> None:
    """A published day of these listens, of three listeners and of tracks of two genres."""
    tracks = [track(7), track(8, duration_seconds=None), track(9, genre="Jazz", duration_seconds=720)]
    shop.land(day, tracks=tracks, listeners=[listener(number) for number in (1, 2, 3)], listens=listens)
    shop.merge("heard", day)


def test_current_tracks_are_those_of_the_last_day(shop: Shop, track: Make) -> None:
    shop.land(BEFORE, tracks=[track(7), track(8)])
    shop.land(DAY, tracks=[track(7, name="Renamed", genre=None)])
    (row,) = view(shop, "current_tracks")
    assert (row["track_id"], row["name"], row["genre"], row["read_on"]) == (7, "Renamed", "unknown", date(2026, 2, 28))


def test_current_listeners_are_those_of_the_last_day(shop: Shop, listener: Make) -> None:
    shop.land(BEFORE, listeners=[listener(1), listener(2)])
    shop.land(DAY, listeners=[listener(1, favorite_genre="Jazz")])
    (row,) = view(shop, "current_listeners")
    assert list(row) == ["user_id", "favorite_genre", "created_at", "updated_at", "read_on"]
    assert (row["user_id"], row["favorite_genre"]) == (1, "Jazz")


def test_current_listens_have_an_id_that_stays(shop: Shop, history: Make) -> None:
    shop.land(BEFORE, listens=history(1, [7, 7]))
    first = {row["position"]: row["listen_id"] for row in view(shop, "current_listens")}
    shop.land(DAY, listens=[*history(1, [7, 7, 8]), *history(2, [7])])
    rows = view(shop, "current_listens")
    again = {row["position"]: row["listen_id"] for row in rows if row["user_id"] == 1}
    assert first == {place: again[place] for place in (0, 1)}
    assert len({row["listen_id"] for row in rows}) == 4
    assert all(len(row["listen_id"]) == 32 for row in rows)


def test_daily_listening_is_a_row_for_each_day(shop: Shop, track: Make, listener: Make, history: Make) -> None:
    heard(shop, BEFORE, track, listener, history(1, [7]))
    heard(shop, DAY, track, listener, [*history(1, [7, 8, 9]), *history(2, [9])])
    first, second = view(shop, "daily_listening")
    assert second == {
        "read_on": date(2026, 2, 28),
        "listens": 4,
        "listeners": 2,
        "tracks": 3,
        "hours": Decimal("0.5"),
        "favorite_genre_percent": Decimal("50.00"),
        "year": "2026",
        "month": "02",
        "day": "28",
    }
    assert (first["read_on"], first["listens"]) == (date(2026, 2, 27), 1)


def test_top_tracks_go_by_listeners_and_then_by_listens(shop: Shop, track: Make, listener: Make, history: Make) -> None:
    heard(shop, BEFORE, track, listener, history(3, [8]))
    heard(shop, DAY, track, listener, [*history(1, [7, 7, 8, 9]), *history(2, [9, 9])])
    rows = shop.run("report", "top_tracks", DAY)
    assert [tuple(row.values()) for row in rows] == [
        (1, 9, "Song 9", "The Artists", "Jazz", 2, 3),
        (2, 7, "Song 7", "The Artists", "Pop", 1, 2),
        (3, 8, "Song 8", "The Artists", "Pop", 1, 1),
    ]


def test_listening_by_genre_adds_up_to_the_day(shop: Shop, track: Make, listener: Make, history: Make) -> None:
    heard(shop, DAY, track, listener, [*history(1, [7, 8, 9]), *history(2, [7])])
    assert [tuple(row.values()) for row in shop.run("report", "listening_by_genre", DAY)] == [
        ("Pop", 3, 2, 2, Decimal("75.00"), Decimal("0.1")),
        ("Jazz", 1, 1, 1, Decimal("25.00"), Decimal("0.2")),
    ]


def test_listening_per_user_counts_those_who_hear_nothing(
    shop: Shop, track: Make, listener: Make, history: Make
) -> None:
    heard(shop, DAY, track, listener, [*history(1, [7] * 30), *history(2, [9])])
    assert [tuple(row.values()) for row in shop.run("report", "listening_per_user", DAY)] == [
        ("none", 1, Decimal("33.33"), 0),
        ("1 to 9", 1, Decimal("33.33"), 1),
        ("30 to 99", 1, Decimal("33.33"), 30),
    ]


def test_listening_health_tells_what_came_since_the_day_before(
    shop: Shop, track: Make, listener: Make, history: Make
) -> None:
    heard(shop, "2026-01-29", track, listener, history(1, [7]))
    heard(shop, BEFORE, track, listener, history(1, [7]))
    heard(shop, DAY, track, listener, history(1, [7, 8, 9]))
    heard(shop, "2026-03-01", track, listener, history(1, [7] * 9))
    view(shop, "daily_listening")
    rows = shop.run("report", "listening_health", DAY)
    assert [(row["read_on"].day, row["listens"], row["new_listens"]) for row in rows] == [(27, 1, None), (28, 3, 2)]
