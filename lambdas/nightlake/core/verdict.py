"""What the audits of a run found, as Complete and people read it."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from nightlake.core.frozen import Frozen
from nightlake.core.rule_result import RuleResult
from nightlake.core.shard import Finding

_MAX_SAID: Final = 3


class Count(Frozen):
    """What one check counted: `broken` of the `checked` rows; `checked` is None where only wrong rows are counted."""

    rule: str
    broken: int
    checked: int | None = None


class Verdict(Frozen):
    """The audit across all sources, or of the merge `subject`; `query_ids` are the Athena queries that counted."""

    subject: str
    date: date
    run_id: str
    query_ids: tuple[str, ...]
    counts: tuple[Count, ...]
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    rules: tuple[RuleResult, ...] = ()


def in_words(problems: Sequence[Finding], key: str) -> str:
    """The first problems as a person reads them in an alert, and where the others are."""
    text = "; ".join(f"{each.rule}: {each.reason}. Look at: {each.where}" for each in problems[:_MAX_SAID])
    more = len(problems) - _MAX_SAID
    return f"{text}; and {more} more in {key}" if more > 0 else text
