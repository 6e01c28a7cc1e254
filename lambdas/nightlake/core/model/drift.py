"""Drift: whether a model still fits what is listened to."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nightlake.core.model.declaration import DriftLimits
from nightlake.core.model.draws import kinds_of
from nightlake.core.model.interactions import Interactions
from nightlake.core.model.split import split

_DRAWS: Final = 50


@dataclass(frozen=True)
class Drift:
    """quality_loss_percent: None where too little is new to say. shift: 0 (as at training) to 1 (nothing in common)."""

    quality_loss_percent: float | None
    shift: float | None
    age_days: float
    new_events: int
    reasons: tuple[str, ...]

    @property
    def drifted(self) -> bool:
        """Whether the model is to be trained anew."""
        return bool(self.reasons)


def unlearned(
    trained: Interactions, current: Interactions, percent: float, *, seed: int = 0
) -> tuple[Interactions, Interactions]:
    """What a model is asked by each night, and for: histories as they are now, and the newest `percent` of each as when
    a version is judged, but nothing of it that the model has learned.
    """
    _, newest = split(current, percent, seed=seed)
    held_out = newest.without(trained)
    return current.without(held_out), held_out


def kinds(values: pa.ChunkedArray, *others: pa.ChunkedArray) -> tuple[NDArray[np.int64], ...]:
    """How often each value is in each column, in the same places; what is missing is a value as well."""
    columns = [each.cast(pa.string()).fill_null("").combine_chunks() for each in (values, *others)]
    whole = pa.concat_arrays(columns).dictionary_encode()
    codes, width = whole.indices.to_numpy(), len(whole.dictionary)
    ends = np.cumsum([len(each) for each in columns])
    return tuple(
        np.bincount(codes[end - len(each) : end], minlength=width) for each, end in zip(columns, ends, strict=True)
    )


def shift(trained: NDArray[np.integer], new: NDArray[np.integer], *, seed: int = 0) -> float:
    """The Jensen-Shannon divergence of two counts of the same kinds, 0 to 1, less what chance alone would make it.

    A few new events never look like many old ones; draws of as many from the old say how much is chance.
    """
    if not trained.sum() or not new.sum():
        return 0.0
    old = trained / trained.sum()
    count = int(new.sum())
    drawn = (kinds_of(old, count, seed * _DRAWS + number) for number in range(_DRAWS))
    chance = float(np.mean([_divergence(old, draw / count) for draw in drawn]))
    found = _divergence(old, new / new.sum())
    return max(0.0, (found - chance) / (1 - chance)) if chance < 1 else 0.0


def judge_drift(
    limits: DriftLimits,
    *,
    quality_then: float,
    quality_now: float | None,
    shift: float | None,
    age_days: float,
    new_events: int,
    quality_at_most: float | None = None,
) -> Drift:
    """Qualities are recalls at k: at training, and of the new events. None is not measured. Where it is known what the
    latter are at most, a loss that may be chance is none.

    `age_days` is how long ago the model was trained, or a newer one was tried against it and found no better.
    """
    enough = new_events >= limits.min_new_events
    loss = sure_loss = None
    if enough and quality_now is not None and quality_then > 0:
        loss = 100 * (1 - quality_now / quality_then)
        sure_loss = 100 * (1 - max(quality_now, quality_at_most or 0.0) / quality_then)
    moved = shift if enough else None
    reasons = []
    allowed = limits.max_quality_loss_percent
    if sure_loss is not None and sure_loss > allowed:
        reasons.append(
            f"quality fell by {loss:.0f} %, {allowed:g} % are allowed: "
            f"{quality_now:.4f} of what was new was found, {quality_then:.4f} at training"
        )
    if moved is not None and moved > limits.max_shift:
        reasons.append(f"what is listened to moved by {moved:.3f} of 1, {limits.max_shift:g} is allowed")
    if age_days > limits.max_age_days:
        reasons.append(f"for {age_days:.0f} days no newer model was tried, {limits.max_age_days:g} are allowed")
    return Drift(loss, moved, age_days, new_events, tuple(reasons))


def _divergence(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    middle = (left + right) / 2

    def relative(part: NDArray[np.float64]) -> float:
        there = part > 0
        return float(np.sum(part[there] * np.log2(part[there] / middle[there])))

    return (relative(left) + relative(right)) / 2
