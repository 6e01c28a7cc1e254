"""The tasks of a model as their machines call them: from the first training to a rollback, and what comes between."""

import json
import random
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.delivery import find_delivery
from nightlake.core.errors import (
    ChampionChangedError,
    InvalidInputError,
    ModelNotFoundError,
    ModelRejectedError,
    ModelUnreadableError,
    NoModelDeclaredError,
    RunInProgressError,
    ScoringIncompleteError,
    SnapshotNotFoundError,
    TrainingDataMissingError,
)
from nightlake.core.lock import holds
from nightlake.core.model import registry
from nightlake.core.model.finish import ModelRun
from nightlake.core.source import ParquetSource
from nightlake.handlers import (
    deliver_model,
    evaluate_model,
    finish_model,
    measure_model,
    pin_model,
    promote_model,
    score_users,
    train_model,
)
from nightlake.handlers.settings import settings
from published_lake import publish
from small_music import FIRST, MODEL, TRACKS, Music, listens, publisher, track
from small_pipeline import small_pipeline
from stepped_objects import SteppedObjects

STARTED = "2026-11-21T04:00:00Z"
HANDLERS = (
    deliver_model,
    evaluate_model,
    finish_model,
    measure_model,
    pin_model,
    promote_model,
    score_users,
    train_model,
)


class Stage:
    """The functions of the model of `music`, and the machines that call them."""

    def __init__(self, music: Music, context: Any) -> None:
        self.music = music
        self.lake, self.raw = music.store, music.raw
        self._context = context
        self._executions = 0

    def start(self) -> str:
        self._executions += 1
        execution = f"arn:aws:states:eu-west-1:123456789012:execution:nightlake-dev-music:{self._executions}"
        self.music.statuses[execution] = "RUNNING"
        return execution

    def call(self, handler: Any, **event: Any) -> dict[str, Any]:
        """As Lambda does it: through JSON."""
        answer = handler.handler(json.loads(json.dumps({"pipeline": "music"} | event)), self._context)
        told: dict[str, Any] = json.loads(json.dumps(answer))
        return told

    def pin(self, execution: str, purpose: str = "recommend", **given: Any) -> dict[str, Any]:
        return self.call(pin_model, purpose=purpose, input=given, execution_id=execution, started_at=STARTED)

    def train(self, run: dict[str, Any], execution: str) -> int:
        said = {name: run[name] for name in ("run_id", "snapshot", "champion", "reason")}
        version: int = self.call(train_model, execution_id=execution, **said)["version"]
        return version

    def evaluate(self, run: dict[str, Any], version: int) -> dict[str, Any]:
        said = {name: run[name] for name in ("run_id", "snapshot", "champion")}
        return self.call(evaluate_model, version=version, **said)

    def promote(self, version: int | None = None, **given: Any) -> dict[str, Any]:
        return self.call(promote_model, version=version, **({"by": "ann", "reason": "asked"} | given))

    def score(self, run: dict[str, Any]) -> dict[str, Any]:
        """Measure and score, and answer what Measure said."""
        said = {name: run[name] for name in ("run_id", "snapshot", "champion", "date")}
        measured = self.call(measure_model, **said)
        assert measured["bucket"] == self.lake.bucket
        lines = self.lake.get(measured["key"]).splitlines()
        assert len(lines) == measured["shards"]
        scored = [self.call(score_users, shard=json.loads(line)) for line in lines]
        assert sum(each["users"] for each in scored) == measured["users"]
        return measured

    def deliver(self, run: dict[str, Any]) -> dict[str, Any]:
        return self.call(deliver_model, **{name: run[name] for name in ("run_id", "date", "champion", "snapshot")})

    def publish(self, day: str) -> int:
        """The night of the publisher, as far as a model sees it."""
        return publish(
            self.lake, "recommendations", {}, f"published-{self._executions}", date.fromisoformat(day)
        ).number

    def finish(self, run: dict[str, Any], execution: str, purpose: str = "recommend", **ended: Any) -> None:
        said = {name: run[name] for name in ("run_id", "date", "champion", "snapshot") if name in run}
        told = {"purpose": purpose, "execution_id": execution, "started_at": STARTED, "outcome": "succeeded"}
        assert self.call(finish_model, **(said | told | ended)) == {}
        self.music.statuses[execution] = "SUCCEEDED"

    def recommend(self, **given: Any) -> dict[str, Any]:
        """The machine `recommend`; what it ends with."""
        execution = self.start()
        run = self.pin(execution, **given)
        if run["duplicate"]:
            return run
        if run["needs_training"]:
            version = self.train(run, execution)
            assert self.evaluate(run, version)["promote"]
            run |= {"champion": self.promote(version, expected=run["champion"])["champion"]}
        measured = self.score(run)
        published = self.publish(self.deliver(run)["date"])
        self.finish(run, execution, published=True)
        return run | measured | {"published": published}

    def retrain(self, **given: Any) -> dict[str, Any]:
        """The machine `retrain`; what it ends with."""
        execution = self.start()
        run = self.pin(execution, "retrain", **given)
        version = self.train(run, execution)
        judged = self.evaluate(run, version)
        if judged["promote"]:
            run |= self.promote(version, expected=run["champion"])
        outcome = "succeeded" if judged["promote"] else "rejected"
        self.finish(run, execution, "retrain", outcome=outcome, version=version)
        return run | judged

    def delivered(self, dataset: str = "recommendations", day: date = FIRST) -> list[dict[str, Any]]:
        """The rows of a day's complete delivery; none where it is not complete."""
        source = publisher().source(dataset)
        assert isinstance(source, ParquetSource)
        found = find_delivery(source, day, self.raw, now=max(each.modified for each in self.raw.list("")))
        if found.missing:
            return []
        tables = [pq.read_table(pa.BufferReader(self.raw.get(each.key))) for each in found.objects]
        rows: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist()
        return rows

    def answering(self) -> int | None:
        """The snapshot of the publisher that the API answers from."""
        found = registry.find_answering(self.lake, "music")
        return found.snapshot if found else None


