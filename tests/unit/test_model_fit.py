"""Models: the same numbers as their definitions, and lists that keep their promises whatever they learned from."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listening import COLUMNS, clusters, interactions
from nightlake.core.errors import ModelUnreadableError
from nightlake.core.model import meetings
from nightlake.core.model.fit import fit
from nightlake.core.model.fitted import Fitted
from nightlake.core.model.interactions import Interactions, from_table
from nightlake.core.model.recipe import Bm25, Cosine, Ease, Popularity, Recipe
from numpy.typing import NDArray

RECIPES = (
    Popularity(),
    Cosine(neighbours=3),
    Cosine(weight="log"),
    Bm25(),
    Ease(regularisation=2),
    Ease(weight="share"),
)
PAIRS = (0, 10**9)
"""What a pair costs: nothing, so that they are counted one by one, or far too much."""
ENTRIES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(1, 5).map(float)), min_size=1, max_size=60
)


def dense(found: Interactions) -> NDArray[np.float64]:
    matrix = np.zeros((len(found.users), len(found.items)))
    matrix[found.user_codes, found.codes] = found.counts
    return matrix


def learned(fitted: Fitted) -> NDArray[np.float64]:
    """The model as a matrix of items by items."""
    matrix = np.zeros((len(fitted.items), len(fitted.items)))
    row, place = np.nonzero(fitted.neighbours >= 0)
    matrix[row, fitted.neighbours[row, place]] = fitted.values[row, place]
    return matrix


@pytest.fixture(scope="module")
def found() -> Interactions:
    return from_table(clusters(users=80, items=30, kinds=3), COLUMNS)


@pytest.mark.parametrize("pair", PAIRS, ids=["pair by pair", "dense blocks"])
def test_cosine_is_that_of_the_columns(monkeypatch: pytest.MonkeyPatch, found: Interactions, pair: int) -> None:
    monkeypatch.setattr(meetings, "_PAIR", pair)
    heard = dense(found) > 0
    lengths = np.sqrt(heard.sum(axis=0))
    expected = heard.T.astype(float) @ heard / np.outer(lengths, lengths)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(learned(fit(Cosine(neighbours=100), found)), expected, rtol=1e-6)


def test_bm25_is_that_of_its_formula(found: Interactions) -> None:
    # Items are documents: idf = ln N - ln(1 + n) of a user, tf = x (k1 + 1) / (k1 (1 - b + b length / mean) + x).
    counts = dense(found)
    idf = np.log(counts.shape[1]) - np.log1p((counts > 0).sum(axis=1, keepdims=True))
    lengths = counts.sum(axis=0)
    weighted = counts * 2.2 / (1.2 * (0.25 + 0.75 * lengths / lengths.mean()) + counts) * idf
    expected = weighted.T @ weighted
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(learned(fit(Bm25(k1=1.2, b=0.75, neighbours=100), found)), expected, rtol=1e-5)


@pytest.mark.parametrize("pair", PAIRS, ids=["pair by pair", "dense blocks"])
@pytest.mark.parametrize("users", [80, 12], ids=["more users than items", "more items than users"])
def test_ease_is_the_best_linear_model_without_a_weight_of_an_item_on_itself(
    monkeypatch: pytest.MonkeyPatch, users: int, pair: int
) -> None:
    monkeypatch.setattr(meetings, "_PAIR", pair)
    found = from_table(clusters(users=users, items=30, kinds=3), COLUMNS)
    heard = (dense(found) > 0).astype(float)
    often = heard.sum(axis=0) >= 2
    regularisation = 5.0
    model = learned(fit(Ease(regularisation=regularisation, neighbours=100), found))
    assert not model[~often].any()
    assert not np.diag(model).any()
    # Column by column it is a ridge regression on the other items.
    for item in np.flatnonzero(often):
        others = often & (np.arange(len(often)) != item)
        basis = heard[:, others]
        solved = np.linalg.solve(basis.T @ basis + regularisation * np.eye(others.sum()), basis.T @ heard[:, item])
        np.testing.assert_allclose(model[others, item], solved, rtol=1e-4, atol=1e-6)


def test_ease_learns_the_most_heard_items_of_a_large_catalogue(found: Interactions) -> None:
    model = learned(fit(Ease(catalogue=10, neighbours=100), found))
    most = np.argsort(-found.popularity, kind="stable")[:10]
    assert set(np.flatnonzero(model.any(axis=1))) == set(most)


COUNTS = np.array(
    [[3, 0, 1, 0, 2], [0, 5, 1, 1, 0], [2, 2, 0, 0, 0], [0, 0, 4, 1, 1], [1, 0, 0, 7, 0], [0, 1, 2, 0, 3]]
)
# What the library `implicit` 0.7.3 makes of them, by CosineRecommender and by BM25Recommender(K1=1.2, B=0.75).
THEIRS = {
    "cosine": [0.19518, 0.170941, 0.261968, 0.428571, 0.272475, 0.127827, 0.146385, 0.14927, 0.683763, 0.037424],
    "bm25": [0.509453, 0.078934, 0.518861, 0.118436, 0.149302, 0.080219, 0.078934, 0.120624, 0.269696, 0.049584],
}


@pytest.mark.parametrize("recipe", [Cosine(weight="count"), Bm25()], ids=lambda recipe: recipe.algorithm)
def test_a_library_makes_the_same_of_the_same(recipe: Cosine | Bm25) -> None:
    users, items = np.nonzero(COUNTS)
    found = interactions(list(zip(users.tolist(), items.tolist(), COUNTS[users, items].astype(float), strict=True)))
    above = np.triu_indices(5, 1)
    np.testing.assert_allclose(learned(fit(recipe, found))[above], THEIRS[recipe.algorithm], atol=1e-6)


def test_only_the_strongest_neighbours_are_kept(found: Interactions) -> None:
    whole, few = learned(fit(Cosine(neighbours=100), found)), learned(fit(Cosine(neighbours=4), found))
    for every, kept in zip(whole, few, strict=True):
        strongest = np.sort(every)[::-1][:4]
        np.testing.assert_allclose(np.sort(kept[kept > 0])[::-1], strongest[strongest > 0])


@pytest.mark.parametrize("pair", PAIRS, ids=["pair by pair", "dense blocks"])
@pytest.mark.parametrize("cells", [1, 50, 1000])
@pytest.mark.parametrize(
    "recipe", [Cosine(neighbours=5), Bm25(), Ease(neighbours=5)], ids=lambda recipe: recipe.algorithm
)
def test_a_model_does_not_depend_on_how_it_is_cut_into_blocks(
    monkeypatch: pytest.MonkeyPatch, found: Interactions, recipe: Recipe, cells: int, pair: int
) -> None:
    monkeypatch.setattr(meetings, "_PAIR", pair)
    expected = fit(recipe, found)
    lists, scores = expected.recommend(found, 7)
    for module in ("meetings", "neighbours", "fit", "fitted"):
        monkeypatch.setattr(f"nightlake.core.model.{module}.CELLS", cells)
    model = fit(recipe, found)
    np.testing.assert_allclose(learned(model), learned(expected), rtol=1e-6)
    np.testing.assert_array_equal(model.recommend(found, 7)[0], lists)
    np.testing.assert_allclose(model.recommend(found, 7)[1], scores, rtol=1e-6)


def test_of_very_long_histories_the_heaviest_entries_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meetings, "LONGEST_HISTORY", 2)
    found = interactions([("a", "x", 9), ("a", "y", 8), ("a", "z", 1), ("b", "x", 5), ("b", "y", 2)])
    model = learned(fit(Cosine(weight="count"), found))
    assert model[0, 1] > 0
    assert not model[2].any()


@given(ENTRIES, st.sampled_from(RECIPES), st.integers(1, 12))
@settings(deadline=None)
def test_what_every_list_promises(entries: list[tuple[int, int, float]], recipe: Recipe, k: int) -> None:
    found = interactions(list(entries))
    codes, scores = fit(recipe, found).recommend(found, k)
    for row, (items, said) in enumerate(zip(codes, scores, strict=True)):
        had = set(found.codes[found.starts[row] : found.starts[row + 1]])
        there = [int(item) for item in items if item >= 0]
        assert len(there) == len(set(there)) == min(k, len(found.items) - len(had))
        assert not had & set(there)
        assert (items[len(there) :] == -1).all()
        positive = said[: len(there)]
        assert (np.diff(positive) <= 0).all()
        equals = np.flatnonzero((np.diff(positive) == 0) & (positive[1:] > 0))
        assert all(there[place] < there[place + 1] for place in equals)


@given(ENTRIES, st.sampled_from(RECIPES), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_rows_changes_nothing(
    entries: list[tuple[int, int, float]],
    recipe: Recipe,
    random: "random.Random",  # noqa: F821
) -> None:
    one, other = interactions(list(entries)), interactions(random.sample(entries, len(entries)))
    ours, theirs = fit(recipe, one), fit(recipe, other)
    assert ours.to_bytes() == theirs.to_bytes()
    for left, right in zip(ours.recommend(one, 5), theirs.recommend(other, 5), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_model_is_the_same_after_it_was_stored(found: Interactions, recipe: Recipe) -> None:
    model = fit(recipe, found)
    again = Fitted.from_bytes(model.to_bytes())
    assert again.recipe == recipe
    assert again.items.equals(model.items)
    for left, right in zip(model.recommend(found, 5), again.recommend(found, 5), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("damage", [slice(0), slice(7), slice(-40), slice(40, None), slice(None, None, 2)], ids=str)
def test_a_damaged_model_is_named(damage: slice) -> None:
    data = fit(Popularity(), interactions([(1, 1, 1)])).to_bytes()[damage]
    with pytest.raises(ModelUnreadableError, match="Train it anew"):
        Fitted.from_bytes(data)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_user_without_a_history_gets_what_is_popular(recipe: Recipe) -> None:
    found = interactions([("a", "x", 1), ("b", "x", 1), ("b", "y", 1), ("c", "y", 1), ("d", "y", 1), ("d", "z", 1)])
    stranger = found.with_users(pa.array(["nobody"]))
    codes, scores = fit(recipe, found).recommend(stranger, 4)
    assert found.items.take(pa.array(codes[0][:3])).to_pylist() == ["y", "x", "z"]
    assert codes[0][3] == -1
    assert not scores.any()


def test_items_that_the_model_does_not_know_are_no_obstacle(found: Interactions) -> None:
    model = fit(Cosine(), found)
    later = interactions([("u00001", "t00001", 1), ("u00001", "brand new", 5)])
    codes, _ = model.recommend(later, 5)
    assert (codes >= 0).all()
    assert "t00001" not in model.items.take(pa.array(codes[0])).to_pylist()


def test_what_is_known_may_be_recommended_again_where_it_is_asked_for() -> None:
    found = interactions([("a", "x", 1), ("b", "x", 1), ("b", "y", 1)])
    codes, _ = fit(Popularity(), found).recommend(found, 2, exclude_known=False)
    assert codes.tolist() == [[0, 1], [0, 1]]
