"""One night before its scoring: how the champion does on what is new, whether it drifts, and who is to be scored."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from nightlake.core import layout
from nightlake.core.errors import TrainingDataMissingError
from nightlake.core.metrics import Measured, Unit
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.drift import judge_drift, kinds, shift, unlearned
from nightlake.core.model.evaluation import Evaluation, difference, evaluate
from nightlake.core.model.fit import fit
from nightlake.core.model.fitted import Fitted
from nightlake.core.model.interactions import Interactions, to_table
from nightlake.core.model.learn import metrics, read_interactions, recorded_interactions
from nightlake.core.model.model_record import Measurement, Metrics, ScoringShard
from nightlake.core.model.parquet import parquet_bytes
from nightlake.core.model.pin import pinned_snapshot
from nightlake.core.model.read_table import read_table
from nightlake.core.model.recipe import Popularity
from nightlake.core.model.registry import find_verdict, get_artifact, get_record, tried_on
from nightlake.core.model.split import sample
from nightlake.core.snapshot import Snapshot
from nightlake.core.store import Store


class Scoring(BaseModel):
    """What the state machine tells: the pinned snapshot and the version that scores it."""

    model_config = ConfigDict(frozen=True)

    pipeline: str
    run_id: str
    date: date
    snapshot: int
    champion: int


def measure(
    scoring: Scoring, declaration: Recommender, *, store: Store
) -> tuple[Measurement, tuple[ScoringShard, ...]]:
    """Measure the champion, and write down whom to score and what there is to recommend.

    Scored is who has a history that the model knows; others are answered with what is popular. Raises
    ModelNotFoundError, ModelUnreadableError, SnapshotNotFoundError, InteractionsUnusableError, or
    TrainingDataMissingError when there is nobody.
    """
    record = get_record(store, scoring.pipeline, scoring.champion)
    snapshot = pinned_snapshot(store, scoring.pipeline, scoring.snapshot)
    fitted = Fitted.from_bytes(get_artifact(store, record))
    now = read_interactions(store, snapshot, declaration)
    items = _items(store, snapshot, declaration, now)
    store.put(layout.scoring_items(scoring.pipeline, scoring.run_id), parquet_bytes(items))
    shards = tuple(_shards(store, scoring, declaration, now.with_items(fitted.items)))
    lines = "".join(f"{shard.model_dump_json()}\n" for shard in shards)
    store.put(layout.scoring_shards(scoring.pipeline, scoring.run_id), lines.encode())
    then, expected = recorded_interactions(store, record), find_verdict(store, scoring.pipeline, scoring.champion)
    measured = _measured(
        scoring,
        declaration,
        fitted,
        now=now,
        then=then,
        items=items,
        trained_on=record.date,
        tried_on=tried_on(store, scoring.pipeline, scoring.champion),
        expected=expected.challenger if expected else record.metrics,
    )
    store.put_model(layout.measurement(scoring.pipeline, scoring.run_id), measured)
    return measured, shards


def measurement_metrics(measured: Measurement) -> Measured:
    """What is emitted of a night's measurement; what was not measured is left out."""
    values: dict[str, tuple[Unit, float]] = {
        "ModelAgeDays": ("Count", measured.age_days),
        "ModelDrifted": ("Count", measured.drifted),
        "NewEvents": ("Count", measured.new_events),
    }
    if measured.measured is not None:
        values["RecommendationPrecision"] = ("None", measured.measured.precision)
        values["RecommendationCoverage"] = ("None", measured.measured.coverage)
    if measured.shift is not None:
        values["ListeningShift"] = ("None", measured.shift)
    return Measured({"pipeline": measured.pipeline}, values)


def _items(store: Store, snapshot: Snapshot, declaration: Recommender, now: Interactions) -> pa.Table:
    """What there is to recommend: each item with its group and what is shown of it, and how many users have had it
    (`events`).
    """
    said = declaration.items
    columns = dict.fromkeys((said.key, *said.show, *([said.group] if said.group else [])))
    items = read_table(store, snapshot, said.dataset, tuple(columns)).combine_chunks()
    places = pc.index_in(items[said.key].combine_chunks().cast(now.items.type), now.items)
    events = pa.array(now.popularity).take(places)
    return items.append_column("events", pc.fill_null(events, 0))


