"""What the API says about reports: those of the runs that HEAD's snapshot holds, as Athena computed them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from nightlake.core import layout
from nightlake.core.api.published import Published
from nightlake.core.errors import InvalidParameterError, ReportNotFoundError, UnknownParameterError
from nightlake.core.report import Report, json_value
from nightlake.core.report_parameters import Header, default_of, read_header, read_value
from nightlake.core.snapshot import PublishedRun
from nightlake.core.store import Store

_DATES_TOLD: Final = 100
MAX_HISTORY: Final = 31
DEFAULT_HISTORY: Final = 7

Texts = Mapping[str, Mapping[str, str]]
"""The SQL of reports: by pipeline, by name."""


def list_reports(store: Store, published: Published, texts: Texts) -> list[dict[str, Any]]:
    """Every report with its parameters and the last dates that it is there for, the newest first."""
    return [
        {
            "name": name,
            "pipeline": pipeline,
            "description": header.description,
            "parameters": [
                {
                    "name": each.name,
                    "type": str(each.kind),
                    "required": each.default is None,
                    "default": json_value(each.default),
                    "allowed": [json_value(value) for value in each.allowed],
                    "description": each.description,
                }
                for each in header.parameters
            ],
            "dates": [run.date.isoformat() for run in _runs(store, published, pipeline, name)[:_DATES_TOLD]],
        }
        for pipeline, reports in texts.items()
        for name, text in reports.items()
        for header in [read_header(text)]
    ]


def find_report(
    store: Store,
    published: Published,
    texts: Texts,
    name: str,
    *,
    day: date | None,
    given: Mapping[str, str],
) -> dict[str, Any]:
    """The report of a business date, or of the newest one that has it, as the night computed it.

    While a night builds its reports, the newest are those of the night before. Raises ReportNotFoundError naming what
    there is, also for values that the night has not computed, UnknownParameterError or InvalidParameterError.
    """
    pipeline, header = _find(texts, name)
    runs = _runs(store, published, pipeline, name)
    run = next((run for run in runs if day in (None, run.date)), None)
    if given:
        _check_computed(name, header, given, run.date if run else day or date.min)
    if run is None:
        raise _no_date(name, day, runs)
    return _read(store, pipeline, name, run).model_dump(mode="json")


def find_history(
    store: Store,
    published: Published,
    texts: Texts,
    name: str,
    *,
    limit: int,
    until: date | None,
    columns: Sequence[str] | None,
) -> dict[str, Any]:
    """The last reports of one name, the newest first, up to a date; of each, the `columns` or all of them.

    Raises ReportNotFoundError, or InvalidParameterError for a column that neither they nor the newest one has.
    """
    pipeline, _ = _find(texts, name)
    runs = [run for run in _runs(store, published, pipeline, name) if until is None or run.date <= until]
    reports = [_read(store, pipeline, name, run) for run in runs[:limit]]
    known = {column.name: column.type for report in reversed(reports) for column in report.columns}
    # Of those from before there was a column, too, it may be asked: they have null in it.
    there = newest_columns(store, published, pipeline, name) | known
    for column in columns or ():
        if there and column not in there:
            raise InvalidParameterError(
                f"select: there is no column '{column}'; there are: {', '.join(there)}", "select"
            )
    if columns and len(set(columns)) < len(columns):
        raise InvalidParameterError("select names a column twice; name each once", "select")
    wanted = columns or list(known)
    return {
        "pipeline": pipeline,
        "name": name,
        "columns": [{"name": column, "type": there[column]} for column in wanted if column in there],
        "history": [
            {
                "date": report.date.isoformat(),
                "run_id": report.run_id,
                "snapshot": report.snapshot,
                "parameters": report.parameters,
                # One of a night whose SQL had other columns has null in those that it lacks.
                "rows": [{column: row.get(column) for column in wanted} for row in report.rows],
            }
            for report in reports
        ],
    }


def newest_columns(store: Store, published: Published, pipeline: str, name: str) -> dict[str, str]:
    """The columns of a report and their types as the newest run has it; none where it has none yet."""
    newest = published.newest(pipeline)
    run = newest.snapshot.runs[-1] if newest else None
    found = store.find_model(layout.report(pipeline, name, run.run_id), Report) if run else None
    return {column.name: column.type for column in found[0].columns} if found else {}


def unknown_report(name: str, names: Mapping[str, Sequence[str]]) -> ReportNotFoundError:
    """The error that tells which reports there are, by pipeline."""
    known = ", ".join(sorted(report for reports in names.values() for report in reports)) or "none"
    return ReportNotFoundError(f"There is no report '{name}'; there are: {known}")


def _find(texts: Texts, name: str) -> tuple[str, Header]:
    """The pipeline of a report, and what its text declares. Raises ReportNotFoundError."""
    pipeline = next((pipeline for pipeline, reports in texts.items() if name in reports), None)
    if pipeline is None:
        raise unknown_report(name, {pipeline: list(reports) for pipeline, reports in texts.items()})
    return pipeline, read_header(texts[pipeline][name])


def _check_computed(name: str, header: Header, given: Mapping[str, str], day: date) -> None:
    """Raise ReportNotFoundError for values that are not those of the night.

    UnknownParameterError and InvalidParameterError are for names and values that there are not.
    """
    for asked, text in given.items():
        parameter = header.named(asked)
        if parameter is None:
            known = ", ".join(("date", *(each.name for each in header.parameters)))
            raise UnknownParameterError(
                f"The report '{name}' knows no query parameter '{asked}'; it knows {known}", asked
            )
        if read_value(parameter, text) != default_of(parameter, day):
            raise ReportNotFoundError(
                f"{asked}={text}: no night computes '{name}' with it; POST /v1/queries asks for any value", asked
            )


def _no_date(name: str, day: date | None, runs: Sequence[PublishedRun]) -> ReportNotFoundError:
    dates = ", ".join(run.date.isoformat() for run in runs[:10]) or "no date yet"
    of_day = f" of {day}" if day else ""
    return ReportNotFoundError(f"There is no report '{name}'{of_day}; the newest are of: {dates}")


def _read(store: Store, pipeline: str, name: str, run: PublishedRun) -> Report:
    return store.get_model(layout.report(pipeline, name, run.run_id), Report)


def _runs(store: Store, published: Published, pipeline: str, name: str) -> list[PublishedRun]:
    """The published runs that have this report, by their business date, the newest first."""
    newest = published.newest(pipeline)
    if newest is None:
        return []
    there = {each.key for each in store.list(layout.reports(pipeline, name))}
    runs = reversed(newest.snapshot.runs)
    return [run for run in runs if layout.report(pipeline, name, run.run_id) in there]
