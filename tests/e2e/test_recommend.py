"""From a night to a person's list, with IAM enforced: trained, drifted, retrained, refused, taken back.

The story is told once; each test looks at one part of it. Beside every step stands what the API answered after it.
"""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from nightlake.core import layout

from local.aws import Endpoint
from local.sources import service

pytestmark = pytest.mark.e2e

FIRST, LATER, LAST = date(2026, 3, 10), date(2026, 4, 7), date(2026, 4, 8)
SHIFT = date(2026, 3, 11)
ROWS = 8_000  # about 200 users
SOMEBODY = 5
SECONDS = 240
Answer = dict[str, Any]


@dataclass
class Stage:
    """The deployed stage, and which executions of it have been looked at."""

    nightlake: Any
    cloud: Endpoint
    outputs: dict[str, str]
    home: Path
    until: Callable[..., Any]
    seen: set[str] = field(default_factory=set)

    def good(self, *arguments: str) -> Answer:
        """The answer of a command that ends well."""
        done = self.nightlake(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        answer: Answer = json.loads(done.stdout)
        return answer

    def night(self, day: date) -> Answer:
        """A night of the music, after the app has come to the end of the day."""
        self.good("seed", "music", "--from", day.isoformat(), "--rows", str(ROWS))
        return self.good("run", "music", "--date", day.isoformat())

    def start(self, machine: str, **given: object) -> None:
        """Start a machine of the model."""
        self.cloud.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[f"{machine}Music"], input=json.dumps(given)
        )

    def ends(self, *machines: str) -> list[Answer]:
        """The next execution of each of these, once it has ended."""
        return [self._end(machine) for machine in machines]

    def _end(self, machine: str) -> Answer:
        states = self.cloud.client("stepfunctions")

        def newest() -> Answer | None:
            listed = states.list_executions(stateMachineArn=self.outputs[f"{machine}Music"])["executions"]
            new = [each for each in reversed(listed) if each["executionArn"] not in self.seen]
            return new[0] if new and new[0]["status"] != "RUNNING" else None

        ended = self.until(newest, seconds=SECONDS)
        self.seen.add(ended["executionArn"])
        described: Answer = states.describe_execution(executionArn=ended["executionArn"])
        described["output"] = json.loads(described.get("output") or "null")
        return described

    def forget(self, execution: Answer) -> None:
        """Let the lock of the model be that of an execution, as if it had died with it."""
        owner = {"execution_id": execution["executionArn"], "run_id": "forgotten", "since": "2026-03-10T03:00:00Z"}
        body = json.dumps({"owner": owner}).encode()
        s3, lake = self.cloud.client("s3"), self.outputs["LakeBucket"]
        s3.put_object(Bucket=lake, Key=layout.model_lock("music"), Body=body)

    def tell(self, **told: Any) -> None:
        """Let the app of the music be another one, or misbehave."""
        music = service.recorded(self.home, "music")
        assert music is not None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{music.url}/control", timeout=30) as answered:
            state = json.load(answered) | {"asked": []}
        state |= {"faults": told.pop("faults", [])}
        state["settings"] |= told
        told_so = urllib.request.Request(f"{music.url}/control", json.dumps(state).encode(), method="PUT")  # noqa: S310
        opener.open(told_so, timeout=30).close()

    def lists(self) -> Answer:
        """What the API recommends to somebody."""
        return self.good("api", "get", f"/v1/recommendations/{SOMEBODY}")


@dataclass
class Story:
    """What happened, step by step: executions as they ended, and the API's answer after each step."""

    first: Answer
    trained: Answer
    drifted: Answer
    retrained: Answer
    again: Answer
    refused: Answer
    bad_night: Any
    unscored: Answer
    back: Answer
    after: dict[str, Answer]
    executions_after_bad_night: int


