"""What the contract expects of one source as a whole, against what the receipts counted."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from nightlake.core.expectation import exceeds, percent
from nightlake.core.pipeline import Dataset, Rule
from nightlake.core.published_day import PublishedDay
from nightlake.core.rule_result import RuleResult, not_checked, result
from nightlake.core.shard import Finding, Receipt
from nightlake.core.sources import AnySource


def queried_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules that compare rows with each other: no receipt counts them, a query does."""
    return tuple(rule for rule in dataset.rules if rule.metric == "duplicateValues")


def compares_days(dataset: Dataset) -> bool:
    """Whether a rule compares the day with the one that was published before it."""
    return any(rule.metric == "rowCountChange" for rule in dataset.rules)


@dataclass(frozen=True)
class SourceRules:
    """The rules of one source; `before` is what its new day is compared with, None where there is no such day.

    `delivered` and `refused` say where the source's objects and its refused rows can be seen.
    """

    dataset: Dataset
    source: AnySource
    receipts: Collection[Receipt]
    before: PublishedDay | None
    delivered: str
    refused: str

    def problems(self) -> Iterator[Finding]:
        """What rejects the source: too many refused rows, broken rules of severity fail."""
        share = f"{self._refused:,} of {self._total:,} rows ({percent(self._refused, self._total)} %) were refused"
        most = ", ".join(f"{rule} {rows:,}" for rule, rows in self._refusals.most_common(3)) or "no named rule"
        for name, limit in self._exceeded():
            reason = f"{share}, at most {limit} may be; most by: {most}"
            yield Finding(rule=f"{self.dataset.name}.{name}", where=self.refused, reason=reason)
        yield from self._broken("fail")

    def warnings(self) -> Iterator[Finding]:
        """What a person should know of a good source: refused rows, rules of severity warn."""
        yield from self._broken("warn")
        for rule, rows in self._refusals.most_common():
            reason = f"{rows:,} of {self._total:,} rows ({percent(rows, self._total)} %) broke it and were refused"
            yield Finding(rule=rule, where=self.refused, reason=reason)

    @cached_property
    def results(self) -> tuple[RuleResult, ...]:
        """What became of every rule that is decided here: those of the contract, then what else refused rows."""
        stated = [self._result(rule) for rule in self.dataset.rules if rule not in queried_rules(self.dataset)]
        types = {f"{self.dataset.name}.{column.name}.type": column for column in self.dataset.columns}
        others = {
            **{rule: f"{column.name} must be {column.type}" for rule, column in types.items()},
            **dict.fromkeys(sorted(self._refusals.keys() - types.keys()), "a record must be readable"),
        }
        known = {each.rule for each in stated}
        implied = [self._implied(rule, words) for rule, words in others.items() if rule not in known]
        return (*stated, *implied)

    def _result(self, rule: Rule) -> RuleResult:
        if rule.metric == "rowCount":
            return result(rule, self.dataset.name, self._rows, self._total)
        if rule.metric != "rowCountChange":
            return result(rule, self.dataset.name, self._counts[rule.id], self._total)
        if self.before is None:
            return not_checked(rule, self.dataset.name, "no earlier day with rows of it is published")
        found = result(rule, self.dataset.name, self._rows - self.before.rows, self.before.rows)
        return found.model_copy(update={"found": f"{found.found} (compared with {self.before.date})"})

    def _implied(self, rule: str, expectation: str) -> RuleResult:
        """The result of a rule that no contract needs to state."""
        stated = Rule(id=rule, metric="invalidValues", severity="quarantine")
        found = result(stated, self.dataset.name, self._counts[rule], self._total)
        return found.model_copy(update={"expectation": expectation})

    def _exceeded(self) -> Iterator[tuple[str, str]]:
        """The limits of refused rows that are exceeded, by name and in words."""
        if exceeds(self._refused, self._total, self.source.max_quarantined_percent):
            yield "max_quarantined_percent", f"{self.source.max_quarantined_percent:g} %"
        most = self.source.max_quarantined_rows
        if most is not None and self._refused > most:
            yield "max_quarantined_rows", f"{most:,}"

    @cached_property
    def _rows(self) -> int:
        return sum(receipt.rows for receipt in self.receipts)

    @cached_property
    def _refused(self) -> int:
        return sum(receipt.quarantined for receipt in self.receipts)

    @property
    def _total(self) -> int:
        return self._rows + self._refused

    @cached_property
    def _counts(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for receipt in self.receipts:
            counts.update({each.rule: each.rows for each in receipt.rules})
        return counts

    @cached_property
    def _refusals(self) -> Counter[str]:
        """Rows by what refused them; one row may have broken several rules."""
        stated = {rule.id for rule in self.dataset.rules if rule.severity != "quarantine"}
        return Counter({rule: rows for rule, rows in self._counts.items() if rule not in stated})

    def _broken(self, severity: str) -> Iterator[Finding]:
        descriptions = {rule.id: rule.description for rule in self.dataset.rules}
        for each in self.results:
            if each.severity == severity and each.verdict == "broken":
                description = descriptions[each.rule]
                reason = f"{each.found} ({description})" if description else each.found
                yield Finding(rule=each.rule, where=self.delivered, reason=reason)
