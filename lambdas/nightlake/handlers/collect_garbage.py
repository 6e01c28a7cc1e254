"""Garbage collection, which a person asks for: what no kept snapshot names is given up."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nightlake.adapters.s3 import Objects
from nightlake.adapters.states import States
from nightlake.core.errors import InvalidInputError
from nightlake.core.garbage import collect_garbage
from nightlake.handlers.contracts import pipeline, pipelines
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


class Request(BaseModel):
    """How many of the newest snapshots stay; a dry run only counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    keep: int = Field(ge=1)
    dry_run: bool


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `Request`; result: a `core.garbage.Garbage`.

    Raises InvalidInputError, PipelineNotDeployedError or PublishContendedError.
    """
    try:
        request = Request.model_validate(event)
    except ValidationError as error:
        raise InvalidInputError(
            f"Garbage is collected with {{pipeline, keep, dry_run}}, keep at least 1: {error}"
        ) from error
    garbage = collect_garbage(
        Objects(settings().lake_bucket),
        States(),
        pipeline=pipeline(request.pipeline).name,
        keep=request.keep,
        dry_run=request.dry_run,
        models=[
            name for name, each in pipelines().items() if each.model and each.model.delivers_to == request.pipeline
        ],
    )
    counts = garbage.model_dump()
    logger.info("Garbage collected", **counts)
    return counts
