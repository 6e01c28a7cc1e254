"""The registry of models: versions never change, one pointer moves, and nothing bad gets under it by accident."""

from collections.abc import Callable
from datetime import date

import pytest
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.errors import (
    ChampionChangedError,
    ModelNotFoundError,
    ModelRejectedError,
    ModelUnreadableError,
)
from nightlake.core.garbage import SUPERSEDED, collect_garbage
from nightlake.core.lock import Executions
from nightlake.core.model import registry
from nightlake.core.model.model_record import Metrics, ModelRecord, ModelVerdict, Scored
from nightlake.core.model.recipe import Popularity
from nightlake.core.pipeline import Column
from published_lake import PublishedLake
from stepped_objects import SteppedObjects

METRICS = Metrics(k=10, users=100, precision=0.2, recall=0.3, ndcg=0.25, map=0.1, coverage=0.5)


def record(version: int, **changed: object) -> ModelRecord:
    return ModelRecord(
        version=version,
        pipeline="music",
        created_at="2026-11-21T04:00:00Z",
        execution=f"arn:{version}",
        run_id=f"run-{version}",
        reason="asked",
        snapshot=7,
        date=date(2026, 11, 20),
        code_version="c",
        contract_hash="h",
        recipe=Popularity(),
        seed=1,
        metrics=METRICS,
        baseline=METRICS,
        trials=(),
        chosen_because="it was the best",
        champion_then=version - 1,
        users=1,
        items=1,
        events=1,
        left_out=0,
        artifact_sha256=registry.digest(b"model"),
        artifact_bytes=5,
        interactions_sha256=registry.digest(b"events"),
    ).model_copy(update=changed)


def verdict(version: int, *, promote: bool) -> ModelVerdict:
    return ModelVerdict(
        version=version,
        against=version - 1,
        at="2026-11-21T04:10:00Z",
        challenger=METRICS,
        champion=None,
        popularity=METRICS,
        lead=None,
        over_popularity=None,
        promote=promote,
        reasons=("precision@10 fell from 0.30 to 0.20",),
    )


def keep(store: MemoryObjects, *versions: int) -> None:
    """These versions, all judged good."""
    for version in versions:
        registry.keep_version(store, record(version), artifact=b"model", interactions=b"events")
        store.put_model(layout.model_verdict("music", version), verdict(version, promote=True))


def promote(store: MemoryObjects, version: int | None, *, expected: int | None = None, force: bool = False) -> int:
    moved = registry.promote(
        store, "music", version, expected=expected, by="ann", reason="asked", at="2026-11-21T05:00:00Z", force=force
    )
    return moved.version


def scored(version: int, **changed: object) -> Scored:
    return Scored(
        pipeline="music",
        version=version,
        publisher="recommendations",
        date=date(2026, 11, 20),
        run_id="run",
        of=7,
        snapshot=10 + version,
        key=f"snapshots/recommendations/{10 + version}.json",
    ).model_copy(update=changed)


@pytest.fixture
def store() -> MemoryObjects:
    return MemoryObjects()


class NothingRuns(Executions):
    """No execution is under way."""

    def status(self, execution_id: str) -> str | None:  # noqa: ARG002
        return None


class Dying(SteppedObjects):
    """Dies before its write number `at`."""

    def __init__(self, objects: MemoryObjects, at: int) -> None:
        super().__init__(objects)
        self._left = at

    def put(self, key: str, *args: object, **options: object) -> str:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return super().put(key, *args, **options)  # type: ignore[arg-type]


def test_versions_count_up_and_a_retry_keeps_its_number(store: MemoryObjects) -> None:
    assert registry.claim_version(store, "music", "arn:a") == 1
    assert registry.claim_version(store, "music", "arn:a") == 1
    assert registry.claim_version(store, "music", "arn:b") == 2
    assert registry.claim_version(store, "books", "arn:a") == 1


def test_two_that_race_for_a_number_get_two(store: MemoryObjects) -> None:
    class Raced(SteppedObjects):
        raced = False

        def put(self, key: str, *args: object, **options: object) -> str:
            if not self.raced:
                self.raced = True
                assert registry.claim_version(store, "music", "arn:quick") == 1
            return super().put(key, *args, **options)  # type: ignore[arg-type]

    assert registry.claim_version(Raced(store), "music", "arn:slow") == 2
    assert registry.claim_version(store, "music", "arn:slow") == 2


