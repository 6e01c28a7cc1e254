"""Reads a part of a table of PostgreSQL: the rows of one moment, as many as the database itself counts then."""

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from nightlake.core import column_type
from nightlake.core.cast import cast
from nightlake.core.errors import BalanceError, SourceChangedError, TableUnsuitableError
from nightlake.core.header import source_names
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.postgres_session import Database, Session
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.postgres_table import (
    Asked,
    TableColumn,
    TableInfo,
    asked,
    identifier,
    inspect,
    lies_long,
    relation,
    too_long,
)
from nightlake.core.postgres_window import condition, pieces
from nightlake.core.prefetch import prefetch
from nightlake.core.published_keys import (
    PublishedKeys,
    key_of_rows,
    published_by_others,
    published_digest,
    table_of_keys,
    yields_to_others,
)
from nightlake.core.readers.batch import Batch, Lazy, Refused
from nightlake.core.readers.json_arrow import JsonArrow, NotParsedError
from nightlake.core.shard import Shard, TablePart
from nightlake.core.source import TextValues
from nightlake.core.store import Store
from nightlake.core.text_column import content
from nightlake.core.value_parser import Reading

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_JSON: Final = "v"  # the one field of an object around each text
_AHEAD: Final = 8  # batches of some 8 MiB: what comes while a core writes a row group


@dataclass(frozen=True)
class _Selected:
    """A column of the contract, what it is called in the table, and how it was asked for."""

    column: Column
    found: TableColumn
    asked: Asked

    @property
    def name(self) -> str:
        return self.found.name


def read_table(
    shard: Shard, source: PostgresSource, dataset: Dataset, *, database: Database, lake: Store
) -> Iterator[Batch]:
    """The rows of the shard's part; those that another business date has published count as skipped.

    Raises BalanceError when the database counts other rows than it gave, SourceChangedError when the table or what is
    published is not what was planned, and what `Database.session` and `Session` raise.
    """
    part = shard.part
    if part is None:
        raise TypeError("a shard of a table has a part")
    published = _published(shard, part, source, dataset, lake)
    with ExitStack() as opened:
        session = opened.enter_context(database.session(source))
        table = inspect(session, source)
        selected = _selected(table, source, dataset)
        parts = pieces(part)
        sessions = [session, *_together(session, len(parts) - 1, source, database, opened)]
        long = too_long((each.found for each in selected), table, source)
        wanted, has_long = _count(session, parts, table, source, long)
        only = f"NOT {long}" if has_long else "true"
        statements = [_select(selected, each, table, source, only) for each in parts]
        made = _Rows(selected, dataset, source, published)
        read = 0
        for rows in _streams(sessions, statements):
            yield made.batch(rows, read)
            read += rows.num_rows
        for statement in (_select(_short(selected, source), each, table, source, str(long)) for each in parts):
            for rows in session.stream(statement) if has_long else ():
                yield made.too_long(rows, read)
                read += rows.num_rows
        if read != wanted:
            raise BalanceError(
                f"{shard.object.key}: the database counts {wanted:,} rows and gave {read:,}; report this together "
                "with the table's definition"
            )


def _published(
    shard: Shard, part: TablePart, source: PostgresSource, dataset: Dataset, lake: Store
) -> PublishedKeys | None:
    if not yields_to_others(source, dataset):
        return None
    since, until = datetime.fromisoformat(part.since), datetime.fromisoformat(part.until)
    files = published_by_others(lake, shard.pipeline, dataset, shard.date, since=since, until=until)
    if published_digest(files) != part.published:
        raise SourceChangedError(
            f"What other days have published of {shard.dataset} changed since {shard.date} was planned; plan again"
        )
    if not files:
        return None
    if part.by == "time" and _is_instant(part.start) and _is_instant(part.end):
        since = since if part.start is None else datetime.fromisoformat(part.start)
        until = until if part.end is None else datetime.fromisoformat(part.end)
    return PublishedKeys.read(lake, files, dataset, moment=_moment(source, dataset), since=since, until=until)


def _moment(source: PostgresSource, dataset: Dataset) -> str | None:
    """The open column of the watermark; the table of private keys has none."""
    there = table_of_keys(dataset) == dataset.name or source.partition_by in dataset.primary_key
    return source.partition_by if there else None


