"""What is told of an API that was asked: how often, what it did not answer, and how long it took."""

import pytest
from memory_objects import MemoryObjects
from nightlake.core.errors import ApiUnavailableError
from nightlake.core.http_behaviour import Asked, WatchedFetch, asked_metrics, find_asked
from nightlake.core.http_exchange import Clock, Fetch, HttpAnswer, HttpRequest

ASKED = HttpRequest("https://api.example.com/v1")


class Slow(Fetch, Clock):
    """An API and the clock that it takes its time on: (status or None for no answer, seconds) for each request."""

    def __init__(self, *answers: tuple[int | None, float]) -> None:
        self.answers, self.at = list(answers), 0.0

    def ask(self, request: HttpRequest, *, renew: bool = False) -> HttpAnswer:  # noqa: ARG002
        status, seconds = self.answers.pop(0)
        self.at += seconds
        if status is None:
            raise ApiUnavailableError("nobody is there")
        return HttpAnswer(status, {}, b"secret")

    def hide(self, text: str) -> str:
        return text.replace("secret", "***")

    def official(self, url: str) -> str:
        return url + "#official"

    def seconds(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def jitter(self) -> float:
        return 0.0


def test_every_request_is_counted_also_one_without_an_answer() -> None:
    api = Slow((200, 1), (429, 2), (503, 1), (None, 8), (404, 3))
    watched = WatchedFetch(api, api)
    for _ in range(3):
        watched.ask(ASKED)
    with pytest.raises(ApiUnavailableError):
        watched.ask(ASKED)
    assert watched.ask(ASKED).status == 404
    (seen,) = asked_metrics("music", "tracks", watched.asked)
    assert seen.dimensions == {"pipeline": "music", "dataset": "tracks"}
    assert {name: value for name, (_, value) in seen.values.items()} == {
        "ApiRequests": 5,
        "ApiBusy": 1,
        "ApiFailed": 2,
        "ApiSeconds": 3.0,
        "ApiSlowestSeconds": 8.0,
    }


def test_who_asked_nothing_says_nothing() -> None:
    assert list(asked_metrics("music", "tracks", WatchedFetch(Slow(), Slow()).asked)) == []


def test_what_several_functions_noted_of_an_api_is_told_together() -> None:
    lake = MemoryObjects("lake")
    assert find_asked(lake, "asked/tracks/") is None
    lake.put_model("asked/tracks/a.json", Asked(requests=3, busy=1, seconds=6, slowest_seconds=4))
    lake.put_model("asked/tracks/b.json", Asked(requests=2, failed=1, seconds=3, slowest_seconds=2))
    lake.put_model("asked/tracks_2/c.json", Asked(requests=9))
    assert find_asked(lake, "asked/tracks/") == Asked(requests=5, busy=1, failed=1, seconds=9, slowest_seconds=4)


def test_secrets_and_addresses_are_the_business_of_who_asks() -> None:
    watched = WatchedFetch(Slow(), Slow())
    assert (watched.hide("a secret"), watched.official("u")) == ("a ***", "u#official")
