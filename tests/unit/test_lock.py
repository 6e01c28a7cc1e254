"""Locks and triggers: one owner at a time, and none that does not run any more."""

from dataclasses import dataclass, field

import pytest
from memory_objects import MemoryObjects
from nightlake.core.errors import RunInProgressError
from nightlake.core.lock import Executions, Lock, Owner, acquire, holds, is_duplicate, release

KEY = "locks/shop/night.json"
FIRST = Owner(execution_id="arn:first", run_id="run-1", since="2026-01-05T03:00:00+00:00")
SECOND = Owner(execution_id="arn:second", run_id="run-2", since="2026-01-05T03:00:01+00:00")


@dataclass
class Remembered(Executions):
    """Executions by their status."""

    statuses: dict[str, str] = field(default_factory=lambda: {"arn:first": "RUNNING", "arn:second": "RUNNING"})

    def status(self, execution_id: str) -> str | None:
        return self.statuses.get(execution_id)


@pytest.fixture
def store() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def executions() -> Remembered:
    return Remembered()


def test_a_second_run_is_refused_and_told_who_runs_since_when(store: MemoryObjects, executions: Remembered) -> None:
    acquire(store, executions, KEY, FIRST)
    with pytest.raises(RunInProgressError, match=r"run-1 holds .* since 2026-01-05T03:00:00.*arn:first.*rerun"):
        acquire(store, executions, KEY, SECOND)
    assert holds(store, KEY, "run-1")
    assert not holds(store, KEY, "run-2")


def test_a_retry_of_the_owner_keeps_its_lock(store: MemoryObjects, executions: Remembered) -> None:
    acquire(store, executions, KEY, FIRST)
    acquire(store, executions, KEY, FIRST)
    assert holds(store, KEY, "run-1")


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT", "SUCCEEDED", None])
def test_an_owner_that_does_not_run_any_more_is_replaced(
    store: MemoryObjects, executions: Remembered, status: str | None
) -> None:
    acquire(store, executions, KEY, FIRST)
    executions.statuses = {"arn:first": status} if status else {}
    acquire(store, executions, KEY, SECOND)
    assert holds(store, KEY, "run-2")


def test_who_lost_its_lock_releases_nothing(store: MemoryObjects, executions: Remembered) -> None:
    acquire(store, executions, KEY, FIRST)
    executions.statuses["arn:first"] = "ABORTED"
    acquire(store, executions, KEY, SECOND)
    release(store, KEY, "arn:first")
    assert holds(store, KEY, "run-2")
    release(store, KEY, "arn:second")
    assert store.get_model(KEY, Lock).owner is None
    acquire(store, executions, KEY, FIRST)
    assert holds(store, KEY, "run-1")


def test_a_lock_that_was_never_taken_can_be_released(store: MemoryObjects) -> None:
    release(store, KEY, "arn:first")
    assert store.head(KEY) is None


def test_a_trigger_that_comes_twice_is_a_duplicate_unless_the_first_failed(
    store: MemoryObjects, executions: Remembered
) -> None:
    key = "triggers/shop/2026.json"
    assert not is_duplicate(store, executions, key, FIRST)
    assert not is_duplicate(store, executions, key, FIRST), "a retry of the first"
    assert is_duplicate(store, executions, key, SECOND)
    executions.statuses["arn:first"] = "SUCCEEDED"
    assert is_duplicate(store, executions, key, SECOND)
    executions.statuses["arn:first"] = "FAILED"
    assert not is_duplicate(store, executions, key, SECOND)
    assert is_duplicate(store, executions, key, FIRST), "the second has it now"
