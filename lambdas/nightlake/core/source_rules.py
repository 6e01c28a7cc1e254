"""What the contract expects of one source as a whole, against what the receipts counted."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from nightlake.core.expectation import described, exceeds, is_met, percent
from nightlake.core.pipeline import Dataset, Rule
from nightlake.core.shard import Finding, Receipt
from nightlake.core.source import AnySource


def queried_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules that compare rows with each other: no receipt counts them, a query does."""
    return tuple(rule for rule in dataset.rules if rule.metric == "duplicateValues")


@dataclass(frozen=True)
class SourceRules:
    """The rules of one source; `delivered` and `refused` say where its objects and its refused rows can be seen."""

    dataset: Dataset
    source: AnySource
    receipts: Collection[Receipt]
    delivered: str
    refused: str

    def problems(self) -> Iterator[Finding]:
        """What rejects the source: too many refused rows, broken rules of severity fail."""
        refused, total = self._quarantined, self._total
        if exceeds(refused, total, self.source.max_quarantined_percent):
            most = ", ".join(f"{rule} {rows:,}" for rule, rows in self._refusals().most_common(3))
            reason = (
                f"{refused:,} of {total:,} rows ({percent(refused, total)} %) were refused, at most "
                f"{self.source.max_quarantined_percent:g} % may be; most by: {most or 'no named rule'}"
            )
            yield Finding(rule=f"{self.dataset.name}.max_quarantined_percent", where=self.refused, reason=reason)
        yield from self._broken("fail")

    def warnings(self) -> Iterator[Finding]:
        """What a person should know of a good source: refused rows, undeclared columns, rules of severity warn."""
        yield from self._broken("warn")
        for rule, rows in self._refusals().most_common():
            reason = f"{rows:,} of {self._total:,} rows ({percent(rows, self._total)} %) broke it and were refused"
            yield Finding(rule=rule, where=self.refused, reason=reason)
        extra = sorted({column for receipt in self.receipts for column in receipt.extra_columns})
        if extra:
            reason = f"the delivery has columns that the contract has not: {', '.join(extra)}"
            yield Finding(rule=f"{self.dataset.name}.extra_columns", where=self.delivered, reason=reason)

    @property
    def _rows(self) -> int:
        return sum(receipt.rows for receipt in self.receipts)

    @property
    def _quarantined(self) -> int:
        return sum(receipt.quarantined for receipt in self.receipts)

    @property
    def _total(self) -> int:
        return self._rows + self._quarantined

    def _counts(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for receipt in self.receipts:
            counts.update({each.rule: each.rows for each in receipt.rules})
        return counts

    def _refusals(self) -> Counter[str]:
        """Rows by what refused them; one row may have broken several rules."""
        stated = {rule.id for rule in self.dataset.rules if rule.severity != "quarantine"}
        return Counter({rule: rows for rule, rows in self._counts().items() if rule not in stated})

    def _broken(self, severity: str) -> Iterator[Finding]:
        counts = self._counts()
        for rule in self.dataset.rules:
            if rule.severity == severity and rule not in queried_rules(self.dataset):
                count = self._rows if rule.metric == "rowCount" else counts[rule.id]
                if not is_met(rule, count, self._total):
                    yield Finding(rule=rule.id, where=self.delivered, reason=_reason(rule, count, self._total))


def _reason(rule: Rule, count: int, total: int) -> str:
    return f"{described(rule, count, total)}{f' ({rule.description})' if rule.description else ''}"
