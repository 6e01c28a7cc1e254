"""Numbers that are drawn by a seed: the same on every machine. What numpy draws with is trimmed from the layer."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_GAMMA: Final = 0x9E3779B97F4A7C15
_FRACTION: Final = 2.0**-53


def uniform(count: int, seed: int) -> NDArray[np.float64]:
    """So many numbers from 0 until before 1, by splitmix64.

    Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.
    """
    start = _mixed(np.array([seed % 2**64], np.uint64))
    states = start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GAMMA)
    return (_mixed(states) >> np.uint64(11)).astype(np.float64) * _FRACTION


def below(limit: int, count: int, seed: int) -> NDArray[np.int64]:
    """So many whole numbers from 0 until before the limit."""
    return (uniform(count, seed) * limit).astype(np.int64)


def kinds_of(shares: NDArray[np.float64], count: int, seed: int) -> NDArray[np.int64]:
    """How often each kind is drawn in so many draws; `shares` add up to 1."""
    drawn = np.searchsorted(np.cumsum(shares), uniform(count, seed), side="right")
    return np.bincount(np.minimum(drawn, len(shares) - 1), minlength=len(shares))


def _mixed(states: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = (states ^ (states >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