class Dying(SteppedObjects):
    """A bucket of which a function dies before its write or deletion number `left`, counted over all buckets."""

    left: ClassVar[int] = -1

    def put(self, key: str, *args: Any, **options: Any) -> str:
        self.die()
        return super().put(key, *args, **options)

    def delete(self, keys: Iterable[str]) -> None:
        self.die()
        super().delete(keys)

    @classmethod
    def die(cls) -> None:
        cls.left -= 1
        if cls.left == -1:
            raise KeyboardInterrupt


@pytest.fixture
def stage(
    environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lambda_context: Any
) -> Stage:
    pipelines = tmp_path / "models"
    pipelines.mkdir()
    music = small_pipeline("music", [], []).model_copy(update={"model": MODEL})
    for each in (music, publisher(), small_pipeline("plain", [], [])):
        (pipelines / f"{each.name}.json").write_text(each.model_dump_json())
    environment(CONTRACTS=str(pipelines))
    world = Music()
    buckets: dict[str, MemoryObjects] = {settings().lake_bucket: world.store, settings().raw_bucket: world.raw}
    monkeypatch.setattr(Dying, "left", -1)
    for handler in HANDLERS:
        monkeypatch.setattr(handler, "Objects", lambda bucket: Dying(buckets[bucket]))
    monkeypatch.setattr(pin_model, "States", lambda: world)
    return Stage(world, lambda_context)


