"""What a state of a definition does, waits for and decides by, in few words for a picture."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nightlake.core.asl_states import as_dict, as_list

_SIGNS: Final = {
    "Equals": "=",
    "LessThan": "<",
    "LessThanEquals": "≤",
    "GreaterThan": ">",
    "GreaterThanEquals": "≥",
    "Matches": "like",
}
_HOUR: Final = 3600
_MINUTE: Final = 60


def duration(seconds: float) -> str:
    """As people say it: 90 s, 15 min, 1 h."""
    for unit, length in (("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def condition(rule: Mapping[str, Any]) -> str:
    """What a choice is made by."""
    for word in ("And", "Or"):
        if word in rule:
            return f" {word.lower()} ".join(_bracketed(part) for part in map(as_dict, as_list(rule[word])))
    if "Not" in rule:
        inner = _bracketed(as_dict(rule["Not"]))
        return inner.removeprefix("not ") if inner.startswith("not ") else f"not {inner}"
    variable = path(rule.get("Variable"))
    operator, operand = next(
        ((key, value) for key, value in rule.items() if key not in ("Variable", "Next", "Comment", "Assign")), ("", "")
    )
    return _compared(variable, operator, operand)


def _bracketed(rule: Mapping[str, Any]) -> str:
    return f"({condition(rule)})" if "And" in rule or "Or" in rule else condition(rule)


def _compared(variable: str, operator: str, operand: object) -> str:
    if operator == "BooleanEquals":
        return variable if operand else f"not {variable}"
    if operator.startswith("Is"):
        return f"{variable} is {'' if operand else 'not '}{operator.removeprefix('Is').lower()}"
    value = path(operand) if operator.endswith("Path") else operand
    bare = operator.removesuffix("Path")
    for kind in ("String", "Numeric", "Timestamp"):
        if sign := _SIGNS.get(bare.removeprefix(kind)):
            return f"{variable} {sign} {value}"
    return f"{variable} {operator} {value}"


def path(text: object) -> str:
    """A path into the state's data, without what every path begins with."""
    return str(text).removeprefix("$$.").removeprefix("$.")


def facts(state: Mapping[str, Any]) -> Iterator[str]:
    """What a person wants to know of a state besides its name, a line each."""
    match state.get("Type"):
        case "Task":
            yield _called(state)
        case "Wait":
            yield _awaited(state)
        case "Map":
            yield from _mapped(state)
        case "Fail" if "Error" in state:
            yield f"ends with {state['Error']}"
    for key, word in (("TimeoutSeconds", "at most"), ("HeartbeatSeconds", "heard of every")):
        if isinstance(seconds := state.get(key), int | float):
            yield f"{word} {duration(seconds)}"
        elif f"{key}Path" in state:
            yield f"{word} {path(state[f'{key}Path'])} seconds"


def service(state: Mapping[str, Any]) -> str:
    """What a Task calls: `lambda`, `glue`; empty for other states."""
    resource = str(state.get("Resource", ""))
    return "lambda" if ":function:" in resource else _resource(resource)[0]


def items(state: Mapping[str, Any]) -> str:
    """The path of what a Map goes over; empty for other states."""
    read = as_dict(as_dict(state.get("ItemReader")).get("Parameters")).get("Key.$")
    return path(read or state.get("ItemsPath") or "")


def _resource(resource: str) -> tuple[str, str]:
    """Service and action of an integration."""
    name, _, action = resource.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:").partition(":")
    return name, action


def _called(state: Mapping[str, Any]) -> str:
    """`Lambda Plan`, `Athena startQueryExecution, until it is done`."""
    called = service(state)
    if called == "lambda":
        name = str(as_dict(state.get("Parameters")).get("FunctionName", state["Resource"]))
        _, _, short = name.rpartition(":function:")
        return f"Lambda {short.removeprefix('${').removesuffix('}').removesuffix('Function')}"
    verb, _, pattern = _resource(str(state["Resource"]))[1].partition(".")
    title = called.upper() if len(called) <= len("sns") else called.capitalize()
    return f"{title} {verb}{', until it is done' if pattern.startswith('sync') else ''}"


def _awaited(state: Mapping[str, Any]) -> str:
    if isinstance(seconds := state.get("Seconds"), int | float):
        return f"waits {duration(seconds)}"
    if "SecondsPath" in state:
        return f"waits {path(state['SecondsPath'])}"
    return f"waits until {path(state.get('TimestampPath', state.get('Timestamp')))}"


def _mapped(state: Mapping[str, Any]) -> Iterator[str]:
    config = as_dict(as_dict(state.get("ItemProcessor")).get("ProcessorConfig"))
    if config.get("Mode") == "DISTRIBUTED":
        yield f"distributed, {str(config.get('ExecutionType', 'STANDARD')).lower()} children"
    if over := items(state):
        yield f"for each of {over}"
    if limit := state.get("MaxConcurrency"):
        yield "one at a time" if limit == 1 else f"{limit} at once"
    if tolerated := state.get("ToleratedFailurePercentage"):
        yield f"{tolerated} % may fail"


def retried(retrier: Mapping[str, Any]) -> str:
    """How often and when a Task is tried again; `never` where a retrier forbids it."""
    attempts = retrier.get("MaxAttempts", 3)
    if not attempts:
        return "never"
    text = f"{attempts} times, after {duration(retrier.get('IntervalSeconds', 1))}"
    if (rate := retrier.get("BackoffRate", 2.0)) != 1:
        text += f", then x{rate:g}"
    if longest := retrier.get("MaxDelaySeconds"):
        text += f" up to {duration(longest)}"
    return text + (", jittered" if retrier.get("JitterStrategy") == "FULL" else "")


def error_names(handler: Mapping[str, Any]) -> str:
    """The errors that a retrier or catcher takes."""
    names = [str(name) for name in as_list(handler.get("ErrorEquals"))]
    return "any error" if names == ["States.ALL"] else ", ".join(names)
