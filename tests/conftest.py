"""What all tests may share: a real PostgreSQL, and the models of AWS's services."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.loaders import Loader

from local.sources import postgres
from local.sources.postgres import Server

# CDK's own look at a template takes longer than its synthesis, and only warns; tests put templates to cfn-lint. Node
# reads the variable when it starts: as soon as a test imports CDK.
os.environ["CDK_VALIDATION"] = "false"


@pytest.fixture(scope="session", autouse=True)
def service_models() -> Iterator[None]:
    """botocore reads the model of a service once a process: moto forgets the session that keeps it with each test."""
    read: dict[Any, Any] = {}

    def loader(search_path: str | None = None) -> Loader:
        assert search_path is None, "AWS_DATA_PATH would have models of its own"
        made = Loader()
        made._cache = read
        return made

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(botocore.session, "create_loader", loader)
        yield


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
