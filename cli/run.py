"""`nightlake run`: starts one night of a pipeline and follows it to its end."""

import json
import time
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.cloud import Cloud, Stage, connect
from cli.errors import PipelineUnknownError
from cli.output import FAILED, Json, answer, errors_told, facts_table, progress

_POLL_SECONDS = 0.5


def run(
    pipeline: Annotated[str, typer.Argument(help="The pipeline, a folder of pipelines/.")],
    date: Annotated[
        str | None, typer.Option(help="Business date YYYY-MM-DD.", show_default="the day the schedule would take now")
    ] = None,
    stage: Annotated[Stage, typer.Option(help="Which stage; dev and prod use your AWS credentials.")] = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Run one night of a pipeline and follow it, state by state. Ends with 1 where the night fails."""
    with errors_told(as_json=as_json):
        cloud = connect(stage)
        client = cloud.client("stepfunctions")
        started = client.start_execution(
            stateMachineArn=_machine(cloud, pipeline), input=json.dumps({"date": date} if date else {})
        )
        execution = _follow(client, started["executionArn"])
    result = {
        "execution": execution["executionArn"],
        "status": execution["status"],
        "seconds": round((execution["stopDate"] - execution["startDate"]).total_seconds(), 1),
    }
    if execution["status"] == "SUCCEEDED":
        result["output"] = json.loads(execution["output"])
    else:
        result |= {"error": execution.get("error"), "cause": _reason(execution.get("cause", ""))}
    good = result["status"] == "SUCCEEDED"
    answer(result, view=_view(pipeline, result), as_json=as_json, code=0 if good else FAILED)


def _machine(cloud: Cloud, pipeline: str) -> str:
    machines = {arn.rpartition(":")[2]: arn for key, arn in cloud.outputs().items() if key.startswith("StateMachine")}
    name = f"nightlake-{cloud.stage}-{pipeline}-daily"
    if name not in machines:
        known = ", ".join(sorted(machine.split("-")[2] for machine in machines))
        raise PipelineUnknownError(f"Stage {cloud.stage} has no pipeline {pipeline!r}; it has: {known}")
    return machines[name]


def _follow(client: Any, arn: str) -> Any:
    """Prints every state as it is entered; returns the execution when it has ended."""
    seen = 0
    while True:
        execution = client.describe_execution(executionArn=arn)
        entered = _entered(client, arn)
        for name in entered[seen:]:
            progress.print(f"  {name}")
        seen = len(entered)
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(_POLL_SECONDS)


def _entered(client: Any, arn: str) -> list[str]:
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    events = (event for page in pages for event in page["events"])
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def _reason(cause: str) -> str:
    """What a person wants of a cause: a Lambda's is JSON with the message and the trace, others are text."""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    return str(told.get("errorMessage", cause)) if isinstance(told, dict) else cause


def _view(pipeline: str, result: dict[str, Any]) -> Table:
    facts = {key: value for key, value in result.items() if key in ("error", "cause")} | result.get("output", {})
    tables = [f"{table['database']}.{table['name']}" for table in facts.pop("tables", [])]
    rows = [(key, str(value)) for key, value in facts.items()] + [("tables", ", ".join(tables))] * bool(tables)
    return facts_table(rows, title=f"{pipeline}: {result['status']} in {result['seconds']} s")
