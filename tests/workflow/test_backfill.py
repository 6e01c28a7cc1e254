"""Past days: each by its own night, and a day that fails keeps no other from being done."""

from typing import Any

DAYS = ["2026-11-17", "2026-11-18", "2026-11-19"]


def test_every_date_has_a_night_that_is_in_no_other_nights_way(night: Any) -> None:
    ended = night.run(night.backfill, dates=DAYS, max_parallel=2)
    assert ended.status == "SUCCEEDED"
    assert sorted(ended.output["dates"]) == DAYS
    assert sorted(event["date"] for event in night.function.events("publish")) == DAYS
    assert {event["input"]["backfill"] for event in night.function.events("prepare")} == {True}


def test_the_dates_that_failed_are_named_and_all_others_are_done(night: Any) -> None:
    night.function.fail("seal", "SomethingBroke", when=lambda event: event["date"] == DAYS[1])
    ended = night.run(night.backfill, dates=DAYS, max_parallel=1)
    assert (ended.status, ended.error) == ("FAILED", "BackfillFailedError")
    assert ended.cause == 'These dates failed, all others are done: ["2026-11-18"]'
    assert sorted(event["date"] for event in night.function.events("publish")) == [DAYS[0], DAYS[2]]
    assert len(night.alerts()) == 1


def test_input_that_is_no_list_of_dates_fails(night: Any) -> None:
    assert night.run(night.backfill, dates="2026-11-17", max_parallel=1).status == "FAILED"
