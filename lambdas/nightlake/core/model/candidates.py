"""Chooses among the recipes that compete, by what they find of what is held out; popularity always competes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nightlake.core.model.declaration import Recommender
from nightlake.core.model.evaluation import Difference, Evaluation, difference, evaluate
from nightlake.core.model.fit import Progress, fit, silent
from nightlake.core.model.fitted import Fitted
from nightlake.core.model.interactions import Interactions
from nightlake.core.model.recipe import Popularity, Recipe
from nightlake.core.model.split import sample, split

MAX_LEARNED_USERS: Final = 20_000
"""Recipes compete on so many users at most, drawn by a hash: which is best changes little with more."""


@dataclass(frozen=True)
class Result:
    """How one recipe did, and how much more precise it was than popularity."""

    recipe: Recipe
    evaluation: Evaluation
    gain: Difference


@dataclass(frozen=True)
class Choice:
    """The recipe to fit, how all of them did (popularity first), and why it is this one."""

    recipe: Recipe
    results: tuple[Result, ...]
    reason: str


def compare(
    recipes: Sequence[Recipe],
    train: Interactions,
    held_out: Interactions,
    declared: Recommender,
    progress: Progress = silent,
) -> tuple[Result, ...]:
    """Every recipe fitted to the same and asked for the same; popularity first."""
    rules = declared.evaluate
    judged = judged_users(held_out, rules.max_users, seed=declared.seed)
    found: list[Result] = []
    for recipe in (Popularity(), *(recipe for recipe in recipes if not isinstance(recipe, Popularity))):
        evaluation = evaluate(fit(recipe, train, progress), train, judged, rules.k)
        baseline = found[0].evaluation if found else evaluation
        found.append(Result(recipe, evaluation, gain(evaluation, baseline, declared)))
        progress(f"{recipe.name}: precision {evaluation.precision:.4f} of {evaluation.users:,} users")
    return tuple(found)


def choose(interactions: Interactions, declared: Recommender, progress: Progress = silent) -> Choice:
    """The recipe that is best on a part of what a model may learn from, if it then beats popularity on the held out.

    The part that recipes are chosen by is not the one that the chosen is judged by: nothing is flattered.
    """
    rules = declared.evaluate
    drawn = sample(interactions, MAX_LEARNED_USERS, seed=declared.seed)
    train, held_out = split(drawn, rules.holdout_percent, seed=declared.seed)
    inner = split(train, rules.holdout_percent, seed=declared.seed + 1)
    results = compare(declared.candidates, *inner, declared, progress)
    best = max(results, key=lambda result: result.evaluation.precision)  # the first of equals
    if isinstance(best.recipe, Popularity):
        return Choice(best.recipe, results, "no candidate found more than popularity")
    confirmed = compare((best.recipe,), train, held_out, declared, progress)[-1]
    told = f"by {signed(confirmed.gain)} at {100 * declared.promote.confidence:g} % confidence"
    if confirmed.evaluation.users < rules.min_users:
        few = f"only {confirmed.evaluation.users:,} users can be judged by, {rules.min_users:,} are needed"
        return Choice(Popularity(), results, f"{few}: popularity")
    if confirmed.gain.low <= 0:
        return Choice(Popularity(), results, f"no candidate was better than popularity: {best.recipe.name} {told}")
    return Choice(best.recipe, results, f"{best.recipe.name} was the best candidate, better than popularity {told}")


def refit_without(
    stored: Interactions, held_out: Interactions, recipe: Recipe, progress: Progress = silent
) -> tuple[Fitted, Interactions]:
    """A champion as it would be had it never seen what is held out, and what it learned from."""
    left = stored.without(held_out)
    return fit(recipe, left, progress), left


def judged_users(held_out: Interactions, users: int, *, seed: int) -> Interactions:
    """The held out of so many of its users at most; the others have nothing held out."""
    asked = np.flatnonzero(held_out.lengths)
    if len(asked) <= users:
        return held_out
    drawn = sample(held_out.of_users(asked), users, seed=seed)
    return drawn.with_users(held_out.users)


def gain(ours: Evaluation, theirs: Evaluation, declared: Recommender) -> Difference:
    """How much more precise ours is, with the declared confidence; both judged by the same users."""
    confidence = declared.promote.confidence
    return difference(ours.precisions, theirs.precisions, confidence=confidence, seed=declared.seed)


def signed(found: Difference) -> str:
    """A difference as people read it: the mean, and where it lies."""
    return f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
