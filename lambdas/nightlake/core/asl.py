"""Lints a state machine's definition (Amazon States Language): our own rules, and statelint for the language itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from statelint.linter import Linter

from nightlake.core.asl_errors import lint_errors
from nightlake.core.asl_fields import lint_fields, lint_labels, lint_outermost
from nightlake.core.asl_graph import lint_graph
from nightlake.core.asl_states import Finding, machines
from nightlake.core.errors import Problem
from nightlake.core.json_file import Json, Location, NotJsonError, parse_json

MAX_BYTES: Final = 1_048_576
# What the stack binds when it deploys a definition; infra/state_machine.py refuses what it does not know.
SUBSTITUTIONS: Final = frozenset(
    {
        *("AlertTopic", "DailyStateMachine", "LakeBucket", "Pipeline", "PipelineWorkgroup", "Region", "Stage"),
        *("PublishStateMachine", "RecommendStateMachine", "RetrainStateMachine"),
        *("AuditAcrossFunction", "AuditMergeFunction", "CompleteFunction", "ConvertFunction", "DefineTableFunction"),
        *("ConvertPostgresFunction", "ExplainFunction", "PlanHttpFunction", "PlanPostgresFunction"),
        *("PlanFunction", "PrepareFunction", "PublishFunction", "ReportFunction", "SealFunction", "StatementFunction"),
        *("DeliverModelFunction", "EvaluateModelFunction", "FinishModelFunction", "MeasureModelFunction"),
        *("PinModelFunction", "PromoteModelFunction", "ScoreUsersFunction", "TrainModelFunction", "ValidateFunction"),
    }
)
_SUBSTITUTION: Final = re.compile(r"\$\{(\w*\}?)")
# What our own rules say too, with what to do about it; and fields that Step Functions added to the specification.
_PASSED_OVER: Final = re.compile(
    r"^StartAt value |^No state found named |^No transition found to state |, is also defined at "
    r'|: States\.ALL can only |^Field "Label" not allowed|^Field "\w+" not allowed in .*\.ReaderConfig$'
)


def lint_asl(path: Path) -> tuple[Problem, ...]:
    """What is wrong with one definition, in the order of its lines; empty when it is good."""
    content = path.read_bytes()
    try:
        text = content.decode()
        definition = parse_json(text)
    except UnicodeDecodeError as error:
        return (Problem(str(path), 1, f"is not UTF-8 (byte {error.start}); save it as UTF-8"),)
    except NotJsonError as error:
        return (Problem(str(path), error.line, str(error)),)
    if not isinstance(definition.data, dict):
        return (Problem(str(path), 1, "is not an object; write one with StartAt and States"),)
    problems = {Problem(str(path), definition.line(place), reason) for place, reason in _findings(definition)}
    problems |= {Problem(str(path), line, reason) for line, reason in _unknown_substitutions(text)}
    if len(content) > MAX_BYTES:
        problems.add(Problem(str(path), 1, f"has {len(content)} bytes; Step Functions takes {MAX_BYTES}"))
    return tuple(sorted(problems))


def _findings(definition: Json) -> Iterator[Finding]:
    nested = list(machines(definition.data))
    states = [state for machine in nested for state in machine.states.values()]
    yield from lint_outermost(nested[0])
    yield from lint_graph(nested)
    yield from lint_labels(states)
    for state in states:
        yield from lint_fields(state)
        yield from lint_errors(state)
    yield from _statelint(definition)


def _statelint(definition: Json) -> Iterator[Finding]:
    places = {_as_statelint_writes(location): location for location in definition.lines}
    try:
        messages = Linter.validate(definition.data)
    except Exception as error:  # noqa: BLE001 - statelint expects the types of many values without looking
        messages = [f"gave up with {error!r}; give every value the type that the States Language says"]
    for message in messages:
        if not _PASSED_OVER.search(message):
            named = [place for place in places if place in message]
            yield places[max(named, key=len)] if named else (), f"statelint: {message}"


def _as_statelint_writes(location: Location) -> str:
    steps: Iterator[Any] = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return f"State Machine{''.join(steps)}"


def _unknown_substitutions(text: str) -> Iterator[tuple[int, str]]:
    for used in _SUBSTITUTION.finditer(text):
        if used[1] not in (f"{name}}}" for name in SUBSTITUTIONS):
            known = ", ".join(f"${{{name}}}" for name in sorted(SUBSTITUTIONS))
            yield text.count("\n", 0, used.start()) + 1, f"{used[0]} is not bound by the stack; it binds {known}"