@pytest.mark.parametrize("writes", range(4))
def test_a_version_is_there_when_all_of_it_is_there(store: MemoryObjects, writes: int) -> None:
    def train(lake: MemoryObjects) -> None:
        number = registry.claim_version(lake, "music", "arn:a")
        registry.keep_version(lake, record(number), artifact=b"model", interactions=b"events")

    with pytest.raises(KeyboardInterrupt):
        train(Dying(store, at=writes))
    assert list(registry.list_versions(store, "music")) == []
    with pytest.raises(ModelNotFoundError, match=r"no version 1 \(it has: none\)"):
        registry.get_version(store, "music", 1)
    train(store)
    (there,) = registry.list_versions(store, "music")
    assert (there.record.version, there.verdict, there.scored) == (1, None, None)
    assert registry.get_artifact(store, there.record) == b"model"
    assert registry.get_interactions(store, there.record) == b"events"


def test_a_version_never_changes(store: MemoryObjects) -> None:
    keep(store, 1)
    kept = registry.keep_version(store, record(1, reason="later"), artifact=b"other", interactions=b"other")
    assert kept.reason == "asked"
    assert registry.get_artifact(store, kept) == b"model"


@pytest.mark.parametrize("damage", [lambda s, k: s.delete([k]), lambda s, k: s.put(k, b"half a mod")])
def test_a_model_that_is_gone_or_damaged_is_never_used(
    store: MemoryObjects, damage: Callable[[MemoryObjects, str], object]
) -> None:
    keep(store, 1)
    damage(store, layout.model_artifact("music", 1))
    with pytest.raises(ModelUnreadableError, match=r"00000001/model\.npz .*(train anew|roll back)"):
        registry.get_artifact(store, record(1))


def test_the_first_champion_and_the_next(store: MemoryObjects) -> None:
    keep(store, 1, 2)
    assert registry.champion_version(store, "music") == 0
    assert promote(store, 1, expected=0) == 1
    assert promote(store, 2, expected=1) == 2
    found = registry.find_champion(store, "music")
    assert found is not None
    assert (found[0].previous, found[0].revision, [move.version for move in found[0].history]) == (1, 1, [1, 2])


def test_a_retry_of_a_promotion_moves_nothing(store: MemoryObjects) -> None:
    keep(store, 1)
    promote(store, 1, expected=0)
    before = registry.find_champion(store, "music")
    assert promote(store, 1, expected=0) == 1
    assert registry.find_champion(store, "music") == before


def test_rolling_back_goes_backward_champion_by_champion_and_forward_by_number(store: MemoryObjects) -> None:
    keep(store, 1, 2, 3)
    for version in (1, 2, 3):
        promote(store, version)
    assert promote(store, None) == 2
    assert promote(store, None) == 1
    assert promote(store, 3) == 3
    assert promote(store, None) == 1


def test_rolling_the_first_champion_back_leaves_none_and_what_it_published_says_what_is_popular(
    store: MemoryObjects,
) -> None:
    keep(store, 1, 2)
    promote(store, 1)
    assert promote(store, None) == 0
    assert registry.champion_version(store, "music") == 0
    assert registry.find_answering(store, "music") is None
    with pytest.raises(ModelNotFoundError, match="no champion any more"):
        promote(store, None)
    assert promote(store, 2, expected=0) == 2
    assert promote(store, None) == 0


def test_nobody_rolls_back_before_there_is_a_champion(store: MemoryObjects) -> None:
    with pytest.raises(ModelNotFoundError, match="promote a version by number"):
        promote(store, None)


def test_a_champion_that_changed_meanwhile_is_told_by_name(store: MemoryObjects) -> None:
    keep(store, 1, 2, 3)
    promote(store, 1)
    promote(store, 2)
    with pytest.raises(ChampionChangedError, match=r"Version 2 is champion of 'music', not 1 .*asked, by ann"):
        promote(store, 3, expected=1)
    with pytest.raises(ChampionChangedError):
        promote(store, None, expected=1)
    assert registry.champion_version(store, "music") == 2


def test_of_two_promotions_at_once_one_wins_and_the_other_hears_of_it(store: MemoryObjects) -> None:
    keep(store, 1, 2, 3)
    promote(store, 1)

    class Raced(SteppedObjects):
        raced = False

        def put(self, key: str, *args: object, **options: object) -> str:
            if not self.raced:
                self.raced = True
                assert promote(store, 2, expected=1) == 2
            return super().put(key, *args, **options)  # type: ignore[arg-type]

    with pytest.raises(ChampionChangedError):
        promote(Raced(store), 3, expected=1)
    assert registry.champion_version(store, "music") == 2
    assert promote(Raced(store), 3) == 3  # who expects none in particular comes after


