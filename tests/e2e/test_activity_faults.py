"""Nights of three kinds of sources, broken from outside: an API that lies, a database that dies, late files.

A night takes seconds, so each case breaks as much of it as can break at once; docs/testing.md says which fault stands
where. Each says what readers saw throughout, who was told what, how the night ended, that its locks are free, and that
nothing lies about which nobody names.
"""

import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.history import find_head
from nightlake.core.lock import Lock
from nightlake.core.shard import Receipt
from nightlake.core.snapshot import SealedTable
from psycopg import ClientCursor

from local import aws, outages
from local.aws import Endpoint
from local.outages import Outage
from local.sources import activity, app, postgres, service

pytestmark = pytest.mark.e2e

FIRST = date(2012, 6, 1)
ROWS = 300
SOURCES = {"weather", "app_logs", "users"}
MERGED = "staging/activity/activity_enriched/"
THROTTLED = "nightlake-local-convert_postgres"
SECONDS = 150
KEY = 6
GATE = """
    CREATE OR REPLACE FUNCTION pass_gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      WHILE NOT pg_try_advisory_xact_lock_shared(%(key)s) LOOP PERFORM pg_sleep(0.02); END LOOP;
      RETURN true;
    END $$;
    CREATE POLICY gate ON app_logs USING (id %% 100 <> 99 OR current_query() NOT LIKE '%%message%%' OR pass_gate());
    ALTER TABLE app_logs ENABLE ROW LEVEL SECURITY;
    SELECT pg_advisory_lock(%(key)s);
"""
NO_GATE = "ALTER TABLE app_logs DISABLE ROW LEVEL SECURITY; DROP FUNCTION pass_gate CASCADE"
AT_GATE = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND wait_event = 'PgSleep'"
Answer = dict[str, Any]
Workers = Callable[[str], list[psutil.Process]]


