"""What is learned from: the interactions of a published snapshot, or those that a version was recorded with."""

import pyarrow as pa
import pyarrow.compute as pc

from nightlake.core.errors import TrainingDataMissingError
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.evaluation import Evaluation
from nightlake.core.model.interactions import Interactions, from_table, stored_columns
from nightlake.core.model.model_record import Metrics, ModelRecord
from nightlake.core.model.parquet import parse_table
from nightlake.core.model.read_table import read_table
from nightlake.core.model.registry import get_interactions
from nightlake.core.snapshot import Snapshot
from nightlake.core.store import Store


def read_interactions(store: Store, snapshot: Snapshot, declaration: Recommender) -> Interactions:
    """Those of a published snapshot, with items that there are: others could not be recommended.

    Raises TrainingDataMissingError, InteractionsUnusableError or SnapshotNotFoundError.
    """
    said = declaration.interactions
    columns = dict.fromkeys((said.user, said.item, *said.order, *([said.count] if said.count else [])))
    found = from_table(read_table(store, snapshot, said.dataset, tuple(columns)), said)
    there = catalogue(store, snapshot, declaration).cast(found.items.type)
    known = found.with_items(found.items.filter(pc.is_in(found.items, there)))
    if not len(known):
        raise TrainingDataMissingError(
            f"No row of {said.dataset} in snapshot {snapshot.number} of '{snapshot.pipeline}' is of an item that "
            f"{declaration.items.dataset} has; see its relationships"
        )
    return known


def recorded_interactions(store: Store, record: ModelRecord) -> Interactions:
    """Those that a version learned from. Raises ModelUnreadableError."""
    table = parse_table(get_interactions(store, record))
    return from_table(table, stored_columns(table))


def catalogue(store: Store, snapshot: Snapshot, declaration: Recommender) -> pa.Array:
    """The ids of the items that there are. Raises TrainingDataMissingError or SnapshotNotFoundError."""
    said = declaration.items
    ids: pa.Array = read_table(store, snapshot, said.dataset, (said.key,))[said.key].combine_chunks()
    return ids


def metrics(evaluation: Evaluation) -> Metrics:
    """What is written down of an evaluation."""
    return Metrics.model_validate(evaluation.figures)
