"""`ask`: a query compiled for a small catalog and run on an in-memory DuckDB."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from local.athena import runtime
from local.athena.compiler import CompiledQuery, Scan, Table, View, compile_query
from local.athena.errors import from_duckdb
from local.athena.functions.registry import Session
from local.athena.parser import parse
from local.athena.types import parse_type, quote, to_duckdb


@dataclass
class Ask:
    """`ask(sql)` gives the rows, `ask.types(sql)` the types, `ask.names(sql)` the names of the output's columns."""

    connection: duckdb.DuckDBPyConnection
    relations: dict[str, Table | View] = field(default_factory=dict)

    def resolve(self, catalog: str, database: str, name: str) -> Table | View | None:
        return self.relations.get(name) if (catalog, database) == ("awsdatacatalog", "default") else None

    def table(self, name: str, columns: dict[str, str], rows: Sequence[str], keys: Sequence[str] = ()) -> None:
        """Makes a table of Trino-typed columns and rows of DuckDB SQL values."""
        typed = [(column, parse_type(kind)) for column, kind in columns.items()]
        self.relations[name] = Table("awsdatacatalog", "default", name, tuple(typed), frozenset(keys))
        held = ", ".join(f"{quote(column)} {to_duckdb(kind)}" for column, kind in typed)
        self.connection.execute(f"CREATE OR REPLACE TABLE {quote(f'data_{name}')} ({held})")
        for row in rows:
            self.connection.execute(f"INSERT INTO {quote(f'data_{name}')} VALUES ({row})")  # noqa: S608

    def view(self, name: str, text: str, columns: dict[str, str]) -> None:
        typed = tuple((column, parse_type(kind)) for column, kind in columns.items())
        self.relations[name] = View("awsdatacatalog", "default", name, text, typed)

    def compile(self, sql: str, *parameters: str) -> CompiledQuery:
        return compile_query(parse(sql), self, Session(parameters=parameters))

    def scans(self, sql: str) -> tuple[Scan, ...]:
        return self.compile(sql).scans

    def types(self, sql: str) -> list[str]:
        return [str(kind) for _, kind in self.compile(sql).columns]

    def names(self, sql: str) -> list[str]:
        return [name for name, _ in self.compile(sql).columns]

    def __call__(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        compiled = self.compile(sql, *parameters)
        for scan in compiled.scans:
            relation, data = quote(scan.relation), quote(f"data_{scan.table.name}")
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM {data}")  # noqa: S608
        try:
            return self.connection.execute(compiled.sql).fetchall()
        except duckdb.Error as error:
            raise from_duckdb(error) from error

    def value(self, expression: str) -> Any:
        """The one value of `SELECT expression`."""
        ((value,),) = self(f"SELECT {expression}")
        return value

    def type(self, expression: str) -> str:
        (kind,) = self.types(f"SELECT {expression}")
        return kind


@pytest.fixture
def ask() -> Iterator[Ask]:
    connection = duckdb.connect()
    runtime.prepare(connection)
    yield Ask(connection)
    connection.close()


@pytest.fixture(scope="module")
def calculator() -> Iterator[Callable[[str], Any]]:
    """`calculator(expression)` gives one value; kept over many examples."""
    connection = duckdb.connect()
    runtime.prepare(connection)
    yield Ask(connection).value
    connection.close()


@pytest.fixture(scope="module")
def amounts() -> Iterator[Callable[[Any, Any, str], list[Any]]]:
    """`amounts(kinds, rows, *expressions)`: the expressions over the decimal columns a, b, c of a table, row by row."""
    connection = duckdb.connect()
    runtime.prepare(connection)
    ask = Ask(connection)

    def values(kinds: Sequence[tuple[int, int]], rows: Sequence[tuple[Any, ...]], *expressions: str) -> list[Any]:
        columns = {name: f"decimal({p},{s})" for name, (p, s) in zip("abc", kinds, strict=True)}
        texts = (", ".join(f"'{value:f}'" for value in row) for row in rows)
        together = "), (".join(f"{i}, {text}" for i, text in enumerate(texts))
        ask.table("amounts", {"i": "integer", **columns}, [together])
        return [row[:-1] for row in ask(f"SELECT {', '.join(expressions)}, i FROM amounts ORDER BY i")]  # noqa: S608

    yield values
    connection.close()
