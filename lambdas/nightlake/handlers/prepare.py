"""Task Prepare: which day, which run, which tables must exist."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.adapters.states import States
from nightlake.core.dates import parse_instant, run_id
from nightlake.core.errors import InvalidInputError
from nightlake.core.prepare import Start, prepare
from nightlake.core.projection import project
from nightlake.core.report_parameters import read_header
from nightlake.handlers.contracts import pipeline, statements
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, faults, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, input, execution_id, started_at}`; result: a `core.prepare.Run`.

    Raises InvalidInputError, InvalidDateError, InvalidScheduledTimeError, PipelineNotDeployedError,
    RunInProgressError or ProjectionError.
    """
    try:
        start = Start.model_validate(event)
    except ValidationError as error:
        raise InvalidInputError(
            f"The execution cannot start with this input ({faults(error)}); give scheduled_time, date, or nothing"
        ) from error
    about(run_id=run_id(parse_instant(start.started_at), start.execution_id))
    deployed = pipeline(start.pipeline)
    store = Objects(settings().lake_bucket)
    run = prepare(
        start,
        deployed,
        store=store,
        executions=States(),
        databases=settings().databases,
        views=tuple(statements(start.pipeline, "views")),
        reports=_computed(statements(start.pipeline, "reports")),
    )
    about(date=run.date.isoformat())
    if not run.duplicate and (changes := project(store, Glue(), deployed, database=settings().database)):
        logger.warning("An unfinished projection was completed", catalog_changes=changes)
    logger.info("Run prepared", tables=len(run.tables), contract_hash=run.contract_hash, duplicate=run.duplicate)
    return run.model_dump(mode="json")


def _computed(reports: Mapping[str, str]) -> tuple[str, ...]:
    """The reports that a night computes: those whose parameters all have a default."""
    return tuple(name for name, text in reports.items() if read_header(text).is_nightly)
