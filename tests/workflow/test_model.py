"""What recommends and what retrains: in which order, with what they are told, and how whatever fails ends."""

import json
from typing import Any

import pytest

RECOMMENDS = ["pin_model", "measure_model", "score_users", "score_users", "deliver_model", "states", "finish_model"]
TRAINS = ["train_model", "evaluate_model", "promote_model"]


def called(model: Any) -> list[str]:
    return [name for name, _ in model.function.calls]


def finished(model: Any) -> dict[str, Any]:
    """What the last end was told."""
    told: dict[str, Any] = model.function.events("finish_model")[-1]
    return told


def answer(model: Any, name: str, **changed: object) -> None:
    """Let a function answer as it does, but for this."""
    before = model.function.default(name)
    model.function.answers[name] = lambda event: {**before(event), **changed}


def test_a_snapshot_is_scored_by_the_champion_and_published_by_a_night_of_another_pipeline(model: Any) -> None:
    ended = model.run(reason="a night")
    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    assert called(model) == RECOMMENDS
    (pinned,) = model.function.events("pin_model")
    assert (pinned["pipeline"], pinned["purpose"], pinned["input"]) == ("sales", "recommend", {"reason": "a night"})
    known = {"pipeline": "sales", "run_id": "the run"}
    about = {**known, "date": "2026-11-20", "champion": 3, "snapshot": 7}
    assert model.function.events("measure_model") == [about]
    assert {event["shard"]["index"] for event in model.function.events("score_users")} == {0, 1}
    assert model.function.events("deliver_model") == [about]
    assert model.function.events("states") == [{"StateMachineArn": "publish", "Input": {"date": "2026-11-20"}}]
    end = finished(model)
    assert {key: end[key] for key in about} == about
    assert (end["purpose"], end["outcome"], end["published"], end["version"]) == ("recommend", "succeeded", True, None)
    assert end["execution_id"] == ended.arn
    assert model.alerts() == []


def test_the_first_time_a_model_is_trained_and_promoted_and_then_it_scores(model: Any) -> None:
    answer(model, "pin_model", champion=0, needs_training=True)
    assert model.run().status == "SUCCEEDED"
    assert called(model) == [RECOMMENDS[0], *TRAINS, *RECOMMENDS[1:]]
    (promoted,) = model.function.events("promote_model")
    assert (promoted["version"], promoted["expected"]) == (4, 0)
    later = ("measure_model", "deliver_model", "finish_model")
    assert {event["champion"] for name in later for event in model.function.events(name)} == {4}


def test_a_first_model_that_is_refused_recommends_nothing_and_fails_by_name(model: Any) -> None:
    answer(model, "pin_model", champion=0, needs_training=True)
    answer(model, "evaluate_model", promote=False, reasons=["some lists are empty"])
    ended = model.run()
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "ModelRejectedError", '["some lists are empty"]')
    assert called(model) == ["pin_model", "train_model", "evaluate_model", "finish_model"]
    assert len(model.alerts()) == 1


@pytest.mark.parametrize("machine", ["machine", "retrain"])
def test_the_second_delivery_of_an_event_ends_well_and_does_nothing(model: Any, machine: str) -> None:
    answer(model, "pin_model", duplicate=True)
    ended = model.run(getattr(model, machine))
    assert (ended.status, ended.states[-1]) == ("SUCCEEDED", "Duplicate")
    assert called(model) == ["pin_model"]


@pytest.mark.parametrize("function", ["pin_model", "measure_model", "deliver_model", "states", "finish_model"])
def test_whatever_fails_while_recommending_ends_after_one_alert_and_is_noted(model: Any, function: str) -> None:
    model.function.fail(function, "SomethingBroke", when=lambda event: event.get("outcome") != "failed")
    ended = model.run()
    assert (ended.status, ended.error) == ("FAILED", "SomethingBroke")
    assert ended.states[-3:] == ("AlertFailure", "FinishFailed", "Failed")
    (alert,) = model.alerts()
    assert alert["Subject"] == "Nightlake: recommendations of sales failed"
    assert "sales failed with SomethingBroke; those published before stay. Run " in alert["Message"]
    end = finished(model)
    assert (end["outcome"], end["error"]["Error"]) == ("failed", "SomethingBroke")
    assert (end["champion"], end["date"]) == ((None, None) if function == "pin_model" else (3, "2026-11-20"))
    assert "published" not in end
    started = [event["StateMachineArn"] for event in model.function.events("states")]
    assert started == (["publish"] if function in ("states", "finish_model") else [])


