"""A rule's operator and unit decide about a count as the contract's author reads them."""

import pytest
from nightlake.core.expectation import described, exceeds, is_met, percent
from nightlake.core.pipeline import Operator, Rule


def rule(operator: Operator, *operands: float, percent: bool = False) -> Rule:
    return Rule(
        id="d.r",
        metric="nullValues",
        severity="fail",
        operator=operator,
        operands=operands,
        unit="percent" if percent else "rows",
    )


@pytest.mark.parametrize(
    ("operator", "operands", "met"),
    [
        ("mustBe", (5,), {5}),
        ("mustNotBe", (5,), {4, 6, 7}),
        ("mustBeGreaterThan", (5,), {6, 7}),
        ("mustBeGreaterOrEqualTo", (5,), {5, 6, 7}),
        ("mustBeLessThan", (5,), {4}),
        ("mustBeLessOrEqualTo", (5,), {4, 5}),
        ("mustBeBetween", (5, 6), {5, 6}),
        ("mustNotBeBetween", (5, 6), {4, 7}),
    ],
)
def test_every_operator(operator: Operator, operands: tuple[int, ...], met: set[int]) -> None:
    assert {count for count in (4, 5, 6, 7) if is_met(rule(operator, *operands), count, 100)} == met


def test_percentages_are_exact_at_their_bound() -> None:
    # 0.29 * 100 is 28.999999999999996 in floats
    assert is_met(rule("mustBeLessOrEqualTo", 0.29, percent=True), 29, 10_000)
    assert not is_met(rule("mustBeLessOrEqualTo", 0.29, percent=True), 30, 10_000)
    assert not exceeds(29, 10_000, 0.29)
    assert exceeds(30, 10_000, 0.29)


def test_nothing_is_no_percent_of_nothing() -> None:
    assert is_met(rule("mustBeLessOrEqualTo", 1, percent=True), 0, 0)
    assert not exceeds(0, 0, 0)
    assert percent(0, 0) == 0


def test_the_sentence_says_count_share_and_bound() -> None:
    assert described(rule("mustBeLessThan", 2.5, percent=True), 1_200, 30_000) == (
        "1,200 of 30,000 rows (4.0 %), must be less than 2.5 percent"
    )
    rows = Rule(id="d.rows", metric="rowCount", severity="fail", operator="mustBeBetween", operands=(1_000, 2_000))
    assert described(rows, 7, 9) == "7 rows, must be between 1,000 and 2,000"
