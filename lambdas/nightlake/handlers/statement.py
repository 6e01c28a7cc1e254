"""Task Statement: the text of one Athena query, bound to the run."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightlake.adapters.glue import Glue
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.across import across_query
from nightlake.core.across_parts import Part
from nightlake.core.audit import audit_query
from nightlake.core.dates import parse_date
from nightlake.core.errors import StatementError
from nightlake.core.merge_attempt import MergeAttempt
from nightlake.core.sql_reading import Kind
from nightlake.core.statement import KINDS, RunDay, render
from nightlake.core.view import is_current
from nightlake.handlers.contracts import pipeline, statements
from nightlake.handlers.settings import settings
from nightlake.handlers.task import about, logger, task


@task
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Event: `{pipeline, kind, name, date, run_id}`; `name` is the merge of an audit. `across` has a `part` instead.

    Result: `{name, query, database}`; of a merge also `table` (in the staging database) and `location` (a key prefix
    of the lake bucket), new each time; of a view also `changed`, whether the query has to run at all.
    Raises StatementError, MergeAuditError, InvalidDateError or PipelineNotDeployedError.
    """
    kind: Kind = event["kind"]
    name = event.get("name", kind)
    run = RunDay(date=parse_date(event["date"]), run_id=event["run_id"])
    about(kind=kind, statement=name)
    contract, lake = pipeline(event["pipeline"]), Objects(settings().lake_bucket)

    def pointer(merge: str) -> str:
        return layout.merge_attempt(contract.name, run.date, run.run_id, merge)

    attempts = [lake.find_model(pointer(merge), MergeAttempt) for merge in contract.merge]
    statement = render(
        _text(event, kind, name),
        kind=kind,
        name=name,
        run=run,
        pipeline=contract,
        databases=settings().databases,
        lake_bucket=lake.bucket,
        suffix=uuid4().hex[:12],
        views=statements(contract.name, "views"),
        attempts=[attempt for attempt, _ in filter(None, attempts)],
    )
    result = {"name": name, "query": statement.query, "database": statement.database}
    if statement.attempt is not None:
        lake.put_model(pointer(name), statement.attempt)
        result |= {"table": statement.attempt.table, "location": statement.attempt.location}
    if kind == "view":
        result["changed"] = not is_current(Glue(), statement.database, name, statement.query)
    logger.info("Statement bound", table=result.get("table"), changed=result.get("changed"))
    return result


def _text(event: Mapping[str, Any], kind: Kind, name: str) -> str:
    """The text that is bound; the checks are made of the contract and the audits. Raises StatementError."""
    pipeline_name = event["pipeline"]
    if kind == "across":
        return across_query(pipeline(pipeline_name), Part.model_validate(event["part"]))
    if kind == "audit":
        return audit_query(name, statements(pipeline_name, "audits"))
    folder = next(folder for folder, each in KINDS.items() if each == kind)
    files = statements(pipeline_name, folder)
    if name not in files:
        raise StatementError(f"There is no sql/{pipeline_name}/{folder}/{name}.sql (there are: {', '.join(files)})")
    return files[name]
