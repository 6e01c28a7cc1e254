"""What is asked of an API and what it answers, without the network: an adapter does the asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from nightlake.core.http_source import HttpSource


@dataclass(frozen=True)
class HttpRequest:
    """One GET, or a POST with a `body` of JSON; nothing of it holds a secret.

    `item` are the values of the item of `each` that is asked for, `page` is the number of the page among those of the
    item, from 1.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    item: Mapping[str, str | int | float] = field(default_factory=dict)
    page: int = 1
    body: str | None = None


@dataclass(frozen=True)
class HttpAnswer:
    """One answer, its body unpacked; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetch(Protocol):
    """Whoever asks an API: it knows the secrets, and keeps them to itself."""

    def ask(self, request: HttpRequest, *, renew: bool = False) -> HttpAnswer:
        """The answer, whatever its status; a redirect is an answer, too.

        `renew`: with a secret, or token, that is got anew. Raises ApiUnavailableError without an answer,
        AnswerTruncatedError for half of one, AnswerTooLargeError, HostNotAllowedError for a host at a private address,
        ApiUnauthorizedError when there is no usable secret, or SecretUnreadableError.
        """

    def hide(self, text: str) -> str:
        """The text, in which every secret that was sent is masked."""

    def official(self, url: str) -> str:
        """The address as the API has it, where a stand-in answered with its own."""


def answer_seconds(source: HttpSource) -> float:
    """How long one answer may take as a whole, from its question to its last byte."""
    return max(120.0, 1.2 * source.timeout_seconds)


class Clock(Protocol):
    """The time as an extraction needs it."""

    def seconds(self) -> float:
        """Seconds since some moment; they never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait for so long."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""
