"""Casts and checks the batches of one dataset: typed columns, and for each refused row every rule that it broke."""

import reprlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nightlake.core import column_type
from nightlake.core.cast import cast
from nightlake.core.mask import MASK
from nightlake.core.pipeline import Column, Dataset, Rule
from nightlake.core.quality import RowRule, Values, row_rules
from nightlake.core.readers.batch import Batch
from nightlake.core.source import BUSINESS_DATE
from nightlake.core.value_parser import Reading

if TYPE_CHECKING:
    import pyarrow as pa

_short: Final = reprlib.Repr()
_short.maxstring = _short.maxother = 80


class Defect(NamedTuple):
    """What many rows can have: a value of `column` that breaks `rule`; `demand` ends the sentence about it."""

    rule: str
    column: Column
    demand: str


@dataclass
class Checked:
    """A batch as typed columns. `refused` are its rows that are set aside, `broken` counts the rows of every rule."""

    columns: "dict[str, pa.Array]" = field(default_factory=dict)
    refused: defaultdict[int, list[Defect]] = field(default_factory=lambda: defaultdict(list))
    broken: Counter[str] = field(default_factory=Counter)
    rounded: list[int] = field(default_factory=list)

    def reasons(self, batch: Batch, row: int) -> Iterator[tuple[str, str]]:
        """Every rule that a refused row broke, and why; private values are masked."""
        for rule, column, demand in self.refused[row]:
            yield rule, f"{_told(column, batch.columns[column.name], row)} {demand}"


class BatchCheck:
    """Checks batch after batch of a source; what it asks is made ready when the dataset is another than before."""

    def __init__(self, reading: Reading, partition_by: str) -> None:
        self._reading = reading
        self._partition_by = partition_by
        self._dataset: Dataset | None = None
        self._columns: list[_ColumnCheck] = []

    def __call__(self, batch: Batch, dataset: Dataset) -> Checked:
        """Cast every column of the dataset and decide every rule that is about single rows.

        A value that its type cannot hold breaks `<dataset>.<column>.type` and no other rule of its column. A row that
        has no day to go to breaks `<dataset>.<column>.partition_by`.
        """
        if dataset is not self._dataset:
            self._prepare(dataset)
        checked = Checked()
        uncast = [column.cast(batch.columns[column.name], checked) for column in self._columns]
        for column, rows in zip(self._columns, uncast, strict=True):
            column.check(checked, skip=rows)
        return checked

    def _prepare(self, dataset: Dataset) -> None:
        rules: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in row_rules(dataset):
            rules[rule.columns[0]].append(rule)
        if self._partition_by != BUSINESS_DATE:
            rules[self._partition_by].append(_has_day(dataset, self._partition_by))
        self._columns = [
            _ColumnCheck(dataset.name, column, rules[column.name], self._reading) for column in dataset.columns
        ]
        self._dataset = dataset


class _ColumnCheck:
    def __init__(self, dataset: str, column: Column, rules: Sequence[Rule], reading: Reading) -> None:
        self.name = column.name
        self._column = column
        self._kind = column_type.parse(column.type)
        self._reading = reading.of_column(column.name)
        self._type_rule = f"{dataset}.{column.name}.type"
        self._rules = [RowRule(rule, self._kind) for rule in rules]

    def cast(self, raw: Any, checked: Checked) -> set[int]:
        """Cast the column; the rows whose value its type cannot hold."""
        done = cast(raw, self._kind, self._reading)
        checked.columns[self.name] = done.values
        checked.rounded += done.rounded
        if done.refused:
            checked.broken[self._type_rule] += len(done.refused)
            defects: dict[str, Defect] = {}
            for row, reason in done.refused.items():
                if reason not in defects:
                    defects[reason] = Defect(self._type_rule, self._column, f"is no {self._column.type}: {reason}")
                checked.refused[row].append(defects[reason])
        return set(done.refused)

    def check(self, checked: Checked, *, skip: set[int]) -> None:
        """Set aside the rows that break a rule; those in `skip` have no value to be judged."""
        values = Values(checked.columns[self.name])
        for rule in self._rules:
            mask = rule.broken(values)
            rows = [] if mask is None else [row for row in _true_rows(mask) if row not in skip]
            if rows:
                checked.broken[rule.rule.id] += len(rows)
            if rule.rule.severity == "quarantine":
                defect = Defect(rule.rule.id, self._column, rule.demand)
                for row in rows:
                    checked.refused[row].append(defect)


def _has_day(dataset: Dataset, column: str) -> Rule:
    return Rule(
        id=f"{dataset.name}.{column}.partition_by",
        metric="nullValues",
        severity="quarantine",
        columns=(column,),
        description="its day says which partition the row belongs to",
    )


def _true_rows(mask: "pa.BooleanArray") -> list[int]:
    import pyarrow.compute as pc

    rows: list[int] = pc.indices_nonzero(mask).to_pylist()
    return rows


def _told(column: Column, raw: Any, row: int) -> str:
    """The column and its raw value as a sentence begins."""
    if column.private:
        return f"{column.name} {MASK}"
    value = raw[row]
    try:
        return f"{column.name} {_short.repr(value.as_py() if hasattr(value, 'as_py') else value)}"
    except (OverflowError, ValueError):  # a moment that Python does not have
        return f"{column.name} {value.type}"
