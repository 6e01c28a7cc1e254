"""The local Athena over a Glue catalog (moto's) and a store whose buckets are folders."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from local.athena.catalog import Database, GlueCatalog
from local.athena.engine import Engine
from local.athena.execution import Result
from local.athena.session import Session
from local.athena.storage import Object, split


@dataclass(frozen=True)
class Folders:
    """Buckets that are folders of `root`."""

    root: Path

    def path(self, uri: str) -> Path:
        return self.root.joinpath(*split(uri))

    def list(self, prefix: str) -> tuple[Object, ...]:
        bucket, _ = split(prefix)
        return tuple(
            Object(f"s3://{path.relative_to(self.root)}", path.stat().st_size, datetime.now(UTC))
            for path in sorted((self.root / bucket).rglob("*"))
            if path.is_file() and f"s3://{path.relative_to(self.root)}".startswith(prefix)
        )

    def read(self, uri: str) -> bytes:
        return self.path(uri).read_bytes()

    def write(self, uri: str, body: bytes) -> None:
        self.path(uri).parent.mkdir(parents=True, exist_ok=True)
        self.path(uri).write_bytes(body)

    def delete(self, uris: Iterable[str]) -> None:
        for uri in uris:
            self.path(uri).unlink()

    def url(self, uri: str) -> str:
        self.path(uri).parent.mkdir(parents=True, exist_ok=True)
        return str(self.path(uri))


@dataclass(frozen=True)
class Lake:
    """`lake(sql)` runs a statement in database `db`; `lake.rows(sql)` gives a query's rows."""

    engine: Engine
    glue: Any
    store: Folders

    def __call__(self, sql: str, **session: Any) -> Result:
        return self.engine.query(sql, Session(**{"database": "db", "output": "s3://results/", **session}))

    def rows(self, sql: str, **session: Any) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self(sql, **session).table.to_pylist()]

    def files(self, prefix: str) -> list[str]:
        return [each.uri for each in self.store.list(prefix)]

    def put(self, uri: str, columns: dict[str, Any]) -> None:
        """Put a Parquet object of the columns, each a list or an Arrow array."""
        pq.write_table(pa.table(columns), self.store.url(uri))

    def table(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.glue.get_table(DatabaseName="db", Name=name)["Table"]
        return found


@contextmanager
def athena_lake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake in a folder, with the database `db`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        glue = boto3.client("glue", region_name="us-east-1")
        catalog = GlueCatalog(glue)
        catalog.create_database(Database("db"))
        store = Folders(folder)
        yield Lake(Engine(catalog, store, folders=[folder], threads=2), glue, store)
