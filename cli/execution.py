"""One execution of a state machine, followed to its end: states as they are entered, shards as they are converted."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nightlake.core.brief import meaning, reason
from nightlake.core.calls import TRANSITIONS
from nightlake.core.graph_words import service
from nightlake.core.shard_bill import CHILD_TRANSITIONS
from rich.markup import escape

from cli.output import progress

_POLL_SECONDS = 0.5
_LONGEST_POLL_SECONDS = 5.0
_WORKING = ("Task", "Map", "Parallel", "Wait", "Fail", "Succeed")
_EXPECTED = ("Glue.EntityNotFoundException",)
"""Failures that are answers: EnsureTables asks for a table before it creates it."""


@dataclass(frozen=True)
class StateTime:
    """How long a state took in all, in seconds, and how often it ran: retries of a source and items of a Map count."""

    name: str
    seconds: float
    times: int


@dataclass(frozen=True)
class Ended:
    """An execution that has ended, `started` in UTC; `error` and `cause` are None where it succeeded.

    `calls` are its state transitions, and how often each service was called, retries too.
    """

    arn: str
    status: str
    started: datetime
    seconds: float
    error: str | None
    cause: str | None
    states: tuple[StateTime, ...]
    calls: Mapping[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether it succeeded."""
        return self.status == "SUCCEEDED"

    @property
    def facts(self) -> dict[str, Any]:
        """How it ended, as `--json` prints it."""
        return {
            "execution": self.arn,
            "status": self.status,
            "seconds": self.seconds,
            "error": self.error,
            "cause": self.cause,
            "meaning": meaning(self.error),
        }


def start(client: Any, machine: str, payload: Mapping[str, Any]) -> str:
    """Starts an execution and returns its ARN."""
    arn: str = client.start_execution(stateMachineArn=machine, input=json.dumps(payload))["executionArn"]
    return arn


def payload_of(execution: Mapping[str, Any]) -> dict[str, Any]:
    """What a described execution was started with."""
    payload: dict[str, Any] = json.loads(execution["input"])
    return payload


def follow(client: Any, arn: str) -> Ended:
    """Prints what the execution does as it does it, to standard error; returns when it has ended."""
    told, pause, before, seen = 0, _POLL_SECONDS, dict[str, str](), set[str]()
    with progress.status("Starting") as spinner:
        while True:
            execution = client.describe_execution(executionArn=arn)
            events, shards = _events(client, arn), _shards(client, arn)
            lines = list(_lines(events[told:], seen))
            if not progress.is_terminal:  # where no spinner turns
                lines += [f"    {label}: {count}" for label, count in shards.items() if before.get(label) != count]
            for line in lines:
                progress.print(line, markup=False, highlight=False, soft_wrap=True)
            spinner.update(escape("  ".join(_under_way(events, shards)) or "Waiting"))
            if execution["status"] != "RUNNING":
                return _ended(execution, events, _children(client, arn))
            # A night may wait for hours for a source: ask often only while something happens.
            changed = len(events) > told or shards != before
            pause = _POLL_SECONDS if changed else min(pause * 1.5, _LONGEST_POLL_SECONDS)
            told, before = len(events), shards
            time.sleep(pause)


def _events(client: Any, arn: str) -> list[Any]:
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn, includeExecutionData=False)
    return [event for page in pages for event in page["events"]]


def _lines(events: Sequence[Any], seen: set[str]) -> Iterator[str]:
    """States that do something, and what went wrong; of a Map's items only the first is told, of a source's every."""
    for event in events:
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
            if event["type"].startswith(_WORKING) and (name not in seen or " " in name):
                yield f"  {name}"
            seen.add(name)
        elif "taskFailedEventDetails" in event:
            failed = event["taskFailedEventDetails"]
            if failed.get("error") not in _EXPECTED:
                yield f"    {failed.get('error')}: {reason(failed.get('cause'))}"


def _shards(client: Any, arn: str) -> dict[str, str]:
    """By label of each running Distributed Map: how many of its shards are done."""
    counts = {}
    for run in client.list_map_runs(executionArn=arn)["mapRuns"]:
        if "stopDate" not in run:
            found = client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
            label = run["mapRunArn"].rpartition(":")[0].rpartition("/")[2]
            counts[label] = f"{found['succeeded'] + found['failed']} of {found['total']} shards"
    return counts


def _under_way(events: Sequence[Any], shards: Mapping[str, str]) -> Iterator[str]:
    """The states that were entered and not left, with their shards where they convert some."""
    inside: dict[str, int] = defaultdict(int)
    for event in events:
        if "stateEnteredEventDetails" in event:
            inside[event["stateEnteredEventDetails"]["name"]] += 1
        elif "stateExitedEventDetails" in event:
            inside[event["stateExitedEventDetails"]["name"]] -= 1
    yield from (name for name, entered in inside.items() if entered > 0)
    yield from (f"{label}: {count}" for label, count in shards.items())


def _children(client: Any, arn: str) -> int:
    """How many children its Distributed Maps had."""
    runs = client.list_map_runs(executionArn=arn)["mapRuns"]
    found = (client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]["total"] for run in runs)
    return sum(found)


def _ended(execution: Any, events: Sequence[Any], children: int) -> Ended:
    failed = execution["status"] != "SUCCEEDED"
    return Ended(
        arn=execution["executionArn"],
        status=execution["status"],
        started=execution["startDate"],
        seconds=round((execution["stopDate"] - execution["startDate"]).total_seconds(), 1),
        error=execution.get("error") or (execution["status"] if failed else None),
        cause=reason(execution.get("cause")) if failed else None,
        states=tuple(_times(events)),
        calls=_calls(events, children),
    )


def _calls(events: Sequence[Any], children: int) -> Mapping[str, int]:
    """The execution's start and each state, and each child's start and state, which calls a function."""
    entered = sum("stateEnteredEventDetails" in event for event in events)
    services = Counter(
        _service(event["taskScheduledEventDetails"]) for event in events if "taskScheduledEventDetails" in event
    )
    services["lambda"] += children
    return {TRANSITIONS: 1 + entered + CHILD_TRANSITIONS * children, **services}


def _service(scheduled: Mapping[str, str]) -> str:
    """AWS tells the service apart from the action; the local AWS tells the ARN of both."""
    resource = scheduled["resource"]
    told = resource.startswith("arn:")
    return service({"Resource": resource}) if told else scheduled["resourceType"].removeprefix("aws-sdk:")


def _times(events: Sequence[Any]) -> Iterator[StateTime]:
    """The time in each state, in the order in which they were first entered; what was never left is left out."""
    entered: dict[str, list[datetime]] = defaultdict(list)
    seconds: dict[str, float] = {}
    times: dict[str, int] = defaultdict(int)
    for event in events:
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
            entered[name].append(event["timestamp"])
            seconds.setdefault(name, 0.0)
        elif "stateExitedEventDetails" in event:
            name = event["stateExitedEventDetails"]["name"]
            seconds[name] += (event["timestamp"] - entered[name].pop(0)).total_seconds()
            times[name] += 1
    yield from (StateTime(name, round(seconds[name], 3), times[name]) for name in seconds if times[name])
