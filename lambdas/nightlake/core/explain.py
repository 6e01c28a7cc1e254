"""What becomes of a source that failed: whether and when it is tried again, and what a person is told of it.

An attempt that found something new costs one alert. One that found the rejected delivery again is quiet, unless it was
the last one.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from nightlake.core import layout
from nightlake.core.brief import reason, shorten
from nightlake.core.errors import PipelineNotDeployedError, SourceNotReadyError
from nightlake.core.pipeline import Pipeline
from nightlake.core.shard import Validation
from nightlake.core.store import Store

ATTEMPTS: Final = 4
FIRST_WAIT_SECONDS: Final = 60
# SNS takes 256 KB; nobody reads as much at 3 AM.
TEXT_LENGTH: Final = 8_000
SUBJECT_LENGTH: Final = 99
# The causes of all sources stand together in one state's output (256 KiB) and in the end's cause (32,768 characters).
_CAUSES_LENGTH: Final = 16_000
_CAUSE_LENGTH: Final = 2_000
_PROBLEMS: Final = 3
_RUNBOOK: Final = "docs/runbook.md#a-source-was-rejected"
# Waiting is over, or would mend nothing.
_FINAL: Final = frozenset({SourceNotReadyError.__name__, PipelineNotDeployedError.__name__})


class Failure(BaseModel):
    """An error as Step Functions tells it; `unchanged`: it is the one of an earlier attempt, whose delivery is still
    there.
    """

    model_config = ConfigDict(frozen=True)

    error: str = Field(alias="Error")
    cause: str = Field(alias="Cause", default="")
    unchanged: bool = False


class Request(BaseModel):
    """What the state machine tells of an attempt that failed; `scheduled_at` is None for a person's run."""

    model_config = ConfigDict(frozen=True)

    pipeline: str
    dataset: str
    date: date
    run_id: str
    execution_id: str
    attempt: int
    scheduled_at: str | None
    error: Failure


class Explained(BaseModel):
    """How the branch goes on: `again` after `wait_seconds`, or not; told by `subject` and `message` when `tell`.

    `error` is the failure with a cause of bounded length.
    """

    model_config = ConfigDict(frozen=True)

    again: bool
    wait_seconds: int
    tell: bool
    subject: str
    message: str
    error: dict[str, str]


def explain(request: Request, pipeline: Pipeline, lake: Store) -> Explained:
    """What to do about a failed attempt, and what to say, from the verdict on it where there is one."""
    failure = request.error
    again = request.scheduled_at is not None and request.attempt < ATTEMPTS and failure.error not in _FINAL
    wait = FIRST_WAIT_SECONDS * 2 ** (request.attempt - 1) if again else 0
    found = lake.find_model(
        layout.validation(request.pipeline, request.date, request.run_id, request.dataset), Validation
    )
    judged = found[0] if found and found[0].problems else None
    if judged and judged.attempt != request.attempt and not failure.unchanged:
        judged = None  # this attempt did not come so far
    state = f"attempt {request.attempt} of {ATTEMPTS}" if again else "given up"
    words = "\n".join(_words(request, pipeline, judged, again=again, wait=wait))
    return Explained(
        again=again,
        wait_seconds=wait,
        tell=not (failure.unchanged and again),
        subject=f"Nightlake: {request.pipeline}: {request.dataset} was rejected, {state}"[:SUBJECT_LENGTH],
        message=f"{shorten(words, TEXT_LENGTH)}\n{_links(request)}",
        error={
            "Error": failure.error,
            "Cause": shorten(reason(failure.cause), min(_CAUSE_LENGTH, _CAUSES_LENGTH // len(pipeline.sources))),
        },
    )


def _words(request: Request, pipeline: Pipeline, judged: Validation | None, *, again: bool, wait: int) -> Iterator[str]:
    source, failure = pipeline.source(request.dataset), request.error
    yield (
        f"Source {request.dataset} ({source.from_}) of pipeline {request.pipeline} was rejected with {failure.error} "
        f"for {request.date}."
    )
    yield _next(request, again=again, wait=wait, required=source.required)
    if judged is None:
        yield shorten(reason(failure.cause), _CAUSE_LENGTH)
        return
    for problem in judged.problems[:_PROBLEMS]:
        yield shorten(f"{problem.rule}: {problem.reason}. Look at {problem.where}", _CAUSE_LENGTH // _PROBLEMS)
    if len(judged.problems) > _PROBLEMS:
        yield f"and {len(judged.problems) - _PROBLEMS} more problems"
    yield (
        f"Records: {judged.records:,}, rows: {judged.rows:,}, quarantined: {judged.quarantined:,}; "
        f"objects: {judged.objects:,}, shards: {judged.shards:,}."
    )
    if judged.samples:
        yield f"Refused, for example:\n{_listed(judged)}"


def _listed(judged: Validation) -> str:
    return "\n".join(f"  {sample}" for sample in judged.samples)


def _next(request: Request, *, again: bool, wait: int, required: bool) -> str:
    if again:
        return f"Attempt {request.attempt} of {ATTEMPTS}: tried again in {wait} s with what is there by then."
    consequence = "without it the night publishes nothing" if required else "the night goes on without it"
    if request.error.unchanged:
        why = f"Given up, as the delivery is still the same at attempt {request.attempt}"
    elif request.scheduled_at is None:
        why = "Given up, as a run for a named date does not try again"
    else:
        why = f"Given up after attempt {request.attempt}"
    return f"{why}: {consequence}. Mend the delivery, then rerun the date."


def _links(request: Request) -> str:
    region = request.execution_id.split(":")[3]
    console = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
    execution = f"{console}#/v2/executions/details/{request.execution_id}"
    return f"Run {request.run_id}, execution {execution}\nWhat to do: {_RUNBOOK}"
