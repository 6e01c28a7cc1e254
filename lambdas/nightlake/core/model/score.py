"""Scores one shard of users: the list of each, as rows of one Parquet object that is delivered."""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nightlake.core import layout
from nightlake.core.errors import ScoringIncompleteError
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.drop_off import RECOMMENDATIONS, part_key, source_of
from nightlake.core.model.fitted import Fitted
from nightlake.core.model.interactions import Interactions, from_table, stored_columns
from nightlake.core.model.model_record import ScoringReceipt, ScoringShard
from nightlake.core.model.parquet import get_table, parquet_bytes
from nightlake.core.model.registry import get_artifact, get_record
from nightlake.core.pipeline import Pipeline
from nightlake.core.store import Store

# So many items that are gone may stand before the last of a list; a model that knows more of them has drifted.
_MOST_GONE: Final = 200


def score(
    shard: ScoringShard, declaration: Recommender, publisher: Pipeline, *, lake: Store, raw: Store
) -> ScoringReceipt:
    """Deliver the lists of the shard's users and leave a receipt: the same bytes for every retry.

    Raises ModelNotFoundError, ModelUnreadableError, or ScoringIncompleteError when somebody would get nothing who does
    not know everything.
    """
    fitted = Fitted.from_bytes(get_artifact(lake, get_record(lake, shard.pipeline, shard.champion)))
    items = get_table(lake, layout.scoring_items(shard.pipeline, shard.run_id))
    users = get_table(lake, layout.scoring_users(shard.pipeline, shard.run_id, shard.index))
    histories = from_table(users, stored_columns(users))
    rows = _rows(histories, fitted, _Catalogue.of(items, fitted, declaration), declaration, shard.champion)
    key = part_key(source_of(publisher, RECOMMENDATIONS), shard.date, f"part-{shard.run_id}-{shard.index:05}")
    receipt = ScoringReceipt(
        shard=shard,
        key=key,
        etag=raw.put(key, parquet_bytes(rows)),
        users=len(histories.users),
        satisfied=len(histories.users) - pc.count_distinct(rows[declaration.users.key]).as_py(),
        rows=rows.num_rows,
    )
    lake.put_model(layout.scoring_receipt(shard.pipeline, shard.run_id, shard.index), receipt)
    return receipt


class _Catalogue(NamedTuple):
    """What there is to recommend: `place[code]` is the row of an item that the model knows, -1 for one that is gone."""

    items: pa.Table
    place: NDArray[np.int64]

    @classmethod
    def of(cls, items: pa.Table, fitted: Fitted, declaration: Recommender) -> "_Catalogue":
        keys = items[declaration.items.key].combine_chunks().cast(fitted.items.type)
        return cls(items, pc.index_in(fitted.items, keys).fill_null(-1).to_numpy().astype(np.int64))

    @property
    def gone(self) -> int:
        return int((self.place < 0).sum())


def _rows(
    histories: Interactions, fitted: Fitted, catalogue: _Catalogue, declaration: Recommender, version: int
) -> pa.Table:
    """The lists of these users, one after the other, each in the order of its ranks."""
    asked = declaration.list_length + min(catalogue.gone, _MOST_GONE)
    codes, scores = fitted.recommend(histories, asked, exclude_known=declaration.exclude_known)
    # What is gone takes no place: the first that are there move up.
    there = (codes >= 0) & (catalogue.place[codes] >= 0)
    rank = np.cumsum(there, axis=1)
    chosen = there & (rank <= declaration.list_length)
    _refuse_empty(histories.with_items(fitted.items), chosen, catalogue, version)
    user, _ = np.nonzero(chosen)
    item = catalogue.items.take(pa.array(catalogue.place[codes[chosen]]))
    said = declaration.items
    return pa.table(
        {
            declaration.users.key: histories.users.take(pa.array(user)),
            "rank": pa.array(rank[chosen].astype(np.int32)),
            **{name: item[name] for name in (said.key, *said.show)},
            "score": pa.array(scores[chosen].astype(np.float64)),
            "model_version": pa.array(np.full(len(user), version, np.int32)),
        }
    )


def _refuse_empty(known: Interactions, chosen: NDArray[np.bool_], catalogue: _Catalogue, version: int) -> None:
    left = (catalogue.place >= 0).sum()
    for place in np.flatnonzero(np.count_nonzero(chosen, axis=1) == 0):
        had = catalogue.place[known.codes[known.starts[place] : known.starts[place + 1]]]
        if (had >= 0).sum() < left:
            raise ScoringIncompleteError(
                f"Version {version} has nothing for user {known.users[place].as_py()!r}, who does not know everything; "
                "roll back to another version, or train anew"
            )
