"""The first rows in an order that is asked for: of each file only what decides the order, then the winners' columns."""

import math
from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Final

from nightlake.core.api.cursor import Position
from nightlake.core.api.question import Order, Question
from nightlake.core.api.scan import ROW, File, Scan

if TYPE_CHECKING:
    import pyarrow as pa

_DAY: Final = "#day"
_FILE: Final = "#file"
_PLACE: Final = (_DAY, _FILE, ROW)  # decides between rows that are equal otherwise


def top(scan: Scan, question: Question, after: Position | None) -> "tuple[pa.Table, list[Position], bool]":
    """The first `question.limit` rows behind the row `after`, where each of them lies, and whether they are all.

    Raises as `Scan.batches` does: all files of the range are read.
    """
    names = [order.column for order in question.order]
    files: dict[tuple[date, int], File] = {}
    marker = _marker(scan, names, after) if after else None
    best: pa.Table | None = None
    for batch in scan.batches(names):
        files[batch.file.day, batch.file.number] = batch.file
        rows = _placed(batch.rows, names, batch.file)
        if best is not None and best.num_rows > question.limit:
            rows = _below(rows, question.order[0], best)
        if not rows.num_rows:
            continue
        rows = rows if marker is None else _behind(rows, marker, question.order)
        best = _sorted(rows if best is None else _concat(best, rows), question.order).slice(0, question.limit + 1)
    if best is None:
        return scan.schema.empty_table().select(question.columns), [], True
    places = [
        Position(day=date.fromordinal(day), file=number, row=row)
        for day, number, row in zip(*(best[name].to_pylist() for name in _PLACE), strict=True)
    ][: question.limit]
    return _rows(scan, files, places, question.columns), places, best.num_rows <= question.limit


def _rows(
    scan: Scan, files: dict[tuple[date, int], File], places: Sequence[Position], columns: Sequence[str]
) -> "pa.Table":
    """The rows that lie there, in the order of the places."""
    import pyarrow as pa

    found = [scan.schema.empty_table().select(columns)]
    order: dict[Position, int] = {}
    for day, number in sorted({(place.day, place.file) for place in places}):
        numbers = sorted(place.row for place in places if (place.day, place.file) == (day, number))
        for row in numbers:
            order[Position(day=day, file=number, row=row)] = len(order)
        found.append(scan.take(files[day, number], numbers, columns).select(columns))
    return pa.concat_tables(found).take(pa.array([order[place] for place in places], pa.int64()))


def _marker(scan: Scan, names: Sequence[str], after: Position) -> "pa.Table":
    """The row there, with what decides its place."""
    file = next(scan.files(after))
    return _placed(scan.take(file, [after.row], names), names, file)


def _placed(rows: "pa.Table", names: Sequence[str], file: File) -> "pa.Table":
    import pyarrow as pa

    columns = {name: rows[name] for name in names}
    place = {_DAY: file.day.toordinal(), _FILE: file.number}
    repeated = {name: pa.repeat(pa.scalar(value, pa.int64()), rows.num_rows) for name, value in place.items()}
    return pa.table({**columns, **repeated, ROW: rows[ROW]})


def _below(rows: "pa.Table", order: Order, best: "pa.Table") -> "pa.Table":
    """The rows that are not certainly behind the last of the best: null and NaN come last either way."""
    import pyarrow.compute as pc

    last = best[order.column][best.num_rows - 1]
    if not last.is_valid or _is_nan(last):
        return rows
    compare = pc.greater_equal if order.descending else pc.less_equal
    return rows.filter(compare(rows[order.column], last))


def _is_nan(value: "pa.Scalar") -> bool:
    from pyarrow import types

    return bool(types.is_floating(value.type) and math.isnan(value.as_py()))


def _behind(rows: "pa.Table", marker: "pa.Table", orders: Sequence[Order]) -> "pa.Table":
    """The rows that come after the marker."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_marker = reduce(pc.and_, (pc.equal(rows[name], marker[name][0]) for name in _PLACE))
    together = _concat(marker, rows.filter(pc.invert(is_marker)))
    indices = pc.sort_indices(together, sort_keys=_keys(orders))
    place = pc.index(indices, pa.scalar(0, pa.uint64())).as_py()
    return together.take(indices.slice(place + 1))


def _sorted(rows: "pa.Table", orders: Sequence[Order]) -> "pa.Table":
    import pyarrow.compute as pc

    return rows.take(pc.sort_indices(rows, sort_keys=_keys(orders)))


def _keys(orders: Sequence[Order]) -> list[tuple[str, str]]:
    asked = [(order.column, "descending" if order.descending else "ascending") for order in orders]
    return asked + [(name, "ascending") for name in _PLACE]


def _concat(one: "pa.Table", other: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    return pa.concat_tables([one, other]).combine_chunks()
