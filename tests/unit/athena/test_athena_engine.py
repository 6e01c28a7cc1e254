"""The engine around its compiler: files it writes, what its DuckDB may reach, how a query is stopped."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from local.athena.engine import Access, Engine
from local.athena.execution import Execution, Statement
from local.athena.session import QueryCancelledError, ScanLimitError, Session

NUMBERS = "(VALUES " + ", ".join(map(str, range(100))) + ")"
ENDLESS = "SELECT a0.x FROM " + ", ".join(f"{NUMBERS} AS a{n}(x)" for n in range(7)) + " WHERE a0.x + a6.x = 1000"  # noqa: S608


@pytest.fixture
def engine() -> Engine:
    nothing: Any = None
    return Engine(nothing, nothing, access=Access(url="http://127.0.0.1:9"), memory_bytes=300_000_000, threads=1)


@pytest.fixture
def connection(engine: Engine, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The DuckDB of a statement that may use `tmp_path`."""
    with engine._connect(tmp_path, [tmp_path]) as connected:
        yield connected


def test_a_query_gives_typed_rows(engine: Engine) -> None:
    result = engine.query("SELECT 1/2 AS half, CAST(1 AS decimal(10,2)) / 3 AS third")

    assert [(name, str(kind)) for name, kind in result.columns] == [("half", "integer"), ("third", "decimal(10,2)")]
    assert [list(map(str, row.values())) for row in result.table.to_pylist()] == [["0", "0.33"]]
    assert result.row_count == 1


def test_a_query_is_written_as_athena_prints_it_in_its_order(engine: Engine, tmp_path: Path) -> None:
    csv = tmp_path / "result.csv"

    result = engine.query(
        """SELECT x, 1e7 AS x, 'a "b"', CAST(NULL AS varchar), '' FROM (VALUES 1, 3, 2) AS t(x) ORDER BY t.x DESC""",
        csv=csv,
    )

    assert csv.read_text().splitlines() == [
        '"x","x","_col2","_col3","_col4"',
        '"3","1.0E7","a ""b""",,""',
        '"2","1.0E7","a ""b""",,""',
        '"1","1.0E7","a ""b""",,""',
    ]
    assert (result.row_count, result.table) == (3, None)


def test_a_running_query_is_interrupted(engine: Engine) -> None:
    session = Session()
    timer = threading.Timer(0.5, session.cancellation.request)
    timer.start()

    with pytest.raises(QueryCancelledError, match="cancelled by user"):
        engine.query(ENDLESS, session)


def test_a_query_that_is_stopped_before_its_start_never_starts(engine: Engine) -> None:
    session = Session()
    session.cancellation.request()

    with pytest.raises(QueryCancelledError):
        engine.query("SELECT 1", session)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{outside}')",
        "COPY (SELECT 1) TO '{outside}'",
        "ATTACH '{outside}'",
        "INSTALL spatial",
        "LOAD '{outside}'",
        "SET memory_limit = '100GB'",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    ],
)
def test_duckdb_reaches_s3_and_its_folders_only(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, sql: str
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x"

    with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException)):
        connection.execute(sql.format(outside=outside))

    assert not outside.exists()


def test_duckdb_has_its_share_of_memory_and_spills_to_its_folder(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    settings = "current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"

    assert connection.execute(f"SELECT {settings}").fetchone() == ("286.1 MiB", 1, str(tmp_path))


def test_a_scan_limit_stops_a_query_before_it_reads_and_tells_what_it_would_have(engine: Engine) -> None:
    class Scanning(Engine):
        def parse(self, sql: str, session: Session) -> Statement:
            return Statement("DDL", "CREATE_TABLE_AS_SELECT", _Scan(super().parse(sql, session).tree))

    class _Scan:
        def __init__(self, tree: Any) -> None:
            self.tree = tree

        def run(self, execution: Execution) -> None:
            execution.scanned_bytes += 11
            execution.compile(self.tree)

    nothing: Any = None
    with pytest.raises(ScanLimitError, match="Bytes scanned limit was exceeded") as caught:
        Scanning(nothing, nothing).query("SELECT 1", Session(scan_limit=10))

    assert caught.value.scanned_bytes == 11
