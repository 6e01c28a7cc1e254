"""What is done with a pipeline's model, followed to its end: a scoring that is published, a training that is judged."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from nightlake.core.history import newest_day
from nightlake.core.model.drop_off import RECOMMENDATIONS
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli import api_access
from cli.cloud import Cloud, OfStage, Stage, connect
from cli.errors import ApiUnreachableError, CredentialMissingError
from cli.execution import Ended, follow, payload_of, start
from cli.lake import lake_of
from cli.night import Night, machine
from cli.output import FAILED, Json, answer, errors_told
from cli.pipelines import PipelineName, read_model

_LOOKS: Final = 20
_SECONDS_BETWEEN: Final = 1.5
_JSON: Final = "application/json"
_SHOWN: Final = 10
"""Recommendations that a view has."""

Reason = Annotated[str, typer.Option(help="Why; it stays in the record.")]


@dataclass(frozen=True)
class ModelRun:
    """An execution of a model's machine that has ended, and what it said last; nothing where it failed."""

    pipeline: str
    kind: str
    ended: Ended
    output: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """All there is to know of it, as `--json` prints it."""
        run, trained = self.output.get("run", {}), self.output.get("judged", {})
        return {
            "pipeline": self.pipeline,
            **self.ended.facts,
            "date": run.get("date"),
            "run_id": run.get("run_id"),
            "duplicate": run.get("duplicate", False),
            "champion": run.get("champion"),
            "version": trained.get("version"),
            "promoted": trained.get("promote"),
            "reasons": trained.get("reasons", []),
            "drifted": self.output.get("measured", {}).get("drifted"),
            "published": self.output.get("published"),
            "states": [asdict(state) for state in self.ended.states],
        }


def retrain(
    pipeline: PipelineName,
    *,
    reason: Reason = "asked",
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Train a challenger and follow it: it becomes champion if it is better. Ends with 1 where the training fails."""
    _follow(pipeline, "retrain", {"reason": reason}, stage, as_json=as_json)


def recommend(
    pipeline: PipelineName,
    *,
    again: Annotated[bool, typer.Option("--again", help="Even if the champion has scored this snapshot.")] = False,
    reason: Reason = "asked",
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Let the champion score what is published, and follow it. Ends with 1 where that fails."""
    _follow(pipeline, "recommend", {"reason": reason, "again": again}, stage, as_json=as_json)


def _follow(pipeline: str, kind: str, payload: Mapping[str, Any], stage: Stage, *, as_json: bool) -> None:
    with errors_told(as_json=as_json):
        read_model(pipeline)
        cloud = connect(stage)
        client = cloud.client("stepfunctions")
        arn = start(client, machine(cloud, cloud.outputs(), pipeline, kind), payload)
        done = _ended(client, pipeline, kind, arn)
    facts = done.facts()
    answer(facts, view=Group(*told(done)), as_json=as_json, code=0 if done.ended.good else FAILED)


def after(cloud: Cloud, night: Night) -> ModelRun | None:
    """The scoring that a night has started by its event, followed to its end; one is started where none comes.

    None after a night of an older day than the newest that is published: nobody scores it.
    """
    outputs = cloud.outputs()
    client = cloud.client("stepfunctions")
    newest = newest_day(lake_of(cloud).head(night.pipeline))
    if night.record is None or night.record.date is None or (newest and night.record.date < newest):
        return None
    recommends, run = machine(cloud, outputs, night.pipeline, "recommend"), night.record.run_id
    for _ in range(_LOOKS):
        arn = _started_by(client, recommends, run)
        if arn is not None:
            return _ended(client, night.pipeline, "recommend", arn)
        time.sleep(_SECONDS_BETWEEN)
    # What is scored is not scored again: one that comes late finds nothing to do.
    arn = start(client, recommends, {"reason": f"asked after run {run}"})
    return _ended(client, night.pipeline, "recommend", arn)


def _started_by(client: Any, recommends: str, run: str) -> str | None:
    """The execution that the event of this run has started."""
    for execution in client.list_executions(stateMachineArn=recommends, maxResults=10)["executions"]:
        arn: str = execution["executionArn"]
        night = payload_of(client.describe_execution(executionArn=arn)).get("night")
        if night and night.get("run_id") == run:
            return arn
    return None


def _ended(client: Any, pipeline: str, kind: str, arn: str) -> ModelRun:
    ended = follow(client, arn)
    output = json.loads(client.describe_execution(executionArn=arn).get("output") or "{}") if ended.good else {}
    return ModelRun(pipeline, kind, ended, output)


def told(done: ModelRun) -> Iterator[RenderableType]:
    """What a person wants to know of it."""
    facts = done.facts()
    colour = "green" if done.ended.good else "red"
    yield f"\n[bold]{done.kind} {done.pipeline}[/]: [{colour}]{facts['status']}[/] in {facts['seconds']} s"
    if not done.ended.good:
        yield Text(f"{facts['error']}: {facts['meaning'] or 'an error of AWS or of the state machine.'}", "red")
        yield Text(str(facts["cause"]))
        yield Text(f"What was recommended before stays. Execution: {facts['execution']}")
    elif facts["duplicate"]:
        yield Text(
            f"Version {facts['champion']} has scored this snapshot: nothing to do (--again does it all the same)."
        )
    elif done.kind == "retrain":
        verdict = "is champion now, and scores" if facts["promoted"] else "is rejected"
        yield Text(f"Version {facts['version']} {verdict}: {'; '.join(facts['reasons'])}")
    else:
        yield Text(f"Version {facts['champion']} scored {facts['date']}: snapshot {_snapshot(facts)} is published.")
        if facts["drifted"]:
            yield Text(
                f"It has drifted, and a challenger is being trained: nightlake model list {done.pipeline}", "yellow"
            )


def _snapshot(facts: Mapping[str, Any]) -> str:
    return str((facts["published"] or {}).get("snapshot"))


@dataclass(frozen=True)
class Recommended:
    """What the API recommends to somebody, and a command line that asks for it."""

    user: Any
    answer: Mapping[str, Any]
    curl: str

    def view(self) -> Iterator[RenderableType]:
        """The list as a person reads it."""
        said = self.answer
        head = f"\nRecommended to {self.user} by version {said['model_version']} ({said['source']}, {said['date']})"
        table = Table(box=None)
        names = [name for name in said["items"][0] if name != "score"] if said["items"] else []
        for name in names:
            table.add_column(name, justify="right" if name == "rank" else "left")
        for item in said["items"][:_SHOWN]:
            table.add_row(*(Text(str(item[name])) for name in names))
        yield Text(head, "bold")
        yield table
        yield Text(f"API: {self.curl}")


def recommended(cloud: Cloud, pipeline: str) -> Recommended | None:
    """What is recommended to one of those who have a list; None where the API does not tell this machine."""
    key = read_model(pipeline).users.key
    try:
        found = api_access.get(cloud, f"/v1/datasets/{RECOMMENDATIONS}/rows?limit=1&select={key}", _JSON)
        if not found.is_good:
            return None
        user = json.loads(found.body)["rows"][0][key]
        path = f"/v1/recommendations/{quote(str(user), safe='')}?pipeline={pipeline}"
        answered = api_access.get(cloud, path, _JSON)
    except (CredentialMissingError, ApiUnreachableError):
        return None
    if not answered.is_good:
        return None
    return Recommended(user, json.loads(answered.body), api_access.curl(cloud, cloud.outputs(), path))
