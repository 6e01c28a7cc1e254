"""A fitted model: what each item says of the others, and what most users have."""

import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter

from nightlake.core.errors import ModelUnreadableError
from nightlake.core.model.interactions import Interactions
from nightlake.core.model.meetings import CELLS
from nightlake.core.model.ragged import gather, spans
from nightlake.core.model.recipe import AnyRecipe, Recipe
from nightlake.core.model.weights import weights

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Fitted:
    """`neighbours` and `values` are [items, n]: what having an item adds to the score of each neighbour; -1 is none.

    `items` are ids, sorted; `popularity` is the share of the users that have each.
    """

    recipe: Recipe
    items: pa.Array
    popularity: NDArray[np.float32]
    neighbours: NDArray[np.int32]
    values: NDArray[np.float32]

    def recommend(
        self, histories: Interactions, k: int, *, exclude_known: bool = True
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The best k items for each user of the histories: codes and scores, [users, k]; ties by item id.

        Items that the history says nothing for, or speaks against, come after all others, by popularity, with a score
        of 0. Fewer than k are left where the user has had the rest: a code of -1 is none.
        """
        known = histories.with_items(self.items)
        own = weights(known, self.recipe)
        codes = np.full((len(known.users), k), -1, np.int32)
        scores = np.zeros((len(known.users), k), np.float32)
        costs = np.maximum(known.lengths * self.neighbours.shape[1], len(self.items))
        for begin, end in spans(costs, CELLS):
            rows = slice(begin, end)
            places, lengths = gather(known.starts, np.arange(begin, end))
            row = np.repeat(np.arange(end - begin), lengths)
            block = self._scores(row, known.codes[places], own[places], end - begin)
            if exclude_known:
                block[row, known.codes[places]] = -np.inf
            codes[rows], scores[rows] = _best(block, k)
        return codes, scores

    def to_bytes(self) -> bytes:
        """The model as a .npz without pickled objects."""
        ids = io.BytesIO()
        with pa.ipc.new_file(ids, table := pa.table({"item": self.items}).schema) as writer:
            writer.write_table(pa.table({"item": self.items}, schema=table))
        held = io.BytesIO()
        np.savez_compressed(
            held,
            format=np.int64(_FORMAT),
            recipe=np.frombuffer(_RECIPE.dump_json(self.recipe), np.uint8),
            items=np.frombuffer(ids.getvalue(), np.uint8),
            popularity=self.popularity,
            neighbours=self.neighbours,
            values=self.values,
        )
        return held.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Fitted":
        """What `to_bytes` wrote. Raises ModelUnreadableError."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                if int(held["format"]) != _FORMAT:
                    raise ModelUnreadableError(f"the model is of format {held['format']}, not {_FORMAT}: train it anew")
                items = pa.ipc.open_file(pa.py_buffer(held["items"].tobytes())).read_all()["item"].combine_chunks()
                return cls(
                    recipe=_RECIPE.validate_json(held["recipe"].tobytes()),
                    items=items,
                    popularity=held["popularity"],
                    neighbours=held["neighbours"],
                    values=held["values"],
                )
        except (ValueError, KeyError, OSError, EOFError, BadZipFile, zlib.error) as error:
            raise ModelUnreadableError(f"the model cannot be read: {error}. Train it anew") from error

    def _scores(
        self, row: NDArray[np.int64], items: NDArray[np.int32], own: NDArray[np.float64], rows: int
    ) -> NDArray[np.float64]:
        """[rows, items]: above 0 what the histories speak for, below it all others by popularity."""
        width = len(self.items)
        near = self.neighbours[items]
        cells = (row * width)[:, None] + near
        added = own[:, None] * self.values[items]
        there = near >= 0
        block = np.bincount(cells[there], added[there], minlength=rows * width).reshape(rows, width)
        return np.where(block > 0, block, self._fallback)

    @cached_property
    def _fallback(self) -> NDArray[np.float64]:
        """-1 for the most popular item, -2 for the next: below every score, and no two are equal."""
        ranked = np.lexsort((np.arange(len(self.items)), -self.popularity))
        below = np.empty(len(self.items))
        below[ranked] = -1.0 - np.arange(len(self.items))
        return below


def _best(block: NDArray[np.float64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Codes and scores of the k greatest of each row, ties by the lower code."""
    rows, width = block.shape
    least = np.partition(block, -k, axis=1)[:, -k] if k < width else np.full(rows, -np.inf)
    row, code = np.nonzero((block >= least[:, None]) & np.isfinite(block))
    score = block[row, code]
    order = np.lexsort((code, -score, row))
    row, code, score = row[order], code[order], score[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    first = rank < k
    codes = np.full((rows, k), -1, np.int32)
    scores = np.zeros((rows, k), np.float32)
    codes[row[first], rank[first]] = code[first]
    scores[row[first], rank[first]] = np.maximum(score[first], 0)
    return codes, scores


_RECIPE: TypeAdapter[Recipe] = TypeAdapter(AnyRecipe)