def _shards(store: Store, scoring: Scoring, declaration: Recommender, known: Interactions) -> Iterator[ScoringShard]:
    """Users in the order of their ids, so many at once, each with its history in the lake."""
    served = np.flatnonzero(known.lengths)
    if not len(served):
        raise TrainingDataMissingError(
            f"Nobody in snapshot {scoring.snapshot} of '{scoring.pipeline}' has had anything that version "
            f"{scoring.champion} knows; train anew: nightlake model retrain {scoring.pipeline}"
        )
    for index, start in enumerate(range(0, len(served), declaration.shard_users)):
        histories = known.of_users(served[start : start + declaration.shard_users])
        key = layout.scoring_users(scoring.pipeline, scoring.run_id, index)
        store.put(key, parquet_bytes(to_table(histories)))
        yield ScoringShard(
            pipeline=scoring.pipeline,
            run_id=scoring.run_id,
            date=scoring.date,
            champion=scoring.champion,
            index=index,
            users=len(histories.users),
            first=str(histories.users[0].as_py()),
            last=str(histories.users[-1].as_py()),
        )


def _measured(
    scoring: Scoring,
    declaration: Recommender,
    fitted: Fitted,
    *,
    now: Interactions,
    then: Interactions,
    items: pa.Table,
    trained_on: date,
    tried_on: date,
    expected: Metrics,
) -> Measurement:
    since = now.without(then)
    found: Evaluation | None = None
    popular: Evaluation | None = None
    if len(since) >= declaration.drift.min_new_events:
        found, popular = _quality(declaration, fitted, now.of_users(np.flatnonzero(since.lengths)), then)
    if found and found.users < declaration.evaluate.min_users:
        found = popular = None  # such as when all that is new is of new users
    drifted = judge_drift(
        declaration.drift,
        quality_then=expected.recall,
        quality_now=found.recall if found else None,
        quality_at_most=_at_most(declaration, found.recalls) if found else None,
        shift=_shift(declaration, items, then, since),
        age_days=(scoring.date - tried_on).days,
        new_events=len(since),
    )
    return Measurement(
        pipeline=scoring.pipeline,
        version=scoring.champion,
        date=scoring.date,
        run_id=scoring.run_id,
        snapshot=scoring.snapshot,
        users=int(np.count_nonzero(now.lengths)),
        items=items.num_rows,
        events=len(now),
        new_events=len(since),
        measured=metrics(found) if found else None,
        popularity=metrics(popular) if popular else None,
        expected=expected,
        quality_loss_percent=drifted.quality_loss_percent,
        shift=drifted.shift,
        age_days=(scoring.date - trained_on).days,
        drifted=drifted.drifted,
        reasons=drifted.reasons,
    )


def _quality(
    declaration: Recommender, fitted: Fitted, now: Interactions, then: Interactions
) -> tuple[Evaluation, Evaluation]:
    """How the champion, and what was popular when it was trained, do on what it has not learned, by some users."""
    rules = declaration.evaluate
    some = sample(now, rules.max_users, seed=declaration.seed)
    learned = then.with_users(some.users)
    asked, held_out = unlearned(learned, some, rules.holdout_percent, seed=declaration.seed)
    popularity = fit(Popularity(), then)
    return evaluate(fitted, asked, held_out, rules.k), evaluate(popularity, asked, held_out, rules.k)


def _at_most(declaration: Recommender, found: NDArray[np.float64]) -> float:
    """The mean's upper bound, with the declared confidence."""
    confidence = declaration.promote.confidence
    return difference(found, np.zeros_like(found), confidence=confidence, seed=declaration.seed).high


def _shift(declaration: Recommender, items: pa.Table, then: Interactions, new: Interactions) -> float:
    """How far what is new lies from what was learned, by the items' groups or, where there are none, by the items."""
    said = declaration.items
    group = items[said.group or said.key]

    def groups(interactions: Interactions) -> pa.ChunkedArray:
        keys = items[said.key].combine_chunks().cast(interactions.items.type)
        places = pc.index_in(interactions.items.take(pa.array(interactions.codes)), keys)
        return group.take(places)

    trained, since = kinds(groups(then), groups(new))
    return shift(trained, since, seed=declaration.seed)
