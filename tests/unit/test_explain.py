"""What a person is told of a failed source, and when it is tried again: one alert an attempt, of bounded length."""

from datetime import date
from typing import Any

import pytest
from landed import SHOP
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.explain import ATTEMPTS, Request, explain
from nightlake.core.shard import Finding, Validation

DAY = date(2026, 11, 20)
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:nightlake-dev-shop-daily:night"
CONSOLE = "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"
PROBLEM = Finding(
    rule="daily.max_quarantined_percent", where="s3://refused/shop/", reason="12 of 100 rows were refused"
)
SNS_MESSAGE = 262_144 / 4  # characters of four bytes
SNS_SUBJECT = 100  # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html


def request(attempt: int = 1, **changes: Any) -> Request:
    given = {
        "pipeline": "shop",
        "dataset": "daily",
        "date": DAY,
        "run_id": "r1",
        "execution_id": EXECUTION,
        "attempt": attempt,
        "scheduled_at": "2026-11-21T03:00:00Z",
        "error": {"Error": PROBLEM.rule, "Cause": "daily: 12 of 100 rows were refused. Look at s3://refused/shop/"},
    }
    return Request.model_validate(given | changes)


@pytest.fixture
def lake() -> MemoryObjects:
    """A lake with the verdict on the first attempt."""
    store = MemoryObjects()
    verdict = Validation(
        dataset="daily",
        date=DAY,
        run_id="r1",
        attempt=1,
        status="rejected",
        problems=(PROBLEM,) * 5,
        samples=("amount = x, line 18 of s3://raw/a.csv: daily.amount.type",),
        objects=1,
        bytes=9_000,
        shards=2,
        reused=0,
        records=101,
        rows=88,
        quarantined=12,
        rounded=0,
        receipts=(),
    )
    store.put_model(layout.validation("shop", DAY, "r1", "daily"), verdict)
    return store


def test_an_alert_says_source_rule_counts_samples_what_happens_next_and_where_to_look(lake: MemoryObjects) -> None:
    told = explain(request(), SHOP, lake)
    assert told.subject == "Nightlake: shop: daily was rejected, attempt 1 of 4"
    assert told.message.splitlines() == [
        "Source daily (s3) of pipeline shop was rejected with daily.max_quarantined_percent for 2026-11-20.",
        "Attempt 1 of 4: tried again in 60 s with what is there by then.",
        *["daily.max_quarantined_percent: 12 of 100 rows were refused. Look at s3://refused/shop/"] * 3,
        "and 2 more problems",
        "Records: 101, rows: 88, quarantined: 12; objects: 1, shards: 2.",
        "Refused, for example:",
        "  amount = x, line 18 of s3://raw/a.csv: daily.amount.type",
        f"Run r1, execution {CONSOLE}#/v2/executions/details/{EXECUTION}",
        "What to do: docs/runbook.md#a-source-was-rejected",
    ]


def test_the_waits_grow_and_the_fourth_attempt_is_the_last() -> None:
    told = [explain(request(attempt), SHOP, MemoryObjects()) for attempt in range(1, ATTEMPTS + 1)]
    assert [(each.again, each.wait_seconds) for each in told] == [(True, 60), (True, 120), (True, 240), (False, 0)]
    assert all(each.tell for each in told)
    assert "Given up after attempt 4" in told[-1].message


def test_a_delivery_that_stays_the_same_is_not_told_of_again_but_for_the_last_word(lake: MemoryObjects) -> None:
    error = {"Error": PROBLEM.rule, "Cause": "", "unchanged": True}
    told = [explain(request(attempt, error=error), SHOP, lake) for attempt in range(2, ATTEMPTS + 1)]
    assert [each.tell for each in told] == [False, False, True]
    assert "Given up, as the delivery is still the same at attempt 4" in told[-1].message
    assert "line 18" in told[-1].message


def test_an_attempt_that_came_to_no_verdict_is_not_told_of_with_an_earlier_one(lake: MemoryObjects) -> None:
    cause = '{"errorMessage": "a.csv is gone", "errorType": "SourceChangedError", "stackTrace": ["line 1"]}'
    told = explain(request(2, error={"Error": "SourceChangedError", "Cause": cause}), SHOP, lake)
    assert "\na.csv is gone\n" in told.message
    assert "line 1" not in told.message
    assert "Records" not in told.message
    assert told.error == {"Error": "SourceChangedError", "Cause": "a.csv is gone"}


@pytest.mark.parametrize("change", [{"scheduled_at": None}, {"error": {"Error": "SourceNotReadyError", "Cause": "x"}}])
def test_a_persons_run_and_a_deadline_that_has_passed_are_answered_at_once(change: dict[str, Any]) -> None:
    told = explain(request(**change), SHOP, MemoryObjects())
    assert (told.again, told.tell) == (False, True)
    assert "Given up" in told.message


@pytest.mark.parametrize(
    ("required", "consequence"), [(True, "the night publishes nothing"), (False, "the night goes on without it")]
)
def test_the_last_word_says_what_becomes_of_the_night(*, required: bool, consequence: str) -> None:
    sources = tuple(source.model_copy(update={"required": required}) for source in SHOP.sources)
    told = explain(request(4), SHOP.model_copy(update={"sources": sources}), MemoryObjects())
    assert consequence in told.message


def test_nothing_that_is_told_grows_without_bound(lake: MemoryObjects) -> None:
    name = "d" * 128
    source = SHOP.sources[0].model_copy(update={"dataset": name})
    shop = SHOP.model_copy(update={"sources": (source,) * 40})
    given = request(dataset=name, error={"Error": "e" * 99, "Cause": "x" * 200_000})
    told = explain(given, shop, lake)
    assert len(told.subject) < SNS_SUBJECT
    assert told.subject.isascii()
    assert len(told.message) < SNS_MESSAGE
    assert len(told.error["Cause"]) * len(shop.sources) <= 16_000
    assert told.message.endswith("#a-source-was-rejected")
