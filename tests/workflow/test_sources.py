"""The branch of one source: what a bad delivery, a late one and a broken function become, and who hears of it."""

import json
from typing import Any

import boto3
import pytest
from nightlake.core import layout

CAUSE_LIMIT = 32_768  # https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
TRIGGER = {"scheduled_time": "2026-11-21T03:00:00Z"}
BAD = "transactions"


def of(name: str) -> Any:
    return lambda event: event["dataset"] == name


def deliver(night: Any, *deliveries: str) -> None:
    """Let the bad source be delivered so, try after try; only `good` passes Validate."""
    plan, validate = (night.function.default(name) for name in ("plan", "validate"))

    def planned(event: Any) -> Any:
        if event["dataset"] != BAD:
            return plan(event)
        delivery = deliveries[event["attempt"] - 1]
        return {**plan(event), "delivery": delivery, "changed": delivery != event["previous"]}

    def validated(event: Any) -> Any:
        bad = event["dataset"] == BAD and deliveries[event["attempt"] - 1] != "good"
        error = {"Error": "rows", "Cause": f"{BAD}: too few rows. Look at quarantine"}
        judged = {"delivery": deliveries[event["attempt"] - 1]} if event["dataset"] == BAD else {}
        return {**validate(event), **judged, **({"status": "rejected", "error": error} if bad else {})}

    night.function.answers |= {"plan": planned, "validate": validated}


def tries(night: Any, function: str) -> list[int]:
    return [event["attempt"] for event in night.function.events(function) if event["dataset"] == BAD]


def test_one_bad_source_is_told_of_once_an_attempt_and_its_sisters_are_done_all_the_same(night: Any) -> None:
    deliver(night, "bad 1", "bad 2", "bad 3", "bad 4")
    ended = night.run(**TRIGGER)
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert '"dataset":"transactions","status":"rejected"' in ended.cause.replace(" ", "")
    assert {event["dataset"] for event in night.function.events("validate")} == {
        "transactions",
        "products",
        "customers",
    }
    assert night.function.events("seal") == []
    alerts = night.alerts()
    assert [alert["Subject"].removeprefix("Nightlake: sales: transactions was rejected, ") for alert in alerts] == [
        *("attempt 1 of 4", "attempt 2 of 4", "attempt 3 of 4", "given up")
    ]
    for alert in alerts:
        told = alert["Message"]
        assert told.startswith("Source transactions (s3) of pipeline sales was rejected with rows for 2026-11-20.")
        assert "transactions: too few rows. Look at quarantine" in told
        assert ended.arn in told
        assert told.endswith("What to do: docs/runbook.md#a-source-was-rejected")
    assert "Given up after attempt 4: without it the night publishes nothing" in alerts[-1]["Message"]
    assert tries(night, "validate") == [1, 2, 3, 4]
    assert night.held_locks() == []


def test_a_delivery_that_stays_the_same_is_looked_at_again_but_not_converted_again(night: Any) -> None:
    deliver(night, "bad", "bad", "bad", "bad")
    night.run(**TRIGGER)
    assert tries(night, "plan") == [1, 2, 3, 4]
    assert tries(night, "validate") == [1]
    assert [wait for wait in night.function.slept if wait >= 60] == [60, 120, 240]
    first, last = night.alerts()
    assert "attempt 1 of 4" in first["Subject"]
    assert "Given up, as the delivery is still the same at attempt 4" in last["Message"]


def test_a_good_delivery_in_time_heals_the_night(night: Any) -> None:
    deliver(night, "bad", "worse", "good")
    ended = night.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert tries(night, "validate") == [1, 2, 3]
    (healed,) = [source for source in ended.output["sources"] if source["dataset"] == BAD]
    assert (healed["status"], healed["alerted"], healed["attempt"]) == ("good", True, 3)
    assert len(night.alerts()) == 2


