"""Rows of a dataset, read from the Parquet files that a snapshot names: needed columns and row groups only."""

import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final

from nightlake.core.api.cursor import Position, check_cursor, read_cursor, write_cursor
from nightlake.core.api.published import Pinned, Published
from nightlake.core.api.question import Condition, Question, read_question, types
from nightlake.core.api.ranged_file import Budget, RangedFile
from nightlake.core.api.value import to_json
from nightlake.core.column_type import ColumnType
from nightlake.core.errors import AnswerTooCostlyError, CursorExpiredError, NothingPublishedError
from nightlake.core.pipeline import Column
from nightlake.core.snapshot import PartitionManifest, PublishedFile, PublishedTable
from nightlake.core.store import ObjectNotFoundError, Store
from nightlake.core.table import PARTITION_KEYS, Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

# Lambda carries 6 MB of JSON in which this JSON is a string: escaping can double it.
PAGE_BYTES: Final = 2_500_000
_BATCH_ROWS: Final = 8192
_ROW: Final = "#"  # no column is called so


@dataclass(frozen=True)
class Asked:
    """A question, the snapshot that answers it, and where in it the answer begins."""

    question: Question
    pinned: Pinned
    table: PublishedTable
    start: Position | None


@dataclass(frozen=True)
class _File:
    """One file of a day; `number` is its place in the day's manifest."""

    day: date
    number: int
    file: PublishedFile


def ask(
    published: Published,
    pipeline: str,
    dataset: str,
    parameters: Mapping[str, Sequence[str]],
    *,
    private: bool = False,
) -> Asked:
    """The question that the parameters ask, pinned to HEAD's snapshot or to the cursor's.

    Raises NothingPublishedError, UnknownParameterError, InvalidParameterError, InvalidCursorError, or
    CursorExpiredError when the cursor's snapshot is gone.
    """
    texts = parameters.get("cursor", ())
    cursor = read_cursor(texts[0]) if texts else None
    pinned = published.pinned(pipeline, cursor.snapshot) if cursor else published.newest(pipeline)
    if cursor and pinned is None:
        raise CursorExpiredError("The snapshot that this cursor pages through is gone; ask again without the cursor")
    table = pinned.table(dataset, private=private) if pinned else None
    if pinned is None or table is None:
        raise NothingPublishedError(f"Nothing of '{dataset}' is published yet; its first good night will do it")
    question = read_question(table, parameters)
    if cursor:
        check_cursor(texts[0], pinned, question)
    return Asked(question, pinned, table, start=cursor.position if cursor else None)


def answer(store: Store, asked: Asked, *, page_bytes: int = PAGE_BYTES, budget: Budget | None = None) -> dict[str, Any]:
    """A page of rows, in the order of days, files and rows, and the cursor of the next one if there may be more.

    A page ends early at `page_bytes` of JSON. Raises AnswerTooCostlyError when the rows lie in more data than the
    budget allows, CursorExpiredError when files of a cursor's snapshot are gone.
    """
    question, snapshot = asked.question, asked.pinned.snapshot
    kinds = types(asked.table)
    try:
        rows, following = _page(_matches(store, asked, budget or Budget()), question, kinds, page_bytes)
    except ObjectNotFoundError:
        if asked.start is None:
            raise
        raise CursorExpiredError(
            "Files that this cursor pages through are gone; ask again without the cursor"
        ) from None
    return {
        "dataset": question.dataset,
        "snapshot": snapshot.number,
        "from": question.first.isoformat(),
        "to": question.last.isoformat(),
        "days": [
            each.day.isoformat() for each in asked.table.partitions if question.first <= each.day <= question.last
        ],
        "columns": [{"name": name, "type": str(kinds[name])} for name in question.columns],
        "rows": rows,
        "next_cursor": following and write_cursor(asked.pinned, question, following),
    }


@dataclass(frozen=True)
class _Matches:
    """The rows of one batch that meet the conditions; `following` is where reading goes on behind the batch."""

    file: _File
    rows: "pa.Table"
    following: Position | None


def _page(
    batches: Iterator[_Matches], question: Question, kinds: Mapping[str, ColumnType], page_bytes: int
) -> tuple[list[dict[str, Any]], Position | None]:
    """The rows of one page, and the position of the next row where there may be one."""
    page: list[dict[str, Any]] = []
    size = 0
    for batch in batches:
        wanted = batch.rows.slice(0, question.limit - len(page) + 1)
        for values in wanted.to_pylist():
            row = {name: to_json(kinds[name], values[name]) for name in question.columns}
            size += len(json.dumps(row)) + 2
            if len(page) == question.limit or size > page_bytes:
                if not page:
                    raise AnswerTooCostlyError(
                        f"One row has more than {page_bytes} bytes of JSON; select fewer columns"
                    )
                return page, Position(day=batch.file.day, file=batch.file.number, row=values[_ROW])
            page.append(row)
        if len(page) == question.limit:
            return page, batch.following
    return page, None


