"""One statement at work: the catalog and objects it sees, its DuckDB connection, what it read and what came of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from local.athena.catalog import Catalog
from local.athena.errors import QueryError, from_duckdb
from local.athena.session import QueryCancelledError, ScanLimitError, Session
from local.athena.storage import ObjectStore
from local.athena.types import Type, quote

if TYPE_CHECKING:
    import duckdb

    from local.athena.compiler import CompiledQuery

StatementType = Literal["DML", "DDL", "UTILITY"]


@dataclass(frozen=True)
class Statement:
    """A parsed statement: Athena's names for its kind, and its syntax tree (whatever its runner understands)."""

    type: StatementType
    substatement: str
    tree: Any


@dataclass
class Result:
    """What a statement gave.

    A query's `columns` describe its rows, which are in `table` (Arrow) unless they were written to a file; DDL and
    SHOW statements give `lines`. `manifest` is the address of the list of files that a CTAS, INSERT or UNLOAD wrote,
    and `update_count` the rows in them.
    """

    columns: Sequence[tuple[str, Type]] = ()
    table: Any = None
    lines: Sequence[str] = ()
    manifest: str | None = None
    update_count: int | None = None
    row_count: int | None = None
    scanned_bytes: int = 0
    planning_millis: int = 0


@dataclass
class Execution:
    """The surroundings of one running statement. `connect` is called when it first needs DuckDB."""

    session: Session
    catalog: Catalog
    store: ObjectStore
    connect: Callable[[], "duckdb.DuckDBPyConnection"]
    scanned_bytes: int = 0
    planning_seconds: float = 0
    _connection: "duckdb.DuckDBPyConnection | None" = field(default=None, repr=False)

    @property
    def connection(self) -> "duckdb.DuckDBPyConnection":
        """The statement's own DuckDB; stopping the query interrupts it."""
        if self._connection is None:
            self._connection = self.connect()
            self.session.cancellation.attach(self._connection.interrupt)
        return self._connection

    def compile(self, tree: Any) -> "CompiledQuery":
        """Compile a query and make its tables readable: the compiled SQL can then be given to `execute`.

        Raises:
            QueryError: Trino would refuse the query, or this engine cannot answer it faithfully.
            ScanLimitError: it would read more than the workgroup allows.
        """
        from local.athena import scan, system
        from local.athena.compiler import compile_query
        from local.athena.tables import Tables

        started = time.monotonic()
        compiled = compile_query(tree, Tables(self.catalog), self.session)
        for each in compiled.scans:
            rows = system.rows(each.table, self.catalog)
            if rows is None:
                relation = scan.relation(each, self.catalog, self.store, self.connection)
                self.scanned_bytes += relation.scanned_bytes
                rows = relation.sql
            self.execute(f"CREATE OR REPLACE TEMP VIEW {quote(each.relation)} AS {rows}")
        self.planning_seconds += time.monotonic() - started
        limit = self.session.scan_limit
        if limit is not None and self.scanned_bytes > limit:
            raise ScanLimitError
        return compiled

    def execute(self, sql: str) -> "duckdb.DuckDBPyConnection":
        """Run DuckDB SQL to its end.

        Raises:
            QueryError: what went wrong, in Trino's words.
            QueryCancelledError: the query was stopped.
        """
        import duckdb

        if self.session.cancellation.requested:
            raise QueryCancelledError
        try:
            return self.connection.execute(sql)
        except duckdb.InterruptException as error:
            raise QueryCancelledError from error
        except duckdb.Error as error:
            raise from_duckdb(error) from error

    def close(self) -> None:
        """Let go of DuckDB and its memory."""
        self.session.cancellation.attach(None)
        if self._connection is not None:
            self._connection.close()


__all__ = ["Execution", "QueryError", "Result", "Statement", "StatementType"]
