"""Casts and checks one batch: typed columns, and for each refused row every rule that it broke."""

import reprlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nightlake.core import column_type
from nightlake.core.cast import cast
from nightlake.core.mask import MASK
from nightlake.core.pipeline import Column, Dataset, Rule
from nightlake.core.quality import broken, demand, row_rules
from nightlake.core.readers.batch import Batch
from nightlake.core.source import BUSINESS_DATE
from nightlake.core.value_parser import Reading

if TYPE_CHECKING:
    import pyarrow as pa

_short: Final = reprlib.Repr()
_short.maxstring = _short.maxother = 80


@dataclass
class Checked:
    """A batch as typed columns. `refused` has rules and reasons by row, `broken` counts the rows of every rule."""

    columns: dict[str, "pa.Array"] = field(default_factory=dict)
    refused: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    rounded: list[int] = field(default_factory=list)

    def refuse(self, row: int, rule: str, reason: str) -> None:
        """Set a row aside for this rule, too."""
        self.refused.setdefault(row, []).append((rule, reason))


def check_batch(batch: Batch, dataset: Dataset, *, reading: Reading, partition_by: str) -> Checked:
    """Cast every column, then decide every rule that is about single rows.

    A value that its type cannot hold breaks `<dataset>.<column>.type` and no other rule of its column. A row that has
    no day to go to breaks `<dataset>.<column>.partition_by`.
    """
    checked = Checked()
    columns = {column.name: column for column in dataset.columns}
    uncast = {name: _cast_column(checked, batch, dataset, column, reading) for name, column in columns.items()}
    for rule in row_rules(dataset):
        (name,) = rule.columns
        _apply(checked, rule, columns[name], batch.columns[name], skip=uncast[name])
    if partition_by != BUSINESS_DATE:
        rule = Rule(
            id=f"{dataset.name}.{partition_by}.partition_by",
            metric="nullValues",
            severity="quarantine",
            columns=(partition_by,),
            description="its day says which partition the row belongs to",
        )
        _apply(checked, rule, columns[partition_by], batch.columns[partition_by], skip=uncast[partition_by])
    return checked


def _cast_column(checked: Checked, batch: Batch, dataset: Dataset, column: Column, reading: Reading) -> set[int]:
    """Cast one column; the rows whose value its type cannot hold."""
    raw = batch.columns[column.name]
    done = cast(raw, column_type.parse(column.type), reading)
    checked.columns[column.name] = done.values
    checked.rounded += done.rounded
    rule = f"{dataset.name}.{column.name}.type"
    for row, reason in done.refused.items():
        checked.refuse(row, rule, f"{_told(column, raw, row)} is no {column.type}: {reason}")
    if done.refused:
        checked.broken[rule] += len(done.refused)
    return set(done.refused)


def _apply(checked: Checked, rule: Rule, column: Column, raw: Any, *, skip: set[int]) -> None:
    rows = [row for row in _rows(rule, checked.columns[column.name], column) if row not in skip]
    if rows:
        checked.broken[rule.id] += len(rows)
    if rule.severity == "quarantine":
        for row in rows:
            checked.refuse(row, rule.id, f"{_told(column, raw, row)} {demand(rule)}")


def _rows(rule: Rule, values: "pa.Array", column: Column) -> Iterable[int]:
    import pyarrow.compute as pc

    rows: list[int] = pc.indices_nonzero(broken(rule, values, column_type.parse(column.type))).to_pylist()
    return rows


def _told(column: Column, raw: Any, row: int) -> str:
    """The column and its raw value as a sentence begins."""
    if column.private:
        return f"{column.name} {MASK}"
    value = raw[row]
    return f"{column.name} {_short.repr(value.as_py() if hasattr(value, 'as_py') else value)}"
