"""Sessions of PostgreSQL through ADBC: binary COPY straight into Arrow, read-only, with TLS and time limits.

Everything is a statement of the transaction, and nothing an option of the connection, so that poolers pass it on.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from adbc_driver_manager import Error
from adbc_driver_postgresql import StatementOptions

from nightlake.core.errors import (
    DatabaseAuthError,
    DatabaseTlsError,
    DatabaseUnavailableError,
    LockTimeoutError,
    NightlakeError,
    PermissionDeniedError,
    QueryFailedError,
    QueryTimeoutError,
    TableNotFoundError,
    TableUnsuitableError,
)
from nightlake.core.postgres_login import Address, Login, login
from nightlake.core.postgres_source import PostgresSource

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager.dbapi import Connection

RDS_CERTIFICATES: Final = "/opt/rds-ca.pem"  # of the layer
BATCH_BYTES: Final = 8 << 20
_PEM: Final = "-----BEGIN CERTIFICATE-----"
_CHARACTERS: Final = 500
_ROTATION_SECONDS: Final = (0, 1, 2, 4, 8, 15)

# https://www.postgresql.org/docs/current/errcodes-appendix.html: the whole code, or its class.
_NAMED: Final[dict[str, type[NightlakeError]]] = {
    "08": DatabaseUnavailableError,
    "53": DatabaseUnavailableError,
    "57P": DatabaseUnavailableError,
    "58": DatabaseUnavailableError,
    "40": DatabaseUnavailableError,  # a replica cancels what its primary gets in the way of
    "25P03": DatabaseUnavailableError,
    "25P04": DatabaseUnavailableError,
    "72000": DatabaseUnavailableError,
    "28": DatabaseAuthError,
    "57014": QueryTimeoutError,
    "55P03": LockTimeoutError,
    "42P01": TableNotFoundError,
    "3F000": TableNotFoundError,
    "42501": PermissionDeniedError,
    "42703": TableUnsuitableError,
    "42804": TableUnsuitableError,
    "42883": TableUnsuitableError,
}
_ADVICE: Final[dict[type[NightlakeError], str]] = {
    DatabaseUnavailableError: "it is tried again",
    DatabaseAuthError: "mend the secret or the role",
    DatabaseTlsError: "the secret may name its authority as sslrootcert",
    LockTimeoutError: "it is tried again",
    QueryTimeoutError: "it is tried again; cut smaller shards, or let statement_timeout_seconds be more",
    TableNotFoundError: "mend `table`, or create it",
    PermissionDeniedError: "grant SELECT to the role",
    TableUnsuitableError: "the table may have changed: plan again",
    QueryFailedError: "see the log of the database",
}
# What libpq says before there is a session has no code.
_REFUSALS: Final[tuple[tuple[str, type[NightlakeError]], ...]] = (
    ("too many connections", DatabaseUnavailableError),
    ("connection slots", DatabaseUnavailableError),
    ("authentication failed", DatabaseAuthError),
    ("no password supplied", DatabaseAuthError),
    ("no pg_hba.conf entry", DatabaseAuthError),
    ("is not permitted to log in", DatabaseAuthError),
    ("permission denied for database", DatabaseAuthError),
    ('role "', DatabaseAuthError),
    ('database "', DatabaseAuthError),
    ("certificate", DatabaseTlsError),
    ("SSL", DatabaseTlsError),
)


class ReadSecret(Protocol):
    """Gives the text of a secret, or None; remembers it unless it is to be read again."""

    def __call__(self, name: str, *, again: bool = False) -> str | None: ...


class Postgres:
    """One database of a stage; `certificates` is a file of authorities, where the secret has none of its own."""

    def __init__(
        self,
        name: str,
        address: Address,
        secret: ReadSecret,
        *,
        certificates: str = RDS_CERTIFICATES,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._address = address
        self._secret = secret
        self._certificates = certificates
        self._wait = wait

    @contextmanager
    def session(self, source: PostgresSource, *, snapshot: str | None = None) -> Iterator["PostgresSession"]:
        """As `core.postgres_session.Database` says; a secret that is being rotated is read again for half a minute."""
        with ExitStack() as opened:
            session = self._open(opened)
            session.begin(source, snapshot)
            yield session

    def _open(self, opened: ExitStack) -> "PostgresSession":
        """Connect, with a secret read anew while it is refused.

        A rotation tells the database first and the secret some seconds later. That is waited for here and not by the
        state machine: a session that joins the snapshot of others must come while those are open, and a refusal that
        outlasts it is a person's to mend, whom three retries would tell no sooner. AWSPENDING is not tried: a rotation
        that failed leaves a password there that was never set.
        """
        try:
            return self._connect(opened, again=False)
        except DatabaseAuthError as error:
            refusal = error
        for seconds in _ROTATION_SECONDS:
            self._wait(seconds)
            try:
                return self._connect(opened, again=True)
            except DatabaseAuthError as error:
                refusal = error
        raise refusal

    def _connect(self, opened: ExitStack, *, again: bool) -> "PostgresSession":
        known = login(self._name, self._address, self._secret(self._address.secret_name, again=again))
        certificates = known.sslrootcert or self._certificates
        if certificates.lstrip().startswith(_PEM):
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="nightlake-ca-"))
            file = Path(folder) / "ca.pem"
            file.write_text(certificates)
            certificates = str(file)
        from adbc_driver_postgresql import dbapi  # which imports pyarrow

        try:
            connection = dbapi.connect(known.conninfo(certificates))
        except Error as error:
            raise _refused(error, known, self._name) from None
        opened.callback(_close, connection)
        return PostgresSession(connection, self._name, known)


class PostgresSession:
    """An open transaction; see `core.postgres_session.Session`."""

    def __init__(self, connection: "Connection", name: str, known: Login) -> None:
        self._connection = connection
        self._name = name
        self._known = known

    def begin(self, source: PostgresSource, snapshot: str | None) -> None:
        """Say what the transaction sees, may do and how long it may take, before its first query."""
        said = ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"]
        if snapshot is not None:
            said.append("SET TRANSACTION SNAPSHOT '" + snapshot.replace("'", "''") + "'")
        said += [
            f"SET LOCAL statement_timeout = '{source.statement_timeout_seconds}s'",
            f"SET LOCAL lock_timeout = '{source.lock_timeout_seconds}s'",
            f"SET LOCAL idle_in_transaction_session_timeout = '{source.statement_timeout_seconds}s'",
            "SET LOCAL timezone = 'UTC'",
            "SET LOCAL datestyle = 'ISO, YMD'",
            "SET LOCAL intervalstyle = 'iso_8601'",
            "SET LOCAL bytea_output = 'hex'",
            "SET LOCAL extra_float_digits = 1",
            "SET LOCAL jit = off",
        ]
        with self._named(), self._connection.cursor() as cursor:
            for statement in said:
                cursor.execute(statement)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """As `core.postgres_session.Session` says."""
        with self._named(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            found: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
            return found

    def stream(self, sql: str) -> "Iterator[pa.RecordBatch]":
        """As `core.postgres_session.Session` says."""
        # What cursor.fetch_record_batch() gives tells no SQLSTATE when a query fails in the middle of its rows.
        from adbc_driver_manager._reader import AdbcRecordBatchReader

        with self._named(), self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)})
            cursor.execute(sql)
            rows = cursor.fetch_arrow()
            batches = AdbcRecordBatchReader._import_from_c(rows.address)  # noqa: SLF001
            try:
                yield from batches
            finally:
                batches.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except Error as error:
            raise _failed(error, error.sqlstate, self._known, self._name) from None


def _close(connection: "Connection") -> None:
    """Whatever is still open is given up; of a connection that broke there is nothing to say."""
    with suppress(Error):
        connection.rollback()
    with suppress(Error):
        connection.close()


def _refused(error: Error, known: Login, name: str) -> NightlakeError:
    text = str(error)
    named = next((named for part, named in _REFUSALS if part in text), DatabaseUnavailableError)
    return _told(named, text, known, name)


def _failed(error: Error, state: str | None, known: Login, name: str) -> NightlakeError:
    code = state or ""
    named = next((_NAMED[part] for part in (code, code[:3], code[:2]) if part in _NAMED), None)
    if named is None:
        named = QueryFailedError if code else DatabaseUnavailableError
    text = str(error).split("\n\nQuery was", 1)[0]
    if named is QueryFailedError:
        text = f"a statement failed with SQLSTATE {code}"  # what it says may hold values
    return _told(named, text, known, name)


def _told(named: type[NightlakeError], text: str, known: Login, name: str) -> NightlakeError:
    said = " ".join(known.without_secrets(text).split())[:_CHARACTERS]
    return named(f"The database {name!r}: {said}; {_ADVICE[named]}")
