"""SHOW and DESCRIBE: lines of text, aligned as Hive aligns them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local.athena import views
from local.athena.catalog import Column, Table
from local.athena.ddl import Name, existing, existing_table, parse_name, partition_name
from local.athena.errors import DdlFailedError, NotSupportedError, TableNotFoundError
from local.athena.execution import Execution, Result
from local.athena.session import CATALOG
from local.athena.tokens import Tokens

_WIDTH = 20
_BLANK = "\t \t "


def _matching(names: list[str], pattern: str | None) -> list[str]:
    """Names that a Hive pattern matches: a regular expression in which `*` alone stands for anything."""
    if pattern is None:
        return names
    try:
        expression = re.compile(re.sub(r"(?<!\.)\*", ".*", pattern.lower()))
    except re.error as error:
        raise DdlFailedError(f"SemanticException the pattern '{pattern}' is no regular expression: {error}") from error
    return [name for name in names if expression.fullmatch(name)]


@dataclass(frozen=True)
class ShowDatabases:
    pattern: str | None

    def run(self, execution: Execution) -> Result:
        names = [database.name for database in execution.catalog.databases()]
        return Result(lines=_matching(names, self.pattern))


@dataclass(frozen=True)
class ShowTables:
    database: str | None
    pattern: str | None
    views_only: bool = False

    def run(self, execution: Execution) -> Result:
        database = self.database or execution.session.database
        if not execution.catalog.database(database):
            raise DdlFailedError(f"SemanticException [Error 10072]: Database does not exist: {database}")
        tables = execution.catalog.tables(database)
        names = [table.name for table in tables if table.is_view or not self.views_only]
        return Result(lines=_matching(names, self.pattern))


@dataclass(frozen=True)
class ShowPartitions:
    name: Name

    def run(self, execution: Execution) -> Result:
        table = existing_table(self.name, execution)
        if not table.partition_keys:
            raise DdlFailedError(f"SemanticException [Error 10241]: Table {table.name} is not a partitioned table")
        return Result(lines=[partition_name(table, each.values) for each in execution.catalog.partitions(table)])


@dataclass(frozen=True)
class ShowColumns:
    name: Name

    def run(self, execution: Execution) -> Result:
        table = existing(self.name, execution)
        return Result(lines=[f"{column.name:<{_WIDTH}}" for column in table.all_columns])


@dataclass(frozen=True)
class ShowProperties:
    name: Name
    key: str | None

    def run(self, execution: Execution) -> Result:
        properties = existing(self.name, execution).parameters
        if self.key is not None:
            return Result(lines=[properties.get(self.key, f"Table does not have property: {self.key}")])
        return Result(lines=[f"{key}\t{value}" for key, value in properties.items()])


@dataclass(frozen=True)
class Describe:
    name: Name
    column: str | None = None

    def run(self, execution: Execution) -> Result:
        table = existing(self.name, execution)
        if self.column is not None:
            found = [column for column in table.all_columns if column.name == self.column]
            if not found:
                raise DdlFailedError(f"SemanticException Column {self.column} does not exist in table {table.name}")
            return Result(lines=[_described(found[0])])
        lines = [_described(column) for column in table.all_columns]
        if table.partition_keys:
            heading = _described(Column("# col_name", "data_type", "comment"))
            lines += [_BLANK, f"# Partition Information{_BLANK}", heading, _BLANK]
            lines += [_described(key) for key in table.partition_keys]
        return Result(lines=lines)


def _described(column: Column) -> str:
    return f"{column.name:<{_WIDTH}}\t{column.type:<{_WIDTH}}\t{column.comment:<{_WIDTH}}"


@dataclass(frozen=True)
class ShowCreateTable:
    name: Name

    def run(self, execution: Execution) -> Result:
        table = existing(self.name, execution)
        return Result(lines=_view(table) if table.is_view else _statement(table).split("\n"))


@dataclass(frozen=True)
class ShowCreateView:
    name: Name

    def run(self, execution: Execution) -> Result:
        database, name = self.name.of(execution)
        table = execution.catalog.table(database, name)
        if not table or not table.is_view:
            raise TableNotFoundError(f"View '{CATALOG}.{database}.{name}' does not exist", (1, 1))
        return Result(lines=_view(table))


def _view(table: Table) -> list[str]:
    return [f"CREATE VIEW {table.database}.{table.name} AS ", *views.decode(table).text.split("\n")]


def _statement(table: Table) -> str:
    """The CREATE EXTERNAL TABLE of a table, as Hive's DDLTask writes it."""
    storage = table.storage
    parameters = {key: value for key, value in table.parameters.items() if key not in ("EXTERNAL", "comment")}
    parts = [f"CREATE EXTERNAL TABLE `{table.database}.{table.name}`(\n{_columns(table.columns)})"]
    if table.parameters.get("comment"):
        parts.append(f"COMMENT {_text(table.parameters['comment'])}")
    if table.partition_keys:
        parts.append(f"PARTITIONED BY ( \n{_columns(table.partition_keys)})")
    parts.append(f"ROW FORMAT SERDE \n  {_text(storage.serde)} ")
    if storage.serde_parameters:
        parts.append(f"WITH SERDEPROPERTIES ( \n{_properties(storage.serde_parameters)}) ")
    parts.append(f"STORED AS INPUTFORMAT \n  {_text(storage.input_format)} ")
    parts.append(f"OUTPUTFORMAT \n  {_text(storage.output_format)}")
    parts.append(f"LOCATION\n  {_text(storage.location)}")
    if parameters:
        parts.append(f"TBLPROPERTIES (\n{_properties(parameters)})")
    return "\n".join(parts)


