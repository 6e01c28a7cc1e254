"""Statements that write files: CREATE TABLE AS, INSERT INTO and UNLOAD, with Athena's properties and refusals.

Sources: https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html, insert-into.html and unload.html.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.athena import formats, types, views
from local.athena.catalog import Column, Partition, Table
from local.athena.compiler.cast import cast
from local.athena.compiler.typed import Typed
from local.athena.ddl import Name, check_names, parse_name, partition_location
from local.athena.errors import (
    DuplicateColumnNameError,
    DuplicatePropertyError,
    InvalidTablePropertyError,
    NotSupportedError,
    PathAlreadyExistsError,
    QueryError,
    QuerySyntaxError,
    SchemaNotFoundError,
    TableAlreadyExistsError,
    TableNotFoundError,
    TypeMismatchError,
    failing,
)
from local.athena.execution import Execution, Result
from local.athena.formats import Format
from local.athena.parser import parse
from local.athena.session import CATALOG
from local.athena.storage import folder
from local.athena.tokens import Tokens
from local.athena.types import Type, literal, quote
from local.athena.writer import Codec, Written, codec, field_delimiter, write

if TYPE_CHECKING:
    from sqlglot import exp

_UNWRITTEN = frozenset({"ORC", "AVRO", "ION"})
_FORMATS = {"PARQUET": formats.PARQUET, "TEXTFILE": formats.LAZY, "JSON": formats.OPENX}
_COMPRESSIONS = {
    "write_compression": None,
    "compression": None,
    "parquet_compression": "PARQUET",
    "orc_compression": "ORC",
}
_PARQUET_CODEC = "parquet.compression"
_TEXT_CODEC = "write.compression"


class ColumnOrderMismatchError(QueryError):
    """Partition columns do not stand last."""

    code = "HIVE_COLUMN_ORDER_MISMATCH"


@dataclass(frozen=True)
class _Output:
    """How files are written: the properties of WITH, checked."""

    format: Format
    codec: Codec
    location: str | None
    partitioned_by: tuple[str, ...]
    delimiter: str


def _output(properties: Mapping[str, Any], allowed: frozenset[str], default: str | None) -> _Output:
    for key in properties:
        if key not in allowed:
            raise InvalidTablePropertyError(f"Catalog '{CATALOG}' table property '{key}' does not exist")
    for key in ("bucketed_by", "bucket_count"):
        if key in properties:
            raise NotSupportedError(f"Property '{key}' is not supported by the local Athena")
    if str(properties.get("table_type", "HIVE")).upper() != "HIVE" or properties.get("is_external", True) is not True:
        raise NotSupportedError("Iceberg tables are not supported by the local Athena")
    name = str(properties.get("format", default or "")).upper()
    if not name:
        raise InvalidTablePropertyError("Property 'format' is required")
    if name in _UNWRITTEN:
        raise NotSupportedError(f"Format {name} is not supported by the local Athena: use PARQUET, TEXTFILE or JSON")
    if name not in _FORMATS:
        raise InvalidTablePropertyError(f"Invalid value for property 'format': {name}")
    location = properties.get("external_location")
    return _Output(
        format=_FORMATS[name],
        codec=_codec(properties, name),
        location=_folder(str(location)) if location else None,
        partitioned_by=tuple(str(each).lower() for each in properties.get("partitioned_by", ())),
        delimiter=field_delimiter(properties.get("field_delimiter", "\x01")),
    )


def _folder(location: str) -> str:
    try:
        return folder(location)
    except ValueError as error:
        raise InvalidTablePropertyError(str(error)) from error


def _codec(properties: Mapping[str, Any], name: str) -> Codec:
    given = {key: kind for key, kind in _COMPRESSIONS.items() if key in properties}
    if len(given) > 1:
        raise InvalidTablePropertyError(f"Only one of {', '.join(sorted(given))} may be set")
    for key, kind in given.items():
        if kind not in (None, name):
            raise InvalidTablePropertyError(f"Property '{key}' is not for format {name}")
    asked = next((str(properties[key]).upper() for key in given), "GZIP")
    return codec(_FORMATS[name], asked, properties.get("compression_level"))


@dataclass(frozen=True)
class CreateTableAs:
    name: Name
    if_not_exists: bool
    properties: Mapping[str, Any]
    tree: "exp.Expr"
    with_data: bool = True

    def run(self, execution: Execution) -> Result:
        database, name = self.name.of(execution)
        session, catalog = execution.session, execution.catalog
        output = _output(self.properties, _CTAS_PROPERTIES, "PARQUET")
        if output.location and session.enforced:
            raise NotSupportedError(
                "The Create Table As Select query failed because it was submitted with an 'external_location' property"
                " to an Athena Workgroup that enforces a centralized output location for all queries. Please remove"
                " the 'external_location' property and resubmit the query."
            )
        if not catalog.database(database):
            raise SchemaNotFoundError(f"Schema '{database}' does not exist", (1, 1))
        if catalog.table(database, name):
            if self.if_not_exists:
                return Result(update_count=0)
            raise TableAlreadyExistsError(f"Destination table '{CATALOG}.{database}.{name}' already exists", (1, 1))
        default = f"{session.output}tables/{session.query_id}"
        location = output.location or folder(default)
        _check_empty(execution, location, f"Target directory for table '{database}.{name}' already exists", default)
        compiled = execution.compile(self.tree)
        columns = _columns(compiled.columns)
        data, keys = _split(columns, output.partitioned_by)
        table = _table(Name(database, name), location, output, data, keys)
        if not self.with_data:
            catalog.create_table(table)
            return Result(update_count=0)
        manifest = f"{session.output}tables/{session.query_id}-manifest.csv"
        written = _write(execution, compiled.sql, compiled.columns, table, output, manifest=manifest)
        catalog.create_table(table)
        _register(execution, table, written)
        return Result(update_count=written.rows, manifest=manifest if session.output else None)


_CTAS_PROPERTIES = frozenset(
    {"format", "external_location", "partitioned_by", "bucketed_by", "bucket_count", "compression_level"}
    | {"field_delimiter", "is_external", "table_type", "write_compression", "parquet_compression", "orc_compression"}
)
_UNLOAD_PROPERTIES = frozenset({"format", "partitioned_by", "compression", "compression_level", "field_delimiter"})


def _check_empty(execution: Execution, location: str, reason: str, default: str) -> None:
    if execution.store.list(location):
        raise PathAlreadyExistsError(
            f"{reason}: {location.rstrip('/')}. You may need to manually clean the data at location '{default}' before"
            " retrying. Athena will not delete data in your account."
        )


def _columns(columns: Sequence[tuple[str | None, Type]], named: bool = True) -> tuple[tuple[str, Type], ...]:
    """The names and types of a query's columns as those of a table; raises for what no table can hold."""
    if named:
        check_names(columns)
    found: list[tuple[str, Type]] = []
    for name, kind in columns:
        assert name  # noqa: S101 (told above, or given by the caller)
        if name.lower() in {each for each, _ in found}:
            raise DuplicateColumnNameError(f"Column name '{name.lower()}' specified more than once", (1, 1))
        _check_storable(kind)
        found.append((name.lower(), kind))
    return tuple(found)


