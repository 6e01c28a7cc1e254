"""What a statement knows of its caller: where names are looked up, what time it is, where its output goes."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

CATALOG = "awsdatacatalog"


class Cancellation:
    """A query's way to be stopped from another thread. What is running is interrupted, what comes later never starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], object] | None = None
        self.requested = False

    def request(self) -> None:
        """Stop the query now, or as soon as it starts to run."""
        with self._lock:
            self.requested = True
            if self._interrupt:
                self._interrupt()

    def attach(self, interrupt: Callable[[], object] | None) -> None:
        """Say how to stop what runs now; None when nothing does any more."""
        with self._lock:
            self._interrupt = interrupt
            if interrupt and self.requested:
                interrupt()


@dataclass(frozen=True)
class Session:
    """One statement's surroundings.

    `output` is the folder (`s3://bucket/prefix/`) for its results, and `enforced` whether the workgroup insists on it.
    `parameters` are SQL literals for the statement's question marks, as Athena's ExecutionParameters are written.
    `started` is the one instant that current_timestamp and its siblings give, in UTC. `prepared` are the statements
    that EXECUTE can name. `scan_limit` is the workgroup's cutoff in bytes.
    """

    database: str = "default"
    catalog: str = CATALOG
    output: str = ""
    enforced: bool = False
    parameters: tuple[str, ...] = ()
    prepared: Mapping[str, str] = field(default_factory=dict)
    scan_limit: int | None = None
    query_id: str = field(default_factory=lambda: str(uuid4()))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    cancellation: Cancellation = field(default_factory=Cancellation)
