"""The watchdog: what is due, what has begun, what is there, and how long a night may wait for what is late."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import pytest
from memory_objects import MemoryObjects
from moto import mock_aws
from nightlake.core import layout
from nightlake.core.lock import Executions, Lock, Owner
from nightlake.core.pipeline import Pipeline, Schedule
from nightlake.core.snapshot import Head, KeptSnapshot
from nightlake.core.watchdog import Watch, Watched, watch, watch_metrics
from nightlake.handlers import watchdog

DUE = datetime(2026, 11, 21, 3, tzinfo=UTC)
DAY = date(2026, 11, 20)
RUN = "20261121T030010Z-1f3a9c07"


class Lake(Executions):
    """A lake whose clock a test turns, `minutes` after the night of sales was due."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.now = DUE
        self.running = True
        self.store = MemoryObjects("lake", now=lambda: self.now)
        watched = Watched(schedule=pipeline.schedule, since=DUE - timedelta(hours=1))
        self.store.put_model(layout.watch(pipeline.name), watched)

    def status(self, execution_id: str) -> str | None:
        return "RUNNING" if self.running and execution_id == "arn" else "FAILED"

    def at(self, minutes: float) -> "Lake":
        self.now = DUE + timedelta(minutes=minutes)
        return self

    def look(self) -> Watch:
        return watch(self.pipeline, self.store, self, now=self.now)

    def start(self) -> None:
        owner = Owner(execution_id="arn", run_id=RUN, since=self.now.isoformat())
        self.store.put_model(layout.trigger("sales", DUE.isoformat()), owner)

    def plan(self, *datasets: str, attempt: int = 1, cutting: int = 0) -> None:
        for dataset in datasets:
            self.store.put(layout.plan("sales", DAY, RUN, dataset, attempt, cutting=cutting), b"{}")

    def publish(self, day: date = DAY) -> None:
        kept = KeptSnapshot(number=1, key="k", run_id=RUN, date=day, created_at=self.now.isoformat())
        head = Head(pipeline="sales", snapshot=1, key="k", latest=1, revision=0, kept=(kept,))
        self.store.put_model(layout.head("sales"), head)


@pytest.fixture
def lake(sales: Pipeline) -> Lake:
    """Sales at 03:00 UTC, half an hour of processing, and two hours of patience with its sources."""
    assert {source.ready.deadline_minutes for source in sales.sources} == {120}
    return Lake(sales.model_copy(update={"latency_minutes": 30}))


def everything(lake: Lake) -> tuple[str, ...]:
    return tuple(source.dataset for source in lake.pipeline.sources)


def test_a_night_that_ends_in_time_is_never_complained_of(lake: Lake) -> None:
    lake.at(0.2).start()
    lake.at(1).plan(*everything(lake))
    for minutes in (4, 5, 10, 20):
        seen = lake.at(minutes).look()
        assert (seen.started, seen.not_started, seen.not_finished) == (True, False, False)
    lake.at(21).publish()
    seen = lake.at(200).look()
    assert (seen.not_started, seen.not_finished, seen.minutes_late) == (False, False, 21)
    assert seen.published_at == DUE + timedelta(minutes=21)


def test_silence_is_told_five_minutes_after_the_night_was_due(lake: Lake) -> None:
    assert [lake.at(minutes).look().not_started for minutes in (-1, 0, 4.9, 5, 300)] == [False] * 3 + [True] * 2


def test_a_silent_night_is_not_finished_either(lake: Lake) -> None:
    assert [lake.at(minutes).look().not_finished for minutes in (5, 34.9, 35, 1400)] == [False, False, True, True]


def test_a_night_that_hangs_is_told_when_its_half_hour_is_over(lake: Lake) -> None:
    lake.at(0.2).start()
    lake.at(1).plan(*everything(lake))
    looks = [lake.at(minutes).look() for minutes in (34.9, 35)]
    assert [(seen.not_started, seen.not_finished) for seen in looks] == [(False, False), (False, True)]


def test_a_night_that_has_ended_without_its_data_is_told_at_once(lake: Lake) -> None:
    lake.at(0.2).start()
    assert not lake.at(10).look().not_finished
    lake.running = False
    assert lake.at(15).look().not_finished
    lake.publish()
    assert not lake.at(20).look().not_finished


def test_a_late_source_has_the_patience_that_it_declares_and_the_half_hour_begins_with_it(lake: Lake) -> None:
    first, *others = everything(lake)
    lake.at(0.2).start()
    lake.at(1).plan(*others)
    waits = lake.at(60).look()
    assert (waits.waiting, waits.deadline, waits.not_finished) == ((first,), None, False)
    lake.at(61).plan(first)
    assert [lake.at(minutes).look().not_finished for minutes in (90.9, 91)] == [False, True]


def test_a_source_that_never_comes_is_waited_for_until_its_deadline_and_no_longer(lake: Lake) -> None:
    lake.at(0.2).start()
    assert [lake.at(minutes).look().not_finished for minutes in (119, 149, 150)] == [False, False, True]


