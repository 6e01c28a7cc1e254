"""What a night asks of S3: so many requests a shard, as `nightlake cost` reckons, and few besides."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any

from landed import DATABASES
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import layout, lock
from nightlake.core.convert import convert
from nightlake.core.cost import NIGHT_GETS, NIGHT_PUTS
from nightlake.core.lock import Executions, Owner
from nightlake.core.plan import Request as PlanRequest
from nightlake.core.plan import plan
from nightlake.core.projection import project
from nightlake.core.publish import publish
from nightlake.core.quarantine import quarantine_table
from nightlake.core.seal import seal
from nightlake.core.shard import Shard, Validation
from nightlake.core.shard_bill import SHARD_GETS, SHARD_PUTS
from nightlake.core.shard_output import Attempt
from nightlake.core.store import ObjectInfo
from nightlake.core.table import empty_location, table_input, tables
from nightlake.core.validate import Places, Request, validate
from shop_shard import DAY, ORDERS, Shop, csv_source

NOW = datetime(2017, 6, 13, 3, tzinfo=UTC)
HEADER = "id,email,amount,sold_at\n"
ROW_BYTES = 48
SHARD_BYTES = 1 << 16
# What is reckoned is one Parquet file a shard: a dataset without private columns.
OPEN = ORDERS.model_copy(
    update={"columns": tuple(column.model_copy(update={"private": False}) for column in ORDERS.columns)}
)


class Requests(MemoryObjects):
    """A bucket that counts what S3 would take for a GET and what for a PUT."""

    def __init__(self, bucket: str, asked: Counter[str], *others: MemoryObjects) -> None:
        super().__init__(bucket, *others, now=lambda: NOW)
        self.asked = asked

    def read(self, key: str, version_id: str | None = None) -> tuple[bytes, ObjectInfo] | None:
        self.asked["get"] += 1
        return super().read(key, version_id)

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        self.asked["get"] += 1
        return super().stream(key, start, end, version_id)

    def head(self, key: str, version_id: str | None = None) -> ObjectInfo | None:
        self.asked["get"] += 1
        return super().head(key, version_id)

    def list_versions(self, prefix: str) -> Iterator[ObjectInfo]:
        self.asked["put"] += 1  # priced like one
        return super().list_versions(prefix)

    def put(self, key: str, body: bytes | IO[bytes], **conditions: Any) -> str:
        self.asked["put"] += 1  # a copy comes through here, too
        return super().put(key, body, **conditions)


class NobodyElse(Executions):
    """No execution runs besides this one."""

    def status(self, execution_id: str) -> str | None:  # noqa: ARG002
        return None


def asked(shards: int) -> Counter[str]:
    """All that a night of one source of so many shards asks for, from Plan to the catalog."""
    counter: Counter[str] = Counter()
    raw = Requests("raw", counter)
    lake = Requests("lake", counter, raw)
    quarantine = Requests("quarantine", counter)
    shop = Shop(csv_source(shard_bytes=SHARD_BYTES), OPEN, raw=raw, lake=lake, quarantine=quarantine)
    pipeline, source_rows = shop.pipeline, (shards * SHARD_BYTES - SHARD_BYTES // 2) // ROW_BYTES
    lines = (f"{number:08},a@example.com,1.00,{DAY} 10:00:00\n" for number in range(source_rows))
    raw.put(f"shop/{DAY:%Y/%m/%d}/a.csv", (HEADER + "".join(lines)).encode())
    catalog = MemoryCatalog()
    catalog.create_table(DATABASES.quarantine, table_input(quarantine_table("shop"), "s3://quarantine/empty/"))
    for database in (DATABASES.served, DATABASES.staging):
        for table in tables(shop.dataset):
            catalog.create_table(database, table_input(table, empty_location("lake", pipeline, table)))
    owner = Owner(execution_id="arn:night", run_id="r", since=NOW.isoformat())
    lock.acquire(lake, NobodyElse(), layout.date_lock("shop", DAY), owner)
    counter.clear()

    of = {"pipeline": "shop", "dataset": "orders", "date": DAY, "run_id": "r", "attempt": 1}
    planned = plan(
        PlanRequest(**of, scheduled_at=None, previous=None), pipeline, raw=raw, lake=lake, code_version="1", now=NOW
    )
    children = lake.get(str(planned.shard_file)).splitlines()
    assert len(children) == shards
    for number, line in enumerate(children):
        attempt = Attempt("r", str(number), NOW)
        convert(Shard.model_validate_json(line), pipeline, attempt, raw=raw, staging=lake, quarantine=shop.quarantine)
    places = Places(
        lake=lake,
        quarantine=shop.quarantine,
        raw_bucket="raw",
        catalog=catalog,
        quarantine_database=DATABASES.quarantine,
    )
    found = validate(Request(**of, plan=str(planned.plan)), pipeline, places, code_version="1")
    assert isinstance(found, Validation)
    assert found.status == "good", found
    keys = [info.key for info in MemoryObjects.list_versions(lake, "runs/") if "validation" in info.key]
    seal(lake, catalog, pipeline, staging_database=DATABASES.staging, day=DAY, run_id="r", validations=keys)
    publish(
        lake, pipeline="shop", day=DAY, run_id="r", contract_hash=pipeline.contract_hash, created_at=NOW.isoformat()
    )
    project(lake, catalog, pipeline, database=DATABASES.served)
    return counter


def test_requests_grow_with_the_shards_as_reckoned_and_are_few_besides() -> None:
    few, many = asked(2), asked(10)
    a_shard = {kind: (many[kind] - few[kind]) / 8 for kind in ("get", "put")}
    besides = {kind: few[kind] - 2 * a_shard[kind] for kind in ("get", "put")}
    assert a_shard == {"get": SHARD_GETS, "put": SHARD_PUTS}
    assert besides["get"] <= NIGHT_GETS
    assert besides["put"] <= NIGHT_PUTS
