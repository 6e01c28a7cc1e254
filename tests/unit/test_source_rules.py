"""Every rule of a source has a result; thresholds and the change of the row count reject or warn by name."""

from datetime import date
from typing import Any, Literal

import pytest
from nightlake.core.pipeline import Rule
from nightlake.core.published_day import PublishedDay
from nightlake.core.rule_result import RuleResult
from nightlake.core.shard import Receipt, RuleCount, Shard, SourceObject
from nightlake.core.source_rules import SourceRules
from shop_shard import ORDERS, csv_source

SHARD = Shard(
    pipeline="shop",
    dataset="orders",
    date=date(2017, 6, 12),
    index=0,
    object=SourceObject(key="a", version_id="v", etag="e", size=9),
    start=0,
    end=9,
    fingerprint="f",
)
BEFORE = PublishedDay(date(2017, 6, 11), 200)


def rules(
    rows: int,
    broken: dict[str, int] | None = None,
    *,
    refused: int = 0,
    before: PublishedDay | None = None,
    **said: Any,
) -> SourceRules:
    """The rules of orders with those of `change`; `broken` counts rows by rule, `said` is what the source says."""
    receipt = Receipt(
        shard=SHARD,
        run_id="r",
        records=rows + refused,
        header=0,
        skipped=0,
        rows=rows,
        quarantined=refused,
        files=(),
        rules=tuple(RuleCount(rule=rule, rows=count) for rule, count in (broken or {}).items()),
    )
    extra = said.pop("change", ())
    dataset = ORDERS.model_copy(update={"rules": (*ORDERS.rules, *extra)})
    source = csv_source(**said)
    return SourceRules(dataset, source, [receipt], before, delivered="there", refused="aside")


def change(severity: Literal["warn", "fail"] = "fail") -> tuple[Rule]:
    rule = Rule(
        id="orders.row_count_change",
        metric="rowCountChange",
        severity=severity,
        operator="mustBeBetween",
        operands=(-50, 100),
        unit="percent",
        description="Days are alike.",
    )
    return (rule,)


def results(found: SourceRules) -> dict[str, RuleResult]:
    return {result.rule: result for result in found.results}


def test_every_rule_has_a_result_with_its_counts() -> None:
    found = results(rules(97, {"orders.amount.minimum": 2, "csv.fields": 1, "orders.amount.known": 5}, refused=3))
    assert {rule: (each.verdict, each.rows, each.broken, each.percent) for rule, each in found.items()} == {
        "orders.id.required": ("kept", 100, 0, 0.0),
        "orders.amount.minimum": ("broken", 100, 2, 2.0),
        "orders.email.pattern": ("kept", 100, 0, 0.0),
        "orders.amount.known": ("broken", 100, 5, 5.0),
        "orders.rows": ("kept", 97, None, None),
        "orders.id.type": ("kept", 100, 0, 0.0),
        "orders.email.type": ("kept", 100, 0, 0.0),
        "orders.amount.type": ("kept", 100, 0, 0.0),
        "orders.sold_at.type": ("kept", 100, 0, 0.0),
        "csv.fields": ("broken", 100, 1, 1.0),
    }
    assert found["orders.amount.minimum"].severity == "quarantine"
    assert found["orders.amount.minimum"].expectation == "amount must be at least 0"
    assert found["orders.rows"].expectation == "the number of rows must be greater than 0"
    assert found["orders.id.type"].expectation == "id must be bigint"


@pytest.mark.parametrize(("rows", "verdict"), [(99, "broken"), (100, "kept"), (400, "kept"), (401, "broken")])
def test_the_number_of_rows_is_compared_with_the_day_published_before(rows: int, verdict: str) -> None:
    result = results(rules(rows, before=BEFORE, change=change()))["orders.row_count_change"]
    assert (result.verdict, result.rows, result.broken) == (verdict, rows, None)


def test_a_change_that_is_too_large_says_both_numbers_and_the_day() -> None:
    found = rules(50, before=BEFORE, change=change())
    (problem,) = found.problems()
    assert (problem.rule, problem.where) == ("orders.row_count_change", "there")
    assert problem.reason == (
        "50 rows, before 200: a change of -75.0 %, must be between -50 and 100 percent (compared with 2017-06-11) "
        "(Days are alike.)"
    )
    assert results(found)["orders.row_count_change"].percent == -75.0
    warns = rules(50, before=BEFORE, change=change("warn"))
    assert [*warns.problems()] == []
    assert [warning.rule for warning in warns.warnings()] == ["orders.row_count_change"]


def test_the_first_day_is_not_compared_and_says_so() -> None:
    found = rules(50, change=change())
    assert [*found.problems()] == []
    result = results(found)["orders.row_count_change"]
    assert (result.verdict, result.found) == (
        "not checked",
        "was not checked: no earlier day with rows of it is published",
    )


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        ({"max_quarantined_percent": 3}, []),
        ({"max_quarantined_percent": 2.99}, ["orders.max_quarantined_percent"]),
        ({"max_quarantined_rows": 3}, []),
        ({"max_quarantined_rows": 2}, ["orders.max_quarantined_rows"]),
        (
            {"max_quarantined_rows": 0, "max_quarantined_percent": 0},
            ["orders.max_quarantined_percent", "orders.max_quarantined_rows"],
        ),
    ],
)
def test_more_refused_rows_than_the_source_allows_fail_by_name(limits: dict[str, float], broken: list[str]) -> None:
    problems = [*rules(97, {"orders.id.required": 3}, refused=3, **limits).problems()]
    assert [problem.rule for problem in problems] == broken
    for problem in problems:
        assert problem.where == "aside"
        assert problem.reason.startswith("3 of 100 rows (3.0 %) were refused, at most ")
        assert problem.reason.endswith(" may be; most by: orders.id.required 3")
