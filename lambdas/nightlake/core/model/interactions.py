"""Interactions: who had what, how often and since when, as codes of users and items in flat arrays."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nightlake.core.errors import InteractionsUnusableError
from nightlake.core.model.declaration import InteractionColumns
from nightlake.core.model.ragged import gather, starts_of

_MAX_ITEMS: Final = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Interactions:
    """One entry for each user and item that met; user i has the entries `starts[i]` to `starts[i + 1]`.

    `users` and `items` are ids, sorted and unique; `codes` are places in `items`, ascending in each user; `counts` are
    greater than 0; `order` is when they met first, or None where nothing says. `left_out` rows named no user or no
    item, or counted nothing.
    """

    users: pa.Array
    items: pa.Array
    starts: NDArray[np.int64]
    codes: NDArray[np.int32]
    counts: NDArray[np.float32]
    order: NDArray[np.int64] | None = None
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many items each user has."""
        return np.diff(self.starts)

    @property
    def user_codes(self) -> NDArray[np.int64]:
        """The user of each entry."""
        return np.repeat(np.arange(len(self.users)), self.lengths)

    @property
    def popularity(self) -> NDArray[np.int64]:
        """How many users have each item."""
        return np.bincount(self.codes, minlength=len(self.items))

    def of_users(self, rows: NDArray[np.integer]) -> "Interactions":
        """Those of some users, by their places, in that order."""
        places, lengths = gather(self.starts, rows)
        return replace(
            self._at(places), users=self.users.take(pa.array(np.asarray(rows, np.int64))), starts=starts_of(lengths)
        )

    def where(self, keep: NDArray[np.bool_]) -> "Interactions":
        """Some entries; every user and item keeps its code."""
        kept = np.bincount(self.user_codes[keep], minlength=len(self.users))
        return replace(self._at(np.flatnonzero(keep)), starts=starts_of(kept))

    def with_items(self, items: pa.Array) -> "Interactions":
        """The same in the codes of other items, sorted and unique; entries of items that are not there are gone."""
        if items is self.items:
            return self
        places = pc.index_in(self.items, items.cast(self.items.type)).fill_null(-1).to_numpy()
        codes = places[self.codes].astype(np.int32)
        return replace(self.where(codes >= 0), items=items, codes=codes[codes >= 0])

    def with_users(self, users: pa.Array) -> "Interactions":
        """Those of these users, in this order; a user that is not known has none."""
        places = pc.index_in(users.cast(self.users.type), self.users).fill_null(-1).to_numpy()
        found = replace(self.of_users(np.maximum(places, 0)), users=users)
        return found.where(np.repeat(places >= 0, found.lengths))

    def without(self, others: "Interactions") -> "Interactions":
        """Those that others have not, by the ids of user and item."""
        theirs, own = others.with_items(self.items).with_users(self.users).keys, self.keys
        known = np.zeros(len(own), bool)
        if len(theirs):
            # Both stand in the order of users and codes: a search needs less memory than sorting them together.
            known = theirs[np.minimum(np.searchsorted(theirs, own), len(theirs) - 1)] == own
        return self.where(~known)

    @property
    def keys(self) -> NDArray[np.int64]:
        """One number for each entry: its user and its item."""
        return self.user_codes * len(self.items) + self.codes

    def _at(self, places: NDArray[np.int64]) -> "Interactions":
        order = None if self.order is None else self.order[places]
        return replace(self, codes=self.codes[places], counts=self.counts[places], order=order)


