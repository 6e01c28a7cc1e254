"""What the API says about reports: those of the runs that HEAD's snapshot holds, as Athena computed them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from nightlake.core import layout
from nightlake.core.api.published import Published
from nightlake.core.errors import ReportNotFoundError
from nightlake.core.report import Report
from nightlake.core.snapshot import PublishedRun
from nightlake.core.store import Store

_DATES_TOLD: Final = 100

Names = Mapping[str, Sequence[str]]  # names of reports by pipeline


def list_reports(store: Store, published: Published, names: Names) -> list[dict[str, Any]]:
    """Every report with the last dates that it is there for, the newest first."""
    return [
        {"name": name, "pipeline": pipeline, "dates": [run.date.isoformat() for run in runs[:_DATES_TOLD]]}
        for pipeline, reports in names.items()
        for name in reports
        for runs in [_runs(store, published, pipeline, name)]
    ]


def find_report(store: Store, published: Published, names: Names, name: str, day: date | None) -> dict[str, Any]:
    """The report of a business date, or of the newest one that has it. Raises ReportNotFoundError naming what there is.

    While a night builds its reports, the newest are those of the night before.
    """
    pipeline = next((pipeline for pipeline, reports in names.items() if name in reports), None)
    if pipeline is None:
        known = sorted(report for reports in names.values() for report in reports)
        raise ReportNotFoundError(f"There is no report '{name}'; there are: {', '.join(known) or 'none'}")
    runs = _runs(store, published, pipeline, name)
    run = next((run for run in runs if day in (None, run.date)), None)
    if run is None:
        dates = ", ".join(run.date.isoformat() for run in runs[:10])
        of_day = f" of {day}" if day else ""
        raise ReportNotFoundError(f"There is no report '{name}'{of_day}; the newest are of: {dates or 'no date yet'}")
    return store.get_model(layout.report(pipeline, name, run.run_id), Report).model_dump(mode="json")


def _runs(store: Store, published: Published, pipeline: str, name: str) -> list[PublishedRun]:
    """The published runs that have this report, by their business date, the newest first."""
    newest = published.newest(pipeline)
    if newest is None:
        return []
    there = {each.key for each in store.list(layout.reports(pipeline, name))}
    runs = reversed(newest.snapshot.runs)
    return [run for run in runs if layout.report(pipeline, name, run.run_id) in there]
