"""Which rows break a rule: every metric and limit of a contract on typed columns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from nightlake.core.column_type import parse
from nightlake.core.pipeline import Metric, Rule, ValidValues
from nightlake.core.quality import broken, demand
from nightlake.core.table import arrow_type


def rows(kind: str, raw: list[Any], *, metric: Metric = "invalidValues", **fields: Any) -> list[int]:
    """The rows that break the rule."""
    missing = fields.pop("missing", ())
    valid = ValidValues(**fields) if fields else None
    rule = Rule(id="d.c.r", metric=metric, severity="quarantine", columns=("c",), valid=valid, missing=missing)
    found = broken(rule, pa.array(raw, arrow_type(parse(kind))), parse(kind))
    assert found.null_count == 0
    return [row for row, is_broken in enumerate(found.to_pylist()) if is_broken]


def test_a_missing_value_breaks_only_what_is_about_missing_values() -> None:
    assert rows("int", [1, None], metric="nullValues") == [1]
    assert rows("string", ["N/A", None, "", "x"], metric="missingValues", missing=("N/A", "")) == [0, 2]
    assert rows("string", ["N/A", None, ""], metric="missingValues", missing=("N/A", None)) == [0, 1]
    assert rows("int", [None, None], minimum="1", maximum="2", values=("1",)) == []
    assert rows("string", [None], min_length=1, pattern="x") == []


def test_limits_are_exact_in_the_type_of_the_column() -> None:
    money = [Decimal("0.29"), Decimal("0.30"), Decimal("0.31")]
    assert rows("decimal(38,2)", money, minimum="0.3") == [0]
    assert rows("decimal(38,2)", money, maximum="0.3") == [2]
    assert rows("decimal(38,2)", money, exclusive_minimum="0.3") == [0, 1]
    assert rows("decimal(38,2)", money, exclusive_maximum="0.3") == [1, 2]
    assert rows("bigint", [2**53, 2**53 + 1], minimum="9007199254740993") == [0]
    assert rows("float", [0.1, 0.2], maximum="0.1") == [1]


def test_limits_of_times_are_times() -> None:
    days = [date(2017, 6, 11), date(2017, 6, 12)]
    assert rows("date", days, minimum="2017-06-12") == [0]
    moments = [datetime.fromisoformat("2017-06-12 00:00:00.123"), datetime.fromisoformat("2017-06-12 00:00:00")]
    assert rows("timestamp", moments, maximum="2017-06-12 00:00:00") == [0]
    assert rows("timestamp", moments, exclusive_maximum="2017-06-12 00:00:00.123") == [0]


def test_lengths_are_counted_in_characters() -> None:
    assert rows("string", ["Zoë", "Zo", ""], min_length=3) == [1, 2]
    assert rows("string", ["Zoë", "Zoés"], max_length=3) == [1]


def test_a_pattern_matches_anywhere_unless_it_is_anchored() -> None:
    assert rows("string", ["5+", "15+", "x"], pattern=r"5\+") == [2]
    assert rows("string", ["5+", "15+", "5+\n"], pattern=r"^5\+$") == [1, 2]


@pytest.mark.parametrize(
    ("kind", "values", "allowed"),
    [
        ("string", ["National", "national"], ("National", "Private")),
        ("decimal(5,2)", [Decimal("1.50"), Decimal("1.51")], ("1.5",)),
        ("boolean", [True, False], ("true",)),
        ("date", [date(2017, 6, 12), date(2017, 6, 13)], ("2017-06-12",)),
    ],
)
def test_values_are_compared_in_the_type_of_the_column(kind: str, values: list[Any], allowed: tuple[str, ...]) -> None:
    assert rows(kind, values, values=allowed) == [1]


def test_a_rule_of_several_conditions_is_broken_by_breaking_one() -> None:
    assert rows("int", [0, 1, 5, 6, 3], minimum="1", maximum="5", values=("1", "5")) == [0, 3, 4]


def test_a_rule_says_what_it_demands() -> None:
    valid = ValidValues(minimum="0", max_length=5, values=("a", "b"))
    rule = Rule(
        id="d.c.r", metric="invalidValues", severity="warn", columns=("c",), valid=valid, description="as agreed"
    )
    words = "must be at least 0 and must have at most so many characters: 5 and must be one of 'a', 'b' (as agreed)"
    assert demand(rule) == words
    assert demand(rule.model_copy(update={"metric": "nullValues", "description": ""})) == "must be there"
    missing = rule.model_copy(update={"metric": "missingValues", "missing": (None, "N/A"), "description": ""})
    assert demand(missing) == "must be none of NULL, 'N/A'"
