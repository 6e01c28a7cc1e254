"""Whether a count is what a rule expects, and the sentence that says so."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from nightlake.core.pipeline import Operator, Rule

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
    expected = _WORDS[rule.operator].format(*(f"{number:,}" for number in rule.operands))
    unit = " percent" if rule.unit == "percent" else ""
    if rule.metric == "rowCount":
        return f"{count:,} rows, {expected}"
    return f"{count:,} of {total:,} rows ({percent(count, total)} %), {expected}{unit}"


def _exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(Decimal(str(number)))
