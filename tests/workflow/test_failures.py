"""Whatever fails ends FAILED by its name after one alert, with the locks released; what is transient is tried again."""

import json
from typing import Any

import boto3
import pytest
from nightlake.core import layout

DAY = {"date": "2026-11-20"}


def of_kind(kind: str) -> Any:
    return lambda event: event["kind"] == kind


def asks(word: str) -> Any:
    return lambda event: event["QueryString"].startswith(word)


@pytest.mark.parametrize(
    ("function", "when"),
    [
        ("define_table", bool),
        ("seal", bool),
        *(("statement", of_kind(kind)) for kind in ("across", "merge", "audit", "view", "report")),
        *(("athena", asks(kind)) for kind in ("across", "merge", "audit", "view", "report")),
        ("audit_across", bool),
        ("audit_merge", bool),
        ("publish", bool),
        ("report", bool),
        ("complete", lambda event: event["outcome"] == "succeeded"),
    ],
)
def test_a_state_that_fails_ends_the_night_after_one_alert_with_its_locks_free(
    night: Any, function: str, when: Any
) -> None:
    night.function.fail(function, "SomethingBroke", when=when)
    ended = night.run(**DAY)
    assert (ended.status, ended.error) == ("FAILED", "SomethingBroke")
    assert ended.states[-3:] == ("AlertFailure", "ReleaseLock", "Failed")
    (alert,) = night.alerts()
    assert alert["Subject"] == "Nightlake: sales failed"
    assert "failed with SomethingBroke for 2026-11-20. Run 20" in alert["Message"]
    assert night.held_locks() == []
    run = night.function.events("complete")[-1]["run_id"]
    (record,) = night.objects(layout.record("sales", run)).values()
    assert (record["outcome"], record["error"]["Error"]) == ("failed", "SomethingBroke")


def test_a_wrong_date_ends_failed_with_our_error_after_one_alert_that_a_person_can_read(night: Any) -> None:
    ended = night.run(date="2026-02-30")
    assert (ended.status, ended.error) == ("FAILED", "InvalidDateError")
    assert json.loads(ended.cause)["errorMessage"].startswith("'2026-02-30' is not a day of the calendar")
    assert night.function.count() == {"prepare": 1, "complete": 1}
    (alert,) = night.alerts()
    told = alert["Message"]
    assert told.startswith("Pipeline sales failed with InvalidDateError for a day not yet known. Run ")
    console = "https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/v2/executions/details/"
    assert console + ended.arn in told
    assert "write it like 2026-11-20" in told


def test_a_table_that_cannot_be_made_fails_the_night(night: Any) -> None:
    boto3.client("glue").delete_database(Name="nightlake_test_staging")
    ended = night.run(**DAY)
    assert (ended.status, ended.error) == ("FAILED", "Glue.EntityNotFoundException")
    assert len(night.alerts()) == 1


def test_an_alert_that_cannot_be_sent_does_not_make_the_night_good_nor_keep_its_locks(night: Any) -> None:
    boto3.client("sns").delete_topic(TopicArn=night.topic)
    night.function.fail("seal", "SomethingBroke")
    ended = night.run(**DAY)
    assert (ended.status, ended.error) == ("FAILED", "SomethingBroke")
    assert night.held_locks() == []


def test_locks_that_cannot_be_released_do_not_hide_why_the_night_failed(night: Any) -> None:
    night.function.fail("seal", "SomethingBroke")
    night.function.fail("complete", "AccessDenied")
    ended = night.run(**DAY)
    assert (ended.status, ended.error) == ("FAILED", "SomethingBroke")
    assert len(night.alerts()) == 1


def test_a_source_that_could_not_tell_of_itself_is_told_of_by_the_night(night: Any) -> None:
    night.function.fail("plan", "EncodingError", when=lambda event: event["dataset"] == "products")
    boto3.client("sns").delete_topic(TopicArn=night.topic)
    ended = night.run(**DAY)
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert "AlertFailure" in ended.states


def test_a_run_in_progress_is_waited_for_and_then_refused_by_name(night: Any) -> None:
    night.function.fail("prepare", "RunInProgressError", times=3)
    assert night.run(**DAY).status == "SUCCEEDED"
    night.function.slept.clear()
    night.function.fail("prepare", "RunInProgressError")
    ended = night.run(**DAY)
    assert (ended.status, ended.error) == ("FAILED", "RunInProgressError")
    assert 9 * 60 <= sum(night.function.slept) <= 12 * 60


def test_throttling_is_waited_out(night: Any) -> None:
    night.function.throttled = 3
    assert night.run(**DAY).status == "SUCCEEDED"
    assert night.alerts() == []


@pytest.mark.parametrize("crash", ["Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"])
def test_three_crashes_of_the_sandbox_are_tried_again_and_a_fourth_is_not(night: Any, crash: str) -> None:
    night.function.fail("seal", crash, times=3)
    assert night.run(**DAY).status == "SUCCEEDED"
    night.function.fail("seal", crash, times=4)
    ended = night.run(**DAY)
    assert (ended.status, ended.error) == ("FAILED", crash)


@pytest.mark.parametrize("error", ["PublishContendedError", "ProjectionError"])
def test_what_our_own_code_calls_transient_is_tried_again(night: Any, error: str) -> None:
    night.function.fail("publish", error, times=3)
    assert night.run(**DAY).status == "SUCCEEDED"
    assert len(night.function.events("publish")) == 4


def test_a_query_that_athena_is_too_busy_for_is_asked_again(night: Any) -> None:
    night.function.fail("athena", "Athena.TooManyRequestsException", times=2, when=asks("report"))
    assert night.run(**DAY).status == "SUCCEEDED"
    assert night.alerts() == []
