"""Draws: those of splitmix64, evenly spread, the same for a seed and others for another."""

import numpy as np
from nightlake.core.model import draws
from nightlake.core.model.draws import below, kinds_of, uniform


def test_the_generator_is_splitmix64() -> None:
    # The first three outputs for the seed 1234567, as its authors' C code prints them.
    gamma = np.uint64(0x9E3779B97F4A7C15)
    states = np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * gamma
    assert [*map(int, draws._mixed(states))] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_draws_are_the_same_for_a_seed_and_others_for_another() -> None:
    assert np.array_equal(uniform(1000, 5), uniform(1000, 5))
    assert np.array_equal(uniform(10, 5), uniform(1000, 5)[:10])
    assert abs(np.corrcoef(uniform(10_000, 5), uniform(10_000, 6))[0, 1]) < 0.05


def test_draws_are_evenly_spread() -> None:
    drawn = uniform(100_000, 1)
    assert 0 <= drawn.min() < drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.005
    counts = np.bincount(below(7, 70_000, 2), minlength=7)
    assert counts.shape == (7,)
    assert (abs(counts - 10_000) < 500).all()


def test_kinds_come_as_often_as_their_shares_say() -> None:
    counts = kinds_of(np.array([0.5, 0.0, 0.3, 0.2]), 100_000, 3)
    assert counts.sum() == 100_000
    assert counts[1] == 0
    assert (abs(counts - [50_000, 0, 30_000, 20_000]) < 1_000).all()
