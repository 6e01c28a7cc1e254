"""Athena's SQL over any Glue catalog and S3 endpoint: a statement goes in, its result or Trino's error comes out.

engine = Engine(GlueCatalog(boto3.client("glue")), S3(boto3.client("s3")), access=Access(url="http://127.0.0.1:4566"))
engine.query("SELECT 1/2 AS half").table.to_pylist()   # [{'half': 0}]
"""

import importlib.resources
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from local.athena import results, types
from local.athena.catalog import Catalog
from local.athena.errors import QueryError
from local.athena.execution import Execution, Result, Statement
from local.athena.session import QueryStoppedError, Session
from local.athena.storage import ObjectStore

if TYPE_CHECKING:
    import duckdb

    from local.athena.compiler import CompiledQuery

AT_ONCE = 8
"""Queries that share this machine's memory."""
_MEMORY_SHARE = 0.5
_LEAST_MEMORY = 256 * 1024 * 1024


@dataclass(frozen=True)
class Access:
    """How DuckDB reaches S3: the address of an endpoint (None is AWS's own) and the credentials for it."""

    url: str | None = None
    region: str = "us-east-1"
    key_id: str = "test"
    secret: str = "test"  # noqa: S105 (the local AWS's root user has no secret)
    token: str | None = None
    ca_bundle: Path | None = None


class Engine:
    """Runs statements, each with a DuckDB of its own that reaches S3, a scratch folder and nothing else.

    Args:
        catalog: where tables are looked up and made.
        store: the objects that they are made of.
        access: how DuckDB reaches the same objects.
        memory_bytes: what one query may take before it spills to its scratch folder; half of this machine's memory
            divided by `AT_ONCE` unless given.
        threads: of one query; DuckDB's own choice unless given.
        folders: what DuckDB may read beside S3, for stores that are folders of this machine.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: ObjectStore,
        *,
        access: Access | None = None,
        memory_bytes: int | None = None,
        threads: int | None = None,
        folders: Sequence[Path] = (),
    ) -> None:
        self.catalog = catalog
        self.store = store
        self._access = access
        share = int(psutil.virtual_memory().total * _MEMORY_SHARE / AT_ONCE)
        self._memory = memory_bytes or max(_LEAST_MEMORY, share)
        self._threads = threads
        self._folders = tuple(folders)

    def query(self, sql: str, session: Session | None = None, csv: Path | None = None) -> Result:
        """Parse and run one statement; see `run`."""
        session = session or Session()
        return self.run(self.parse(sql, session), session, csv)

    def parse(self, sql: str, session: Session) -> Statement:
        """The statement that a text is, with its parameters bound.

        Raises:
            QueryError: it is none that Athena, or this engine, knows.
        """
        from local.athena import statements

        return statements.parse(sql, session)

    def run(self, statement: Statement, session: Session, csv: Path | None = None) -> Result:
        """Run a statement; a query's rows are written to `csv` where it is given.

        Raises:
            QueryError: in Athena's words why it failed.
            QueryCancelledError: `session.cancellation` was requested.
            ScanLimitError: it would read more than `session.scan_limit` bytes.
        """
        from local.athena import statements

        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="athena-")))
            folders = [*self._folders, scratch, *([csv.parent] if csv else [])]
            execution = Execution(session, self.catalog, self.store, lambda: self._connect(scratch, folders))
            stack.callback(execution.close)
            try:
                if statement.substatement == "SELECT":
                    result = _select(execution, statement, csv)
                else:
                    result = statements.run(statement, execution)
            except (QueryError, QueryStoppedError) as error:
                error.scanned_bytes = execution.scanned_bytes
                raise
        result.scanned_bytes = execution.scanned_bytes
        result.planning_millis = round(execution.planning_seconds * 1000)
        return result

    def _connect(self, scratch: Path, folders: Sequence[Path]) -> "duckdb.DuckDBPyConnection":
        import duckdb

        from local.athena import runtime

        connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                # httpfs comes from a pinned package; to check its signature again took longer than most queries
                "allow_unsigned_extensions": "true",
                "memory_limit": f"{self._memory}B",
                "temp_directory": str(scratch),
                **({"threads": str(self._threads)} if self._threads else {}),
            }
        )
        connection.execute("SET TimeZone = 'UTC'")
        runtime.prepare(connection)
        connection.execute(results.MACROS)
        if self._access:
            connection.execute(f"LOAD {types.literal(str(httpfs_extension()))}")
            connection.execute(_secret(self._access))
            # a file's size is asked once, not each time that its schema, its statistics or its rows are read
            connection.execute("SET enable_http_metadata_cache = true")
            if self._access.ca_bundle:
                connection.execute(f"SET GLOBAL ca_cert_file = {types.literal(str(self._access.ca_bundle))}")
        allowed = ", ".join(types.literal(f"{folder}/") for folder in folders)
        connection.execute(f"SET allowed_directories = ['s3://', {allowed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection


def httpfs_extension() -> Path:
    """DuckDB's extension for S3, as its own package brings it: nothing is downloaded when a query runs."""
    folder = Path(str(importlib.resources.files("duckdb_extension_httpfs")))
    return next(folder.glob("extensions/*/httpfs.duckdb_extension"))


def _secret(access: Access) -> str:
    options = {
        "TYPE": "s3",
        "KEY_ID": types.literal(access.key_id),
        "SECRET": types.literal(access.secret),
        "REGION": types.literal(access.region),
    }
    if access.token:
        options["SESSION_TOKEN"] = types.literal(access.token)
    if access.url:
        address = urlsplit(access.url)
        options |= {
            "ENDPOINT": types.literal(address.netloc),
            "URL_STYLE": "'path'",
            "USE_SSL": str(address.scheme == "https").lower(),
        }
    return f"CREATE SECRET ({', '.join(f'{name} {value}' for name, value in options.items())})"


def _select(execution: Execution, statement: Statement, csv: Path | None) -> Result:
    compiled = execution.compile(statement.tree)
    if csv is None:
        table = execution.execute(compiled.sql).to_arrow_table()
        table = table.rename_columns([name for name, _ in compiled.columns])
        return Result(compiled.columns, table=table, row_count=table.num_rows)
    rows = csv.with_suffix(".rows")
    found = execution.execute(_copy(compiled, rows)).fetchone()
    # DuckDB's own header would rename the second of two columns with one name.
    with csv.open("wb") as whole, rows.open("rb") as part:
        whole.write(results.header(compiled.columns).encode())
        shutil.copyfileobj(part, whole)
    rows.unlink()
    return Result(compiled.columns, row_count=found[0] if found else 0)


def _copy(compiled: "CompiledQuery", rows: Path) -> str:
    held = [f"c{position}" for position in range(len(compiled.columns))]
    kinds = (kind for _, kind in compiled.columns)
    printed = ", ".join(f"{results.rendered(kind, name)} AS {name}" for kind, name in zip(kinds, held, strict=True))
    query = f"SELECT {printed} FROM ({compiled.sql}) AS q({', '.join(held)})"  # noqa: S608 (compiled)
    options = "FORMAT csv, HEADER false, FORCE_QUOTE *, NULLSTR ''"
    return f"COPY ({query}) TO {types.literal(str(rows))} ({options})"
