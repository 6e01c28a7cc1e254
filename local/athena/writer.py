"""A query's rows as files of a table: one folder for each partition, names as Athena gives them."""

import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from local.athena import formats, types
from local.athena.errors import (
    InvalidPartitionValueError,
    InvalidTablePropertyError,
    NotSupportedError,
    TooManyOpenPartitionsError,
    from_duckdb,
)
from local.athena.execution import Execution
from local.athena.formats import Format
from local.athena.results import rendered
from local.athena.scan import NULL_PARTITION
from local.athena.types import Type, literal, quote

MAX_PARTITIONS = 100
_MOST_ROWS_OF_A_PART = 100_000
_PARQUET_CODECS = {"GZIP": "gzip", "SNAPPY": "snappy", "ZSTD": "zstd", "NONE": "uncompressed"}
_TEXT_CODECS = {"GZIP": ("gzip", ".gz"), "ZSTD": ("zstd", ".zst"), "NONE": ("none", "")}
_ALIASES = {"UNCOMPRESSED": "NONE"}
_KEY_TYPES = (*types.INTEGERS, types.BOOLEAN, types.DATE)


@dataclass(frozen=True)
class Codec:
    """A compression: Athena's name, DuckDB's options, and how such files' names end."""

    name: str
    options: str
    suffix: str = ""


@dataclass(frozen=True)
class Written:
    """What was written: the files, their rows, and the partitions with their locations."""

    files: tuple[str, ...]
    rows: int
    partitions: Mapping[tuple[str, ...], str]


def codec(kind: Format, asked: str, level: Any) -> Codec:
    """The compression of a property; raises for what Athena or this engine does not write."""
    name = _ALIASES.get(asked, asked)
    known = _PARQUET_CODECS if kind == formats.PARQUET else _TEXT_CODECS
    if name not in known:
        raise NotSupportedError(
            f"Compression {asked} of {kind.name} is not supported by the local Athena: use {', '.join(known)}"
        )
    if level is not None and name != "ZSTD":
        raise InvalidTablePropertyError("Property 'compression_level' is for ZSTD only")
    if kind != formats.PARQUET:
        method, suffix = _TEXT_CODECS[name]
        return Codec(name, f"COMPRESSION {method}", suffix)
    levels = f", COMPRESSION_LEVEL {int(level or 3)}" if name == "ZSTD" else ""
    return Codec(name, f"COMPRESSION {_PARQUET_CODECS[name]}{levels}")


def field_delimiter(text: Any) -> str:
    if not isinstance(text, str) or len(text) != 1:
        raise InvalidTablePropertyError("Property 'field_delimiter' must be one character")
    return text


def write(
    execution: Execution,
    sql: str,
    columns: Sequence[tuple[str, Type]],
    *,
    keys: int,
    output: tuple[Format, Codec, str],
    place: Callable[[tuple[str, ...]], str],
) -> Written:
    """Write a query's rows; the last `keys` columns say which partition a row belongs to.

    What fails leaves no file; with `session.orphans` files are written as rows come, and a failure leaves what was
    written, as Athena does.

    Raises:
        QueryError: the query fails.
        TooManyOpenPartitionsError: the rows are of more than 100 partitions.
        InvalidPartitionValueError: a partition's value has characters that none may have.
    """
    return _Writer(execution, columns, keys, output, place).write(sql)