def _check_storable(kind: Type) -> None:
    match kind:
        case types.Array():
            _check_storable(kind.element)
        case types.Map():
            _check_storable(kind.key)
            _check_storable(kind.value)
        case types.Row():
            for _, field in kind.fields:
                _check_storable(field)
    if kind in _UNSTORABLE or isinstance(kind, types.Char):
        raise NotSupportedError(f"Unsupported Hive type: {kind}")


_UNSTORABLE = frozenset(
    {types.TIME, types.TIMESTAMP_TZ, types.INTERVAL_DAY, types.INTERVAL_YEAR, types.JSON, types.UNKNOWN}
)


def _split(
    columns: tuple[tuple[str, Type], ...], keys: tuple[str, ...]
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """The data's columns and the partition keys, which must stand last."""
    names = [name for name, _ in columns]
    for key in keys:
        if key not in names:
            raise InvalidTablePropertyError(f"Partition columns [{key}] not present in schema")
    if keys and len(keys) == len(names):
        raise InvalidTablePropertyError("Table contains only partition columns")
    if keys and tuple(names[-len(keys) :]) != keys:
        raise ColumnOrderMismatchError(
            "Partition keys must be the last columns in the table and in the same order as the table properties:"
            f" [{', '.join(keys)}]"
        )
    held = tuple(Column(name, views.hive_type(kind)) for name, kind in columns)
    at = len(held) - len(keys)
    return held[:at], held[at:]


def _table(name: Name, location: str, output: _Output, data: tuple[Column, ...], keys: tuple[Column, ...]) -> Table:
    storage = output.format.storage(location)
    codec_property = _PARQUET_CODEC if output.format == formats.PARQUET else _TEXT_CODEC
    if output.format == formats.LAZY:
        delimiter = {"field.delim": output.delimiter, "serialization.format": output.delimiter}
        storage = replace(storage, serde_parameters=delimiter)
    return Table(
        database=name.database or "",
        name=name.name,
        columns=data,
        partition_keys=keys,
        storage=storage,
        parameters={"EXTERNAL": "TRUE", codec_property: output.codec.name},
    )


def _write(
    execution: Execution,
    sql: str,
    columns: Sequence[tuple[str, Type]],
    table: Table,
    output: _Output,
    *,
    manifest: str,
) -> Written:
    """Write a query's rows and, where the session has an output, the list of files that Athena calls the manifest."""
    kinds = [kind for _, kind in columns]
    names = [column.name for column in table.all_columns]
    query = f"SELECT * FROM ({sql}) AS q({', '.join(quote(name) for name in names)})"  # noqa: S608 (compiled)
    written = write(
        execution,
        query,
        list(zip(names, kinds, strict=True)),
        keys=len(table.partition_keys),
        output=(output.format, output.codec, output.delimiter),
        place=_placed(execution, table),
    )
    if execution.session.output:
        execution.store.write(manifest, "".join(f"{uri}\n" for uri in written.files).encode())
    return written


def _placed(execution: Execution, table: Table) -> Callable[[tuple[str, ...]], str]:
    """Where the rows of a partition go: where it is registered, else where Hive puts it."""

    def place(values: tuple[str, ...]) -> str:
        if not values:
            return folder(table.storage.location)
        known = execution.catalog.partition(table, values) if table.name else None
        return folder(known.storage.location) if known else partition_location(table, values)

    return place


def _register(execution: Execution, table: Table, written: Written) -> None:
    added = [
        Partition(values, formats.moved(table.storage, location), table.columns)
        for values, location in written.partitions.items()
        if not execution.catalog.partition(table, values)
    ]
    execution.catalog.create_partitions(table, added)


@dataclass(frozen=True)
class Insert:
    name: Name
    columns: tuple[str, ...]
    tree: "exp.Expr"

    def run(self, execution: Execution) -> Result:
        table = self._table(execution)
        compiled = execution.compile(self.tree)
        sql = self._matched(table, compiled.sql, compiled.columns)
        parameters = {key.lower(): value for key, value in table.parameters.items()}
        kind = formats.of(table.storage)
        asked = parameters.get(_PARQUET_CODEC if kind == formats.PARQUET else _TEXT_CODEC, "GZIP").upper()
        delimiter = table.storage.serde_parameters.get("field.delim", "\x01")
        output = _Output(kind, codec(kind, asked, None), None, (), delimiter)
        manifest = f"{execution.session.output}{execution.session.query_id}-manifest.csv"
        wanted = [(column.name, views.column_type(table, column)) for column in table.all_columns]
        written = _write(execution, sql, wanted, table, output, manifest=manifest)
        _register(execution, table, written)
        return Result(update_count=written.rows, manifest=manifest if execution.session.output else None)

    def _table(self, execution: Execution) -> Table:
        database, name = self.name.of(execution)
        table = execution.catalog.table(database, name)
        if not table:
            raise TableNotFoundError(f"Table '{CATALOG}.{database}.{name}' does not exist", (1, 1))
        if table.is_view:
            raise NotSupportedError("Inserting into views is not supported", (1, 1))
        if table.storage.bucket_columns:
            raise NotSupportedError(f"Cannot insert into bucketed table {database}.{name}")
        if formats.of(table.storage) == formats.CSV:
            raise NotSupportedError("INSERT INTO a table of OpenCSVSerde is not supported by the local Athena")
        if "escape.delim" in table.storage.serde_parameters:
            raise NotSupportedError("INSERT INTO a table with ESCAPED BY is not supported by the local Athena")
        return table

    def _matched(self, table: Table, sql: str, given: Sequence[tuple[str, Type]]) -> str:
        """The query with every column of the table, in its order and of its type; those not named are NULL."""
        known = {column.name: views.column_type(table, column) for column in table.all_columns}
        names = self.columns or tuple(known)
        for place, name in enumerate(names):
            if name not in known:
                raise QuerySyntaxError(f"Insert column name does not exist in target table: {name}", (1, 1))
            if name in names[:place]:
                raise QuerySyntaxError(f"Insert column name is specified more than once: {name}", (1, 1))
        wanted = [known[name] for name in names]
        sources = [kind for _, kind in given]
        alike = len(sources) == len(wanted)
        if not alike or not all(map(_assignable, sources, wanted)):
            raise TypeMismatchError(
                f"Insert query has mismatched column types: Table: [{', '.join(map(str, wanted))}],"
                f" Query: [{', '.join(map(str, sources))}]",
                (1, 1),
            )
        held = ", ".join(f"c{position}" for position in range(len(names)))
        values = {
            name: _assigned(Typed(f"c{position}", source), known[name])
            for position, (name, source) in enumerate(zip(names, sources, strict=True))
        }
        shown = ", ".join(values.get(name, f"CAST(NULL AS {types.to_duckdb(kind)})") for name, kind in known.items())
        return f"SELECT {shown} FROM ({sql}) AS i({held})"  # noqa: S608 (compiled)


def _assignable(source: Type, target: Type) -> bool:
    """Whether INSERT stores one type in another (Trino's StatementAnalyzer.typesMatchForInsert)."""
    if isinstance(target, types.Array | types.Map | types.Row) and _bounded(target):
        return types.can_coerce(source, target)
    return types.common_super_type(source, target) is not None


def _bounded(kind: Type) -> bool:
    match kind:
        case types.Array():
            return _bounded(kind.element)
        case types.Map():
            return _bounded(kind.key) or _bounded(kind.value)
        case types.Row():
            return any(_bounded(field) for _, field in kind.fields)
    return isinstance(kind, types.Char) or (isinstance(kind, types.Varchar) and kind.length is not None)


def _assigned(value: Typed, target: Type) -> str:
    """A value cast for INSERT: a text loses nothing but spaces at its end (Trino's LogicalPlanner.noTruncationCast)."""
    sql = cast(value, target).sql
    if not isinstance(target, types.Varchar) or target.length is None or types.can_coerce(value.type, target):
        return sql
    told = f"Cannot truncate non-space characters when casting from {value.type} to {target} on INSERT"
    failed = failing("INVALID_CAST_ARGUMENT", literal(told), "VARCHAR")
    return f"CASE WHEN coalesce(length(rtrim({value.sql}, ' ')), 0) <= {target.length} THEN {sql} ELSE {failed} END"


@dataclass(frozen=True)
class Unload:
    tree: "exp.Expr"
    location: str
    properties: Mapping[str, Any]

    def run(self, execution: Execution) -> Result:
        output = _output(self.properties, _UNLOAD_PROPERTIES, None)
        location = _folder(self.location)
        _check_empty(execution, location, "Target directory already exists", location)
        compiled = execution.compile(self.tree)
        columns = _columns(
            [(name or f"_col{at}", kind) for at, (name, kind) in enumerate(compiled.columns)], named=False
        )
        data, keys = _split(columns, output.partitioned_by)
        table = _table(Name(None, ""), location, output, data, keys)
        manifest = f"{execution.session.output}{execution.session.query_id}-manifest.csv"
        written = _write(execution, compiled.sql, compiled.columns, table, output, manifest=manifest)
        return Result(update_count=written.rows, manifest=manifest if execution.session.output else None)


def parse_create_table_as(tokens: Tokens) -> CreateTableAs:
    """After CREATE TABLE."""
    if_not_exists = tokens.accept("IF", "NOT", "EXISTS")
    name = parse_name(tokens)
    if tokens.at("("):
        raise NotSupportedError("CREATE TABLE without EXTERNAL is for Iceberg, which the local Athena does not support")
    properties = _properties(tokens) if tokens.accept("WITH") else {}
    tokens.expect("AS")
    text, with_data = tokens.rest(), True
    tokens.skip()
    for words, wanted in ((("WITH", "NO", "DATA"), False), (("WITH", "DATA"), True)):
        if tokens.ends(*words):
            text, with_data = tokens.without(len(words), text), wanted
            break
    return CreateTableAs(name, if_not_exists, properties, parse(text), with_data)


def parse_insert(tokens: Tokens) -> Insert:
    """After INSERT INTO."""
    name = parse_name(tokens)
    columns: tuple[str, ...] = ()
    if tokens.at("(") and tokens.peek(1).text.upper() not in ("SELECT", "WITH", "VALUES", "("):
        columns = tuple(each.strip().strip('"').lower() for each in tokens.enclosed().split(","))
    text = tokens.rest()
    tokens.skip()
    return Insert(name, columns, parse(text))


def parse_unload(tokens: Tokens) -> Unload:
    """After UNLOAD."""
    text = tokens.enclosed()
    tokens.expect("TO")
    location = tokens.string()
    tokens.expect("WITH")
    return Unload(parse(text), location, _properties(tokens))


def _properties(tokens: Tokens) -> dict[str, Any]:
    """`(format = 'PARQUET', partitioned_by = ARRAY['year'])`."""
    tokens.expect("(")
    found: dict[str, Any] = {}
    while True:
        key = tokens.name()
        if key in found:
            raise DuplicatePropertyError(f"Duplicate property: {key}", tokens.position(tokens.peek(-1).start))
        tokens.expect("=")
        found[key] = _value(tokens)
        if not tokens.accept(","):
            break
    tokens.expect(")")
    return found


def _value(tokens: Tokens) -> Any:
    if tokens.accept("TRUE") or tokens.accept("FALSE"):
        return tokens.peek(-1).text.upper() == "TRUE"
    if not tokens.accept("ARRAY"):
        number = tokens.peek().kind == "number"
        return int(tokens.next().text) if number else tokens.string()
    tokens.expect("[")
    values = []
    while not tokens.accept("]"):
        values.append(tokens.string())
        tokens.accept(",")
    return tuple(values)
