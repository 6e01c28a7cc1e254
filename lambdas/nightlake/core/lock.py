"""Who may run: a lock is an object that names its owner, and an owner whose execution has ended holds nothing."""

from typing import Final, Protocol

from nightlake.core.errors import RunInProgressError
from nightlake.core.frozen import Frozen
from nightlake.core.store import PreconditionFailedError, Store

RUNNING: Final = "RUNNING"
SUCCEEDED: Final = "SUCCEEDED"
_TRIES: Final = 8


class Owner(Frozen):
    """Whose a lock or a trigger is: the execution's ARN, its run, and since when it runs (ISO 8601)."""

    execution_id: str
    run_id: str
    since: str


class Lock(Frozen):
    """What lies in S3; no owner: released. It is never deleted, so that every change of owner is an If-Match."""

    owner: Owner | None


class Executions(Protocol):
    """What we ask of Step Functions."""

    def status(self, execution_id: str) -> str | None:
        """RUNNING, SUCCEEDED or another end; None when no such execution is remembered."""


def acquire(store: Store, executions: Executions, key: str, owner: Owner) -> None:
    """Take the lock, or keep it. An owner that does not run any more is replaced.

    Raises RunInProgressError naming the owner.
    """
    for _ in range(_TRIES):
        found = store.find_model(key, Lock)
        holder = found[0].owner if found else None
        if holder is not None and holder.execution_id == owner.execution_id:
            return
        if holder is not None and executions.status(holder.execution_id) == RUNNING:
            raise RunInProgressError(
                f"Run {holder.run_id} holds s3://{store.bucket}/{key} since {holder.since} (execution "
                f"{holder.execution_id}): wait until it has ended, or stop it, then rerun"
            )
        try:
            store.put_model(key, Lock(owner=owner), if_match=found[1] if found else None, if_none_match=not found)
        except PreconditionFailedError:
            continue
        return
    raise RunInProgressError(f"Too many runs want s3://{store.bucket}/{key} at once: rerun when they have ended")


def holds(store: Store, key: str, run_id: str) -> bool:
    """Whether the run is the owner now."""
    found = store.find_model(key, Lock)
    return found is not None and found[0].owner is not None and found[0].owner.run_id == run_id


def release(store: Store, key: str, execution_id: str) -> None:
    """Give the lock back if this execution is its owner; one that is somebody else's by now stays theirs."""
    found = store.find_model(key, Lock)
    if found is None or found[0].owner is None or found[0].owner.execution_id != execution_id:
        return
    try:
        store.put_model(key, Lock(owner=None), if_match=found[1])
    except PreconditionFailedError:
        return


def is_duplicate(store: Store, executions: Executions, key: str, owner: Owner) -> bool:
    """Whether another execution, running or well ended, has this trigger already; else it is this execution's.

    A person may start the input of a failed execution again: that is no second delivery.
    """
    for _ in range(_TRIES):
        found = store.find_model(key, Owner)
        if found is not None:
            first = found[0].execution_id
            if first == owner.execution_id:
                return False
            if executions.status(first) in (RUNNING, SUCCEEDED):
                return True
        try:
            store.put_model(key, owner, if_match=found[1] if found else None, if_none_match=found is None)
        except PreconditionFailedError:
            continue
        return False
    return True
