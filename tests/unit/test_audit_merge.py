"""A merge is sealed when its audits find nothing and its files say what Athena counts; else its run ends by name."""

import io
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.audit_merge import Places, Request, audit_merge, drop_attempts
from nightlake.core.errors import MergeAuditError
from nightlake.core.merge_attempt import ROW_COUNT, MergeAttempt
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import QueryResult, ResultColumn
from nightlake.core.snapshot import PublishedFile, SealedFile, SealedTable
from nightlake.core.verdict import Count, Verdict

DAY = date(2017, 6, 12)
LOCATION = layout.merged("sales", "sales_enriched", "r1", "abc")
REQUEST = Request(
    pipeline="sales",
    date=DAY,
    run_id="r1",
    merge="sales_enriched",
    table="sales_enriched__abc",
    location=LOCATION,
    query_id="q1",
)
STATEMENT = (
    "CREATE TABLE sales_enriched AS WITH known AS (SELECT id FROM products) "
    "SELECT t.id, k.id AS known FROM transactions AS t LEFT JOIN known AS k ON k.id = t.id"
)
PREFIX = layout.sealed("sales", "sales_enriched", "r1")


def definition(**columns: str) -> dict[str, Any]:
    return {
        "Name": REQUEST.table,
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in ("year", "month", "day")],
        "StorageDescriptor": {"Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()]},
    }


@dataclass
class Merged:
    """A merge of three rows in two files, whose audit `keys` found nothing; transactions had rows."""

    pipeline: Pipeline
    lake: MemoryObjects = field(default_factory=MemoryObjects)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)

    def __post_init__(self) -> None:
        self.catalog.create_table("staging", definition(id="bigint", name="varchar(7)", total="decimal(12,2)"))
        self.put("a", 2)
        self.put("b", 1)
        self.source("transactions", 3)

    def put(self, name: str, rows: int, folder: str = layout.day_path(DAY)) -> None:
        file = io.BytesIO()
        pq.write_table(pa.table({"id": range(rows)}), file)
        self.lake.put(f"{LOCATION}{folder}/{name}", file.getvalue())

    def source(self, table: str, rows: int) -> None:
        """Say that the run sealed so many rows of a source."""
        file = PublishedFile(key="k", etag="e", size=1, rows=rows, contribution=DAY)
        sealed = SealedTable(table=table, private=False, columns=(), files=(SealedFile(day=DAY, file=file),))
        self.lake.put_model(layout.sealed_table("sales", DAY, "r1", table), sealed)

    def audit(self, *, rows: int = 3, **wrong: int) -> dict[str, Any]:
        """The result where Athena counts so many rows, and so many wrong ones by audit."""
        columns = (ResultColumn(name="audit", type="varchar"), ResultColumn(name="found", type="bigint"))
        counts = ((ROW_COUNT, rows), *({"keys": 0} | wrong).items())
        places = Places(lake=self.lake, catalog=self.catalog, staging_database="staging", workers=1)
        return audit_merge(REQUEST, self.pipeline, STATEMENT, QueryResult(columns=columns, rows=counts), places)

    def sealed(self) -> list[str]:
        return [info.key for info in self.lake.list(PREFIX)]


@pytest.fixture
def merged(sales: Pipeline) -> Merged:
    return Merged(sales.model_copy(update={"merge": ("sales_enriched",)}))


def test_a_good_merge_is_sealed_like_the_table_of_a_source(merged: Merged) -> None:
    verdict = layout.merge_audit("sales", DAY, "r1", "sales_enriched")
    assert merged.audit() == {"table": "sales_enriched", "rows": 3, "files": 2, "verdict": verdict}
    sealed = merged.lake.get_model(layout.sealed_table("sales", DAY, "r1", "sales_enriched"), SealedTable)
    assert [(column.name, column.type) for column in sealed.columns] == [
        ("id", "bigint"),
        ("name", "string"),
        ("total", "decimal(12,2)"),
    ]
    assert sorted(file.file.rows for file in sealed.files) == [1, 2]
    assert {(file.day, file.file.contribution) for file in sealed.files} == {(DAY, DAY)}
    assert merged.sealed() == [file.file.key for file in sealed.files]
    assert merged.catalog.partitions("staging", "sales_enriched") == {("2017", "06", "12"): f"s3://lake/{PREFIX}"}
    assert merged.lake.get_model(verdict, Verdict).counts == (Count(rule="keys", broken=0, checked=3),)


def test_a_retry_answers_the_same(merged: Merged) -> None:
    assert merged.audit() == merged.audit()


def test_wrong_rows_fail_by_the_name_of_their_audit_and_nothing_is_sealed(merged: Merged) -> None:
    with pytest.raises(
        MergeAuditError,
        match=r"sql/sales/audits/keys\.sql: finds 2 rows of sales_enriched wrong. Look at: s3://lake/staging/.*/abc/",
    ):
        merged.audit(keys=2, totals=0)
    assert merged.sealed() == []
    verdict = merged.lake.get_model(layout.merge_audit("sales", DAY, "r1", "sales_enriched"), Verdict)
    assert [problem.rule for problem in verdict.problems] == ["sql/sales/audits/keys.sql"]


def test_files_that_hold_other_rows_than_athena_counts_are_found(merged: Merged) -> None:
    merged.put("zombie", 5)
    with pytest.raises(MergeAuditError, match=r"footer\.rows: Athena counts 3 rows, the footers of its 3 files 8"):
        merged.audit()


def test_a_merge_of_something_is_not_nothing(merged: Merged) -> None:
    merged.lake.delete([info.key for info in merged.lake.list(LOCATION)])
    with pytest.raises(MergeAuditError, match=r"merge\.rows: sales_enriched has no rows.*transactions"):
        merged.audit(rows=0)


def test_a_merge_of_nothing_is_sealed_without_files(merged: Merged) -> None:
    merged.lake.delete([info.key for info in merged.lake.list(LOCATION)])
    merged.source("transactions", 0)
    merged.source("products", 7)
    assert merged.audit(rows=0)["files"] == 0


def test_a_type_that_no_reader_shares_is_refused_with_its_column(merged: Merged) -> None:
    merged.catalog.update_table("staging", definition(id="bigint", at="timestamp with time zone"))
    with pytest.raises(MergeAuditError, match=r"Column 'at' of sales_enriched: .* cast it"):
        merged.audit()


def test_files_outside_a_days_folder_are_refused(merged: Merged) -> None:
    merged.put("c", 1, folder="year=2017/month=__HIVE_DEFAULT_PARTITION__/day=12")
    with pytest.raises(MergeAuditError, match="in no folder year=/month=/day= of a day"):
        merged.audit(rows=4)


def test_a_table_that_is_gone_is_told(merged: Merged) -> None:
    merged.catalog.delete_table("staging", REQUEST.table)
    with pytest.raises(MergeAuditError, match=r"staging\.sales_enriched__abc is gone"):
        merged.audit()


def test_the_tables_that_merges_were_made_in_are_dropped_and_the_sealed_one_stays(merged: Merged) -> None:
    merged.audit()
    attempt = MergeAttempt(merge=REQUEST.merge, table=REQUEST.table, location=LOCATION)
    merged.lake.put_model(layout.merge_attempt("sales", DAY, "r1", REQUEST.merge), attempt)
    for _ in range(2):
        drop_attempts(
            merged.pipeline, day=DAY, run_id="r1", lake=merged.lake, catalog=merged.catalog, database="staging"
        )
    assert merged.catalog.table("staging", REQUEST.table) is None
    assert merged.catalog.table("staging", "sales_enriched") is not None
