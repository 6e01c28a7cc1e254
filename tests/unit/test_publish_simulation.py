"""Publish under everything that can happen: seeded interleavings and crashes of whole nights, on stores in memory.

Every request to S3, Glue or Step Functions is a step, before which another night may go on, this one may crash, or its
execution may be aborted while its function works on. A reader looks after every write. What it must see is said by
`Watched`; that it can see more is shown by protocols with one safeguard taken out.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from landed import DATABASES, SHOP, land
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import garbage, layout, lock, publish
from nightlake.core.catalog import Values
from nightlake.core.complete import End, complete
from nightlake.core.dates import run_id
from nightlake.core.errors import (
    ProjectionError,
    PublishContendedError,
    RunInProgressError,
    RunSupersededError,
    SealedFilesChangedError,
    SnapshotNotFoundError,
)
from nightlake.core.history import find_head, rollback
from nightlake.core.lock import RUNNING, Lock
from nightlake.core.prepare import RunInput, Start, prepare
from nightlake.core.projection import project
from nightlake.core.seal import seal
from nightlake.core.snapshot import Head, PartitionManifest, Snapshot
from stepped_objects import SteppedObjects

OLD_DAY = date(2026, 1, 1)
DATES = (date(2026, 1, 2), date(2026, 1, 3))
SEEDS, CHUNK = 1200, 100


class Crash(BaseException):
    """The function died, as by a kill: nothing of ours may catch it."""


Row = tuple[str, date, date, str, int]  # table, day, contribution, run, amount


class Baton:
    """Lets one of several threads work at a time and passes on by chance: a seed is a whole history."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._turns: dict[int, threading.Semaphore] = {}
        self._self = threading.local()

    def run(self, actors: Iterable[Callable[[], None]]) -> None:
        """Run all actors to their ends."""
        actors = list(actors)
        self._turns = {number: threading.Semaphore(0) for number in range(len(actors))}
        threads = [threading.Thread(target=self._act, args=each) for each in enumerate(actors)]
        for thread in threads:
            thread.start()
        self._pass_on()
        for thread in threads:
            thread.join()

    def step(self) -> bool:
        """Perhaps let others go first; whether the caller is an actor at all."""
        number = getattr(self._self, "number", None)
        if number is None:
            return False
        if len(self._turns) > 1 and self._chance.random() < 0.3:
            self._pass_on()
            self._turns[number].acquire()
        return True

    def _pass_on(self) -> None:
        if self._turns:
            self._chance.choice(list(self._turns.values())).release()

    def _act(self, number: int, actor: Callable[[], None]) -> None:
        self._self.number = number
        self._turns[number].acquire()
        actor()
        del self._turns[number]
        self._pass_on()


