"""Databases, tables and partitions: Hive's CREATE, DROP, ALTER and MSCK as Athena runs them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from local.athena import formats, scan, tables, types, views
from local.athena.catalog import Column, Database, Partition, Storage, Table
from local.athena.errors import (
    AlreadyExistsError,
    DdlFailedError,
    DuplicateColumnNameError,
    MissingColumnNameError,
    NotSupportedError,
    QuerySyntaxError,
    TableNotFoundError,
    ViewIsRecursiveError,
)
from local.athena.execution import Execution, Result
from local.athena.session import CATALOG
from local.athena.storage import folder, split
from local.athena.tokens import Tokens

_TASK = "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
_CREATED_BY = {"EXTERNAL": "TRUE"}
_SPECIAL = re.compile(r"""["#%'*/:=?\\{\[\]^\x00-\x1f\x7f]""")  # of Hive's FileUtils.escapePathName


@dataclass(frozen=True)
class Name:
    """A table's or view's name as written; without a database it is the session's."""

    database: str | None
    name: str

    def of(self, execution: Execution) -> tuple[str, str]:
        return self.database or execution.session.database, self.name


def parse_name(tokens: Tokens) -> Name:
    names = tokens.names()
    if len(names) == 1:  # SHOW CREATE TABLE writes `db.table` in one pair of backquotes
        names = tuple(names[0].split(".", 1))
    *qualifiers, name = names
    if len(qualifiers) > 1 and qualifiers[0] == CATALOG:
        del qualifiers[0]
    if len(qualifiers) > 1:
        tokens.refuse("<table name>")
    return Name(qualifiers[0] if qualifiers else None, name)


def existing(name: Name, execution: Execution) -> Table:
    """The table or view of a name; raises DdlFailedError in Hive's words if there is none."""
    database, table = name.of(execution)
    found = execution.catalog.table(database, table)
    if not found:
        raise DdlFailedError(f"SemanticException [Error 10001]: Table not found {database}.{table}")
    return found


def existing_table(name: Name, execution: Execution) -> Table:
    found = existing(name, execution)
    if found.is_view:
        raise DdlFailedError(f"SemanticException [Error 10131]: {found.database}.{found.name} is a view, not a table")
    return found


@dataclass(frozen=True)
class CreateDatabase:
    name: str
    if_not_exists: bool
    comment: str = ""
    location: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)

    def run(self, execution: Execution) -> Result:
        if execution.catalog.database(self.name):
            if self.if_not_exists:
                return Result()
            raise DdlFailedError(f"{_TASK} Database {self.name} already exists")
        location = folder(self.location) if self.location else ""
        execution.catalog.create_database(Database(self.name, self.comment, location, self.properties))
        return Result()


def parse_create_database(tokens: Tokens) -> CreateDatabase:
    if_not_exists = tokens.accept("IF", "NOT", "EXISTS")
    name = tokens.name()
    comment = tokens.string() if tokens.accept("COMMENT") else ""
    location = _location(tokens) if tokens.accept("LOCATION") else ""
    properties = parse_properties(tokens) if tokens.accept("WITH", "DBPROPERTIES") else {}
    return CreateDatabase(name, if_not_exists, comment, location, properties)


@dataclass(frozen=True)
class AlterDatabase:
    """ALTER DATABASE SET DBPROPERTIES: https://docs.aws.amazon.com/athena/latest/ug/alter-database-set-dbproperties.html."""

    name: str
    properties: Mapping[str, str]

    def run(self, execution: Execution) -> Result:
        found = execution.catalog.database(self.name)
        if not found:
            raise DdlFailedError(f"SemanticException [Error 10072]: Database does not exist: {self.name}")
        execution.catalog.update_database(replace(found, parameters={**found.parameters, **self.properties}))
        return Result()


def parse_alter_database(tokens: Tokens) -> AlterDatabase:
    """After ALTER DATABASE."""
    name = tokens.name()
    tokens.expect("SET", "DBPROPERTIES")
    return AlterDatabase(name, parse_properties(tokens))


