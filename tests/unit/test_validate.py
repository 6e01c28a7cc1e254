"""A source is good when it balances and keeps its rules; each thing that can be wrong is found by name and place."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import chain, layout
from nightlake.core.convert import note_failure
from nightlake.core.drift import evolved
from nightlake.core.errors import SourceChangedError
from nightlake.core.header import source_names
from nightlake.core.pipeline import Pipeline, Rule
from nightlake.core.quarantine import quarantine_table
from nightlake.core.shard import (
    Plan,
    QuarantineFile,
    Receipt,
    RuleCount,
    Shard,
    SourceObject,
    StagedFile,
    Validation,
)
from nightlake.core.snapshot import Head, Partition, PublishedTable, Snapshot
from nightlake.core.table import Table, arrow_schema, table_input, tables
from nightlake.core.validate import Places, Request, Unproved, answer, validate, verdict_key

DAY = date(2017, 6, 12)
PLAN = "runs/sales/2017-06-12/r1/plans/customers-0.json"
REQUEST = Request(pipeline="sales", dataset="customers", date=DAY, run_id="r1", attempt=0, plan=PLAN)
FIRST = SourceObject(key="sales/customers/2017/06/12/a.csv", version_id="v1", etag="e1", size=100)
SECOND = SourceObject(key="sales/customers/2017/06/12/b.csv", version_id="v1", etag="e2", size=40)
SHARDS = [(FIRST, 0, 60), (FIRST, 60, 100), (SECOND, 0, 40)]


def parquet(table: Table, rows: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{}] * rows, arrow_schema(table)), file)
    return file.getvalue()


@dataclass
class Night:
    """Customers of a day: two objects in three shards, of ten records each and all converted, unless told otherwise."""

    pipeline: Pipeline
    lake: MemoryObjects = field(default_factory=MemoryObjects)
    quarantine: MemoryObjects = field(default_factory=lambda: MemoryObjects("refused"))
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)

    def __post_init__(self) -> None:
        self.catalog.create_table("bad", table_input(quarantine_table("sales"), "s3://refused/empty/"))
        self.plan()
        for index in range(len(SHARDS)):
            self.convert(index)

    @property
    def dataset(self) -> Any:
        return next(each for each in self.pipeline.datasets if each.name == "customers")

    @property
    def source(self) -> Any:
        return next(each for each in self.pipeline.sources if each.dataset == "customers")

    def shard(self, index: int, /, **changes: Any) -> Shard:
        source, start, end = SHARDS[index]
        shard = Shard(
            pipeline="sales",
            dataset="customers",
            date=DAY,
            index=index,
            object=source,
            start=start,
            end=end,
            exact=start == 0,
            header=tuple(source_names(self.source, self.dataset).values()),
            fingerprint=f"f{index}",
        )
        return shard.model_copy(update=changes)

    def plan(self, *shards: Shard, objects: Sequence[SourceObject] = (FIRST, SECOND)) -> None:
        cut = shards or tuple(self.shard(index) for index in range(len(SHARDS)))
        plan = Plan(dataset="customers", attempt=0, delivery="d", objects=tuple(objects), shards=cut)
        self.lake.put_model(PLAN, plan)

    def convert(self, index: int, *, refused: int = 0, **changes: Any) -> Receipt:
        """Write the files and the receipt of a shard; `changes` are what the receipt says otherwise."""
        rows = 10 - refused - (index != 1)
        files = changes.get("files") or [self.stage(table, f"f{index}", rows) for table in tables(self.dataset)]
        kept = None
        if refused:
            key = layout.quarantined("sales", "customers", f"f{index}", "a")
            etag = self.quarantine.put(key, parquet(quarantine_table("sales"), refused))
            kept = QuarantineFile(key=key, etag=etag, rows=refused)
        receipt = Receipt(
            shard=self.shard(index),
            run_id="r1",
            begin=SHARDS[index][1],
            stop=SHARDS[index][2],
            lines=10,
            records=10,
            header=int(index != 1),
            skipped=0,
            rows=rows,
            quarantined=refused,
            files=tuple(files),
            quarantine=kept,
        ).model_copy(update=changes)
        self.lake.put_model(layout.receipt("sales", "customers", f"f{index}"), receipt)
        return receipt

    def stage(self, table: Table, fingerprint: str, rows: int) -> StagedFile:
        key = f"{layout.staged('sales', 'customers', fingerprint)}{table.name}.parquet"
        body = parquet(table, rows)
        etag = self.lake.put(key, body)
        return StagedFile(table=table.name, day=DAY, key=key, etag=etag, size=len(body), rows=rows)

    def look(self, request: Request = REQUEST) -> Validation | Unproved:
        """What Validate finds: a verdict, or what is to be converted before there can be one."""
        places = Places(
            lake=self.lake,
            quarantine=self.quarantine,
            raw_bucket="raw",
            catalog=self.catalog,
            quarantine_database="bad",
            workers=1,
        )
        return validate(request, self.pipeline, places, code_version="1")

    def judge(self, request: Request = REQUEST) -> Validation:
        """The verdict that there is."""
        judged = self.look(request)
        assert isinstance(judged, Validation)
        return judged

    def found(self) -> list[tuple[str, str]]:
        """The rules and places of the problems."""
        return [(problem.rule, problem.where) for problem in self.judge().problems]

    def demand(self, *rules: Rule) -> None:
        """Let customers have these rules and no others."""
        dataset = self.dataset.model_copy(update={"rules": rules})
        others = tuple(each for each in self.pipeline.datasets if each.name != "customers")
        self.pipeline = self.pipeline.model_copy(update={"datasets": (*others, dataset)})


@pytest.fixture
def night(sales: Pipeline) -> Night:
    return Night(sales)


def test_a_source_that_balances_is_good_and_its_verdict_lies_where_seal_looks(night: Night) -> None:
    night.convert(2, run_id="r0")
    validation = night.judge()
    assert (validation.status, validation.problems, validation.warnings) == ("good", (), ())
    assert (validation.objects, validation.bytes, validation.shards, validation.reused) == (2, 140, 3, 1)
    assert (validation.records, validation.rows, validation.quarantined) == (30, 28, 0)
    assert validation.receipts == tuple(layout.receipt("sales", "customers", f"f{index}") for index in range(3))
    assert night.lake.get_model(layout.validation("sales", DAY, "r1", "customers"), Validation) == validation
    assert answer(validation, REQUEST) == {
        "dataset": "customers",
        "status": "good",
        "rows": 28,
        "quarantined": 0,
        "reused": 1,
        "validation": verdict_key(REQUEST),
        "error": None,
        "delivery": "d",
        "shards": None,
        "shard_file": None,
        "plan": None,
    }


def test_a_shard_without_a_receipt_was_not_converted(night: Night) -> None:
    night.lake.delete([layout.receipt("sales", "customers", "f1")])
    assert night.found() == [("receipt.missing", f"s3://raw/{FIRST.key} bytes 60 to 100")]


def test_a_shard_that_could_not_be_converted_says_why(night: Night) -> None:
    night.lake.delete([layout.receipt("sales", "customers", "f1")])
    note_failure(night.shard(1), "r1", SourceChangedError("a.csv is gone; deliver it again"), night.lake)
    validation = night.judge()
    (problem,) = validation.problems
    assert (problem.rule, problem.reason) == ("SourceChangedError", "a.csv is gone; deliver it again")
    assert problem.where == f"s3://raw/{FIRST.key} bytes 60 to 100"
    error = answer(validation, REQUEST)["error"]
    assert error["Error"] == "SourceChangedError"
    assert error["Cause"].startswith("customers: a.csv is gone; deliver it again. Look at ")


def test_what_was_not_converted_is_tried_again_though_the_delivery_stays_the_same(night: Night) -> None:
    assert night.judge().delivery == "d"
    night.lake.delete([layout.receipt("sales", "customers", "f1")])
    assert night.judge().delivery is None


def test_a_receipt_of_another_shard_proves_nothing(night: Night) -> None:
    night.convert(1, shard=night.shard(1, start=50))
    assert night.found() == [("receipt.shard", f"s3://raw/{FIRST.key} bytes 60 to 100")]


def test_a_receipt_is_reused_whatever_the_number_of_its_shard(night: Night) -> None:
    night.convert(1, shard=night.shard(1, index=7), run_id="r0")
    assert night.judge().status == "good"


@pytest.mark.parametrize("begin", [50, 70])
def test_a_shard_that_began_where_none_stopped_is_cut_anew_from_there(night: Night, begin: int) -> None:
    night.convert(1, begin=begin)
    night.convert(0, stop=63)
    judged = night.look()
    assert isinstance(judged, Unproved)
    assert (judged.round, judged.shards) == (1, 1)
    (line,) = night.lake.get(judged.shard_file).splitlines()
    anew = Shard.model_validate_json(line)
    assert (anew.start, anew.end, anew.exact, anew.index) == (63, 100, True, 1)
    plan = night.lake.get_model(judged.plan, Plan)
    assert plan.shards == (night.shard(0), anew, night.shard(2))
    assert (plan.round, plan.delivery) == (1, "d")
    told = answer(judged, REQUEST)
    assert (told["status"], told["plan"], told["shard_file"]) == ("unproved", judged.plan, judged.shard_file)
    assert night.lake.find_model(verdict_key(REQUEST), Validation) is None


def test_once_what_was_cut_anew_joins_the_source_is_good(night: Night) -> None:
    night.convert(0, stop=63)
    again = night.look()
    assert isinstance(again, Unproved)
    _, anew, _ = night.lake.get_model(again.plan, Plan).shards
    first = night.convert(1)
    files = [file.model_copy(update={"key": file.key.replace("/f1/", f"/{anew.fingerprint}/")}) for file in first.files]
    for old, new in zip(first.files, files, strict=True):
        night.lake.put(new.key, night.lake.get(old.key))
    receipt = first.model_copy(update={"shard": anew, "begin": 63, "files": tuple(files)})
    night.lake.put_model(layout.receipt("sales", "customers", anew.fingerprint), receipt)
    validation = night.judge(REQUEST.model_copy(update={"plan": again.plan}))
    assert (validation.status, validation.rounds, validation.rows) == ("good", 1, 28)
    assert [key.split("/")[3] for key in validation.receipts] == ["f0", anew.fingerprint, "f2"]


def test_a_shard_that_a_record_runs_through_is_left_out_at_once(night: Night) -> None:
    night.convert(0, stop=100)
    night.convert(1, begin=100, stop=100, records=0, rows=0, files=())
    assert night.judge().shards == 3
    night.convert(1, begin=70)
    validation = night.judge()
    assert (validation.status, validation.shards, validation.rounds, validation.rows) == ("good", 2, 1, 18)


def test_what_never_joins_is_rejected_with_the_bytes(night: Night) -> None:
    for round_ in range(chain.ROUNDS + 1):
        plan = Plan(
            dataset="customers",
            attempt=0,
            round=round_,
            delivery="d",
            objects=(FIRST, SECOND),
            shards=tuple(night.shard(index) for index in range(3)),
        )
        night.lake.put_model(PLAN, plan)
        night.convert(1, begin=70)
        assert isinstance(night.look(), Unproved) == (round_ < chain.ROUNDS)
    (problem,) = night.judge().problems
    assert (problem.rule, problem.where) == ("chain.unproved", f"s3://raw/{FIRST.key}")
    assert problem.reason.startswith("records end at byte 60, the next shard read from byte 70 on; declare")


def test_without_the_check_of_the_chain_wrong_bytes_would_be_good(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.convert(1, begin=70)
    monkeypatch.setattr("nightlake.core.validate.recut", lambda *_, **__: None)
    assert night.found() == [("chain.unproved", f"s3://raw/{FIRST.key}")]
    monkeypatch.setattr("nightlake.core.validate.unjoined", lambda *_: ())
    assert night.found() == []


def test_data_beyond_the_last_record_is_found(night: Night) -> None:
    night.convert(2, stop=39)
    (problem,) = night.judge().problems
    assert (problem.rule, problem.where) == ("chain.unproved", f"s3://raw/{SECOND.key}")
    assert problem.reason == "the last record ends at byte 39, the data at byte 40"
    night.plan(night.shard(0), night.shard(1), night.shard(2, footer=1))
    night.convert(2, stop=39, shard=night.shard(2, footer=1))
    assert night.judge().status == "good"


def test_an_object_that_is_read_as_a_whole_needs_no_bounds_but_all_of_it(night: Night) -> None:
    night.convert(2, begin=None, stop=None, lines=None)
    assert night.judge().status == "good"
    night.plan(night.shard(0), night.shard(1), night.shard(2, end=39))
    night.convert(2, begin=None, stop=None, lines=None, shard=night.shard(2, end=39))
    (problem,) = night.judge().problems
    assert (problem.rule, problem.reason) == ("chain.unproved", "has 40 bytes, its one shard reads 0 to 39")


def test_an_object_that_no_shard_reads_and_one_that_nobody_delivered_are_found(night: Night) -> None:
    third = SourceObject(key="c.csv", version_id="v1", etag="e3", size=5)
    night.plan(objects=(FIRST, third))
    assert night.found() == [("chain.unproved", f"s3://raw/{SECOND.key}"), ("chain.unproved", "s3://raw/c.csv")]


def test_an_empty_object_needs_no_shard(night: Night) -> None:
    night.plan(objects=(FIRST, SECOND, SourceObject(key="c.csv", version_id="v1", etag="e3", size=0)))
    assert night.judge().status == "good"


def test_an_object_that_counts_itself_counts_otherwise_than_its_reader(night: Night) -> None:
    night.plan(night.shard(0), night.shard(1, records=11), night.shard(2))
    night.convert(1, shard=night.shard(1, records=11))
    (problem,) = night.judge().problems
    assert (problem.rule, problem.reason) == ("balance.records", "has 11 records, 10 were read")


def test_records_that_became_nothing_are_found(night: Night) -> None:
    night.convert(0, header=0)
    (problem,) = night.judge().problems
    assert problem.rule == "balance.records"
    assert "10 records were read, 9 are accounted for" in problem.reason


def test_the_open_and_the_private_table_have_the_same_rows(night: Night) -> None:
    _, private = tables(night.dataset)
    receipt = night.convert(1)
    night.convert(1, files=(receipt.files[0], night.stage(private, "f1", 9)))
    (problem,) = night.judge().problems
    assert problem.rule == "balance.rows"
    assert "gave 10 rows, 9 are in files of customers_private" in problem.reason


def test_a_staged_file_that_was_replaced_or_is_gone_is_found(night: Night) -> None:
    first, second = (night.convert(index).files[0].key for index in (0, 1))
    night.lake.put(first, b"something else")
    night.lake.delete([second])
    assert night.found() == [("staged.etag", f"s3://lake/{first}"), ("staged.etag", f"s3://lake/{second}")]


def test_a_footer_that_counts_other_rows_than_the_receipt_is_found(night: Night) -> None:
    _, private = night.convert(1).files
    fewer = night.stage(tables(night.dataset)[0], "f1", 7)
    night.convert(1, files=(fewer.model_copy(update={"rows": 10}), private))
    (problem,) = night.judge().problems
    assert (problem.rule, problem.reason) == ("footer.rows", "has 7 rows, its receipt says 10")


@pytest.mark.parametrize("other", ["f0", "f1"])
def test_a_file_is_named_once_and_by_its_own_shard(night: Night, other: str) -> None:
    table = tables(night.dataset)[0]
    halves = [night.stage(table, other, 5), night.stage(table, other, 5)]
    night.convert(1, files=(*halves, night.convert(1).files[1]))
    assert "staged.key" in {rule for rule, _ in night.found()}


def test_a_size_that_is_not_the_objects_is_found(night: Night) -> None:
    first, second = night.convert(1).files
    night.convert(1, files=(first.model_copy(update={"size": first.size + 1}), second))
    assert night.found() == [("staged.size", f"s3://lake/{first.key}")]


def test_a_file_of_other_columns_or_of_no_table_or_no_parquet_is_found(night: Night) -> None:
    open_table, private = tables(night.dataset)
    receipts = [night.convert(index) for index in range(3)]

    def replace(index: int, file: StagedFile) -> None:
        kept = receipts[index].model_copy(update={"files": (file, receipts[index].files[1])})
        night.lake.put_model(layout.receipt("sales", "customers", f"f{index}"), kept)

    odd = night.stage(private.model_copy(update={"name": "odd"}), "f0", 9)
    replace(0, odd.model_copy(update={"table": open_table.name}))
    replace(1, receipts[1].files[0].model_copy(update={"table": "nowhere"}))
    text = receipts[2].files[0]
    replace(2, text.model_copy(update={"etag": night.lake.put(text.key, b"id,name\n1,a\n")}))
    assert {rule for rule, _ in night.found()} == {
        "footer.schema",
        "staged.table",
        "balance.rows",
        "footer.unreadable",
    }


def test_refused_rows_can_be_queried_whatever_the_verdict(night: Night) -> None:
    night.convert(0, refused=2, rules=(RuleCount(rule="customers.age.required", rows=2),))
    validation = night.judge()
    run = "sales/run=r1/"
    prefix = f"{run}customers/"
    assert [info.key for info in night.quarantine.list(prefix)] == [f"{prefix}f0.parquet"]
    assert night.catalog.partitions("bad", "sales") == {("2017", "06", "12"): f"s3://refused/{run}"}
    assert validation.status == "rejected"
    (problem,) = validation.problems
    assert problem.rule == "customers.max_quarantined_percent"
    assert problem.reason == (
        "2 of 28 rows (7.14 %) were refused, at most 5 % may be; most by: customers.age.required 2"
    )
    assert answer(validation, REQUEST)["error"] == {
        "Error": "customers.max_quarantined_percent",
        "Cause": f"customers: {problem.reason}. Look at s3://refused/{prefix} "
        "(table bad.sales, partition year=2017/month=06/day=12)",
    }


def test_a_second_attempt_leaves_no_refused_rows_of_the_first(night: Night) -> None:
    night.convert(0, refused=2)
    night.judge()
    night.convert(0)
    assert night.judge(REQUEST.model_copy(update={"attempt": 1})).status == "good"
    assert [*night.quarantine.list("sales/run=r1/")] == []


def test_refused_rows_that_quarantine_does_not_hold_are_found(night: Night) -> None:
    receipt = night.convert(0, refused=2)
    assert receipt.quarantine is not None
    night.quarantine.delete([receipt.quarantine.key])
    night.convert(1, quarantined=1, rows=9, records=10, files=night.convert(1, refused=1).files, quarantine=None)
    assert ("staged.etag", f"s3://refused/{receipt.quarantine.key}") in night.found()
    assert ("balance.quarantined", f"s3://raw/{FIRST.key} bytes 60 to 100") in night.found()


def test_few_refused_rows_are_a_warning_that_says_how_many(night: Night) -> None:
    night.convert(0, refused=1, rules=(RuleCount(rule="csv.fields", rows=1),))
    validation = night.judge()
    assert validation.status == "good"
    assert [(each.rule, each.reason) for each in validation.warnings] == [
        ("csv.fields", "1 of 28 rows (3.57 %) broke it and were refused"),
    ]


MAY_BE_NULL = {"home_ownership", "marital_status"}


def drifted(night: Night, mode: str, *extra: str) -> Validation:
    """The verdict where the first shard came with these columns and without two that are declared."""
    sources = tuple(
        each.model_copy(update={"on_drift": mode}) if each.dataset == "customers" else each
        for each in night.pipeline.sources
    )
    night.pipeline = night.pipeline.model_copy(update={"sources": sources})
    declared = [name for name in source_names(night.source, night.dataset).values() if name not in MAY_BE_NULL]
    shard = night.shard(0, header=(*declared, *extra))
    night.plan(shard, night.shard(1), night.shard(2))
    receipt = night.convert(0, shard=shard, extra_columns=extra)
    if mode == "evolve":
        wide = tables(evolved(night.dataset, night.source, [receipt]))
        night.convert(0, shard=shard, extra_columns=extra, files=tuple(night.stage(table, "f0", 9) for table in wide))
    return night.judge()


@pytest.mark.parametrize(
    ("mode", "extra", "told"),
    [
        ("ignore", ("Eye Colour", "x"), "which are left out: 'Eye Colour', 'x'"),
        ("evolve", ("Eye Colour", "x"), "customers_private has them as text now: 'Eye Colour' as eye_colour, 'x' as x"),
    ],
)
def test_drift_of_a_good_source_is_a_warning_that_names_every_column(
    night: Night, mode: str, extra: tuple[str, ...], told: str
) -> None:
    validation = drifted(night, mode, *extra)
    assert validation.problems == ()
    came, missing = validation.warnings
    assert (came.rule, missing.rule) == ("customers.extra_columns", "customers.missing_columns")
    assert came.reason.endswith(told)
    assert missing.reason.endswith("there they are NULL: 'home_ownership', 'marital_status'")
    assert came.where == missing.where == f"s3://raw/{FIRST.key} and 1 more"


@pytest.mark.parametrize(
    ("mode", "extra", "told"),
    [
        ("strict", ("x", "y"), "that the contract has not: 'x', 'y'; add them to the contract, or take them with"),
        ("evolve", tuple(f"c{number}" for number in range(60)), "more than 100 columns are not declared"),
        ("evolve", ("Eye Colour",), "'eye_colour' would be the column 'eye_colour', as 'Eye Colour' is"),
    ],
)
def test_columns_that_can_not_be_taken_reject_the_source(
    night: Night, mode: str, extra: tuple[str, ...], told: str
) -> None:
    if mode == "evolve":  # each shard can be taken, all of them together not
        others = ("eye_colour",) if len(extra) == 1 else tuple(f"d{number}" for number in range(60))
        night.convert(1, extra_columns=others)
    validation = drifted(night, mode, *extra)
    assert validation.status == "rejected"
    assert [each.rule for each in validation.problems] == ["customers.extra_columns"]
    assert told in validation.problems[0].reason


def test_a_file_may_have_no_columns_but_those_that_its_receipt_tells(night: Night) -> None:
    assert drifted(night, "evolve", "x").status == "good"
    wide = tables(evolved(night.dataset, night.source, [night.convert(1, extra_columns=("x",))]))
    night.convert(1, files=tuple(night.stage(table, "f1", 10) for table in wide))
    assert [each.rule for each in night.judge().problems] == ["footer.schema"]


def test_rules_that_no_single_row_breaks_are_counted_over_all_shards(night: Night) -> None:
    night.demand(
        Rule(
            id="customers.rows",
            metric="rowCount",
            severity="fail",
            operator="mustBeGreaterThan",
            operands=(28,),
            description="There are more of us.",
        ),
        Rule(
            id="customers.age.null",
            metric="nullValues",
            severity="fail",
            columns=("age",),
            operator="mustBeLessThan",
            operands=(10,),
            unit="percent",
        ),
        Rule(
            id="customers.age.missing",
            metric="missingValues",
            severity="warn",
            columns=("age",),
            missing=("",),
            operands=(4,),
        ),
    )
    for index, rows in ((0, 1), (1, 2)):
        counts = (RuleCount(rule="customers.age.null", rows=rows), RuleCount(rule="customers.age.missing", rows=rows))
        night.convert(index, rules=counts)
    validation = night.judge()
    assert [(each.rule, each.reason) for each in validation.problems] == [
        ("customers.rows", "28 rows, must be greater than 28 (There are more of us.)"),
        ("customers.age.null", "3 of 28 rows (10.71 %), must be less than 10 percent"),
    ]
    assert [(each.rule, each.reason) for each in validation.warnings] == [
        ("customers.age.missing", "3 of 28 rows (10.71 %), must be 4")
    ]
    assert validation.problems[0].where == f"s3://raw/{FIRST.key} and 1 more"


def test_a_day_is_compared_with_what_head_has_of_the_day_before(night: Night) -> None:
    change = Rule(
        id="customers.change",
        metric="rowCountChange",
        severity="fail",
        operator="mustBeLessOrEqualTo",
        operands=(100,),
        unit="percent",
    )
    night.demand(change)
    first = night.judge()
    assert (first.status, [(each.rule, each.verdict) for each in first.rules][:1]) == (
        "good",
        [("customers.change", "not checked")],
    )
    day = DAY - timedelta(days=1)
    partition = Partition(
        day=day, location="l", manifest="m", files=1, rows=13, bytes=9, run_id="r0", contributions=(day,)
    )
    table = PublishedTable(table="customers", private=False, columns=(), partitions=(partition,))
    snapshot = Snapshot(
        pipeline="sales",
        number=1,
        parent=None,
        run_id="r0",
        date=day,
        contract_hash="c",
        created_at="now",
        tables=(table,),
    )
    night.lake.put_model("snapshot", snapshot)
    night.lake.put_model(layout.head("sales"), Head(pipeline="sales", snapshot=1, key="snapshot", latest=1))
    second = night.judge()
    (problem,) = second.problems
    assert (problem.rule, second.rules[0].verdict, second.rules[0].rows) == ("customers.change", "broken", 28)
    assert "28 rows, before 13: a change of +115.38 %" in problem.reason


def test_a_day_without_objects_is_judged_by_its_rules_alone(night: Night) -> None:
    night.plan()
    night.lake.put_model(PLAN, Plan(dataset="customers", attempt=0, delivery="d", objects=(), shards=()))
    (problem,) = night.judge().problems
    assert problem.rule == "customers.row_count"
    assert problem.where.startswith("s3://raw/sales/customers/")


def test_what_is_wrong_everywhere_is_listed_in_part(night: Night) -> None:
    objects = tuple(SourceObject(key=f"{number}.csv", version_id="v", etag="e", size=9) for number in range(50))
    night.lake.put_model(PLAN, Plan(dataset="customers", attempt=0, delivery="d", objects=objects, shards=()))
    problems = night.judge().problems
    assert len(problems) == 21
    assert problems[-1].reason.endswith("30 more are not listed")


@pytest.mark.parametrize("name", ["records", "header", "skipped", "rows", "quarantined"])
@pytest.mark.parametrize("by", [-1, 1])
def test_any_wrong_number_in_a_receipt_is_found(night: Night, name: str, by: int) -> None:
    good = night.convert(1)
    wrong = good.model_copy(update={name: getattr(good, name) + by})
    night.lake.put_model(layout.receipt("sales", "customers", "f1"), wrong)
    assert night.judge().status == "rejected"


def test_what_the_conversion_used_of_lambda_counts_this_run_alone(night: Night) -> None:
    night.convert(0, seconds=2.0, memory_mb=1024)
    night.convert(1, seconds=1.0, memory_mb=512)
    night.convert(2, seconds=100.0, memory_mb=1024, run_id="r0")
    assert night.judge().gb_seconds == 2.5
