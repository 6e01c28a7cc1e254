"""As much of the States Language as our definitions use, in memory and without waiting: for seeded simulations.

The interpreters of tests/workflow and tests/e2e are nobody's of ours; this one is fast. What it does not know, it
refuses.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Json = Any
State = Mapping[str, Any]

_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\*)\]")
_CALL: Final = re.compile(r"States\.(\w+)\((.*)\)\Z", re.DOTALL)
_ARGUMENT: Final = re.compile(r"'(?:[^'\\]|\\.)*'|-?\d+|\$[\w.$\[\]*]*|States\.\w+\(.*?\)")


class TaskError(Exception):
    """A Task failed by this name."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


class AbortedError(Exception):
    """The execution was stopped from outside."""


@dataclass
class Ended:
    """How an execution ended, and the states that it entered."""

    status: str
    output: Json = None
    error: str | None = None
    cause: str | None = None
    states: list[str] = field(default_factory=list)


@dataclass
class Machine:
    """`call(resource, parameters)` is what a Task does, `read(parameters)` what an ItemReader gives, both raise
    TaskError; `sleep(seconds)` is a wait, `entered(state)` is told of every state and may raise AbortedError.
    """

    definition: Mapping[str, Any]
    call: Callable[[str, Json], Json]
    read: Callable[[Json], list[Json]]
    sleep: Callable[[float], None]
    entered: Callable[[str], None]
    chance: random.Random
    _states: list[str] = field(default_factory=list)

    def run(self, given: Json, context: Json) -> Ended:
        """One execution; `context` is what `$$.Execution` is."""
        self._states = []
        try:
            output = self._machine(self.definition, given, {"Execution": context})
        except TaskError as error:
            return Ended("FAILED", error=error.name, cause=error.cause, states=self._states)
        except AbortedError:
            return Ended("ABORTED", states=self._states)
        return Ended("SUCCEEDED", output=output, states=self._states)

    def _machine(self, machine: Mapping[str, Any], data: Json, context: Json) -> Json:
        name: str | None = machine["StartAt"]
        while name is not None:
            state = machine["States"][name]
            self._states.append(name)
            self.entered(name)
            if state["Type"] == "Fail":
                told = (str(_path(state[key], data, context)) for key in ("ErrorPath", "CausePath"))
                raise TaskError(*told)
            if state["Type"] == "Succeed":
                return data
            data, name = self._state(state, data, context)
        return data

    def _state(self, state: State, data: Json, context: Json) -> tuple[Json, str | None]:
        """The data that goes on, and the state that comes next; None at an end."""
        match state["Type"]:
            case "Choice":
                met = (rule["Next"] for rule in state["Choices"] if _holds(rule, data))
                return data, next(met, state["Default"])
            case "Wait":
                self.sleep(_path(state["SecondsPath"], data, context))
            case "Pass":
                given = _path(state.get("InputPath", "$"), data, context)
                result = state["Result"] if "Result" in state else _filled(state.get("Parameters"), given, context)
                data = _placed(state, data, given if result is None and "Result" not in state else result)
            case _:
                try:
                    result = self._tried(state, data, context)
                except TaskError as error:
                    caught = (each for each in state.get("Catch", ()) if _matches(each, error))
                    if (catcher := next(caught, None)) is None:
                        raise
                    return _placed(catcher, data, {"Error": error.name, "Cause": error.cause}), catcher["Next"]
                if "ResultSelector" in state:
                    result = _filled(state["ResultSelector"], result, context)
                data = _path(state.get("OutputPath", "$"), _placed(state, data, result), context)
        return data, None if state.get("End") else state["Next"]

    def _tried(self, state: State, data: Json, context: Json) -> Json:
        left = [each["MaxAttempts"] for each in state.get("Retry", ())]
        while True:
            try:
                return self._done(state, data, context)
            except TaskError as error:
                numbers = (n for n, each in enumerate(state.get("Retry", ())) if _matches(each, error))
                number = next(numbers, None)
                if number is None or not left[number]:
                    raise
                retrier = state["Retry"][number]
                tried = retrier["MaxAttempts"] - left[number]
                left[number] -= 1
                self.sleep(min(retrier["IntervalSeconds"] * 2**tried, retrier["MaxDelaySeconds"]))

    def _done(self, state: State, data: Json, context: Json) -> Json:
        match state["Type"]:
            case "Task":
                return self.call(state["Resource"], _filled(state["Parameters"], data, context))
            case "Parallel":
                order = list(enumerate(state["Branches"]))
                self.chance.shuffle(order)
                results = {number: self._machine(branch, data, context) for number, branch in order}
                return [results[number] for number in range(len(order))]
            case "Map":
                return [*self._items(state, data, context)]
        raise NotImplementedError(state["Type"])

    def _items(self, state: State, data: Json, context: Json) -> Iterator[Json]:
        tolerant = state.get("ToleratedFailurePercentage") == 100
        if "ItemReader" in state:
            items = self.read(_filled(state["ItemReader"]["Parameters"], data, context))
            _filled(state["ResultWriter"]["Parameters"], data, context)
        else:
            items = _path(state["ItemsPath"], data, context)
        for item in items:
            of_item = {**context, "Map": {"Item": {"Value": item}}}
            given = _filled(state["ItemSelector"], data, of_item) if "ItemSelector" in state else item
            try:
                yield self._machine(state["ItemProcessor"], given, of_item)
            except TaskError:
                if not tolerant:
                    raise
                yield None


