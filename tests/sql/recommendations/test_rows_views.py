"""The views and reports of recommendations: the rows that they answer over the scored days."""

from datetime import date
from decimal import Decimal
from typing import Any

from athena_shop import Shop

FIRST, SECOND = "2026-01-05", "2026-01-06"


def place(user: int, rank: int, track: int, version: int = 1) -> dict[str, Any]:
    return {
        "user_id": user,
        "rank": rank,
        "track_id": track,
        "name": f"Track {track}",
        "artist": f"Artist {track % 2}",
        "score": 1.0 / rank,
        "model_version": version,
    }


def measured(version: int, recall: float | None, **values: Any) -> dict[str, Any]:
    """How a scoring did; where it has no recall, too little was new."""
    told = {"model_version": version, "items": 8, "expected_recall": 0.25, "recall": recall}
    if recall is not None:
        told |= {"popularity_recall": 0.125, "shift": 0.5}
    return told | values


def two_days(shop: Shop) -> None:
    """Two listeners on the first day, scored by version 1; three on the second, scored by version 2."""
    shop.land(
        FIRST,
        recommendations=[place(1, 1, 10), place(1, 2, 11), place(2, 1, 10)],
        model_metrics=[measured(1, None)],
        popular_tracks=[{"genre": "*", "rank": 1, "track_id": 10, "listens": 5}],
    )
    shop.land(
        SECOND,
        recommendations=[place(1, 1, 12, 2), place(1, 2, 11, 2), place(2, 1, 12, 2), place(3, 3, 12, 2)],
        model_metrics=[measured(2, 0.5, age_days=1, drifted=True)],
        popular_tracks=[
            {"genre": "*", "rank": 1, "track_id": 11, "listens": 5},
            {"genre": "Rock", "rank": 1, "track_id": 12, "listens": 1},
        ],
    )


def view(shop: Shop, name: str) -> list[dict[str, Any]]:
    shop.run("view", name, SECOND)
    rows: list[dict[str, Any]] = shop.lake(f"TABLE {name}", database="served").table.to_pylist()
    return sorted(rows, key=str)


def report(shop: Shop, name: str, day: str = SECOND) -> list[dict[str, Any]]:
    two_days(shop)
    shop.run("view", "daily_model", day)
    return shop.run("report", name, day)


def test_current_recommendations_are_those_of_the_newest_day(shop: Shop) -> None:
    two_days(shop)
    rows = view(shop, "current_recommendations")
    assert [(row["user_id"], row["rank"], row["track_id"]) for row in rows] == [
        (1, 1, 12),
        (1, 2, 11),
        (2, 1, 12),
        (3, 3, 12),
    ]
    assert {(row["scored_on"], row["model_version"]) for row in rows} == {(date(2026, 1, 6), 2)}


def test_daily_model_is_a_row_for_each_scored_day(shop: Shop) -> None:
    two_days(shop)
    first, second = sorted(view(shop, "daily_model"), key=lambda row: row["scored_on"])
    assert (first["scored_on"], first["model_version"], first["recall"]) == (date(2026, 1, 5), 1, None)
    assert (first["listeners"], first["tracks"], first["shown_percent"]) == (2, 2, Decimal("25.00"))
    assert (second["model_version"], second["recall"], second["drifted"]) == (2, 0.5, True)
    assert (second["tracks_of_a_list"], second["day"]) == (Decimal("1.33"), "06")


def test_recommendation_quality_is_told_day_by_day(shop: Shop) -> None:
    rows = report(shop, "recommendation_quality")
    assert [(row["scored_on"].day, row["model_version"], row["recall"], row["shift"]) for row in rows] == [
        (5, 1, None, None),
        (6, 2, 0.5, 0.5),
    ]
    assert [row["popularity_recall"] for row in rows] == [None, 0.125]


def test_recommendation_quality_knows_no_later_day(shop: Shop) -> None:
    assert len(report(shop, "recommendation_quality", FIRST)) == 1


def test_recommendation_coverage_is_told_day_by_day(shop: Shop) -> None:
    rows = report(shop, "recommendation_coverage")
    assert [(row["listeners"], row["tracks"], row["known_tracks"], row["shown_percent"]) for row in rows] == [
        (2, 2, 8, Decimal("25.00")),
        (3, 2, 8, Decimal("25.00")),
    ]


def test_most_recommended_tracks_have_their_place_among_the_popular(shop: Shop) -> None:
    first, second = report(shop, "most_recommended")
    assert (first["track_id"], first["lists"], first["lists_percent"]) == (12, 3, Decimal("100.00"))
    assert (first["track"], first["average_rank"], first["popularity_rank"]) == ("Track 12", Decimal("1.67"), None)
    assert (second["track_id"], second["lists_percent"], second["popularity_rank"]) == (11, Decimal("33.33"), 1)


def test_model_versions_are_told_with_how_they_did(shop: Shop) -> None:
    newest, first = report(shop, "model_versions")
    assert (newest["model_version"], newest["days"], newest["judged_days"], newest["drifted_days"]) == (2, 1, 1, 1)
    assert (newest["recall"], newest["popularity_recall"]) == (Decimal("0.5000"), Decimal("0.1250"))
    assert (first["model_version"], first["recall"], first["last_scored_on"]) == (1, None, date(2026, 1, 5))
