"""The end of a run: what its record says in each outcome, and what becomes of its locks."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from landed import DATABASES, land
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import layout, lock
from nightlake.core.complete import End, complete
from nightlake.core.dates import run_id
from nightlake.core.history import find_head
from nightlake.core.lock import Executions, Owner
from nightlake.core.pipeline import Pipeline
from nightlake.core.publish import publish
from nightlake.core.run_record import RunRecord
from nightlake.core.seal import seal
from nightlake.core.shard import Finding, Plan, SourceObject, Validation
from nightlake.core.verdict import Count, Verdict

DAY = date(2017, 6, 12)
STARTED = datetime(2026, 11, 21, 3, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:nightlake-dev-sales-daily:one"
RUN = run_id(STARTED, EXECUTION)
GOOD = {"dataset": "transactions", "status": "good", "alerted": False, "attempt": 1, "rows": 2}


@dataclass
class Night(Executions):
    """A night of sales that has got as far as a test says."""

    sales: Pipeline
    lake: MemoryObjects
    raw: MemoryObjects
    catalog: MemoryCatalog

    def status(self, execution_id: str) -> str | None:
        return "RUNNING" if execution_id == EXECUTION else None

    def begin(self) -> None:
        owner = Owner(execution_id=EXECUTION, run_id=RUN, since=STARTED.isoformat())
        for key in (layout.date_lock("sales", DAY), layout.pipeline_lock("sales")):
            lock.acquire(self.lake, self, key, owner)

    def validate(self) -> str:
        tables = {"transactions": [(DAY, 1), (DAY, 2)]}
        return land(self.lake, "transactions", DAY, RUN, tables, pipeline="sales")

    def publish(self) -> None:
        seal(
            self.lake,
            self.catalog,
            self.sales,
            staging_database=DATABASES.staging,
            day=DAY,
            run_id=RUN,
            validations=[self.validate()],
        )
        publish(self.lake, pipeline="sales", day=DAY, run_id=RUN, contract_hash="", created_at=NOW.isoformat())

    def end(self, **changed: Any) -> RunRecord:
        event = {
            "pipeline": "sales",
            "date": "2017-06-12",
            "run_id": RUN,
            "execution_id": EXECUTION,
            "started_at": "2026-11-21T03:00:00.000Z",
            "outcome": "succeeded",
        }
        record, key = complete(
            End.model_validate(event | changed),
            self.sales,
            lake=self.lake,
            raw=self.raw,
            catalog=self.catalog,
            staging_database=DATABASES.staging,
            now=NOW,
        )
        assert self.lake.get_model(key, RunRecord) == record
        return record

    def locked(self) -> bool:
        return lock.holds(self.lake, layout.date_lock("sales", DAY), RUN) or lock.holds(
            self.lake, layout.pipeline_lock("sales"), RUN
        )


@pytest.fixture
def night(sales: Pipeline) -> Night:
    started = Night(sales, MemoryObjects("lake"), MemoryObjects("raw"), MemoryCatalog())
    started.begin()
    return started


def test_a_good_night_is_recorded_with_its_counts_and_lets_its_locks_go(night: Night) -> None:
    night.publish()
    reports = [{"name": "top_products", "rows": 10, "key": "reports/sales/top_products/r.json"}]
    record = night.end(sources=[GOOD], published={"snapshot": 1}, reports=reports)
    assert (record.outcome, record.error, record.date, record.run_id) == ("succeeded", None, DAY, RUN)
    assert record.ended_at == "2026-11-21T03:30:00.000+00:00"
    assert record.snapshot == 1
    (source,) = record.sources
    assert (source.dataset, source.status, source.records, source.rows, source.objects) == (
        *("transactions", "good"),
        *(2, 2, 1),
    )
    assert [(table.table, table.rows, table.files) for table in record.tables] == [("transactions", 2, 2)]
    assert [report.name for report in record.reports] == ["top_products"]
    requests = next(item for item in record.conversion if item.name == "Lambda, requests")
    assert requests.quantity == source.shards - source.reused > 0
    assert not night.locked()


def test_the_verdicts_of_audits_are_part_of_the_record(night: Night) -> None:
    warning = Finding(rule="customers", where="SELECT 1", reason="2 of 9 are not known")
    verdict = Verdict(
        subject="across",
        date=DAY,
        run_id=RUN,
        query_ids=("q",),
        counts=(Count(rule="customers", broken=2, checked=9),),
        warnings=(warning,),
    )
    night.lake.put_model(layout.across_audit("sales", DAY, RUN), verdict)
    assert night.end().audits == (verdict,)


def test_a_failed_night_is_recorded_with_its_error_and_no_snapshot(night: Night) -> None:
    night.validate()
    record = night.end(outcome="failed", error={"Error": "DuplicateKeysError", "Cause": "two rows"})
    assert record.error is not None
    assert (record.outcome, record.error.error, record.error.cause) == ("failed", "DuplicateKeysError", "two rows")
    assert record.snapshot is None
    assert [source.status for source in record.sources] == ["good"]
    assert not night.locked()


def test_sources_that_were_given_up_are_recorded_with_their_errors(night: Night) -> None:
    validation = night.lake.get_model(night.validate(), Validation)
    problem = Finding(rule="row_count", where="the delivery", reason="there are no rows")
    rejected = validation.model_copy(update={"status": "rejected", "problems": (problem,)})
    night.lake.put_model(layout.validation("sales", DAY, RUN, "transactions"), rejected)
    error = {"Error": "SourceNotReadyError", "Cause": "no file"}
    ends = [
        {"dataset": "transactions", "status": "rejected", "alerted": True, "attempt": 4, "error": error},
        {"dataset": "products", "status": "rejected", "alerted": True, "attempt": 2, "error": error},
    ]
    record = night.end(outcome="failed", sources=ends, error={"Error": "DuplicateKeysError", "Cause": "two rows"})
    transactions, products = record.sources
    assert (transactions.status, transactions.attempt, transactions.problems) == ("rejected", 4, (problem,))
    assert products.error is not None
    assert (products.status, products.error.error, products.records) == ("rejected", "SourceNotReadyError", 0)


def test_a_night_that_went_on_without_an_optional_source_says_so(night: Night) -> None:
    night.validate()
    sources = tuple(each.model_copy(update={"required": False}) for each in night.sales.sources)
    night.sales = night.sales.model_copy(update={"sources": sources})
    error = {"Error": "SourceNotReadyError", "Cause": "no file"}
    record = night.end(
        sources=[GOOD, {"dataset": "products", "status": "rejected", "alerted": True, "attempt": 1, "error": error}]
    )
    assert (record.outcome, record.missing) == ("succeeded", ("products",))


def test_a_night_that_failed_after_it_published_names_its_snapshot(night: Night) -> None:
    night.publish()
    record = night.end(outcome="failed", error={"Error": "ProjectionError", "Cause": "refused"})
    assert (record.outcome, record.snapshot) == ("failed", 1)


def test_a_night_that_never_knew_its_day_is_recorded_and_releases_what_it_holds(night: Night) -> None:
    record = night.end(
        outcome="failed", date="a day not yet known", run_id="the-name", error={"Error": "X", "Cause": "y"}
    )
    assert (record.date, record.run_id, record.sources) == (None, RUN, ())
    assert not night.locked()


def test_locks_of_another_run_are_left_alone(night: Night) -> None:
    night.end(execution_id="arn:another")
    assert night.locked()


def test_a_retry_writes_the_same_record(night: Night) -> None:
    night.publish()
    assert night.end() == night.end()
    head = find_head(night.lake, "sales")
    assert head is not None
    assert head[0].snapshot == 1


def test_files_that_came_or_changed_after_plan_are_told(night: Night) -> None:
    folder = "sales/transactions/2017/06/12/"
    planned = tuple(pinned(night.raw, folder + name) for name in ("changed.csv", "same.csv", "went.csv"))
    night.lake.put_model(
        layout.plan("sales", DAY, RUN, "transactions", 1),
        Plan(dataset="transactions", attempt=1, delivery="d", objects=planned, shards=()),
    )
    night.validate()
    for name in ("came.csv", "changed.csv"):
        pinned(night.raw, folder + name)
    night.raw.delete([f"{folder}went.csv"])
    (source,) = night.end().sources
    assert [(late.key.removeprefix(folder), late.what) for late in source.late] == [
        ("came.csv", "came"),
        ("changed.csv", "changed"),
        ("went.csv", "went"),
    ]


def pinned(raw: MemoryObjects, key: str) -> SourceObject:
    """Put an object and answer the version that Plan would pin."""
    raw.put(key, b"a\n1\n")
    info = raw.head(key)
    assert info is not None
    return SourceObject(key=key, version_id=info.version_id, etag=info.etag, size=info.size)