def _matches(handler: Mapping[str, Any], error: TaskError) -> bool:
    names = handler["ErrorEquals"]
    return (
        error.name in names or "States.ALL" in names or ("States.TaskFailed" in names and error.name[:7] != "States.")
    )


def _holds(rule: Mapping[str, Any], data: Json) -> bool:
    match rule:
        case {"And": rules}:
            return all(_holds(each, data) for each in rules)
        case {"Or": rules}:
            return any(_holds(each, data) for each in rules)
        case {"Variable": path, "NumericGreaterThan": bound}:
            return bool(_path(path, data, {}) > bound)
        case {"Variable": path, "BooleanEquals": wanted} | {"Variable": path, "StringEquals": wanted}:
            return bool(_path(path, data, {}) == wanted)
    raise NotImplementedError(rule)


def _placed(state: State, data: Json, result: Json) -> Json:
    """The data with the result where ResultPath says; one step deep, or two."""
    path = state.get("ResultPath", "$")
    if path is None:
        return data
    if path == "$":
        return result
    first, *rest = path.removeprefix("$.").split(".")
    return {**data, first: _placed({"ResultPath": f"$.{'.'.join(rest)}"}, data[first], result) if rest else result}


def _filled(template: Json, data: Json, context: Json) -> Json:
    """Parameters and the like: keys that end in `.$` are paths or calls."""
    if isinstance(template, Mapping):
        return {
            key.removesuffix(".$"): _value(value, data, context)
            if key.endswith(".$")
            else _filled(value, data, context)
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [_filled(each, data, context) for each in template]
    return template


def _value(text: str, data: Json, context: Json) -> Json:
    if (call := _CALL.match(text)) is None:
        return json.loads(text) if text[0] in "-0123456789" else _text(text) or _path(text, data, context)
    arguments = [_value(found, data, context) for found in _ARGUMENT.findall(call[2])]
    match call[1]:
        case "Format":
            pieces = arguments[0].split("{}")
            assert len(pieces) == len(arguments), text
            return "".join(f"{piece}{value}" for piece, value in zip(pieces, [*arguments[1:], ""], strict=True))
        case "MathAdd":
            return arguments[0] + arguments[1]
        case "JsonToString":
            return json.dumps(arguments[0], separators=(",", ":"))
    raise NotImplementedError(call[1])


def _text(text: str) -> str | None:
    return text[1:-1] if text.startswith("'") else None


def _path(path: str, data: Json, context: Json) -> Json:
    """What is there; what is not, is a States.Runtime that nothing catches: it ends the simulation."""
    found, steps = (context, path[2:]) if path.startswith("$$") else (data, path[1:])
    for number, step in enumerate(steps := _STEP.findall(steps)):
        name, index = step
        if index == "*":
            inner = "".join(f".{n}" if n else f"[{i}]" for n, i in steps[number + 1 :])
            return [each for each in (_found(item, inner) for item in found) if each is not _MISSING]
        found = found[name] if name else found[int(index)]
    return found


_MISSING: Final = object()


def _found(item: Json, steps: str) -> Json:
    try:
        return _path(f"${steps}", item, {})
    except (KeyError, TypeError):
        return _MISSING