def test_a_person_who_asks_for_a_date_gets_the_answer_at_once(night: Any) -> None:
    deliver(night, "bad")
    ended = night.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert [wait for wait in night.function.slept if wait >= 60] == []
    (alert,) = night.alerts()
    assert "a run for a named date does not try again" in alert["Message"]


def test_a_source_that_is_not_there_yet_is_waited_for(night: Any) -> None:
    plan, asked = night.function.default("plan"), []

    def late(event: Any) -> Any:
        asked.append(event["dataset"])
        ready = event["dataset"] != BAD or asked.count(BAD) > 3
        return {**plan(event), "ready": ready, "wait_seconds": 30}

    night.function.answers["plan"] = late
    ended = night.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert asked.count(BAD) == 4
    assert night.function.slept.count(30) == 3
    assert night.alerts() == []


def test_a_source_whose_shards_all_have_receipts_is_judged_at_once(night: Any) -> None:
    plan = night.function.default("plan")
    night.function.answers["plan"] = lambda event: {**plan(event), "shards": 0, "reused": 2}
    ended = night.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert night.function.events("convert") == []
    assert len(night.function.events("validate")) == 3


@pytest.mark.parametrize("function", ["plan", "validate"])
def test_an_error_of_a_branch_is_told_by_name_and_thrown_at_nobody(night: Any, function: str) -> None:
    night.function.fail(function, "EncodingError", when=of(BAD))
    ended = night.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert "EncodingError" in ended.cause
    (alert,) = night.alerts()
    assert "was rejected with EncodingError" in alert["Message"]
    assert len(night.function.events("validate")) == (2 if function == "plan" else 3)


@pytest.mark.parametrize("function", ["plan", "validate"])
def test_what_broke_for_another_reason_than_the_data_is_tried_again_with_the_same_delivery(
    night: Any, function: str
) -> None:
    night.function.fail(function, "SomeBug", times=1, when=of(BAD))
    assert night.run(**TRIGGER).status == "SUCCEEDED"
    (again,) = [event for event in night.function.events("plan") if event["attempt"] == 2]
    assert again["previous"] is None


def test_a_shard_that_cannot_be_converted_is_tried_again_with_the_same_delivery(night: Any) -> None:
    validate = night.function.default("validate")
    error = {"Error": "receipt.missing", "Cause": "a shard was not converted"}

    def judged(event: Any) -> Any:
        lost = event["dataset"] == BAD and event["attempt"] == 1
        return {**validate(event), **({"status": "rejected", "error": error, "delivery": None} if lost else {})}

    night.function.answers["validate"] = judged
    night.function.fail("convert", "JsonSyntaxError", times=1)
    assert night.run(**TRIGGER).status == "SUCCEEDED"
    (again,) = [event for event in night.function.events("plan") if event["attempt"] == 2]
    assert (again["dataset"], again["previous"]) == (BAD, None)
    assert tries(night, "validate") == [1, 2]


def test_shards_that_do_not_join_are_cut_anew_until_they_do(night: Any) -> None:
    validate, rounds = night.function.default("validate"), []
    plan = night.function.default("plan")

    def judged(event: Any) -> Any:
        if event["dataset"] != BAD:
            return validate(event)
        rounds.append(event["plan"])
        if len(rounds) > 2:
            return validate(event)
        cut = plan({**event, "previous": None, "run_id": f"{event['run_id']}/{len(rounds)}"})
        again = {"shards": 2, "shard_file": cut["shard_file"], "plan": f"round {len(rounds)}"}
        return {**dict.fromkeys(validate(event)), "dataset": BAD, "status": "unproved", **again}

    night.function.answers["validate"] = judged
    ended = night.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert rounds[1:] == ["round 1", "round 2"]
    assert tries(night, "plan") == [1]
    assert len(night.function.events("convert")) == 6 + 2 * 2
    assert night.alerts() == []