def test_a_first_night_trains_judges_promotes_scores_and_delivers(stage: Stage) -> None:
    snapshot = stage.music.night(0)
    run = stage.recommend()
    assert (run["snapshot"], run["champion"], run["date"], run["users"]) == (snapshot, 1, "2026-11-20", 90)
    rows = stage.delivered()
    assert len(rows) == 90 * MODEL.list_length
    assert {row["model_version"] for row in rows} == {1}
    heard = {(row["user_id"], row["track_id"]) for row in listens(0)}
    for user in (0, 41, 89):
        own = [row for row in rows if row["user_id"] == user]
        assert [row["rank"] for row in own] == [*range(1, MODEL.list_length + 1)]
        assert [row["name"] for row in own] == [f"Song {row['track_id']}" for row in own]
        assert [row["score"] for row in own] == sorted((row["score"] for row in own), reverse=True)
        assert heard.isdisjoint((user, row["track_id"]) for row in own)
        # Whoever hears one genre is recommended that genre.
        assert sum(row["track_id"] % 3 == user % 3 for row in own) > MODEL.list_length / 2
    assert stage.answering() == run["published"]
    (version,) = registry.list_versions(stage.lake, "music")
    assert version.record.recipe in MODEL.candidates
    assert version.verdict is not None
    assert version.verdict.over_popularity is not None
    assert version.verdict.over_popularity.low > 0


