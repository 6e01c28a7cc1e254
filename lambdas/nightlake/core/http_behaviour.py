"""How an API behaves while it is asked: whoever asks it is watched; what was seen is noted for the run and measured."""

from collections.abc import Iterator
from http import HTTPStatus
from threading import Lock

from nightlake.core.frozen import Frozen
from nightlake.core.http_exchange import Clock, Fetch, HttpAnswer, HttpRequest
from nightlake.core.metrics import Measured
from nightlake.core.store import Store


class Asked(Frozen):
    """Requests, those that the API was too busy for (429), those that it failed on (5xx) or left without an answer; the
    seconds that all answers took together, and the slowest one.
    """

    requests: int = 0
    busy: int = 0
    failed: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(
            requests=self.requests + other.requests,
            busy=self.busy + other.busy,
            failed=self.failed + other.failed,
            seconds=self.seconds + other.seconds,
            slowest_seconds=max(self.slowest_seconds, other.slowest_seconds),
        )


class WatchedFetch(Fetch):
    """Asks as `fetch` does, by several threads at once if need be; `asked` is what was seen so far."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch, self._clock, self._lock = fetch, clock, Lock()
        self.asked = Asked()

    def ask(self, request: HttpRequest, *, renew: bool = False) -> HttpAnswer:
        began = self._clock.seconds()
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        try:
            answer = self._fetch.ask(request, renew=renew)
            status = answer.status
            return answer
        finally:
            self._count(status, self._clock.seconds() - began)

    def hide(self, text: str) -> str:
        return self._fetch.hide(text)

    def official(self, url: str) -> str:
        return self._fetch.official(url)

    def _count(self, status: int, seconds: float) -> None:
        seen = Asked(
            requests=1,
            busy=int(status == HTTPStatus.TOO_MANY_REQUESTS),
            failed=int(status >= HTTPStatus.INTERNAL_SERVER_ERROR),
            seconds=seconds,
            slowest_seconds=seconds,
        )
        with self._lock:
            self.asked += seen


def asked_metrics(pipeline: str, dataset: str, asked: Asked) -> Iterator[Measured]:
    """What is emitted of it; nothing where nothing was asked."""
    if not asked.requests:
        return
    yield Measured(
        {"pipeline": pipeline, "dataset": dataset},
        {
            "ApiRequests": ("Count", asked.requests),
            "ApiBusy": ("Count", asked.busy),
            "ApiFailed": ("Count", asked.failed),
            "ApiSeconds": ("Seconds", asked.seconds / asked.requests),
            "ApiSlowestSeconds": ("Seconds", asked.slowest_seconds),
        },
    )


def find_asked(lake: Store, prefix: str) -> Asked | None:
    """All that a run has noted below `prefix` of one API; None where it asked nothing."""
    notes = [lake.get_model(found.key, Asked) for found in lake.list(prefix)]
    return sum(notes, start=Asked()) if notes else None