@pytest.fixture(scope="module")
def story(nightlake: Any, cloud: Endpoint, outputs: dict[str, str], home: Path, until: Callable[..., Any]) -> Story:
    stage = Stage(nightlake, cloud, outputs, home, until)
    after: dict[str, Answer] = {}
    first = stage.night(FIRST)
    (trained,) = stage.ends("RecommendMachine")
    after["trained"] = stage.lists()

    stage.tell(shift_from=SHIFT.isoformat())
    stage.night(LATER)
    drifted, retrained, again = stage.ends("RecommendMachine", "RetrainMachine", "RecommendMachine")
    after["retrained"] = stage.lists()

    stage.forget(again)
    stage.start("RetrainMachine", reason="a person asks")
    (refused,) = stage.ends("RetrainMachine")
    after["refused"] = stage.lists()

    stage.tell(faults=[{"kind": "fail", "match": "/listen_history"}])
    bad_night = nightlake("run", "music", "--date", LAST.isoformat(), "--json")
    stage.tell()
    states = cloud.client("stepfunctions")
    listed = [
        each
        for machine in ("RecommendMachine", "RetrainMachine")
        for each in states.list_executions(stateMachineArn=outputs[f"{machine}Music"])["executions"]
        if each["executionArn"] not in stage.seen
    ]

    s3, lake = cloud.client("s3"), outputs["LakeBucket"]
    key = layout.model_artifact("music", 2)
    kept = s3.get_object(Bucket=lake, Key=key)["Body"].read()
    s3.delete_object(Bucket=lake, Key=key)
    stage.forget(refused)
    stage.start("RecommendMachine", again=True)
    (unscored,) = stage.ends("RecommendMachine")
    s3.put_object(Bucket=lake, Key=key, Body=kept)
    after["unscored"] = stage.lists()

    back = stage.good("model", "rollback", "music")
    after["back"] = stage.lists()
    return Story(first, trained, drifted, retrained, again, refused, bad_night, unscored, back, after, len(listed))


def places(answer: Answer) -> list[int]:
    return [item["track_id"] for item in answer["items"]]


def test_a_night_leads_to_a_list_of_the_first_model(story: Story) -> None:
    assert story.trained["status"] == "SUCCEEDED", story.trained.get("cause")
    assert json.loads(story.trained["input"])["night"]["run_id"] == story.first["run_id"]
    answer = story.after["trained"]
    assert (answer["source"], answer["model_version"], answer["date"]) == ("model", 1, FIRST.isoformat())
    assert len(places(answer)) == len(set(places(answer))) == 20


def test_what_drifts_is_retrained_and_a_better_model_serves_at_once(story: Story) -> None:
    assert story.drifted["output"]["measured"]["drifted"] is True
    assert json.loads(story.retrained["input"])["reason"].startswith("drift: ")
    assert story.retrained["output"]["end"] == {"outcome": "succeeded", "champion": 2}, story.retrained
    assert json.loads(story.again["input"])["retrained"] is True
    assert story.again["status"] == "SUCCEEDED"
    answer = story.after["retrained"]
    assert (answer["model_version"], answer["date"]) == (2, LATER.isoformat())
    assert places(answer) != places(story.after["trained"])


def test_a_challenger_that_is_no_better_is_refused_and_changes_nothing(story: Story) -> None:
    assert story.refused["status"] == "SUCCEEDED"
    assert story.refused["output"]["end"] == {"outcome": "rejected", "champion": 2}
    assert story.refused["output"]["trained"] == {"version": 3}
    assert story.after["refused"] == story.after["retrained"]


def test_a_bad_night_neither_trains_nor_recommends(story: Story) -> None:
    assert story.bad_night.returncode != 0
    assert story.executions_after_bad_night == 0


def test_a_scoring_that_fails_leaves_the_lists_as_they_are(story: Story) -> None:
    assert (story.unscored["status"], story.unscored["error"]) == ("FAILED", "ModelUnreadableError")
    assert story.after["unscored"] == story.after["retrained"]


def test_taken_back_the_model_before_answers_with_its_own_lists(story: Story) -> None:
    answer = story.after["back"]
    assert (answer["source"], answer["model_version"]) == ("model", 1)
    # The first model has scored the later night, too, before it was found to have drifted.
    assert answer["date"] == LATER.isoformat()