def test_what_is_popular_and_how_the_model_does_are_delivered_beside(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    popular = stage.delivered("popular_tracks")
    assert {row["genre"] for row in popular} == {"*", "folk", "jazz", "rock"}
    heard = [row["track_id"] for row in {tuple(row.items())[:2]: row for row in listens(0)}.values()]
    for genre, of in (("*", range(3)), ("jazz", (1,))):
        ranked = [row for row in popular if row["genre"] == genre]
        assert [row["rank"] for row in ranked] == [*range(1, MODEL.list_length + 1)]
        assert [row["listens"] for row in ranked] == [heard.count(row["track_id"]) for row in ranked]
        most = sorted((heard.count(number) for number in range(TRACKS) if number % 3 in of), reverse=True)
        assert [row["listens"] for row in ranked] == most[: MODEL.list_length]
    (metrics,) = stage.delivered("model_metrics")
    assert (metrics["model_version"], metrics["users"], metrics["new_listens"]) == (1, 90, 0)
    assert metrics["precision"] is None
    assert metrics["expected_recall"] > 0.1


def test_a_quiet_night_is_scored_by_the_same_champion_and_measured(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.music.night(0)
    first = stage.recommend()
    stage.music.night(2)
    capsys.readouterr()
    second = stage.recommend()
    assert (second["champion"], second["drifted"], second["reasons"]) == (1, False, [])
    assert stage.answering() == second["published"] != first["published"]
    (metrics,) = stage.delivered("model_metrics", FIRST + timedelta(days=2))
    assert metrics["new_listens"] > 100
    assert metrics["precision"] > 2 * metrics["popularity_precision"]
    assert metrics["age_days"] == 2
    emitted = {}
    for line in capsys.readouterr().out.splitlines():
        emitted |= json.loads(line) if '"_aws"' in line else {}
    assert emitted["RecommendationPrecision"] == [metrics["precision"]]
    assert emitted["ModelAgeDays"] == [2]
    assert emitted["ListeningShift"] == [metrics["shift"]]


def test_a_night_that_is_announced_twice_is_scored_once(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    again = stage.recommend()
    assert again["duplicate"]
    assert not holds(stage.lake, layout.model_lock("music"), again["run_id"])
    assert stage.recommend(again=True)["duplicate"] is False


def test_moved_tastes_are_drift_and_the_retrained_challenger_replaces_the_champion(stage: Stage) -> None:
    stage.music.night(0)
    first = stage.recommend()
    stage.music.night(9, listens(9, moved=True))
    drifted = stage.recommend()
    assert drifted["drifted"]
    assert "quality fell by" in drifted["reasons"][0]
    retrained = stage.retrain(reason="drift")
    assert (retrained["promote"], retrained["champion"], retrained["previous"]) == (True, 2, 1)
    assert stage.answering() == drifted["published"]  # until the new champion has scored
    after = stage.recommend(retrained=True)
    assert (after["duplicate"], after["champion"], after["retrained"], after["drifted"]) == (False, 2, True, False)
    assert {row["model_version"] for row in stage.delivered(day=FIRST + timedelta(days=9))} == {2}
    assert stage.answering() == after["published"]
    assert stage.promote(reason="worse by ear") == {"champion": 1, "previous": 0}
    assert stage.answering() == drifted["published"] != first["published"]
    assert stage.promote(2) == {"champion": 2, "previous": 1}
    assert stage.answering() == after["published"]


def test_a_challenger_that_is_no_better_changes_nothing(stage: Stage) -> None:
    stage.music.night(0)
    first = stage.recommend()
    before = registry.find_champion(stage.lake, "music")
    rejected = stage.retrain(reason="asked")
    assert (rejected["version"], rejected["promote"]) == (2, False)
    assert "not surely above" in rejected["reasons"][0]
    assert registry.find_champion(stage.lake, "music") == before
    assert stage.answering() == first["published"]
    with pytest.raises(ModelRejectedError, match="not surely above"):
        stage.promote(2)
    ended = stage.lake.get_model(layout.model_run_record("music", rejected["run_id"]), ModelRun)
    assert (ended.outcome, ended.version, ended.published) == ("rejected", 2, None)


def test_users_that_come_with_one_listen_each_are_no_drift(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    at = listens(0)[0]["created_at"]
    chance = random.Random(1)  # noqa: S311
    new = [{"user_id": 1000 + number, "track_id": chance.randrange(TRACKS), "created_at": at} for number in range(200)]
    stage.music.night(1, [*listens(0), *new])
    run = stage.recommend()
    assert (run["drifted"], run["users"]) == (False, 290)
    (metrics,) = stage.delivered("model_metrics", FIRST + timedelta(days=1))
    assert (metrics["new_listens"], metrics["precision"]) == (200, None)


def test_a_champion_that_stays_the_best_is_tried_again_after_its_time_and_not_every_night(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    heard = listens(0)

    def night(day: int) -> dict[str, Any]:
        stage.music.night(day, heard)
        return stage.recommend()

    assert not night(30)["drifted"]
    old = night(31)
    assert old["reasons"] == ["for 31 days no newer model was tried, 30 are allowed"]
    assert not stage.retrain(reason="drift")["promote"]
    assert not night(32)["drifted"]
    (metrics,) = stage.delivered("model_metrics", FIRST + timedelta(days=32))
    assert metrics["age_days"] == 32
    assert night(62)["drifted"]


def test_where_listening_has_no_pattern_popularity_itself_recommends_and_says_so(stage: Stage) -> None:
    chance = random.Random(1)  # noqa: S311
    noise = [row | {"track_id": chance.randrange(TRACKS)} for row in listens(0)]
    stage.music.night(0, noise)
    run = stage.recommend()
    (version,) = registry.list_versions(stage.lake, "music")
    assert version.record.recipe.algorithm == "popularity"
    assert "popularity" in version.record.chosen_because
    assert len({row["user_id"] for row in stage.delivered()}) == run["users"]


def test_a_failed_scoring_leaves_yesterday_as_it_was(stage: Stage) -> None:
    stage.music.night(0)
    first = stage.recommend()
    stage.music.night(1)
    execution = stage.start()
    run = stage.pin(execution)
    stage.score(run)
    receipt = layout.scoring_receipt("music", run["run_id"], 1)
    stage.lake.delete([receipt])
    with pytest.raises(ScoringIncompleteError, match=r"Shard 1 .*users 40 to 79\) was not scored"):
        stage.deliver(run)
    error = {"Error": "ScoringIncompleteError", "Cause": "..."}
    stage.finish(run, execution, outcome="failed", error=error)
    assert stage.delivered(day=FIRST + timedelta(days=1)) == []
    assert stage.answering() == first["published"]
    assert len(stage.delivered()) == 90 * MODEL.list_length
    after = stage.recommend()
    assert stage.answering() == after["published"]
    assert len(stage.delivered(day=FIRST + timedelta(days=1))) == 90 * MODEL.list_length


def test_a_part_that_is_not_the_one_of_its_receipt_is_not_delivered(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    stage.music.night(1)
    run = stage.pin(stage.start())
    stage.score(run)
    part = next(each.key for each in stage.raw.list("recommendations/recommendations/2026/11/21/"))
    stage.raw.put(part, b"something else")
    with pytest.raises(ScoringIncompleteError, match="is not the one that it names"):
        stage.deliver(run)


def test_a_day_that_is_scored_again_holds_only_the_new_lists(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    stage.raw.put("recommendations/recommendations/2026/11/20/part-left-over.parquet", b"of a scoring that died")
    stage.recommend(again=True)
    assert len(stage.delivered()) == 90 * MODEL.list_length


def test_every_task_may_run_twice(stage: Stage) -> None:
    stage.music.night(0)
    execution = stage.start()
    run = stage.pin(execution)
    assert stage.pin(execution) == run
    version = stage.train(run, execution)
    assert stage.train(run, execution) == version == 1
    judged = stage.evaluate(run, version)
    assert stage.evaluate(run, version) == judged
    promoted = stage.promote(version, expected=0)
    assert stage.promote(version, expected=0) == promoted
    run |= {"champion": version}
    measured = stage.score(run)
    assert stage.score(run) == measured
    stage.deliver(run)
    rows = stage.delivered()
    stage.deliver(run)
    assert stage.delivered() == rows
    published = stage.publish(run["date"])
    stage.finish(run, execution, published=True)
    stage.finish(run, execution, published=True)
    assert stage.answering() == published
    assert len(list(registry.list_versions(stage.lake, "music"))) == 1


def test_wherever_a_scoring_dies_the_api_has_an_answer_and_the_next_one_ends_well(stage: Stage) -> None:
    stage.music.night(0, listens(0, users=30))
    stage.recommend()
    for day in count(1):
        before = stage.answering()
        stage.music.night(day, listens(0, users=30))
        Dying.left = day - 1
        try:
            run = stage.recommend()
        except KeyboardInterrupt:
            stage.music.statuses = dict.fromkeys(stage.music.statuses, "FAILED")
        else:
            break
        of = FIRST + timedelta(days=day)
        assert {row["model_version"] for row in stage.delivered(day=of)} <= {1}
        died_late = stage.answering() != before  # only the lock was left to be given back
        run = stage.recommend()
        assert run["duplicate"] is died_late
        assert len(stage.delivered(day=of)) == 30 * MODEL.list_length
        assert died_late or stage.answering() == run["published"]
    assert day > 15  # so many writes there are
    assert not run["duplicate"]
    assert registry.champion_version(stage.lake, "music") == 1


def test_one_works_on_a_model_at_a_time(stage: Stage) -> None:
    stage.music.night(0)
    first, second = stage.start(), stage.start()
    run = stage.pin(first)
    with pytest.raises(RunInProgressError, match=r"locks/music/model\.json"):
        stage.pin(second, "retrain")
    stage.music.statuses[first] = "FAILED"
    assert stage.pin(second, "retrain")["needs_training"]
    stage.finish(run, first, outcome="failed")
    assert holds(stage.lake, layout.model_lock("music"), stage.pin(second, "retrain")["run_id"])


def test_who_was_overtaken_promotes_nothing(stage: Stage) -> None:
    stage.music.night(0)
    execution = stage.start()
    run = stage.pin(execution)
    version = stage.train(run, execution)
    stage.evaluate(run, version)
    stage.music.statuses[execution] = "ABORTED"
    stage.recommend()
    with pytest.raises(ChampionChangedError, match="Version 2 is champion of 'music', not 0"):
        stage.promote(version, expected=run["champion"])


def test_a_night_goes_on_while_a_model_works_on_the_one_before(stage: Stage) -> None:
    pinned = stage.music.night(0)
    execution = stage.start()
    run = stage.pin(execution)
    stage.music.night(1)
    version = stage.train(run, execution)
    record = registry.get_record(stage.lake, "music", version)
    assert (record.snapshot, record.date, record.events) == (pinned, FIRST, 628)


def test_an_item_that_is_gone_is_recommended_to_nobody(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    popular = [row["track_id"] for row in stage.delivered("popular_tracks") if row["genre"] == "*"]
    left = [track(number) for number in range(TRACKS) if number not in popular]
    stage.music.night(1, tracks=left)
    stage.recommend()
    rows = stage.delivered(day=FIRST + timedelta(days=1))
    assert {row["track_id"] for row in rows}.isdisjoint(popular)
    assert {row["rank"] for row in rows} == {*range(1, MODEL.list_length + 1)}
    stage.retrain()
    record = registry.get_record(stage.lake, "music", 2)
    assert record.items == TRACKS - len(popular)


def test_who_knows_everything_gets_nothing_and_is_counted(stage: Stage) -> None:
    fan = [{"user_id": 7, "track_id": number, "created_at": listens(0)[0]["created_at"]} for number in range(TRACKS)]
    stage.music.night(0, [*listens(0), *fan])
    run = stage.recommend()
    rows = stage.delivered()
    assert 7 not in {row["user_id"] for row in rows}
    assert (run["users"], len({row["user_id"] for row in rows})) == (90, 89)


def test_new_users_wait_for_a_history(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    stage.music.night(1, listens(1, users=95))
    assert stage.recommend()["users"] == 95  # what they heard is known to the model, though they are not


def test_a_damaged_model_scores_nobody(stage: Stage) -> None:
    stage.music.night(0)
    stage.recommend()
    stage.lake.put(layout.model_artifact("music", 1), b"half of it")
    stage.music.night(1)
    run = stage.pin(stage.start())
    with pytest.raises(ModelUnreadableError, match="roll back"):
        stage.score(run)


def test_before_a_night_there_is_nothing_to_learn(stage: Stage) -> None:
    execution = stage.start()
    with pytest.raises(TrainingDataMissingError, match="run a night first"):
        stage.pin(execution)
    stage.finish({}, execution, outcome="failed")
    assert stage.answering() is None


@pytest.mark.parametrize(
    ("heard", "tracks", "told"),
    [
        ([], None, "has no rows of listens"),
        (None, [track(number) for number in range(900, 905)], "is of an item that tracks has"),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_told_by_name(
    stage: Stage, heard: list[dict[str, Any]] | None, tracks: list[dict[str, Any]] | None, told: str
) -> None:
    stage.music.night(0, heard, tracks)
    execution = stage.start()
    run = stage.pin(execution)
    with pytest.raises(TrainingDataMissingError, match=told):
        stage.train(run, execution)


def test_a_snapshot_that_is_gone_is_told_by_name(stage: Stage) -> None:
    stage.music.night(0)
    execution = stage.start()
    run = stage.pin(execution) | {"snapshot": 99}
    with pytest.raises(SnapshotNotFoundError, match="start again from the newest"):
        stage.train(run, execution)


def test_what_is_said_to_be_published_and_is_not_answers_nothing(stage: Stage) -> None:
    stage.music.night(0)
    execution = stage.start()
    run = stage.pin(execution) | {"champion": 1}
    with pytest.raises(SnapshotNotFoundError, match="keeps no snapshot of it"):
        stage.finish(run, execution, published=True)
    assert stage.answering() is None


def test_only_pipelines_with_a_model_have_one(stage: Stage) -> None:
    with pytest.raises(NoModelDeclaredError, match=r"pipelines/plain/model\.yaml"):
        stage.call(promote_model, pipeline="plain", version=1, by="ann", reason="asked")


@pytest.mark.parametrize("wrong", [{"version": 0}, {"by": ""}, {"expected": -1}, {"versoin": 2}])
def test_a_promotion_that_says_nonsense_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="promoted with"):
        stage.promote(**wrong)


def test_an_input_that_says_nonsense_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidInputError, match=r"input\.retrained"):
        stage.pin(stage.start(), retrained="perhaps")


def test_a_version_that_there_is_not_can_not_be_promoted(stage: Stage) -> None:
    with pytest.raises(ModelNotFoundError):
        stage.promote(4)
