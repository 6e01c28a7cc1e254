"""An API is asked for everything exactly once: whatever its way of paging, however often it fails, stops or lies."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from http_world import DAY, NOW, URL, Api, World, answer, asked, dataset, source
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core import errors
from nightlake.core.errors import (
    AnswerNotJsonError,
    AnswerShapeError,
    AnswersIncompleteError,
    AnswerTruncatedError,
    ApiRefusedError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    HostNotAllowedError,
    PageRepeatedError,
    RecordsMovedError,
    SourceNotReadyError,
    TooManyPagesError,
    TotalChangedError,
)
from nightlake.core.extract_http import Manifest
from nightlake.core.http_exchange import HttpAnswer, HttpRequest

Records = list[dict[str, Any]]


def numbered(records: Records, *, cap: int = 100, told: bool = True, first: int = 1) -> Callable[..., HttpAnswer]:
    """Pages by number, never of more than `cap` records."""

    def serve(request: HttpRequest) -> HttpAnswer:
        query = asked(request)
        size, page = min(cap, int(query["size"])), int(query["page"]) - first
        items = records[page * size : (page + 1) * size]
        totals = {"total": len(records), "pages": math.ceil(len(records) / size)} if told else {}
        return answer({"items": items, **totals})

    return serve


def by_offset(records: Records, *, cap: int = 100, told: bool = True) -> Callable[..., HttpAnswer]:
    def serve(request: HttpRequest) -> HttpAnswer:
        query = asked(request)
        begin, size = int(query["offset"]), min(cap, int(query["limit"]))
        return answer({"items": records[begin : begin + size], **({"total": len(records)} if told else {})})

    return serve


def by_cursor(records: Records, size: int) -> Callable[..., HttpAnswer]:
    def serve(request: HttpRequest) -> HttpAnswer:
        begin = int(asked(request).get("after", "0"))
        more = begin + size < len(records)
        return answer({"items": records[begin : begin + size], "meta": {"next": str(begin + size) if more else None}})

    return serve


def by_last(records: Records, size: int) -> Callable[..., HttpAnswer]:
    """Pages behind the record of an id, asked for in the query or in what is posted."""

    def serve(request: HttpRequest) -> HttpAnswer:
        said = json.loads(request.body)["page"] if request.body else asked(request)
        begin = int(said.get("after", "-1")) + 1
        return answer({"items": records[begin : begin + size], "more": begin + size < len(records)})

    return serve


def until_not_found(records: Records, size: int) -> Callable[..., HttpAnswer]:
    def serve(request: HttpRequest) -> HttpAnswer:
        begin = int(asked(request)["offset"]) - 1
        page = records[begin : begin + size]
        return answer({"items": page}) if page or begin == 0 else answer("no more", 404)

    return serve


def by_link(records: Records, size: int, *, in_body: bool) -> Callable[..., HttpAnswer]:
    def serve(request: HttpRequest) -> HttpAnswer:
        begin = int(asked(request).get("from", "0"))
        more = begin + size < len(records)
        address = f"/v1/things?from={begin + size}&label=a,b"
        links = {"link": f'<{URL}?from=0>; rel="first", <{address}>; title="x, y"; rel="last next"'} if more else {}
        body = {"items": records[begin : begin + size]}
        if in_body:
            return answer({**body, "next": address if more else None})
        return answer(body, **links)

    return serve


PAGE = {"by": "page", "size_parameter": "size"}
WAYS: dict[str, tuple[dict[str, Any], Callable[[Records, int], Callable[..., HttpAnswer]]]] = {
    "numbers, total": ({**PAGE, "total": "total"}, lambda all_, size: numbered(all_, cap=size)),
    "numbers, pages": ({**PAGE, "pages": "pages"}, lambda all_, size: numbered(all_, cap=size)),
    "numbers, both": ({**PAGE, "pages": "pages", "total": "total"}, lambda all_, size: numbered(all_, cap=size)),
    "numbers, key": ({**PAGE, "total": "total", "key": "id"}, lambda all_, size: numbered(all_, cap=size)),
    "numbers": (PAGE, lambda all_, size: numbered(all_, cap=size, told=False)),
    "numbers from 0": ({**PAGE, "first": 0}, lambda all_, size: numbered(all_, cap=size, told=False, first=0)),
    "offset, total": ({"by": "offset", "total": "total"}, lambda all_, size: by_offset(all_, cap=size)),
    "offset": ({"by": "offset"}, lambda all_, size: by_offset(all_, cap=size, told=False)),
    "cursor": ({"by": "cursor", "parameter": "after", "next": "meta.next"}, by_cursor),
    "last record": ({"by": "cursor", "parameter": "after", "last": "id"}, by_last),
    "last record, posted": ({"by": "cursor", "parameter": "page.after", "last": "id", "more": "more"}, by_last),
    "offset, not found": ({"by": "offset", "first": 1}, until_not_found),
    "link header": ({"by": "link"}, lambda all_, size: by_link(all_, size, in_body=False)),
    "link in body": ({"by": "link", "next": "next"}, lambda all_, size: by_link(all_, size, in_body=True)),
}
IDS = dataset(id="bigint", name="string")


@settings(deadline=None, max_examples=80)
@given(
    way=st.sampled_from(sorted(WAYS)),
    names=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=40),
    size=st.integers(1, 17),
    connections=st.integers(1, 5),
    land_bytes=st.sampled_from([1, 300, 1 << 20]),
    each_look=st.sampled_from([0.0, 0.0, 60.0]),
    broken=st.sets(st.integers(1, 30), max_size=3),
)
def test_whatever_the_paging_every_record_is_read_once(  # noqa: PLR0917
    way: str,
    names: list[str | None],
    size: int,
    connections: int,
    land_bytes: int,
    each_look: float,
    broken: set[int],
) -> None:
    records = [{"id": number, "name": name} for number, name in enumerate(names)]
    pages, server = WAYS[way]
    serve = server(records, size)
    calls = 0

    def failing(request: HttpRequest) -> HttpAnswer:
        nonlocal calls
        calls += 1
        return answer("busy", 500) if calls in broken else serve(request)

    parallel = {"connections": connections} if {"total", "pages"} & set(pages) and pages["by"] == "page" else {}
    posted = {"body": {"page": {"size": size}}} if "posted" in way else {}
    world = World(source(pages=pages, records="items", **parallel, **posted), Api(failing), IDS)
    world.clock.each_look = each_look
    delivery = world.whole(land_bytes=land_bytes)
    world.clock.each_look = 0.0
    assert world.rows(delivery) == [(record["id"], record["name"]) for record in records]
    assert world.extract() == delivery


def test_answers_are_landed_as_they_came_with_what_was_asked() -> None:
    body = '{"items": [ {"id": 1, "x": 1.50}, {"id":2} ], "note": "caf\\u00e9 \u00e9"}'
    each = [{"city": "Bonn", "lat": 50.7}]
    asking = source(
        url="https://api.example.com/{city}/{date:%Y}",
        query={"at": "{lat}", "day": "{date:%Y-%m-%d}", "to": "{date+1:%d.%m.}", "from": "{date-1:epoch_seconds}"},
        headers={"X-City": "{city}"},
        each=each,
        records="items",
    )
    world = World(asking, Api(lambda _: answer(body, date="today", set_cookie="secret")))
    delivery = world.extract()
    assert world.landed() == [
        {
            "url": "https://api.example.com/Bonn/2025?at=50.7&day=2025-05-09&to=10.05.&from=1746662400",
            "request": {"city": "Bonn", "lat": 50.7},
            "page": 1,
            "status": 200,
            "headers": {"content-type": "application/json", "date": "today"},
            "fetched_at": "2025-05-10T03:00:00.000+00:00",
            "records": 2,
            "body": body,
        }
    ]
    assert world.api.requests[0].headers == {"X-City": "Bonn"}
    assert [item.key for item in delivery.objects] == ["p/t/2025/05/09/0001/answers-000001.jsonl"]


def test_a_day_is_replayed_without_asking_again_until_its_delivery_was_rejected() -> None:
    world = World(source(), Api(lambda _: answer([{"id": 1}])))
    first = world.extract()
    assert (world.extract(run_id="run-2"), len(world.api.requests)) == (first, 1)
    second = world.extract(previous=first.digest)
    assert (len(world.api.requests), second.digest != first.digest) == (2, True)
    assert world.extract(previous=first.digest) == second
    assert world.rows(first) == world.rows(second) == [(1,)]


def test_a_person_can_have_a_day_asked_for_again() -> None:
    world = World(source(), Api(lambda _: answer([{"id": 1}])))
    first = world.extract()
    world.raw.delete(["p/t/2025/05/09/0001/manifest.json"])
    second = world.extract()
    assert (len(world.api.requests), second.digest != first.digest) == (2, True)


def test_another_question_is_asked_anew() -> None:
    world = World(source(), Api(lambda _: answer([{"id": 1}])))
    world.extract()
    world.source = source(query={"a": "b"})
    world.extract()
    assert len(world.api.requests) == 2


def test_an_extraction_longer_than_a_function_goes_on_where_it_stopped() -> None:
    records = [{"id": number, "name": None} for number in range(50)]
    world = World(source(pages=PAGE, records="items"), Api(numbered(records, cap=5, told=False)), IDS)
    world.clock.each_look = 40.0
    looks = [world.plan(at=NOW.isoformat()) for _ in range(12)]
    assert not looks[0].ready
    assert looks[0].wait_seconds == 1
    assert looks[-1].ready
    assert sorted(int(asked(request)["page"]) for request in world.api.requests) == list(range(1, 12))


def test_a_crash_costs_no_more_than_what_was_not_landed() -> None:
    records = [{"id": number, "name": None} for number in range(50)]
    serve = numbered(records, cap=5, told=False)

    def dying(request: HttpRequest) -> HttpAnswer:
        if len(world.api.requests) == 6:
            raise KeyboardInterrupt
        return serve(request)

    world = World(source(pages=PAGE, records="items"), Api(dying), IDS)
    with pytest.raises(KeyboardInterrupt):
        world.extract(land_bytes=1)
    delivery = world.extract(run_id="run-2")
    assert [int(asked(request)["page"]) for request in world.api.requests] == [*range(1, 7), *range(6, 12)]
    assert [row[0] for row in world.rows(delivery)] == list(range(50))


@pytest.mark.parametrize("after", ["7200", "Sat, 10 May 2025 05:00:00 GMT"])
def test_a_long_wait_that_the_api_asks_for_is_waited_elsewhere_and_kept_to(after: str) -> None:
    replies = [answer("slow down", 429, retry_after=after), answer([{"id": 1}])]
    world = World(source(ready={"deadline_minutes": 300}), Api(lambda _: replies.pop(0)))
    assert world.plan(at=NOW.isoformat()).wait_seconds == 7200
    world.clock.at = 7100
    assert world.plan(at=NOW.isoformat()).wait_seconds == 100
    assert (len(world.api.requests), world.clock.slept) == (1, [])
    world.clock.at = 7200
    assert world.plan(at=NOW.isoformat()).ready


@pytest.mark.parametrize(
    "after", ["-5", "soon", "9" * 400, "Sat, 99 May 99999 99:99:99 GMT", "", "1,5", "\u0663", "Sat, 10 May 1 05:00:00"]
)
def test_a_strange_wait_is_no_reason_to_fail(after: str) -> None:
    replies = [answer("slow down", 429, retry_after=after)] * 4 + [answer([{"id": 1}])]
    world = World(source(ready={"deadline_minutes": 60}), Api(lambda _: replies.pop(0)))
    for _ in range(20):
        planned = world.plan(at=NOW.isoformat())
        if planned.ready:
            break
        assert 1 <= planned.wait_seconds <= 3600
        world.clock.at += planned.wait_seconds
        if world.clock.at >= 3600:
            assert after == "9" * 400
            break


def test_a_run_for_a_named_date_waits_too_from_when_it_first_looked() -> None:
    world = World(source(ready={"deadline_minutes": 60}), Api(lambda _: answer("later", 429, retry_after="1800")))
    assert world.plan().wait_seconds == 1800
    world.clock.at = 1800
    assert world.plan().wait_seconds == 1800
    world.clock.at = 3601
    with pytest.raises(SourceNotReadyError, match="too many requests"):
        world.plan()


def test_a_short_wait_is_waited_here() -> None:
    replies = [answer("", 429, retry_after="3"), answer("", 503, retry_after="2"), answer([{"id": 1}])]
    world = World(source(), Api(lambda _: replies.pop(0)))
    assert world.rows(world.extract()) == [(1,)]
    assert world.clock.slept == [3.0, 2.0]


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry_after": "2.0"}, 2.0),
        (429, {"retry_after": str(int(NOW.timestamp()) + 7)}, 7.0),
        (429, {"x_ratelimit_reset": str(int(NOW.timestamp()) + 7)}, 7.0),
        (429, {"x_rate_limit_reset": str(1000 * int(NOW.timestamp()) + 7500)}, 7.5),
        (429, {"x_ratelimit_remaining": "3", "x_ratelimit_reset": "11"}, 11.0),
        (429, {"x_ratelimit_reset_after": "0.5", "x_ratelimit_reset": "9"}, 0.5),
        (503, {"ratelimit_remaining": "0", "ratelimit_reset": "4"}, 4.0),
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW.timestamp()) + 5)}, 5.0),
        (429, {"x_ratelimit_reset": "in a while"}, 1.0),
        (429, {}, 1.0),
    ],
)
def test_a_limit_is_kept_to_however_it_is_told(status: int, headers: dict[str, str], seconds: float) -> None:
    replies = [answer("slow down", status, **headers), answer([{"id": 1}])]
    world = World(source(), Api(lambda _: replies.pop(0)))
    assert world.rows(world.extract()) == [(1,)]
    assert world.clock.slept == [seconds]


def test_requests_begin_no_faster_than_declared() -> None:
    records = [{"id": number} for number in range(10)]
    world = World(
        source(pages={**PAGE, "total": "total"}, records="items", requests_per_second=0.5, connections=1),
        Api(numbered(records, cap=2)),
    )
    began = []
    serve = world.api.serve
    world.api.serve = lambda request: began.append(world.clock.at) or serve(request)  # type: ignore[func-returns-value]
    world.extract()
    assert began == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (answer("<html><title>Maintenance</title>", content_type="text/html"), AnswerNotJsonError, "<html><title>Main"),
        (answer("{'items': []}"), AnswerNotJsonError, "property name"),
        (answer('{"items": []} {}'), AnswerNotJsonError, "Extra data"),
        (answer("{" * 100_000), AnswerTruncatedError, "middle"),
        (answer('{"items": ' + "[" * 100_000 + "]" * 100_000 + "}"), AnswerNotJsonError, "nested too deep"),
        (answer(""), AnswerTruncatedError, "is empty"),
        (answer('{"items": [{"id": 1}, {"id"'), AnswerTruncatedError, "in the middle of its JSON"),
        (answer('{"items": [{"id": tr'), AnswerTruncatedError, "in the middle of its JSON"),
        (answer({"data": []}), AnswerShapeError, "has no 'items'"),
        (answer([{"id": 1}]), AnswerShapeError, "has no 'items'"),
        (answer({"items": 5}), AnswerShapeError, "no list of objects"),
        (answer({"items": None}), AnswerShapeError, "has null where its records should be ('items')"),
        (answer('{"items": [], "items": []}'), AnswerShapeError, "has 'items' twice"),
        (HttpAnswer(200, {"content-type": "text/json; charset=klingon"}, b"[]"), AnswerNotJsonError, "klingon"),
        (HttpAnswer(200, {"content-type": "a; charset=utf-16-le"}, b"[]]"), AnswerNotJsonError, "charset"),
        (answer("no", 400), ApiRefusedError, "answers 400 ('no')"),
        (answer("no", 404), ApiRefusedError, "answers 404"),
        (answer("no", 206), ApiRefusedError, "answers 206"),
        (answer("no", 401), ApiUnauthorizedError, "put a valid secret"),
        (answer("no", 502), ApiUnavailableError, "answers 502"),
        (answer("", 302, location="http://api.example.com/v1/things"), HostNotAllowedError, "without an end"),
        (answer("", 302, location="http://api.example.com:8080/"), HostNotAllowedError, "more_hosts"),
        (answer("", 302, location="https://other.example.com/"), HostNotAllowedError, "other.example.com"),
        (answer("", 302, location="https://api.example.com:8443/"), HostNotAllowedError, "port 8443"),
        (answer("", 302, location="https://a:b@api.example.com/"), HostNotAllowedError, "more_hosts"),
        (answer("", 302, location="file:///etc/passwd"), HostNotAllowedError, "more_hosts"),
        (answer("", 302, location="/again"), HostNotAllowedError, "without an end"),
        (answer("", 302), ApiRefusedError, "says no address"),
    ],
)
def test_a_surprise_has_a_name_and_is_no_delivery(reply: HttpAnswer, error: type[Exception], said: str) -> None:
    world = World(source(records="items"), Api(lambda _: reply))
    for _ in range(2):
        with pytest.raises(error) as raised:
            world.extract()
        assert said in str(raised.value)
    assert [info.key for info in world.raw.list("") if info.key.endswith("manifest.json")] == []


def test_what_could_not_be_read_shows_nothing_private() -> None:
    world = World(source(), Api(lambda _: answer("[{'email': 'a@example.com'}]")))
    with pytest.raises(AnswerNotJsonError) as raised:
        world.extract()
    assert "a@example.com" not in str(raised.value)


def test_what_could_not_be_read_can_be_looked_at() -> None:
    world = World(source(records="items"), Api(lambda _: answer({"data": [1]})))
    with pytest.raises(AnswerShapeError, match=r"it has 'data'; .*s3://raw/p/t/2025/05/09/0001/refused\.jsonl"):
        world.extract()
    assert [line["body"] for line in world.landed("refused")] == ['{"data": [1]}']


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"h": {"id": [1, 2], "x": [1]}}, "unequal length at 'h': 'id' 2, 'x' 1"),
        ({"h": {"id": [1, 2], "x": 5}}, "no list, which is a column, at 'h.x'"),
        ({"h": [1]}, "no object of lists at 'h'"),
        ('{"h": {"id": [1], "id": [1]}}', "the column 'id' twice"),
    ],
)
def test_columns_that_make_no_records_have_a_name(body: object, said: str) -> None:
    world = World(source(records="h", layout="columns"), Api(lambda _: answer(body)))
    with pytest.raises(AnswerShapeError, match=said):
        world.extract()


def test_a_server_error_is_tried_again_and_then_named() -> None:
    world = World(source(), Api(lambda _: answer("", 500)))
    with pytest.raises(ApiUnavailableError):
        world.extract()
    assert (len(world.api.requests), world.clock.slept) == (4, [1.0, 2.0, 4.0])


def test_a_refused_secret_is_read_anew_once() -> None:
    replies = [answer("", 401), answer([{"id": 1}])]
    world = World(source(auth={"by": "bearer", "secret": "s"}), Api(lambda _: replies.pop(0)))
    world.extract()
    assert world.api.renewed == 1
    world = World(source(auth={"by": "bearer", "secret": "s"}), Api(lambda _: answer("", 403)))
    with pytest.raises(ApiUnauthorizedError):
        world.extract()
    assert len(world.api.requests) == 2


def test_a_page_that_comes_twice_is_no_page() -> None:
    world = World(source(pages=PAGE, records="items"), Api(lambda _: answer({"items": [{"id": 1}]})))
    with pytest.raises(PageRepeatedError, match="page 2 has the very records of page 1"):
        world.extract()


def test_a_cursor_that_leads_in_a_circle_ends() -> None:
    pages = {"by": "cursor", "parameter": "c", "next": "next"}
    serve = by_circle({"": ("a", 1), "a": ("b", 2), "b": ("a", 3)})
    world = World(source(pages=pages, records="items"), Api(serve))
    with pytest.raises(PageRepeatedError, match="page 3 leads to page 2 again"):
        world.extract()
    empty = World(source(pages=pages, records="items"), Api(lambda _: answer({"items": [], "next": "a"})))
    with pytest.raises(PageRepeatedError, match="page 2 leads to page 2 again"):
        empty.extract()


def by_circle(places: Mapping[str, tuple[str, int]]) -> Callable[..., HttpAnswer]:
    def serve(request: HttpRequest) -> HttpAnswer:
        following, number = places[asked(request).get("c", "")]
        return answer({"items": [{"id": number}], "next": following})

    return serve


def test_data_that_moves_while_it_is_read_is_read_anew_and_then_named() -> None:
    records = [{"id": number, "name": None} for number in range(10)]

    def moving(request: HttpRequest) -> HttpAnswer:
        if len(world.api.requests) == 3:
            records.append({"id": len(records), "name": None})
        return numbered(records, cap=3)(request)

    world = World(source(pages={**PAGE, "total": "total"}, records="items"), Api(moving), IDS)
    assert [row[0] for row in world.rows(world.extract())] == list(range(11))

    def restless(request: HttpRequest) -> HttpAnswer:
        records.append({"id": len(records), "name": None})
        return numbered(records, cap=3)(request)

    world = World(source(pages={**PAGE, "total": "total"}, records="items"), Api(restless), IDS)
    for looks in (1, 2):
        with pytest.raises(TotalChangedError, match="records, the one before said"):
            world.extract()
        assert len(world.api.requests) == looks * 6


KEYED = {**PAGE, "total": "total", "key": "id"}


def moving(records: Records, changes: Mapping[int, Callable[[], None]], asks: list[int]) -> Callable[..., HttpAnswer]:
    """Pages of two, of records that change when they have been asked for so often."""

    def serve(request: HttpRequest) -> HttpAnswer:
        asks.append(int(asked(request)["page"]))
        changes.get(len(asks), list)()
        return numbered(records, cap=2)(request)

    return serve


def ids(numbers: range) -> Records:
    return [{"id": number, "name": None} for number in numbers]


@pytest.mark.parametrize("connections", [1, 4])
def test_the_last_page_is_looked_at_before_all_others_and_read_after_them(connections: int) -> None:
    asks: list[int] = []
    world = World(
        source(pages=KEYED, records="items", connections=connections), Api(moving(ids(range(9)), {}, asks)), IDS
    )
    assert [row[0] for row in world.rows(world.extract())] == list(range(9))
    assert asks[:2] == [1, 5]
    assert sorted(asks[2:6]) == [1, 2, 3, 4]
    assert asks[6:] == [5]


def test_one_page_cannot_move_and_is_asked_for_once() -> None:
    asks: list[int] = []
    world = World(source(pages=KEYED, records="items"), Api(moving(ids(range(2)), {}, asks)), IDS)
    assert [row[0] for row in world.rows(world.extract())] == [0, 1]
    assert asks == [1]


def test_records_that_move_under_an_unchanged_total_are_read_anew() -> None:
    """One goes from a page that was read, and one comes at the end: the pages between have lost a record."""
    asks: list[int] = []
    records = ids(range(8))

    def replace() -> None:
        records.pop(0)
        records.append({"id": 8, "name": None})

    world = World(source(pages=KEYED, records="items"), Api(moving(records, {4: replace}, asks)), IDS)
    assert [row[0] for row in world.rows(world.extract())] == list(range(1, 9))
    assert asks == [1, 4, 1, 2, 3, 4] * 2


def test_a_record_that_comes_twice_on_neighbouring_pages_is_read_anew() -> None:
    """One comes at the front, one goes in the middle: the last page and the total stay as they were."""
    asks: list[int] = []
    records = ids(range(8))

    def shift() -> None:
        records.insert(0, {"id": 8, "name": None})
        records.pop(5)

    world = World(source(pages=KEYED, records="items"), Api(moving(records, {4: shift}, asks)), IDS)
    found = [row[0] for row in world.rows(world.extract())]
    assert found == [8, 0, 1, 2, 3, 5, 6, 7]


@pytest.mark.parametrize("newest", ["first", "last"])
@pytest.mark.parametrize("goes", range(8))
def test_whenever_one_goes_and_one_comes_the_day_is_one_that_was(goes: int, newest: str) -> None:
    for moment in range(1, 8):
        asks: list[int] = []
        before, records = ids(range(8)), ids(range(8))

        def replace(records: Records = records) -> None:
            records.pop(goes)
            records.insert(0 if newest == "first" else len(records), {"id": 8, "name": None})

        world = World(source(pages=KEYED, records="items"), Api(moving(records, {moment: replace}, asks)), IDS)
        assert world.rows(world.extract()) in [[(row["id"], None) for row in state] for state in (before, records)]


def test_records_that_never_rest_are_named() -> None:
    asks: list[int] = []
    records = ids(range(8))

    def replace() -> None:
        records.pop(0)
        records.append({"id": records[-1]["id"] + 1, "name": None})

    changes = dict.fromkeys(range(1, 100), replace)
    world = World(source(pages=KEYED, records="items"), Api(moving(records, changes, asks)), IDS)
    with pytest.raises(RecordsMovedError, match="has other records than before the other pages were read"):
        world.extract()
    assert len(asks) == 3 * 6
    assert world.raw.find_model("p/t/2025/05/09/0003/manifest.json", Manifest) is None


def test_what_was_looked_at_is_known_to_the_function_that_goes_on() -> None:
    asks: list[int] = []
    world = World(source(pages=KEYED, records="items"), Api(moving(ids(range(9)), {}, asks)), IDS)
    world.clock.each_look = 60
    assert [row[0] for row in world.rows(world.whole(seconds=300))] == list(range(9))
    assert len(asks) == 7


def test_fewer_records_than_the_total_are_no_day() -> None:
    def short(request: HttpRequest) -> HttpAnswer:
        page = int(asked(request)["page"])
        return answer({"items": [{"id": page}] if page < 3 else [], "total": 3})

    world = World(source(pages={**PAGE, "total": "total"}, records="items"), Api(short))
    with pytest.raises(AnswersIncompleteError, match="there are 3 records, its 3 pages have 2"):
        world.extract()


def test_a_total_of_none_may_have_null_for_records() -> None:
    world = World(
        source(pages={**PAGE, "total": "total"}, records="items"), Api(lambda _: answer({"items": None, "total": 0}))
    )
    assert world.rows(world.extract()) == []


@pytest.mark.parametrize("total", ["many", -1, 1.5, None, True, 10**30])
def test_a_total_that_is_no_number_has_a_name(total: object) -> None:
    world = World(
        source(pages={**PAGE, "total": "total"}, records="items"),
        Api(lambda _: answer({"items": [{"id": 1}], "total": total})),
    )
    with pytest.raises(AnswerShapeError, match="no whole number at 'total'"):
        world.extract()


def test_pages_without_an_end_end() -> None:
    def serve(request: HttpRequest) -> HttpAnswer:
        return answer({"items": [{"id": int(asked(request)["page"])}]})

    world = World(source(pages={**PAGE, "limit": 7}, records="items"), Api(serve))
    with pytest.raises(TooManyPagesError, match="more than 7 pages"):
        world.extract()
    assert len(world.api.requests) == 7


def test_a_page_that_is_not_found_is_the_end_where_nobody_knows_it() -> None:
    def serve(request: HttpRequest) -> HttpAnswer:
        page = int(asked(request)["page"])
        return answer({"items": [{"id": page}]}) if page < 4 else answer("Invalid page.", 404)

    world = World(source(pages=PAGE, records="items"), Api(serve))
    assert world.rows(world.extract()) == [(1,), (2,), (3,)]
    counted = World(source(pages={**PAGE, "pages": "n"}, records="items"), Api(serve))
    counted.api.serve = lambda request: (
        answer({"items": [{"id": 1}], "n": 2}) if asked(request)["page"] == "1" else answer("", 404)
    )
    with pytest.raises(ApiRefusedError):
        counted.extract()


def test_no_content_is_a_day_without_records() -> None:
    world = World(source(), Api(lambda _: HttpAnswer(204, {}, b"")))
    assert world.rows(world.extract()) == []


def test_accepted_is_not_yet_there() -> None:
    replies = [answer("", 202), answer([{"id": 1}])]
    world = World(source(), Api(lambda _: replies.pop(0)))
    assert world.plan(at=NOW.isoformat()).ready is False
    assert world.plan(at=NOW.isoformat()).ready is True


@pytest.mark.parametrize("host", ["http://api.example.com", "http://api.example.com:80", "https://api.example.com"])
def test_a_link_in_clear_text_is_asked_by_https(host: str) -> None:
    replies = [answer({"r": [{"id": 1}], "next": f"{host}/v1/things?page=2"}), answer({"r": [{"id": 2}]})]
    world = World(source(pages={"by": "link", "next": "next"}, records="r"), Api(lambda _: replies.pop(0)))
    assert world.rows(world.extract()) == [(1,), (2,)]
    assert world.api.requests[1].url == f"{URL}?page=2"


def test_a_redirect_is_followed_where_a_page_might_lead() -> None:
    asking = source(more_hosts=["pages.example.com"], auth={"by": "query", "name": "api_key", "secret": "s"})
    replies = [answer("", 307, location="https://pages.example.com/x?a=1&api_key=leak&b=2"), answer([{"id": 1}])]
    world = World(asking, Api(lambda _: replies.pop(0)))
    assert world.rows(world.extract()) == [(1,)]
    assert world.api.requests[1].url == "https://pages.example.com/x?a=1&b=2"


def test_a_secret_that_comes_back_is_not_landed() -> None:
    pages = {"by": "link", "next": "next"}
    asking = source(pages=pages, records="items", auth={"by": "query", "name": "key", "secret": "s"})
    replies = [
        answer({"items": [{"id": 1}], "next": f"{URL}?page=2&key=hunter22"}),
        answer({"items": [{"id": 2}], "next": None, "you_sent": "hunter22"}),
    ]
    world = World(asking, Api(lambda _: replies.pop(0), secret="hunter22"))
    assert world.rows(world.extract()) == [(1,), (2,)]
    everything = b"".join(world.raw.get(info.key) for info in world.raw.list(""))
    assert b"hunter22" not in everything
    assert world.api.requests[1].url == f"{URL}?page=2"


def test_two_that_write_one_extraction_do_not_mix() -> None:
    records = [{"id": number, "name": None} for number in range(9)]
    serve = numbered(records, cap=3, told=False)
    world = World(source(pages=PAGE, records="items"), Api(serve), IDS)

    def meddling(request: HttpRequest) -> HttpAnswer:
        if asked(request)["page"] == "2" and not done:
            done.append(World(world.source, Api(serve), IDS, raw=world.raw).extract())
        return serve(request)

    done: list[Any] = []
    world.api.serve = meddling
    with pytest.raises(errors.ExtractionTakenError):
        world.extract()
    assert [row[0] for row in world.rows(world.extract())] == list(range(9))


def test_an_extraction_of_hours_ago_is_not_gone_on_with() -> None:
    replies = [answer({"items": [{"id": 1}]}), answer("", 429, retry_after="3600")]
    world = World(source(pages=PAGE, records="items"), Api(lambda _: replies.pop(0)))
    assert world.extract().missing
    world.clock.at += timedelta(hours=7).total_seconds()
    replies += [answer({"items": [{"id": 1}]}), answer({"items": []})]
    assert world.rows(world.extract()) == [(1,)]
    assert [asked(request)["page"] for request in world.api.requests] == ["1", "2", "1", "2"]


def test_one_broken_record_takes_no_other_with_it() -> None:
    body = '[{"id": 1}, {"id": NaN}, 7, {"id": 2, "id": 3}, {"id": ' + "9" * 5000 + '}, {"id": "x\\ud800"}, {"id": 4}]'
    world = World(source(), Api(lambda _: answer(body)))
    delivery = world.extract()
    assert delivery.records == (7,)
    rows = world.rows(delivery)
    assert [rows[0], rows[6]] == [(1,), (4,)]
    assert rows[1:6] == [
        ("has NaN, which is not JSON",),
        ("is no JSON object",),
        ("has 'id' twice in one object",),
        ("refused: out of range: bigint is -9223372036854775808 to 9223372036854775807",),
        ("has an escape of half a character, such as \\ud800",),
    ]
    receipt = world.receipts(delivery)[0]
    assert (receipt.records, receipt.rows, receipt.quarantined) == (7, 2, 5)


def test_numbers_keep_all_their_digits() -> None:
    digits = "12345678901234567890.123456789012345678"
    world = World(
        source(records="r"), Api(lambda _: answer(f'{{"r": {{"d": {digits}}}}}')), dataset(d="decimal(38,18)")
    )
    assert world.rows(world.extract()) == [(Decimal(digits),)]
    world = World(
        source(records="r", layout="columns"),
        Api(lambda _: answer(f'{{"r": {{"d": [{digits}, null]}}}}')),
        dataset(d="decimal(38,18)"),
    )
    assert world.rows(world.extract()) == [(Decimal(digits),), (None,)]


def test_the_day_is_the_one_that_was_asked_for() -> None:
    world = World(source(query={"day": "{date:%Y%m%d}"}), Api(lambda _: answer([])))
    world.extract()
    assert asked(world.api.requests[0]) == {"day": f"{DAY:%Y%m%d}"}