def _is_instant(text: str | None) -> bool:
    return text is None or datetime.fromisoformat(text).tzinfo is not None


def _selected(table: TableInfo, source: PostgresSource, dataset: Dataset) -> list[_Selected]:
    selected = []
    for column, name in source_names(source, dataset).items():
        found = table.column(name)
        if found is None:
            raise SourceChangedError(f"{table.name} has no column {name!r} any more; plan again")
        wanted = next(each for each in dataset.columns if each.name == column)
        how = asked(found, column_type.parse(wanted.type), source, is_encoded=table.is_encoded)
        selected.append(_Selected(wanted, found, how))
    if not selected:
        raise TableUnsuitableError(f"{table.name} has no column of the contract; map them in `columns`")
    return selected


def _select(selected: Sequence[_Selected], part: TablePart, table: TableInfo, source: PostgresSource, only: str) -> str:
    values = [f"{each.asked.value} AS v{number}" for number, each in enumerate(selected)]
    odd = [f"{each.asked.odd} AS o{number}" for number, each in enumerate(selected) if each.asked.odd]
    where = f"{condition(part, table, source)} AND {only}"
    return f"SELECT {', '.join(values + odd)} FROM {relation(source)} WHERE {where}"  # noqa: S608


def _short(selected: Sequence[_Selected], source: PostgresSource) -> list[_Selected]:
    """The same, with NULL for every value that may be too long."""

    def short(each: _Selected) -> Asked:
        name = identifier(each.name)
        value, odd = (text and f"CASE WHEN NOT {lies_long(name, source)} THEN {text} END" for text in each.asked)
        return Asked(str(value), odd)

    return [replace(each, asked=short(each)) for each in selected]


def _count(
    session: Session, parts: Sequence[TablePart], table: TableInfo, source: PostgresSource, long: str | None
) -> tuple[int, bool]:
    """How many rows there are, and whether some of them are too long."""
    whole = parts[0].model_copy(update={"end": parts[-1].end})
    (found,) = session.rows(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE {long or 'false'}) AS long FROM {relation(source)} "  # noqa: S608
        f"WHERE {condition(whole, table, source)}"
    )
    return int(found["n"]), bool(found["long"])


def _together(
    session: Session, more: int, source: PostgresSource, database: Database, opened: ExitStack
) -> Iterator[Session]:
    """So many more sessions that see what the first one sees."""
    if more:
        (exported,) = session.rows("SELECT pg_export_snapshot() AS name")
        for _ in range(more):
            yield opened.enter_context(database.session(source, snapshot=exported["name"]))


