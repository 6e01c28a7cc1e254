"""Which rows break a rule: every metric and limit of a contract on typed columns."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.column_type import parse
from nightlake.core.pipeline import Metric, Rule, ValidValues
from nightlake.core.quality import RowRule, Values, demand
from nightlake.core.table import arrow_type


def rows(kind: str, raw: list[Any], *, metric: Metric = "invalidValues", **fields: Any) -> list[int]:
    """The rows that break the rule."""
    missing = fields.pop("missing", ())
    valid = ValidValues(**fields) if fields else None
    rule = Rule(id="d.c.r", metric=metric, severity="quarantine", columns=("c",), valid=valid, missing=missing)
    array = pa.array([*raw[:1], *raw], arrow_type(parse(kind)))[1:]  # a slice: what lies before it does not count
    found = RowRule(rule, parse(kind)).broken(Values(array))
    if found is None:
        return []
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
    words = "must be at least 0 and must have 5 characters or fewer and must be one of 'a', 'b' (as agreed)"
    assert demand(rule) == words
    assert demand(rule.model_copy(update={"metric": "nullValues", "description": ""})) == "must be there"
    missing = rule.model_copy(update={"metric": "missingValues", "missing": (None, "N/A"), "description": ""})
    assert demand(missing) == "must be none of NULL, 'N/A'"


NUMBERS = st.lists(st.none() | st.decimals(-20, 20, places=2, allow_nan=False), max_size=12)


@settings(deadline=None)
@given(
    kind=st.sampled_from(["decimal(12,2)", "decimal(30,2)", "double", "int", "timestamp"]),
    raw=NUMBERS,
    name=st.sampled_from(["minimum", "maximum", "exclusive_minimum", "exclusive_maximum"]),
    limit=st.integers(-20, 20),
)
def test_limits_are_what_python_says(kind: str, raw: list[Decimal | None], name: str, limit: int) -> None:
    day = datetime(2017, 6, 12)  # noqa: DTZ001 (as stored)
    values: list[Any] = raw
    text, bound = str(limit), limit
    if kind == "timestamp":
        values = [None if each is None else day + timedelta(milliseconds=int(100 * each)) for each in raw]
        text, bound = str(day + timedelta(milliseconds=100 * limit)), day + timedelta(milliseconds=100 * limit)
    elif kind in ("double", "int"):
        values = [None if each is None else int(each) for each in raw]
    inside = {"minimum": ge, "maximum": le, "exclusive_minimum": gt, "exclusive_maximum": lt}[name]
    wrong = [row for row, value in enumerate(values) if value is not None and not inside(value, bound)]
    assert rows(kind, values, **{name: text}) == wrong


@settings(deadline=None)
@given(raw=st.lists(st.none() | st.text("ab1", max_size=3), max_size=12), copies=st.sampled_from([1, 300]))
def test_rules_of_texts_are_what_python_says(raw: list[str | None], copies: int) -> None:
    values = raw * copies + [str(number) for number in range(100)] * (copies == 1)  # few distinct texts, or many
    known = [(row, value) for row, value in enumerate(values) if value is not None]
    assert rows("string", values, pattern="^[ab]+$") == [row for row, text in known if not text or text.strip("ab")]
    assert rows("string", values, values=("a", "b")) == [row for row, text in known if text not in ("a", "b")]
    assert rows("string", values, min_length=1, max_length=2) == [row for row, text in known if len(text) not in (1, 2)]


def test_what_lies_under_a_missing_decimal_is_no_value() -> None:
    money = pa.array([Decimal("-5.00"), Decimal("5.00")], pa.decimal128(8, 2))
    hidden = pa.Array.from_buffers(money.type, 2, [pa.py_buffer(b"\x02"), money.buffers()[1]])
    rule = Rule(id="d.c.r", metric="invalidValues", severity="warn", columns=("c",), valid=ValidValues(minimum="0"))
    assert RowRule(rule, parse("decimal(8,2)")).broken(Values(hidden)) is None


def test_a_long_list_of_values_is_told_in_part() -> None:
    valid = ValidValues(values=tuple(str(number) for number in range(30)))
    rule = Rule(id="d.c.r", metric="invalidValues", severity="warn", columns=("c",), valid=valid)
    assert demand(rule).endswith("'18', '19' and 10 more")
