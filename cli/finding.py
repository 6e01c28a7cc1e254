"""What one check of `nightlake doctor` found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What one check came to."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and what to do where it is not fine."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


def judged(subject: str, good: object, found: str, advice: str, *, otherwise: Verdict = Verdict.FAIL) -> Finding:
    """Fine where it is `good`, else `otherwise`, with the advice."""
    return Finding(subject, Verdict.OK, found) if good else Finding(subject, otherwise, found, advice)
