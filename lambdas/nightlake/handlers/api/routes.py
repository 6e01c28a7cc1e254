"""The routes of the API: each reads its parameters and asks core one question."""

import json
from functools import cache
from typing import Final

from aws_lambda_powertools.event_handler import Response

from nightlake.adapters.s3 import Objects
from nightlake.core.api import rows
from nightlake.core.api.datasets import describe_dataset, find_dataset, list_datasets
from nightlake.core.api.published import Published
from nightlake.core.api.question import once, read_day, read_limit
from nightlake.core.api.reports import find_report, list_reports
from nightlake.core.api.runs import find_run, list_runs
from nightlake.core.api.snapshots import list_snapshots
from nightlake.core.errors import InvalidParameterError, UnknownParameterError
from nightlake.core.store import Store
from nightlake.handlers.api.answers import answer, answer_if_new, etag, router
from nightlake.handlers.contracts import pipelines, statements
from nightlake.handlers.settings import settings

__all__ = ["lake", "published", "router"]

_LISTED: Final = 20
_MOST_LISTED: Final = 100


@cache
def lake() -> Store:
    """The bucket that everything is read from."""
    return Objects(settings().lake_bucket)


@cache
def published() -> Published:
    """Its snapshots."""
    return Published(lake())


@router.get("/v1/health")
def get_health() -> Response[str]:
    """200 when the function runs and reads its contracts."""
    _parameters()
    deployed = [{"name": each.name, "version": each.version} for each in pipelines().values()]
    return answer({"status": "ok", "stage": settings().stage, "pipelines": deployed})


@router.get("/v1/datasets")
def get_datasets() -> Response[str]:
    """Every dataset and merge in short, with what is published of it."""
    _parameters()
    return answer({"datasets": list_datasets(pipelines().values(), published())})


@router.get("/v1/datasets/<name>")
def get_dataset(name: str) -> Response[str]:
    """One dataset with its columns and days; 404 when no contract describes it."""
    _parameters()
    found = find_dataset(pipelines().values(), name)
    return answer(describe_dataset(found, published().newest(found.pipeline.name)))


@router.get("/v1/datasets/<name>/rows")
def get_rows(name: str) -> Response[str]:
    """A page of a dataset's rows; every query parameter but a few is a condition on a column."""
    pipeline = find_dataset(pipelines().values(), name).pipeline
    asked = rows.ask(published(), pipeline.name, name, router.current_event.multi_value_query_string_parameters)
    snapshot = asked.pinned.snapshot
    version = router.lambda_context.function_version
    tag = etag((pipeline.contract_hash, str(snapshot.number), snapshot.run_id, version))
    return answer_if_new(tag, lambda: json.dumps(rows.answer(lake(), asked)))


@router.get("/v1/reports")
def get_reports() -> Response[str]:
    """Every report and the dates that it is there for."""
    _parameters()
    return answer({"reports": list_reports(lake(), published(), _reports())})


@router.get("/v1/reports/<name>")
def get_report(name: str) -> Response[str]:
    """One report of a business date, the newest without one."""
    day = read_day(_parameters("date"), "date")
    return answer(find_report(lake(), published(), _reports(), name, day))


@router.get("/v1/runs")
def get_runs() -> Response[str]:
    """The last runs in short."""
    parameters = _parameters("pipeline", "limit")
    limit = read_limit(parameters, default=_LISTED, most=_MOST_LISTED)
    return answer({"runs": list_runs(lake(), _pipelines(parameters), limit)})


@router.get("/v1/runs/<run_id>")
def get_run(run_id: str) -> Response[str]:
    """The record of one run in full."""
    _parameters()
    return answer(find_run(lake(), pipelines(), run_id))


@router.get("/v1/snapshots")
def get_snapshots() -> Response[str]:
    """The snapshots that are published or can be again."""
    parameters = _parameters("pipeline", "limit")
    limit = read_limit(parameters, default=_LISTED, most=_MOST_LISTED)
    return answer({"snapshots": list_snapshots(published(), _pipelines(parameters), limit)})


def _parameters(*known: str) -> dict[str, str]:
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


def _pipelines(parameters: dict[str, str]) -> list[str]:
    """The pipeline that is asked for, or all."""
    asked = parameters.get("pipeline")
    if asked is not None and asked not in pipelines():
        raise InvalidParameterError(
            f"pipeline={asked}: there is none of this name; there are: {', '.join(pipelines())}"
        )
    return [asked] if asked else list(pipelines())


def _reports() -> dict[str, list[str]]:
    return {pipeline: list(statements(pipeline, "reports")) for pipeline in pipelines()}
