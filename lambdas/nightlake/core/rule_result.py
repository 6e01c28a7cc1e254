"""What became of one rule in a run: the line that the verdicts, the run record and `nightlake quality` have for it."""

from typing import Literal

from nightlake.core.expectation import described, expected, is_met, percent
from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Relationship, Rule, Severity


class RuleResult(Frozen):
    """One rule of one dataset, and what was `found`, in words; where it was not checked, why.

    `rows` were looked at; `broken` of them break the rule, which is `percent` of them. Where the rule is about the
    number of rows, `broken` is None, and `percent` is how much that number changed, if it is about that.
    """

    rule: str
    dataset: str
    severity: Severity
    expectation: str
    verdict: Literal["kept", "broken", "not checked"]
    found: str
    rows: int | None = None
    broken: int | None = None
    percent: float | None = None


def result(rule: Rule, dataset: str, count: int, total: int) -> RuleResult:
    """The result by what was counted of how many, as `expectation.is_met` takes them."""
    rows, broken, share = total, count, percent(count, total)
    numbers: dict[str, float | None] = {"rows": rows, "broken": broken, "percent": share}
    if rule.metric == "rowCount":
        numbers = {"rows": count}
    elif rule.metric == "rowCountChange":
        numbers = {"rows": total + count, "percent": share}
    return RuleResult.model_validate(
        {
            "rule": rule.id,
            "dataset": dataset,
            "severity": rule.severity,
            "expectation": expected(rule),
            "verdict": "kept" if is_met(rule, count, total) else "broken",
            "found": described(rule, count, total),
            **numbers,
        }
    )


def of_relationship(relationship: Relationship, dataset: str, missing: int, total: int) -> RuleResult:
    """The result of a relationship, by the rows that refer to nothing."""
    columns = ", ".join(relationship.columns)
    return RuleResult(
        rule=relationship.id,
        dataset=dataset,
        severity=relationship.severity,
        expectation=_reference(relationship),
        verdict="broken" if missing else "kept",
        found=f"{missing:,} of {total:,} rows ({percent(missing, total)} %) refer by {columns} to what is not in "
        f"{relationship.to}",
        rows=total,
        broken=missing,
        percent=percent(missing, total),
    )


def not_checked(rule: Rule | Relationship, dataset: str, why: str) -> RuleResult:
    """The result of a rule that nothing can be said about."""
    return RuleResult(
        rule=rule.id,
        dataset=dataset,
        severity=rule.severity,
        expectation=expected(rule) if isinstance(rule, Rule) else _reference(rule),
        verdict="not checked",
        found=f"was not checked: {why}",
    )


def _reference(relationship: Relationship) -> str:
    columns, targets = ", ".join(relationship.columns), ", ".join(relationship.to_columns)
    return f"{columns} must be found in {relationship.to} ({targets})"
