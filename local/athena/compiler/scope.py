"""Names and relations: what the compiler asks of the catalog, and what it gives back."""

from dataclasses import dataclass
from typing import Protocol

from local.athena.compiler.keys import same_key
from local.athena.compiler.typed import Typed
from local.athena.errors import AmbiguousNameError
from local.athena.types import Type


@dataclass(frozen=True)
class Table:
    """A table of the catalog: its columns with types, partition keys last, as `SELECT *` shows them.

    `hidden` are columns that a query has to name, such as "$path".
    """

    catalog: str
    database: str
    name: str
    columns: tuple[tuple[str, Type], ...]
    partition_keys: frozenset[str] = frozenset()
    hidden: tuple[tuple[str, Type], ...] = ()


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


@dataclass(frozen=True)
class Field:
    """A column that names can mean. `qualifier` is a table's alias, or its catalog, database and name.

    `origin` is the scan and the column it comes from unchanged, so that conditions on it can choose partitions;
    `source` is them where the field is read from the scan itself. A `hidden` one is not among those of `*`.
    """

    name: str | None
    value: Typed
    qualifier: tuple[str, ...] = ()
    origin: tuple[int, str] | None = None
    source: tuple[int, str] | None = None
    hidden: bool = False

    def answers(self, parts: tuple[str, ...]) -> bool:
        """Whether `parts`, lower case, name this field."""
        if self.name is None or self.name.lower() != parts[-1]:
            return False
        prefix = parts[:-1]
        return not prefix or (len(prefix) <= len(self.qualifier) and self.qualifier[-len(prefix) :] == prefix)


class Grouping:
    """After GROUP BY: an expression is a key, an aggregate, or an error. All are columns of the subquery `relation`."""

    def __init__(self, relation: str) -> None:
        self.relation = relation
        self.keys: dict[str, Typed] = {}
        self.same: dict[str, str] = {}  # of each key, the SQL that is grouped by
        self.aggregates: dict[str, Typed] = {}

    def aggregate(self, value: Typed) -> Typed:
        """The column that holds an aggregate."""
        return self._column(self.aggregates, value, "a")

    def add_key(self, value: Typed) -> Typed:
        """The column that holds a key of GROUP BY."""
        self.same[value.sql] = same_key(value)
        return self._column(self.keys, value, "k")

    def _column(self, columns: dict[str, Typed], value: Typed, prefix: str) -> Typed:
        if value.sql not in columns:
            columns[value.sql] = Typed(f'"{self.relation}"."{prefix}{len(columns)}"', value.type)
        return columns[value.sql]


class Scope:
    """The names an expression sees: lambdas' parameters, output columns, columns, then those of the query around."""

    def __init__(self, fields: tuple[Field, ...] = (), parent: "Scope | None" = None) -> None:
        self.fields = fields
        self.parent = parent
        self.names: dict[str, Typed] = {}  # lambdas' parameters
        self.outputs: dict[str, Typed] = {}  # in ORDER BY, the output columns
        self.grouping: Grouping | None = None
        self.used: set[tuple[int, str]] = set()

    def inner(self, names: dict[str, Typed]) -> "Scope":
        """This scope with further names in front."""
        scope = Scope(self.fields, self.parent)
        scope.grouping = self.grouping
        scope.used = self.used
        scope.outputs = self.outputs
        scope.names = {**self.names, **names}
        return scope

    def find(self, parts: tuple[str, ...], position: tuple[int, int] | None) -> tuple[Field, int, "Scope"] | None:
        """The field that the longest start of `parts` names, how many parts that takes, and the scope it is of.

        Raises AmbiguousNameError.
        """
        for taken in range(len(parts), 0, -1):
            found = [field for field in self.fields if field.answers(parts[:taken])]
            if len(found) > 1:
                raise AmbiguousNameError(f"Column '{'.'.join(parts[:taken])}' is ambiguous", position)
            if found:
                return found[0], taken, self
        return self.parent.find(parts, position) if self.parent else None
