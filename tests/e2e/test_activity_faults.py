"""Nights of three kinds of sources, broken from outside: an API that lies, a database that dies, late files.

Each case says what readers saw throughout, who was told what, how the night ended, that its locks are free, and that
nothing lies about which nobody names. docs/testing.md says where the cases stand that are not here.
"""

import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.history import find_head
from nightlake.core.lock import Lock
from nightlake.core.shard import Receipt

from local import aws
from local.aws import Endpoint
from local.sources import activity, app, postgres, service

pytestmark = pytest.mark.e2e

FIRST = date(2012, 6, 1)
ROWS = 300
SOURCES = {"weather", "app_logs", "users"}
READER = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
SECONDS = 150
Answer = dict[str, Any]


@dataclass
class Night:
    """One execution, followed to its end."""

    states: Any
    arn: str

    @property
    def entered(self) -> list[str]:
        """The states that it has entered so far."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=self.arn)
        events = (event for page in pages for event in page["events"])
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    def until(self, state: str) -> None:
        """Wait until it has entered a state."""
        _until(lambda: state in self.entered, f"{state} is never entered: {self.entered}")

    def end(self) -> Any:
        """How it ended."""
        _until(lambda: self._described()["status"] != "RUNNING", f"it does not end: {self.entered[-5:]}")
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
    used: int = 0
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.s3, self.states = self.cloud.client("s3"), self.cloud.client("stepfunctions")
        self.lake = Objects(self.outputs["LakeBucket"], self.s3)
        weather = service.recorded(self.home, "weather")
        assert weather is not None
        self.weather = weather.url
        self.queue = self._subscribed()
        key = self.cloud.client("apigateway").get_api_key(apiKey=self.outputs["ApiKeyId"], includeValue=True)["value"]
        self._headers = {"x-api-key": key}
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

    def connect(self) -> "psycopg.Connection[Any]":
        """The superuser of the application's database."""
        return postgres.start(self.home).connect(app.DATABASE)

    def reading(self) -> list[int]:
        """The database's processes that are reading for us now."""
        with self.connect() as connection:
            return [pid for (pid,) in connection.execute(READER, (app.READER,)).fetchall()]


@pytest.fixture(scope="module")
def world(cloud: Endpoint, outputs: dict[str, str], home: Path) -> World:
    return World(cloud, outputs, home)


@pytest.fixture(autouse=True)
def mended(world: World) -> Iterator[None]:
    """Whatever a case broke is whole again for the next."""
    yield
    world.tell()
    postgres.start(world.home)


def ended_well(world: World, night: Night, day: date, rows: int = ROWS) -> None:
    ended = night.end()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert world.rows(day) == rows
    assert {name: each["status"] for name, each in world.sources(night).items()} == dict.fromkeys(SOURCES, "good")
    world.rests()


def rejected(world: World, night: Night, names: Sequence[str]) -> dict[str, str]:
    """The errors of the sources that were rejected, which are these."""
    ended = night.end()
    assert (ended["status"], ended["error"]) == ("FAILED", "SourceRejectedError"), ended
    stood = {each["dataset"]: each for each in json.loads(ended["cause"])}
    assert {name for name, each in stood.items() if each["status"] != "good"} == {*names}
    world.rests()
    return {name: stood[name]["error"]["Error"] for name in names}


def three_of(day: date) -> str:
    """When the trigger fires for a day."""
    return f"{day + timedelta(days=1)}T03:00:00Z"


def given_up(*names: str) -> list[str]:
    return sorted(f"Nightlake: activity: {name} was rejected, given up" for name in names)


def test_an_api_that_is_busy_breaks_off_and_fails_at_first_costs_nobody_a_word(world: World) -> None:
    day = world.day()
    world.tell(
        {"kind": "rate_limit", "times": 1, "retry_after": "1"},
        {"kind": "half_body", "times": 1},
        {"kind": "fail", "times": 1},
    )
    with world.watched(day, 0, ROWS):
        ended_well(world, world.start(day), day)
    assert world.alerts() == []


def test_three_worlds_that_break_in_one_night_are_told_of_once_each_and_a_rerun_repeats_what_was_not_good(
    world: World,
) -> None:
    day, before = world.day(), world.snapshot()
    world.tell({"kind": "wrong_schema"})
    world.s3.delete_object(Bucket=world.outputs["RawBucket"], Key=world.users_key(day))
    postgres.stop(world.home)
    night = world.start(day)
    errors = rejected(world, night, ["weather", "app_logs", "users"])
    assert errors == {
        "weather": "AnswerShapeError",
        "app_logs": "DatabaseUnavailableError",
        "users": "SourceNotReadyError",
    }
    assert world.alerts() == given_up(*SOURCES)
    assert (world.snapshot(), world.rows(day)) == (before, 0)

    postgres.start(world.home)
    world.tell({"kind": "fail"})
    world.deliver_users(day)
    half = world.start(day)
    assert rejected(world, half, ["weather"]) == {"weather": "ApiUnavailableError"}
    assert world.alerts() == given_up("weather")
    assert (world.snapshot(), world.rows(day)) == (before, 0)

    world.tell()
    with world.watched(day, 0, ROWS):
        healed = world.start(day)
        ended_well(world, healed, day)
    again = {name: each["shards"] - each["reused"] for name, each in world.sources(healed).items()}
    assert (again["app_logs"], again["users"]) == (0, 0)
    assert again["weather"] > 0
    assert world.alerts() == []


