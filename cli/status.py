"""`nightlake status`: what runs, what is deployed, how the last nights ended."""

from collections.abc import Mapping
from typing import Any

from local import aws as local_aws
from local import world
from rich.table import Table

from cli.cloud import GOOD_STACK, Cloud, OfStage, Stage, connect, describe_stack
from cli.errors import NeverRunError
from cli.lake import lake_of, last_record
from cli.night import machines
from cli.output import FAILED, NOT_READY, Json, answer, errors_told, facts_table
from cli.paths import HOME
from cli.quality import counted, rule_results


def status(
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Show the local AWS, the deployed stacks and each pipeline's last night. Ends with 3 where nothing is deployed."""
    with errors_told(as_json=as_json):
        emulator = local_aws.status(HOME) if stage is Stage.LOCAL else None
        if emulator is not None and not emulator.running:
            facts: dict[str, Any] = {"stage": stage, "emulator": emulator.model_dump(mode="json"), "stacks": []}
            answer(facts, view="The local AWS is not running. Start it: make deploy", as_json=as_json, code=NOT_READY)
        cloud = connect(stage)
        stacks = _stacks(cloud)
        deployed = all(stack["status"] is not None for stack in stacks)
        outputs = cloud.outputs() if deployed else {}
        facts = {
            "stage": stage,
            "emulator": emulator.model_dump(mode="json") if emulator else None,
            "beside": [part._asdict() for part in world.parts(HOME)] if emulator else [],
            "stacks": stacks,
            "outputs": outputs,
            "api": cloud.api_url(outputs) if deployed else None,
            "pipelines": _pipelines(cloud, outputs),
        }
        code = 0 if all(stack["status"] in GOOD_STACK for stack in stacks) else FAILED if deployed else NOT_READY
    answer(facts, view=_view(facts), as_json=as_json, code=code)


def _stacks(cloud: Cloud) -> list[dict[str, Any]]:
    described = {name: describe_stack(cloud.client("cloudformation"), name) or {} for name in cloud.stacks}
    return [
        {
            "name": name,
            "status": stack.get("StackStatus"),
            "changed": stack.get("LastUpdatedTime", stack.get("CreationTime")),
        }
        for name, stack in described.items()
    ]


def _pipelines(cloud: Cloud, outputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each pipeline's state machine, its last execution, and what became of the rules in the last run that ended."""
    client = cloud.client("stepfunctions")
    nights = machines(cloud, outputs, "daily")
    return [_last_execution(client, nights[name]) | {"rules": _rules(cloud, name)} for name in nights]


def _rules(cloud: Cloud, pipeline: str) -> str | None:
    try:
        record = last_record(lake_of(cloud), pipeline)
    except NeverRunError:
        return None
    return counted(rule_results(record.model_dump(mode="json", include={"sources", "audits"})))


def _last_execution(client: Any, machine: str) -> dict[str, Any]:
    last = client.list_executions(stateMachineArn=machine, maxResults=1)["executions"]
    return {
        "state_machine": machine,
        "last_execution": last[0]["name"] if last else None,
        "status": last[0]["status"] if last else None,
        "started": last[0]["startDate"] if last else None,
        "stopped": last[0].get("stopDate") if last else None,
    }


def _view(facts: Mapping[str, Any]) -> Table:
    rows: list[tuple[str, str]] = []
    if facts["emulator"]:
        emulator = facts["emulator"]
        memory = f"{emulator['memory_bytes'] / 2**20:.0f} MiB"
        health = "healthy" if emulator["healthy"] else "not answering"
        rows.append(
            ("local AWS", f"{emulator['endpoint']['url']} (pid {emulator['endpoint']['pid']}, {health}, {memory})")
        )
    rows += [(part["name"], part["where"] if part["running"] else "not running") for part in facts["beside"]]
    rows += [(stack["name"], stack["status"] or "not deployed") for stack in facts["stacks"]]
    for pipeline in facts["pipelines"]:
        ended = (
            f"{pipeline['status']} {pipeline['started']:%Y-%m-%d %H:%M}" if pipeline["status"] else "has not run yet"
        )
        rules = f", rules: {pipeline['rules']}" if pipeline["rules"] else ""
        rows.append((pipeline["state_machine"].rpartition(":")[2], ended + rules))
    if facts["api"]:
        rows.append(("API", facts["api"]))
    return facts_table(rows)
