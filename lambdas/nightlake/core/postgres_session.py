"""What a PostgreSQL database must do for us: read-only sessions, each of which sees one moment of it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from nightlake.core.postgres_source import PostgresSource

if TYPE_CHECKING:
    import pyarrow as pa


class Session(Protocol):
    """One transaction, REPEATABLE READ and read-only, of a session whose clock shows UTC.

    Whatever a statement fails of is a DatabaseUnavailableError, LockTimeoutError, QueryTimeoutError,
    TableNotFoundError, PermissionDeniedError, TableUnsuitableError or QueryFailedError.
    """

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The few rows of a query, by the names of its columns."""

    def stream(self, sql: str) -> "Iterator[pa.RecordBatch]":
        """The rows of a query in batches of some megabytes."""


class Database(Protocol):
    """One database, as a stage's settings know it."""

    def session(self, source: PostgresSource, *, snapshot: str | None = None) -> AbstractContextManager[Session]:
        """Open a session with the source's time limits; it sees what the one that exported `snapshot` sees.

        Raises DatabaseUnavailableError, DatabaseAuthError, DatabaseTlsError or DatabaseSecretError.
        """