@dataclass
class World:
    """What there is beside the protocol: chance, executions, deliveries, and what the reader has seen."""

    seed: int
    lake: MemoryObjects = field(default_factory=MemoryObjects)
    delivered: dict[str, Counter[Row]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311
        self.baton = Baton(self.chance)
        self.acting = threading.local()
        self.reader = Reader(self)
        self.store = WatchedStore(self)
        self.catalog = WatchedCatalog(self, MemoryCatalog(refuses=self.refuses))
        self.executions = self

    def status(self, execution_id: str) -> str | None:
        """Executions: asked by the locks."""
        self.step()
        return self.statuses.get(execution_id)

    def refuses(self) -> bool:
        """Whether Glue refuses a single partition."""
        return self.baton.step() and self.chance.random() < 0.1

    def step(self) -> None:
        """Before every request: others go on, this one crashes, or its execution is aborted and it works on."""
        if not self.baton.step():
            return
        if self.chance.random() < 0.01:
            raise Crash
        execution_id = getattr(self.acting, "execution_id", None)
        if execution_id and self.chance.random() < 0.004:
            self.statuses[execution_id] = "ABORTED"
            self.wait(self.chance.randrange(300))

    def wait(self, steps: int) -> None:
        """Let the others do so many things first."""
        for _ in range(steps):
            self.baton.step()

    def violated(self, what: str) -> None:
        self.violations.append(f"seed {self.seed}: {what}")


class WatchedStore(SteppedObjects):
    """The lake bucket: every request is a step, every write is seen by the reader."""

    def __init__(self, world: World) -> None:
        super().__init__(world.lake)
        self._world = world

    def step(self) -> None:
        self._world.step()

    def wrote(self, key: str) -> None:
        self._world.reader.sees_written(key)

    def lost(self, key: str) -> None:
        self._world.reader.sees_lost(key)


class WatchedCatalog(MemoryCatalog):
    """The catalog: every request is a step, and what Athena can reach was published once."""

    def __init__(self, world: World, catalog: MemoryCatalog) -> None:
        self._world, self._catalog = world, catalog

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        self._world.step()
        return self._catalog.table(database, name)

    def create_table(self, database: str, definition: Mapping[str, Any]) -> None:
        self._world.step()
        self._catalog.create_table(database, definition)

    def partitions(self, database: str, table: str) -> dict[Values, str]:
        self._world.step()
        return self._catalog.partitions(database, table)

    def create_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        return self._change(database, table, lambda: self._catalog.create_partitions(database, table, locations))

    def update_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        return self._change(database, table, lambda: self._catalog.update_partitions(database, table, locations))

    def delete_partitions(self, database: str, table: str, values: Iterable[Values]) -> list[str]:
        return self._change(database, table, lambda: self._catalog.delete_partitions(database, table, values))

    def _change(self, database: str, table: str, change: Callable[[], list[str]]) -> list[str]:
        self._world.step()
        refused = change()
        if database == DATABASES.served:
            for location in self._catalog.partitions(database, table).values():
                if location.removeprefix("s3://lake/") not in self._world.reader.locations:
                    self._world.violated(f"{table} shows {location}, which was never published")
        return refused


class Reader:
    """Somebody who looks at HEAD and its files after every write, and remembers."""

    def __init__(self, world: World) -> None:
        self._world, self._lake = world, world.lake
        self._snapshots: dict[str, dict[str, str]] = {}  # the files of every snapshot that HEAD ever named: key, ETag
        self._runs: dict[str, dict[date, str]] = {}
        self._published: dict[str, str] = {}  # all files that were ever published
        self._now: dict[date, str] = {}
        self._head: Head | None = None
        self._owners: dict[date, list[str]] = {}
        self._last_owner: dict[date, int] = {}
        self.locations: set[str] = set()

    @property
    def dates(self) -> dict[date, str]:
        """The run that is published of each date."""
        return self._now

    def sees_written(self, key: str) -> None:
        if key == layout.head(SHOP.name):
            self._sees_head()
        for day in DATES:
            if key == layout.date_lock(SHOP.name, day):
                owner = Lock.model_validate_json(self._lake.get(key)).owner
                if owner is not None:
                    self._owners.setdefault(day, []).append(owner.run_id)
        if key.startswith("data/"):
            info = self._lake.head(key)
            published = self._published.get(key)
            if published and info and info.etag != published:
                self._world.violated(f"the published file {key} was changed")
            if not published and any(key.startswith(location) for location in self.locations):
                self._world.violated(f"{key} came into a published prefix")

    def sees_lost(self, key: str) -> None:
        for kept in self._head.kept if self._head else ():
            if key == kept.key or key in self._snapshots[kept.key]:
                self._world.violated(f"{key} is given up, snapshot {kept.number} is kept")

    def _sees_head(self) -> None:
        self._head = Head.model_validate_json(self._lake.get(layout.head(SHOP.name)))
        snapshot = Snapshot.model_validate_json(self._lake.get(self._head.key))
        runs = {run.date: run.run_id for run in snapshot.runs}
        rows = self._rows(snapshot, self._head.key)
        expected = sum((self._world.delivered[run_id] for run_id in runs.values()), Counter[Row]())
        if rows != expected:
            self._world.violated(f"snapshot {snapshot.number} shows {rows - expected} and lacks {expected - rows}")
        if self._head.key in self._runs:
            wanted = self._runs[self._head.key]
        else:
            wanted = self._now | {snapshot.date: snapshot.run_id}
            self._publishes_in_order(snapshot)
        if runs != wanted:
            self._world.violated(f"snapshot {snapshot.number} is of {runs}, should be of {wanted}")
        self._runs[self._head.key] = self._now = runs
        for kept in self._head.kept:
            for key in self._snapshots[kept.key]:
                if self._lake.head(key) is None or self._lake.tags(key):
                    self._world.violated(f"snapshot {kept.number} is kept without {key}")

    def _publishes_in_order(self, snapshot: Snapshot) -> None:
        owners = self._owners[snapshot.date]
        index = max(number for number, run_id in enumerate(owners) if run_id == snapshot.run_id)
        if index < self._last_owner.get(snapshot.date, -1):
            self._world.violated(f"{snapshot.run_id} publishes {snapshot.date} over the run that replaced it")
        self._last_owner[snapshot.date] = index

    def _rows(self, snapshot: Snapshot, key: str) -> Counter[Row]:
        rows = Counter[Row]()
        files = self._snapshots.setdefault(key, {})
        for table in snapshot.tables:
            for partition in table.partitions:
                self.locations.add(partition.location)
                manifest = PartitionManifest.model_validate_json(self._lake.get(partition.manifest))
                if {file.key: file.etag for file in manifest.files} != {
                    found.key: found.etag for found in self._lake.list(partition.location)
                }:
                    self._world.violated(f"{partition.location} holds other files than its manifest")
                for file in manifest.files:
                    files[file.key] = self._published[file.key] = file.etag
                    row = json.loads(self._lake.get(file.key))
                    rows[table.table, partition.day, file.contribution, row["run"], row["amount"]] += 1
        return rows


@dataclass(frozen=True)
class Night:
    """One execution of one date, as the state machine runs it."""

    world: World
    day: date
    number: int
    backfill: bool = True

    @property
    def execution_id(self) -> str:
        return f"execution-{self.number}"

    @property
    def started_at(self) -> datetime:
        return datetime(2026, 1, 5, 3, tzinfo=UTC) + timedelta(minutes=self.number)

    @property
    def run_id(self) -> str:
        return run_id(self.started_at, self.execution_id)

    def land(self) -> list[str]:
        """What Validate leaves: a good verdict on each source, its receipts and its staged files."""
        delivered = self.world.delivered[self.run_id] = Counter[Row]()
        return [self._land(dataset.name, delivered) for dataset in SHOP.datasets]

    def _land(self, dataset: str, delivered: Counter[Row]) -> str:
        chance = random.Random(f"{self.world.seed} {self.number} {dataset}")  # noqa: S311
        days = [self.day] * 2 if dataset == "daily" else [self.day, *[OLD_DAY] * chance.randrange(3)]
        files = []
        for index, day in enumerate(days):
            amount = chance.randrange(1000)
            files.append((day, {"run": self.run_id, "index": index, "amount": amount}))
            delivered[dataset, day, self.day, self.run_id, amount] += 1
        return land(self.world.lake, dataset, self.day, self.run_id, {dataset: files})

    def __call__(self) -> None:
        """Run to an end, whichever; what nobody expects is kept in the world's errors."""
        world = self.world
        world.acting.execution_id = self.execution_id
        world.statuses[self.execution_id] = RUNNING
        try:
            self._run()
            ended = "SUCCEEDED"
        except (StoppedError, RunInProgressError, RunSupersededError):
            ended = "FAILED"
        except SealedFilesChangedError as error:
            ended = "FAILED"
            if not self.vandalised:
                world.errors.append(error)
        except BaseException as error:  # noqa: BLE001 (reported by the test)
            ended = "FAILED"
            world.errors.append(error)
        if world.statuses[self.execution_id] == RUNNING:
            world.statuses[self.execution_id] = ended

    @property
    def vandalised(self) -> bool:
        """Whether somebody changes a sealed file after the audit."""
        chance = random.Random(f"{self.world.seed} {self.number}")  # noqa: S311
        return self.backfill and chance.random() < 0.1

    def _run(self) -> None:
        validations = self.land()
        try:
            self._wait_for_others()
            self._task(lambda: self.seal(validations))
            if self.vandalised:
                changed = next(iter(self.world.lake.list(layout.sealed(SHOP.name, "daily", self.run_id))))
                self.world.lake.put(changed.key, b"changed")
            self.world.sealed.add(self.run_id)
            self._task(self.publish)
        except (RunInProgressError, RunSupersededError, SealedFilesChangedError):
            self._task(lambda: self.complete("failed"))
            raise
        self._task(lambda: self.complete("succeeded"))

    def _wait_for_others(self) -> None:
        """Prepare with the Retry of its own that waits for a run in progress."""
        for _ in range(8):
            try:
                self._task(self.prepare)
            except RunInProgressError:
                self.world.wait(60)
                continue
            return
        self._task(self.prepare)

    def _task(self, function: Callable[[], object]) -> None:
        """A Task with its Retry; an execution that was aborted begins no other."""
        for _ in range(4):
            if self.world.statuses[self.execution_id] != RUNNING:
                break
            try:
                function()
            except (Crash, PublishContendedError, ProjectionError):
                continue
            return
        raise StoppedError

    def prepare(self) -> None:
        start = Start(
            pipeline=SHOP.name,
            input=RunInput(date=self.day.isoformat(), backfill=self.backfill),
            execution_id=self.execution_id,
            started_at=self.started_at.isoformat(),
        )
        world = self.world
        prepare(start, SHOP, store=world.store, executions=world, databases=DATABASES, views=(), reports=())
        project(world.store, world.catalog, SHOP, database=DATABASES.served)

    def seal(self, validations: list[str]) -> None:
        seal(
            self.world.store,
            self.world.catalog,
            SHOP,
            staging_database=DATABASES.staging,
            day=self.day,
            run_id=self.run_id,
            validations=validations,
            workers=1,
        )

    def publish(self) -> None:
        publish.publish(
            self.world.store,
            pipeline=SHOP.name,
            day=self.day,
            run_id=self.run_id,
            contract_hash=SHOP.contract_hash,
            created_at=f"2026-01-06T00:00:00.{threading.get_ident() % 10**6:06}Z",
            workers=1,
        )
        project(self.world.store, self.world.catalog, SHOP, database=DATABASES.served)

    def complete(self, outcome: str) -> None:
        end = End.model_validate(
            {
                "pipeline": SHOP.name,
                "date": self.day.isoformat(),
                "execution_id": self.execution_id,
                "started_at": self.started_at.isoformat(),
                "outcome": outcome,
            }
        )
        world = self.world
        complete(
            end,
            SHOP,
            lake=world.store,
            raw=MemoryObjects("raw"),
            catalog=world.catalog,
            staging_database=DATABASES.staging,
            now=self.started_at,
        )

    def publish_twice(self) -> None:
        """A second attempt of Publish beside the first, which Step Functions gave up waiting for."""
        for _ in range(60):
            self.world.wait(10)
            if self.run_id in self.world.sealed:
                break
        else:
            return
        try:
            self.publish()
        except (Crash, RunSupersededError, PublishContendedError, ProjectionError):
            return
        except SealedFilesChangedError as error:
            if not self.vandalised:
                self.world.errors.append(error)
        except BaseException as error:  # noqa: BLE001 (reported by the test)
            self.world.errors.append(error)


class StoppedError(Exception):
    """An execution was aborted, or a Task failed for good."""


def person(world: World) -> None:
    """Somebody who rolls back and forward again, and collects garbage."""
    try:
        for _ in range(world.chance.randrange(1, 3)):
            world.wait(world.chance.randrange(300))
            if world.chance.random() < 0.5:
                collect(world)
                continue
            before, _ = rollback(world.store, SHOP.name)
            project(world.store, world.catalog, SHOP, database=DATABASES.served)
            if world.chance.random() < 0.3:
                rollback(world.store, SHOP.name, before)
    except (Crash, SnapshotNotFoundError, PublishContendedError, ProjectionError):
        return
    except BaseException as error:  # noqa: BLE001 (reported by the test)
        world.errors.append(error)


def collect(world: World) -> None:
    keep = world.chance.randrange(1, 4)
    garbage.collect_garbage(world.store, world, pipeline=SHOP.name, keep=keep, dry_run=False, workers=1)


def simulate(seed: int) -> World:
    """One history: nights of two dates and of one date twice, a second Publish, a person; then the recovery."""
    world = World(seed)
    if world.chance.random() < 0.7:
        Night(world, DATES[0], 0)()
    nights = [
        Night(world, day, number, backfill=world.chance.random() < 0.7)
        for number, day in enumerate((*DATES, DATES[0]), start=1)
    ]
    world.baton.run([*nights, nights[0].publish_twice, lambda: person(world)])
    recover(world)
    return world


def recover(world: World) -> None:
    """The next Prepare mends the catalog; then every date runs again and nothing of before is in the way."""
    for execution_id, status in world.statuses.items():
        if status == RUNNING:
            world.violated(f"{execution_id} never ended")
    project(world.store, world.catalog, SHOP, database=DATABASES.served)
    catalog_is_head(world)
    again = [Night(world, day, number, backfill=False) for number, day in enumerate(DATES, start=10)]
    for night in again:
        night()
        if world.statuses[night.execution_id] != "SUCCEEDED":
            world.violated(f"the rerun of {night.day} does not succeed")
    if world.reader.dates != {night.day: night.run_id for night in again}:
        world.violated(f"after the reruns, published is {world.reader.dates}")
    catalog_is_head(world)
    collect(world)


def catalog_is_head(world: World) -> None:
    found = find_head(world.lake, SHOP.name)
    tables = world.lake.get_model(found[0].key, Snapshot).tables if found else ()
    for dataset in SHOP.datasets:
        wanted = {
            layout.partition_values(partition.day): f"s3://lake/{partition.location}"
            for table in tables
            if table.table == dataset.name
            for partition in table.partitions
        }
        if world.catalog.partitions(DATABASES.served, dataset.name) != wanted:
            world.violated(f"the catalog of {dataset.name} is not what HEAD says")


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_history_shows_a_reader_anything_but_published_states(first: int) -> None:
    for seed in range(first, first + CHUNK):
        world = simulate(seed)
        assert not world.violations, world.violations[0]
        assert not world.errors, f"seed {seed}: {world.errors[0]!r}"


def without_if_match(monkeypatch: pytest.MonkeyPatch) -> None:
    """HEAD is put whatever it is by now."""
    monkeypatch.setattr(
        publish, "move_head", lambda store, head, **_: store.put_model(layout.head(head.pipeline), head)
    )


def without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish does not ask whether its date is still its own."""
    monkeypatch.setattr(lock, "holds", lambda *_: True)


def without_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish believes what was sealed."""
    monkeypatch.setattr(publish._Build, "_refuse_others", lambda *_: None)


def without_kept_contributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition becomes what this run has of it."""
    monkeypatch.setattr(publish._Build, "_kept", lambda *_: [])


def without_own_contribution_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rerun adds to what its date brought before."""

    def kept(build: Any, partition: Any) -> list[Any]:
        return list(build.store.get_model(partition.manifest, PartitionManifest).files) if partition else []

    monkeypatch.setattr(publish._Build, "_kept", kept)


def without_running_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage collection takes the files of runs that have yet to publish them."""
    running = garbage._running
    monkeypatch.setattr(garbage, "_running", lambda *given, **more: running(*given, **more) and set())


@pytest.mark.parametrize(
    "breaks",
    [
        without_if_match,
        without_the_lock,
        without_listing,
        without_kept_contributions,
        without_own_contribution_replaced,
        without_running_runs,
    ],
)
def test_a_protocol_with_one_safeguard_less_is_caught(
    breaks: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks(monkeypatch)
    assert any(simulate(seed).violations for seed in range(400))
