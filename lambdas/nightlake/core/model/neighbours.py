"""The strongest neighbours of each item, from products of items by items that never stand in memory whole."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightlake.core.model.interactions import Interactions
from nightlake.core.model.meetings import CELLS, Meetings
from nightlake.core.model.ragged import spans

_SPARSE: Final = 8
"""A block that has more than so many cells for each pair is summed by sorting its pairs."""
_LEAST: Final = np.finfo(np.float32).tiny

Table = tuple[NDArray[np.int32], NDArray[np.float32]]


def neighbours(interactions: Interactions, entries: NDArray[np.float64], count: int) -> Table:
    """The `count` products of each item's column of entries with the others' that are farthest from 0, ties by code.

    Codes and products are [items, count]; a code of -1 is none, its product 0.
    """
    meetings = Meetings(interactions, entries)
    width = meetings.width
    table = empty(width, min(count, max(width - 1, 1)))
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
    count = table[0].shape[1]
    far = np.abs(block, dtype=np.float32, casting="same_kind")  # less exact, so a few more are looked at below
    least = np.zeros(len(block), np.float32)
    if count + 1 < block.shape[1]:  # one more: an item is no neighbour of itself
        least = np.partition(far, -count - 1, axis=1)[:, -count - 1]
    row, column = np.nonzero(far >= np.maximum(least, _LEAST)[:, None])
    _keep(row, column, block[row, column], begin, table)


def _keep_sums(cells: NDArray[np.int64], products: NDArray[np.float64], begin: int, width: int, table: Table) -> None:
    """The same for a block whose cells are nearly all 0: products by the cell that they belong to."""
    order = np.argsort(cells)
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