class _Writer:
    def __init__(
        self,
        execution: Execution,
        columns: Sequence[tuple[str, Type]],
        keys: int,
        output: tuple[Format, Codec, str],
        place: Callable[[tuple[str, ...]], str],
    ) -> None:
        self._execution = execution
        self._place = place
        self._format, self._codec, self._delimiter = output
        at = len(columns) - keys
        self._data, self._keys = list(columns[:at]), list(columns[at:])
        for name, kind in self._keys:
            if kind not in _KEY_TYPES and not types.is_text(kind):
                raise NotSupportedError(f"Partition column '{name}' of type {kind} is not supported")
        for name, kind in self._data:
            if self._format != formats.PARQUET and _unwritten(kind, self._format):
                raise NotSupportedError(
                    f"Column '{name}' of type {kind} in {self._format.name} is not supported by the local Athena:"
                    " write it as PARQUET"
                )
        self._prefix = f"{execution.session.now:%Y%m%d_%H%M%S}_{_letters(5)}"
        self._begun: list[str] = []
        self._files: list[str] = []
        self._partitions: dict[tuple[str, ...], str] = {}
        self._rows = 0

    def write(self, sql: str) -> Written:
        shown = [f"{self._stored(quote(name), kind)} AS {quote(name)}" for name, kind in self._data]
        shown += [quote(name) for name, _ in self._keys]
        sql = f"SELECT {', '.join(shown)} FROM ({sql})"  # noqa: S608 (compiled)
        if self._execution.session.orphans:
            self._write_as_rows_come(sql)
            return Written(tuple(self._files), self._rows, self._partitions)
        try:
            self._write_whole(sql)
        except BaseException:
            store = self._execution.store
            store.delete(found.uri for uri in self._begun for found in store.list(uri))
            raise
        return Written(tuple(self._files), self._rows, self._partitions)

    def _write_whole(self, sql: str) -> None:
        if self._keys:
            self._execution.execute(f"CREATE OR REPLACE TEMP TABLE nightlake_rows AS {sql}")
            self._write_partitions("nightlake_rows")
        else:
            self._write_file(f"({sql})", "true", ())

    def _write_as_rows_come(self, sql: str) -> None:
        rows = self._execution.execute(sql).to_arrow_reader(_MOST_ROWS_OF_A_PART)
        cursor = self._execution.connection.cursor()  # a statement on the same connection would end the reading
        self._execution = replace(self._execution, connect=lambda: cursor, _connection=None)
        try:
            for batch in rows:
                cursor.register("nightlake_part", batch)
                self._write_partitions("nightlake_part")
        except (OSError, ValueError) as error:  # what Arrow makes of DuckDB's errors
            raise from_duckdb(error) from error
        finally:
            cursor.close()

    def _write_partitions(self, rows: str) -> None:
        if not self._keys:
            self._write_file(rows, "true", ())
            return
        names = ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name, _ in self._keys)
        found = self._execution.execute(f"SELECT DISTINCT {names} FROM {rows} ORDER BY ALL").fetchall()  # noqa: S608
        partitions = [(tuple(map(_hive_value, each)), each) for each in found]
        over = len({values for values, _ in partitions} | self._partitions.keys()) > MAX_PARTITIONS
        if over and not self._execution.session.orphans:
            raise _too_many()
        for values, texts in partitions:
            if values not in self._partitions and len(self._partitions) == MAX_PARTITIONS:
                raise _too_many()
            self._write_file(rows, self._condition(texts), values)

    def _condition(self, texts: Sequence[str | None]) -> str:
        pairs = zip(self._keys, texts, strict=True)
        return " AND ".join(
            f"{quote(name)} IS NULL"
            if text is None
            else f"{quote(name)} = CAST({literal(text)} AS {types.to_duckdb(kind)})"
            for (name, kind), text in pairs
        )

    def _write_file(self, rows: str, condition: str, values: tuple[str, ...]) -> None:
        location = self._place(values)
        uri = f"{location}{self._prefix}_{len(self._files):05d}_{uuid4()}{self._codec.suffix}"
        self._begun.append(uri)
        shown = ", ".join(quote(name) for name, _ in self._data)
        select = f"SELECT {shown} FROM {rows} WHERE {condition}"  # noqa: S608 (compiled)
        target = literal(self._execution.store.url(uri))
        found = self._execution.execute(f"COPY ({select}) TO {target} ({self._options()})").fetchone()
        written = int(found[0]) if found else 0
        if not written:
            self._execution.store.delete([uri])
            return
        self._files.append(uri)
        self._rows += written
        if values:
            self._partitions[values] = location

    def _stored(self, value: str, kind: Type) -> str:
        """A value as the files hold it: timestamps of milliseconds, in lines of text numbers as Java writes them."""
        if self._format == formats.LAZY and (isinstance(kind, types.Decimal) or kind in (types.REAL, types.DOUBLE)):
            return rendered(kind, value)
        if kind != types.TIMESTAMP:
            return value
        if self._format == formats.PARQUET:
            return f"CAST({value} AS TIMESTAMP_MS)"
        return f"strftime({value}, '%Y-%m-%d %H:%M:%S.%g')"

    def _options(self) -> str:
        if self._format == formats.PARQUET:
            return f"FORMAT parquet, {self._codec.options}"
        if self._format == formats.LAZY:
            return (
                f"FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER {literal(self._delimiter)}, NULLSTR '\\N',"
                f" {self._codec.options}"
            )
        return f"FORMAT json, {self._codec.options}"


def _unwritten(kind: Type, output: Format) -> bool:
    """Whether values of a type are not written to texts here: bytes nowhere, arrays, maps and rows in JSON only."""
    nested = isinstance(kind, types.Array | types.Map | types.Row)
    return (nested and output == formats.LAZY) or "varbinary" in str(kind)


def _too_many() -> TooManyOpenPartitionsError:
    return TooManyOpenPartitionsError(f"Exceeded limit of {MAX_PARTITIONS} open writers for partitions/buckets")


def _hive_value(text: str | None) -> str:
    if text is None or text == "":
        return NULL_PARTITION
    if not all(" " <= char <= "~" for char in text):
        raise InvalidPartitionValueError(
            f"Hive partition keys can only contain printable ASCII characters (0x20 - 0x7E). Invalid value: {text!r}"
        )
    return text


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(count))