@dataclass
class Night:
    """One execution, followed to its end."""

    states: Any
    arn: str

    @property
    def entered(self) -> list[str]:
        """The states that it has entered so far."""
        history = self.states.get_paginator("get_execution_history")
        pages = history.paginate(executionArn=self.arn, includeExecutionData=False)
        events = (event for page in pages for event in page["events"])
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    @property
    def failed(self) -> set[str]:
        """The errors of its tasks, also of those that were tried again."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=self.arn)
        events = (event for page in pages for event in page["events"])
        return {event["taskFailedEventDetails"]["error"] for event in events if "taskFailedEventDetails" in event}

    def until(self, state: str) -> None:
        """Wait until it has entered a state."""
        _until(lambda: state in self.entered, f"{state} is never entered")

    def end(self) -> Any:
        """How it ended."""
        _until(lambda: self._described()["status"] != "RUNNING", "it does not end")
        return self._described()

    def _described(self) -> Any:
        return self.states.describe_execution(executionArn=self.arn)


def _until(look: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


@dataclass
class World:
    """The deployed stage and what it reads."""

    cloud: Endpoint
    outputs: dict[str, str]
    home: Path
    key: str
    used: int = 0
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.s3, self.states = self.cloud.client("s3"), self.cloud.client("stepfunctions")
        self.lake = Objects(self.outputs["LakeBucket"], self.s3)
        weather = service.recorded(self.home, "weather")
        assert weather is not None
        self.weather = weather.url
        self.queue = self._subscribed()
        self._headers = {"x-api-key": self.key}
        self._api = f"{self.cloud.url}/restapis/{self.outputs['ApiId']}/{self.outputs['ApiStage']}/_user_request_"
        self._context = ssl.create_default_context(cafile=str(self.cloud.ca_bundle))

    def _subscribed(self) -> str:
        sqs, arn = self.cloud.client("sqs"), f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:fault-alerts"
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Resource": arn}]})
        queue = sqs.create_queue(QueueName="fault-alerts", Attributes={"Policy": policy})["QueueUrl"]
        self.cloud.client("sns").subscribe(TopicArn=self.outputs["AlertTopic"], Protocol="sqs", Endpoint=arn)
        return str(queue)

    def day(self) -> date:
        """A day that no other case uses, delivered whole."""
        self.used += 1
        day = FIRST + timedelta(days=2 * self.used)
        self.fill(day, ROWS)
        self.deliver_users(day)
        return day

    def fill(self, day: date, rows: int) -> None:
        """Let the log have so many rows of the day."""
        app.fill(postgres.start(self.home), day, rows)

    def rotate(self, password: str) -> None:
        """Change the password of the database, then the secret."""
        secret = app.rotate(postgres.start(self.home), password)
        secrets = self.cloud.client("secretsmanager")
        secrets.put_secret_value(SecretId="nightlake/local/app", SecretString=json.dumps(secret))

    def users_key(self, day: date) -> str:
        return f"activity/users/{day:%Y/%m/%d}/users.csv"

    def deliver_users(self, day: date, damage: Callable[[bytes], bytes] = bytes) -> None:
        """The application's file of the day."""
        (delivery,) = activity.deliveries(day)
        self.s3.put_object(Bucket=self.outputs["RawBucket"], Key=self.users_key(day), Body=damage(delivery.body))

    def tell(self, *faults: Answer) -> None:
        """Let the weather service misbehave so, or no more."""
        body = json.dumps({"faults": faults, "asked": []}).encode()
        request = urllib.request.Request(f"{self.weather}/control", body, method="PUT")  # noqa: S310
        with urllib.request.urlopen(request):  # noqa: S310
            pass

    def asked(self) -> int:
        """How often the weather service was asked since it was told."""
        with urllib.request.urlopen(f"{self.weather}/control") as reply:  # noqa: S310
            return len(json.load(reply)["asked"])

    def start(self, day: date, *, at: str | None = None) -> Night:
        """A night of the day: a person's, or that of the trigger `at` a time of the next day."""
        self.alerts()
        self.told.clear()
        given = {"scheduled_time": at} if at else {"date": day.isoformat()}
        machine = self.outputs["StateMachineActivity"]
        started = self.states.start_execution(stateMachineArn=machine, input=json.dumps(given))
        return Night(self.states, started["executionArn"])

    def alerts(self) -> list[str]:
        """The subjects of all alerts since the last night was started."""
        sqs = self.cloud.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.told.append(json.loads(message["Body"]).get("Subject", ""))
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return sorted(self.told)

    def rows(self, day: date) -> int | None:
        """How many rows of the log a reader of the API sees; None while nobody answers."""
        url = f"{self._api}/v1/datasets/app_logs/rows?date={day}&select=log_id&limit=1000"
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=self._context) as reply:  # noqa: S310
                return len(json.load(reply)["rows"])
        except urllib.error.HTTPError as error:
            return 0 if error.code == 404 else None

    def snapshot(self) -> int:
        """The number of what is published."""
        found = find_head(self.lake, "activity")
        return found[0].snapshot if found else 0

    def record(self, night: Night) -> Answer:
        """The record of a run."""
        prefix, name = layout.records("activity"), night.arn
        for info in self.lake.list(prefix):
            found: Answer = json.loads(self.lake.get(info.key))
            if found["execution_id"] == name:
                return found
        raise AssertionError(f"{name} has left no record")

    def sources(self, night: Night) -> dict[str, Answer]:
        """What became of each source."""
        return {each["dataset"]: each for each in self.record(night)["sources"]}

    def rests(self) -> None:
        """No lock is held, and what lies in staging is named by a receipt, or little."""
        for info in self.lake.list(layout.locks("activity")):
            lock = Lock.model_validate_json(self.lake.get(info.key))
            assert lock.owner is None, f"{info.key} is held by {lock.owner}"
        staged = {info.key: info.size for name in SOURCES for info in self.lake.list(f"staging/activity/{name}/")}
        receipts = [self.lake.get_model(key, Receipt) for key in staged if key.endswith("receipt.json")]
        named = {file.key for receipt in receipts for file in receipt.files}
        files = {key: size for key, size in staged.items() if key.endswith(".parquet")}
        orphans = sum(size for key, size in files.items() if key not in named)
        assert orphans <= sum(files.values()) / 4, "much lies there that nobody names"
        lists = [info.key for info in self.lake.list("runs/activity/") if "/sealed/" in info.key]
        sealed = {each.file.key for key in lists for each in self.lake.get_model(key, SealedTable).files}
        data = [info.key for info in self.lake.list(layout.data("activity")) if "/rebuilt=" not in info.key]
        assert sealed.issuperset(data), "what is sealed is on no run's list"

    @contextmanager
    def watched(self, day: date, *seen: int | None) -> Iterator[None]:
        """A reader looks all the time, and sees these numbers of rows, or nothing else."""
        looks: list[int | None] = []
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.2):
                looks.append(self.rows(day))

        reader = threading.Thread(target=look)
        reader.start()
        try:
            yield
        finally:
            stop.set()
            reader.join()
        assert set(looks) <= {*seen, None}, f"a reader saw {set(looks)}"
        assert any(each is not None for each in looks), "nobody could read"

    @contextmanager
    def gate(self) -> Iterator[Callable[[], set[int]]]:
        """Who reads the log's messages is held in the middle, until this ends or the database dies.

        Gives what tells the database's processes that are held.
        """
        server = postgres.start(self.home)

        def held() -> set[int]:
            with server.connect(app.DATABASE) as connection:
                return {pid for (pid,) in connection.execute(AT_GATE, (app.READER,)).fetchall()}

        try:
            with closing(server.connect(app.DATABASE)) as keeper:
                ClientCursor(keeper).execute(GATE, {"key": KEY})
                yield held
        finally:
            with postgres.start(self.home).connect(app.DATABASE) as connection:
                connection.execute(NO_GATE)


