"""What every route asks first: the lake, its snapshots, who asks, the query parameters and the pipelines meant."""

from functools import cache

from nightlake.adapters.s3 import Objects
from nightlake.core.api.caller import OPERATE, PRIVATE, READ, Caller, signer
from nightlake.core.api.datasets import Served, find_dataset
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Published
from nightlake.core.api.question import singles
from nightlake.core.errors import (
    CallerUnknownError,
    InvalidParameterError,
    ScopeMissingError,
    UnknownParameterError,
)
from nightlake.core.pipeline import Pipeline
from nightlake.core.store import Store
from nightlake.handlers.api.answers import router
from nightlake.handlers.contracts import pipelines, statements
from nightlake.handlers.settings import settings


@cache
def lake() -> Store:
    """The bucket that everything is read from."""
    return Objects(settings().lake_bucket)


@cache
def kept() -> Kept:
    """What was read lately of its objects that never change."""
    return Kept(lake())


@cache
def published() -> Published:
    """Its snapshots."""
    return Published(lake())


def caller() -> Caller:
    """Who asks, as the authorizer says or, of signed requests, the settings. Raises CallerUnknownError."""
    context = router.current_event.raw_event["requestContext"]
    if settings().callers:
        return signer(settings().callers, context["identity"].get("userArn") or "")
    if context.get("authorizer"):
        return Caller.read(context["authorizer"])
    raise CallerUnknownError("Nobody has said who asks; send the header x-api-key")


def visible(ability: str) -> dict[str, Pipeline]:
    """The pipelines for which the caller has this ability; there are no others as far as he is told.

    Raises ScopeMissingError when he has it for none.
    """
    asking = caller()
    found = {name: pipelines()[name] for name in asking.of(ability, pipelines())}
    if not found:
        raise ScopeMissingError(
            f"This needs the scope {ability}:PIPELINE or {ability}:*; '{asking.name}' has it for no pipeline"
        )
    return found


def private() -> list[str]:
    """The pipelines whose private tables the caller may see."""
    return caller().of(PRIVATE, pipelines()) if settings().serves_private else []


def dataset(name: str) -> Served:
    """The dataset or merge of this name, as far as the caller may see it. Raises DatasetNotFoundError."""
    return find_dataset(visible(READ).values(), name, private=private())


def parameters_of(*known: str) -> dict[str, str]:
    """The query parameters, of which there are these only.

    Raises UnknownParameterError: a misspelt parameter must not silently ask another question.
    """
    event = router.current_event
    given = event.multi_value_query_string_parameters
    unknown = [name for name in given if name not in known]
    if unknown:
        told = ", ".join(f"'{name}'" for name in unknown)
        advice = f"it knows {', '.join(known)}" if known else "leave it out"
        raise UnknownParameterError(f"{event.path} knows no query parameter {told}; {advice}", unknown[0])
    return singles(given)


def pipelines_of(parameters: dict[str, str]) -> list[str]:
    """The pipeline that the parameter `pipeline` names, or all that the caller may look into.

    Raises InvalidParameterError, ScopeMissingError.
    """
    asked = parameters.get("pipeline")
    known = visible(OPERATE)
    if asked is not None and asked not in known:
        raise InvalidParameterError(
            f"pipeline={asked}: there is none of this name; there are: {', '.join(known)}", "pipeline"
        )
    return [asked] if asked else list(known)


def reports() -> dict[str, dict[str, str]]:
    """The SQL of the reports of each pipeline that the caller may read, by name. Raises ScopeMissingError."""
    return {pipeline: statements(pipeline, "reports") for pipeline in visible(READ)}
