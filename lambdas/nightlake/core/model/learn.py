"""What is learned from: the interactions of a published snapshot, or those that a version was recorded with."""

from nightlake.core.model.declaration import Recommender
from nightlake.core.model.interactions import Interactions, from_table, stored_columns, to_table
from nightlake.core.model.model_record import ModelRecord
from nightlake.core.model.parquet import parquet_bytes, parse_table
from nightlake.core.model.read_table import read_table
from nightlake.core.model.registry import get_interactions
from nightlake.core.snapshot import Snapshot
from nightlake.core.store import Store


def read_interactions(store: Store, snapshot: Snapshot, declaration: Recommender) -> Interactions:
    """Those of a published snapshot.

    Raises TrainingDataMissingError, InteractionsUnusableError or SnapshotNotFoundError.
    """
    said = declaration.interactions
    columns = dict.fromkeys((said.user, said.item, *said.order, *([said.count] if said.count else [])))
    return from_table(read_table(store, snapshot, said.dataset, tuple(columns)), said)


def recorded_interactions(store: Store, record: ModelRecord) -> Interactions:
    """Those that a version learned from. Raises ModelUnreadableError."""
    table = parse_table(get_interactions(store, record))
    return from_table(table, stored_columns(table))


def interactions_bytes(interactions: Interactions) -> bytes:
    """The interactions as the file of a version."""
    return parquet_bytes(to_table(interactions))
