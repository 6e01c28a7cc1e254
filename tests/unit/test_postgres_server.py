"""The PostgreSQL of this machine, and the application's database in it: real, kept, and readable only."""

from datetime import date
from pathlib import Path

import psycopg
import pytest

from local.sources import app, postgres
from local.sources.postgres import OWN_URL, Server

DAY = date(2013, 7, 1)
ROWS = 500


@pytest.fixture(scope="module")
def secret(postgres_server: Server) -> dict[str, object]:
    return app.create(postgres_server)


def read(secret: dict[str, object], query: str) -> list[tuple[object, ...]]:
    fields = {"user": secret["username"], **{name: secret[name] for name in ("host", "port", "dbname", "password")}}
    with psycopg.connect(**fields, autocommit=True) as connection:  # type: ignore[arg-type]
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_what_was_written_outlives_a_stop_and_a_crash(postgres_home: Path, postgres_server: Server) -> None:
    with postgres_server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for at_once in (False, True):
        assert postgres.stop(postgres_home, at_once=at_once)
        assert not postgres.is_running(postgres_home)
        with pytest.raises(psycopg.OperationalError):
            postgres_server.connect()
        assert postgres.start(postgres_home) == postgres_server
        with postgres_server.connect() as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_it_listens_on_this_machine_only_and_wants_the_password(postgres_server: Server) -> None:
    with postgres_server.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres_server.model_copy(update={"password": "guessed"}).connect()


def test_two_starts_find_one_server(postgres_home: Path, postgres_server: Server) -> None:
    assert postgres.start(postgres_home) == postgres_server


def test_what_was_forgotten_is_gone(tmp_path: Path) -> None:
    server = postgres.start(tmp_path)
    assert server.data is not None
    postgres.forget(tmp_path)
    assert not server.data.parent.exists()
    assert not any(tmp_path.iterdir())
    assert not postgres.stop(tmp_path)


def test_ones_own_by_url_is_neither_started_nor_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgres_server: Server
) -> None:
    monkeypatch.setenv(OWN_URL, f"postgresql://postgres:{postgres_server.password}@127.0.0.1:{postgres_server.port}/")
    own = postgres.start(tmp_path)
    assert own.data is None
    assert not postgres.stop(tmp_path)
    with own.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_day_has_the_same_rows_wherever_it_is_made(postgres_server: Server, secret: dict[str, object]) -> None:
    digest = "SELECT md5(string_agg(app_logs::text, '' ORDER BY id)), count(*) FROM app_logs"
    assert app.fill(postgres_server, DAY, ROWS)
    first = read(secret, digest)
    assert first[0][1] == ROWS
    assert not app.fill(postgres_server, DAY, ROWS), "a day that is there is left as it is"
    app.fill(postgres_server, DAY, ROWS - 1)
    assert app.fill(postgres_server, DAY, ROWS)
    assert read(secret, digest) == first


def test_an_hour_of_trouble_has_more_errors(postgres_server: Server, secret: dict[str, object]) -> None:
    day = date(2013, 7, 2)
    app.fill(postgres_server, day, 2400, trouble={("Newark", 5): 0.6})
    errors = read(
        secret,
        "SELECT city, extract(hour FROM logged_at AT TIME ZONE 'UTC')::int, count(*) FROM app_logs "
        "WHERE level = 'error' AND logged_at >= '2013-07-02T00:00:00Z' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1",
    )
    assert errors[0][:2] == ("Newark", 5)


def test_the_readers_role_reads_and_nothing_else(postgres_server: Server, secret: dict[str, object]) -> None:
    for forbidden in ("DELETE FROM app_logs RETURNING id", "CREATE TABLE mine AS SELECT 1"):
        with pytest.raises((psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege)):
            read(secret, forbidden)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        read(secret, "BEGIN READ WRITE; DELETE FROM app_logs")


def test_a_rotated_password_replaces_the_old_one(postgres_server: Server) -> None:
    old = app.create(postgres_server)
    new = app.rotate(postgres_server, "another one")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        read(old, "SELECT 1")
    assert read(new, "SELECT 1") == [(1,)]
    assert read(app.create(postgres_server), "SELECT 1") == [(1,)]
