"""One row by its primary key: of one day, or the newest day that has it."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from nightlake.core.api.condition import Condition
from nightlake.core.api.kept import Kept
from nightlake.core.api.key_index import find_days
from nightlake.core.api.published import Pinned, Published, find_table
from nightlake.core.api.question import MAX_LIMIT, read_day, read_select, singles, types, within
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.result import Result, of_scan
from nightlake.core.api.scan import Scan
from nightlake.core.api.value import parse
from nightlake.core.errors import AnswerTooCostlyError, InvalidParameterError, RowNotFoundError, UnknownParameterError
from nightlake.core.snapshot import Partition, PublishedTable

RESERVED: Final = ("date", "select")
_WHOLE_BYTES: Final = 1 << 23
_BUDGET_BYTES: Final = 1 << 25


@dataclass(frozen=True)
class Asked:
    """The row of the key, of the day if one is asked for; `key` are the key's columns and their values, all equal."""

    pinned: Pinned
    table: PublishedTable
    text: str
    key: tuple[Condition, ...]
    columns: tuple[str, ...]
    day: date | None
    moment: str | None


def ask(
    published: Published,
    pipeline: str,
    dataset: str,
    parameters: Mapping[str, Sequence[str]],
    *,
    primary_key: Sequence[str],
    text: str,
    private: bool = False,
    moment: str | None = None,
) -> Asked:
    """The row that the text names: the values of the primary key in its order, comma-separated.

    Raises NothingPublishedError, UnknownParameterError or InvalidParameterError.
    """
    pinned, table = find_table(published.newest(pipeline), dataset, private=private)
    for name in parameters:
        if name not in RESERVED:
            raise UnknownParameterError(
                f"A row by its key knows no parameter '{name}'; it knows {', '.join(RESERVED)}", name
            )
    single = singles(parameters)
    return Asked(
        pinned,
        table,
        text,
        key=_key(table, primary_key, text),
        columns=read_select(single.get("select"), table),
        day=read_day(single, "date"),
        moment=moment,
    )


def _key(table: PublishedTable, names: Sequence[str], text: str) -> tuple[Condition, ...]:
    known = types(table)
    if not names or any(name not in known for name in names):
        raise InvalidParameterError(
            f"'{table.table}' has no primary key; ask for its rows by conditions on its columns"
        )
    try:
        values = next(csv.reader([text], strict=True), [])
    except csv.Error:
        values = []
    if len(values) != len(names):
        raise InvalidParameterError(
            f"key: write the values of {', '.join(names)} in this order, comma-separated", "key"
        )
    try:
        return tuple(
            Condition(name, "eq", (parse(known[name], value),)) for name, value in zip(names, values, strict=True)
        )
    except ValueError as error:
        raise InvalidParameterError(
            f"key: {error}; the key is {', '.join(f'{n} {known[n]}' for n in names)}", "key"
        ) from None


def answer(source: Kept, asked: Asked, *, budget: Budget | None = None) -> Result:
    """The row, and any other of the same day and key; without a day, those of the newest that has one.

    Raises RowNotFoundError, or AnswerTooCostlyError where the day must be named because no index knows it.
    """
    budget = budget or Budget(_BUDGET_BYTES)
    try:
        for partition in _candidates(source, asked):
            found = _rows(source, asked, partition, budget)
            if found is not None:
                return found
    except AnswerTooCostlyError:
        if asked.day:
            raise
        raise AnswerTooCostlyError(
            f"No index says yet where the keys of '{asked.table.table}' lie; name the row's day: date=YYYY-MM-DD"
        ) from None
    of_day = f" of {asked.day}" if asked.day else ""
    raise RowNotFoundError(f"'{asked.table.table}' has no row with the key {asked.text}{of_day}")


def _candidates(source: Kept, asked: Asked) -> Iterable[Partition]:
    """The partitions that may have the key, the newest first."""
    partitions = asked.table.partitions[::-1]
    if asked.day:
        return [each for each in partitions if each.has_days(asked.day, asked.day)]
    return find_days(source, asked.pinned.snapshot.pipeline, asked.table, asked.key)


def _rows(source: Kept, asked: Asked, partition: Partition, budget: Budget) -> Result | None:
    import pyarrow as pa

    first, last = (asked.day, asked.day) if asked.day else (partition.day, partition.last_day)
    conditions = (*asked.key, *within(asked.table, asked.moment, first, last))
    scan = Scan(
        source, asked.pinned.snapshot.pipeline, asked.table, first, last, conditions, budget=budget, whole=_WHOLE_BYTES
    )
    rows = [batch.rows.select(asked.columns) for batch in scan.batches(asked.columns) if batch.rows.num_rows]
    if not rows:
        return None
    kinds = types(asked.table)
    return of_scan(
        scan,
        pa.concat_tables(rows).slice(0, MAX_LIMIT),
        {name: kinds[name] for name in asked.columns},
        snapshot=asked.pinned.snapshot.number,
    )
