"""Task PromoteModel, and what a person asks for: CHAMPION moves to another version, or back."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nightlake.adapters.s3 import Objects
from nightlake.core.errors import InvalidInputError
from nightlake.core.model.registry import promote
from nightlake.handlers.models import model_of
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger, task


class Request(BaseModel):
    """`version` None: the champion before this one. `expected`: who must be champion now, 0 for nobody, None for
    whoever it is. By `force` also a version that was not judged good.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    version: int | None = Field(default=None, ge=1)
    expected: int | None = Field(default=None, ge=0)
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    force: bool = False


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: a `Request`; result: `{champion, previous}`.

    Raises InvalidInputError, PipelineNotDeployedError, NoModelDeclaredError, ModelNotFoundError, ModelUnreadableError,
    ModelRejectedError, ChampionChangedError or PublishContendedError.
    """
    try:
        request = Request.model_validate(event)
    except ValidationError as error:
        raise InvalidInputError(
            f"A version is promoted with {{pipeline, version?, expected?, by, reason, force?}}: {error}"
        ) from error
    model_of(request.pipeline)
    champion = promote(
        Objects(settings().lake_bucket),
        request.pipeline,
        request.version,
        expected=request.expected,
        by=request.by,
        reason=request.reason,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        force=request.force,
    )
    logger.info("Champion moved", champion=champion.version, previous=champion.previous, by=champion.by)
    return {"champion": champion.version, "previous": champion.previous}
