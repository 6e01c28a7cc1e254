"""A table's rows as DuckDB SQL: its registered partitions, their own locations and the objects under them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.athena import formats, parquet, text, types
from local.athena.catalog import Catalog, Column, Partition, Storage, Table
from local.athena.compiler.scope import Scan
from local.athena.errors import (
    InvalidPartitionValueError,
    NotSupportedError,
    PartitionSchemaMismatchError,
    TableNotFoundError,
)
from local.athena.session import CATALOG
from local.athena.storage import Object, ObjectStore, folder
from local.athena.types import Type, literal, quote

if TYPE_CHECKING:
    import duckdb

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
PATH = "$path"
"""A table's hidden column: the address of the object that a row is in."""


@dataclass(frozen=True)
class Relation:
    """DuckDB SQL whose columns are exactly the table's, and the bytes that Athena would bill for reading them."""

    sql: str
    scanned_bytes: int


@dataclass(frozen=True)
class _Source:
    """One location: how its objects are kept and the partition values of their rows."""

    storage: Storage
    values: tuple[str, ...]
    objects: tuple[Object, ...]


@dataclass(frozen=True)
class _Owner:
    """Where one file is and of which source."""

    uri: str
    source: _Source


def relation(scan: Scan, catalog: Catalog, store: ObjectStore, connection: "duckdb.DuckDBPyConnection") -> Relation:
    """What a scan reads: the objects under its partitions' locations, those pruned that its filter excludes.

    Raises:
        NotSupportedError: the table is kept in a way that this engine does not read.
        BadDataError: a Parquet file holds another type than the table says.
        PartitionSchemaMismatchError: a partition of text files has other types than its table.
    """
    table = catalog.table(scan.table.database, scan.table.name)
    if not table:
        raise TableNotFoundError(f"Table '{CATALOG}.{scan.table.database}.{scan.table.name}' does not exist")
    _refuse_what_is_not_read(table)
    read = _TableReader(table, frozenset(scan.columns), store, connection)
    return read.relation(_sources(table, scan.partition_filter, catalog, store, connection))


def _refuse_what_is_not_read(table: Table) -> None:
    if table.parameters.get("projection.enabled", "").lower() == "true":
        raise NotSupportedError(f"Partition projection (table {table.name}) is not supported by the local Athena")
    if table.parameters.get("table_type", "").upper() == "ICEBERG":
        raise NotSupportedError(f"Iceberg tables ({table.name}) are not supported by the local Athena")
    # https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
    if table.storage.serde_parameters.get("parquet.column.index.access", "false").lower() == "true":
        raise NotSupportedError(f"parquet.column.index.access ({table.name}) is not supported by the local Athena")


def _sources(
    table: Table,
    condition: str | None,
    catalog: Catalog,
    store: ObjectStore,
    connection: "duckdb.DuckDBPyConnection",
) -> list[_Source]:
    if not table.partition_keys:
        return [_Source(table.storage, (), visible(store, table.storage.location))]
    partitions = catalog.partitions(table)
    kept = _pruned(table, partitions, condition, connection)
    for each in kept:
        _check_partition(table, each)
    return [_Source(each.storage, each.values, visible(store, each.storage.location)) for each in kept]


def _pruned(
    table: Table,
    partitions: Sequence[Partition],
    condition: str | None,
    connection: "duckdb.DuckDBPyConnection",
) -> list[Partition]:
    """The partitions that a condition over their keys leaves; all of them where it cannot be evaluated."""
    import duckdb

    if not condition or not partitions:
        return list(partitions)
    names = ", ".join(quote(f"v{position}") for position in range(len(table.partition_keys)))
    typed = ", ".join(
        f"TRY_CAST(v{position} AS {types.to_duckdb(types.parse_hive(key.type))}) AS {quote(key.name)}"
        for position, key in enumerate(table.partition_keys)
    )
    rows = ", ".join(f"({position}, {', '.join(_texts(each.values))})" for position, each in enumerate(partitions))
    keys = f"SELECT i, {typed} FROM (VALUES {rows}) AS p(i, {names})"  # noqa: S608 (escaped)
    try:
        found = connection.execute(f"SELECT i FROM ({keys}) WHERE {condition}").fetchall()  # noqa: S608
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return list(partitions)
    return [partitions[row[0]] for row in sorted(found)]


def _texts(values: Sequence[str]) -> list[str]:
    return ["CAST(NULL AS VARCHAR)" if value == NULL_PARTITION else literal(value) for value in values]


def visible(store: ObjectStore, location: str) -> tuple[Object, ...]:
    """The objects under a location that Athena reads: also in folders, none whose name begins with `_` or `.`."""
    if not location:
        return ()
    prefix = folder(location)
    return tuple(
        each
        for each in store.list(prefix)
        if each.size and not any(part.startswith(("_", ".")) for part in each.uri[len(prefix) :].split("/"))
    )


