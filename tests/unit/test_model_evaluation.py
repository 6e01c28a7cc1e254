"""How models are judged: the metrics of the books, bounds that know what chance is, and the recipe that is chosen."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listening import COLUMNS, clusters, declared, interactions, noise, rows
from nightlake.core.model.candidates import choose, compare, judged_users
from nightlake.core.model.evaluation import difference, evaluate
from nightlake.core.model.fit import fit
from nightlake.core.model.interactions import from_table, to_table
from nightlake.core.model.recipe import Cosine, Ease, Popularity, Recipe
from nightlake.core.model.split import split

RECIPES: tuple[Recipe, ...] = (Popularity(), Cosine(), Ease(regularisation=5))
ENTRIES = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 15), st.integers(1, 5).map(float)), min_size=1, max_size=90
)


@given(ENTRIES, st.sampled_from(RECIPES), st.integers(1, 12))
@settings(deadline=None)
def test_metrics_are_those_that_anybody_would_count(
    entries: list[tuple[int, int, float]], recipe: Recipe, k: int
) -> None:
    train, held_out = split(interactions(list(entries)), 40)
    model = fit(recipe, train)
    found = evaluate(model, train, held_out, k)
    users = [user for user in range(len(train.users)) if held_out.lengths[user]]
    codes, _ = model.recommend(train, k)
    precisions, recalls, ndcgs, maps, seen = [], [], [], [], set()
    for user in users:
        wanted = set(held_out.codes[held_out.starts[user] : held_out.starts[user + 1]].tolist())
        listed = [int(code) for code in codes[user] if code >= 0]
        seen |= set(listed)
        hits = [item in wanted for item in listed]
        precisions.append(sum(hits) / k)
        recalls.append(sum(hits) / len(wanted))
        gained = sum(1 / math.log2(rank + 2) for rank, hit in enumerate(hits) if hit)
        ndcgs.append(gained / sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted)))))
        maps.append(
            sum(sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit) / min(k, len(wanted))
        )
    assert found.users == len(users)
    for ours, theirs in (
        (found.precisions, precisions),
        (found.recalls, recalls),
        (found.ndcgs, ndcgs),
        (found.maps, maps),
    ):
        np.testing.assert_allclose(ours, theirs)
    assert found.coverage == pytest.approx(len(seen) / len(train.items))


def test_who_had_nothing_held_out_is_not_judged() -> None:
    train, held_out = split(interactions([("a", "x", 1), ("b", "x", 1), ("b", "y", 1)]), 50)
    assert evaluate(fit(Popularity(), train), train, held_out, 3).users == 1


def test_a_model_of_other_items_is_judged_by_ids() -> None:
    train, held_out = split(from_table(clusters(users=60, items=60), COLUMNS), 25)
    model = fit(Cosine(), train)
    wider = from_table(clusters(users=200, seed=9), COLUMNS)
    other = fit(Cosine(), wider)
    assert not model.items.equals(other.items)
    renamed = evaluate(other, train, held_out, 10)
    assert 0 < renamed.precision < 1
    assert renamed.users == evaluate(model, train, held_out, 10).users


def test_the_bounds_hold_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    found = [difference(random.normal(0.1, 1, 200), np.zeros(200), confidence=0.9, seed=trial) for trial in range(40)]
    assert all(each.low < each.mean < each.high for each in found)
    assert 30 <= sum(each.low <= 0.1 <= each.high for each in found) < 40


def test_the_bounds_are_the_same_for_a_seed() -> None:
    ours, theirs = np.linspace(0, 1, 50), np.linspace(0, 0.9, 50)
    assert difference(ours, theirs, seed=1) == difference(ours, theirs, seed=1)
    assert difference(ours, theirs, seed=1) != difference(ours, theirs, seed=2)
    assert difference(ours, ours).low == difference(ours, ours).high == 0


def test_taste_is_learned_where_there_is_any() -> None:
    table = clusters()
    choice = choose(from_table(table, COLUMNS), declared())
    assert not isinstance(choice.recipe, Popularity)
    assert "better than popularity by +" in choice.reason
    train, held_out = split(from_table(table, COLUMNS), 25)
    popularity, best = compare((choice.recipe,), train, held_out, declared())
    assert best.gain.low > 0
    assert best.evaluation.precision > 1.3 * popularity.evaluation.precision


@pytest.mark.parametrize("seed", range(3))
def test_popularity_is_chosen_where_nothing_can_be_learned(seed: int) -> None:
    choice = choose(from_table(noise(users=120, seed=seed), COLUMNS), declared())
    assert choice.recipe == Popularity()
    assert "no candidate" in choice.reason


@pytest.mark.parametrize(
    "entries",
    [
        [("a", "x", 1)],
        [("a", item, 1) for item in "uvwxyz"],
        [(user, "x", 1) for user in "abcdef"],
        [(user, item, 1) for user in range(60) for item in range(8)],
    ],
    ids=["one of each", "one user", "one item", "all the same"],
)
def test_popularity_is_chosen_where_there_is_too_little(entries: list[tuple[object, object, float]]) -> None:
    choice = choose(interactions(entries), declared())
    assert choice.recipe == Popularity()
    codes, _ = fit(choice.recipe, interactions(entries)).recommend(interactions(entries), 3)
    assert len(codes)


def test_few_users_prove_nothing() -> None:
    choice = choose(from_table(clusters(users=40), COLUMNS), declared())
    assert choice.recipe == Popularity()
    assert "40 users can be judged by, 50 are needed" in choice.reason or "no candidate" in choice.reason


def test_the_recipe_chosen_does_not_depend_on_the_order_of_rows() -> None:
    table = clusters(users=120)
    shuffled = table.take(np.random.default_rng(5).permutation(len(table)))
    one, other = (choose(from_table(each, COLUMNS), declared()) for each in (table, shuffled))
    assert one.recipe == other.recipe
    assert one.reason == other.reason


def test_a_great_many_users_are_judged_by_some_of_them() -> None:
    _, held_out = split(from_table(clusters(users=100), COLUMNS), 25)
    some = judged_users(held_out, 30, seed=0)
    assert np.count_nonzero(some.lengths) == 30
    assert some.users.equals(held_out.users)
    kept, whole = ({tuple(row.values()) for row in to_table(each).to_pylist()} for each in (some, held_out))
    assert kept < whole


def test_ratings_are_counts_as_well() -> None:
    random = np.random.default_rng(2)
    table = clusters(users=150)
    rated = rows([(row["user_id"], row["track_id"], float(random.integers(1, 6))) for row in table.to_pylist()])
    assert not isinstance(choose(from_table(rated, COLUMNS), declared()).recipe, Popularity)
