"""What `nightlake model` tells of versions, how it moves the champion, and how a scoring is found and followed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nightlake.core import layout
from nightlake.core.model.model_record import Difference, ModelVerdict
from nightlake.core.pipeline import Pipeline
from nightlake.handlers import promote_model
from recommended_lake import RecommendedLake, recommend
from rich.console import Console
from test_model_registry import METRICS
from typer.testing import CliRunner, Result

from cli import model_runs, model_versions, run
from cli.api_access import Answered
from cli.errors import CredentialMissingError
from cli.execution import Ended
from cli.lake import Lake
from cli.main import app
from cli.model_runs import ModelRun, Recommended, told
from cli.night import Night

ARN = "arn:aws:states:us-east-1:000000000000:execution:nightlake-local-music-{}:{}"


class StoreLake(Lake):
    """The lake of a command, over objects in memory."""

    def read(self, key: str) -> bytes | None:
        found = self.s3.read(key)
        return None if found is None else bytes(found[0])

    def keys(self, prefix: str) -> list[str]:
        return [found.key for found in self.s3.list(prefix)]


class Deployed:
    """A stage as far as these commands ask it."""

    def outputs(self) -> dict[str, str]:
        return {"PromoteModelFunction": "promote"}


@pytest.fixture
def lake(
    every_pipeline: dict[str, Pipeline],
    environment: Callable[..., None],
    lambda_context: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> RecommendedLake:
    """Version 1 is champion and has published; version 2 was judged good and has not; nobody judged version 3."""
    compiled = tmp_path / "compiled"
    compiled.mkdir()
    (compiled / "music.json").write_text(every_pipeline["music"].model_dump_json())
    environment(CONTRACTS=str(compiled))
    lake = RecommendedLake(every_pipeline["music"], every_pipeline["recommendations"])
    recommend(lake)
    lake.train(2)
    verdict = ModelVerdict(
        version=2,
        against=1,
        at="2026-11-21T05:00:00+00:00",
        challenger=METRICS.model_copy(update={"precision": 0.31}),
        champion=METRICS,
        popularity=METRICS.model_copy(update={"precision": 0.08}),
        lead=Difference(low=0.05, mean=0.11, high=0.17),
        over_popularity=None,
        promote=True,
        reasons=("better by 0.05 at least",),
    )
    lake.store.put_model(layout.model_verdict("music", 2), verdict)
    lake.train(3)
    monkeypatch.setattr(promote_model, "Objects", lambda _bucket: lake.store)
    monkeypatch.setattr(model_versions, "connect", lambda _stage: Deployed())
    monkeypatch.setattr(model_versions, "lake_of", lambda _cloud: StoreLake(lake.store, "lake"))
    monkeypatch.setattr(
        model_versions, "invoke", lambda _cloud, _function, payload: promote_model.handler(payload, lambda_context)
    )
    return lake


def model(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["model", *arguments], env={"COLUMNS": "160", "TERM": "dumb"})
    assert done.exit_code == code, done.output
    return done


def told_json(*arguments: str, code: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(model(*arguments, "--json", code=code).stdout)
    assert answer["ok"] is (code == 0)
    return answer


def test_list_tells_of_each_version_what_became_of_it(lake: RecommendedLake) -> None:
    answer = told_json("list", "music")
    assert answer["champion"] == 1
    assert [(each["version"], each["champion"], bool(each["scored"])) for each in answer["versions"]] == [
        (3, False, False),
        (2, False, False),
        (1, True, True),
    ]
    lines = [line.split() for line in model("list", "music").stdout.splitlines()]
    assert [(line[0], line[-1]) for line in lines[2:]] == [("3", "unjudged"), ("2", "good"), ("1", "2026-11-20")]
    assert [line[-3:] for line in lines[3:]] == [["0.3100", "0.0800", "good"], ["0.2000", "champion", "2026-11-20"]]


def test_a_list_is_readable_in_a_narrow_terminal(lake: RecommendedLake) -> None:
    told = CliRunner().invoke(app, ["model", "list", "music"], env={"COLUMNS": "80", "TERM": "dumb"}).stdout
    assert all(name in told for name in ("precision", "popularity", "published", "champion", "2026-11-20"))
    assert len(told.splitlines()) < 10


def test_show_tells_of_the_champion_unless_a_version_is_named(lake: RecommendedLake) -> None:
    assert told_json("show", "music")["version"] == 1
    second = told_json("show", "music", "2")
    assert (second["verdict"]["promote"], second["scored"], second["history"][0]["version"]) == (True, None, 1)
    text = model("show", "music", "2").stdout
    assert "Version 2 of the model of music, not champion" in text
    assert "0.3100" in text
    assert "better by 0.05 at least" in text


def test_promote_and_rollback_move_the_champion_and_say_how_to_go_back(lake: RecommendedLake) -> None:
    moved = told_json("promote", "music", "2", "--reason", "it listens better")
    assert (moved["champion"], moved["before"], moved["scored"]) == (2, 1, None)
    assert told_json("show", "music")["history"][0]["reason"] == "it listens better"
    text = model("rollback", "music").stdout
    assert "Champion of music is version 1 (before: 2)" in text
    assert "The API answers from what it published for 2026-11-20." in text
    assert "nightlake model promote music 2" in text
    assert "nightlake model recommend" not in text
    lake.listen({17: "Rock"})
    assert "More is published by now: nightlake model recommend music" in model("promote", "music", "1").stdout
    assert "It has published nothing yet: nightlake model recommend music" in model("promote", "music", "2").stdout


def test_the_first_champion_is_rolled_back_to_none(lake: RecommendedLake) -> None:
    text = model("rollback", "music").stdout
    assert "music has no champion (before: 1)" in text
    assert "The API answers with what is popular" in text
    assert "nightlake model promote music 1" in text
    assert told_json("list", "music")["champion"] is None
    assert "no champion" in told_json("show", "music", code=1)["reason"]
    assert "promote a version by number" in told_json("rollback", "music", code=1)["reason"]


def test_what_was_not_judged_good_becomes_champion_by_force_alone(lake: RecommendedLake) -> None:
    refused = told_json("promote", "music", "3", code=1)
    assert refused["error"] == "ModelRejectedError"
    assert told_json("promote", "music", "3", "--force")["champion"] == 3
    assert "Version 3 is champion of music already." in model("promote", "music", "3", "--force").stdout


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("show", "music", "9"), "ModelNotFoundError", "has no version 9 (it has: 3, 2, 1)"),
        (("promote", "music", "9"), "ModelNotFoundError", "has no version 9"),
        (("list", "sales"), "NoModelError", "Pipeline 'sales' has no model"),
        (("list", "musik"), "PipelineUnknownError", "pipelines/ has no pipeline 'musik'"),
    ],
)
def test_what_there_is_not_is_said_by_name(
    lake: RecommendedLake, arguments: tuple[str, ...], error: str, said: str
) -> None:
    answer = told_json(*arguments, code=1)
    assert answer["error"] == error
    assert said in answer["reason"]


def test_a_model_without_a_version_says_how_to_get_one(lake: RecommendedLake, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = RecommendedLake(lake.music, lake.recommendations)
    monkeypatch.setattr(model_versions, "lake_of", lambda _cloud: StoreLake(empty.store, "lake"))
    assert told_json("list", "music")["versions"] == []
    assert "nightlake model retrain music" in model("list", "music").stdout
    assert "no champion yet" in told_json("show", "music", code=1)["reason"]


def run_of(kind: str, status: str = "SUCCEEDED", **output: Any) -> ModelRun:
    good = status == "SUCCEEDED"
    ended = Ended(
        arn=ARN.format(kind, "one"),
        status=status,
        started=datetime(2026, 11, 21, 4, tzinfo=UTC),
        seconds=4.2,
        error=None if good else "ScoringIncompleteError",
        cause=None if good else "Shard 3 was not scored",
        states=(),
    )
    return ModelRun("music", kind, ended, output)


def text_of(*parts: Any) -> str:
    console = Console(width=160, force_terminal=False)
    with console.capture() as captured:
        console.print(*parts, sep="\n")
    return captured.get()


SCORED = {"run": {"date": "2026-11-20", "champion": 2}, "published": {"snapshot": 5}, "measured": {"drifted": True}}
JUDGED = {"run": {"champion": 1}, "judged": {"version": 2, "promote": False, "reasons": ["not better"]}}


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (run_of("recommend", **SCORED), "Version 2 scored 2026-11-20: snapshot 5 is published."),
        (run_of("recommend", **SCORED), "It has drifted, and a challenger is being trained"),
        (run_of("recommend", run={"champion": 2, "duplicate": True}), "Version 2 has scored this snapshot"),
        (run_of("retrain", **JUDGED), "Version 2 is rejected: not better"),
        (run_of("retrain", **{**JUDGED, "judged": {"version": 2, "promote": True}}), "Version 2 is champion now"),
        (run_of("recommend", "FAILED"), "What was recommended before stays."),
    ],
)
def test_how_it_ended_is_told_in_a_sentence(done: ModelRun, said: str) -> None:
    assert said in text_of(*told(done))


class States:
    """Step Functions with executions of a model's machine, the newest first: their names and inputs."""

    def __init__(self, inputs: Mapping[str, Mapping[str, Any]]) -> None:
        self.inputs = dict(inputs)
        self.started: list[Mapping[str, Any]] = []

    def list_executions(self, **_: Any) -> dict[str, Any]:
        return {"executions": [{"executionArn": name} for name in self.inputs]}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"input": json.dumps(self.inputs[executionArn]), "output": "{}"}

    def start_execution(self, *, stateMachineArn: str, input: str) -> dict[str, Any]:  # noqa: A002, ARG002, N803 - boto3's names
        self.inputs = {"started": json.loads(input), **self.inputs}
        self.started.append(self.inputs["started"])
        return {"executionArn": "started"}


