"""The route to the pages of runs: which page it finds, for whom, and what the link is."""

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from memory_objects import MemoryObjects
from nightlake.adapters import s3
from nightlake.core import layout
from nightlake.handlers.api import asked

MONDAY, TUESDAY = date(2017, 6, 12), date(2017, 6, 13)
# Monday was run again after Tuesday, and one run failed before it knew its day.
RUNS = (
    (MONDAY, "20170613T030000Z-00000001"),
    (TUESDAY, "20170614T030000Z-00000002"),
    (MONDAY, "20170614T100000Z-00000003"),
    (None, "20170613T100000Z-00000004"),
)


@pytest.fixture
def get(
    environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch, send: Callable[..., dict[str, Any]]
) -> Callable[..., dict[str, Any]]:
    """`get(path, scopes, date=...)`: the answer to a caller with these scopes."""
    lake = MemoryObjects()
    for day, run in RUNS:
        lake.put(layout.page("sales", day, run), b"<!doctype html>")
    environment(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret", AWS_SESSION_TOKEN="token")
    monkeypatch.setattr(asked, "lake", lambda: lake)
    s3._link_client.cache_clear()

    def ask(path: str, scopes: str = "read:sales", **query: str) -> dict[str, Any]:
        return send(path, query, authorizer={"caller": "shop", "scopes": scopes})

    return ask


def followed(answer: dict[str, Any]) -> tuple[str, dict[str, list[str]]]:
    """The key that the link leads to, and what the link says."""
    assert answer["statusCode"] == 303
    assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]
    link = urlsplit(answer["multiValueHeaders"]["Location"][0])
    assert link.scheme == "https"
    assert link.netloc == "nightlake-dev-lake-123456789012-eu-west-1.s3.eu-west-1.amazonaws.com"
    return link.path.removeprefix("/"), parse_qs(link.query)


def test_it_leads_to_the_page_of_the_newest_run(get: Callable[..., dict[str, Any]]) -> None:
    key, said = followed(get("/v1/pages/sales"))
    assert key == layout.page("sales", *RUNS[2])
    assert said["X-Amz-Expires"] == ["300"]
    assert said["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


@pytest.mark.parametrize(("day", "run"), [(MONDAY, RUNS[2]), (TUESDAY, RUNS[1])])
def test_it_leads_to_the_newest_page_of_a_day(
    get: Callable[..., dict[str, Any]], day: date, run: tuple[date | None, str]
) -> None:
    assert followed(get("/v1/pages/sales", date=day.isoformat()))[0] == layout.page("sales", *run)


def test_it_is_of_those_who_may_read_the_reports_on_it(get: Callable[..., dict[str, Any]]) -> None:
    for scopes in ("operate:sales", "query:sales private:sales"):
        assert get("/v1/pages/sales", scopes=scopes)["statusCode"] == 403


def test_what_there_is_not_and_what_one_may_not_see_are_alike(get: Callable[..., dict[str, Any]]) -> None:
    assert get("/v1/pages/sales", date="2017-06-14")["statusCode"] == 404
    unknown, hidden = get("/v1/pages/other", scopes="read:shop"), get("/v1/pages/sales", scopes="read:shop")
    assert unknown["statusCode"] == hidden["statusCode"] != 303
    assert get("/v1/pages/../runs")["statusCode"] == 404
    assert get("/v1/pages/sales", date="today")["statusCode"] == 400
    assert get("/v1/pages/sales", day="2017-06-12")["statusCode"] == 400