def _matches(store: Store, asked: Asked, budget: Budget) -> Iterator[_Matches]:
    """Every batch of the question's files from the start position on."""
    schema = _schema(asked.table)
    files = _files(store, asked)
    for file, after in pairwise(chain(files, (None,))):
        if file is None:
            return
        start = asked.start.row if asked.start and (asked.start.day, asked.start.file) == (file.day, file.number) else 0
        next_file = Position(day=after.day, file=after.number, row=0) if after else None
        source = RangedFile(store, file.file.key, file.file.size, budget)
        for rows, end in _read(source, file.day, schema, asked.question, start):
            inside = Position(day=file.day, file=file.number, row=end) if end < file.file.rows else next_file
            yield _Matches(file, rows, inside)


def _files(store: Store, asked: Asked) -> Iterator[_File]:
    question, start = asked.question, asked.start
    for partition in asked.table.partitions:
        if not question.first <= partition.day <= question.last or (start and partition.day < start.day):
            continue
        manifest = store.get_model(partition.manifest, PartitionManifest)
        for number, file in enumerate(manifest.files):
            if file.rows and not (start and (partition.day, number) < (start.day, start.file)):
                yield _File(partition.day, number, file)


def _schema(table: PublishedTable) -> "pa.Schema":
    keys = tuple(Column(name=key, type="string") for key in PARTITION_KEYS)
    return arrow_schema(Table(name=table.table, description="", columns=table.columns + keys))


def _read(
    source: RangedFile, day: date, schema: "pa.Schema", question: Question, start: int
) -> "Iterator[tuple[pa.Table, int]]":
    """The rows of one file that match, from row `start` on: batch by batch, each with the row that follows it.

    A column that the file does not have is null in all its rows: it was added to the contract later.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    keys = dict(zip(PARTITION_KEYS, day.isoformat().split("-"), strict=True))
    here = reduce(operator.and_, (pc.field(key) == value for key, value in keys.items()))
    conditions = [_expression(condition, schema) for condition in question.conditions]
    fragment = ds.ParquetFileFormat().make_fragment(source, partition_expression=here)
    groups = _groups(fragment, conditions, schema)
    parquet = pq.ParquetFile(source, metadata=fragment.metadata, pre_buffer=True, coerce_int96_timestamp_unit="ms")
    needed = {*question.columns, *(condition.column for condition in question.conditions)}
    stored = [name for name in parquet.schema_arrow.names if name in needed]
    condition = reduce(operator.and_, conditions, pc.field(_ROW) >= start)
    end = 0
    for group in range(parquet.num_row_groups):
        size = parquet.metadata.row_group(group).num_rows
        if group not in groups or end + size <= start:
            end += size
            continue
        for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=[group], columns=stored, use_threads=False):
            columns = {_ROW: pa.array(range(end, end + batch.num_rows), pa.int64())}
            for field in schema:
                if field.name in stored:
                    columns[field.name] = batch.column(field.name).cast(field.type)
                elif field.name in needed:
                    columns[field.name] = pa.repeat(pa.scalar(keys.get(field.name), field.type), batch.num_rows)
            end += batch.num_rows
            yield pa.table(columns).filter(condition), end


def _groups(fragment: "ds.ParquetFileFragment", conditions: "list[ds.Expression]", schema: "pa.Schema") -> set[int]:
    """The row groups whose statistics do not rule the conditions out."""
    if conditions:
        fragment = fragment.subset(filter=reduce(operator.and_, conditions), schema=schema)
    return {group.id for group in fragment.row_groups}


def _expression(condition: Condition, schema: "pa.Schema") -> "ds.Expression":
    """The condition in Arrow's terms; as in SQL, what is compared with null is neither true nor false."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.field(condition.column)
    if condition.operator == "is_null":
        return column.is_null() if condition.values[0] else column.is_valid()
    kind = schema.field(condition.column).type
    if condition.operator == "in":
        return column.isin(pa.array(condition.values, kind))
    compared = _COMPARE[condition.operator](column, pa.scalar(condition.values[0], kind))
    # NaN differs from everything, and the statistics of a row group leave it out
    return compared | column.is_nan() if condition.operator == "ne" and pa.types.is_floating(kind) else compared


_COMPARE: Final = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
