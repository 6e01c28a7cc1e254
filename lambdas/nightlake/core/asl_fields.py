"""Lints single fields of a definition against our rules and limits of Step Functions that statelint does not know."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from nightlake.core.asl_states import Finding, Machine, State, as_dict
from nightlake.core.json_file import Location

# Step Functions guide, "Accessing the Context object".
_CONTEXT: Final = re.compile(
    r"\$\$(\.Execution(\.(Id|Input([.\[].*)?|Name|RedriveCount|RedriveTime|RoleArn|StartTime))?"
    r"|\.State(\.(EnteredTime|Name|RetryCount))?|\.StateMachine(\.(Id|Name))?|\.Task\.Token"
    r"|\.Map\.Item\.(Index|Key|Source|Value([.\[].*)?))?"
)
_CONTEXT_PATH: Final = re.compile(r"\$\$[\w.\[\]]*")
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


def lint_outermost(machine: Machine) -> Iterator[Finding]:
    """Findings on the fields that a whole definition has."""
    for key in ("Comment", "TimeoutSeconds"):
        if key not in machine.body:
            yield (), f"{key} of the whole definition is missing; write it beside StartAt"


def lint_fields(state: State) -> Iterator[Finding]:
    """Findings on the fields of one state."""
    if state.kind == "Task" and not {"TimeoutSeconds", "TimeoutSecondsPath"} & state.body.keys():
        yield state.location, f"state {state.name!r} may wait for ever; give it TimeoutSeconds"
    if state.kind == "Choice" and "Default" not in state.body:
        reason = f"state {state.name!r} fails where no choice matches, and a Choice cannot catch that"
        yield state.location, f"{reason}; give it a Default"
    for key in ("Error", "Cause") if state.kind == "Fail" else ():
        if not {key, f"{key}Path"} & state.body.keys():
            yield state.location, f"state {state.name!r} does not say its {key}; give it {key} or {key}Path"
    if state.body.get("QueryLanguage", "JSONPath") != "JSONPath":
        location: Location = (*state.location, "QueryLanguage")
        yield location, f"state {state.name!r} is not written in JSONPath, which our definitions are throughout"
    for location, path in _paths(state.body, state.location):
        for found in _CONTEXT_PATH.findall(path):
            if not _has(state, found):
                reason = f"state {state.name!r} reads {found}, which its context object does not have"
                yield location, f"{reason}; $$.Map belongs to a Map, $$.Task.Token to a .waitForTaskToken"


def lint_labels(states: Sequence[State]) -> Iterator[Finding]:
    """Findings on the labels of Distributed Maps, which name their Map Runs and the ARNs in the role."""
    distributed = [
        state
        for state in states
        if as_dict(as_dict(state.body.get("ItemProcessor")).get("ProcessorConfig")).get("Mode") == "DISTRIBUTED"
    ]
    labels = [state.body.get("Label") for state in distributed]
    for state, label in zip(distributed, labels, strict=True):
        location: Location = (*state.location, "Label")
        if not (isinstance(label, str) and _LABEL.fullmatch(label)):
            reason = f"state {state.name!r} is a Distributed Map with the Label {label!r}"
            yield location, f"{reason}; give it one of 1 to 40 letters, digits, - or _"
        elif labels.count(label) > 1:
            yield location, f"state {state.name!r} shares its Label {label!r}; give each Distributed Map its own"


def _has(state: State, path: str) -> bool:
    """Whether the state's context object has the path."""
    if path.startswith("$$.Map") and state.kind != "Map":
        return False
    if path.startswith("$$.Task") and not str(state.body.get("Resource")).endswith(".waitForTaskToken"):
        return False
    return _CONTEXT.fullmatch(path) is not None


def _paths(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """The strings in a state that are paths or calls of intrinsic functions; nested machines are not entered."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*location, index))
    for key, item in as_dict(value).items():
        if isinstance(item, str) and (key.endswith((".$", "Path")) or key == "Variable"):
            yield (*location, key), item
        elif key not in ("States", "Branches"):
            yield from _paths(item, (*location, key))
