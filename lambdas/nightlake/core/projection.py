"""Projection: the catalog becomes what HEAD says, as often as it is asked; who finds it half done ends it.

Readers of the catalog see a partition before or after, never without files: partitions are pointed elsewhere first,
then added, then forgotten. No table is ever deleted.
"""

from typing import Final

from nightlake.core import layout
from nightlake.core.catalog import Catalog, Values, conform
from nightlake.core.errors import ProjectionError
from nightlake.core.history import find_head
from nightlake.core.pipeline import Pipeline
from nightlake.core.snapshot import PublishedTable, Snapshot
from nightlake.core.store import Store
from nightlake.core.table import Table, empty_location, tables, widened
from nightlake.core.type_change import check_types

_ROUNDS: Final = 10


def project(store: Store, catalog: Catalog, pipeline: Pipeline, *, database: str) -> int:
    """Reconcile the served tables with HEAD until nothing differs and HEAD has not moved; the number of changes.

    Raises ProjectionError with what the catalog refused last, ColumnTypeChangedError where the contract gives a column
    another type than the published files have.
    """
    changes, refused = 0, ["HEAD kept moving"]
    for _ in range(_ROUNDS):
        found = find_head(store, pipeline.name)
        if found is None:
            return 0
        head = found[0]
        snapshot = store.find_model(head.key, Snapshot)
        if snapshot is None:
            refused = [f"s3://{store.bucket}/{head.key} is not there any more"]
            continue
        made, refused = _reconcile(store, catalog, pipeline, database, snapshot[0])
        changes += made
        if made or refused:
            refused = refused or ["others kept changing it"]
            continue
        now = find_head(store, pipeline.name)
        if now is not None and now[0].revision == head.revision:
            return changes
        refused = ["HEAD kept moving"]
    raise ProjectionError(
        f"Database '{database}' is not what HEAD of '{pipeline.name}' says after {_ROUNDS} rounds ({refused[0]}, and "
        f"{len(refused) - 1} more): what is published stands, and the next Prepare completes the catalog"
    )


def _reconcile(
    store: Store, catalog: Catalog, pipeline: Pipeline, database: str, snapshot: Snapshot
) -> tuple[int, list[str]]:
    published = {table.table: table for table in snapshot.tables}
    known = {table.name: table for dataset in pipeline.datasets for table in tables(dataset)}
    changes, refused = 0, []
    for name in sorted({*published, *known, *pipeline.merge}):
        table = _table(known.get(name), published.get(name))
        if table is not None:
            changes += conform(catalog, database, table, empty_location(store.bucket, pipeline, table))
        made, left = _point(catalog, database, name, _wanted(store, published.get(name)))
        changes += made
        refused += left
    return changes, refused


def _table(contract: Table | None, published: PublishedTable | None) -> Table | None:
    """How the table is to look: as its contract says, or as its files are; None when it never was published.

    Raises ColumnTypeChangedError when its files cannot be read as the contract says.
    """
    if published is None:
        return contract
    if contract is None:
        return Table(name=published.table, description="", columns=published.columns)
    check_types(published, contract)
    return widened(contract, published.columns)


def _wanted(store: Store, published: PublishedTable | None) -> dict[Values, str]:
    return {
        layout.partition_values(partition.day): f"s3://{store.bucket}/{partition.location}"
        for partition in (published.partitions if published else ())
    }


def _point(catalog: Catalog, database: str, table: str, wanted: dict[Values, str]) -> tuple[int, list[str]]:
    there = catalog.partitions(database, table)
    elsewhere = {values: wanted[values] for values in wanted.keys() & there.keys() if wanted[values] != there[values]}
    missing = {values: wanted[values] for values in wanted.keys() - there.keys()}
    stale = there.keys() - wanted.keys()
    refused: list[str] = []
    if elsewhere:
        refused += catalog.update_partitions(database, table, elsewhere)
    if missing:
        refused += catalog.create_partitions(database, table, missing)
    if stale:
        refused += catalog.delete_partitions(database, table, sorted(stale))
    return len(elsewhere) + len(missing) + len(stale), [f"{table}: {why}" for why in refused]