class _TableReader:
    """Writes the SQL that reads sources as one table."""

    def __init__(
        self, table: Table, used: frozenset[str], store: ObjectStore, connection: "duckdb.DuckDBPyConnection"
    ) -> None:
        self._table = table
        self._used = used
        self._store = store
        self._connection = connection
        self._columns = [(column.name.lower(), types.parse_hive(column.type)) for column in table.columns]
        self._keys = [(key.name.lower(), types.parse_hive(key.type)) for key in table.partition_keys]

    def relation(self, sources: Sequence[_Source]) -> Relation:
        sources = [each for each in sources if each.objects]
        selects, scanned = [], 0
        for storage, group in _by_storage(sources):
            if formats.of(storage) == formats.PARQUET:
                parts, read = self._parquet(group)
            else:
                parts, read = self._text(storage, group)
            selects += parts
            scanned += read
        return Relation(" UNION ALL ".join(selects) or self._empty(), scanned)

    def _parquet(self, sources: Sequence[_Source]) -> tuple[list[str], int]:
        owners = self._owners(sources)
        wanted = [name for name, _ in self._columns if name in self._used]
        selects = []
        for urls in parquet.files_by_schema(self._connection, list(owners)):
            columns = [column for column in self._columns if column[0] in self._used]
            source, values = parquet.reader(self._connection, urls, columns)
            known = dict(zip((name for name, _ in columns), values, strict=True))
            selects.append(self._select(source, known, {url: owners[url] for url in urls}))
        return selects, parquet.scanned_bytes(self._connection, list(owners), wanted)

    def _text(self, storage: Storage, sources: Sequence[_Source]) -> tuple[list[str], int]:
        owners = self._owners(sources)
        source, known = text.reader(self._connection, list(owners), self._columns, storage, self._table, self._used)
        select = self._select(source, known, owners)
        return [select], sum(each.size for owner in sources for each in owner.objects)

    def _owners(self, sources: Sequence[_Source]) -> dict[str, _Owner]:
        return {self._store.url(each.uri): _Owner(each.uri, source) for source in sources for each in source.objects}

    def _select(self, source: str, values: dict[str, str], owners: Mapping[str, _Owner]) -> str:
        """One SELECT of all the table's columns; `owners` tell whose each file is. Unused columns are not read."""
        shown = [
            f"{values.get(name, _null(kind)) if name in self._used else _null(kind)} AS {quote(name)}"
            for name, kind in self._columns
        ]
        for position, (name, kind) in enumerate(self._keys):
            texts = [owner.source.values[position] for owner in owners.values()]
            self._check_values(name, kind, texts)
            shown.append(f"{_key(texts, kind)} AS {quote(name)}")
        if PATH in self._used:
            shown.append(f"{_key([owner.uri for owner in owners.values()], types.VARCHAR)} AS {quote(PATH)}")
        return f"SELECT {', '.join(shown)} FROM {source}"  # noqa: S608 (escaped)

    def _check_values(self, name: str, kind: Type, texts: Sequence[str]) -> None:
        if types.is_text(kind):
            return
        held = parquet.array(sorted(set(texts) - {NULL_PARTITION}))
        wrong = self._connection.execute(
            f"SELECT v FROM (SELECT unnest(CAST({held} AS VARCHAR[])) AS v)"  # noqa: S608 (escaped)
            f" WHERE TRY_CAST(v AS {types.to_duckdb(kind)}) IS NULL"
        ).fetchone()
        if wrong:
            raise InvalidPartitionValueError(f"Invalid partition value '{wrong[0]}' for {kind} partition key: {name}")

    def _empty(self) -> str:
        columns = (*self._columns, *self._keys, *([(PATH, types.VARCHAR)] if PATH in self._used else []))
        shown = [f"{_null(kind)} AS {quote(name)}" for name, kind in columns]
        return f"SELECT {', '.join(shown)} WHERE false"


def _check_partition(table: Table, partition: Partition) -> None:
    """Text is read by position, so a partition's column types must be its table's; raises otherwise."""
    if formats.of(partition.storage) == formats.PARQUET:
        return
    for ours, theirs in zip(table.columns, partition.columns, strict=False):
        if types.parse_hive(ours.type) != types.parse_hive(theirs.type):
            raise PartitionSchemaMismatchError(_mismatch(table, ours, theirs, partition))


def _mismatch(table: Table, ours: Column, theirs: Column, partition: Partition) -> str:
    where = "/".join(f"{key.name}={value}" for key, value in zip(table.partition_keys, partition.values, strict=True))
    return (
        "There is a mismatch between the table and partition schemas. The types are incompatible and cannot be coerced."
        f" The column '{ours.name}' in table '{table.database}.{table.name}' is declared as type '{ours.type}', but"
        f" partition '{where}' declared column '{theirs.name}' as type '{theirs.type}'."
    )


def _by_storage(sources: Sequence[_Source]) -> list[tuple[Storage, list[_Source]]]:
    groups: list[tuple[Storage, list[_Source]]] = []
    for source in sources:
        alike = formats.moved(source.storage, "")
        for storage, group in groups:
            if (storage.serde, storage.serde_parameters) == (alike.serde, alike.serde_parameters):
                group.append(source)
                break
        else:
            groups.append((alike, [source]))
    return groups


def _key(texts: Sequence[str], kind: Type) -> str:
    """A partition key's value for each file, told by the file's place in the list that is read."""
    wanted = types.to_duckdb(kind)
    if len(set(texts)) == 1:
        return f"CAST({_texts(texts[:1])[0]} AS {wanted})"
    return f"CAST([{', '.join(_texts(texts))}][CAST(file_index AS BIGINT) + 1] AS {wanted})"


def _null(kind: Type) -> str:
    return f"CAST(NULL AS {types.to_duckdb(kind)})"
