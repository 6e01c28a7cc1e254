"""A table's rows as DuckDB SQL: its registered partitions, their own locations and the objects under them."""

from dataclasses import dataclass

from local.athena.catalog import Table


@dataclass(frozen=True)
class Scan:
    """One reading of a table that a compiled query asks for.

    The compiled SQL reads from the relation `name` (a quoted identifier of its own choice); the engine makes it a view
    over `Relation.sql` before it runs. `columns` are the names that the query uses, in lower case (none for a bare
    `count(*)`); hidden columns such as `$path` are there only when asked for. `prune` are DuckDB conditions that hold
    for every row wanted and name, quoted and unqualified, nothing but partition keys.
    """

    name: str
    table: Table
    columns: frozenset[str]
    prune: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relation:
    """DuckDB SQL whose columns are exactly the table's, and the bytes that Athena would bill for reading them."""

    sql: str
    scanned_bytes: int
