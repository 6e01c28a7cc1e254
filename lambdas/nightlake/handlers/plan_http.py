"""Task Plan of a source that is an API: asks it, lands what it answers, and says which shards are to be converted."""

import random
import time
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.http_api import Http
from nightlake.adapters.s3 import Objects
from nightlake.adapters.secretsmanager import Secrets
from nightlake.core import layout
from nightlake.core.delivery import Delivery
from nightlake.core.extract_http import extract_http
from nightlake.core.http_behaviour import Asked, WatchedFetch, asked_metrics
from nightlake.core.http_source import HttpSource
from nightlake.core.plan import Request
from nightlake.core.sources import AnySource
from nightlake.handlers.contracts import pipeline
from nightlake.handlers.plan import plan_source
from nightlake.handlers.settings import settings
from nightlake.handlers.task import emit, task


class _Clock:
    """The machine's."""

    def seconds(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def jitter(self) -> float:
        return random.random()  # noqa: S311 - it only spreads tries over time


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Event: a `core.plan.Request`; result: a `core.plan.Planned`, which is not ready while the API is still asked.

    Raises PipelineNotDeployedError, SourceNotReadyError, or what is wrong with the API or its answers:
    ApiUnavailableError, ApiUnauthorizedError, ApiRefusedError, AnswerNotJsonError, AnswerTruncatedError,
    AnswerTooLargeError, AnswerShapeError, AnswersIncompleteError, PageRepeatedError, TotalChangedError,
    RecordsMovedError, TooManyPagesError, HostNotAllowedError, HeaderMismatchError, SecretUnreadableError,
    ExtractionTakenError.
    """

    def extract(source: AnySource, request: Request, now: datetime) -> Delivery:
        if not isinstance(source, HttpSource):
            raise TypeError(f"plan_http plans sources of kind 'http', not {source.from_!r}")
        with Http(source, Secrets(), settings().endpoints) as http:
            fetch = WatchedFetch(http, _Clock())
            try:
                return extract_http(
                    source,
                    request,
                    now,
                    dataset=pipeline(request.pipeline).dataset(request.dataset),
                    raw=Objects(settings().raw_bucket),
                    fetch=fetch,
                    clock=_Clock(),
                    seconds=context.get_remaining_time_in_millis() / 1000,
                )
            finally:
                _note(request, fetch.asked, context.aws_request_id)

    return plan_source(event, extract)


def _note(request: Request, asked: Asked, name: str) -> None:
    """How the API behaved, for the record of the run and for the dashboard."""
    if asked.requests:
        folder = layout.asked(request.pipeline, request.date, request.run_id, request.dataset)
        Objects(settings().lake_bucket).put_model(f"{folder}{name}.json", asked)
    emit(asked_metrics(request.pipeline, request.dataset, asked))