@pytest.fixture(scope="module")
def world(cloud: Endpoint, outputs: dict[str, str], home: Path, api_key: str) -> World:
    return World(cloud, outputs, home, api_key)


@pytest.fixture(autouse=True)
def mended(world: World) -> Iterator[None]:
    """Whatever a case broke is whole again for the next."""
    yield
    world.tell()
    outages.order(world.home)
    world.cloud.client("lambda").delete_function_concurrency(FunctionName=THROTTLED)
    postgres.start(world.home)


def ended_well(world: World, night: Night, day: date) -> dict[str, Answer]:
    """What became of each source of a night that published them all."""
    ended = night.end()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert world.rows(day) == ROWS
    sources = world.sources(night)
    assert {name: each["status"] for name, each in sources.items()} == dict.fromkeys(SOURCES, "good")
    world.rests()
    return sources


def rejected(world: World, night: Night, names: Sequence[str]) -> dict[str, str]:
    """The errors of the sources that were rejected, which are these."""
    ended = night.end()
    assert (ended["status"], ended["error"]) == ("FAILED", "SourceRejectedError"), ended
    stood = {each["dataset"]: each for each in json.loads(ended["cause"])}
    assert {name for name, each in stood.items() if each["status"] != "good"} == {*names}
    world.rests()
    return {name: stood[name]["error"]["Error"] for name in names}


def converted(sources: dict[str, Answer]) -> set[str]:
    """The sources of which a run has converted something itself."""
    return {name for name, each in sources.items() if each["shards"] > each["reused"]}


def three_of(day: date) -> str:
    """When the trigger fires for a day."""
    return f"{day + timedelta(days=1)}T03:00:00Z"


def tries(name: str, *numbers: int) -> list[str]:
    return [f"Nightlake: activity: {name} was rejected, attempt {number} of 4" for number in numbers]


def given_up(*names: str) -> list[str]:
    return sorted(f"Nightlake: activity: {name} was rejected, given up" for name in names)


def test_what_passes_by_itself_costs_nobody_a_word(world: World, workers: Workers) -> None:
    """The API is busy, breaks off and fails; a worker is killed while it reads, then the database dies, whose password
    has changed by then; the file comes late.
    """
    now = datetime.now(UTC)
    day = now.date() - timedelta(days=1)
    world.fill(day, ROWS)
    world.tell(
        {"kind": "rate_limit", "times": 1, "retry_after": "1"},
        {"kind": "half_body", "times": 1},
        {"kind": "fail", "times": 1},
    )
    with world.watched(day, 0, ROWS), world.gate() as held:
        night = world.start(day, at=now.isoformat())
        _until(lambda: bool(held()), "nobody reads the log")
        killed = held()
        for worker in workers("convert_postgres"):
            worker.kill()
        _until(lambda: bool(held() - killed), "the killed worker's shard is read by nobody")
        world.rotate("another-password-of-the-night")
        reading = workers("convert_postgres")
        for worker in reading:
            worker.suspend()
        postgres.stop(world.home, at_once=True)
        postgres.start(world.home)
        for worker in reading:
            worker.resume()
        for state in ("AwaitDelivery users", "Good weather", "Good app_logs"):
            night.until(state)
        world.deliver_users(day)
        sources = ended_well(world, night, day)
    assert {name: each["attempt"] for name, each in sources.items()} == dict.fromkeys(SOURCES, 1)
    assert (sources["app_logs"]["records"], sources["app_logs"]["rows"]) == (ROWS, ROWS)
    assert world.asked() >= len(app.CITIES) + 3
    assert world.alerts() == []


