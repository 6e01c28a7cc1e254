"""Lints the error names of a definition: what must be retried is, and every name is one that somebody raises."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nightlake.core import errors
from nightlake.core.asl_states import Finding, State, as_list
from nightlake.core.errors import NightlakeError, ParameterError, TransientError
from nightlake.core.json_file import Location

# Step Functions guide, "Handle Lambda service exceptions" and throttling, which it leaves to each definition.
LAMBDA_ERRORS: Final = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    # A sandbox that died or hung, a worker that was killed: every Task here may run twice.
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.Timeout",
)
# States language specification, appendix A, and the guide, "Error names"; States.Runtime is never caught.
RESERVED_ERRORS: Final = frozenset(
    f"States.{name}"
    for name in (
        "ALL",
        "BranchFailed",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "Http.Socket",
        "IntrinsicFailure",
        "ItemReaderFailed",
        "NoChoiceMatched",
        "ParameterPathFailure",
        "Permissions",
        "QueryEvaluationError",
        "ResultPathMatchFailure",
        "ResultWriterFailed",
        "TaskFailed",
        "Timeout",
    )
)
# What one Task waits for and no other meets: retried where it is named.
_AWAITED: Final = frozenset({"RunInProgressError"})


def transient_errors() -> list[str]:
    """The names that every Lambda Task retries."""
    return [name for name, error in _own_errors().items() if issubclass(error, TransientError)]


def lint_errors(state: State) -> Iterator[Finding]:
    """Findings on the Retry and Catch of one state."""
    for key in ("Retry", "Catch"):
        handlers = list(state.items(key))
        for number, (location, handler) in enumerate(handlers, start=1):
            names = _names(handler)
            yield from ((location, f"state {state.name!r} {finding}") for finding in _unknown(key, names))
            if "States.ALL" in names and (len(names) > 1 or number < len(handlers)):
                reason = f"state {state.name!r} names States.ALL beside or before other errors in {key}"
                yield location, f"{reason}; it stands alone and last"
    yield from _result_paths(state)
    yield from _unretried(state)


def _unknown(key: str, names: list[str]) -> Iterator[str]:
    for name in names:
        if name.startswith("States."):
            if name not in RESERVED_ERRORS:
                yield f"names {name} in {key}, which Step Functions cannot match there; correct or remove it"
        elif "." in name:
            continue
        elif name not in _own_errors():
            yield f"names {name} in {key}, which core/errors.py does not raise; use the name of one of its leaf classes"
        elif key == "Retry" and name not in (*transient_errors(), *_AWAITED):
            yield f"retries {name}, which trying again does not mend; remove it or make it a TransientError"


def _result_paths(state: State) -> Iterator[Finding]:
    for location, catcher in state.items("Catch"):
        if catcher.get("ResultPath") in ("$", None):
            reason = f"state {state.name!r} catches an error over its input or drops it"
            yield location, f'{reason}; keep both with "ResultPath": "$.error"'


def _unretried(state: State) -> Iterator[Finding]:
    if not _calls_lambda(state):
        return
    retried = {
        name for _, retrier in state.items("Retry") if retrier.get("MaxAttempts") != 0 for name in _names(retrier)
    }
    if missing := [name for name in (*LAMBDA_ERRORS, *transient_errors()) if not _is_retried(name, retried)]:
        location: Location = (*state.location, "Retry")
        yield location, f"state {state.name!r} does not retry {', '.join(missing)}; add what is transient to its Retry"


def _is_retried(name: str, retried: set[str]) -> bool:
    """Whether a retrier names the error or what stands for it; States.TaskFailed stands for all but timeouts."""
    return bool(retried & {name, "States.ALL"}) or ("States.TaskFailed" in retried and name != "States.Timeout")


def _calls_lambda(state: State) -> bool:
    resource = str(state.body.get("Resource"))
    return state.kind == "Task" and (":states:::lambda:invoke" in resource or ":function:" in resource)


def _own_errors() -> dict[str, type[NightlakeError]]:
    """The classes of core/errors.py that are raised, by name."""
    return {
        name: error
        for name, error in vars(errors).items()
        if isinstance(error, type)
        and issubclass(error, NightlakeError)
        and error not in (NightlakeError, ParameterError, TransientError)
    }


def _names(handler: Mapping[str, Any]) -> list[str]:
    return [name for name in as_list(handler.get("ErrorEquals")) if isinstance(name, str)]