def test_lists_of_which_a_shard_is_missing_are_not_published(model: Any) -> None:
    model.function.fail("score_users", "SomethingBroke", when=lambda event: event["shard"]["index"] == 1)
    model.function.fail("deliver_model", "ScoringIncompleteError")
    assert model.run().error == "ScoringIncompleteError"
    assert model.function.events("states") == []


def test_a_night_that_fails_to_publish_has_told_of_it_itself(model: Any) -> None:
    def fails(event: dict[str, Any]) -> dict[str, Any]:
        raise model.function.error("ExecutionFailed", ExecutionArn=event["StateMachineArn"], Status="FAILED")

    model.function.answers["states"] = fails
    ended = model.run()
    assert (ended.status, ended.error) == ("FAILED", "ExecutionFailed")
    assert ended.states[-3:] == ("IsTold", "FinishFailed", "Failed")
    assert model.alerts() == []
    assert finished(model)["outcome"] == "failed"


def test_what_has_drifted_is_published_and_then_starts_a_retraining_once(model: Any) -> None:
    answer(model, "measure_model", drifted=True, reasons=["listening moved by 0.3"])
    assert model.run().status == "SUCCEEDED"
    _, started = model.function.events("states")
    assert started == {"StateMachineArn": "retrain", "Input": {"reason": 'drift: ["listening moved by 0.3"]'}}
    assert called(model)[-2:] == ["finish_model", "states"]
    model.function.calls.clear()
    assert model.run(retrained=True).status == "SUCCEEDED"
    assert [event["StateMachineArn"] for event in model.function.events("states")] == ["publish"]


def test_a_better_challenger_is_promoted_and_recommends_at_once(model: Any) -> None:
    assert model.run(model.retrain, reason="weekly").status == "SUCCEEDED"
    assert called(model) == ["pin_model", *TRAINS, "finish_model", "states"]
    (pinned,) = model.function.events("pin_model")
    assert (pinned["purpose"], pinned["input"]) == ("retrain", {"reason": "weekly"})
    (trained,) = model.function.events("train_model")
    assert (trained["reason"], trained["snapshot"], trained["champion"]) == ("weekly", 7, 3)
    (promoted,) = model.function.events("promote_model")
    assert (promoted["version"], promoted["expected"], promoted["reason"]) == (4, 3, "weekly")
    end = finished(model)
    assert (end["outcome"], end["champion"], end["version"]) == ("succeeded", 4, 4)
    (started,) = model.function.events("states")
    assert started == {
        "StateMachineArn": "recommend",
        "Input": {"retrained": True, "reason": "version 4 was promoted"},
    }


def test_a_worse_challenger_is_rejected_and_changes_nothing(model: Any) -> None:
    answer(model, "evaluate_model", promote=False, reasons=["it is worse by 0.01"])
    ended = model.run(model.retrain)
    assert ended.status == "SUCCEEDED"
    assert ended.output["end"] == {"outcome": "rejected", "champion": 3}
    assert ended.output["judged"]["reasons"] == ["it is worse by 0.01"]
    assert called(model) == ["pin_model", *TRAINS[:2], "finish_model"]
    assert (finished(model)["outcome"], finished(model)["version"]) == ("rejected", 4)
    assert model.alerts() == []


@pytest.mark.parametrize("function", ["train_model", "evaluate_model", "promote_model", "finish_model", "states"])
def test_whatever_fails_while_retraining_ends_after_one_alert_and_is_noted(model: Any, function: str) -> None:
    model.function.fail(function, "SomethingBroke", when=lambda event: event.get("outcome") != "failed")
    ended = model.run(model.retrain)
    assert (ended.status, ended.error) == ("FAILED", "SomethingBroke")
    (alert,) = model.alerts()
    assert alert["Subject"] == "Nightlake: retraining of sales failed"
    assert finished(model)["outcome"] == "failed"
    assert (finished(model)["version"] is None) == (function == "train_model")


def test_another_run_of_the_model_is_waited_for(model: Any) -> None:
    model.function.fail("pin_model", "RunInProgressError", times=20)
    assert model.run(model.retrain).status == "SUCCEEDED"
    assert sum(model.function.slept) > 15 * 60


def test_every_call_is_of_a_few_bytes(model: Any) -> None:
    model.run()
    assert max(len(json.dumps(event)) for _, event in model.function.calls) < 1_000
