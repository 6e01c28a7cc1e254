"""How good recommendations are: what they found of what was held out, user by user."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightlake.core.model.draws import below
from nightlake.core.model.fitted import Fitted
from nightlake.core.model.interactions import Interactions

RESAMPLES = 2000
_DRAWN_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Means over the users that had something held out; the arrays have one number for each of them.

    precision: of the k places, those that were found. recall: of what was held out. ndcg and map: found early counts
    more, 1 is the best that k places allow. coverage: of the items, those recommended to anybody.
    """

    k: int
    coverage: float
    precisions: NDArray[np.float64]
    recalls: NDArray[np.float64]
    ndcgs: NDArray[np.float64]
    maps: NDArray[np.float64]

    @property
    def users(self) -> int:
        """So many were judged by."""
        return len(self.precisions)

    @property
    def precision(self) -> float:
        """Mean precision at k."""
        return _mean(self.precisions)

    @property
    def recall(self) -> float:
        """Mean recall at k."""
        return _mean(self.recalls)

    @property
    def ndcg(self) -> float:
        """Mean normalised discounted cumulative gain at k."""
        return _mean(self.ndcgs)

    @property
    def map(self) -> float:
        """Mean average precision at k."""
        return _mean(self.maps)

    @property
    def figures(self) -> dict[str, float]:
        """What a record holds."""
        named = ("precision", "recall", "ndcg", "map", "coverage")
        return {"users": self.users, "k": self.k, **{name: round(getattr(self, name), 6) for name in named}}


@dataclass(frozen=True)
class Difference:
    """How much more one has than another: the mean, and where it lies with the confidence asked for."""

    low: float
    mean: float
    high: float


def evaluate(fitted: Fitted, train: Interactions, held_out: Interactions, k: int) -> Evaluation:
    """Recommend by what stays and look for what was held out; items that the model does not know are not found.

    Both parts have the same users and items, as `split` gives them.
    """
    asked = np.flatnonzero(held_out.lengths)
    histories, wanted = train.of_users(asked), held_out.of_users(asked)
    codes, _ = fitted.recommend(histories, k)
    hits = _hits(codes, wanted.with_items(fitted.items))
    counts = wanted.lengths
    places = np.arange(1, k + 1)
    discounts = 1 / np.log2(places + 1)
    possible = np.minimum(counts, k)
    precise = np.cumsum(hits, axis=1) / places
    return Evaluation(
        k=k,
        coverage=len(np.unique(codes[codes >= 0])) / max(len(train.items), 1),
        precisions=hits.sum(axis=1) / k,
        recalls=hits.sum(axis=1) / counts,
        ndcgs=(hits * discounts).sum(axis=1) / np.cumsum(discounts)[possible - 1],
        maps=(hits * precise).sum(axis=1) / possible,
    )


def difference(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], *, confidence: float = 0.95, seed: int = 0
) -> Difference:
    """How much more ours is than theirs in the mean, by a paired bootstrap over the users; the same for a seed."""
    gains = ours - theirs
    if not len(gains):
        return Difference(0.0, 0.0, 0.0)
    means = np.concatenate([each.mean(axis=1) for each in _resamples(gains, seed)])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Difference(float(low), float(gains.mean()), float(high))


def _resamples(gains: NDArray[np.float64], seed: int) -> Iterator[NDArray[np.float64]]:
    """RESAMPLES samples as large as the gains, some at a time, [samples, users]."""
    users = len(gains)
    at_once = max(1, _DRAWN_AT_ONCE // users)
    for first in range(0, RESAMPLES, at_once):
        samples = min(at_once, RESAMPLES - first)
        drawn = below(users, samples * users, seed * RESAMPLES + first)
        yield gains[drawn].reshape(samples, users)


def _hits(codes: NDArray[np.int32], wanted: Interactions) -> NDArray[np.bool_]:
    width = len(wanted.items)
    rows = np.arange(len(codes))[:, None] * width
    return np.isin(rows + codes, wanted.user_codes * width + wanted.codes) & (codes >= 0)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
