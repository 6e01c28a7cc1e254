"""Names and relations: what the compiler asks of the catalog, and what it gives back."""

from dataclasses import dataclass
from typing import Protocol

from local.athena.types import Type


@dataclass(frozen=True)
class Table:
    """A table of the catalog: its columns with types, partition keys last, as `SELECT *` shows them."""

    catalog: str
    database: str
    name: str
    columns: tuple[tuple[str, Type], ...]
    partition_keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class View:
    """A view of the catalog: its text, what its unqualified names mean, and the columns it promised when made."""

    catalog: str
    database: str
    name: str
    text: str
    columns: tuple[tuple[str, Type], ...]
    text_catalog: str = "awsdatacatalog"
    text_database: str = "default"


class CatalogView(Protocol):
    """What a query may read. Names come in lower case."""

    def resolve(self, catalog: str, database: str, name: str) -> Table | View | None:
        """The table or view, or None if there is none. Raises SchemaNotFoundError, CatalogNotFoundError."""


@dataclass(frozen=True)
class Scan:
    """One read of a table. The query's SQL names it as relation `relation`, with the table's columns in lower case.

    `columns` are those the query uses. `partition_filter` is a DuckDB condition over the partition keys' names
    (in quotes) that every row of use satisfies, or None; it may fail on odd values, then nothing is pruned.
    """

    relation: str
    table: Table
    columns: tuple[str, ...]
    partition_filter: str | None


@dataclass(frozen=True)
class CompiledQuery:
    """DuckDB SQL over the scans' relations, and the output's names and types; SQL columns are named `c0`, `c1`..."""

    sql: str
    columns: tuple[tuple[str, Type], ...]
    scans: tuple[Scan, ...]