def _columns(columns: tuple[Column, ...]) -> str:
    return ", \n".join(
        f"  `{column.name}` {column.type}{f' COMMENT {_text(column.comment)}' if column.comment else ''}"
        for column in columns
    )


def _properties(properties: Mapping[str, str]) -> str:
    return ", \n".join(f"  {_text(key)}={_text(value)}" for key, value in sorted(properties.items()))


def _text(value: str) -> str:
    shown = value.replace("\\", "\\\\").replace("'", "\\'").replace("\t", "\\t").replace("\n", "\\n")
    return "'" + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in shown) + "'"


def parse_show(tokens: Tokens) -> tuple[str, object]:
    """After SHOW: Athena's name for the statement, and the statement."""
    if tokens.accept("DATABASES") or tokens.accept("SCHEMAS"):
        return "SHOW_DATABASES", ShowDatabases(_pattern(tokens))
    if tokens.accept("TABLES"):
        return "SHOW_TABLES", ShowTables(_database(tokens), _pattern(tokens))
    if tokens.accept("VIEWS"):
        return "SHOW_VIEWS", ShowTables(_database(tokens), _pattern(tokens), views_only=True)
    if tokens.accept("COLUMNS"):
        return "SHOW_COLUMNS", ShowColumns(_name_in(tokens))
    named = {
        ("PARTITIONS",): ("SHOW_PARTITIONS", ShowPartitions),
        ("CREATE", "TABLE"): ("SHOW_CREATE_TABLE", ShowCreateTable),
        ("CREATE", "VIEW"): ("SHOW_CREATE_VIEW", ShowCreateView),
    }
    for words, (kind, statement) in named.items():
        if tokens.accept(*words):
            return kind, statement(parse_name(tokens))
    if tokens.accept("TBLPROPERTIES"):
        return "SHOW_TBLPROPERTIES", _parse_properties(tokens)
    raise NotSupportedError(f"SHOW {tokens.peek().text.upper()} is not supported by the local Athena")


def _parse_properties(tokens: Tokens) -> ShowProperties:
    name, key = parse_name(tokens), None
    if tokens.accept("("):
        key = tokens.string()
        tokens.expect(")")
    return ShowProperties(name, key)


def _pattern(tokens: Tokens) -> str | None:
    if tokens.accept("LIKE") or tokens.peek().kind == "string":
        return tokens.string()
    return None


def _database(tokens: Tokens) -> str | None:
    if tokens.accept("IN") or tokens.accept("FROM"):
        return parse_name(tokens).name
    return None


def _name_in(tokens: Tokens) -> Name:
    if not tokens.accept("FROM"):
        tokens.expect("IN")
    name = parse_name(tokens)
    database = _database(tokens)
    return Name(database, name.name) if database else name


def parse_describe(tokens: Tokens) -> Describe:
    """After DESCRIBE or DESC."""
    for word in ("FORMATTED", "EXTENDED", "INPUT", "OUTPUT", "DATABASE", "SCHEMA", "FUNCTION"):
        if tokens.at(word) and tokens.peek(1).kind not in ("end", "symbol"):
            raise NotSupportedError(f"DESCRIBE {word} is not supported by the local Athena")
    name = parse_name(tokens)
    if tokens.at("PARTITION"):
        raise NotSupportedError("DESCRIBE of a partition is not supported by the local Athena")
    column = tokens.name() if tokens.peek().kind != "end" else None
    return Describe(name, column)
