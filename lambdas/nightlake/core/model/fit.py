"""Fits a recipe to interactions, in numpy alone and in bounded memory."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nightlake.core.model.fitted import Fitted
from nightlake.core.model.interactions import Interactions
from nightlake.core.model.meetings import CELLS, Meetings, dense_products
from nightlake.core.model.neighbours import Table, empty, keep, neighbours
from nightlake.core.model.recipe import Bm25, Cosine, Ease, Popularity, Recipe
from nightlake.core.model.weights import fitted_weights

Progress = Callable[[str], None]
Blocks = Iterator[tuple[int, NDArray[np.float64]]]
_FEWEST: Final = 2  # who has met nothing but one user can be recommended for no reason


def silent(_: str) -> None:
    """Progress that nobody listens to."""


def fit(recipe: Recipe, interactions: Interactions, progress: Progress = silent) -> Fitted:
    """The model that the recipe makes of the interactions; the same for the same interactions."""
    progress(f"fitting {recipe.name} to {len(interactions):,} interactions")
    match recipe:
        case Popularity():
            table = empty(len(interactions.items), 1)
        case Cosine() | Bm25():
            table = neighbours(interactions, fitted_weights(interactions, recipe), recipe.neighbours)
        case Ease():
            table = _ease(recipe, interactions)
    return Fitted(
        recipe=recipe,
        items=interactions.items,
        popularity=(interactions.popularity / max(len(interactions.users), 1)).astype(np.float32),
        neighbours=table[0],
        values=table[1],
    )


def _ease(recipe: Ease, interactions: Interactions) -> Table:
    """B = -P / diag(P) off the diagonal, where P is the inverse of the items' products and the regularisation."""
    learned = _most_heard(interactions, recipe.catalogue)
    table = empty(len(interactions.items), min(recipe.neighbours, max(len(learned) - 1, 1)))
    if len(learned) < _FEWEST:
        return table
    known = interactions.with_items(interactions.items.take(pa.array(learned)))
    entries = fitted_weights(interactions, recipe)[np.isin(interactions.codes, learned)]
    codes, values = empty(len(learned), table[0].shape[1])
    for begin, block in (_by_users if len(known.users) < len(learned) else _by_items)(known, entries, recipe):
        keep(block, begin, (codes, values))
    table[0][learned] = np.where(codes >= 0, learned[codes], -1)
    table[1][learned] = values
    return table


def _by_items(known: Interactions, entries: NDArray[np.float64], recipe: Ease) -> Blocks:
    """Rows of B as it is written down: the matrix that is inverted is one of items."""
    products = dense_products(Meetings(known, entries))
    products[np.diag_indices_from(products)] += recipe.regularisation
    inverse = np.linalg.inv(products).astype(np.float64, copy=False)
    diagonal = np.diag(inverse).copy()
    step = max(1, CELLS // len(diagonal))
    for begin in range(0, len(diagonal), step):
        yield begin, inverse[begin : begin + step] / -diagonal


def _by_users(known: Interactions, entries: NDArray[np.float64], recipe: Ease) -> Blocks:
    """The same rows where users are fewer than items: by Woodbury's identity the inverted matrix is one of users.

    With X [users, items] and K the inverse of X Xᵀ + λ, P is (1 - Xᵀ K X) / λ.
    """
    whole = np.zeros((len(known.users), len(known.items)))
    whole[known.user_codes, known.codes] = entries
    inverted = np.linalg.inv(whole @ whole.T + recipe.regularisation * np.eye(len(whole))) @ whole
    remaining = 1 - np.einsum("ui,ui->i", whole, inverted)
    step = max(1, CELLS // whole.shape[1])
    for begin in range(0, whole.shape[1], step):
        yield begin, whole[:, begin : begin + step].T @ inverted / remaining


def _most_heard(interactions: Interactions, limit: int) -> NDArray[np.int64]:
    """The codes of the items that most users have, ascending; ties by code."""
    heard = interactions.popularity
    most = np.lexsort((np.arange(len(heard)), -heard))[:limit]
    return np.sort(most[heard[most] >= _FEWEST])
