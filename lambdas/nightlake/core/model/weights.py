"""What an interaction weighs, by a recipe."""

import numpy as np
from numpy.typing import NDArray

from nightlake.core.model.interactions import Interactions
from nightlake.core.model.recipe import Bm25, Cosine, Ease, Recipe, Weight


def weights(interactions: Interactions, recipe: Recipe) -> NDArray[np.float64]:
    """What each entry says of its user's taste: of use for histories that the model was not fitted on, too."""
    match recipe:
        case Cosine() | Ease():
            return _weighted(interactions, recipe.weight)
        case _:
            return interactions.counts.astype(np.float64)


def fitted_weights(interactions: Interactions, recipe: Recipe) -> NDArray[np.float64]:
    """What each entry weighs where items are compared: as in `weights`, set beside its item and its user."""
    match recipe:
        case Cosine():
            entries = _weighted(interactions, recipe.weight)
            squares = np.bincount(interactions.codes, entries**2, minlength=len(interactions.items))
            return entries / np.sqrt(squares)[interactions.codes]
        case Bm25():
            return _bm25(interactions, recipe)
        case _:
            return weights(interactions, recipe)


def _weighted(interactions: Interactions, weight: Weight) -> NDArray[np.float64]:
    counts = interactions.counts.astype(np.float64)
    match weight:
        case "binary":
            return np.ones_like(counts)
        case "count":
            return counts
        case "log":
            return np.log1p(counts)
        case "share":
            logs = np.log1p(counts)
            greatest = np.zeros(len(interactions.users))
            np.maximum.at(greatest, interactions.user_codes, logs)
            shares: NDArray[np.float64] = logs / greatest[interactions.user_codes]
            return shares


def _bm25(interactions: Interactions, recipe: Bm25) -> NDArray[np.float64]:
    """Items are the documents, users their words: who has many items says little, and so does an item of many."""
    counts = interactions.counts.astype(np.float64)
    width = len(interactions.items)
    rarity: NDArray[np.float64] = np.log(width) - np.log1p(interactions.lengths)
    heard = np.bincount(interactions.codes, counts, minlength=width)
    length = 1 - recipe.b + recipe.b * heard / heard.mean()
    saturated: NDArray[np.float64] = counts * (recipe.k1 + 1) / (recipe.k1 * length[interactions.codes] + counts)
    return saturated * rarity[interactions.user_codes]
