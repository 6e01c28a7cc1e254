"""Writes the page of a run that has ended, from what the lake holds of it."""

from collections.abc import Mapping
from itertools import islice
from typing import Final

from nightlake.core import layout
from nightlake.core.page.assets import Assets
from nightlake.core.page.contents import contents
from nightlake.core.page.html import page
from nightlake.core.pipeline import Pipeline
from nightlake.core.report import Report
from nightlake.core.run_record import RunRecord
from nightlake.core.store import Store

RUNS_SHOWN: Final = 14


def write_page(
    record: RunRecord, pipeline: Pipeline, *, lake: Store, sql: Mapping[str, str], assets: Assets
) -> tuple[str, int]:
    """Put the page of the run beside its reports, and return its key and its bytes.

    `record` is in the lake already; `sql` is the text of each report's file, by the name of the report.
    """
    reports = [lake.get_model(built.key, Report) for built in record.reports]
    text = page(contents(record, pipeline, reports, _history(record, lake), sql), assets)
    body = text.encode(errors="replace")
    key = layout.page(record.pipeline, record.date, record.run_id)
    lake.put(key, body, content_type="text/html; charset=utf-8")
    return key, len(body)


def _history(record: RunRecord, lake: Store) -> list[RunRecord]:
    """The last runs that started no later than this one, in the order of their starts."""
    own = layout.record(record.pipeline, record.run_id)
    keys = [found.key for found in lake.list(layout.records(record.pipeline)) if found.key <= own]
    newest = [*islice(reversed(keys), RUNS_SHOWN)]
    return [lake.get_model(key, RunRecord) for key in reversed(newest)]