class Stage:
    """A stage with one machine, whose executions are known."""

    def __init__(self, states: States) -> None:
        self.states = states

    def outputs(self) -> dict[str, str]:
        machine = "arn:aws:states:us-east-1:000000000000:stateMachine:nightlake-local-music-recommend"
        return {"RecommendMachineMusic": machine}

    @property
    def stage(self) -> str:
        return "local"

    def client(self, _service: str) -> States:
        return self.states


@pytest.mark.parametrize(
    ("executions", "day", "followed"),
    [
        ({"a": {"night": {"run_id": "run"}}}, date(2026, 11, 20), "a"),
        ({"a": {"night": {"run_id": "another"}}}, date(2026, 11, 20), "started"),
        ({"a": {"night": {"run_id": "another"}}}, date(2026, 11, 19), None),
    ],
)
def test_the_scoring_that_a_night_has_started_is_followed_or_started_unless_the_night_is_of_an_older_day(
    lake: RecommendedLake,
    monkeypatch: pytest.MonkeyPatch,
    executions: dict[str, Any],
    day: date,
    followed: str | None,
) -> None:
    states = States(executions)
    ended = run_of("recommend").ended
    monkeypatch.setattr(model_runs, "lake_of", lambda _cloud: StoreLake(lake.store, "lake"))
    monkeypatch.setattr(model_runs, "follow", lambda _client, arn: replace(ended, arn=arn))
    monkeypatch.setattr(model_runs.time, "sleep", lambda _seconds: None)
    night = Night("music", ended, SimpleNamespace(run_id="run", date=day))  # type: ignore[arg-type] - as far as it is read
    done = model_runs.after(Stage(states), night)  # type: ignore[arg-type] - as far as it is asked
    assert (done and done.ended.arn) == followed
    assert len(states.started) == (followed == "started")


