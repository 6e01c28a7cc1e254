"""What the API says about datasets: the contract and what is published of it, never a value of the data."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from nightlake.core import layout
from nightlake.core.api.published import Pinned, Published, latest
from nightlake.core.errors import DatasetNotFoundError
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.run_record import RunRecord
from nightlake.core.snapshot import Partition, PublishedTable
from nightlake.core.source import BUSINESS_DATE
from nightlake.core.store import Store
from nightlake.core.table import RUN_COLUMNS, tables

_PARTITIONS_TOLD: Final = 100


@dataclass(frozen=True)
class Served:
    """A name under `/v1/datasets`: the open or the private table of a dataset, or a merge, which has no dataset."""

    name: str
    pipeline: Pipeline
    dataset: Dataset | None
    private: bool = False

    @property
    def moment(self) -> str | None:
        """The column that the table is partitioned by; None where rows lie by the date of their delivery."""
        if self.dataset is None:
            return None
        column = self.pipeline.source(self.dataset.name).partition_by
        return None if column == BUSINESS_DATE else column


def served(pipelines: Iterable[Pipeline], *, private: Collection[str] = ()) -> dict[str, Served]:
    """Everything that is served, by name; private tables are for the pipelines whose names are in `private` only."""
    found: dict[str, Served] = {}
    for pipeline in pipelines:
        for dataset in pipeline.datasets:
            shown = tables(dataset) if pipeline.name in private else tables(dataset)[:1]
            for place, table in enumerate(shown):
                found[table.name] = Served(table.name, pipeline, dataset, private=place > 0)
        found |= {merge: Served(merge, pipeline, None) for merge in pipeline.merge}
    return found


def find_dataset(pipelines: Iterable[Pipeline], name: str, *, private: Collection[str] = ()) -> Served:
    """The dataset or merge of this name. Raises DatasetNotFoundError naming what there is."""
    known = served(pipelines, private=private)
    if name not in known:
        raise DatasetNotFoundError(f"There is no dataset '{name}'; there are: {', '.join(sorted(known)) or 'none'}")
    return known[name]


def list_datasets(
    pipelines: Iterable[Pipeline], published: Published, *, private: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Every dataset in short, with what is published of it."""
    known = served(pipelines, private=private).values()
    newest = {name: published.newest(name) for name in {each.pipeline.name for each in known}}
    return [_summary(each, newest[each.pipeline.name]) for each in known]


def newest_run(lake: Store, pinned: Pinned | None) -> RunRecord | None:
    """The record of the run that published the newest business date, once the run has ended."""
    if pinned is None:
        return None
    runs = pinned.snapshot.runs
    record = lake.find_model(
        layout.record(pinned.snapshot.pipeline, runs[-1].run_id if runs else pinned.snapshot.run_id), RunRecord
    )
    return record[0] if record else None


def describe_dataset(found: Served, pinned: Pinned | None, record: RunRecord | None = None) -> dict[str, Any]:
    """The dataset with its columns, its primary key, what the newest run's rules found, and the last days."""
    table = _table(found, pinned)
    partitions = table.partitions if table else ()
    return _summary(found, pinned) | {
        "columns": [_column(column) for column in _columns(found, table)],
        "primary_key": list(found.dataset.primary_key) if found.dataset else [],
        "quality": _quality(found, record),
        "partition_count": len(partitions),
        "partitions": [_partition(partition) for partition in partitions[-_PARTITIONS_TOLD:]],
    }


def _quality(found: Served, record: RunRecord | None) -> dict[str, Any] | None:
    """What the rules of the contract found in a run: counts and words, no values."""
    judged = [each for each in record.sources if found.dataset and each.dataset == found.dataset.name] if record else []
    if record is None or not judged:
        return None
    (source,) = judged
    return {
        "run_id": record.run_id,
        "date": record.date.isoformat() if record.date else None,
        "status": source.status,
        **{name: getattr(source, name) for name in ("records", "rows", "quarantined", "rounded")},
        "rules": [rule.model_dump(mode="json", exclude={"dataset"}) for rule in source.rules],
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
        "newest_day": latest(table, pinned.snapshot).day.isoformat(),
        "business_date": pinned.snapshot.date.isoformat(),
        "rows": sum(partition.rows for partition in table.partitions),
    }


def _table(found: Served, pinned: Pinned | None) -> PublishedTable | None:
    return pinned.table(found.name, private=found.private) if pinned else None


def _columns(found: Served, table: PublishedTable | None) -> tuple[Column, ...]:
    """Of an open table also the private columns, which say that there are such."""
    if found.dataset is None:
        return _data_columns(table)
    if found.private:
        declared = {column.name for column in tables(found.dataset)[1].columns}
        return tuple(column for column in found.dataset.columns if column.name in declared)
    return (*found.dataset.columns, *_drift_columns(found.dataset, table))


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
        "grain": partition.grain,
        "rows": partition.rows,
        "files": partition.files,
        "bytes": partition.bytes,
        "run_id": partition.run_id,
    }
