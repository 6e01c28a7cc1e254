"""Task Publish: the commit of a night, and the catalog after it."""

from datetime import UTC, date, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core.api.file_list import write_file_list
from nightlake.core.api.key_index import build_index
from nightlake.core.history import find_snapshot
from nightlake.core.pipeline import Pipeline
from nightlake.core.projection import project
from nightlake.core.publish import publish, summary
from nightlake.core.snapshot import PublishedTable, Snapshot
from nightlake.core.store import Store
from nightlake.core.table import tables
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, date, run_id, contract_hash}`; result: `{snapshot, parent, tables: [{table, rows,
    partitions}]}`, the rows and partitions of the tables as they are now.

    Raises PipelineNotDeployedError, RunSupersededError, SealedFilesChangedError, OverlapPublishedError,
    PublishContendedError or ProjectionError; after the last one the night is published, and only the catalog lags
    behind.
    """
    store = Objects(settings().lake_bucket)
    snapshot = publish(
        store,
        pipeline=event["pipeline"],
        day=date.fromisoformat(event["date"]),
        run_id=event["run_id"],
        contract_hash=event["contract_hash"],
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    changes = project(store, Glue(), pipeline(event["pipeline"]), database=settings().database)
    logger.info("Snapshot published", snapshot=snapshot.number, catalog_changes=changes)
    _serve(store, pipeline(event["pipeline"]), snapshot)
    return summary(snapshot)


def _serve(store: Store, of: Pipeline, snapshot: Snapshot) -> None:
    """What lets the API answer in few requests. It answers without, too: a failure here is no failure of the night."""
    keys = {table.name: dataset.primary_key for dataset in of.datasets for table in tables(dataset)}
    before = _tables_before(store, snapshot)
    for table in snapshot.tables:
        try:
            if table != before.get(table.table):
                write_file_list(store, of.name, table, before.get(table.table))
            index = build_index(store, of.name, table, keys.get(table.table, ()))
        except Exception:  # noqa: BLE001 - the night is published, whatever it is
            logger.exception("Table not indexed", table=table.table)
            continue
        if index is not None:
            logger.info("Keys indexed", table=table.table, entries=index.starts[-1])


def _tables_before(store: Store, snapshot: Snapshot) -> dict[str, PublishedTable]:
    """The tables of the snapshot that this one was made from."""
    parent = find_snapshot(store, snapshot.pipeline, snapshot.parent)
    return {table.table: table for table in parent.tables} if parent else {}