def test_the_scoring_of_a_night_is_known_by_its_run() -> None:
    executions = {"c": {"reason": "asked"}, "b": {"night": {"run_id": "two"}}, "a": {"night": {"run_id": "one"}}}
    assert model_runs._started_by(States(executions), "machine", "one") == "a"
    assert model_runs._started_by(States(executions), "machine", "three") is None


def test_a_list_is_shown_with_the_command_that_asks_for_it() -> None:
    items = [
        {"rank": rank, "track_id": rank, "name": f"Song {rank}", "artist": "[Who]", "score": 0.5}
        for rank in range(1, 13)
    ]
    answer = {"user_id": 7, "model_version": 2, "source": "model", "date": "2026-11-20", "items": items}
    text = text_of(*Recommended(7, answer, "curl https://lake.example/v1/recommendations/7").view())
    assert "Recommended to 7 by version 2 (model, 2026-11-20)" in text
    assert "[Who]" in text
    assert "Song 10" in text
    assert "Song 11" not in text
    assert "curl https://lake.example/v1/recommendations/7" in text


@pytest.mark.parametrize(
    ("night", "scoring", "code"),
    [("SUCCEEDED", "SUCCEEDED", 0), ("SUCCEEDED", "FAILED", 1), ("FAILED", None, 1), ("SUCCEEDED", None, 0)],
)
def test_a_night_ends_with_its_scoring_and_with_a_list(
    monkeypatch: pytest.MonkeyPatch, night: str, scoring: str | None, code: int
) -> None:
    answer = {"model_version": 2, "source": "model", "date": "2026-11-20", "items": [{"rank": 1, "score": 1.0}]}
    ended = Night("music", run_of("daily", night).ended, None)
    scored = run_of("recommend", scoring, **SCORED) if scoring else None
    monkeypatch.setattr(run, "connect", lambda _stage: None)
    monkeypatch.setattr(run, "run_night", lambda *_: ended)
    monkeypatch.setattr(Night, "facts", lambda self, _cloud: {"status": self.ended.status})
    monkeypatch.setattr(run, "summary", lambda _facts: "the night")
    monkeypatch.setattr(run, "after", lambda *_: scored)
    monkeypatch.setattr(run, "recommended", lambda *_: Recommended(7, answer, "curl x"))
    told = CliRunner().invoke(app, ["run", "music", "--json"])
    assert told.exit_code == code, told.output
    facts = json.loads(told.stdout)
    assert (facts["status"], facts.get("recommend", {}).get("status")) == (night, scoring)
    assert (facts.get("recommended") or {}).get("user") == (7 if scoring == "SUCCEEDED" else None)
    shown = CliRunner().invoke(app, ["run", "music"]).stdout
    assert ("Recommended to 7" in shown) == (scoring == "SUCCEEDED")


