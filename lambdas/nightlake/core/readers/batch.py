"""What every reader gives: batches of records, by the columns of the contract, and the records it had to refuse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

BATCH_RECORDS: Final = 10_000

Row = TypeVar("Row")


@dataclass(frozen=True)
class Refused:
    """A record that is no row: `rule` names the defect, such as `csv.fields`; `raw` is its text."""

    position: int
    rule: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Batch:
    """At most 10,000 records of a shard, in their order.

    `columns` has the raw values of every column of the contract: from CSV text, or None for a declared spelling of
    NULL; from JSON Python values, fractions as Decimal with all their digits; from Parquet a pyarrow Array. For each
    row, `positions` is the number (from 1) of its first line, or of the record in a JSON array or a Parquet object,
    and `raw` its text. `blank` and `header` count the records that are neither rows nor refused; `extra_columns` are
    the names in the rows that the source declares nowhere.
    """

    columns: Mapping[str, Any]
    positions: Sequence[int]
    raw: Sequence[str]
    refused: Sequence[Refused] = ()
    blank: int = 0
    header: int = 0
    extra_columns: frozenset[str] = frozenset()

    @property
    def records(self) -> int:
        """All records, whatever became of them."""
        return len(self.positions) + len(self.refused) + self.blank + self.header


@dataclass
class Collector(Generic[Row]):
    """Gathers records until they make a batch; `to_columns` turns its rows into columns."""

    to_columns: Callable[[list[Row]], dict[str, list[Any]]]
    rows: list[Row] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    blank: int = 0
    header: int = 0
    extra_columns: set[str] = field(default_factory=set)

    def add(self, row: Row, position: int, raw: str) -> None:
        """Take one good record."""
        self.rows.append(row)
        self.positions.append(position)
        self.raw.append(raw)

    @property
    def full(self) -> bool:
        """Whether there are as many records as a batch may have."""
        return len(self.rows) + len(self.refused) + self.blank + self.header >= BATCH_RECORDS

    def batch(self) -> Batch:
        """All that was gathered; what comes next belongs into another collector."""
        return Batch(
            columns=self.to_columns(self.rows),
            positions=self.positions,
            raw=self.raw,
            refused=self.refused,
            blank=self.blank,
            header=self.header,
            extra_columns=frozenset(self.extra_columns),
        )
