"""Drift: columns that a delivery has and its contract has not, and the columns that they become.

With `on_drift: evolve` each is published as a column of text after all others, in the private table where the dataset
has one: nobody has said yet who may see it.
"""

from collections.abc import Iterable
from typing import Final

from nightlake.core.errors import HeaderMismatchError
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.shard import Receipt
from nightlake.core.source import Source

MAX_DRIFT_COLUMNS: Final = 100  # of one table
_DESCRIPTION: Final = "{!r} of the delivery, which the contract does not declare."


def drift_columns(names: Iterable[str], dataset: Dataset) -> dict[str, Column]:
    """The column that each undeclared name becomes. Raises HeaderMismatchError where one cannot become any."""
    undeclared = tuple(dict.fromkeys(names))
    if not undeclared:
        return {}
    faults = drift_faults(undeclared, dataset)
    if faults:
        raise HeaderMismatchError(f"{dataset.name} was delivered with undeclared columns: {'; '.join(faults)}")
    private = any(column.private for column in dataset.columns)
    return {
        name: Column(name=becomes, type="string", private=private, drift=True, description=_DESCRIPTION.format(name))
        for name, becomes in drift_names(undeclared).items()
    }


def drift_names(names: Iterable[str]) -> dict[str, str]:
    """What undeclared names are called as columns."""
    from nightlake.core.infer.names import column_name  # with all of sqlglot, and drift is seldom

    return {name: column_name(name) for name in names}


def drift_faults(names: Iterable[str], dataset: Dataset) -> list[str]:
    """Why undeclared names cannot become columns, each by name and with what to do."""
    undeclared = list(dict.fromkeys(names))
    if len(undeclared) > MAX_DRIFT_COLUMNS:
        first = ", ".join(map(repr, undeclared[:3]))
        return [
            f"more than {MAX_DRIFT_COLUMNS} columns are not declared ({first} ...): declare `on_drift: ignore`, or them"
        ]
    faults = []
    taken = {column.name: column.name for column in dataset.columns}
    for name, becomes in drift_names(undeclared).items():
        if becomes in taken:
            faults.append(
                f"{name!r} would be the column {becomes!r}, as {taken[becomes]!r} is: rename it, or declare it"
            )
        taken.setdefault(becomes, name)
    return faults


def evolved(dataset: Dataset, source: Source, receipts: Iterable[Receipt]) -> Dataset:
    """The dataset with all columns that the files of these receipts have. Raises HeaderMismatchError."""
    if source.on_drift != "evolve":
        return dataset
    names = (name for receipt in receipts for name in receipt.extra_columns)
    return dataset.model_copy(update={"columns": (*dataset.columns, *drift_columns(names, dataset).values())})