@pytest.mark.parametrize("judged", [True, False])
def test_only_by_force_becomes_champion_what_was_not_judged_good(store: MemoryObjects, judged: bool) -> None:
    registry.keep_version(store, record(1), artifact=b"model", interactions=b"events")
    if judged:
        store.put_model(layout.model_verdict("music", 1), verdict(1, promote=False))
    with pytest.raises(ModelRejectedError, match="fell from 0.30" if judged else "never judged"):
        promote(store, 1)
    assert registry.champion_version(store, "music") == 0
    assert promote(store, 1, force=True) == 1


def test_nobody_rolls_back_to_a_model_that_is_gone(store: MemoryObjects) -> None:
    keep(store, 1, 2)
    promote(store, 1)
    promote(store, 2)
    store.delete([layout.model_artifact("music", 1)])
    with pytest.raises(ModelUnreadableError, match=r"00000001/model\.npz is gone"):
        promote(store, None)
    assert registry.champion_version(store, "music") == 2


def test_a_version_that_is_not_there_becomes_no_champion(store: MemoryObjects) -> None:
    keep(store, 1, 2)
    with pytest.raises(ModelNotFoundError, match=r"no version 5 \(it has: 2, 1\)"):
        promote(store, 5, force=True)


def test_the_api_answers_from_the_champion_and_until_it_has_scored_from_the_one_before(store: MemoryObjects) -> None:
    keep(store, 1, 2, 3)
    assert registry.find_answering(store, "music") is None

    def answering() -> int | None:
        found = registry.find_answering(store, "music")
        return found.version if found else None

    promote(store, 1)
    assert answering() is None
    registry.keep_scored(store, scored(1))
    assert answering() == 1
    promote(store, 2)
    assert answering() == 1
    registry.keep_scored(store, scored(2))
    assert answering() == 2
    promote(store, None)
    assert answering() == 1
    promote(store, 3)
    assert answering() == 1  # version 2 was rolled back: nothing answers from it
    promote(store, 2)
    assert answering() == 2


def test_the_snapshots_that_versions_answer_from_are_known_by_their_publisher(store: MemoryObjects) -> None:
    registry.keep_scored(store, scored(1))
    registry.keep_scored(store, scored(2))
    registry.keep_scored(store, scored(2, snapshot=19, key="snapshots/recommendations/19.json"))
    kept = list(registry.scored_snapshots(store, "music", "recommendations"))
    assert kept == ["snapshots/recommendations/11.json", "snapshots/recommendations/19.json"]
    assert list(registry.scored_snapshots(store, "music", "others")) == []


def test_garbage_collection_keeps_what_a_version_answers_from() -> None:
    lake = PublishedLake(pipeline="recommendations")
    columns = (Column(name="user_id", type="bigint"),)
    day = date(2026, 11, 20)
    snapshots = [lake.publish("recommendations", columns, {day: [[{"user_id": number}]]}) for number in range(4)]
    keys = [layout.snapshot("recommendations", each.number, each.run_id) for each in snapshots]
    files = [found.key for found in lake.store.list(layout.data("recommendations"))]

    def superseded(number: int) -> bool:
        (own,) = (key for key in files if layout.run_of(key) == snapshots[number].run_id)
        return lake.store.tags(own) == SUPERSEDED

    def collect() -> int:
        return collect_garbage(
            lake.store, NothingRuns(), pipeline="recommendations", keep=1, dry_run=False, models=["music"]
        ).kept_snapshots

    registry.keep_scored(lake.store, scored(1, snapshot=1, key=keys[0]))
    registry.keep_scored(lake.store, scored(2, snapshot=3, key=keys[2]))
    assert collect() == 3
    assert [lake.store.head(key) is not None for key in keys] == [True, False, True, True]
    assert [superseded(number) for number in range(4)] == [False, True, False, False]
    registry.keep_scored(lake.store, scored(1, snapshot=4, key=keys[3]))
    assert collect() == 2
    assert [lake.store.head(key) is not None for key in keys] == [False, False, True, True]
    assert [superseded(number) for number in range(4)] == [True, True, False, False]