def test_a_child_that_dies_is_tried_again_by_itself(night: Any) -> None:
    night.function.fail("convert", "Lambda.Unknown", times=2)
    ended = night.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert len(night.function.events("convert")) == 8


def test_a_source_that_may_be_missing_does_not_stop_the_night(night: Any) -> None:
    sources = [each.model_copy(update={"required": each.dataset != BAD}) for each in night.pipeline.sources]
    night.redeploy(night.pipeline.model_copy(update={"sources": tuple(sources)}))
    deliver(night, "bad")
    ended = night.run(date="2026-11-20")
    assert ended.status == "SUCCEEDED"
    (sealed,) = night.function.events("seal")
    assert sealed["validations"] == ["verdict/products", "verdict/customers"]
    (alert,) = night.alerts()
    assert "the night goes on without it" in alert["Message"]


def test_a_source_that_was_given_up_is_in_the_record_of_a_night_that_fails_later(night: Any) -> None:
    sources = [each.model_copy(update={"required": each.dataset != BAD}) for each in night.pipeline.sources]
    night.redeploy(night.pipeline.model_copy(update={"sources": tuple(sources)}))
    night.function.fail("plan", "SourceNotReadyError", when=of(BAD))
    night.function.fail("publish", "SealedFilesChangedError")
    ended = night.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "SealedFilesChangedError")
    (record,) = night.objects(layout.records("sales")).values()
    told = {source["dataset"]: source["error"] for source in record["sources"]}
    assert told[BAD]["Error"] == "SourceNotReadyError"
    assert record["error"]["Error"] == "SealedFilesChangedError"


def test_a_source_that_waited_until_its_deadline_is_told_of_once_and_not_tried_again(night: Any) -> None:
    night.function.fail("plan", "SourceNotReadyError", when=of(BAD))
    ended = night.run(**TRIGGER)
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert tries(night, "plan") == [1]
    (alert,) = night.alerts()
    assert alert["Subject"] == "Nightlake: sales: transactions was rejected, given up"


def test_a_source_that_nobody_can_explain_is_given_up_with_its_error_told_as_it_stands(night: Any) -> None:
    deliver(night, "bad", "bad", "bad", "bad")
    night.function.fail("explain", "SomeBug")
    ended = night.run(**TRIGGER)
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert tries(night, "validate") == [1]
    (alert,) = night.alerts()
    assert alert["Subject"] == "Nightlake: sales: transactions was rejected, given up"
    assert "was rejected with rows for 2026-11-20, and nobody could explain it: SomeBug" in alert["Message"]
    assert alert["Message"].endswith("Cause: transactions: too few rows. Look at quarantine")


def test_the_last_word_on_a_source_is_told_by_the_night_when_its_own_alert_could_not_be_sent(night: Any) -> None:
    deliver(night, "bad", "bad", "bad", "bad")
    plan = night.function.answers["plan"]

    def planned(event: Any) -> Any:
        if event["attempt"] == 4:
            boto3.client("sns").delete_topic(TopicArn=night.topic)
        return plan(event)

    night.function.answers["plan"] = planned
    ended = night.run(**TRIGGER)
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert "AlertFailure" in ended.states


def test_forty_sources_with_endless_causes_fit_through_step_functions(night: Any) -> None:
    source, dataset = night.pipeline.sources[0], night.pipeline.datasets[0]
    names = [f"dataset_{number}" for number in range(40)]
    many = {
        "sources": tuple(source.model_copy(update={"dataset": name}) for name in names),
        "datasets": tuple(dataset.model_copy(update={"name": name, "relationships": ()}) for name in names),
    }
    pipeline = night.pipeline.model_copy(update=many)
    night.redeploy(pipeline)

    def endless(_event: Any) -> Any:
        raise ValueError("x" * 30_000)

    night.function.answers["plan"] = endless
    ended = night.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "SourceRejectedError")
    assert len(ended.cause) < CAUSE_LIMIT
    assert {each["dataset"] for each in json.loads(ended.cause)} == set(names)
