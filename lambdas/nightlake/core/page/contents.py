"""What the page of a run says: facts, tables and plots, from the run's record, its reports and the runs before it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from nightlake.core.brief import meaning, reason, shorten
from nightlake.core.dates import parse_instant
from nightlake.core.frozen import Frozen
from nightlake.core.page.plot import Plot, choose_plot
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import ResultColumn
from nightlake.core.report import Json, Report
from nightlake.core.report_parameters import Header, read_header
from nightlake.core.rule_result import RuleResult
from nightlake.core.run_record import Failure, RunRecord
from nightlake.core.shard import Finding

_CAUSE_LENGTH: Final = 4_000


class Table(Frozen):
    """A table to look at; `plot` draws its columns. `note` says what it is, where its title does not."""

    name: str
    title: str
    columns: tuple[ResultColumn, ...]
    rows: tuple[tuple[Json, ...], ...]
    note: str = ""
    plot: Plot | None = None


class Trouble(Frozen):
    """Why a run failed, one cause for each source that was rejected, and what a person does about it."""

    error: str
    causes: tuple[str, ...]
    advice: str


class Contents(Frozen):
    """All of a page: `facts` are a few short texts by their names, `good` whether the run ended well."""

    pipeline: str
    date: date | None
    run_id: str
    good: bool
    ended_at: datetime
    facts: tuple[tuple[str, str], ...]
    trouble: Trouble | None
    reports: tuple[Table, ...]
    tables: tuple[Table, ...]


def contents(
    record: RunRecord,
    pipeline: Pipeline,
    reports: Sequence[Report],
    history: Sequence[RunRecord],
    sql: Mapping[str, str],
) -> Contents:
    """The contents of a run's page.

    `history` are the last runs in the order of their starts, this one included; `sql` the text of each report's file.
    """
    return Contents(
        pipeline=record.pipeline,
        date=record.date,
        run_id=record.run_id,
        good=record.outcome == "succeeded",
        ended_at=parse_instant(record.ended_at),
        facts=tuple(_facts(record, pipeline)),
        trouble=_trouble(record),
        reports=tuple(_report(report, read_header(sql.get(report.name, ""))) for report in reports),
        tables=tuple(table for table in _tables(record, history) if table.rows),
    )


def _facts(record: RunRecord, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    yield "Business date", str(record.date or "not known")
    yield "Snapshot", "nothing was published" if record.snapshot is None else f"number {record.snapshot}"
    times = record.times
    if times is not None:
        limit = pipeline.latency_minutes * 60
        kept = "within" if times.processing <= limit else "longer than"
        yield "Duration", f"{duration(times.processing)}, {kept} the {duration(limit)} that the contract promises"
    rows = f"{sum(source.rows for source in record.sources):,}"
    refused = sum(source.quarantined for source in record.sources)
    yield "Rows", f"{rows} accepted, {refused:,} in quarantine"
    rules = _rules(record)
    broken = sum(rule.verdict == "broken" for rule in rules)
    yield "Rules", f"{broken:,} of {len(rules):,} broken"
    if record.missing:
        yield "Missing", ", ".join(record.missing)
    yield "Cost of the conversion", f"{sum(item.usd for item in record.conversion):.6f} USD"
    yield "Run", record.run_id
    yield "Contract", f"{pipeline.name} {pipeline.version}, {record.contract_hash[:12]}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min {whole % 60} s" if minutes and whole % 60 else f"{minutes} min" if minutes else f"{whole} s"


def _trouble(record: RunRecord) -> Trouble | None:
    if record.error is None:
        return None
    # That sources were rejected says nothing: what each of them met does.
    rejected = {
        each.dataset: each.error for each in record.sources if each.error and each.dataset not in record.missing
    }
    met = rejected.values() or [record.error]
    day = f" --date {record.date}" if record.date else ""
    rerun = f"Once it is mended, run the date again: nightlake run {record.pipeline}{day}. See docs/runbook.md."
    return Trouble(
        error=record.error.error,
        causes=tuple(f"{name}: {_told(error)}" for name, error in rejected.items()) or (_cause(record.error),),
        advice=" ".join([*dict.fromkeys(filter(None, (meaning(error.error) for error in met))), rerun]),
    )


def _told(error: Failure) -> str:
    return f"{error.error}: {_cause(error)}"


def _cause(error: Failure) -> str:
    return shorten(reason(error.cause), _CAUSE_LENGTH)


def _report(report: Report, header: Header) -> Table:
    names = [column.name for column in report.columns]
    return Table(
        name=report.name,
        title=report.name.replace("_", " ").capitalize(),
        note=header.description,
        columns=report.columns,
        rows=tuple(tuple(row[name] for name in names) for row in report.rows),
        plot=choose_plot(header, report.columns, report.rows),
    )


def _tables(record: RunRecord, history: Sequence[RunRecord]) -> Iterator[Table]:
    seconds = record.times.sources if record.times else {}
    yield _table(
        "sources",
        "Sources",
        "source varchar, status varchar, records bigint, rows bigint, quarantined bigint, objects bigint, "
        "bytes bigint, attempt bigint, seconds double, error varchar",
        (
            (
                *(each.dataset, each.status, each.records, each.rows, each.quarantined, each.objects, each.bytes),
                *(each.attempt, _rounded(seconds.get(each.dataset)), each.error.error if each.error else None),
            )
            for each in record.sources
        ),
    )
    yield _table(
        "apis",
        "How the APIs behaved",
        "source varchar, requests bigint, busy bigint, failed bigint, seconds_of_an_answer double, slowest double",
        (
            (
                *(each.dataset, told.requests, told.busy, told.failed),
                *(round(told.seconds / told.requests, 3), round(told.slowest_seconds, 3)),
            )
            for each in record.sources
            if (told := each.asked)
        ),
        note="Busy are answers 429, failed are answers 5xx and none at all; both are asked again.",
    )
    yield _table(
        "findings",
        "Findings",
        "about varchar, severity varchar, rule varchar, reason varchar, where_to_look varchar",
        _findings(record),
    )
    yield _table(
        "late",
        "Files that came after the sources were planned",
        "source varchar, what varchar, key varchar",
        ((source.dataset, late.what, late.key) for source in record.sources for late in source.late),
        note="Run the date again to take them.",
    )
    yield _table(
        "published",
        "Published" if record.snapshot is not None else "Sealed, not published",
        "table_name varchar, rows bigint, files bigint, bytes bigint",
        ((each.table, each.rows, each.files, each.bytes) for each in record.tables),
    )
    yield _table(
        "rules",
        "Rules",
        "rule varchar, dataset varchar, severity varchar, verdict varchar, rows bigint, broken bigint, percent double, "
        "found varchar",
        (
            (each.rule, each.dataset, each.severity, each.verdict, each.rows, each.broken, each.percent, each.found)
            for each in _rules(record)
        ),
    )
    yield _trend(history)
    yield _table(
        "cost",
        "Cost of the conversion",
        "item varchar, quantity double, unit varchar, usd double",
        ((item.name, _rounded(item.quantity), item.unit, round(item.usd, 6)) for item in record.conversion),
        note="Merges, reports and storage are on other bills: nightlake cost reckons them.",
    )


def _trend(history: Sequence[RunRecord]) -> Table:
    rows = [_judged(each) for each in history]
    plotted = len({each.started_at for each in history}) > 1
    return _table(
        "trend",
        "The last runs",
        "started timestamp, business_date date, outcome varchar, seconds double, rows bigint, quarantined bigint, "
        "quarantined_percent double, rules_broken bigint, usd double",
        rows,
        note="How much was refused, run by run.",
        plot=Plot(kind="line", x="started", y=("quarantined_percent",)) if plotted else None,
    )


def _judged(record: RunRecord) -> tuple[Json, ...]:
    rows, refused = (sum(getattr(each, name) for each in record.sources) for name in ("rows", "quarantined"))
    return (
        record.started_at,
        record.date.isoformat() if record.date else None,
        record.outcome,
        _rounded(record.times.processing if record.times else None),
        rows,
        refused,
        round(100 * refused / (rows + refused), 3) if rows + refused else None,
        sum(rule.verdict == "broken" for rule in _rules(record)),
        round(sum(item.usd for item in record.conversion), 6),
    )


def _rules(record: RunRecord) -> list[RuleResult]:
    of_sources = (rule for source in record.sources for rule in source.rules)
    return [*of_sources, *(rule for audit in record.audits for rule in audit.rules)]


def _findings(record: RunRecord) -> Iterator[tuple[Json, ...]]:
    for source in record.sources:
        if source.error is not None and not source.problems:
            yield source.dataset, "problem", source.error.error, _cause(source.error), None
    judged = [(each.dataset, each.problems, each.warnings) for each in record.sources]
    judged += [(each.subject, each.problems, each.warnings) for each in record.audits]
    for subject, problems, warnings in judged:
        for severity, found in (("problem", problems), ("warning", warnings)):
            yield from (_finding(subject, severity, each) for each in found)


def _finding(subject: str, severity: str, found: Finding) -> tuple[Json, ...]:
    return subject, severity, found.rule, found.reason, found.where


def _table(
    name: str, title: str, columns: str, rows: Iterable[Sequence[Json]], *, note: str = "", plot: Plot | None = None
) -> Table:
    return Table(
        name=name,
        title=title,
        columns=tuple(ResultColumn(name=each.split()[0], type=each.split()[1]) for each in columns.split(", ")),
        rows=tuple(tuple(row) for row in rows),
        note=note,
        plot=plot,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