def test_what_is_bad_once_or_throttled_costs_an_alert_an_attempt(world: World) -> None:
    day = world.day()
    functions = world.cloud.client("lambda")
    world.deliver_users(day, lambda body: body.replace(b"e_mail", b"mail", 1))
    functions.put_function_concurrency(FunctionName=THROTTLED, ReservedConcurrentExecutions=0)
    with world.watched(day, 0, ROWS):
        night = world.start(day, at=three_of(day))
        night.until("Backoff users")  # the first of both: its delivery is looked at before it is cut
        world.deliver_users(day)
        night.until("Backoff app_logs")
        functions.delete_function_concurrency(FunctionName=THROTTLED)
        sources = ended_well(world, night, day)
    attempts = {name: each["attempt"] for name, each in sources.items()}
    assert attempts["weather"] == 1 < min(attempts["users"], attempts["app_logs"])
    told = [each for name in ("users", "app_logs") for each in tries(name, *range(1, attempts[name]))]
    assert world.alerts() == sorted(told)


def test_whatever_fails_a_night_leaves_the_day_as_it_was_and_a_rerun_repeats_what_was_not_good(world: World) -> None:
    day, before = world.day(), world.snapshot()

    def unpublished() -> bool:
        return (world.snapshot(), world.rows(day)) == (before, 0)

    with world.watched(day, 0):
        world.tell({"kind": "wrong_schema"})
        world.s3.delete_object(Bucket=world.outputs["RawBucket"], Key=world.users_key(day))
        postgres.stop(world.home)
        errors = rejected(world, world.start(day), sorted(SOURCES))
        assert errors == {
            "weather": "AnswerShapeError",
            "app_logs": "DatabaseUnavailableError",
            "users": "SourceNotReadyError",
        }
        assert world.alerts() == given_up(*SOURCES)
        assert unpublished()

        postgres.start(world.home)
        world.deliver_users(day)
        world.tell({"kind": "fail"})
        down = world.start(day)
        assert rejected(world, down, ["weather"]) == {"weather": "ApiUnavailableError"}
        assert converted(world.sources(down)) == {"app_logs", "users"}
        assert world.alerts() == given_up("weather")
        assert unpublished()

        world.tell({"kind": "text_values"})
        bad = world.start(day, at=three_of(day))
        assert rejected(world, bad, ["weather"]) == {"weather": "weather.max_quarantined_percent"}
        assert converted(world.sources(bad)) == {"weather"}
        assert world.alerts() == sorted([*tries("weather", 1, 2, 3), *given_up("weather")])
        assert unpublished()

        world.tell()
        merged = [*world.lake.list(MERGED)]
        outages.order(world.home, Outage(kind="slow_down", method="PUT", keys=MERGED))
        unmerged = world.start(day)
        assert (unmerged.end()["status"], unmerged.entered.count("RunMerge")) == ("FAILED", 3)
        assert converted(world.sources(unmerged)) == {"weather"}
        assert [*world.lake.list(MERGED)] == merged
        world.rests()
        assert world.alerts() == ["Nightlake: activity failed"]
        assert unpublished()

    outages.order(world.home)
    with world.watched(day, 0, ROWS):
        assert converted(ended_well(world, world.start(day), day)) == set()
    assert world.alerts() == []


def test_runs_that_are_stopped_or_meet_publish_the_day_one_after_the_other_while_s3_is_busy(world: World) -> None:
    day, before = world.day(), world.snapshot()
    outages.order(
        world.home,
        Outage(kind="slow_down", method="GET", keys="", every=20),
        Outage(kind="slow_down", method="PUT", keys="", every=20),
        Outage(kind="break_off", method="GET", keys="runs/activity/", every=10, times=2),
    )
    with world.watched(day, 0, ROWS):
        stopped = world.start(day)
        stopped.until("Convert app_logs")
        world.states.stop_execution(executionArn=stopped.arn)
        assert stopped.end()["status"] == "ABORTED"
        assert world.snapshot() == before
        _until(lambda: len(world.alerts()) == 1, "nobody is told of it")

        first = world.start(day)
        first.until("IsReady users")
        world.deliver_users(day, lambda body: body.replace(b"example.com", b"example.org"))
        first.until("AuditMerges")
        assert world.alerts() == []
        second = world.start(day)
        second.end()
        planned, replaced = ended_well(world, first, day)["users"], ended_well(world, second, day)
    assert "RunInProgressError" in second.failed
    assert "AwsUnavailableError" in stopped.failed | first.failed | second.failed
    assert [(late["key"], late["what"]) for late in planned["late"]] == [(world.users_key(day), "changed")]
    assert converted(replaced) == {"users"}
    assert replaced["users"]["late"] == []
    assert world.alerts() == []
