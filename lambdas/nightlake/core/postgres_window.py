"""Which rows of a table are of a day: the window of its watermark, and its parts, as conditions of SQL."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from nightlake.core.postgres_source import PostgresSource
from nightlake.core.postgres_table import TableColumn, TableInfo, identifier, literal
from nightlake.core.shard import TablePart

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def day_bounds(day: date, source: PostgresSource) -> tuple[datetime, datetime]:
    """The first instant of the day in the source's zone, and that of the next: 23 to 25 hours."""
    zone = ZoneInfo(source.timezone)
    start, end = (datetime.combine(each, time.min, zone).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    return start, end


def window(day: date, source: PostgresSource) -> tuple[datetime, datetime]:
    """What a night reads: the day, and the overlap before it."""
    start, end = day_bounds(day, source)
    return start - timedelta(minutes=source.overlap_minutes), end


def bound(instant: datetime, watermark: TableColumn, source: PostgresSource) -> str:
    """An instant as the watermark would hold it: with its zone, on the clocks of the source, or as a date."""
    if watermark.type == "timestamptz":
        return instant.astimezone(UTC).isoformat()
    local = instant.astimezone(ZoneInfo(source.timezone)).replace(tzinfo=None)
    return local.date().isoformat() if watermark.type == "date" else local.isoformat()


def bound_at(seconds: int, watermark: TableColumn) -> str:
    """The watermark that so many seconds after 1970 is, where clocks and days are counted as if they were UTC."""
    moment = _EPOCH + timedelta(seconds=seconds)
    if watermark.type == "timestamptz":
        return moment.isoformat()
    return moment.date().isoformat() if watermark.type == "date" else moment.replace(tzinfo=None).isoformat()


def condition(part: TablePart, table: TableInfo, source: PostgresSource) -> str:
    """The WHERE of a part's rows."""
    watermark = table.column(source.watermark)
    if watermark is None:
        raise AssertionError("inspect() has looked for it")
    name = identifier(watermark.name)
    since, until = (bound(datetime.fromisoformat(at), watermark, source) for at in (part.since, part.until))
    terms = [f"{name} >= {literal(since)}::{watermark.type}", f"{name} < {literal(until)}::{watermark.type}"]
    match part.by:
        case "time":
            terms += _range(part, name, f"{{}}::{watermark.type}")
        case "key":
            key = identifier(str(source.key))
            terms += _range(part, key, "({})::bigint")
            if part.start is None and part.end is not None:
                *terms, last = terms
                terms.append(f"({last} OR {key} IS NULL)")
        case "blocks":
            terms += _range(part, "ctid", "{}::tid")
    return " AND ".join(terms)


def _range(part: TablePart, name: str, cast: str) -> Iterator[str]:
    if part.start is not None:
        yield f"{name} >= {cast.format(literal(part.start))}"
    if part.end is not None:
        yield f"{name} < {cast.format(literal(part.end))}"


def pieces(part: TablePart) -> tuple[TablePart, ...]:
    """A part as those of its `cuts`, which are read at once."""
    bounds = (part.start, *part.cuts, part.end)
    return tuple(part.model_copy(update={"start": start, "end": end, "cuts": ()}) for start, end in pairwise(bounds))