class Answers:
    """The API as commands ask it: a list of answers, or of errors."""

    def __init__(self, *answers: Answered | Exception) -> None:
        self.answers, self.asked = [*answers], list[str]()

    def __call__(self, _cloud: object, path: str, _accept: str) -> Answered:
        self.asked.append(path)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def body(**content: Any) -> Answered:
    return Answered(200, "application/json", json.dumps(content).encode())


def test_an_example_is_of_somebody_who_has_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(body(rows=[{"user_id": 7}]), body(user_id=7, items=[]))
    monkeypatch.setattr(model_runs.api_access, "get", answers)
    monkeypatch.setattr(model_runs.api_access, "curl", lambda _cloud, _outputs, path: f"curl {path}")
    example = model_runs.recommended(Stage(States({})), "music")  # type: ignore[arg-type] - as far as it is asked
    assert example is not None
    assert (example.user, example.curl) == (7, "curl /v1/recommendations/7?pipeline=music")
    assert answers.asked[0] == "/v1/datasets/recommendations/rows?limit=1&select=user_id"


@pytest.mark.parametrize(
    "answers",
    [
        [CredentialMissingError("set it")],
        [Answered(403, "application/problem+json", b"{}")],
        [body(rows=[{"user_id": 7}]), Answered(404, "application/problem+json", b"{}")],
    ],
)
def test_a_night_does_not_fail_because_this_machine_may_not_ask_the_api(
    monkeypatch: pytest.MonkeyPatch, answers: list[Answered | Exception]
) -> None:
    monkeypatch.setattr(model_runs.api_access, "get", Answers(*answers))
    assert model_runs.recommended(Stage(States({})), "music") is None  # type: ignore[arg-type] - as far as it is asked
