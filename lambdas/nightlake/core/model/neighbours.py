"""The strongest neighbours of each item, from products of items by items that never stand in memory whole."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightlake.core.model.interactions import Interactions
from nightlake.core.model.ragged import gather, spans, starts_of

CELLS: Final = 1 << 22
"""So many numbers of a block: 32 MB of float64, and a few blocks at once."""
LONGEST_HISTORY: Final = 1000
"""Of a longer history those with the greatest counts meet: pairs grow with its square, and say ever less."""
_SCATTER: Final = np.uint32(2_654_435_761)  # Knuth's multiplicative hash: equals are drawn, not the lowest ids

_SPARSE: Final = 2
"""A block that has more than so many cells for each pair is summed by sorting its pairs."""
_LEAST: Final = np.finfo(np.float64).tiny

Table = tuple[NDArray[np.int32], NDArray[np.float32]]


def neighbours(interactions: Interactions, entries: NDArray[np.float64], count: int) -> Table:
    """The `count` products of each item's column of entries with the others' that are farthest from 0, ties by code.

    Codes and products are [items, count]; a code of -1 is none, its product 0.
    """
    width = len(interactions.items)
    table = empty(width, min(count, max(width - 1, 1)))
    starts, items, values = _shortened(interactions, entries)
    by_item = np.argsort(items, kind="stable")
    users, own = np.repeat(np.arange(len(starts) - 1), np.diff(starts))[by_item], values[by_item]
    item_starts = starts_of(np.bincount(items, minlength=width))
    pairs = np.concatenate(([0], np.cumsum(np.diff(starts)[users])))
    costs = np.diff(pairs[item_starts])
    for begin, end in spans(costs, CELLS):
        first, last = item_starts[begin], item_starts[end]
        total = costs[begin:end].sum()
        dense = total > CELLS or (end - begin) * width <= _SPARSE * total
        block = np.zeros((end - begin) * width if dense else 0)
        row = np.repeat(np.arange(end - begin), np.diff(item_starts[begin : end + 1]))
        for start, stop in spans(np.diff(pairs[first : last + 1]), CELLS):  # more than one for the most popular
            inside = slice(first + start, first + stop)
            places, lengths = gather(starts, users[inside])
            cells = np.repeat(row[start:stop] * width, lengths) + items[places]
            products = np.repeat(own[inside], lengths) * values[places]
            if dense:
                block += np.bincount(cells, products, minlength=len(block))
            else:
                _keep_sums(cells, products, begin, width, table)
        if dense:
            keep(block.reshape(-1, width), begin, table)
    return table


def empty(width: int, count: int) -> Table:
    """A table without neighbours."""
    return np.full((width, count), -1, np.int32), np.zeros((width, count), np.float32)


def keep(block: NDArray[np.float64], begin: int, table: Table) -> None:
    """Keep the entries of a block's rows that are farthest from 0; row r is that of the item `begin + r`."""
    count = table[0].shape[1]
    far = np.abs(block)
    least = np.zeros(len(block))
    if count + 1 < block.shape[1]:  # one more: an item is no neighbour of itself
        least = np.partition(far, -count - 1, axis=1)[:, -count - 1]
    row, column = np.nonzero(far >= np.where(least > 0, least, _LEAST)[:, None])
    _keep(row, column, block[row, column], begin, table)


def _keep_sums(cells: NDArray[np.int64], products: NDArray[np.float64], begin: int, width: int, table: Table) -> None:
    """The same for a block whose cells are nearly all 0: products by the cell that they belong to."""
    order = np.argsort(cells, kind="stable")
    cells = cells[order]
    firsts = np.flatnonzero(np.concatenate(([True], cells[1:] != cells[:-1])))
    sums = np.add.reduceat(products[order], firsts)
    _keep(cells[firsts] // width, cells[firsts] % width, sums, begin, table)


def _keep(
    row: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[np.float64], begin: int, table: Table
) -> None:
    """Entries in the order of rows and columns; what is kept stands in the order of columns."""
    codes, values = table
    others = (row + begin != column) & (value != 0)
    row, column, value = row[others], column[others], value[others]
    farthest = np.lexsort((column, -np.abs(value), row))
    near = np.zeros(len(row), bool)
    near[farthest] = np.arange(len(row)) - np.searchsorted(row, row) < codes.shape[1]
    row, column, value = row[near], column[near], value[near]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    codes[begin + row, place] = column
    values[begin + row, place] = value


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
