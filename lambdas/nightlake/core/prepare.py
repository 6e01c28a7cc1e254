"""The first decision of a night: which day, which run, which tables must exist."""

from datetime import date

from pydantic import BaseModel, ConfigDict

from nightlake.core.dates import business_date, parse_instant, requested_date, run_id
from nightlake.core.pipeline import Pipeline
from nightlake.core.table import tables


class RunInput(BaseModel):
    """What starts an execution: nothing, `scheduled_time` from the trigger, or the `date` that a person asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduled_time: str | None = None
    date: str | None = None


class Start(BaseModel):
    """What the state machine tells Prepare: the execution's input, ARN and start (ISO 8601)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    input: RunInput
    execution_id: str
    started_at: str


class Table(BaseModel):
    """A table that must exist, by name only: its definition would not fit through Step Functions with all others."""

    model_config = ConfigDict(frozen=True)

    database: str
    name: str


class Run(BaseModel):
    """The run as every later state knows it; `year`, `month` and `day` are the partition values of `date`."""

    model_config = ConfigDict(frozen=True)

    pipeline: str
    date: date
    year: str
    month: str
    day: str
    run_id: str
    contract_hash: str
    tables: tuple[Table, ...]


def prepare(start: Start, pipeline: Pipeline, *, databases: tuple[str, ...]) -> Run:
    """The run that this execution is: the same for every retry of it.

    Raises InvalidScheduledTimeError or InvalidDateError when the input names no day that a run can be for.
    """
    started_at = parse_instant(start.started_at)
    scheduled_time = start.input.scheduled_time
    scheduled_at = started_at if scheduled_time is None else parse_instant(scheduled_time)
    rule = pipeline.business_date
    if start.input.date is None:
        day = business_date(scheduled_at, offset_days=rule.offset_days, timezone=rule.timezone)
    else:
        day = requested_date(start.input.date, today=business_date(started_at, offset_days=0, timezone=rule.timezone))
    year, month, day_of_month = day.isoformat().split("-")
    return Run(
        pipeline=pipeline.name,
        date=day,
        year=year,
        month=month,
        day=day_of_month,
        run_id=run_id(started_at, start.execution_id),
        contract_hash=pipeline.contract_hash,
        tables=tuple(
            Table(database=database, name=table.name)
            for database in databases
            for dataset in pipeline.datasets
            for table in tables(dataset)
        ),
    )
