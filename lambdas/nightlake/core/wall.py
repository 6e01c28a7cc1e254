"""When each stage of a night begins and how long it takes, with every source beside the others."""

import math
from collections.abc import Iterator
from typing import Final

from nightlake.core.frozen import Frozen
from nightlake.core.load import Load

# Not measured in AWS: what is reckoned with where nothing better is known.
COLD_START_SECONDS: Final = 3.0
TASK_SECONDS: Final = 2.0
ATHENA_STATEMENT_SECONDS: Final = 60.0
ATHENA_MB_PER_SECOND: Final = 1000.0
FILES_PER_SECOND: Final = 50.0
"""Receipts, footers and sealed copies that one Task gets through."""
# Statements of one kind that run beside each other: MaxConcurrency of CheckAcross, AuditMerges and BuildReports.
AT_ONCE: Final = 4


class Stage(Frozen):
    """A stage of one source, or of the night where `source` is empty; in seconds from the night's beginning."""

    name: str
    source: str = ""
    begins: float
    seconds: float

    @property
    def ends(self) -> float:
        return self.begins + self.seconds


class Work(Frozen):
    """What follows the sources: how many tables, statements of each kind, and bytes of Parquet that one reads."""

    tables: int = 0
    across: int = 1
    across_bytes: int = 0
    merges: int = 0
    views: int = 0
    reports: int = 0
    statement_bytes: int = 0


def stages(loads: tuple[Load, ...], work: Work) -> tuple[Stage, ...]:
    """All stages in the order of the night; every source begins when the tables are there."""
    found = [*_in_turn(0, {"prepare": COLD_START_SECONDS + TASK_SECONDS, "tables": _turns(work.tables, TASK_SECONDS)})]
    begins = found[-1].ends
    branches = [stage for load in loads for stage in _in_turn(begins, _branch(load), load.dataset)]
    found += branches
    shards = sum(load.shards for load in loads)
    one = ATHENA_STATEMENT_SECONDS + work.statement_bytes / 1e6 / ATHENA_MB_PER_SECOND
    across = ATHENA_STATEMENT_SECONDS + work.across_bytes / 1e6 / ATHENA_MB_PER_SECOND
    parts = {
        "seal": TASK_SECONDS + shards / FILES_PER_SECOND,
        "check across": _turns(work.across, across) + TASK_SECONDS,
        "merge": work.merges * one,
        "audit merges": _turns(work.merges, one),
        "publish": 2 * TASK_SECONDS,
        "views": work.views * TASK_SECONDS,
        "reports": _turns(work.reports, one),
        "complete": TASK_SECONDS,
    }
    return (*found, *_in_turn(max(stage.ends for stage in branches), parts))


def _branch(load: Load) -> dict[str, float]:
    ahead = {"s3": {}, "http": {"extract": load.extract_seconds}, "postgres": {"count": load.extract_seconds}}
    return {
        "plan": COLD_START_SECONDS + TASK_SECONDS,
        **ahead[load.kind],
        "convert": COLD_START_SECONDS + load.convert_seconds,
        "validate": TASK_SECONDS + load.shards / FILES_PER_SECOND,
    }


def _turns(statements: int, seconds: float) -> float:
    return math.ceil(statements / AT_ONCE) * seconds


def _in_turn(begins: float, parts: dict[str, float], source: str = "") -> Iterator[Stage]:
    for name, seconds in parts.items():
        if seconds:
            yield Stage(name=name, source=source, begins=begins, seconds=seconds)
        begins += seconds
