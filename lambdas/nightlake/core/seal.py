"""Seal: copy exactly the files that were validated into the run's own prefix, where nothing else may write.

A sealed file's name follows from the staged file, so that a retry finds what it has copied. From here on Athena reads
these copies: what is audited is what is published, and Publish compares the ETags.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from nightlake.core import layout
from nightlake.core.catalog import Catalog, conform
from nightlake.core.drift import evolved
from nightlake.core.errors import SealedFilesChangedError, SourceRejectedError, StagedFileChangedError
from nightlake.core.parallel import each
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.published_keys import table_of_keys, yields_to_others
from nightlake.core.shard import Receipt, StagedFile, Validation
from nightlake.core.snapshot import Beside, PublishedFile, SealedFile, SealedTable
from nightlake.core.source import Grain
from nightlake.core.sources import AnySource
from nightlake.core.store import ObjectInfo, ObjectNotFoundError, PreconditionFailedError, Store
from nightlake.core.table import Table, empty_location, tables

WORKERS: Final = 16


def seal(
    store: Store,
    catalog: Catalog,
    pipeline: Pipeline,
    *,
    staging_database: str,
    day: date,
    run_id: str,
    validations: Sequence[str],
    workers: int = WORKERS,
) -> list[SealedTable]:
    """Seal every table of the sources whose validations (keys) are given: one SealedTable each, also without rows.

    The staging tables of the others, which the night goes on without, read nothing from here on. Raises
    SourceRejectedError when a validation is not good, StagedFileChangedError, SealedFilesChangedError or
    ProjectionError.
    """
    datasets = {dataset.name: dataset for dataset in pipeline.datasets}
    sources = {source.dataset: source for source in pipeline.sources}
    sealed: list[SealedTable] = []
    absent = dict(datasets)
    for key in validations:
        validation = store.get_model(key, Validation)
        if validation.status != "good":
            raise SourceRejectedError(
                f"Source '{validation.dataset}' was rejected (s3://{store.bucket}/{key}): it is not published"
            )
        del absent[validation.dataset]
        receipts = each(lambda receipt: store.get_model(receipt, Receipt), validation.receipts, workers=workers)
        files = [file for receipt in receipts for file in receipt.files]
        for table in tables(evolved(datasets[validation.dataset], sources[validation.dataset], receipts)):
            sealed.append(  # noqa: PERF401 (sealing is what this loop is for)
                seal_table(
                    store,
                    catalog,
                    pipeline,
                    staging_database=staging_database,
                    day=day,
                    run_id=run_id,
                    table=table,
                    private=table.name != validation.dataset,
                    files=[file for file in files if file.table == table.name],
                    grain=sources[validation.dataset].partition_grain,
                    newest_by=datasets[validation.dataset].primary_key
                    if sources[validation.dataset].newest_wins
                    else (),
                    beside=_beside(table, datasets[validation.dataset], sources[validation.dataset], receipts),
                    workers=workers,
                )
            )
    for dataset in absent.values():
        for table in tables(dataset):
            _read_sealed(
                store, catalog, pipeline, staging_database=staging_database, day=day, run_id=run_id, table=table
            )
    return sealed


def seal_table(
    store: Store,
    catalog: Catalog,
    pipeline: Pipeline,
    *,
    staging_database: str,
    day: date,
    run_id: str,
    table: Table,
    private: bool,
    files: Sequence[StagedFile],
    grain: Grain = "day",
    newest_by: tuple[str, ...] = (),
    beside: Beside | None = None,
    workers: int = WORKERS,
) -> SealedTable:
    """Seal the files of one table, of a source or of a merge, and let the staging database's table read them.

    Raises StagedFileChangedError when a staged file is not the one that was validated, SealedFilesChangedError when
    the run's prefix holds other files, ProjectionError when the catalog refuses the partition.
    """
    prefix = layout.sealed(pipeline.name, table.name, run_id)
    there = {found.key: found for found in store.list(prefix)}
    wanted = {f"{prefix}{layout.day_path(file.day)}/{_name(file, day)}": file for file in files}
    each(
        lambda key: _copy(store, wanted[key], key),
        [key for key, file in wanted.items() if key not in there or there[key].size != file.size],
        workers=workers,
    )
    found = {info.key: info for info in store.list(prefix)}
    if found.keys() != wanted.keys():
        raise SealedFilesChangedError(
            f"s3://{store.bucket}/{prefix} holds {len(found)} files where {len(wanted)} were sealed (first difference: "
            f"{min(found.keys() ^ wanted.keys())}); only Seal may write there: see who did, then rerun the date"
        )
    sealed = SealedTable(
        table=table.name,
        private=private,
        columns=table.columns,
        hidden=table.hidden,
        grain=grain,
        newest_by=newest_by,
        files=tuple(_sealed(file, found[key], contribution=day) for key, file in sorted(wanted.items())),
        beside=beside,
    )
    store.put_model(layout.sealed_table(pipeline.name, day, run_id, table.name), sealed)
    _read_sealed(store, catalog, pipeline, staging_database=staging_database, day=day, run_id=run_id, table=table)
    return sealed


def _beside(table: Table, dataset: Dataset, source: AnySource, receipts: Iterable[Receipt]) -> Beside | None:
    """What the rows were read beside, where those of other business dates were left out."""
    if not yields_to_others(source, dataset):
        return None
    part = next((receipt.shard.part for receipt in receipts if receipt.shard.part is not None), None)
    if part is None or table.name != table_of_keys(dataset):
        return None
    return Beside(since=part.since, until=part.until, digest=part.published)


def _read_sealed(
    store: Store, catalog: Catalog, pipeline: Pipeline, *, staging_database: str, day: date, run_id: str, table: Table
) -> None:
    """Let the staging database's table read for this day what the run has sealed of it, and nothing else."""
    location = f"s3://{store.bucket}/{layout.sealed(pipeline.name, table.name, run_id)}"
    conform(catalog, staging_database, table, empty_location(store.bucket, pipeline, table))
    catalog.point_partition(staging_database, table.name, layout.partition_values(day), location)


def summary(sealed: Iterable[SealedTable]) -> list[dict[str, Any]]:
    """What Step Functions carries on: `{table, rows, files}`."""
    return [
        {
            "table": table.table,
            "rows": sum(sealed_file.file.rows for sealed_file in table.files),
            "files": len(table.files),
        }
        for table in sealed
    ]


def _name(file: StagedFile, contribution: date) -> str:
    """A name that no file of another date or content has: partitions bring files of several dates together."""
    digest = hashlib.sha256("\0".join((file.key, file.etag)).encode()).hexdigest()
    return f"{contribution.isoformat()}-{digest[:32]}.parquet"


def _copy(store: Store, file: StagedFile, key: str) -> None:
    try:
        store.copy(store.bucket, file.key, key, source_etag=file.etag)
    except (ObjectNotFoundError, PreconditionFailedError) as error:
        raise StagedFileChangedError(
            f"s3://{store.bucket}/{file.key} is not the file that was validated ({error}); rerun the date"
        ) from error


def _sealed(file: StagedFile, found: ObjectInfo, *, contribution: date) -> SealedFile:
    return SealedFile(
        day=file.day,
        file=PublishedFile(key=found.key, etag=found.etag, size=found.size, rows=file.rows, contribution=contribution),
    )