def from_table(table: pa.Table, columns: InteractionColumns) -> Interactions:
    """Reads rows, in any order; equal rows of a user and an item are added up.

    Raises InteractionsUnusableError where a column is missing or of no use, or no row is left.
    """
    wanted = [columns.user, columns.item, *columns.order, *([columns.count] if columns.count else [])]
    for name in wanted:
        if name not in table.column_names:
            from nightlake.core.wording import nearest  # sqlglot comes with it

            raise InteractionsUnusableError(
                f"there is no column {name!r} in {columns.dataset}: {nearest(name, table.column_names)}"
            )
    counts = _counts(table, columns)
    named = pc.and_(pc.is_valid(table[columns.user]), pc.is_valid(table[columns.item]))
    keep = named if counts is None else pc.and_(named, pc.fill_null(pc.greater(counts, 0), fill_value=False))
    rows = table.filter(keep)
    if not rows.num_rows:
        raise InteractionsUnusableError(
            f"none of the {table.num_rows:,} rows of {columns.dataset} says who had what, with a count above 0: "
            "there is nothing to learn from"
        )
    weights = np.ones(rows.num_rows) if counts is None else counts.filter(keep).to_numpy()
    users, user_codes = _encoded(rows[columns.user], columns)
    items, item_codes = _encoded(rows[columns.item], columns)
    met = _met(user_codes * len(items) + item_codes, weights, _order(rows, columns))
    return Interactions(
        users=users,
        items=items,
        starts=starts_of(np.bincount(met.keys // len(items), minlength=len(users))),
        codes=(met.keys % len(items)).astype(np.int32),
        counts=met.counts,
        order=met.order,
        left_out=table.num_rows - rows.num_rows,
    )


def to_table(interactions: Interactions) -> pa.Table:
    """Columns user, item, count, and order where there is one: what `from_table` reads with STORED."""
    columns = {
        "user": interactions.users.take(pa.array(interactions.user_codes)),
        "item": interactions.items.take(pa.array(interactions.codes)),
        "count": pa.array(interactions.counts),
    }
    if interactions.order is not None:
        columns["order"] = pa.array(interactions.order)
    return pa.table(columns)


def stored_columns(table: pa.Table) -> InteractionColumns:
    """How a table of `to_table` is read."""
    order = ("order",) if "order" in table.column_names else ()
    return InteractionColumns(dataset="interactions.parquet", user="user", item="item", count="count", order=order)


@dataclass(frozen=True)
class _Met:
    keys: NDArray[np.int64]
    counts: NDArray[np.float32]
    order: NDArray[np.int64] | None


def _met(keys: NDArray[np.int64], weights: NDArray[np.float64], order: NDArray[np.int64] | None) -> _Met:
    """One entry for each key: counts are added up, the first order is kept."""
    # Equal keys are added in the order of their weights, so that no sum depends on the order of rows.
    by_key = np.lexsort((weights, keys)) if len(weights) and np.ptp(weights) else np.argsort(keys, kind="stable")
    keys = keys[by_key]
    firsts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return _Met(
        keys[firsts],
        np.add.reduceat(weights[by_key], firsts).astype(np.float32),
        None if order is None else np.minimum.reduceat(order[by_key], firsts),
    )


def _encoded(column: pa.ChunkedArray, columns: InteractionColumns) -> tuple[pa.Array, NDArray[np.int64]]:
    """The ids, sorted, and the place of each row's among them."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InteractionsUnusableError(
            f"ids in {columns.dataset} are {kind}: users and items are known by texts or whole numbers"
        )
    coded = column.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    by_id = pc.sort_indices(coded.dictionary)
    places = np.empty(len(by_id), np.int64)
    places[by_id.to_numpy()] = np.arange(len(by_id))
    if len(by_id) > _MAX_ITEMS:
        raise InteractionsUnusableError(f"{columns.dataset} has {len(by_id):,} ids: {_MAX_ITEMS:,} is the most")
    return coded.dictionary.take(by_id), places[coded.indices.to_numpy()]


def _counts(table: pa.Table, columns: InteractionColumns) -> pa.ChunkedArray | None:
    if columns.count is None:
        return None
    column = table[columns.count]
    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    if not numeric:
        raise InteractionsUnusableError(
            f"the column {columns.count!r} of {columns.dataset} is {column.type}: a count is a number"
        )
    numbers = column.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _order(rows: pa.Table, columns: InteractionColumns) -> NDArray[np.int64] | None:
    """The rank of each row by all columns of order, equal where they are equal; missing values come first."""
    if not columns.order:
        return None
    combined: NDArray[np.int64] | None = None
    for name in columns.order:
        key = (name, "ascending", "at_start")
        ranked = pc.rank(rows[name].combine_chunks(), sort_keys=[key], tiebreaker="dense")
        ranks = ranked.to_numpy().astype(np.int64)
        if combined is None:
            combined = ranks
        else:
            combined = np.unique(combined * (int(ranks.max()) + 1) + ranks, return_inverse=True)[1].astype(np.int64)
    return combined
