"""What every route asks first: the lake, its snapshots, who asks, the query parameters and the pipelines meant."""

from functools import cache

from nightlake.adapters.s3 import Objects
from nightlake.core.api.published import Published
from nightlake.core.api.question import once
from nightlake.core.errors import InvalidParameterError, UnknownParameterError
from nightlake.core.store import Store
from nightlake.handlers.api.answers import router
from nightlake.handlers.contracts import pipelines, statements
from nightlake.handlers.settings import settings


@cache
def lake() -> Store:
    """The bucket that everything is read from."""
    return Objects(settings().lake_bucket)


@cache
def published() -> Published:
    """Its snapshots."""
    return Published(lake())


def parameters_of(*known: str) -> dict[str, str]:
    """The query parameters, of which there are these only.

    Raises UnknownParameterError: a misspelt parameter must not silently ask another question.
    """
    event = router.current_event
    given = event.multi_value_query_string_parameters
    unknown = ", ".join(f"'{name}'" for name in given if name not in known)
    if unknown:
        advice = f"it knows {', '.join(known)}" if known else "leave it out"
        raise UnknownParameterError(f"{event.path} knows no query parameter {unknown}; {advice}")
    return {name: once(name, values) for name, values in given.items()}


def pipelines_of(parameters: dict[str, str]) -> list[str]:
    """The pipeline that the parameter `pipeline` names, or all. Raises InvalidParameterError."""
    asked = parameters.get("pipeline")
    if asked is not None and asked not in pipelines():
        raise InvalidParameterError(
            f"pipeline={asked}: there is none of this name; there are: {', '.join(pipelines())}"
        )
    return [asked] if asked else list(pipelines())


def report_names() -> dict[str, list[str]]:
    """The reports of each pipeline."""
    return {pipeline: list(statements(pipeline, "reports")) for pipeline in pipelines()}