def test_a_database_that_dies_while_it_is_read_is_read_again(world: World) -> None:
    day = world.day()
    world.fill(day, 200_000)
    night = world.start(day)
    _until(lambda: bool(world.reading()), "nobody reads the database")
    postgres.stop(world.home, at_once=True)
    postgres.start(world.home)
    ended = night.end()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    logs = world.sources(night)["app_logs"]
    assert (logs["records"], logs["rows"] + logs["quarantined"]) == (200_000, 200_000)
    assert world.alerts() == []
    world.rests()


def test_a_password_that_changes_in_the_night_is_read_anew(world: World) -> None:
    day = world.day()
    night = world.start(day)
    night.until("Plan app_logs")
    secret = app.rotate(postgres.start(world.home), "another-password-of-the-night")
    secrets = world.cloud.client("secretsmanager")
    secrets.put_secret_value(SecretId="nightlake/local/app", SecretString=json.dumps(secret))
    ended_well(world, night, day)
    again = world.start(day)
    ended_well(world, again, day)
    assert world.alerts() == []


def test_a_file_that_is_replaced_after_it_was_planned_is_read_as_planned_and_told_of(world: World) -> None:
    day = world.day()
    night = world.start(day)
    night.until("Convert users")
    world.deliver_users(day, lambda body: body.replace(b"example.com", b"example.org"))
    ended_well(world, night, day)
    users = world.sources(night)["users"]
    assert [(late["key"], late["what"]) for late in users["late"]] == [(world.users_key(day), "changed")]

    ended_well(world, rerun := world.start(day), day)
    again = world.sources(rerun)
    assert {name: each["reused"] == each["shards"] for name, each in again.items()} == {
        "weather": True,
        "app_logs": True,
        "users": False,
    }
    assert again["users"]["late"] == []


def test_a_file_that_comes_late_is_waited_for_while_its_sisters_go_on(world: World) -> None:
    now = datetime.now(UTC)
    day = now.date() - timedelta(days=1)
    world.fill(day, ROWS)
    night = world.start(day, at=now.isoformat())
    for state in ("AwaitDelivery users", "Good weather", "Good app_logs"):
        night.until(state)
    world.deliver_users(day)
    ended_well(world, night, day)
    assert world.alerts() == []


def test_a_delivery_that_is_bad_once_costs_one_alert(world: World) -> None:
    day = world.day()
    world.deliver_users(day, lambda body: body.replace(b"e_mail", b"mail", 1))
    night = world.start(day, at=three_of(day))
    night.until("Backoff users")
    world.deliver_users(day)
    with world.watched(day, 0, ROWS):
        ended_well(world, night, day)
    assert world.sources(night)["users"]["attempt"] == 2
    assert world.alerts() == ["Nightlake: activity: users was rejected, attempt 1 of 4"]


def test_answers_that_are_bad_every_time_cost_four_alerts_and_the_night(world: World) -> None:
    day, before = world.day(), world.snapshot()
    world.tell({"kind": "text_values"})
    with world.watched(day, 0):
        night = world.start(day, at=three_of(day))
        assert rejected(world, night, ["weather"]) == {"weather": "weather.max_quarantined_percent"}
    attempts = [f"Nightlake: activity: weather was rejected, attempt {number} of 4" for number in (1, 2, 3)]
    assert world.alerts() == sorted([*attempts, *given_up("weather")])
    assert world.snapshot() == before


def test_two_runs_at_once_publish_the_day_one_after_the_other(world: World) -> None:
    day = world.day()
    with world.watched(day, 0, ROWS):
        nights = [world.start(day), world.start(day)]
        for night in nights:
            ended_well(world, night, day)
    assert world.alerts() == []


def test_a_run_that_is_stopped_from_outside_leaves_no_trace_and_its_rerun_takes_over(world: World) -> None:
    day, before = world.day(), world.snapshot()
    with world.watched(day, 0, ROWS):
        night = world.start(day)
        night.until("Convert app_logs")
        world.states.stop_execution(executionArn=night.arn)
        assert night.end()["status"] == "ABORTED"
        assert world.snapshot() == before
        _until(lambda: len(world.alerts()) == 1, "nobody is told of it")
        ended_well(world, world.start(day), day)
