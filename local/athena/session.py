"""What a statement knows of its caller: where names are looked up, what time it is, where its output goes."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from nightlake.core.errors import NightlakeError

from local.athena.functions.registry import Session as CompilerSession

CATALOG = "awsdatacatalog"
"""Glue's own catalog: the only one here."""
_INSIST_SECONDS = 0.05


class QueryStoppedError(NightlakeError):
    """A query that ends as CANCELLED. `scanned_bytes` is what it had read until then."""

    scanned_bytes: int = 0


class QueryCancelledError(QueryStoppedError):
    """Its caller stopped the query."""

    def __init__(self) -> None:
        super().__init__("Query was cancelled by user")


class ScanLimitError(QueryStoppedError):
    """The query would read more than its workgroup allows."""

    def __init__(self) -> None:
        super().__init__("Bytes scanned limit was exceeded")


class Cancellation:
    """A query's way to be stopped from another thread: what runs is interrupted, what comes later never starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], object] | None = None
        self.requested = False

    def request(self) -> None:
        """Stop the query now, or as soon as it starts to run."""
        with self._lock:
            if self.requested:
                return
            self.requested = True
            if self._interrupt is not None:
                self._begin()

    def attach(self, interrupt: Callable[[], object] | None) -> None:
        """Say how to stop what runs from now on; None when nothing does any more."""
        with self._lock:
            idle, self._interrupt = self._interrupt is None, interrupt
            # A request may have come while there was nothing to stop yet.
            if self.requested and idle and interrupt is not None:
                self._begin()

    def _begin(self) -> None:
        threading.Thread(target=self._insist, name="cancellation", daemon=True).start()

    def _insist(self) -> None:
        # DuckDB forgets an interrupt that comes in the moment before a statement starts.
        while True:
            with self._lock:
                if self._interrupt is None:
                    return
                self._interrupt()
            time.sleep(_INSIST_SECONDS)


@dataclass(frozen=True)
class Session(CompilerSession):
    """One statement's surroundings.

    `output` is the folder (`s3://bucket/prefix/`) for its results, and `enforced` whether the workgroup insists on it.
    `prepared` are the statements that EXECUTE can name, by their names in lower case. `scan_limit` is the workgroup's
    cutoff in bytes. `now` is the one instant that current_timestamp and its siblings give. With `orphans` a CTAS,
    INSERT or UNLOAD that fails leaves the files it had written, as Athena does; without, a failing query writes none.
    """

    output: str = ""
    enforced: bool = False
    prepared: Mapping[str, str] = field(default_factory=dict)
    scan_limit: int | None = None
    orphans: bool = False
    query_id: str = field(default_factory=lambda: str(uuid4()))
    cancellation: Cancellation = field(default_factory=Cancellation, compare=False)
