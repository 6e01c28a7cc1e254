"""Whole nights of three kinds of sources under everything that can fail: the real definition, the real core, in memory.

Before and after every request to S3, to the API and to the database, and at every state, something may break: a
function dies, S3 is busy or refuses, the API is busy, down, or lies, the database breaks off, the execution is stopped,
no alert can be sent. What must hold all the same stands in `judge`; after the last fault a rerun heals the day and
converts only what is not there. tests/unit/test_publish_simulation.py does the same to nights that meet each other.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from http_world import FastClock, answer
from landed import DATABASES
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core import plan as planning
from nightlake.core import validate as validating
from nightlake.core.complete import End, complete
from nightlake.core.convert import convert, note_failure
from nightlake.core.define_table import define_table
from nightlake.core.delivery import Delivery
from nightlake.core.errors import (
    AnswerTruncatedError,
    ApiUnavailableError,
    AwsUnavailableError,
    DatabaseUnavailableError,
)
from nightlake.core.explain import Request as ExplainRequest
from nightlake.core.explain import explain
from nightlake.core.extract_http import extract_http
from nightlake.core.history import find_head
from nightlake.core.http_exchange import Fetch, HttpAnswer, HttpRequest
from nightlake.core.lock import Executions, Lock
from nightlake.core.machine import read_templates, render
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.prepare import Start, prepare
from nightlake.core.projection import project
from nightlake.core.publish import publish, summary
from nightlake.core.readers.batch import Batch, Lazy
from nightlake.core.seal import seal
from nightlake.core.seal import summary as sealed_summary
from nightlake.core.shard import Receipt, Shard, SourceObject, TablePart, Validation
from nightlake.core.shard_output import Attempt
from nightlake.core.snapshot import PartitionManifest, SealedTable, Snapshot
from nightlake.core.sources import AnySource
from pydantic import TypeAdapter
from small_pipeline import small_pipeline
from state_language import AbortedError, Ended, Machine, TaskError
from stepped_objects import SteppedObjects

SEEDS, CHUNK = 60, 20
ROWS, PAGE = 24, 8
BAD_AMOUNT = "much"
DAY = date(2026, 3, 10)
BEGAN = datetime(2026, 3, 11, 3, tzinfo=UTC)
MACHINES = Path(__file__).parents[2] / "statemachines"
KINDS = {"files": "s3", "answers": "http", "rows": "postgres"}
ALERT = re.compile(r"Nightlake: shop: (\w+) was rejected, (attempt (\d) of 4|given up)")


class KilledError(BaseException):
    """The function died: nothing of ours may catch it."""


def source(dataset: str, **said: Any) -> AnySource:
    common = {"dataset": dataset, "max_quarantined_percent": 50.0, "from": KINDS[dataset]}
    adapter: TypeAdapter[AnySource] = TypeAdapter(AnySource)
    return adapter.validate_json(json.dumps({**common, **said}))


@cache
def shop() -> Pipeline:
    """Three datasets with the same columns, of the business date each."""
    columns = (Column(name="id", type="bigint", required=True), Column(name="amount", type="bigint"))
    pages = {"by": "page", "size": PAGE, "size_parameter": "size", "total": "total"}
    return small_pipeline(
        "shop",
        [Dataset(name=name, columns=columns) for name in KINDS],
        [
            source("files", path="shop/files/{date:%Y/%m/%d}/*.csv", ready={"files": 2}, format="csv"),
            source("answers", url="https://api.example.com/v1", records="data", pages=pages, requests_per_second=999),
            source("rows", database="app", table="rows", watermark="at"),
        ],
    )


@cache
def definition() -> dict[str, Any]:
    text = json.dumps(render(shop(), read_templates(MACHINES)))
    made: dict[str, Any] = json.loads(text.replace("${Pipeline}", "shop"))
    return made


Amounts = Counter[tuple[int, int]]  # id, amount


@dataclass
class World:
    """What there is beside our code: chance, time, buckets, producers, subscribers."""

    seed: int
    faults: float = 0.0
    clock: FastClock = field(default_factory=FastClock)
    statuses: dict[str, str] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    delivered: dict[str, list[Amounts]] = field(default_factory=dict)
    seen: list[dict[str, Amounts]] = field(default_factory=list)
    broken: int = 0

    def __post_init__(self) -> None:
        """`seen` is what HEAD showed whenever it moved, `broken` how many conversions did not come to their end."""
        self.chance = random.Random(self.seed)  # noqa: S311
        self.stores = {name: FaultyStore(self, name) for name in ("raw", "lake", "refused")}
        self.lake = self.stores["lake"]
        self.catalog = MemoryCatalog(refuses=lambda: self.may(0.5))
        self.api = Api(self)
        self.table: list[tuple[int, str]] = []
        self.probe = 0
        for dataset in KINDS:
            self.delivered[dataset] = []
            self.deliver(dataset)

    @property
    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.clock.at)

    def may(self, factor: float = 1.0) -> bool:
        """Whether it breaks now."""
        return self.chance.random() < self.faults * factor

    def step(self) -> None:
        """Before or after a request."""
        if self.may():
            raise self.chance.choice([KilledError(), AwsUnavailableError("SlowDown"), PermissionError("AccessDenied")])

    def deliver(self, dataset: str) -> None:
        """The producer of a source delivers the day, anew: other amounts, some of which are none."""
        number = len(self.delivered[dataset])
        rows = [(n, BAD_AMOUNT if n == number else str(1000 * number + n)) for n in range(ROWS)]
        self.delivered[dataset].append(Counter((n, int(amount)) for n, amount in rows if amount != BAD_AMOUNT))
        if dataset == "files":
            for half in (0, 1):
                text = "".join(f"{n},{amount}\n" for n, amount in rows if n % 2 == half)
                self.stores["raw"].objects.put(f"shop/files/2026/03/10/{half}.csv", f"id,amount\n{text}".encode())
        elif dataset == "answers":
            self.api.rows = rows
        else:
            self.table, self.probe = rows, self.probe + 1

    def published(self) -> dict[str, Amounts]:
        """What a reader sees of the day."""
        found = {name: Amounts() for name in KINDS}
        lake = self.lake.objects
        if (head := find_head(lake, "shop")) is None:
            return found
        for table in lake.get_model(head[0].key, Snapshot).tables:
            for partition in table.partitions:
                for file in lake.get_model(partition.manifest, PartitionManifest).files:
                    found[table.table].update(_amounts(lake.get(file.key)))
        return found


def _amounts(parquet: bytes) -> Iterator[tuple[int, int]]:
    import io

    import pyarrow.parquet as pq

    rows = pq.read_table(io.BytesIO(parquet), columns=["id", "amount"]).to_pylist()
    yield from ((row["id"], row["amount"]) for row in rows)


class FaultyStore(SteppedObjects):
    """A bucket whose every request may break, before it is done or after."""

    def __init__(self, world: World, bucket: str) -> None:
        super().__init__(MemoryObjects(bucket, now=lambda: world.now))
        self._world = world

    def step(self) -> None:
        self._world.step()

    def wrote(self, key: str) -> None:
        if key == layout.head("shop"):
            self._world.seen.append(self._world.published())
        self._world.step()


@dataclass
class Api(Fetch):
    """Pages of records with a total; it may be busy, down, broken off, or no API at all."""

    world: World
    rows: list[tuple[int, str]] = field(default_factory=list)
    asked: int = 0

    def ask(self, request: HttpRequest, *, renew: bool = False) -> HttpAnswer:  # noqa: ARG002
        self.world.step()
        self.asked += 1
        if self.world.may(6):
            return self._misbehave()
        page = int(re.search(r"[?&]page=(\d+)", request.url)[1])  # type: ignore[index]
        rows = self.rows[PAGE * (page - 1) : PAGE * page]
        return answer({"total": len(self.rows), "data": [{"id": n, "amount": amount} for n, amount in rows]})

    def _misbehave(self) -> HttpAnswer:
        what = self.world.chance.randrange(7)
        if what == 0:
            raise ApiUnavailableError("the connection is refused")
        if what == 1:
            raise AnswerTruncatedError("the answer ends before its end")
        return [
            answer("busy", 429, retry_after="7"),
            answer("busy", 429, retry_after="200"),
            answer("no", 503),
            answer("<html>Welcome</html>"),
            answer({"total": len(self.rows) + 1, "data": [{"id": 1, "amount": "1"}]}),
        ][what - 2]

    def hide(self, text: str) -> str:
        return text

    def official(self, url: str) -> str:
        return url


class Status(Executions):
    def __init__(self, world: World) -> None:
        self._world = world

    def status(self, execution_id: str) -> str | None:
        return self._world.statuses.get(execution_id)


@dataclass
class Night:
    """One execution of the definition over the real core."""

    world: World
    number: int
    scheduled: bool = True
    ended: Ended | None = None
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def execution_id(self) -> str:
        return f"arn:aws:states:eu-west-1:123456789012:execution:shop-daily:{self.number}"

    def run(self) -> Ended:
        """To its end, whichever."""
        world = self.world
        world.alerts.clear()
        world.calls.clear()
        world.statuses[self.execution_id] = "RUNNING"
        started = world.now.isoformat()
        given = {"scheduled_time": started} if self.scheduled else {"date": DAY.isoformat()}
        machine = Machine(definition(), self.call, self.read, world.clock.sleep, self.entered, world.chance)
        context = {"Id": self.execution_id, "Name": str(self.number), "Input": given, "StartTime": started}
        self.ended = machine.run(given, context)
        world.statuses[self.execution_id] = self.ended.status
        return self.ended

    def entered(self, state: str) -> None:
        """A state begins: producers may deliver anew, and somebody may stop the execution."""
        world = self.world
        if state.startswith("Backoff") and world.may(20):
            world.deliver(world.chance.choice(["files", "rows"]))  # an API that changes while it is read tells nobody
        if world.may(0.1):
            raise AbortedError

    def read(self, parameters: dict[str, str]) -> list[Any]:
        return [json.loads(line) for line in self.world.lake.objects.get(parameters["Key"]).splitlines()]

    def call(self, resource: str, given: dict[str, Any]) -> Any:
        """What a Task does, and how its failure is told."""
        service = resource.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:")
        if service == "sns:publish":
            if self.world.may(4):
                raise TaskError("SNS.SnsException", "no")
            self.world.alerts.append(given["Subject"])
            return {}
        if service == "events:putEvents":
            return {}
        if service == "glue:getTable":
            raise TaskError("Glue.EntityNotFoundException", "no")
        if service == "glue:createTable":
            self.world.catalog.create_table(given["DatabaseName"], given["TableInput"])
            return {}
        assert service == "lambda:invoke", service
        name = re.sub(r"(?<!^)([A-Z])", r"_\1", given["FunctionName"].strip("${}").removesuffix("Function")).lower()
        self.world.calls[name] += 1
        try:
            return {"Payload": json.loads(json.dumps(getattr(self, name)(given["Payload"]), default=str))}
        except KilledError:
            raise TaskError("Runtime.ExitError", "the process exited") from None
        except Exception as error:
            told = {"errorMessage": str(error), "errorType": type(error).__name__}
            raise TaskError(type(error).__name__, json.dumps(told)) from error

    def prepare(self, event: dict[str, Any]) -> Any:
        world = self.world
        run = prepare(
            Start.model_validate(event),
            shop(),
            store=world.lake,
            executions=Status(world),
            databases=DATABASES,
            views=(),
            reports=(),
        )
        if not run.duplicate:
            project(world.lake, world.catalog, shop(), database=DATABASES.served)
        return run.model_dump(mode="json")

    def define_table(self, event: dict[str, Any]) -> Any:
        known = self.world.catalog.table(event["database"], event["table"])
        columns = known["StorageDescriptor"]["Columns"] if known else None
        return define_table(
            shop(), event["database"], event["table"], columns, databases=DATABASES, lake_bucket="lake"
        ).model_dump()

    def plan(self, event: dict[str, Any], extract: planning.Extract | None = None) -> Any:
        request = planning.Request.model_validate(event)
        return planning.plan(
            request,
            shop(),
            raw=self.world.stores["raw"],
            lake=self.world.lake,
            code_version="1",
            now=self.world.now,
            extract=extract,
            workers=1,
        ).model_dump(mode="json")

    def plan_http(self, event: dict[str, Any]) -> Any:
        world = self.world
        return self.plan(
            event,
            lambda source, request, now: extract_http(
                source,  # type: ignore[arg-type]
                request,
                now,
                dataset=shop().dataset(request.dataset),
                raw=world.stores["raw"],
                fetch=world.api,
                clock=world.clock,
                land_bytes=400,
            ),
        )

    def plan_postgres(self, event: dict[str, Any]) -> Any:
        return self.plan(event, lambda *_: self._table())

    def _table(self) -> Delivery:
        """Two parts of the table, as of now; a transaction may still be open."""
        world = self.world
        if world.may(3):
            raise DatabaseUnavailableError("app is down")
        if world.may(3):
            return Delivery((), "the end of a transaction")
        bounds = ((None, "1"), ("1", None))
        halves = [TablePart(by="key", since="", until="", start=start, end=end) for start, end in bounds]
        item = SourceObject(key="postgres://app/rows", version_id="day", etag=str(world.probe), size=1)
        objects = tuple(item.model_copy(update={"version_id": str(half.start)}) for half in halves)
        return Delivery(objects, "", parts=tuple((half,) for half in halves))

    def convert(self, event: dict[str, Any], table: Any = None) -> Any:
        world = self.world
        shard = Shard.model_validate_json(json.dumps(event["shard"]))
        world.broken += 1
        attempt = Attempt(event["run_id"], f"{self.number}-{sum(world.calls.values())}", world.now)
        try:
            receipt = convert(
                shard,
                shop(),
                attempt,
                raw=world.stores["raw"],
                staging=world.lake,
                quarantine=world.stores["refused"],
                table=table,
            )
        except Exception as error:
            note_failure(shard, event["run_id"], error, world.lake)
            raise
        world.broken -= 1
        return {"fingerprint": shard.fingerprint, "rows": receipt.rows}

    def convert_postgres(self, event: dict[str, Any]) -> Any:
        return self.convert(event, self._rows)

    def _rows(self, shard: Shard, _source: AnySource, _dataset: Dataset) -> Iterator[Batch]:
        """One part, in two batches, between which the database may break off; it is that of the planned moment."""
        assert shard.part is not None
        number = int(shard.object.etag) - 1
        every = [(n, BAD_AMOUNT if n == number else str(1000 * number + n)) for n in range(ROWS)]
        half = [row for row in every if row[0] % 2 == bool(shard.part.start)]
        for at in range(0, len(half), 7):
            if self.world.may(3):
                raise DatabaseUnavailableError("the connection is gone")
            rows = half[at : at + 7]
            columns = {"id": [n for n, _ in rows], "amount": [amount for _, amount in rows]}
            raw = Lazy(len(rows), lambda row, rows=rows: json.dumps(rows[row]))  # type: ignore[misc]
            yield Batch(columns, [n + 1 for n, _ in rows], raw)

    def validate(self, event: dict[str, Any]) -> Any:
        world = self.world
        request = validating.Request.model_validate({**event, "date": date.fromisoformat(event["date"])})
        places = validating.Places(
            lake=world.lake,
            quarantine=world.stores["refused"],
            raw_bucket="raw",
            catalog=world.catalog,
            quarantine_database=DATABASES.quarantine,
            workers=1,
        )
        judged = validating.validate(request, shop(), places, code_version="1")
        if isinstance(judged, Validation) and judged.status == "good":
            assert judged.records == judged.rows + judged.quarantined + 2 * (judged.dataset == "files")  # two headers
        return validating.answer(judged, request)

    def explain(self, event: dict[str, Any]) -> Any:
        told = explain(ExplainRequest.model_validate(event), shop(), self.world.lake)
        return told.model_dump(mode="json")

    def seal(self, event: dict[str, Any]) -> Any:
        world = self.world
        sealed = seal(
            world.lake,
            world.catalog,
            shop(),
            staging_database=DATABASES.staging,
            day=DAY,
            run_id=event["run_id"],
            validations=event["validations"],
            workers=1,
        )
        return {"tables": sealed_summary(sealed), "parts": []}

    def audit_across(self, event: dict[str, Any]) -> Any:
        assert event["query_ids"] == []
        return {}

    def publish(self, event: dict[str, Any]) -> Any:
        world = self.world
        snapshot = publish(
            world.lake,
            pipeline="shop",
            day=DAY,
            run_id=event["run_id"],
            contract_hash=event["contract_hash"],
            created_at=world.now.isoformat(),
            workers=1,
        )
        project(world.lake, world.catalog, shop(), database=DATABASES.served)
        return summary(snapshot)

    def complete(self, event: dict[str, Any]) -> Any:
        world = self.world
        _, key = complete(
            End.model_validate(event),
            shop(),
            lake=world.lake,
            raw=world.stores["raw"],
            catalog=world.catalog,
            staging_database=DATABASES.staging,
            now=world.now,
        )
        return {"record": key, "newest": True}


def judge(world: World, night: Night, before: dict[str, Amounts]) -> None:
    """What holds after every night, whatever happened in it."""
    ended = night.ended
    assert ended is not None
    after = world.published()
    for seen in (*world.seen, after):
        whole = {name: amounts in (before[name], *world.delivered[name]) for name, amounts in seen.items()}
        assert all(whole.values()), f"half of a source is published: {whole}"
        assert all(seen.values()) or not any(seen.values()), "some sources are published without the others"
    if ended.status == "SUCCEEDED":
        assert all(after.values())
    elif not world.seen:
        assert after == before, "a night that failed before its commit left a trace"
    told(world, night)
    if ended.status != "ABORTED" and "Prepare" in ended.states and ended.states[-1] != "Duplicate":
        lake = world.lake.objects
        held = [
            info.key for info in lake.list(layout.locks("shop")) if _owner(lake.get(info.key)) == night.execution_id
        ]
        assert not held or "ReleaseLock" in ended.states, "a lock is held after the end"
    left_over(world)


def told(world: World, night: Night) -> None:
    """One alert an attempt at most, a last word on each source that was given up, one on the night."""
    ended, alerts = night.ended, [ALERT.match(each) for each in world.alerts]
    assert ended is not None
    counts = Counter(found[0] for found in alerts if found)
    assert set(counts.values()) <= {1}, f"an attempt was told of twice: {counts}"
    of_night = world.alerts.count("Nightlake: shop failed")
    assert len(world.alerts) == of_night + sum(counts.values())
    assert of_night <= 1
    if ended.status == "SUCCEEDED":
        assert not of_night
        assert not any(found and found[2] == "given up" for found in alerts)
    if ended.status == "FAILED":
        assert world.alerts or world.faults, "nobody was told"


def left_over(world: World) -> None:
    """Bytes that nobody names are those of attempts that broke, and no more than these."""
    lake = world.lake.objects
    receipts = [lake.get_model(i.key, Receipt) for i in lake.list("staging/") if i.key.endswith("receipt.json")]
    named = {file.key for receipt in receipts for file in receipt.files}
    staged = [info for info in lake.list("staging/") if info.key.endswith(".parquet")]
    orphans = [info for info in staged if info.key not in named]
    assert named <= {info.key for info in staged}
    assert len(orphans) <= world.broken
    sealed = {
        each.file.key
        for info in lake.list("runs/")
        if "/sealed/" in info.key
        for each in lake.get_model(info.key, SealedTable).files
    }
    published = {
        file.key
        for info in lake.list(layout.partition_manifests("shop"))
        for file in lake.get_model(info.key, PartitionManifest).files
    }
    assert published <= sealed | {key for key in published if "/rebuilt=" in key}


def _owner(lock: bytes) -> str | None:
    owner = Lock.model_validate_json(lock).owner
    return owner.execution_id if owner else None


@pytest.mark.parametrize("chunk", range(SEEDS // CHUNK))
def test_whatever_breaks_a_day_is_published_whole_or_not_at_all_and_a_rerun_heals_it(chunk: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        world = World(seed, faults=random.Random(seed).choice([0.002, 0.005, 0.01, 0.03]))  # noqa: S311
        for number in range(2):
            before = world.published()
            world.seen.clear()
            night = Night(world, number)
            ended = night.run()
            ends[ended.error or ended.status] += 1
            try:
                judge(world, night, before)
            except AssertionError as error:
                error.add_note(f"seed {seed}, night {number}: {ended.status} {ended.error} {ended.states[-12:]}")
                raise
            world.clock.at += 3600
        world.faults = 0.0
        heal(world)
    assert ends["SUCCEEDED"], ends
    assert len(ends) > 2, ends


def heal(world: World) -> None:
    """Without faults the day is as it was delivered last, and the next rerun converts nothing."""
    world.seen.clear()
    healed = Night(world, 10, scheduled=False)
    ended = healed.run()
    assert ended.status == "SUCCEEDED", (world.seed, ended.error, ended.cause)
    published = world.published()
    for name in KINDS:
        assert published[name] == world.delivered[name][-1], name
    assert world.alerts == []
    again = Night(world, 11, scheduled=False)
    assert again.run().status == "SUCCEEDED"
    assert world.calls["convert"] + world.calls["convert_postgres"] == 0
    assert world.published() == published
    assert not [
        info for info in world.lake.objects.list(layout.locks("shop")) if _owner(world.lake.objects.get(info.key))
    ]


def test_answers_that_one_run_rejected_are_not_what_the_next_run_takes() -> None:
    world = World(0)
    good, world.api.rows = world.api.rows, [(n, BAD_AMOUNT) for n in range(ROWS)]
    assert Night(world, 0, scheduled=False).run().error == "SourceRejectedError"
    asked = world.api.asked
    assert Night(world, 1, scheduled=False).run().error == "SourceRejectedError"
    assert world.api.asked > asked, "the API was not asked anew"
    world.api.rows = good
    assert Night(world, 2, scheduled=False).run().status == "SUCCEEDED"
    asked = world.api.asked
    assert Night(world, 3, scheduled=False).run().status == "SUCCEEDED"
    assert world.api.asked == asked, "good answers were asked for again"


def test_a_scheduled_night_tries_bad_answers_four_times_and_tells_of_each() -> None:
    world = World(0)
    world.api.rows = [(n, BAD_AMOUNT) for n in range(ROWS)]
    assert Night(world, 0).run().error == "SourceRejectedError"
    said = [found[2] for found in map(ALERT.match, world.alerts) if found]
    assert said == ["attempt 1 of 4", "attempt 2 of 4", "attempt 3 of 4", "given up"]
    assert [wait for wait in world.clock.slept if wait >= 60] == [60, 120, 240]
    assert world.calls["plan"] == 1, "the sisters are planned once"
