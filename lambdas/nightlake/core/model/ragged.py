"""Rows of unequal length in flat arrays: `starts[i]` to `starts[i + 1]` are row i."""

import numpy as np
from numpy.typing import NDArray


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where rows of these lengths start, and their end last."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def gather(starts: NDArray[np.int64], rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of all entries of these rows, one row after the other, and how many each row has."""
    first = starts[rows]
    lengths = starts[np.asarray(rows) + 1] - first
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(first - (ends - lengths), lengths), lengths


def spans(costs: NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
    """Consecutive spans of about `limit` cost each; a dearer one stands alone."""
    ends = np.cumsum(costs)
    found, begin = [], 0
    while begin < len(costs):
        spent = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, spent + limit, side="right")))
        found.append((begin, end))
        begin = end
    return found
