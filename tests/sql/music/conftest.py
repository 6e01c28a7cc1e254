"""Rows to fill the tables of the pipeline `music` with."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

Row = dict[str, Any]
AT = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 (UTC, as stored)


@pytest.fixture(scope="session")
def track() -> Callable[..., Row]:
    """`track(7, genre="Jazz")`: a row of tracks."""

    def row(number: int, **more: Any) -> Row:
        known = {"name": f"Song {number}", "artist": "The Artists", "genre": "Pop", "duration_seconds": 180}
        return {"track_id": number, "created_at": AT, "updated_at": AT, **known, **more}

    return row


@pytest.fixture(scope="session")
def listener() -> Callable[..., Row]:
    """`listener(1, favorite_genre="Jazz")`: a row of listeners."""
    return lambda number, **more: {
        "user_id": number, "favorite_genre": "Pop", "created_at": AT, "updated_at": AT, **more,
    }  # fmt: skip


@pytest.fixture(scope="session")
def history() -> Callable[..., list[Row]]:
    """`history(1, [7, 7, 9])`: the rows of listens of a user who heard these tracks."""

    def rows(user: int, tracks: Sequence[int], **more: Any) -> list[Row]:
        return [
            {"user_id": user, "created_at": AT, "position": place, "track_id": number, "updated_at": AT, **more}
            for place, number in enumerate(tracks)
        ]

    return rows
