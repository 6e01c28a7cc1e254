"""Drift: columns that a delivery has and its contract has not, and the columns that they become.

With `on_drift: evolve` each is published as a column of text after all others, in the private table where the dataset
has one: nobody has said yet who may see it.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from nightlake.core.errors import HeaderMismatchError
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.shard import Receipt
from nightlake.core.source import Source
from nightlake.core.table import RESERVED_COLUMNS

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
        name: Column(
            name=drift_name(name), type="string", private=private, drift=True, description=_DESCRIPTION.format(name)
        )
        for name in undeclared
    }


def drift_faults(names: Iterable[str], dataset: Dataset) -> list[str]:
    """Why undeclared names cannot become columns, each by name and with what to do."""
    from nightlake.core.wording import identifier_fault, shown  # with all of sqlglot, and drift is seldom

    undeclared = list(dict.fromkeys(names))
    if len(undeclared) > MAX_DRIFT_COLUMNS:
        first = ", ".join(map(shown, undeclared[:3]))
        return [
            f"more than {MAX_DRIFT_COLUMNS} columns are not declared ({first} ...): declare `on_drift: ignore`, or them"
        ]
    faults = []
    taken = {column.name: column.name for column in dataset.columns}
    for name in undeclared:
        becomes = drift_name(name)
        if fault := identifier_fault(becomes):
            faults.append(f"{shown(name)} makes no column ({fault}): rename it, or declare it")
        elif becomes in taken:
            other = shown(taken[becomes])
            faults.append(f"{shown(name)} would be the column {becomes!r}, as {other} is: rename it, or declare it")
        taken.setdefault(becomes, name)
    return faults


def drift_name(name: str) -> str:
    """A name as an identifier: lower-case ASCII letters, digits and _; `_` follows a word that is reserved."""
    from nightlake.core.wording import identifier_fault

    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    word = re.sub("[^a-z0-9]+", "_", plain).strip("_")
    if word[:1].isdigit():
        return f"_{word}"
    return f"{word}_" if word and (word in RESERVED_COLUMNS or identifier_fault(word)) else word


def evolved(dataset: Dataset, source: Source, receipts: Iterable[Receipt]) -> Dataset:
    """The dataset with all columns that the files of these receipts have. Raises HeaderMismatchError."""
    if source.on_drift != "evolve":
        return dataset
    names = (name for receipt in receipts for name in receipt.extra_columns)
    return dataset.model_copy(update={"columns": (*dataset.columns, *drift_columns(names, dataset).values())})