@dataclass(frozen=True)
class DropDatabase:
    name: str
    if_exists: bool
    cascade: bool

    def run(self, execution: Execution) -> Result:
        catalog = execution.catalog
        if not catalog.database(self.name):
            if self.if_exists:
                return Result()
            raise DdlFailedError(f"SemanticException [Error 10072]: Database does not exist: {self.name}")
        tables = catalog.tables(self.name)
        if tables and not self.cascade:
            reason = f"Database {self.name} is not empty. One or more tables exist."
            raise DdlFailedError(f"{_TASK} InvalidOperationException(message:{reason})")
        for table in tables:
            catalog.delete_table(self.name, table.name)
        catalog.delete_database(self.name)
        return Result()


def parse_drop_database(tokens: Tokens) -> DropDatabase:
    if_exists = tokens.accept("IF", "EXISTS")
    name = tokens.name()
    cascade = tokens.accept("CASCADE")
    tokens.accept("RESTRICT")
    return DropDatabase(name, if_exists, cascade)


@dataclass(frozen=True)
class CreateTable:
    """CREATE EXTERNAL TABLE: https://docs.aws.amazon.com/athena/latest/ug/create-table.html."""

    name: Name
    if_not_exists: bool
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...]
    storage: Storage
    properties: Mapping[str, str]
    comment: str

    def run(self, execution: Execution) -> Result:
        database, name = self.name.of(execution)
        _check_columns((*self.columns, *self.partition_keys))
        if not execution.catalog.database(database):
            raise DdlFailedError(f"SemanticException [Error 10072]: Database does not exist: {database}")
        if execution.catalog.table(database, name):
            if self.if_not_exists:
                return Result()
            raise DdlFailedError(f"{_TASK} AlreadyExistsException(message:Table {name} already exists)")
        execution.catalog.create_table(
            Table(
                database=database,
                name=name,
                columns=self.columns,
                partition_keys=self.partition_keys,
                storage=self.storage,
                parameters={
                    **_CREATED_BY,
                    **({"comment": self.comment} if self.comment else {}),
                    **self.properties,
                },
            )
        )
        return Result()


def parse_create_table(tokens: Tokens) -> CreateTable:
    """After CREATE EXTERNAL TABLE."""
    if_not_exists = tokens.accept("IF", "NOT", "EXISTS")
    name = parse_name(tokens)
    columns = _columns(tokens)
    clauses = _Clauses(tokens)
    clauses.read()
    if not clauses.location:
        raise QuerySyntaxError("CREATE EXTERNAL TABLE must name a LOCATION", tokens.position(0))
    return CreateTable(
        name,
        if_not_exists,
        columns,
        clauses.partition_keys,
        clauses.storage(),
        clauses.properties,
        clauses.comment,
    )


