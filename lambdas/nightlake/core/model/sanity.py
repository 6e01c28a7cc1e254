"""Sanity tests: what no model may do, however good its figures are."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightlake.core.model.declaration import Recommender
from nightlake.core.model.fitted import Fitted
from nightlake.core.model.interactions import Interactions
from nightlake.core.model.recipe import Popularity
from nightlake.core.model.split import sample

_USERS: Final = 1000


def sanity_faults(
    fitted: Fitted, again: Fitted, interactions: Interactions, declared: Recommender, catalogue: pa.Array
) -> tuple[str, ...]:
    """What is wrong with a model, each as a sentence; () where nothing is.

    `again` is the same recipe fitted to the same once more, or the model as it was stored: both must recommend the
    same. `catalogue` are the ids of the items that there are. Tried on some users of the interactions.
    """
    return tuple(_faults(fitted, again, interactions, declared, catalogue))


def _faults(
    fitted: Fitted, again: Fitted, interactions: Interactions, declared: Recommender, catalogue: pa.Array
) -> Iterator[str]:
    tried = sample(interactions, _USERS, seed=declared.seed)
    k = declared.list_length
    codes, scores = fitted.recommend(tried, k, exclude_known=declared.exclude_known)
    other_codes, other_scores = again.recommend(tried, k, exclude_known=declared.exclude_known)
    differ = int(np.count_nonzero(((codes != other_codes) | (scores != other_scores)).any(axis=1)))
    if differ or not fitted.items.equals(again.items):
        yield f"it is not deterministic: {differ:,} of {len(codes):,} users get another list the second time"
    known = tried.with_items(fitted.items)
    left = len(fitted.items) - known.lengths if declared.exclude_known else np.full(len(codes), len(fitted.items))
    short = int(np.count_nonzero((codes >= 0).sum(axis=1) < np.minimum(left, k)))
    if short:
        yield f"{short:,} of {len(codes):,} users get a list that is empty or too short"
    if not np.isfinite(scores).all():
        yield "scores are not all numbers"
    recommended = fitted.items.take(pa.array(np.unique(codes[codes >= 0])))
    unknown = recommended.filter(pc.invert(pc.is_in(recommended, catalogue.cast(recommended.type))))
    if len(unknown):
        yield f"{len(unknown):,} recommended items are not in the catalogue, {unknown[0].as_py()!r} among them"
    if not isinstance(fitted.recipe, Popularity):
        yield from _popular(fitted, codes[codes >= 0], declared)


def _popular(fitted: Fitted, codes: np.ndarray[tuple[int], np.dtype[np.int32]], declared: Recommender) -> Iterator[str]:
    rules = declared.sanity
    many = max(1, round(len(fitted.items) * rules.popular_percent / 100))
    popular = np.lexsort((np.arange(len(fitted.items)), -fitted.popularity))[:many]
    share = float(np.isin(codes, popular).mean()) if len(codes) else 0.0
    if many < len(fitted.items) and share > rules.max_popularity_share:
        yield (
            f"{100 * share:.1f} % of what it recommends are the {many:,} most popular items, "
            f"{100 * rules.max_popularity_share:g} % may be"
        )
