"""What a question about rows is answered with: typed columns and their rows, and how they are written as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from nightlake.core.api.value import to_json
from nightlake.core.column_type import ColumnType

if TYPE_CHECKING:
    import pyarrow as pa

    from nightlake.core.api.scan import Scan


@dataclass(frozen=True)
class Result:
    """Rows of the days `first` to `last`, of which `days` are published; `rows` has exactly `columns`, in their order.

    `next_cursor` asks for the rows behind these, where there may be more.
    """

    dataset: str
    snapshot: int
    first: date
    last: date
    days: tuple[date, ...]
    columns: tuple[tuple[str, ColumnType], ...]
    rows: "pa.Table"
    next_cursor: str | None = None


def of_scan(
    scan: "Scan",
    rows: "pa.Table",
    columns: Mapping[str, ColumnType],
    *,
    snapshot: int,
    next_cursor: str | None = None,
) -> Result:
    """What was found by a scan of a table of this snapshot."""
    return Result(
        dataset=scan.table.table,
        snapshot=snapshot,
        first=scan.first,
        last=scan.last,
        days=tuple(each.day for each in scan.partitions),
        columns=tuple(columns.items()),
        rows=rows,
        next_cursor=next_cursor,
    )


def records(result: Result) -> Iterator[dict[str, Any]]:
    """The rows as they stand in JSON."""
    for values in result.rows.to_pylist():
        yield {name: to_json(kind, values[name]) for name, kind in result.columns}


def body(result: Result) -> dict[str, Any]:
    """The whole answer as it stands in JSON."""
    return {
        "dataset": result.dataset,
        "snapshot": result.snapshot,
        "from": result.first.isoformat(),
        "to": result.last.isoformat(),
        "days": [day.isoformat() for day in result.days],
        "columns": [{"name": name, "type": str(kind)} for name, kind in result.columns],
        "rows": list(records(result)),
        "next_cursor": result.next_cursor,
    }
