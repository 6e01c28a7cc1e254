"""A lake with recommendations, as scorings leave it: listeners of the music, and what each version published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from nightlake.core.history import find_head
from nightlake.core.model.model_record import Champion, Scored
from nightlake.core.model.registry import keep_scored, keep_version, promote
from nightlake.core.pipeline import Pipeline
from nightlake.core.table import tables
from published_lake import CountedObjects, PublishedLake, Row
from test_model_registry import record

DAY = date(2026, 11, 20)
POPULAR = {"*": (1, 2, 3), "Jazz": (7, 8)}


@dataclass
class RecommendedLake:
    """The tables of both pipelines in one bucket; `music` and `recommendations` are their contracts."""

    music: Pipeline
    recommendations: Pipeline
    store: CountedObjects = field(default_factory=CountedObjects)
    lakes: dict[str, PublishedLake] = field(default_factory=dict)

    def listen(self, liked: Mapping[int, str | None], day: date = DAY) -> None:
        """A night of music with these listeners, and the genre that each likes."""
        rows = [{"user_id": user, "favorite_genre": genre} for user, genre in liked.items()]
        self._publish(self.music, "listeners", rows, day=day)

    def score(
        self,
        version: int,
        lists: Mapping[int, Sequence[int]],
        *,
        popular: Mapping[str, Sequence[int]] = POPULAR,
        day: date = DAY,
    ) -> Scored:
        """A scoring by this version that is published; each list has the tracks of a user."""
        rows = [
            track_row(track, rank) | {"user_id": user, "score": 1 / rank, "model_version": version}
            for user, tracks in lists.items()
            for rank, track in enumerate(tracks, start=1)
        ]
        self._publish(self.recommendations, "recommendations", rows[::-1], day=day)
        beside = [
            track_row(track, rank) | {"genre": genre, "listens": 9}
            for genre, tracks in popular.items()
            for rank, track in enumerate(tracks, start=1)
        ]
        self._publish(self.recommendations, "popular_tracks", beside, day=day)
        return self.note(version, day=day)

    def score_files(self, version: int, *files: Sequence[Row]) -> Scored:
        """A scoring whose lists lie in several files."""
        self._publish(self.recommendations, "recommendations", *files)
        return self.note(version)

    def note(self, version: int, day: date = DAY) -> Scored:
        """What is published now was scored by this version."""
        found = find_head(self.store, "recommendations")
        assert found is not None
        scored = Scored(
            pipeline="music",
            version=version,
            publisher="recommendations",
            date=day,
            run_id=f"run-{version}",
            of=1,
            snapshot=found[0].snapshot,
            key=found[0].key,
        )
        keep_scored(self.store, scored)
        return scored

    def train(self, version: int, pipeline: str = "music") -> None:
        """A version that nobody has judged."""
        keep_version(self.store, record(version, pipeline=pipeline), artifact=b"model", interactions=b"listens")

    def promote(self, version: int | None) -> Champion:
        """Make a version champion, with None the one before."""
        at = "2026-11-21T05:00:00+00:00"
        return promote(self.store, "music", version, expected=None, by="a test", reason="it says so", at=at, force=True)

    def _publish(self, pipeline: Pipeline, name: str, *files: Sequence[Row], day: date = DAY) -> None:
        lake = self.lakes.setdefault(pipeline.name, PublishedLake(self.store, pipeline.name))
        table = tables(pipeline.dataset(name))[0]
        lake.publish(name, table.columns, {day: files}, day=day)


def track_row(track: int, rank: int) -> Row:
    """What a list says of a track."""
    return {"rank": rank, "track_id": track, "name": f"Track {track}", "artist": f"Artist {track}"}


def only(pipeline: Pipeline, name: str) -> Pipeline:
    """The pipeline with one of its datasets, of which nothing is private: what a test does not look at is not asked."""
    dataset = pipeline.dataset(name)
    seen = tuple(column for column in dataset.columns if not column.private)
    kept = {"datasets": (dataset.model_copy(update={"columns": seen}),), "sources": (pipeline.source(name),)}
    return pipeline.model_copy(update={**kept, "merge": ()})


def recommend(lake: RecommendedLake) -> None:
    """Version 1 is champion, with lists for 17 and 18; of the others 20 likes jazz, and 21 what is not there."""
    lake.listen({17: "Rock", 18: None, 19: None, 20: "Jazz", 21: "Polka"})
    lake.train(1)
    lake.promote(1)
    lake.score(1, {17: [5, 4, 6], 18: [9]})
