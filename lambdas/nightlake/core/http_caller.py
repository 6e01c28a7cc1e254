"""Asks an API with patience: no faster than it allows, again where that helps, later where it says so."""

import math
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Final, TypeVar
from urllib.parse import urlsplit

from nightlake.core.errors import (
    AnswerTruncatedError,
    ApiRefusedError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    HostNotAllowedError,
)
from nightlake.core.http_answer import excerpt
from nightlake.core.http_exchange import Clock, Fetch, HttpAnswer, HttpRequest
from nightlake.core.http_pages import allowed
from nightlake.core.http_source import HttpSource

Read = TypeVar("Read")

TRIES: Final = 4
NOT_FOUND: Final = 404
_REDIRECTS: Final = 5
_BACKOFF_SECONDS: Final = 1.0
_SHORT_SECONDS: Final = 20.0  # waited for here; a longer wait is Step Functions', which is not paid by the second
_TOO_MANY: Final = 429
_LONGEST_SECONDS: Final = 7 * 86_400.0
_REMAINING: Final = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
_RESET: Final = ("x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_FIRST_TIME: Final = 1e9  # a larger number of seconds is a time, and one a thousand times as large is in milliseconds
_BUSY: Final = frozenset({_TOO_MANY, 503})
_MOVED_AS_IT_IS: Final = frozenset({307, 308})
_MOVED: Final = frozenset({301, 302, 303}) | _MOVED_AS_IT_IS
_UNAUTHORIZED: Final = frozenset({401, 403})
_GOOD: Final = frozenset({200, 203, 204})
_ACCEPTED: Final = 202
_PARTIAL: Final = 206  # as PostgREST answers a page
_TIMEOUT: Final = 408
_SERVER_ERROR: Final = 500


class PausedError(Exception):
    """The API asks to come back later: after so many `seconds`, where it says when. Whoever extracts goes on then."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class _BusyError(Exception):
    """The API is busy; `seconds` is what it asks for, None where it does not say."""

    def __init__(self, reason: str, seconds: float | None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Caller:
    """Asks one API for one extraction; may be used by several threads at once."""

    def __init__(
        self, source: HttpSource, fetch: Fetch, clock: Clock, now: datetime, *, until: float = math.inf
    ) -> None:
        """`now` is the time when it begins; nothing is tried again after second `until`."""
        self._until = until
        self._source = source
        self.fetch = fetch
        self.clock = clock
        self._began = now, clock.seconds()
        self._lock = Lock()
        self._next = clock.seconds()

    @property
    def now(self) -> datetime:
        """The time."""
        now, seconds = self._began
        return now + timedelta(seconds=self.clock.seconds() - seconds)

    def get(self, request: HttpRequest, read: Callable[[HttpAnswer, str], Read], *, good: Collection[int] = ()) -> Read:
        """What `read(answer, url)` makes of a good answer; `url` is where it came from in the end.

        Other statuses may be `good`, too. Raises PausedError, what `read` raises, or
        ApiUnavailableError, AnswerTruncatedError, AnswerTooLargeError, ApiRefusedError, ApiUnauthorizedError,
        HostNotAllowedError, SecretUnreadableError.
        """
        waited = 0.0
        for attempt in range(1, TRIES + 1):
            try:
                return read(*self._follow(request, good))
            except _BusyError as busy:
                seconds = self._backoff(attempt) if busy.seconds is None else busy.seconds
                waited += seconds
                if attempt == TRIES or waited > _SHORT_SECONDS or self._late:
                    raise PausedError(str(busy), busy.seconds) from None
            except (ApiUnavailableError, AnswerTruncatedError) as error:
                if attempt == TRIES:
                    raise
                if self._late:
                    raise PausedError(str(error), 1.0) from None
                seconds = self._backoff(attempt)
            self.clock.sleep(seconds)
        raise AssertionError

    @property
    def _late(self) -> bool:
        return self.clock.seconds() >= self._until

    def _backoff(self, attempt: int) -> float:
        return _BACKOFF_SECONDS * 2.0 ** (attempt - 1) * (0.5 + self.clock.jitter())

    def _follow(self, request: HttpRequest, good: Collection[int]) -> tuple[HttpAnswer, str]:
        asked = request
        for _ in range(_REDIRECTS + 1):
            answer = self._authorized(asked)
            if answer.status not in _MOVED:
                if answer.status not in good:
                    self._judge(answer, asked)
                return answer, asked.url
            if "location" not in answer.headers:
                raise ApiRefusedError(f"{told(asked)} answers {answer.status} and says no address; mend `url`")
            if asked.body is not None and answer.status not in _MOVED_AS_IT_IS:
                raise ApiRefusedError(f"{told(asked)} answers {answer.status}, where nothing is posted; mend `url`")
            url = allowed(self._source, asked.url, answer.headers["location"], official=self.fetch.official)
            asked = replace(asked, url=url)
        raise HostNotAllowedError(f"{told(request)} leads from address to address without an end; mend `url`")

    def _authorized(self, request: HttpRequest) -> HttpAnswer:
        answer = self._ask(request, renew=False)
        if answer.status in _UNAUTHORIZED and self._source.auth is not None and self._limited(answer) is None:
            answer = self._ask(request, renew=True)
        return answer

    def _ask(self, request: HttpRequest, *, renew: bool) -> HttpAnswer:
        with self._lock:
            at = max(self._next, self.clock.seconds())
            self._next = at + 1 / self._source.requests_per_second
        wait = at - self.clock.seconds()
        if wait > 0:
            self.clock.sleep(wait)
        return self.fetch.ask(request, renew=renew)

    def _judge(self, answer: HttpAnswer, request: HttpRequest) -> None:
        """Raise what an answer means that has no records."""
        status, where = answer.status, told(request)
        if status in _GOOD or (status == _PARTIAL and self._source.pages is not None):
            return
        limited = self._limited(answer)
        if status == _TOO_MANY or limited is not None:
            raise _BusyError(f"{where} answers {status}: too many requests, or busy", limited)
        if status == _ACCEPTED:
            raise PausedError(f"{where} answers {status}: it still prepares what was asked for")
        if status >= _SERVER_ERROR or status == _TIMEOUT:
            raise ApiUnavailableError(f"{where} answers {status}; it is tried again")
        said = excerpt(self.fetch.hide(answer.body.decode("utf-8", "replace")))
        if status in _UNAUTHORIZED:
            raise ApiUnauthorizedError(
                f"{where} answers {status} ({said!r}); put a valid secret into what `auth` names"
            )
        raise ApiRefusedError(f"{where} answers {status} ({said!r}); mend what the source asks in pipeline.yaml")

    def _limited(self, answer: HttpAnswer) -> float | None:
        """Seconds for which the API asks us to wait; None where it does not."""
        headers = answer.headers
        if answer.status not in {*_BUSY, *_UNAUTHORIZED}:
            return None
        if "retry-after" in headers:
            return self._seconds(headers["retry-after"])
        spent = any(headers.get(name) == "0" for name in _REMAINING)
        if answer.status != _TOO_MANY and not spent:
            return None
        return next((self._seconds(headers[name]) for name in _RESET if name in headers), None)

    def _seconds(self, after: str) -> float | None:
        """How long to wait by a Retry-After, or what APIs have like it: seconds, a Unix time, or a date."""
        text = after.strip()
        if _NUMBER.fullmatch(text):
            number = float(text)
            if number >= _FIRST_TIME:
                number = (number / 1000 if number >= 1000 * _FIRST_TIME else number) - self.now.timestamp()
            return min(max(0.0, number), _LONGEST_SECONDS)
        try:
            until = parsedate_to_datetime(text)
            seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - self.now).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return min(max(0.0, seconds), _LONGEST_SECONDS)


def told(request: HttpRequest) -> str:
    """A request as an error names it: without its query, which may be long."""
    parts = urlsplit(request.url)
    item = f" for {dict(request.item)}" if request.item else ""
    page = f", page {request.page}" if request.page > 1 else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{item}{page}"