def _streams(sessions: Sequence[Session], statements: Sequence[str]) -> "Generator[pa.RecordBatch, None, None]":
    """What all statements give, each on a session of its own, in turn; read ahead while a core writes Parquet.

    Raises what the first stream raises that fails.
    """
    ahead = max(1, _AHEAD // len(statements))
    waiting = [prefetch(session.stream(sql), ahead=ahead) for session, sql in zip(sessions, statements, strict=True)]
    try:
        while waiting:
            for stream in list(waiting):
                batch = next(stream, None)
                if batch is None:
                    waiting.remove(stream)
                else:
                    yield batch
    finally:
        for stream in waiting:
            stream.close()


@dataclass(frozen=True)
class _Rows:
    """Makes batches of what the database gives; rows whose key is `published` are counted and left out."""

    selected: Sequence[_Selected]
    dataset: Dataset
    source: PostgresSource
    published: PublishedKeys | None

    @cached_property
    def json(self) -> dict[str, JsonArrow]:
        """What reads the columns whose texts are JSON."""
        found = {each.column.name: _json_reader(each.column) for each in self.selected}
        return {name: reader for name, reader in found.items() if reader is not None}

    def batch(self, rows: "pa.RecordBatch", before: int) -> Batch:
        """Rows behind so many that came before."""
        import numpy as np
        import pyarrow as pa

        positions = pa.array(np.arange(before + 1, before + rows.num_rows + 1))
        columns = dict(self._values(rows))
        skipped = 0
        if self.published:
            kept = ~self._known(columns, self.published)
            skipped = rows.num_rows - int(kept.sum())
            if skipped:
                rows, positions = rows.filter(pa.array(kept)), positions.filter(pa.array(kept))
                columns = dict(self._values(rows))
        return Batch(columns, positions, Lazy(rows.num_rows, partial(self._text, columns)), skipped=skipped)

    def too_long(self, rows: "pa.RecordBatch", before: int) -> Batch:
        """Rows with a value that is too long, behind so many that came before; what is short of them is told."""
        columns = dict(self._values(rows))
        limit = self.source.max_value_bytes
        reason = f"has a value of more than {limit:,} bytes, left out here: declare a larger max_value_bytes"
        refused = [
            Refused(before + 1 + row, ("postgres.too_long",), (reason,), self._text(columns, row))
            for row in range(rows.num_rows)
        ]
        return Batch(dict(self._values(rows.slice(0, 0))), (), (), refused=refused)

    def _values(self, rows: "pa.RecordBatch") -> "Iterator[tuple[str, pa.Array | list[Any]]]":
        """Every column; one with values that the driver has no type for, as a list with the texts of these."""
        import pyarrow as pa

        odd = len(self.selected)
        for number, each in enumerate(self.selected):
            values = _plain(rows.column(number))
            if each.asked.odd:
                texts = rows.column(odd)
                odd += 1
                if texts.null_count < len(texts):
                    pairs = zip(values.to_pylist(), texts.to_pylist(), strict=True)
                    yield each.column.name, [value if text is None else text for value, text in pairs]
                    continue
            if pa.types.is_binary(values.type):
                values = _texts(values)
            reader = self.json.get(each.column.name)
            if reader is not None and isinstance(values, pa.Array) and pa.types.is_string(values.type):
                values = values if (parsed := _parsed(values, each.column, reader)) is None else parsed
            yield each.column.name, values

    def _known(self, columns: "Mapping[str, pa.Array | list[Any]]", published: PublishedKeys) -> "np.ndarray":
        reading, types = Reading.of(self.source), {each.column.name: each.column.type for each in self.selected}
        names = key_of_rows(self.dataset, _moment(self.source, self.dataset))
        return published.contain(
            [cast(columns[name], column_type.parse(types[name]), reading).values for name in names]
        )

    def _text(self, columns: "Mapping[str, pa.Array | list[Any]]", row: int) -> str:
        """A row as JSON, by the names in the table."""
        values = {each.name: _python(columns[each.column.name][row]) for each in self.selected}
        return json.dumps(values, ensure_ascii=False, default=str)


def _json_reader(column: Column) -> JsonArrow | None:
    """What reads a column of JSON texts at once into a type with parts; None where there is no such thing."""
    if not column_type.parse(column.type).is_nested:
        return None
    text = TextValues.model_validate({"dataset": _JSON, "columns": {column.name: _JSON}})
    found = JsonArrow(text, Dataset(name=_JSON, columns=(column,)))
    return found if found.possible else None


def _parsed(texts: "pa.Array", column: Column, reader: JsonArrow) -> "pa.Array | None":
    """The values of JSON texts; None where one of them must be looked at by itself."""
    import pyarrow.compute as pc

    lines = pc.binary_join_element_wise(f'{{"{_JSON}":', pc.fill_null(texts, "null"), "}\n", "")
    try:
        return reader.parse(content(lines).tobytes(), len(lines))[column.name]
    except NotParsedError:
        return None


def _texts(values: "pa.BinaryArray") -> "pa.StringArray | list[str | None]":
    """What the bytes say in UTF-8; those that say nothing as lone surrogates, which no column takes."""
    import pyarrow as pa

    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return [None if each is None else each.decode(errors="surrogateescape") for each in values.to_pylist()]


def _plain(values: "pa.Array") -> "pa.Array":
    """Without the driver's own types around what is a text or a number."""
    import pyarrow as pa

    return values.storage if isinstance(values, pa.ExtensionArray) else values


def _python(value: Any) -> Any:
    try:
        return value.as_py() if hasattr(value, "as_py") else value
    except (OverflowError, ValueError):  # a moment that Python does not have
        return str(value)
