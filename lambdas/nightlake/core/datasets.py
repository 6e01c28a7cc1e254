"""What the API says about datasets: the contract in JSON, never a value of the data."""

from collections.abc import Iterable
from typing import Any

from nightlake.core.errors import DatasetNotFoundError
from nightlake.core.pipeline import Column, Dataset, Pipeline


def list_datasets(pipelines: Iterable[Pipeline]) -> list[dict[str, Any]]:
    """Every dataset in short: name, pipeline, description, version and contract hash."""
    return [_summary(pipeline, dataset) for pipeline in pipelines for dataset in pipeline.datasets]


def describe_dataset(pipelines: Iterable[Pipeline], name: str) -> dict[str, Any]:
    """The dataset with its columns and primary key. Raises DatasetNotFoundError naming what there is."""
    known = {dataset.name: (pipeline, dataset) for pipeline in pipelines for dataset in pipeline.datasets}
    if name not in known:
        raise DatasetNotFoundError(f"There is no dataset '{name}'; there are: {', '.join(sorted(known)) or 'none'}")
    pipeline, dataset = known[name]
    return _summary(pipeline, dataset) | {
        "columns": [_column(column) for column in dataset.columns],
        "primary_key": list(dataset.primary_key),
    }


def _summary(pipeline: Pipeline, dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "pipeline": pipeline.name,
        "description": dataset.description,
        "version": pipeline.version,
        "contract_hash": pipeline.contract_hash,
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "required": column.required,
        "private": column.private,
        "description": column.description,
    }
