"""What all tests may share: a real PostgreSQL."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sources import postgres
from local.sources.postgres import Server


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """The home of the PostgreSQL of this session, with which tests stop and start it; they leave it running."""
    with tempfile.TemporaryDirectory(prefix="nightlake-postgres-") as home:
        yield Path(home)
        postgres.forget(Path(home))


@pytest.fixture(scope="session")
def postgres_server(postgres_home: Path) -> Server:
    """A running PostgreSQL, empty at first: tests make databases of their own in it."""
    return postgres.start(postgres_home)
