"""What the API says about datasets: the contract and what is published of it, never a value of the data."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from nightlake.core.api.published import Pinned, Published
from nightlake.core.errors import DatasetNotFoundError
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.snapshot import Partition, PublishedTable
from nightlake.core.table import RUN_COLUMNS

_PARTITIONS_TOLD: Final = 100


@dataclass(frozen=True)
class Served:
    """A name under `/v1/datasets`: a dataset of a contract, or a merge, which has none of its own."""

    name: str
    pipeline: Pipeline
    dataset: Dataset | None


def served(pipelines: Iterable[Pipeline]) -> dict[str, Served]:
    """Everything that is served, by name; private tables are not."""
    found: dict[str, Served] = {}
    for pipeline in pipelines:
        found |= {dataset.name: Served(dataset.name, pipeline, dataset) for dataset in pipeline.datasets}
        found |= {merge: Served(merge, pipeline, None) for merge in pipeline.merge}
    return found


def find_dataset(pipelines: Iterable[Pipeline], name: str) -> Served:
    """The dataset or merge of this name. Raises DatasetNotFoundError naming what there is."""
    known = served(pipelines)
    if name not in known:
        raise DatasetNotFoundError(f"There is no dataset '{name}'; there are: {', '.join(sorted(known)) or 'none'}")
    return known[name]


def list_datasets(pipelines: Iterable[Pipeline], published: Published) -> list[dict[str, Any]]:
    """Every dataset in short, with what is published of it."""
    known = served(pipelines).values()
    newest = {name: published.newest(name) for name in {each.pipeline.name for each in known}}
    return [_summary(each, newest[each.pipeline.name]) for each in known]


def describe_dataset(found: Served, pinned: Pinned | None) -> dict[str, Any]:
    """The dataset with its columns, its primary key and the last days that are published."""
    table = _table(found, pinned)
    partitions = table.partitions if table else ()
    columns = (*found.dataset.columns, *_drift_columns(found.dataset, table)) if found.dataset else _data_columns(table)
    return _summary(found, pinned) | {
        "columns": [_column(column) for column in columns],
        "primary_key": list(found.dataset.primary_key) if found.dataset else [],
        "partition_count": len(partitions),
        "partitions": [_partition(partition) for partition in partitions[-_PARTITIONS_TOLD:]],
    }


def _summary(found: Served, pinned: Pinned | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": "dataset" if found.dataset else "merge",
        "pipeline": found.pipeline.name,
        "description": found.dataset.description if found.dataset else "",
        "version": found.pipeline.version,
        "contract_hash": found.pipeline.contract_hash,
        "published": _published(_table(found, pinned), pinned),
    }


def _published(table: PublishedTable | None, pinned: Pinned | None) -> dict[str, Any] | None:
    if table is None or pinned is None:
        return None
    return {
        "snapshot": pinned.snapshot.number,
        "updated_at": pinned.snapshot.created_at,
        "days": len(table.partitions),
        "newest_day": table.partitions[-1].day.isoformat(),
        "rows": sum(partition.rows for partition in table.partitions),
    }


def _table(found: Served, pinned: Pinned | None) -> PublishedTable | None:
    return pinned.table(found.name) if pinned else None


def _data_columns(table: PublishedTable | None) -> tuple[Column, ...]:
    hidden = {column.name for column in RUN_COLUMNS}
    return tuple(column for column in table.columns if column.name not in hidden) if table else ()


def _drift_columns(dataset: Dataset, table: PublishedTable | None) -> tuple[Column, ...]:
    """What is published and no contract declares."""
    declared = {column.name for column in dataset.columns}
    return tuple(column for column in table.columns if column.drift and column.name not in declared) if table else ()


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "required": column.required,
        "private": column.private,
        "drift": column.drift,
        "description": column.description,
    }


def _partition(partition: Partition) -> dict[str, Any]:
    return {
        "date": partition.day.isoformat(),
        "rows": partition.rows,
        "files": partition.files,
        "bytes": partition.bytes,
        "run_id": partition.run_id,
    }
