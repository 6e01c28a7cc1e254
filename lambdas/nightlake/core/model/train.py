"""Trains a version of a model: the best of the recipes that compete, fitted to everything."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from nightlake.core.code_version import code_version
from nightlake.core.model.candidates import Result, choose
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.fit import Progress, fit, silent
from nightlake.core.model.interactions import to_table
from nightlake.core.model.learn import metrics, read_interactions
from nightlake.core.model.model_record import ModelRecord, Trial
from nightlake.core.model.parquet import parquet_bytes
from nightlake.core.model.pin import newest_date, pinned_snapshot
from nightlake.core.model.registry import claim_version, digest, find_record, keep_version
from nightlake.core.store import Store


class Training(BaseModel):
    """What the state machine tells: the pinned snapshot, the champion (0: none), and why it is trained."""

    model_config = ConfigDict(frozen=True)

    pipeline: str
    run_id: str
    snapshot: int
    champion: int
    reason: str
    execution_id: str


def train(
    training: Training,
    declaration: Recommender,
    *,
    contract_hash: str,
    store: Store,
    now: datetime,
    progress: Progress = silent,
) -> ModelRecord:
    """The version that this execution trains; a retry after its record was written finds it.

    Raises SnapshotNotFoundError, TrainingDataMissingError, InteractionsUnusableError or PublishContendedError.
    """
    version = claim_version(store, training.pipeline, training.execution_id)
    if (kept := find_record(store, training.pipeline, version)) is not None:
        return kept
    snapshot = pinned_snapshot(store, training.pipeline, training.snapshot)
    interactions = read_interactions(store, snapshot, declaration)
    choice = choose(interactions, declaration, progress)
    artifact = fit(choice.recipe, interactions, progress).to_bytes()
    learned = parquet_bytes(to_table(interactions))
    trials = tuple(_trials(choice.results))
    record = ModelRecord(
        version=version,
        pipeline=training.pipeline,
        created_at=now.isoformat(timespec="seconds"),
        execution=training.execution_id,
        run_id=training.run_id,
        reason=training.reason,
        snapshot=snapshot.number,
        date=newest_date(snapshot),
        code_version=code_version(),
        contract_hash=contract_hash,
        recipe=choice.recipe,
        seed=declaration.seed,
        chosen_because=choice.reason,
        metrics=next(trial.metrics for trial in trials if trial.recipe == choice.recipe),
        baseline=trials[0].metrics,
        trials=trials,
        champion_then=training.champion,
        users=len(interactions.users),
        items=len(interactions.items),
        events=len(interactions),
        left_out=interactions.left_out,
        artifact_sha256=digest(artifact),
        artifact_bytes=len(artifact),
        interactions_sha256=digest(learned),
    )
    return keep_version(store, record, artifact=artifact, interactions=learned)


def _trials(results: Sequence[Result]) -> list[Trial]:
    return [Trial(recipe=result.recipe, metrics=metrics(result.evaluation)) for result in results]
