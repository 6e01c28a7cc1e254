"""Rows of a dataset, page by page, from the snapshot that the first page saw."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nightlake.core.api.cursor import Position, check_cursor, read_cursor, write_cursor
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Pinned, Published, find_table
from nightlake.core.api.question import Question, read_question, types
from nightlake.core.api.ranged_file import Budget
from nightlake.core.api.result import Result, of_scan
from nightlake.core.api.scan import AHEAD, MEDIUM_BYTES, ROW, Scan
from nightlake.core.api.top import top
from nightlake.core.api.value import to_json
from nightlake.core.column_type import ColumnType
from nightlake.core.errors import AnswerTooCostlyError, CursorExpiredError
from nightlake.core.snapshot import PublishedTable
from nightlake.core.store import ObjectNotFoundError

if TYPE_CHECKING:
    import pyarrow as pa

# Lambda carries 6 MB of JSON in which this JSON is a string: escaping can double it.
PAGE_BYTES: Final = 2_500_000
PAGED_BYTES: Final = 1 << 26
# With HEAD and the list of files, a filtered page that finds something takes eight requests: a quarter of a second.
PAGED_REQUESTS: Final = 6
MOST_REQUESTS: Final = 64  # of a page that finds nothing, or of tiny files: two seconds
ORDERED_BYTES: Final = 1 << 28  # files are fetched at the same time
_FEW_PARTITIONS: Final = 4
_ESCAPED: Final = 6  # bytes that JSON may need for one, as \u00e9
_PLAIN: Final = 40  # bytes of a plain value that is no text, with what stands around it


@dataclass(frozen=True)
class Asked:
    """A question, the snapshot that answers it, and where in it the answer begins."""

    question: Question
    pinned: Pinned
    table: PublishedTable
    start: Position | None


def ask(
    published: Published,
    pipeline: str,
    dataset: str,
    parameters: Mapping[str, Sequence[str]],
    *,
    private: bool = False,
    moment: str | None = None,
) -> Asked:
    """The question that the parameters ask, pinned to HEAD's snapshot or to the cursor's.

    `moment` is the column that the table is partitioned by, if it is one. Raises NothingPublishedError,
    UnknownParameterError, InvalidParameterError, InvalidCursorError, or CursorExpiredError when the cursor's snapshot
    is gone.
    """
    texts = parameters.get("cursor", ())
    cursor = read_cursor(texts[0]) if texts else None
    pinned = published.pinned(pipeline, cursor.snapshot) if cursor else published.newest(pipeline)
    if cursor and pinned is None:
        raise CursorExpiredError("The snapshot that this cursor pages through is gone; ask again without the cursor")
    pinned, table = find_table(pinned, dataset, private=private)
    question = read_question(pinned, table, parameters, moment=moment)
    if cursor:
        check_cursor(texts[0], pinned, question)
    return Asked(question, pinned, table, start=cursor.position if cursor else None)


def answer(source: Kept, asked: Asked, *, page_bytes: int = PAGE_BYTES, budget: Budget | None = None) -> Result:
    """A page of rows, and the cursor of the next one if there may be more.

    A page ends early at `page_bytes` of JSON, or where the budget or a page's requests end; one in an order of its own
    must be found within the budget. Raises AnswerTooCostlyError when it is not, CursorExpiredError when files of a
    cursor's snapshot are gone.
    """
    question = asked.question
    scan = Scan(
        source,
        asked.pinned.snapshot.pipeline,
        asked.table,
        question.first,
        question.last,
        question.conditions,
        budget=budget or Budget(ORDERED_BYTES if question.order else PAGED_BYTES),
    )
    if question.order and len(scan.partitions) <= _FEW_PARTITIONS:
        scan = replace(scan, whole=MEDIUM_BYTES)  # else each file that has a winner would be asked a second time
    elif question.order:
        scan = replace(scan, ahead=AHEAD)
    try:
        page = _ordered if question.order else _page
        rows, following = page(scan, question, asked.start, page_bytes)
    except ObjectNotFoundError:
        if asked.start is None:
            raise
        raise CursorExpiredError(
            "Files that this cursor pages through are gone; ask again without the cursor"
        ) from None
    kinds = types(asked.table)
    return of_scan(
        scan,
        rows,
        {name: kinds[name] for name in question.columns},
        snapshot=asked.pinned.snapshot.number,
        next_cursor=write_cursor(asked.pinned, question, following) if following else None,
    )


def _page(
    scan: Scan, question: Question, start: Position | None, page_bytes: int
) -> "tuple[pa.Table, Position | None]":
    """The rows of one page as they lie, and the position of the next row where there may be one."""
    import pyarrow as pa

    kinds = types(scan.table)
    found = [scan.schema.empty_table().select(question.columns)]
    left, room, reached = question.limit, page_bytes, None
    before, dearest = 0, 0
    batches = scan.batches(question.columns, start)
    while True:
        try:
            batch = next(batches, None)
        except AnswerTooCostlyError:
            if reached is None:
                raise
            return pa.concat_tables(found), reached
        if batch is None:
            return pa.concat_tables(found), None
        rows = batch.rows.select(question.columns)
        fitting, size = _fitting(rows.slice(0, left), kinds, room, required=left == question.limit)
        found.append(rows.slice(0, fitting))
        left, room, reached = left - fitting, room - size, batch.following
        if fitting < rows.num_rows:
            next_row = batch.rows[ROW][fitting].as_py()
            return pa.concat_tables(found), Position(day=batch.file.day, file=batch.file.number, row=next_row)
        if not left:
            return pa.concat_tables(found), reached
        if batch.rows.num_rows:
            continue
        spent = scan.budget.requests
        before, dearest = spent, max(dearest, spent - before)
        if spent + dearest > (PAGED_REQUESTS if question.conditions and left < question.limit else MOST_REQUESTS):
            return pa.concat_tables(found), reached


def _ordered(
    scan: Scan, question: Question, start: Position | None, page_bytes: int
) -> "tuple[pa.Table, Position | None]":
    """The rows of one page in the order that is asked for, and the position of its last row if there are more."""
    rows, places, is_all = top(scan, question, start)
    fitting, _ = _fitting(rows, types(scan.table), page_bytes, required=True)
    is_all = is_all and fitting == rows.num_rows
    return rows.slice(0, fitting), None if is_all else places[fitting - 1]


def _fitting(rows: "pa.Table", kinds: Mapping[str, ColumnType], room: int, *, required: bool) -> tuple[int, int]:
    """How many of the rows fit into so many bytes of JSON, and the bytes that they need at most.

    Raises AnswerTooCostlyError when one is `required` and none fits.
    """
    names = rows.column_names
    if not any(kinds[name].is_nested for name in names):
        most = rows.num_rows * sum(len(name) + _PLAIN for name in names) + _ESCAPED * rows.nbytes
        if most <= room:
            return rows.num_rows, most
    size = 0
    for number, values in enumerate(rows.to_pylist()):
        needed = len(json.dumps({name: to_json(kinds[name], values[name]) for name in names})) + 2
        if size + needed > room:
            if required and not number:
                raise AnswerTooCostlyError(f"One row has more than {room} bytes of JSON; select fewer columns")
            return number, size
        size += needed
    return rows.num_rows, size
