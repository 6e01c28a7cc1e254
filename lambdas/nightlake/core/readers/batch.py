"""What every reader gives: batches of records, by the columns of the contract, and the records it had to refuse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, overload

BATCH_RECORDS: Final = 10_000

Row = TypeVar("Row")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Refused:
    """A record that is no row: `rules` names every defect, such as `csv.fields`, `reasons` says each in words.

    `position` is its first line (from 1, counted from the shard's first record), or the number of the record in a JSON
    array or a Parquet object; `offset` the byte of the object that it begins with, where that is known; `raw` its text.
    """

    position: int
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    raw: str
    offset: int | None = None


@dataclass(frozen=True)
class Batch:
    """Some thousand records of a shard, in their order; a fast reader gives those that it could not read later.

    `columns` has the raw values of every column of the contract: from CSV text (a sequence, or a pyarrow array of
    strings), None for a declared spelling of NULL; from JSON Python values, fractions as Decimal with all their digits,
    or a pyarrow array; from Parquet a pyarrow array. For each row, `positions` (a sequence, or a pyarrow array of
    int64), `raw` and `offsets` are what `Refused` says; the last two are asked for refused rows only, and may be made
    then.

    `skipped` and `header` count the records that are neither rows nor refused: blank lines, comments and what stands
    before a header. `lines` are the physical lines of all records; `start` and `stop` the bytes of
    the object (stop exclusive) that they cover without a gap, where the format is cut into byte ranges, else None.
    `extra_columns` are the names in the rows that the source declares nowhere.
    """

    columns: Mapping[str, Any]
    positions: Any
    raw: Sequence[str]
    offsets: Sequence[int | None] = ()
    refused: Sequence[Refused] = ()
    skipped: int = 0
    header: int = 0
    lines: int = 0
    start: int | None = None
    stop: int | None = None
    extra_columns: frozenset[str] = frozenset()

    @property
    def records(self) -> int:
        """All records, whatever became of them."""
        return len(self.positions) + len(self.refused) + self.skipped + self.header


@dataclass
class Collector(Generic[Row]):
    """Gathers records until they make a batch; `to_columns` turns its rows into columns."""

    to_columns: Callable[[list[Row]], dict[str, list[Any]]]
    rows: list[Row] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    offsets: list[int | None] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    skipped: int = 0
    header: int = 0
    extra_columns: set[str] = field(default_factory=set)

    def add(self, row: Row, position: int, raw: str, offset: int | None = None) -> None:
        """Take one good record."""
        self.rows.append(row)
        self.positions.append(position)
        self.raw.append(raw)
        self.offsets.append(offset)

    @property
    def full(self) -> bool:
        """Whether there are as many records as a batch may have."""
        return len(self.rows) + len(self.refused) + self.skipped + self.header >= BATCH_RECORDS

    def batch(self, *, lines: int = 0, start: int | None = None, stop: int | None = None) -> Batch:
        """All that was gathered; what comes next belongs into another collector."""
        return Batch(
            columns=self.to_columns(self.rows),
            positions=self.positions,
            raw=self.raw,
            offsets=self.offsets,
            refused=self.refused,
            skipped=self.skipped,
            header=self.header,
            lines=lines,
            start=start,
            stop=stop,
            extra_columns=frozenset(self.extra_columns),
        )


class Lazy(Sequence[Item]):
    """A sequence whose items are made when they are asked for."""

    def __init__(self, length: int, make: Callable[[int], Item]) -> None:
        self._length = length
        self._make = make

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        places = range(self._length)[index]
        return self._make(places) if isinstance(places, int) else [self._make(place) for place in places]

    def __len__(self) -> int:
        return self._length
