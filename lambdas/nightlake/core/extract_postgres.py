"""Plans a day of a table: whether it is over and no transaction can add to it, and which parts its rows are read in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Final, NamedTuple

from nightlake.core.dates import parse_instant
from nightlake.core.delivery import Delivery
from nightlake.core.errors import ConnectionsExceededError
from nightlake.core.header import check_header
from nightlake.core.pipeline import Dataset
from nightlake.core.plan import Request
from nightlake.core.postgres_session import Database, Session
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.postgres_table import TableInfo, identifier, inspect, relation, row_bytes
from nightlake.core.postgres_unfinished import SETTLE_SECONDS, unfinished
from nightlake.core.postgres_window import bound_at, condition, day_bounds, window
from nightlake.core.published_keys import published_by_others, published_digest, yields_to_others
from nightlake.core.shard import Finding, SourceObject, TablePart
from nightlake.core.store import Store

_SLICES: Final = 1 << 12  # a key is counted in about so many


class _Slice(NamedTuple):
    """Rows that lie together: where they begin, how many there are, and a digest that changes when one does."""

    start: int
    rows: int
    digest: int


@dataclass(frozen=True)
class Extraction:
    """Plans days of one source; `lake` says what other days have published of them, `settle` is of `unfinished`."""

    source: PostgresSource
    dataset: Dataset
    database: Database
    lake: Store
    settle: Sequence[float] = SETTLE_SECONDS

    def __call__(self, request: Request, now: datetime) -> Delivery:
        """What there is of the day, or what keeps it from being complete.

        Raises HeaderMismatchError, TableNotFoundError, TableUnsuitableError, ConnectionsExceededError, and what
        `Database.session` and `Session` raise.
        """
        with self.database.session(self.source) as session:
            table = inspect(session, self.source)
            where = f"{self.source.database}: {table.name}"
            names = tuple(column.name for column in table.columns)
            check_header(names, self.source, self.dataset, where=where)
            self._check_connections(session)
            _, end = day_bounds(request.date, self.source)
            is_late = self._is_late(request, now)
            missing, warnings = unfinished(session, self.source, end, is_late=is_late, settle=self.settle)
            if missing:
                return Delivery(objects=(), missing=missing)
            warnings += self._oddities(session, table)
        # What was committed until now is seen from here on: the first session might not see all of it.
        with self.database.session(self.source) as session:
            parts = [*self._parts(session, table, request)]
        return Delivery(
            objects=tuple(item for item, _ in parts),
            missing="",
            parts=tuple((part,) for _, part in parts),
            header=names,
            warnings=tuple(Finding(rule=rule, where=where, reason=reason) for rule, reason in warnings),
        )

    def _check_connections(self, session: Session) -> None:
        (found,) = session.rows(_CONNECTIONS)
        left, wanted = found["left_over"], self.source.connections
        if wanted > left:
            raise ConnectionsExceededError(
                f"{self.source.dataset} declares {wanted} connections to {self.source.database}, which has {left} left "
                f"of {found['most']}; declare fewer, or raise max_connections or the limit of the role"
            )

    def _is_late(self, request: Request, now: datetime) -> bool:
        if request.scheduled_at is None:
            return True
        return now >= parse_instant(request.scheduled_at) + timedelta(minutes=self.source.ready.deadline_minutes)

    def _oddities(self, session: Session, table: TableInfo) -> Iterator[tuple[str, str]]:
        """What a person should know of the table."""
        source = self.source
        watermark = table.column(source.watermark)
        if table.may_write:
            yield (
                "postgres.role_may_write",
                "the role could change the table, which it only reads; grant it SELECT alone",
            )
        if table.kind != "view" and source.shards == "time" and source.watermark not in table.indexed:
            told = "has no index that begins with it, so that every part reads the whole table; make one, or cut by key"
            yield "postgres.no_index", f"the watermark {source.watermark!r} {told}"
        if watermark is not None and not watermark.required:
            name = identifier(source.watermark)
            (found,) = session.rows(f"SELECT count(*) AS n FROM {relation(source)} WHERE {name} IS NULL")  # noqa: S608
            if found["n"]:
                told = f"{found['n']:,} rows have no {source.watermark!r}, belong to no day, and are read by no night"
                yield "postgres.no_watermark", told

    def _parts(self, session: Session, table: TableInfo, request: Request) -> Iterator[tuple[SourceObject, TablePart]]:
        source = self.source
        since, until = window(request.date, source)
        published = ""
        if yields_to_others(source, self.dataset):
            files = published_by_others(
                self.lake, request.pipeline, self.dataset, request.date, since=since, until=until
            )
            published = published_digest(files)
        whole = TablePart(by=source.shards, since=since.isoformat(), until=until.isoformat(), published=published)
        slices = self._slices(session, table, whole)
        if not slices:
            return
        width = row_bytes(table)
        limit = max(1, source.shard_bytes // width)
        if source.snapshot == "source":
            limit = ceil(sum(each.rows for each in slices) / source.connections)
        groups = [*_grouped(slices, limit)]
        cuts = [self._bound(group[0].start, table) for group in groups[1:]]
        if source.shards == "blocks":
            step = ceil(table.blocks / source.connections) or 1
            cuts = [f"({block},0)" for block in range(step, table.blocks, step)]
        if source.snapshot == "source":
            yield self._object(table, slices, width), whole.model_copy(update={"cuts": tuple(cuts)})
            return
        for group, (start, end) in zip(groups, pairwise([None, *cuts, None]), strict=True):
            part = whole.model_copy(update={"start": start, "end": end})
            yield self._object(table, group, width, start, end), part

    def _object(
        self, table: TableInfo, slices: Sequence[_Slice], width: int, start: str | None = None, end: str | None = None
    ) -> SourceObject:
        rows, digest = sum(each.rows for each in slices), sum(each.digest for each in slices)
        return SourceObject(
            key=f"postgres://{self.source.database}/{table.name}",
            version_id=f"{self.source.shards} {start or ''}..{end or ''}",
            etag=f"{rows}-{digest}",
            size=rows * width,
        )

    def _bound(self, start: int, table: TableInfo) -> str:
        watermark = table.column(self.source.watermark)
        if self.source.shards == "key" or watermark is None:
            return str(start)
        return bound_at(start, watermark)

    def _slices(self, session: Session, table: TableInfo, whole: TablePart) -> list[_Slice]:
        """All rows of the window, counted in one scan: by minutes, or by ranges of the key."""
        source = self.source
        where = condition(whole, table, source)
        start = f"extract(epoch FROM date_trunc('minute', {identifier(source.watermark)}))::bigint"
        if source.shards == "blocks":
            start = "0"
        if source.shards == "key":
            key = identifier(str(source.key))
            (ends,) = session.rows(
                f"SELECT min({key})::bigint AS low, max({key})::bigint AS high FROM {relation(source)} WHERE {where}"  # noqa: S608
            )
            low, high = ends["low"] or 0, ends["high"] or 0
            step = max(1, (high - low) // _SLICES)
            start = f"coalesce(({key}::numeric - mod({key}::numeric - ({low}), {step}))::bigint, {low})"
        counted = session.rows(
            f"SELECT {start} AS start, count(*) AS rows, sum(hashtextextended({_changing(table)}, 0))::text AS digest "  # noqa: S608
            f"FROM {relation(source)} AS t WHERE {where} GROUP BY 1 ORDER BY 1"
        )
        return [_Slice(each["start"], each["rows"], int(each["digest"])) for each in counted]


def _changing(table: TableInfo) -> str:
    """A text that changes when a row does: its version in the table's files, or all of it where a view has none."""
    if table.kind == "view":
        return "t::text"
    part = "tableoid::text || ' ' || " if table.kind == "partitioned" else ""
    return f"{part}ctid::text || ' ' || xmin::text"


def _grouped(slices: Iterable[_Slice], limit: int) -> Iterator[list[_Slice]]:
    """Neighbours, as many as have about `limit` rows together."""
    group: list[_Slice] = []
    rows = 0
    for each in slices:
        if group and rows + each.rows / 2 > limit:
            yield group
            group, rows = [], 0
        group.append(each)
        rows += each.rows
    if group:
        yield group


_CONNECTIONS: Final = """
SELECT least(
    s.most - s.kept - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
      OR backend_type IS NULL AND datname IS NOT NULL),
    CASE WHEN r.rolconnlimit < 0 THEN s.most
      ELSE r.rolconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) END,
    CASE WHEN d.datconnlimit < 0 THEN s.most
      ELSE d.datconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) END
  ) + 1 AS left_over, s.most
FROM (SELECT current_setting('max_connections')::bigint AS most,
    current_setting('superuser_reserved_connections')::bigint
    + coalesce(current_setting('reserved_connections', true)::bigint, 0) AS kept) s, pg_roles r, pg_database d
WHERE r.rolname = current_user AND d.datname = current_database()
"""
