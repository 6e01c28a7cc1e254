"""Judges a version of a model: against the champion and popularity, by the same users and the same held-out events."""

from nightlake.core.model.candidates import compare, gain, judged_users, refit_without
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.evaluation import Difference as Gain
from nightlake.core.model.evaluation import evaluate
from nightlake.core.model.fit import Progress, fit, silent
from nightlake.core.model.fitted import Fitted
from nightlake.core.model.gate import judge
from nightlake.core.model.learn import catalogue, metrics, recorded_interactions
from nightlake.core.model.model_record import Difference, ModelVerdict
from nightlake.core.model.pin import pinned_snapshot
from nightlake.core.model.registry import find_verdict, get_artifact, get_record, keep_verdict
from nightlake.core.model.sanity import sanity_faults
from nightlake.core.model.split import split
from nightlake.core.store import Store


def judge_version(
    store: Store,
    pipeline: str,
    declaration: Recommender,
    *,
    version: int,
    champion: int,
    at: str,
    progress: Progress = silent,
) -> ModelVerdict:
    """The verdict on a version, against this champion (0: none), which is kept beside it.

    The recipes of both are fitted to what is not held out; the champion's to what it was trained on, so that it pays
    for its age. Raises ModelNotFoundError, ModelUnreadableError, SnapshotNotFoundError or TrainingDataMissingError.
    """
    kept = find_verdict(store, pipeline, version)
    if kept is not None and kept.against == champion:
        return kept
    record = get_record(store, pipeline, version)
    interactions = recorded_interactions(store, record)
    train, held_out = split(interactions, declaration.evaluate.holdout_percent, seed=declaration.seed)
    results = compare((record.recipe,), train, held_out, declaration, progress)
    challenger, popularity = results[-1].evaluation, results[0].evaluation
    reigning = None
    if champion:
        reign = get_record(store, pipeline, champion)
        learned = recorded_interactions(store, reign)
        fitted, _ = refit_without(learned, held_out, reign.recipe, progress)
        judged = judged_users(held_out, declaration.evaluate.max_users, seed=declaration.seed)
        reigning = evaluate(fitted, train, judged, declaration.evaluate.k)
    stored = Fitted.from_bytes(get_artifact(store, record))
    there = catalogue(store, pinned_snapshot(store, pipeline, record.snapshot), declaration)
    again = fit(record.recipe, interactions, progress)
    verdict = judge(
        recipe=record.recipe,
        challenger=challenger,
        champion=reigning,
        popularity=popularity,
        declared=declaration,
        faults=sanity_faults(stored, again, interactions, declaration, there),
    )
    told = ModelVerdict(
        version=version,
        against=champion,
        at=at,
        challenger=metrics(challenger),
        champion=metrics(reigning) if reigning else None,
        popularity=metrics(popularity),
        lead=_difference(gain(challenger, reigning, declaration)) if reigning else None,
        over_popularity=_difference(gain(challenger, popularity, declaration)),
        promote=verdict.promote,
        reasons=verdict.reasons,
    )
    keep_verdict(store, pipeline, told)
    return told


def _difference(found: Gain) -> Difference:
    return Difference(low=found.low, mean=found.mean, high=found.high)
