"""The outside world that pipelines read, on this machine: stand-ins for their APIs, and their databases.

Only what the given pipelines read is started. Where it listens stands in `sources.json` of the home; an API that there
is no stand-in for is asked itself, and a database that is not ours is the business of cdk.json.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Pipeline
from nightlake.core.postgres_source import PostgresSource
from pydantic import BaseModel, ConfigDict

from local.errors import ServiceFailedError
from local.sources import app, music, postgres, service, weather

STAND_INS: Mapping[str, str] = {weather.ORIGIN: "weather", music.ORIGIN: music.NAME}
"""By the address of an API: the name of the module in local/sources that takes its place."""
OWN: Mapping[str, str] = {music.ORIGIN: music.OWN_URL}
"""By the address of an API: the environment variable that names another service on this machine to take its place."""
_RECORD = "sources.json"
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
_SECRET = "nightlake/local/"  # noqa: S105 - the beginning of a name


class Database(BaseModel):
    """As settings name a database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_name: str


class World(BaseModel):
    """What the functions of stage `local` are told of it; stored as `sources.json` in its home."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoints: dict[str, str] = {}
    databases: dict[str, Database] = {}


class Part(NamedTuple):
    """Something in it."""

    name: str
    where: str
    running: bool


def start(home: Path, pipelines: Iterable[Pipeline], secrets: Any) -> World:
    """Start what the pipelines read, or find it running, where it was the last time.

    Args:
        home: the local AWS's; it holds the world's records, logs and, unless we are root, data.
        pipelines: whose sources are looked at.
        secrets: a boto3 client of Secrets Manager; it is given the secrets of databases.

    Raises:
        ServiceFailedError, PostgresFailedError: a part did not start, or is not to be used; the message says why.
    """
    sources = [source for pipeline in pipelines for source in pipeline.sources]
    origins = {_origin(source) for source in sources if isinstance(source, HttpSource)}
    databases = {source.database for source in sources if isinstance(source, PostgresSource)}
    world = World(
        endpoints={
            origin: _own(origin) or service.start(home, name, f"local.sources.{name}").url
            for origin, name in STAND_INS.items()
            if origin in origins
        },
        databases={
            name: Database(secret_name=f"{_SECRET}{name}") for name in sorted(databases) if name == app.DATABASE
        },
    )
    for database in world.databases.values():
        _keep(secrets, database.secret_name, app.create(postgres.start(home)))
    (home / _RECORD).write_text(world.model_dump_json(indent=2) + "\n")
    return world


def stop(home: Path) -> list[str]:
    """End it all; what was written is kept. Returns the names of what ran."""
    ended = [name for name in STAND_INS.values() if service.stop(home, name)]
    return [*ended, *(["postgres"] if postgres.stop(home) else [])]


def forget(home: Path) -> None:
    """End it all and delete what it left."""
    for name in STAND_INS.values():
        service.forget(home, name)
    postgres.forget(home)
    (home / _RECORD).unlink(missing_ok=True)


def recorded(home: Path) -> World:
    """What was started last; empty where nothing was."""
    try:
        return World.model_validate_json((home / _RECORD).read_bytes())
    except (FileNotFoundError, ValueError):
        return World()


def parts(home: Path) -> list[Part]:
    """What was started last, and whether it runs."""
    world = recorded(home)
    found = [
        Part(STAND_INS[origin], f"{url}, for {origin}", _is_running(home, STAND_INS[origin], url))
        for origin, url in world.endpoints.items()
    ]
    server = postgres.found(home)
    if world.databases and server:
        found.append(Part("postgres", f"{server.host}:{server.port}", server.data is None or postgres.is_running(home)))
    return found


def _own(origin: str) -> str | None:
    """The address of the user's own service, where one is given. Raises ServiceFailedError."""
    name = OWN.get(origin)
    url = os.environ.get(name, "").rstrip("/") if name else ""
    if url and not _LOOPBACK.fullmatch(url):
        raise ServiceFailedError(f"{name} is {url!r}: write a service on this machine, as http://127.0.0.1:8000")
    return url or None


def _is_running(home: Path, name: str, url: str) -> bool:
    """Whether it is somebody else's business, or its process lives."""
    ours = service.recorded(home, name)
    return ours is None or ours.url != url or service.is_running(home, name)


def _origin(source: HttpSource) -> str:
    url = urlsplit(source.url)
    return f"{url.scheme}://{url.netloc}"


def _keep(secrets: Any, name: str, content: Mapping[str, Any]) -> None:
    """The secret as it should be; one that is so already gets no new version."""
    text = json.dumps(content)
    try:
        if secrets.get_secret_value(SecretId=name)["SecretString"] != text:
            secrets.put_secret_value(SecretId=name, SecretString=text)
    except secrets.exceptions.ResourceNotFoundException:
        secrets.create_secret(Name=name, SecretString=text)
