"""A run of sales that has ended, with reports and the runs before it, for tests of the page that it leaves."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from nightlake.core.page.assets import Assets, load_assets
from nightlake.core.page.contents import contents
from nightlake.core.page.html import page
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import ResultColumn
from nightlake.core.report import Json, Report
from nightlake.core.run_record import Failure, RunRecord, SourceRecord, TableRecord
from nightlake.core.shard import Finding

NODE_MODULES = Path(__file__).parents[2] / "node_modules"
DAY = date(2017, 6, 12)


def assets() -> Assets:
    """What pages carry when they are deployed."""
    return load_assets(NODE_MODULES)


def run_of(day: date = DAY, **changed: Any) -> RunRecord:
    """The record of a good run."""
    source = SourceRecord(
        dataset="transactions", status="good", attempt=1, objects=1, bytes=4096, shards=1, records=1010, rows=1000,
        quarantined=10 + day.day % 3,
        warnings=(Finding(rule="column_drift", where="sales/a.csv", reason="there is a new column"),),
    )  # fmt: skip
    record = RunRecord(
        pipeline="sales",
        date=day,
        run_id=f"{day:%Y%m%d}T030000Z-0a1b2c3d",
        execution_id="arn:aws:states:eu-west-1:123456789012:execution:nightlake-dev-sales-daily:one",
        outcome="succeeded",
        error=None,
        started_at=f"{day}T03:00:00.000Z",
        ended_at=f"{day}T03:02:05.000Z",
        contract_hash="ab" * 32,
        sources=(source,),
        audits=(),
        tables=(TableRecord(table="transactions", rows=1000, files=1, bytes=2048),),
        snapshot=day.day,
        reports=(),
    )
    return record.model_copy(update=changed)


def failed_run() -> RunRecord:
    """A run that refused its source."""
    cause = '{"errorMessage": "more than 5 % of the rows were refused", "errorType": "QualityError"}'
    error = Failure.model_validate({"Error": "DuplicateKeysError", "Cause": cause})
    return run_of(outcome="failed", error=error, snapshot=None)


def report_of(name: str, columns: str, *rows: tuple[Json, ...]) -> Report:
    """A report; `columns` are written `name type, name type`."""
    named = [each.split(" ", 1) for each in columns.split(", ")]
    return Report(
        pipeline="sales",
        name=name,
        date=DAY,
        run_id=run_of().run_id,
        snapshot=12,
        columns=tuple(ResultColumn(name=column, type=kind) for column, kind in named),
        rows=tuple(dict(zip([column for column, _ in named], row, strict=True)) for row in rows),
    )


def departments(*names: str) -> Report:
    """The report of which a page makes bars."""
    return report_of(
        "revenue_by_department",
        "rank bigint, department varchar, revenue decimal(18,2)",
        *((rank, name, f"{12000 / rank:.2f}") for rank, name in enumerate(names, start=1)),
    )


def trend() -> Report:
    """The report of which a page makes lines."""
    days = [DAY - timedelta(days=ago) for ago in range(20, -1, -1)]
    return report_of(
        "revenue_trend",
        "sold_on date, revenue decimal(18,2), average_7_days decimal(18,2)",
        *(
            (day.isoformat(), f"{10000 + 37 * at % 11 * 100}.50", None if at < 6 else "10500.00")
            for at, day in enumerate(days)
        ),
    )


def sizes() -> Report:
    """The report of which a page makes bars, but of its last row, which is of all."""
    return report_of("basket_size", "products varchar, baskets bigint", ("1", 5), ("2-5", 3), ("all", 8))


SQL = {
    "basket_size": "-- plot: bar x=products y=baskets total=all\nSELECT 1\n",
    "revenue_by_department": "-- Where the day's money came from.\nSELECT 1\n",
    "revenue_trend": "-- The last days.\n-- plot: line x=sold_on y=revenue,average_7_days\nSELECT 1\n",
}


def page_of(pipeline: Pipeline, *reports: Report, record: RunRecord | None = None, runs: int = 10) -> str:
    """The page of a run, the last of so many."""
    history = [run_of(DAY - timedelta(days=ago)) for ago in range(runs - 1, 0, -1)]
    record = record or run_of()
    return page(contents(record, pipeline, reports, [*history, record], SQL), assets())