def test_another_attempt_is_another_readiness_but_cutting_anew_is_not(lake: Lake) -> None:
    lake.at(0.2).start()
    lake.at(1).plan(*everything(lake))
    lake.at(20).plan("products", attempt=2)
    lake.at(30).plan("products", attempt=2, cutting=1)
    assert lake.at(40).look().deadline == DUE + timedelta(minutes=50)


def test_a_rerun_by_a_person_ends_the_complaint(lake: Lake) -> None:
    lake.at(0.2).start()
    lake.at(1).plan(*everything(lake))
    assert lake.at(500).look().not_finished
    lake.at(501).publish()
    assert not lake.at(505).look().not_finished


def test_what_was_published_before_the_night_or_for_another_day_does_not_count(lake: Lake) -> None:
    lake.at(-30).publish()
    assert lake.at(40).look().not_finished
    lake.at(41).publish(day=DAY - timedelta(days=1))
    assert lake.at(45).look().not_finished


def test_a_person_who_holds_the_date_has_begun_the_night(lake: Lake) -> None:
    owner = Owner(execution_id="arn", run_id=RUN, since="")
    lake.store.put_model(layout.date_lock("sales", DAY), Lock(owner=owner))
    assert not lake.at(6).look().not_started


def test_a_schedule_is_watched_from_when_it_was_seen_first(lake: Lake) -> None:
    lake.pipeline = lake.pipeline.model_copy(update={"schedule": Schedule(cron="30 1 * * ? *")})
    first = lake.at(0).look()
    assert (first.due, first.not_started) == (None, False)
    assert lake.at(24 * 60 - 1).look().not_started


def test_a_pipeline_without_a_night_every_day_is_watched_on_its_days(lake: Lake) -> None:
    schedule = Schedule(cron="0 3 ? * SAT *")  # the 21st is one
    lake.pipeline = lake.pipeline.model_copy(update={"schedule": schedule})
    lake.store.put_model(layout.watch("sales"), Watched(schedule=schedule, since=DUE - timedelta(days=30)))
    lake.at(0.2).start()
    lake.at(20).publish()
    for days in (1, 3, 6):
        assert not lake.at(days * 24 * 60 + 30).look().not_started
    assert lake.at(7 * 24 * 60 + 5).look().not_started


def test_a_clock_that_is_put_forward_leaves_no_night_out_that_nobody_will_start(lake: Lake) -> None:
    """Scheduler skips 02:30 in Paris on 29 March: the night that counts is the one before."""
    schedule = Schedule(cron="30 2 * * ? *", timezone="Europe/Paris")
    lake.pipeline = lake.pipeline.model_copy(update={"schedule": schedule})
    lake.store.put_model(layout.watch("sales"), Watched(schedule=schedule, since=datetime(2026, 3, 1, tzinfo=UTC)))
    lake.now = datetime(2026, 3, 29, 9, tzinfo=UTC)
    assert lake.look().due == datetime(2026, 3, 28, 1, 30, tzinfo=UTC)


def test_freshness_is_the_age_of_the_newest_day_that_is_published(lake: Lake) -> None:
    assert lake.at(0).look().hours_old is None
    lake.publish()
    assert lake.at(30).look().hours_old == 3.5


def test_each_look_is_a_gauge(lake: Lake) -> None:
    measured = watch_metrics(lake.at(36).look())
    assert measured.dimensions == {"pipeline": "sales"}
    assert {name: value for name, (_, value) in measured.values.items()} == {
        "NotStarted": 1,
        "NotFinished": 1,
        "LatenessMinutes": 36,
    }


@pytest.fixture
def bucket(environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        place = {"LocationConstraint": "eu-west-1"}
        name = "nightlake-dev-lake-123456789012-eu-west-1"
        boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place)
        yield


@pytest.mark.usefixtures("bucket")
def test_every_pipeline_is_watched_and_measured(lambda_context: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (seen,) = watchdog.handler({"source": "aws.events"}, lambda_context)["watched"]
    assert (seen["pipeline"], seen["due"]) == ("sales", None)
    deployments, line = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert (deployments["stage"], deployments["Deployments"]) == ("dev", [0.0])
    assert (line["stage"], line["pipeline"], line["NotStarted"]) == ("dev", "sales", [0.0])


@pytest.mark.usefixtures("bucket")
def test_a_change_of_the_stack_leaves_a_marker(lambda_context: Any, capsys: pytest.CaptureFixture[str]) -> None:
    event = {"source": "aws.cloudformation", "detail": {"status-details": {"status": "UPDATE_COMPLETE"}}}
    assert watchdog.handler(event, lambda_context) == {"deployment": "UPDATE_COMPLETE"}
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert (metrics["Dimensions"], line["Deployments"]) == ([["stage"]], [1.0])


def test_a_pipeline_without_a_clock_has_no_night_that_could_be_missed(sales: Pipeline) -> None:
    lake = Lake(sales.model_copy(update={"schedule": Schedule(cron=None, on_delivery=True)}))
    lake.publish()
    seen = lake.at(10_000).look()
    assert (seen.due, seen.not_started, seen.not_finished) == (None, False, False)
    assert seen.hours_old is not None
