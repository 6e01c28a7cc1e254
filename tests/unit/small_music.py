"""A small lake of listening, the model that it declares, and the pipeline that publishes what is recommended.

Listeners have a taste: of three genres they hear one, nearly always. So a model can know more than what is popular.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from memory_objects import MemoryObjects
from nightlake.core.lock import Executions
from nightlake.core.model.declaration import Evaluation, InteractionColumns, ItemColumns, Recommender, UserColumns
from nightlake.core.model.recipe import Cosine
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.source import ParquetSource
from published_lake import PublishedLake
from small_pipeline import small_pipeline

GENRES = ("folk", "jazz", "rock")
KINDS = len(GENRES)
TRACKS, USERS = 60, 90
FIRST = date(2026, 11, 20)
RECOMMENDED = (
    Column(name="user_id", type="bigint", required=True),
    Column(name="rank", type="int", required=True),
    Column(name="track_id", type="bigint", required=True),
    Column(name="name", type="string"),
    Column(name="score", type="double"),
    Column(name="model_version", type="int"),
)
MODEL = Recommender(
    interactions=InteractionColumns(dataset="listens", user="user_id", item="track_id", order=("created_at",)),
    users=UserColumns(dataset="users", key="user_id", group="favorite_genre"),
    items=ItemColumns(dataset="tracks", key="track_id", group="genre", show=("name",)),
    delivers_to="recommendations",
    list_length=8,
    evaluate=Evaluation(k=5, min_users=20),
    candidates=(Cosine(neighbours=20), Cosine(weight="log", neighbours=5)),
    shard_users=40,
)


def publisher() -> Pipeline:
    """The pipeline that publishes what the model delivers."""
    names = ("recommendations", "popular_tracks", "model_metrics")
    return small_pipeline(
        "recommendations",
        [Dataset(name=name, columns=RECOMMENDED) for name in names],
        [
            ParquetSource.model_validate(
                {
                    "dataset": name,
                    "from": "s3",
                    "path": f"recommendations/{name}/{{date:%Y/%m/%d}}/*.parquet",
                    "ready": {"manifest": "_MANIFEST"},
                    "format": "parquet",
                }
            )
            for name in names
        ],
    )


def track(number: int) -> dict[str, Any]:
    return {"track_id": number, "name": f"Song {number}", "genre": GENRES[number % KINDS]}


def listens(day: int, *, users: int = USERS, moved: bool = False) -> list[dict[str, Any]]:
    """What all users have heard until that day, which is counted from 0.

    When tastes have `moved`, other tracks than before are heard together since the first day.
    """
    heard = []
    for user in range(users):
        chance = random.Random(user)  # noqa: S311
        for place in range(9 + 2 * day):
            taste = user % KINDS if chance.random() < 0.9 else chance.randrange(KINDS)
            within = min(int(chance.expovariate(0.15)), TRACKS // KINDS - 1)
            number = taste * (TRACKS // KINDS) + within if moved and place >= 9 else taste + KINDS * within
            at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=place, seconds=user)
            heard.append({"user_id": user, "track_id": number, "created_at": at.replace(tzinfo=None)})
    return heard


@dataclass
class Music(Executions):
    """The lake with the nights that it published, the raw bucket, and executions by their status."""

    lake: PublishedLake = field(default_factory=lambda: PublishedLake(pipeline="music"))
    raw: MemoryObjects = field(default_factory=lambda: MemoryObjects("raw"))
    statuses: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> MemoryObjects:
        return self.lake.store

    def status(self, execution_id: str) -> str | None:
        return self.statuses.get(execution_id)

    def night(
        self, day: int, heard: Sequence[dict[str, Any]] | None = None, tracks: Sequence[dict[str, Any]] | None = None
    ) -> int:
        """Publish tracks and listens as they are on that day, and answer the number of the snapshot."""
        of = FIRST + timedelta(days=day)
        columns = (Column(name="track_id", type="bigint"), Column(name="name", type="string"))
        catalogue = [track(number) for number in range(TRACKS)] if tracks is None else list(tracks)
        self.lake.publish("tracks", (*columns, Column(name="genre", type="string")), {of: [catalogue]}, day=of)
        rows = list(listens(day) if heard is None else heard)
        columns = (
            Column(name="user_id", type="bigint"),
            Column(name="track_id", type="bigint"),
            Column(name="created_at", type="timestamp"),
        )
        half = len(rows) // 2
        return self.lake.publish("listens", columns, {of: [rows[:half], rows[half:]]}, day=of).number
