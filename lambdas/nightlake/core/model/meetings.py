"""Where items meet: products of items by items, from the histories that hold both."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightlake.core.model.interactions import Interactions
from nightlake.core.model.ragged import gather, spans, starts_of

CELLS: Final = 1 << 21
"""So many numbers of a block, about: 16 MB of float64, and a few blocks at once."""
LONGEST_HISTORY: Final = 1000
"""Of a longer history those with the greatest counts meet: pairs grow with its square, and say ever less."""
_SCATTER: Final = np.uint32(2_654_435_761)  # Knuth's multiplicative hash: equals are drawn, not the lowest ids
_PAIR: Final = 500
"""A pair costs as much time as so many products of a dense block."""


class Meetings:
    """The product of two items is the sum of the products of their entries, over the users that have both.

    `pairs` says how many such products each item's row is the sum of.
    """

    def __init__(self, interactions: Interactions, entries: NDArray[np.float64]) -> None:
        self.users, self.width = len(interactions.users), len(interactions.items)
        self._starts, self._items, self._entries = _shortened(interactions, entries)
        by_item = np.argsort(self._items, kind="stable")
        self._users = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))[by_item]
        self._own = self._entries[by_item]
        self._item_starts = starts_of(np.bincount(self._items, minlength=self.width))
        self._before = np.concatenate(([0], np.cumsum(np.diff(self._starts)[self._users])))
        self.pairs = np.diff(self._before[self._item_starts])

    @property
    def are_dense(self) -> bool:
        """Whether products of dense blocks of users are made faster than those of pairs."""
        return _PAIR * int(self.pairs.sum()) > self.users * self.width**2

    def histories(self) -> Iterator[NDArray[np.float64]]:
        """The entries as dense blocks of some users by all items."""
        for begin, end in spans(np.full(self.users, self.width), CELLS):
            places, lengths = gather(self._starts, np.arange(begin, end))
            found = np.zeros((end - begin, self.width))
            found[np.repeat(np.arange(end - begin), lengths), self._items[places]] = self._entries[places]
            yield found

    def block(self, begin: int, end: int) -> NDArray[np.float64]:
        """The rows of the items from `begin` until before `end`: [end - begin, width]."""
        size = (end - begin) * self.width
        found = np.zeros(size)
        for cells, products in self.parts(begin, end):
            found += np.bincount(cells, products, minlength=size)
        return found.reshape(-1, self.width)

    def parts(self, begin: int, end: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """What the same rows are the sums of: places in them, as in a flat array, and products; CELLS at once."""
        first, last = self._item_starts[begin], self._item_starts[end]
        row = np.repeat(np.arange(end - begin), np.diff(self._item_starts[begin : end + 1]))
        for start, stop in spans(np.diff(self._before[first : last + 1]), CELLS):
            inside = slice(first + start, first + stop)
            places, lengths = gather(self._starts, self._users[inside])
            cells = np.repeat(row[start:stop] * self.width, lengths) + self._items[places]
            yield cells, np.repeat(self._own[inside], lengths) * self._entries[places]


def dense_products(meetings: Meetings) -> NDArray[np.float64]:
    """All products of items by items in one matrix, in the way that is faster."""
    products = np.zeros((meetings.width, meetings.width))
    if meetings.are_dense:
        for histories in meetings.histories():
            products += histories.T @ histories
    else:
        for begin, end in spans(np.maximum(meetings.pairs, meetings.width), CELLS):
            products[begin:end] = meetings.block(begin, end)
    return products


def _shortened(
    interactions: Interactions, entries: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Starts, items and entries of the histories, none longer than LONGEST_HISTORY."""
    lengths = interactions.lengths
    if not len(lengths) or lengths.max() <= LONGEST_HISTORY:
        return interactions.starts, interactions.codes, entries
    drawn = interactions.codes.astype(np.uint32) * _SCATTER
    heaviest = np.lexsort((drawn, -interactions.counts, interactions.user_codes))
    rank = np.arange(len(entries)) - np.repeat(interactions.starts[:-1], lengths)
    kept = np.zeros(len(entries), bool)
    kept[heaviest] = rank < LONGEST_HISTORY
    return starts_of(np.minimum(lengths, LONGEST_HISTORY)), interactions.codes[kept], entries[kept]
