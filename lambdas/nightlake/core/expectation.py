"""Whether a count is what a rule expects, and the sentences that say so.

A rule about bad rows is decided by how many of all rows they are, `rowCount` by the number of rows, `rowCountChange` by
the difference to the number before, of that number.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from nightlake.core.pipeline import Operator, Rule
from nightlake.core.quality import demand

_WORDS: Final[Mapping[Operator, str]] = {
    "mustBe": "must be {}",
    "mustNotBe": "must not be {}",
    "mustBeGreaterThan": "must be greater than {}",
    "mustBeGreaterOrEqualTo": "must be at least {}",
    "mustBeLessThan": "must be less than {}",
    "mustBeLessOrEqualTo": "must be at most {}",
    "mustBeBetween": "must be between {} and {}",
    "mustNotBeBetween": "must not be between {} and {}",
}
_HOLDS: Final[Mapping[Operator, Callable[[Fraction, Fraction, Fraction], bool]]] = {
    "mustBe": lambda found, bound, _: found == bound,
    "mustNotBe": lambda found, bound, _: found != bound,
    "mustBeGreaterThan": lambda found, bound, _: found > bound,
    "mustBeGreaterOrEqualTo": lambda found, bound, _: found >= bound,
    "mustBeLessThan": lambda found, bound, _: found < bound,
    "mustBeLessOrEqualTo": lambda found, bound, _: found <= bound,
    "mustBeBetween": lambda found, low, high: low <= found <= high,
    "mustNotBeBetween": lambda found, low, high: not low <= found <= high,
}


def percent(part: int, total: int) -> float:
    """The part in percent of the total, to two digits; 0 of nothing."""
    return round(100 * part / total, 2) if total else 0.0


def exceeds(part: int, total: int, limit_percent: float) -> bool:
    """Whether the part is more than so many percent of the total, computed exactly."""
    return 100 * part > _exact(limit_percent) * total


def is_met(rule: Rule, count: int, total: int) -> bool:
    """Whether `count` of `total` rows is what the rule expects, computed exactly; `between` includes its bounds."""
    found = Fraction(100 * count, total or 1) if rule.unit == "percent" else Fraction(count)
    low, high = (_exact(number) for number in (rule.operands[0], rule.operands[-1]))
    return _HOLDS[rule.operator](found, low, high)


def described(rule: Rule, count: int, total: int) -> str:
    """What was counted beside what the rule expects, such as `12 of 300 rows (4.0 %), must be at most 3 percent`."""
    if rule.metric == "rowCount":
        return f"{count:,} rows, {_bound(rule)}"
    if rule.metric == "rowCountChange":
        return f"{total + count:,} rows, before {total:,}: a change of {percent(count, total):+} %, {_bound(rule)}"
    return f"{count:,} of {total:,} rows ({percent(count, total)} %), {_bound(rule)}"


def expected(rule: Rule) -> str:
    """What the rule expects, such as `quantity must be at least 0`."""
    if rule.metric == "rowCount":
        return f"the number of rows {_bound(rule)}"
    if rule.metric == "rowCountChange":
        return f"the change of the number of rows {_bound(rule)}"
    columns = ", ".join(rule.columns)
    if rule.metric == "duplicateValues":
        demanded = f"no two rows may have the same {columns}"
    else:
        demanded = f"{columns} {demand(rule)}"
    none_may = (rule.operator, rule.operands) == ("mustBe", (0,))
    return demanded if none_may else f"{demanded}; how many rows do not: {_bound(rule)}"


def _bound(rule: Rule) -> str:
    unit = " percent" if rule.unit == "percent" else ""
    return _WORDS[rule.operator].format(*(f"{number:,}" for number in rule.operands)) + unit


def _exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(Decimal(str(number)))
