"""Nights over a table of a real PostgreSQL, with buckets and a catalog in memory: what its Tasks do, in their order."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pyarrow.parquet as pq
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.adapters.postgres import Postgres
from nightlake.core import layout, lock
from nightlake.core.convert import convert, note_failure
from nightlake.core.extract_postgres import Extraction
from nightlake.core.history import find_head
from nightlake.core.lock import Executions, Owner
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.plan import Planned, plan
from nightlake.core.plan import Request as PlanRequest
from nightlake.core.postgres_login import Address
from nightlake.core.postgres_session import Database
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.publish import publish
from nightlake.core.quarantine import quarantine_table
from nightlake.core.readers.table import read_table
from nightlake.core.seal import seal
from nightlake.core.shard import Plan, Receipt, Shard, Validation
from nightlake.core.shard_output import Attempt
from nightlake.core.snapshot import PartitionManifest, Snapshot
from nightlake.core.table import table_input
from nightlake.core.validate import Places, Request, validate, verdict_key
from small_pipeline import small_pipeline

from local.sources.postgres import Server

DAY = date(2026, 3, 10)
COLUMNS = (
    Column(name="id", type="bigint", required=True),
    Column(name="at", type="timestamp", required=True),
    Column(name="message", type="string"),
)
EVENTS = Dataset(name="events", columns=COLUMNS, primary_key=("id",))
CREATE = "CREATE TABLE events (id bigint, at timestamptz NOT NULL, message text)"


class _Ended(Executions):
    def status(self, execution_id: str) -> str | None:
        return "SUCCEEDED" if execution_id else None


def source(**said: Any) -> PostgresSource:
    """How the table `events` is read, unless told otherwise."""
    told = {
        "dataset": "events",
        "from": "postgres",
        "database": "app",
        "table": "public.events",
        "watermark": "at",
        "partition_by": "at",
        "excess_digits": "round",
        **said,
    }
    return PostgresSource.model_validate(told)


@dataclass
class Secrets:
    """Secrets Manager with one secret, and how often it was asked."""

    text: str
    stale: str | None = None
    asked: list[bool] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    rotated: tuple[float, str] | None = None

    def read(self, name: str, *, again: bool = False) -> str | None:  # noqa: ARG002
        """What is remembered, which may be stale, or the newest."""
        self.asked.append(again)
        if again:
            self.stale = None
        return self.text if self.stale is None else self.stale

    def wait(self, seconds: float) -> None:
        """Let time pass without waiting; `rotated` is what the secret says after so many seconds."""
        self.waited.append(seconds)
        if self.rotated and sum(self.waited) >= self.rotated[0]:
            self.text = self.rotated[1]


@dataclass
class Live:
    """One table, its source, and the lake that nights make of it."""

    server: Server
    dbname: str
    source: PostgresSource = field(default_factory=source)
    dataset: Dataset = EVENTS
    nights: int = 0

    def __post_init__(self) -> None:
        self.raw, self.lake, self.quarantine = (MemoryObjects(name) for name in ("raw", "lake", "refused"))
        self.catalog = MemoryCatalog()
        self.catalog.create_table("bad", table_input(quarantine_table("shop"), "s3://refused/empty/"))
        self.secrets = secrets = Secrets(json.dumps(self.credentials()))
        address, nowhere = Address(secret_name="app"), "/nowhere.pem"
        self.database: Database = Postgres("app", address, secrets.read, certificates=nowhere, wait=secrets.wait)

    def credentials(self, **said: Any) -> dict[str, Any]:
        """The secret as RDS writes it."""
        known = {"host": self.server.host, "port": self.server.port, "dbname": self.dbname}
        return {**known, "username": self.server.user, "password": self.server.password, "sslmode": "disable", **said}

    @property
    def pipeline(self) -> Pipeline:
        return small_pipeline("shop", [self.dataset], [self.source])

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A session of an application; it commits each statement unless told otherwise."""
        return self.server.connect(self.dbname)

    def run(self, *statements: str) -> None:
        """Let the application say something."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def plan(self, day: date = DAY, *, scheduled_at: str | None = None, now: datetime | None = None) -> Planned:
        self.nights += 1
        request = PlanRequest(
            pipeline="shop",
            dataset="events",
            date=day,
            run_id=f"run-{self.nights}",
            attempt=0,
            scheduled_at=scheduled_at,
            previous=None,
        )
        extraction = Extraction(self.source, self.dataset, self.database, self.lake, settle=(0.0, 0.1))
        return plan(
            request,
            self.pipeline,
            raw=self.raw,
            lake=self.lake,
            code_version="1",
            now=now or datetime.now(UTC),
            extract=lambda _source, asked, at: extraction(asked, at),
        )

    def shards(self, planned: Planned) -> tuple[Shard, ...]:
        """The plan's shards."""
        assert planned.plan is not None
        return self.lake.get_model(planned.plan, Plan).shards

    def convert(self, shard: Shard) -> Receipt:
        """The receipt of a shard."""
        run_id = f"run-{self.nights}"

        def table(shard: Shard, source: PostgresSource, dataset: Dataset) -> Any:
            return read_table(shard, source, dataset, database=self.database, lake=self.lake)

        try:
            return convert(
                shard,
                self.pipeline,
                Attempt(run_id, f"{run_id}-{shard.index}", datetime.now(UTC)),
                raw=self.raw,
                staging=self.lake,
                quarantine=self.quarantine,
                table=table,
            )
        except Exception as error:
            note_failure(shard, run_id, error, self.lake)
            raise

    def validate(self, planned: Planned, day: date = DAY) -> Validation:
        """The verdict."""
        places = Places(
            lake=self.lake,
            quarantine=self.quarantine,
            raw_bucket="raw",
            catalog=self.catalog,
            quarantine_database="bad",
        )
        verdict = validate(self.request(planned, day), self.pipeline, places, code_version="1")
        assert isinstance(verdict, Validation)
        return verdict

    def request(self, planned: Planned, day: date = DAY) -> Request:
        """What Validate is asked."""
        assert planned.plan is not None
        run_id = f"run-{self.nights}"
        return Request(pipeline="shop", dataset="events", date=day, run_id=run_id, attempt=0, plan=planned.plan)

    def night(self, day: date = DAY, *, between: Callable[[], None] = lambda: None, **planning: Any) -> Validation:
        """Plan, convert, validate and publish; `between` happens after Plan."""
        planned = self.plan(day, **planning)
        between()
        for shard in self.shards(planned):
            self.convert(shard)
        verdict = self.validate(planned, day)
        if verdict.status == "good":
            self.publish(planned, day)
        return verdict

    def publish(self, planned: Planned, day: date = DAY) -> None:
        """Seal and publish what was found good."""
        run_id = f"run-{self.nights}"
        owner = Owner(execution_id=run_id, run_id=run_id, since="2026-03-11T03:00:00+00:00")
        lock.acquire(self.lake, _Ended(), layout.date_lock("shop", day), owner)
        keys = [verdict_key(self.request(planned, day))]
        seal(
            self.lake, self.catalog, self.pipeline, staging_database="staging", day=day, run_id=run_id, validations=keys
        )
        publish(
            self.lake, pipeline="shop", day=day, run_id=run_id, contract_hash="", created_at="2026-03-11T03:30:00+00:00"
        )

    def published(self, table: str = "events") -> list[dict[str, Any]]:
        """All rows of the published snapshot, each with its partition as `day`."""
        head = find_head(self.lake, "shop")
        if head is None:
            return []
        found = []
        for each in self.lake.get_model(head[0].key, Snapshot).tables:
            for partition in each.partitions if each.table == table else ():
                for file in self.lake.get_model(partition.manifest, PartitionManifest).files:
                    rows = pq.read_table(io.BytesIO(self.lake.get(file.key))).to_pylist()
                    found += [{**row, "day": partition.day} for row in rows]
        return found

    def ids(self) -> Counter[int]:
        """How often every id is published."""
        return Counter(row["id"] for row in self.published())

    @contextmanager
    def as_it_was(self) -> Iterator[None]:
        """Another run meanwhile: the one that was begun goes on afterwards."""
        nights = self.nights
        self.nights += 100
        yield
        self.nights = nights

    def refused(self, receipts: Sequence[Receipt]) -> list[dict[str, Any]]:
        """The refused rows of these receipts."""
        files = [receipt.quarantine.key for receipt in receipts if receipt.quarantine]
        return [row for key in files for row in pq.read_table(io.BytesIO(self.quarantine.get(key))).to_pylist()]
