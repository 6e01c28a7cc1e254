"""`nightlake backfill`: nights of past days, several at once, beside the scheduled ones."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer
from nightlake.core import layout
from nightlake.core.brief import reason
from nightlake.core.dates import parse_date, run_id
from nightlake.core.run_record import RunRecord
from nightlake.core.snapshot import Head, Snapshot
from rich.table import Table

from cli.cloud import OfStage, Stage, connect
from cli.errors import EmptyRangeError
from cli.execution import payload_of, start
from cli.lake import Lake
from cli.night import machine
from cli.output import FAILED, Json, answer, errors_told, progress
from cli.pipelines import PipelineName, read_pipeline

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Day:
    """What became of one business date: `status` as Step Functions says it, WAITING before its night has started."""

    date: date
    status: str
    seconds: float | None = None
    run_id: str | None = None
    rows: int | None = None
    quarantined: int | None = None
    snapshot: int | None = None
    error: str | None = None
    cause: str | None = None


def backfill(
    pipeline: PipelineName,
    *,
    first: Annotated[str, typer.Option("--from", help="First business date YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last business date YYYY-MM-DD.")],
    only_missing: Annotated[bool, typer.Option("--only-missing", help="Leave out what is published.")] = False,
    max_parallel: Annotated[int, typer.Option(min=1, max=40, help="How many nights at once.")] = 2,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Run the nights of past days, never in the way of the scheduled one. Ends with 1 where a night fails."""
    with errors_told(as_json=as_json):
        name = read_pipeline(pipeline).name
        days = list(_days(parse_date(first), parse_date(last)))
        cloud = connect(stage)
        outputs = cloud.outputs()
        lake = Lake(cloud.client("s3"), outputs["LakeBucket"])
        skipped = sorted(_published(lake, name).intersection(days)) if only_missing else []
        wanted = [day for day in days if day not in skipped]
        done: list[Day] = []
        ended: Mapping[str, Any] = {}
        if wanted:
            client = cloud.client("stepfunctions")
            dates = {"dates": [day.isoformat() for day in wanted], "max_parallel": max_parallel}
            arn = start(client, machine(cloud, outputs, name, "backfill"), dates)
            nights = _Nights(client, machine(cloud, outputs, name, "daily"), wanted)
            ended = _follow(client, arn, nights)
            done = [_with_record(lake, name, day) for day in nights.now(ended).values()]
    failed = ended.get("status", "SUCCEEDED") != "SUCCEEDED"
    answer(
        {
            "pipeline": name,
            "execution": ended.get("executionArn"),
            "error": ended.get("error"),
            "cause": reason(ended.get("cause")),
            "days": [vars(day) for day in done],
            "skipped": [day.isoformat() for day in skipped],
        },
        view=_view(name, done, skipped, reason(ended.get("cause"))),
        as_json=as_json,
        code=FAILED if failed else 0,
    )


def _days(first: date, last: date) -> Iterator[date]:
    if last < first:
        raise EmptyRangeError(f"{first} lies after {last}: give the earlier day to --from")
    yield from (first + timedelta(days=offset) for offset in range((last - first).days + 1))


def _published(lake: Lake, pipeline: str) -> set[date]:
    """The business dates of the published runs."""
    head = lake.find(layout.head(pipeline), Head)
    snapshot = lake.find(head.key, Snapshot) if head else None
    return {run.date for run in snapshot.runs} if snapshot else set()


class _Nights:
    """The nights that a backfill started: found among all nights of the pipeline by their input."""

    def __init__(self, client: Any, daily: str, dates: Sequence[date]) -> None:
        self._client, self._daily, self._dates = client, daily, dates
        self._date_of: dict[str, date | None] = {}

    def now(self, backfill: Mapping[str, Any]) -> dict[date, Day]:
        """Every date and how its night is; `backfill` is the described execution that started the nights."""
        days = {day: Day(day, "WAITING") for day in self._dates}
        for found in self._started(backfill["startDate"]):
            day = self._date(found["executionArn"])
            if day in days and days[day].status == "WAITING":
                days[day] = self._day(day, found)
        return days

    def _started(self, since: datetime) -> Iterator[Any]:
        pages = self._client.get_paginator("list_executions").paginate(stateMachineArn=self._daily)
        executions = (execution for page in pages for execution in page["executions"])
        yield from (execution for execution in executions if execution["startDate"] >= since)

    def _date(self, arn: str) -> date | None:
        if arn not in self._date_of:
            asked = payload_of(self._client.describe_execution(executionArn=arn))
            self._date_of[arn] = parse_date(asked["date"]) if asked.get("backfill") else None
        return self._date_of[arn]

    def _day(self, day: date, found: Mapping[str, Any]) -> Day:
        arn, ended = found["executionArn"], found.get("stopDate")
        error = cause = None
        if found["status"] not in ("RUNNING", "SUCCEEDED"):
            told = self._client.describe_execution(executionArn=arn)
            error, cause = told.get("error", found["status"]), reason(told.get("cause"))
        return Day(
            date=day,
            status=found["status"],
            seconds=round((ended - found["startDate"]).total_seconds(), 1) if ended else None,
            run_id=run_id(found["startDate"].astimezone(UTC), arn),
            error=error,
            cause=cause,
        )


def _follow(client: Any, arn: str, nights: _Nights) -> Mapping[str, Any]:
    """Prints each change of a date to standard error; returns the backfill's described execution when it has ended."""
    before: dict[date, Day] = {}
    while True:
        execution: Mapping[str, Any] = client.describe_execution(executionArn=arn)
        now = nights.now(execution)
        for day in now.values():
            if day.status != "WAITING" and before.get(day.date) != day:
                progress.print(f"  {day.date} {day.status} {day.error or ''}", markup=False, highlight=False)
        if execution["status"] != "RUNNING":
            return execution
        before = now
        time.sleep(_POLL_SECONDS)


def _with_record(lake: Lake, pipeline: str, day: Day) -> Day:
    """The day with what its run wrote about itself."""
    record = lake.find(layout.record(pipeline, day.run_id), RunRecord) if day.run_id else None
    if record is None:
        return day
    counts = {
        "rows": sum(source.rows for source in record.sources),
        "quarantined": sum(source.quarantined for source in record.sources),
        "snapshot": record.snapshot,
    }
    return Day(**vars(day) | counts)


def _view(pipeline: str, days: Sequence[Day], skipped: Sequence[date], cause: str) -> Table:
    title = f"{pipeline}: {sum(day.status == 'SUCCEEDED' for day in days)} of {len(days)} days done"
    if skipped:
        title += f", {len(skipped)} published before"
    table = Table(
        title=title, caption=cause, caption_justify="left", title_justify="left", title_style="bold", box=None
    )
    table.add_column("date", no_wrap=True)
    table.add_column("", no_wrap=True)
    for heading in ("seconds", "rows", "refused", "snapshot"):
        table.add_column(heading, justify="right")
    table.add_column("", overflow="fold")
    for day in days:
        colour = "green" if day.status == "SUCCEEDED" else "red"
        counts = ("" if count is None else f"{count:,}" for count in (day.seconds, day.rows, day.quarantined))
        table.add_row(
            str(day.date),
            f"[{colour}]{day.status}[/]",
            *counts,
            "" if day.snapshot is None else str(day.snapshot),
            f"{day.error}: {day.cause}" if day.error else "",
        )
    return table
