"""The strongest neighbours of each item, from products of items by items that never stand in memory whole."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightlake.core.model.interactions import Interactions
from nightlake.core.model.meetings import CELLS, Meetings, dense_products
from nightlake.core.model.ragged import spans, starts_of

_SPARSE: Final = 8
"""A block that has more than so many cells for each pair is summed by sorting its pairs."""
_WIDEST: Final = 12_000
"""So many items have all their products in one matrix: 1.2 GB."""

Table = tuple[NDArray[np.int32], NDArray[np.float32]]


def neighbours(interactions: Interactions, entries: NDArray[np.float64], count: int) -> Table:
    """The `count` products of each item's column of entries with the others' that are farthest from 0, ties by code.

    Codes and products are [items, count]; a code of -1 is none, its product 0.
    """
    meetings = Meetings(interactions, entries)
    width = meetings.width
    table = empty(width, min(count, max(width - 1, 1)))
    if width <= _WIDEST and meetings.are_dense:
        products = dense_products(meetings)
        for begin in range(0, width, step := max(1, CELLS // width)):
            keep(products[begin : begin + step], begin, table)
        return table
    for begin, end in spans(np.maximum(meetings.pairs, width // _SPARSE), CELLS):
        pairs = int(meetings.pairs[begin:end].sum())
        if pairs > CELLS or (end - begin) * width <= _SPARSE * pairs:
            keep(meetings.block(begin, end), begin, table)
        else:
            for cells, products in meetings.parts(begin, end):  # one: there are no more than CELLS pairs
                _keep_sums(cells, products, begin, width, table)
    return table


def empty(width: int, count: int) -> Table:
    """A table without neighbours."""
    return np.full((width, count), -1, np.int32), np.zeros((width, count), np.float32)


def keep(block: NDArray[np.float64], begin: int, table: Table) -> None:
    """Keep the entries of a block's rows that are farthest from 0; row r is that of the item `begin + r`."""
    count = table[0].shape[1] + 1  # an item is no neighbour of itself
    chosen = block != 0
    if 2 * np.count_nonzero(chosen) > block.size > count * len(block):  # among many zeros partition is slow
        far = np.abs(block).astype(np.float32)
        chosen &= far >= np.partition(far, -count, axis=1)[:, -count, None]
    row, column = np.nonzero(chosen)
    _keep(row, column, block[row, column], begin, table)


def _keep_sums(cells: NDArray[np.int64], products: NDArray[np.float64], begin: int, width: int, table: Table) -> None:
    """The same for a block whose cells are nearly all 0: products by the cell that they belong to."""
    order = np.argsort(cells, kind="stable")
    cells = cells[order]
    firsts = np.flatnonzero(np.concatenate(([True], cells[1:] != cells[:-1])))
    sums = np.add.reduceat(products[order], firsts)
    row, column = np.divmod(cells[firsts], width)
    _keep(row, column, sums, begin, table)


def _keep(
    row: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[np.float64], begin: int, table: Table
) -> None:
    """Entries in the order of rows and columns; what is kept stands in the order of columns.

    What is farther is told by the bits of a float32, which are ordered as the numbers are: so one sort finds how far
    the last that is kept of each row is.
    """
    codes, values = table
    count = codes.shape[1]
    small = value.astype(np.float32)
    others = (row + begin != column) & (small != 0)
    row, column, small = row[others], column[others], small[others]
    if not len(row):
        return
    near = ~np.abs(small).view(np.uint32)  # the farthest is the least
    keys = (row.astype(np.uint64) << np.uint64(32)) | near
    lengths = np.bincount(row)
    starts = starts_of(lengths)
    farthest = np.sort(keys)
    last = farthest[np.maximum(starts[:-1] + np.minimum(lengths, count) - 1, 0)][row]
    # Of those that are as far as the last there may be too many: the first columns stay.
    equal = np.flatnonzero(keys == last)
    before = np.bincount(row[keys < last], minlength=len(lengths))
    rank = np.arange(len(equal)) - np.searchsorted(row[equal], row[equal])
    kept = keys < last
    kept[equal] = rank + before[row[equal]] < count
    row, column, small = row[kept], column[kept], small[kept]
    place = np.arange(len(row)) - starts_of(np.bincount(row))[row]
    codes[begin + row, place] = column
    values[begin + row, place] = small
