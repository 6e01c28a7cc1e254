"""Renders the state machines of a pipeline from the templates of statemachines/.

The templates say what happens; what every Task of a service retries is said here, once. Sources of the
retried names: Step Functions guide, "Handling errors in workflows", and the errors of each action in its API reference.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from nightlake.core.asl_errors import LAMBDA_ERRORS, transient_errors
from nightlake.core.asl_states import machines
from nightlake.core.pipeline import Pipeline
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.sources import AnySource

State = dict[str, Any]
Definition = dict[str, Any]

LABEL_LENGTH: Final = 40
CONVERT_CONCURRENCY: Final = 40
RETRIES: Final = 3

# Lambda was busy: worth longer waits than a sandbox that died.
_BUSY: Final = [name for name in LAMBDA_ERRORS if name.startswith("Lambda.") and name != "Lambda.Unknown"]
_DIED: Final = [name for name in LAMBDA_ERRORS if name not in _BUSY]
_GLUE: Final = [
    "Glue.GlueException",
    "Glue.InternalServiceException",
    "Glue.OperationTimeoutException",
    "Glue.ResourceNotReadyException",
    "Glue.SdkClientException",
    "Glue.ThrottlingException",
]
# A query that failed has no name of its own: its reason is in the cause alone.
_ATHENA: Final = [
    "Athena.AmazonAthenaException",
    "Athena.InternalServerException",
    "Athena.SdkClientException",
    "Athena.TooManyRequestsException",
    "States.TaskFailed",
    "States.Timeout",
]
# A function of another kind has a role and a network of its own: the internet, or a database.
_OWN_FUNCTIONS: Final = {
    "http": {"PlanFunction": "PlanHttpFunction"},
    "postgres": {"PlanFunction": "PlanPostgresFunction", "ConvertFunction": "ConvertPostgresFunction"},
}


ModelMachine = Literal["recommend", "retrain"]


class Templates(NamedTuple):
    """What is rendered, as JSON text: the night, the branch of one source in it, and what is done with a model."""

    daily: str
    source: str
    recommend: str
    retrain: str


def read_templates(folder: Path) -> Templates:
    """The templates in the folder `statemachines`."""
    return Templates(*((folder / f"{name}.asl.json").read_text() for name in Templates._fields))


def render(pipeline: Pipeline, templates: Templates, *, convert_concurrency: int = CONVERT_CONCURRENCY) -> Definition:
    """The whole definition of a pipeline's night, `${Name}`s of the stack still in it.

    `convert_concurrency` is how many shards of one source are converted at once.
    """
    machine: Definition = json.loads(templates.daily)
    states = machine["States"]
    states["IngestSources"]["Branches"] = [
        _branch(templates.source, source, label, convert_concurrency)
        for source, label in zip(pipeline.sources, _labels(pipeline), strict=True)
    ]
    states["AreAllSourcesGood"]["Choices"] = [_all_good(pipeline)]
    states["IsUntold"]["Choices"] = [_any_untold(pipeline)]
    return _with_retries(machine)


def render_of_model(
    kind: ModelMachine, templates: Templates, *, convert_concurrency: int = CONVERT_CONCURRENCY
) -> Definition:
    """What recommends or retrains: the same for every pipeline with a model, `${Name}`s of the stack still in it."""
    machine: Definition = json.loads(getattr(templates, kind))
    for state in machine["States"].values():
        if "Label" in state:
            state["MaxConcurrency"] = convert_concurrency
    return _with_retries(machine)


def _with_retries(machine: Definition) -> Definition:
    for inner in list(machines(machine)):
        for name, state in inner.body["States"].items():
            if state["Type"] == "Task":
                inner.body["States"][name] = _with_retry(state)
    return machine


def _with_retry(task: State) -> State:
    """The Task with the retriers of its service after its own; one that names States.ALL stays alone."""
    own = task.get("Retry", [])
    if any("States.ALL" in retrier["ErrorEquals"] for retrier in own):
        return task
    last: State = {key: task[key] for key in ("Catch", "Next", "End") if key in task}
    first: State = {key: value for key, value in task.items() if key not in last}
    return {**first, "Retry": [*own, *_retriers(task["Resource"])], **last}


def _retriers(resource: str) -> Iterator[State]:
    service, _, action = resource.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:").partition(":")
    match service:
        case "lambda":
            yield _retrier(_BUSY, seconds=10, longest=60)
            yield _retrier(_DIED, seconds=2, longest=30)
            if transient := transient_errors():
                yield _retrier(transient, seconds=5, longest=60)
        case "glue":
            raced = [] if action.startswith("get") else ["Glue.ConcurrentModificationException"]
            yield _retrier([*_GLUE, *raced], seconds=2, longest=30)
        case "athena":
            yield _retrier(_ATHENA, seconds=5, longest=60)
        case "sns" | "events":
            yield _retrier(["States.ALL"], seconds=2, longest=30)


def _retrier(names: list[str], *, seconds: int, longest: int) -> State:
    return {
        "ErrorEquals": names,
        "IntervalSeconds": seconds,
        "MaxAttempts": RETRIES,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": longest,
        "JitterStrategy": "FULL",
    }


def _branch(template: str, source: AnySource, label: str, convert_concurrency: int) -> Definition:
    """The template with the dataset in its words, the label in the name of every state, and what its kind calls."""
    own = {name: f"${{{function}}}" for name, function in _OWN_FUNCTIONS.get(source.from_, {}).items()}
    for word, value in {"Dataset": source.dataset, "Label": label, **own}.items():
        template = template.replace(f"${{{word}}}", value)
    branch: Definition = json.loads(template)
    del branch["Comment"]
    for state in branch["States"].values():
        if "Label" in state:
            state["MaxConcurrency"] = _readers(source, convert_concurrency)
    _rename(branch, label)
    return branch


def _readers(source: AnySource, most: int) -> int:
    """How many shards are read at once: of a database, as many as it has connections for us."""
    if not isinstance(source, PostgresSource):
        return most
    return 1 if source.snapshot == "source" else min(most, source.connections)


def _rename(machine: Definition, label: str) -> None:
    machine["StartAt"] = f"{machine['StartAt']} {label}"
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            _rename(state["ItemProcessor"], label)
        for holder in (state, *state.get("Choices", ()), *state.get("Catch", ())):
            for key in ("Next", "Default"):
                if key in holder:
                    holder[key] = f"{holder[key]} {label}"
    machine["States"] = {f"{name} {label}": state for name, state in machine["States"].items()}


def _labels(pipeline: Pipeline) -> list[str]:
    """What tells the sources apart in names of states and Map Runs: the dataset, cut where it is too long."""
    return [
        # A hyphen is in no dataset's name, so nothing cut looks like another one.
        name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 5]}-{number}"
        for number, name in enumerate(source.dataset for source in pipeline.sources)
    ]


def _all_good(pipeline: Pipeline) -> State:
    required = [_has_status(number, "good") for number, source in enumerate(pipeline.sources) if source.required]
    if required:
        return {"And": required, "Next": "Seal"}
    return {"Or": [_has_status(number, "good") for number in range(len(pipeline.sources))], "Next": "Seal"}


def _any_untold(pipeline: Pipeline) -> State:
    """Whether a rejected source could not send its own alert."""
    untold = [
        {"And": [_has_status(number, "rejected"), {"Variable": f"$.sources[{number}].alerted", "BooleanEquals": False}]}
        for number in range(len(pipeline.sources))
    ]
    return {"Or": untold, "Next": "AlertFailure"}


def _has_status(number: int, status: str) -> State:
    return {"Variable": f"$.sources[{number}].status", "StringEquals": status}
