"""Keys and relationships of a run fail or warn as their contract says, and only for sources that came."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import pytest
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.audit_across import Request, audit_across
from nightlake.core.errors import DuplicateKeysError, RelationshipBrokenError
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import QueryResult, ResultColumn
from nightlake.core.snapshot import SealedTable
from nightlake.core.verdict import Count, Verdict

DAY = date(2017, 6, 12)
REQUEST = Request(pipeline="sales", date=DAY, run_id="r1", query_ids=("q1", "q2"))
COLUMNS = tuple(ResultColumn(name=name, type="varchar") for name in ("rule", "broken", "checked"))
KEY = "transactions.primary_key"
CUSTOMER = "transactions.customer_id.customers"
PRODUCT = "transactions.product_id.products"
COUNTS = {KEY: 0, "products.primary_key": 0, "customers.primary_key": 0, PRODUCT: 0, CUSTOMER: 0}


@dataclass
class Night:
    """A run whose sources are sealed; every check looked at 3,000 rows."""

    pipeline: Pipeline
    lake: MemoryObjects = field(default_factory=MemoryObjects)

    def __post_init__(self) -> None:
        for dataset in self.pipeline.datasets:
            sealed = SealedTable(table=dataset.name, private=False, columns=(), files=())
            self.lake.put_model(layout.sealed_table("sales", DAY, "r1", dataset.name), sealed)

    def judge(self, broken: dict[str, int] | None = None) -> dict[str, Any]:
        rows = tuple((rule, count, 3_000) for rule, count in (COUNTS | (broken or {})).items())
        result = QueryResult(columns=COLUMNS, rows=rows)
        return audit_across(REQUEST, self.pipeline, [result], lake=self.lake, staging_database="staging")

    @property
    def verdict(self) -> Verdict:
        return self.lake.get_model(layout.across_audit("sales", DAY, "r1"), Verdict)

    def relate(self, severity: Literal["warn", "fail"]) -> None:
        """Let all relationships have this severity."""
        datasets = tuple(
            dataset.model_copy(
                update={
                    "relationships": tuple(
                        each.model_copy(update={"severity": severity}) for each in dataset.relationships
                    )
                }
            )
            for dataset in self.pipeline.datasets
        )
        self.pipeline = self.pipeline.model_copy(update={"datasets": datasets})


@pytest.fixture
def night(sales: Pipeline) -> Night:
    return Night(sales)


def test_a_night_without_a_breach_says_what_was_checked(night: Night) -> None:
    assert night.judge() == {"verdict": layout.across_audit("sales", DAY, "r1"), "checks": 5, "warnings": 0}
    assert night.verdict.counts[0] == Count(rule=KEY, broken=0, checked=3_000)
    assert (night.verdict.subject, night.verdict.query_ids) == ("across", ("q1", "q2"))


def test_repeated_keys_fail_with_the_rule_the_count_and_a_query(night: Night) -> None:
    with pytest.raises(DuplicateKeysError) as raised:
        night.judge({KEY: 4})
    text = str(raised.value)
    assert (
        f"{KEY}: rows that repeat the basket_id, product_id of another row: 4 of 3,000 rows (0.13 %), must be 0" in text
    )
    assert "Look at: staging.transactions of 2017-06-12, rows with the same basket_id, product_id" in text
    assert "SELECT" not in text
    (problem,) = night.verdict.problems
    assert problem.rule == KEY
    assert problem.sql is not None
    assert '"staging"."transactions"' in problem.sql
    assert "'2017'" in problem.sql


def test_a_relationship_that_warns_is_counted_and_stops_nothing(night: Night) -> None:
    assert night.judge({CUSTOMER: 1_320})["warnings"] == 1
    (warning,) = night.verdict.warnings
    assert warning.rule == CUSTOMER
    assert warning.reason == "1,320 of 3,000 rows (44.0 %) refer by customer_id to what is not in customers"


def test_a_relationship_that_must_hold_fails_by_its_own_name(night: Night) -> None:
    night.relate("fail")
    with pytest.raises(RelationshipBrokenError, match=r"transactions\.product_id\.products: 1 of 3,000 rows"):
        night.judge({PRODUCT: 1})


def test_every_check_has_a_line_of_its_own_in_the_verdict(night: Night) -> None:
    night.lake.delete([layout.sealed_table("sales", DAY, "r1", "products")])
    night.judge({CUSTOMER: 30})
    found = {each.rule: (each.verdict, each.rows, each.broken, each.percent) for each in night.verdict.rules}
    assert found == {
        KEY: ("kept", 3_000, 0, 0.0),
        "customers.primary_key": ("kept", 3_000, 0, 0.0),
        CUSTOMER: ("broken", 3_000, 30, 1.0),
        PRODUCT: ("not checked", None, None, None),
    }
    expectations = {each.rule: each.expectation for each in night.verdict.rules}
    assert expectations[KEY] == "no two rows may have the same basket_id, product_id"
    assert expectations[CUSTOMER] == "customer_id must be found in customers (customer_id)"


def test_keys_are_named_before_relationships_and_both_are_told(night: Night) -> None:
    night.relate("fail")
    with pytest.raises(DuplicateKeysError, match=rf"{KEY}: .*; {PRODUCT}: "):
        night.judge({KEY: 1, PRODUCT: 1})


def test_what_refers_to_a_source_that_did_not_come_is_skipped_and_says_so(night: Night) -> None:
    night.relate("fail")
    night.lake.delete([layout.sealed_table("sales", DAY, "r1", "products")])
    night.judge({PRODUCT: 3_000, "products.primary_key": 7})
    (warning,) = night.verdict.warnings
    assert (warning.rule, warning.reason) == (PRODUCT, "was not checked: this run has no rows of products")


def test_a_source_that_did_not_come_breaks_nothing_itself(night: Night) -> None:
    night.relate("fail")
    night.lake.delete([layout.sealed_table("sales", DAY, "r1", "transactions")])
    assert night.judge({KEY: 9, PRODUCT: 9, CUSTOMER: 9})["warnings"] == 0
