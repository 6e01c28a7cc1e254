"""How an API behaves while it is asked: whoever asks it is watched, and what was seen are metrics."""

from collections.abc import Iterator
from http import HTTPStatus
from threading import Lock

from nightlake.core.http_exchange import Clock, Fetch, HttpAnswer, HttpRequest
from nightlake.core.metrics import Measured


class WatchedFetch(Fetch):
    """Asks as `fetch` does, by several threads at once if need be, and counts."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch, self._clock, self._lock = fetch, clock, Lock()
        self._requests = self._busy = self._failed = 0
        self._seconds = self._slowest = 0.0

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

    def metrics(self, pipeline: str, dataset: str) -> Iterator[Measured]:
        """Requests, those that the API was too busy for, those that it failed on or left without an answer, and how
        long answers took on average and at most; nothing where nothing was asked.
        """
        if not self._requests:
            return
        yield Measured(
            {"pipeline": pipeline, "dataset": dataset},
            {
                "ApiRequests": ("Count", self._requests),
                "ApiBusy": ("Count", self._busy),
                "ApiFailed": ("Count", self._failed),
                "ApiSeconds": ("Seconds", self._seconds / self._requests),
                "ApiSlowestSeconds": ("Seconds", self._slowest),
            },
        )

    def _count(self, status: int, seconds: float) -> None:
        with self._lock:
            self._requests += 1
            self._busy += status == HTTPStatus.TOO_MANY_REQUESTS
            self._failed += status >= HTTPStatus.INTERNAL_SERVER_ERROR
            self._seconds += seconds
            self._slowest = max(self._slowest, seconds)