def _check_columns(columns: Sequence[Column]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise DdlFailedError(f"SemanticException [Error 10036]: Duplicate column name: {column.name}")
        seen.add(column.name)


class _Clauses:
    """What follows the columns of CREATE EXTERNAL TABLE, in any order."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.partition_keys: tuple[Column, ...] = ()
        self.comment = ""
        self.location = ""
        self.properties: Mapping[str, str] = {}
        self._serde: str = ""
        self._serde_properties: dict[str, str] = {}
        self._format: formats.Format | None = None
        self._classes: tuple[str, str] | None = None

    def read(self) -> None:
        tokens = self._tokens
        readers = {
            ("COMMENT",): self._read_comment,
            ("PARTITIONED", "BY"): self._read_partition_keys,
            ("ROW", "FORMAT", "SERDE"): self._read_serde,
            ("ROW", "FORMAT", "DELIMITED"): self._read_delimited,
            ("STORED", "AS"): self._read_format,
            ("LOCATION",): self._read_location,
            ("TBLPROPERTIES",): self._read_properties,
            ("CLUSTERED", "BY"): self._refuse_buckets,
        }
        while tokens.peek().kind != "end":
            reader = next((reader for words, reader in readers.items() if tokens.accept(*words)), None)
            if not reader:
                tokens.refuse(*(f"'{' '.join(words)}'" for words in readers))
            reader()

    def _read_comment(self) -> None:
        self.comment = self._tokens.string()

    def _read_partition_keys(self) -> None:
        self.partition_keys = _columns(self._tokens)

    def _read_serde(self) -> None:
        self._serde = self._tokens.string()
        if self._tokens.accept("WITH", "SERDEPROPERTIES"):
            self._serde_properties = parse_properties(self._tokens)

    def _read_delimited(self) -> None:
        tokens, properties = self._tokens, self._serde_properties
        self._serde = formats.LAZY.serde
        properties["serialization.format"] = "1"
        while True:
            if tokens.accept("FIELDS", "TERMINATED", "BY"):
                properties["field.delim"] = properties["serialization.format"] = tokens.string()
            elif tokens.accept("ESCAPED", "BY"):
                properties["escape.delim"] = tokens.string()
            elif tokens.accept("COLLECTION", "ITEMS", "TERMINATED", "BY"):
                properties["collection.delim"] = tokens.string()
            elif tokens.accept("MAP", "KEYS", "TERMINATED", "BY"):
                properties["mapkey.delim"] = tokens.string()
            elif tokens.accept("LINES", "TERMINATED", "BY"):
                properties["line.delim"] = tokens.string()
            elif tokens.accept("NULL", "DEFINED", "AS"):
                properties["serialization.null.format"] = tokens.string()
            else:
                return

    def _read_format(self) -> None:
        tokens = self._tokens
        if tokens.accept("INPUTFORMAT"):
            read = tokens.string()
            tokens.expect("OUTPUTFORMAT")
            self._classes = read, tokens.string()
            return
        name = tokens.name().upper()
        if name not in formats.STORED_AS:
            raise NotSupportedError(
                f"STORED AS {name} is not supported by the local Athena: it reads {', '.join(formats.STORED_AS)}"
            )
        self._format = formats.STORED_AS[name]

    def _read_location(self) -> None:
        self.location = _location(self._tokens)

    def _read_properties(self) -> None:
        self.properties = parse_properties(self._tokens)
        for name in ("projection.enabled", "table_type"):
            if self.properties.get(name, "false").lower() in ("true", "iceberg"):
                raise NotSupportedError(f"TBLPROPERTIES '{name}' is not supported by the local Athena")

    def _refuse_buckets(self) -> None:
        raise NotSupportedError("CLUSTERED BY is not supported by the local Athena")

    def storage(self) -> Storage:
        """The storage that the clauses describe; raises NotSupportedError if this engine cannot read it."""
        kind = self._format or formats.LAZY
        storage = kind.storage(self.location)
        if self._serde:
            storage = replace(storage, serde=self._serde, serde_parameters=self._serde_properties)
        elif kind == formats.LAZY:
            storage = replace(storage, serde_parameters={"serialization.format": "1"})
        if self._classes:
            storage = replace(storage, input_format=self._classes[0], output_format=self._classes[1])
        if storage.serde == formats.PARQUET.serde:
            storage = replace(formats.PARQUET.storage(self.location), serde_parameters=storage.serde_parameters)
        formats.of(storage)
        return storage


def _columns(tokens: Tokens) -> tuple[Column, ...]:
    tokens.expect("(")
    columns = []
    while True:
        name = tokens.name()
        kind = _type(tokens)
        columns.append(Column(name, kind, tokens.string() if tokens.accept("COMMENT") else ""))
        if not tokens.accept(","):
            break
    tokens.expect(")")
    return tuple(columns)


def _type(tokens: Tokens) -> str:
    """A column's type as Hive spells it: what stands up to the next comma or parenthesis that is not its own."""
    start, depth, text = tokens.peek().start, 0, ""
    while tokens.peek().kind != "end":
        token = tokens.peek()
        if depth == 0 and (token.text in (",", ")") or tokens.at("COMMENT")):
            break
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(token.text, 0)
        text += tokens.next().text.strip("`")
    text = {"integer": "int", "real": "float"}.get(text.lower(), text.lower())
    try:
        kind = types.parse_hive(text)
    except ValueError as error:
        raise QuerySyntaxError(f"Unknown column type '{text}'", tokens.position(start)) from error
    return text if types.is_text(kind) or text == "decimal" else views.hive_type(kind)


def _location(tokens: Tokens) -> str:
    location = tokens.string()
    try:
        split(location)
    except ValueError as error:
        raise DdlFailedError(f"{_TASK} MetaException(message:{error})") from error
    return location if location.endswith("/") else f"{location}/"


def parse_properties(tokens: Tokens) -> dict[str, str]:
    """`('key' = 'value', ...)`."""
    return _assignments(tokens, tokens.string, tokens.string)


def _assignments(tokens: Tokens, name: Callable[[], str], value: Callable[[], str]) -> dict[str, str]:
    """A list in parentheses of what `name` reads, `=`, and what `value` reads."""
    tokens.expect("(")
    found = {}
    while True:
        key = name()
        tokens.expect("=")
        found[key] = value()
        if not tokens.accept(","):
            break
    tokens.expect(")")
    return found


@dataclass(frozen=True)
class DropTable:
    name: Name
    if_exists: bool
    view: bool = False

    def run(self, execution: Execution) -> Result:
        database, name = self.name.of(execution)
        found = execution.catalog.table(database, name)
        if not found or found.is_view != self.view:
            return self._missing(f"{database}.{name}", found)
        execution.catalog.delete_table(database, name)
        return Result()

    def _missing(self, name: str, found: Table | None) -> Result:
        if found and not self.view:
            raise DdlFailedError(f"SemanticException [Error 10131]: {name} is a view: use DROP VIEW")
        if self.if_exists:
            return Result()
        if self.view:
            raise TableNotFoundError(f"View '{CATALOG}.{name}' does not exist")
        raise DdlFailedError(f"SemanticException [Error 10001]: Table not found {name}")


def parse_drop_table(tokens: Tokens, view: bool = False) -> DropTable:
    if_exists = tokens.accept("IF", "EXISTS")
    return DropTable(parse_name(tokens), if_exists, view)


@dataclass(frozen=True)
class AddPartitions:
    """ALTER TABLE ADD [IF NOT EXISTS] PARTITION: what exists keeps its location."""

    name: Name
    if_not_exists: bool
    partitions: tuple[tuple[Mapping[str, str], str], ...]

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        added = []
        for given, location in self.partitions:
            values = _values(table, given)
            if execution.catalog.partition(table, values):
                if self.if_not_exists:
                    continue
                raise DdlFailedError(f"{_TASK} AlreadyExistsException(message:Partition already exists.)")
            at = location or partition_location(table, values)
            added.append(Partition(values, formats.moved(table.storage, at), table.columns))
        execution.catalog.create_partitions(table, added)
        return Result()


@dataclass(frozen=True)
class DropPartitions:
    name: Name
    if_exists: bool
    partitions: tuple[Mapping[str, str], ...]

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        registered = execution.catalog.partitions(table)
        dropped: dict[tuple[str, ...], None] = {}
        for given in self.partitions:
            places = _places(table, given)
            found = [each for each in registered if all(each.values[at] == value for at, value in places.items())]
            if not found and not self.if_exists:
                shown = ", ".join(f"{name}={value}" for name, value in given.items())
                raise DdlFailedError(f"SemanticException [Error 10006]: Partition not found ({shown})")
            dropped.update((each.values, None) for each in found)
        execution.catalog.delete_partitions(table, list(dropped))
        return Result()


@dataclass(frozen=True)
class SetLocation:
    name: Name
    partition: Mapping[str, str] | None
    location: str

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        if self.partition is None:
            execution.catalog.update_table(replace(table, storage=formats.moved(table.storage, self.location)))
            return Result()
        values = _values(table, self.partition)
        found = execution.catalog.partition(table, values)
        if not found:
            shown = ", ".join(f"{name}={value}" for name, value in self.partition.items())
            raise DdlFailedError(f"SemanticException [Error 10006]: Partition not found ({shown})")
        moved = formats.moved(found.storage, self.location)
        execution.catalog.update_partition(table, replace(found, storage=moved))
        return Result()


@dataclass(frozen=True)
class AddColumns:
    name: Name
    columns: tuple[Column, ...]

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        _check_columns((*table.all_columns, *self.columns))
        execution.catalog.update_table(replace(table, columns=table.columns + self.columns))
        return Result()


@dataclass(frozen=True)
class ReplaceColumns:
    """ALTER TABLE REPLACE COLUMNS: https://docs.aws.amazon.com/athena/latest/ug/alter-table-replace-columns.html."""

    name: Name
    columns: tuple[Column, ...]

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        _check_columns((*self.columns, *table.partition_keys))
        execution.catalog.update_table(replace(table, columns=self.columns))
        return Result()


@dataclass(frozen=True)
class SetProperties:
    name: Name
    properties: Mapping[str, str]

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        execution.catalog.update_table(replace(table, parameters={**table.parameters, **self.properties}))
        return Result()


@dataclass(frozen=True)
class Repair:
    """MSCK REPAIR TABLE: registers the folders `key=value/...` under the table's location that are not registered."""

    name: Name

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        known = {each.values for each in execution.catalog.partitions(table)}
        prefix = folder(table.storage.location)
        found: dict[tuple[str, ...], str] = {}
        for each in scan.visible(execution.store, table.storage.location):
            folders = each.uri[len(prefix) :].split("/")[: len(table.partition_keys)]
            values = _hive_values(table, folders)
            if values and values not in known:
                found[values] = f"{prefix}{'/'.join(folders)}/"
        added = [Partition(values, formats.moved(table.storage, at), table.columns) for values, at in found.items()]
        execution.catalog.create_partitions(table, added)
        if not added:
            return Result()
        shown = "\t".join(f"{table.name}:{partition_name(table, each.values)}" for each in added)
        lines = [f"Partitions not in metastore:\t{shown}"]
        lines += [
            f"Repair: Added partition to metastore {table.name}:{partition_name(table, each.values)}" for each in added
        ]
        return Result(lines=lines)


def _hive_values(table: Table, folders: Sequence[str]) -> tuple[str, ...] | None:
    # Athena leaves folders like `userId=1` alone: keys are in lower case.
    parts = [part.partition("=") for part in folders]
    named = [name for name, equals, _ in parts if equals]
    if not named or named != [key.name for key in table.partition_keys]:
        return None
    return tuple(unquote(value) for _, _, value in parts)


def partition_name(table: Table, values: Sequence[str]) -> str:
    """A partition as Hive names it and its folders: `key=value/...`, what is special in paths escaped."""
    return "/".join(
        f"{key.name}={_SPECIAL.sub(lambda char: f'%{ord(char[0]):02X}', value)}"
        for key, value in zip(table.partition_keys, values, strict=True)
    )


def partition_location(table: Table, values: Sequence[str]) -> str:
    """Where Hive puts a partition that has no location of its own."""
    return f"{folder(table.storage.location)}{partition_name(table, values)}/"


def _places(table: Table, given: Mapping[str, str]) -> dict[int, str]:
    keys = [key.name for key in table.partition_keys]
    for name in given:
        if name not in keys:
            raise DdlFailedError(
                f"SemanticException [Error 10098]: Non-Partition column appears in the partition specification: {name}"
            )
    return {keys.index(name): value for name, value in given.items()}


def _values(table: Table, given: Mapping[str, str]) -> tuple[str, ...]:
    """A whole partition's values in the order of the keys; raises DdlFailedError for unknown or missing keys."""
    places = _places(table, given)
    if len(places) != len(table.partition_keys):
        missing = [key.name for key in table.partition_keys if key.name not in given]
        raise DdlFailedError(f"SemanticException [Error 10004]: partition spec lacks the keys {', '.join(missing)}")
    return tuple(places[index] for index in range(len(table.partition_keys)))


def parse_alter_table(tokens: Tokens) -> tuple[str, Any]:
    """After ALTER TABLE: Athena's name for the statement, and the statement."""
    name = parse_name(tokens)
    if tokens.accept("ADD", "COLUMNS"):
        return "ALTER_TABLE_ADD_COLUMNS", AddColumns(name, _columns(tokens))
    if tokens.accept("REPLACE", "COLUMNS"):
        return "ALTER_TABLE_REPLACE_COLUMNS", ReplaceColumns(name, _columns(tokens))
    if tokens.accept("ADD"):
        return "ALTER_TABLE_ADD_PARTITION", _parse_add_partitions(tokens, name)
    if tokens.accept("DROP"):
        return "ALTER_TABLE_DROP_PARTITION", _parse_drop_partitions(tokens, name)
    partition = _spec_of(tokens) if tokens.accept("PARTITION") else None
    if tokens.accept("SET", "LOCATION"):
        return "ALTER_TABLE_SET_LOCATION", SetLocation(name, partition, _location(tokens))
    if partition is None and tokens.accept("SET", "TBLPROPERTIES"):
        return "ALTER_TABLE_SET_PROPERTIES", SetProperties(name, parse_properties(tokens))
    for words in (("RENAME",), ("CHANGE",), ("ADD", "COLUMNS"), ("REPLACE", "COLUMNS"), ("UNSET",)):
        if tokens.at(*words):
            raise NotSupportedError(f"ALTER TABLE {' '.join(words)} is not supported here by the local Athena")
    raise tokens.refusal("'ADD'", "'DROP'", "'SET'")


def _parse_add_partitions(tokens: Tokens, name: Name) -> AddPartitions:
    if_not_exists = tokens.accept("IF", "NOT", "EXISTS")
    partitions = []
    tokens.expect("PARTITION")
    while True:
        spec = _spec_of(tokens)
        partitions.append((spec, _location(tokens) if tokens.accept("LOCATION") else ""))
        if not tokens.accept("PARTITION"):
            return AddPartitions(name, if_not_exists, tuple(partitions))


def _parse_drop_partitions(tokens: Tokens, name: Name) -> DropPartitions:
    if_exists = tokens.accept("IF", "EXISTS")
    partitions = []
    while True:
        tokens.expect("PARTITION")
        partitions.append(_spec_of(tokens))
        if not tokens.accept(","):
            return DropPartitions(name, if_exists, tuple(partitions))


def _spec_of(tokens: Tokens) -> dict[str, str]:
    """`(year = '2026', month = '01')`."""
    return _assignments(tokens, tokens.name, tokens.literal)


def check_names(columns: Sequence[tuple[str | None, Any]]) -> None:
    """Refuse a query's columns as those of a table or view where a name is missing or there twice."""
    seen: set[str] = set()
    for position, (name, _) in enumerate(columns, 1):
        if not name or name == f"_col{position - 1}":
            raise MissingColumnNameError(f"Column name not specified at position {position}", (1, 1))
        if name.lower() in seen:
            raise DuplicateColumnNameError(f"Column name '{name.lower()}' specified more than once", (1, 1))
        seen.add(name.lower())


@dataclass(frozen=True)
class _WithoutView(tables.Tables):
    """What the query of a view may read: not the view itself, nor views over it."""

    own: tuple[str, str]

    def resolve(self, catalog: str, database: str, name: str) -> Any:
        found = super().resolve(catalog, database, name)
        if found is not None and (database, name) == self.own:
            raise ViewIsRecursiveError(f"Statement would create a recursive view: {CATALOG}.{database}.{name}", (1, 1))
        return found


@dataclass(frozen=True)
class CreateView:
    """CREATE [OR REPLACE] VIEW: the query is compiled to know its columns, which stay as they are then."""

    name: Name
    replaces: bool
    text: str
    tree: Any

    def run(self, execution: Execution) -> Result:
        from local.athena.compiler import compile_query

        database, name = self.name.of(execution)
        catalog = execution.catalog
        if not catalog.database(database):
            raise DdlFailedError(f"SemanticException [Error 10072]: Database does not exist: {database}")
        found = catalog.table(database, name)
        if found and not found.is_view:
            raise AlreadyExistsError(f"Table already exists: '{CATALOG}.{database}.{name}'", (1, 1))
        if found and not self.replaces:
            raise AlreadyExistsError(f"View already exists: '{CATALOG}.{database}.{name}'", (1, 1))
        columns = compile_query(self.tree, _WithoutView(catalog, (database, name)), execution.session).columns
        check_names(columns)
        view = views.encode(database, name, self.text, execution.session.database, columns)
        if found:
            catalog.update_table(view)
        else:
            catalog.create_table(view)
        return Result()
