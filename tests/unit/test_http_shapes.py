"""APIs as the world has them, each declared as a person would and asked over a socket: every record comes once."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from http_world import World, dataset, source
from nightlake.adapters.http_api import Http
from nightlake.core.errors import (
    AnswerNotJsonError,
    AnswerShapeError,
    AnswersIncompleteError,
    AnswerTruncatedError,
    ApiRefusedError,
    HeaderMismatchError,
    PageRepeatedError,
)
from odd_server import reply, serving

API = "https://api.example.com"
IDS = [1, 2, 3, 4, 5]


@dataclass(frozen=True)
class Asked:
    """What a server hears."""

    method: str
    path: str
    query: dict[str, str]
    head: str
    body: Any

    @classmethod
    def of(cls, heard: bytes) -> "Asked":
        head, _, body = heard.decode().partition("\r\n\r\n")
        method, target, _ = head.split(" ", 2)
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query, keep_blank_values=True).items()}
        return cls(method, urlsplit(target).path, query, head, json.loads(body) if body else None)


Serve = Callable[[Asked], bytes]


class Texts:
    """Secrets by their names."""

    def read(self, name: str, *, again: bool = False) -> str:
        return f"secret of {name}{' again' * again}"


def said(body: object, *lines: str, status: str = "200 OK") -> bytes:
    return reply(json.dumps(body).encode(), *lines, status=status)


def read(declared: str, serve: Serve, **types: str) -> list[Any]:
    """The rows that are read of an API; of one column its values."""
    asking = source(**yaml.safe_load(declared))
    with (
        serving(lambda heard: serve(Asked.of(heard))) as server,
        Http(asking, Texts(), {API: server.address}) as http,
    ):
        world = World(asking, http, dataset(**(types or {"id": "bigint"})))  # type: ignore[arg-type]
        delivery = world.extract()
        assert not delivery.missing
        rows = world.rows(delivery)
        assert sum(receipt.records for receipt in world.receipts(delivery)) == len(rows)
    return [row[0] for row in rows] if len(types) < 2 else rows


def records(numbers: list[int]) -> list[dict[str, int]]:
    return [{"id": number} for number in numbers]


def after(last: int | str | None, size: int = 2) -> list[int]:
    """The ids of the page behind the record of that id."""
    return [number for number in IDS if number > int(last or 0)][:size]


def stripe(asked: Asked) -> bytes:
    page = after(asked.query.get("starting_after", "ch_0").removeprefix("ch_"))
    data = [{"id": f"ch_{number}", "object": "charge", "amount": number} for number in page]
    return said({"object": "list", "url": "/v1/charges", "has_more": page[-1:] != [5], "data": data})


def github(asked: Asked) -> bytes:
    page = int(asked.query.get("page", "1"))
    assert "Accept: application/vnd.github+json" in asked.head
    link = (
        f'<{API}/repositories/1/issues?page={page + 1}>; rel="next", <{API}/repositories/1/issues?page=3>; rel="last"'
    )
    return said(records(after(2 * (page - 1))), *([f"Link: {link}"] if page < 3 else []))


def slack(asked: Asked) -> bytes:
    page = after(asked.query.get("cursor"))
    cursor = str(page[-1]) if page[-1] < 5 else ""
    return said({"ok": True, "messages": records(page), "response_metadata": {"next_cursor": cursor}})


def odata(asked: Asked) -> bytes:
    page = after(asked.query.get("$skiptoken"))
    link = {"@odata.nextLink": f"{API}/v1/Orders?$skiptoken={page[-1]}"} if page[-1] < 5 else {}
    return said({"@odata.context": "$metadata#Orders", "@odata.count": 5, "value": records(page), **link})


def json_api(asked: Asked) -> bytes:
    number = int(asked.query.get("page[number]", "1"))
    data = [{"type": "t", "id": str(id_), "attributes": {"n": id_}} for id_ in after(2 * (number - 1))]
    link: Any = {"href": f"/v1/things?page[number]={number + 1}"} if number < 3 else None
    return said({"links": {"self": "x", "next": link}, "data": data})


def salesforce(asked: Asked) -> bytes:
    done = asked.path.endswith("-2")
    link = {} if done else {"nextRecordsUrl": "/services/data/v60.0/query/01g-2"}
    return said({"totalSize": 5, "done": done, **link, "records": records(IDS[3:] if done else IDS[:3])})


def rest_framework(asked: Asked) -> bytes:
    """Behind a proxy that ends TLS: it believes that it is asked in clear text."""
    page = int(asked.query.get("page", "1"))
    link = f"http://api.example.com/v1/things?page={page + 1}" if page < 3 else None
    return said({"count": 5, "next": link, "previous": None, "results": records(after(2 * (page - 1)))})


def elasticsearch(asked: Asked) -> bytes:
    assert asked.body["size"] == 2
    page = after(asked.body.get("search_after", [0])[0])
    hits = [{"_id": str(number), "_source": {"n": number}, "sort": [number, f"t{number}"]} for number in page]
    return said({"hits": {"total": {"value": 5, "relation": "eq"}, "hits": hits}})


def hubspot(asked: Asked) -> bytes:
    page = after(asked.query.get("after"))
    return said({"results": records(page)} | ({"paging": {"next": {"after": str(page[-1])}}} if page[-1] < 5 else {}))


def notion(asked: Asked) -> bytes:
    assert (asked.method, asked.body["filter"]) == ("POST", {"on": "2025-05-09"})
    assert "Content-Type: application/json" in asked.head
    page = after(asked.body.get("start_cursor"))
    more = page[-1] < 5
    return said({"results": records(page), "has_more": more, "next_cursor": str(page[-1]) if more else None})


def zendesk(asked: Asked) -> bytes:
    page = after(asked.query.get("page[after]"))
    link = f"{API}/v1/things?page[after]={page[-1]}"
    return said({"tickets": records(page), "meta": {"has_more": page[-1] < 5}, "links": {"next": link}})


def zendesk_export(asked: Asked) -> bytes:
    page = after(asked.query.get("cursor"))
    return said({"tickets": records(page), "after_cursor": str(page[-1]), "end_of_stream": page[-1] == 5})


def word_press(asked: Asked) -> bytes:
    page = int(asked.query["page"])
    if page > 3:
        return said({"code": "rest_post_invalid_page_number"}, status="400 Bad Request")
    return said(records(after(2 * (page - 1))), "X-WP-Total: 5", "X-WP-TotalPages: 3")


def spring(asked: Asked) -> bytes:
    page = int(asked.query["page"])
    return said({"content": records(after(2 * page)), "page": {"number": page, "totalElements": 5, "totalPages": 3}})


def spotify(asked: Asked) -> bytes:
    offset = int(asked.query["offset"])
    return said({"items": records(IDS[offset : offset + 2]), "offset": offset, "total": 5, "next": None})


def until_empty(asked: Asked) -> bytes:
    offset = int(asked.query["$offset"])
    return said(records(IDS[offset : offset + int(asked.query["$limit"])]))


def until_not_found(asked: Asked) -> bytes:
    offset = int(asked.query["offset"])
    return said(records(IDS[offset : offset + 2])) if offset < 5 else said({"detail": "no"}, status="404 Not Found")


def scim(asked: Asked) -> bytes:
    start = int(asked.query["startIndex"])
    assert start > 0
    return said({"totalResults": 5, "Resources": records(IDS[start - 1 : start + 1])})


def world_bank(asked: Asked) -> bytes:
    page = int(asked.query["page"])
    return said([{"page": page, "pages": 3, "per_page": "2", "total": 5}, records(after(2 * (page - 1)))])


def graphql(asked: Asked) -> bytes:
    assert asked.body["variables"]["first"] == 2
    page = after(asked.body["variables"].get("after"))
    info = {"hasNextPage": page[-1] < 5, "endCursor": str(page[-1])}
    return said({"data": {"orders": {"edges": [{"node": {"n": n}} for n in page], "pageInfo": info}}})


def stac(asked: Asked) -> bytes:
    page = after(asked.query.get("token"))
    links = [{"rel": "self", "href": "x"}, {"rel": "next", "href": f"{API}/v1/things?token={page[-1]}"}]
    return said({"type": "FeatureCollection", "features": records(page), "links": links[: 1 + (page[-1] < 5)]})


def fhir(asked: Asked) -> bytes:
    page = after(asked.query.get("_page"))
    links = [{"relation": "next", "url": f"{API}/v1/things?_page={page[-1]}"}, {"relation": "self", "url": "x"}]
    entries = [{"resource": {"n": number}} for number in page]
    return said({"total": 5, "entry": entries, "link": links[0 if page[-1] < 5 else 1 :]})


def git_lab(asked: Asked) -> bytes:
    page = int(asked.query.get("page", "1"))
    return said(records(after(2 * (page - 1))), f"X-Next-Page: {page + 1 if page < 3 else ''}", "X-Total: 5")


def content_range(asked: Asked) -> bytes:
    offset = int(asked.query["offset"])
    page = IDS[offset : offset + 2]
    return said(records(page), f"Content-Range: {offset}-{offset + len(page) - 1}/5", status="206 Partial Content")


def intercom(asked: Asked) -> bytes:
    page = after(asked.query.get("starting_after"))
    pages = {"next": {"page": 2, "starting_after": str(page[-1])}} if page[-1] < 5 else {}
    return said({"type": "list", "data": records(page), "total_count": 5, "pages": pages})


SHAPES: dict[str, tuple[Serve, str]] = {
    "Stripe": (
        stripe,
        """
        auth: {by: basic, secret: "a:b"}
        query: {"created[gte]": "{date:epoch_seconds}", limit: "2"}
        pages: {by: cursor, parameter: starting_after, last: id, more: has_more}
        records: data
        columns: {id: amount}
        """,
    ),
    "GitHub": (github, "{headers: {Accept: application/vnd.github+json}, pages: {by: link}}"),
    "Slack": (
        slack,
        """
        pages: {by: cursor, parameter: cursor, next: response_metadata.next_cursor}
        records: messages
        error: error
        """,
    ),
    "OData": (odata, '{pages: {by: link, next: "@odata.nextLink", total: "@odata.count"}, records: value}'),
    "JSON:API": (json_api, "{pages: {by: link, next: links.next}, records: data, columns: {id: attributes.n}}"),
    "Salesforce": (
        salesforce,
        "{pages: {by: link, next: nextRecordsUrl, done: done, total: totalSize}, records: records}",
    ),
    "Django REST framework": (rest_framework, "{pages: {by: link, next: next, total: count}, records: results}"),
    "Elasticsearch": (
        elasticsearch,
        """
        body: {size: 2, sort: [{t: asc}], query: {range: {t: {gte: "{date:%Y-%m-%d}"}}}}
        pages: {by: cursor, parameter: search_after, last: sort, total: hits.total.value}
        records: hits.hits
        columns: {id: _source.n}
        """,
    ),
    "HubSpot": (hubspot, "{pages: {by: cursor, parameter: after, next: paging.next.after}, records: results}"),
    "Notion": (
        notion,
        """
        body: {filter: {"on": "{date:%Y-%m-%d}"}}
        headers: {Notion-Version: "2022-06-28"}
        pages: {by: cursor, parameter: start_cursor, next: next_cursor, more: has_more}
        records: results
        """,
    ),
    "Zendesk": (zendesk, "{pages: {by: link, next: links.next, more: meta.has_more}, records: tickets}"),
    "Zendesk, exports": (
        zendesk_export,
        "{pages: {by: cursor, parameter: cursor, next: after_cursor, done: end_of_stream}, records: tickets}",
    ),
    "WordPress": (
        word_press,
        "{pages: {by: page, total: $header.X-WP-Total, pages: $header.X-WP-TotalPages, size_parameter: per_page}}",
    ),
    "Spring Data": (
        spring,
        """
        pages: {by: page, first: 0, pages: page.totalPages, total: page.totalElements}
        records: content
        connections: 2
        """,
    ),
    "Spotify": (spotify, "{pages: {by: offset, size: 2, total: total}, records: items}"),
    "Socrata": (until_empty, "{pages: {by: offset, offset: $offset, size_parameter: $limit, size: 2}}"),
    "until not found": (until_not_found, "{pages: {by: offset, size: 2}}"),
    "SCIM": (
        scim,
        """
        pages: {by: offset, offset: startIndex, first: 1, size_parameter: count, size: 2, total: totalResults}
        records: Resources
        """,
    ),
    "World Bank": (world_bank, '{pages: {by: page, pages: 0.pages, total: 0.total}, records: "1"}'),
    "GraphQL": (
        graphql,
        """
        body:
          query: "query ($first: Int!, $after: String) {{ orders(first: $first, after: $after) {{ edges }} }}"
          variables: {first: 2, after: null}
        pages:
          by: cursor
          parameter: variables.after
          next: data.orders.pageInfo.endCursor
          more: data.orders.pageInfo.hasNextPage
        records: data.orders.edges
        error: errors
        columns: {id: node.n}
        """,
    ),
    "STAC": (stac, "{pages: {by: link, next: links}, records: features}"),
    "FHIR": (fhir, "{pages: {by: link, next: link, total: total}, records: entry, columns: {id: resource.n}}"),
    "GitLab": (git_lab, "{pages: {by: cursor, parameter: page, next: $header.X-Next-Page, total: $header.X-Total}}"),
    "PostgREST": (content_range, "{pages: {by: offset, size: 2, total: $header.Content-Range}}"),
    "Intercom": (
        intercom,
        """
        pages: {by: cursor, parameter: starting_after, next: pages.next.starting_after, total: total_count}
        records: data
        """,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_pages_of_a_known_api(name: str) -> None:
    serve, declared = SHAPES[name]
    assert read(declared, serve) == IDS


def test_the_page_of_apis_says_what_was_tried() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api-source.md").read_text()
    told = dict(re.findall(r"^\| (.+) \| `(\{by: .+\})` \|$", page, re.MULTILINE))
    assert {name: yaml.safe_load(pages) for name, pages in told.items()} == {
        name: yaml.safe_load(declared)["pages"] for name, (_, declared) in SHAPES.items() if name != "until not found"
    }


def once(body: object, *lines: str, status: str = "200 OK") -> Serve:
    text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return lambda _asked: reply(text, *lines, status=status)


def test_rates_by_date_are_records_that_know_their_name() -> None:
    rates = {"2025-05-08": {"USD": 1.12, "GBP": 0.85}, "2025-05-09": {"USD": 1.13}, "2025-05-10": {}}
    found = read(
        "{records: rates, layout: keyed, columns: {day: $key, usd: USD}}",
        once({"base": "EUR", "rates": rates}),
        day="string",
        usd="decimal(6,2)",
    )
    assert [(day, usd and str(usd)) for day, usd in found] == [
        ("2025-05-08", "1.12"),
        ("2025-05-09", "1.13"),
        ("2025-05-10", None),
    ]


def test_values_by_name_are_records_too() -> None:
    found = read(
        "{records: rates, layout: keyed, columns: {currency: $key, rate: $value, base: $.base}}",
        once('{"base": "EUR", "rates": {"U\\u0053D": 1.13, "GBP": 0.85}}'),
        base="string",
        currency="string",
        rate="double",
    )
    assert found == [("EUR", "USD", 1.13), ("EUR", "GBP", 0.85)]


@pytest.mark.parametrize("layout", ["keyed", "columns"])
def test_no_record_may_be_written_as_an_empty_list(layout: str) -> None:
    assert read(f"{{records: r, layout: {layout}}}", once({"r": []})) == []
    with pytest.raises(AnswerShapeError, match="has no object of"):
        read(f"{{records: r, layout: {layout}}}", once({"r": [1]}))


def test_lists_are_records_whose_names_are_places() -> None:
    klines = [[1746748800000, "1.5", 7], [1746748860000, "2.5", None], []]
    found = read(
        'layout: arrays\ncolumns: {at: "0", open: "1", n: "2"}', once(klines), at="bigint", open="double", n="bigint"
    )
    assert found == [(1746748800000, 1.5, 7), (1746748860000, 2.5, None), (None, None, None)]


def test_the_first_list_of_a_table_has_its_names() -> None:
    types = {"id": "bigint", "name": "string"}
    rows = [["name", "id"], ["a\u00e9", "1"], ["b"], []]
    found = [(1, "a\u00e9"), (None, "b"), (None, None)]
    assert read("{records: values, layout: table}", once({"values": rows}), **types) == found
    assert read("{records: values, layout: table}", once({"values": rows[:1]}), **types) == []
    assert read("{records: values, layout: table}", once({"values": []}), **types) == []
    for strange in ([[1, 2], ["a", 1]], [{"id": 1}], [[]], ["id"]):
        with pytest.raises(AnswerShapeError, match="no names in the first list at 'values'"):
            read("{records: values, layout: table}", once({"values": strange}), **types)
    for header in (["name"], ["id", "name", "id"], ["id", "name", "new"]):
        with pytest.raises(HeaderMismatchError):
            read("{records: values, layout: table, on_drift: strict}", once({"values": [header, [1]]}), **types)


LINES = '{"id": 1}\r\n\n{"id": 2, "t": "a\\nb\u2028c"}\n [7] \n{"id": 3, "id": 4}\n{"id": 5}'


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_an_answer_may_have_a_record_a_line(end: str) -> None:
    assert read("layout: lines", once(LINES + end)) == [
        1,
        2,
        "is no JSON object",
        "has 'id' twice in one object",
        5,
    ]


def test_lines_are_continued_too() -> None:
    def serve(asked: Asked) -> bytes:
        page = after(asked.query.get("since_id"))
        return reply("".join(f'{{"id": {number}}}\n' for number in page).encode())

    assert read("{layout: lines, pages: {by: cursor, parameter: since_id, last: id}}", serve) == IDS


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"id": 1}\n{"id"', AnswerTruncatedError),
        ('{"id": 1}\n{"id" 2}\n{"id": 3}', AnswerNotJsonError),
        ('{"id": 1} {"id": 2}', AnswerNotJsonError),
        ('{\n"id": 1\n}', AnswerNotJsonError),
        ("<html>", AnswerNotJsonError),
    ],
)
def test_lines_that_are_none_are_no_delivery(body: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read("layout: lines", once(body))


def test_a_value_in_a_list_is_reached_by_its_place() -> None:
    day = {"date": "2025-05-09", "hour": [{"time": "00:00", "temp_c": 11.5}, {"time": "01:00", "temp_c": 11}]}
    found = read(
        "{records: forecast.forecastday.0.hour, columns: {day: $.forecast.forecastday.0.date, temp: temp_c}}",
        once({"location": {"name": "Bonn"}, "forecast": {"forecastday": [day, {"hour": []}]}}),
        day="string",
        time="string",
        temp="double",
    )
    assert found == [("2025-05-09", "00:00", 11.5), ("2025-05-09", "01:00", 11.0)]


PLACES = """
split: ""
records: hourly
layout: columns
columns: {latitude: $.latitude}
"""


def test_several_places_are_as_many_answers_in_one() -> None:
    """Open-Meteo answers a list where it is asked for several places, and an object where it is asked for one."""
    bonn = {"latitude": 50.7, "hourly": {"time": ["00:00", "01:00"], "temp": [11.5, None]}}
    rome = {"latitude": 41.9, "hourly": {"time": ["00:00"], "temp": [19]}}
    types = {"latitude": "double", "time": "string", "temp": "double"}
    rows = [(50.7, "00:00", 11.5), (50.7, "01:00", None), (41.9, "00:00", 19.0)]
    assert read(PLACES, once([bonn, rome]), **types) == rows
    assert read(PLACES, once(bonn), **types) == rows[:2]
    assert read(PLACES, once([]), **types) == []


def test_what_an_order_holds_knows_its_order() -> None:
    def serve(asked: Asked) -> bytes:
        orders = [{"id": id_, "line_items": [{"sku": f"{id_}{place}"} for place in range(id_ - 1)]} for id_ in IDS]
        page = int(asked.query.get("page", "1"))
        return said({"orders": orders[2 * page - 2 : 2 * page], "last": page == 3})

    declared = """
    split: orders
    records: line_items
    columns: {id: $.id}
    pages: {by: page, done: last}
    """
    assert read(declared, serve, id="bigint", sku="string") == [
        (order, f"{order}{place}") for order in IDS for place in range(order - 1)
    ]


LISTENS = """
split: items
records: items
layout: values
records_optional: true
columns: {user: $.user_id, place: $position, track: $value}
pages: {by: page, size_parameter: size, size: 2, total: total, pages: pages, key: user_id}
"""


def test_a_list_of_plain_values_is_a_record_each_that_knows_its_place() -> None:
    people = [(1, [7, 7, 9]), (2, []), (3, None), (4, [8]), (5, [None, "x", [1], 6])]

    def serve(asked: Asked) -> bytes:
        page = int(asked.query["page"])
        items = [{"user_id": user, "items": tracks} for user, tracks in people[2 * page - 2 : 2 * page]]
        return said({"items": items, "total": 5, "page": page, "size": 2, "pages": 3})

    assert read(LISTENS, serve, user="bigint", place="int", track="bigint") == [
        *((1, 0, 7), (1, 1, 7), (1, 2, 9), (4, 0, 8)),
        *((5, 0, None), (5, 1, "refused: not a number"), (5, 2, "refused: not a number"), (5, 3, 6)),
    ]


def test_a_total_counts_the_answers_of_a_split_page() -> None:
    short = once({"items": [{"user_id": 1, "items": [7, 8]}], "total": 2, "pages": 1})
    with pytest.raises(AnswersIncompleteError, match="says that there are 2 records, its 1 pages have 1"):
        read(LISTENS, short, user="bigint", place="int", track="bigint")


def test_the_place_of_a_value_need_not_be_read() -> None:
    assert read("{records: x, layout: values, columns: {id: $value}}", once({"x": [3, 1]})) == [3, 1]
    assert read("{records: x, layout: values, columns: {id: $position}, on_drift: ignore}", once({"x": ["a"]})) == [0]
    with pytest.raises(AnswerShapeError, match="has no list of values at 'x'"):
        read("{records: x, layout: values, columns: {id: $value}}", once({"x": 1}))


def test_an_answer_in_an_answer_that_has_no_records_is_named() -> None:
    with pytest.raises(AnswerShapeError, match="answer 2 at 'days' has no 'hours'"):
        read("{split: days, records: hours}", once({"days": [{"hours": []}, {"x": 1}]}))
    with pytest.raises(AnswerShapeError, match="has null where its records should be"):
        read("{split: days, records: hours}", once({"days": [{"hours": None}]}))


def test_a_name_with_dots_is_a_name() -> None:
    assert read("records: a.b.c", once({"a.b": {"c": records([1])}, "a": {"x": 1}})) == [1]
    assert read("{records: x, columns: {id: '$.1. open.v'}}", once({"x": [{}], "1. open": {"v": 7}})) == [7]


@pytest.mark.parametrize("body", [{}, {"items": None}, {"kind": "calendar#events", "items": []}])
def test_what_is_empty_may_be_left_out_where_that_is_declared(body: object) -> None:
    assert read("{records: items, records_optional: true}", once(body)) == []
    if body != {"kind": "calendar#events", "items": []}:
        with pytest.raises(AnswerShapeError):
            read("records: items", once(body))


def test_a_day_without_records_may_be_not_found_where_that_is_declared() -> None:
    nothing = once({"message": "no data"}, status="404 Not Found")
    assert read("empty_statuses: [404]", nothing) == []
    assert read("{empty_statuses: [404], pages: {by: page, total: n}, records: r}", nothing) == []
    assert read("{records: r, pages: {by: link, next: n, more: m}}", once("", status="204 No Content")) == []
    with pytest.raises(ApiRefusedError):
        read("{}", nothing)


def test_a_page_that_must_be_there_is_not_excused() -> None:
    def serve(asked: Asked) -> bytes:
        page = int(asked.query["page"])
        return said({"n": 3, "r": records([page])}) if page < 3 else said({}, status="404 Not Found")

    with pytest.raises(ApiRefusedError):
        read("{empty_statuses: [404], pages: {by: page, pages: n}, records: r}", serve)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"ok": False, "error": "invalid_auth"}, "'error': invalid_auth"),
        ({"error": {"code": 498, "message": "Invalid token."}, "r": []}, "Invalid token"),
        ({"error": True, "reason": "Cannot initialize"}, "'error': true"),
        ({"error": 17, "r": [{"id": 1}]}, "'error': 17"),
    ],
)
def test_an_error_with_a_good_status_is_one(body: object, told: str) -> None:
    with pytest.raises(ApiRefusedError, match=told):
        read("{records: r, error: error, records_optional: true}", once(body))


@pytest.mark.parametrize("nothing", [None, False, 0, "", [], {}])
def test_no_error_is_none(nothing: object) -> None:
    assert read("{records: r, error: error}", once({"r": records([1]), "error": nothing})) == [1]


@pytest.mark.parametrize(
    ("pages", "body", "error", "told"),
    [
        ("by: cursor, parameter: c, next: n, more: m", {"m": True}, AnswerShapeError, "says that there is more"),
        ("by: cursor, parameter: c, last: id, more: m", {"m": True}, AnswerShapeError, "says that there is more"),
        ("by: offset, more: m", {"m": True}, AnswerShapeError, "says that there is more"),
        ("by: link, next: n, done: m", {"m": False}, AnswerShapeError, "says that there is more"),
        ("by: link, more: m", {}, AnswerShapeError, "neither true nor false at 'm'"),
        ("by: link, next: n, more: m", {"m": "yes"}, AnswerShapeError, "neither true nor false at 'm'"),
        ("by: link, next: n, more: $header.X-M", {}, AnswerShapeError, "neither true nor false"),
        ("by: link, next: n", {"n": {"href": 5}}, AnswerShapeError, "no address at 'n'"),
        ("by: link, next: n", {"n": {"uri": "/v1/things?page=2"}}, AnswerShapeError, "no address at 'n'"),
        ("by: link, next: n, total: t", {"t": 2}, AnswersIncompleteError, "says that there are 2 records"),
        ("by: link, next: n, total: t", {}, AnswerShapeError, "no whole number at 't'"),
        ("by: cursor, parameter: c, last: id", {"r": [{"x": 1}]}, AnswerShapeError, "no text at 'id'"),
        ("by: cursor, parameter: c, last: id", {"r": [{"id": [1]}]}, AnswerShapeError, "no text at 'id'"),
        ("by: cursor, parameter: c, last: id", {"r": [{"id": 1}]}, PageRepeatedError, "very records"),
    ],
)
def test_pages_that_end_too_early_are_no_delivery(pages: str, body: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        read(f"{{records: r, pages: {{{pages}}}}}", once({"r": [], **body}))


@pytest.mark.parametrize(
    ("token", "posted"),
    [
        ("12345678901234567890", 12345678901234567890),
        ("0.5", 0.5),
        ("1e999999999", "1E+999999999"),
        ('["a", {"b": [null, true, 1.0]}]', ["a", {"b": [None, True, 1]}]),
    ],
)
def test_a_token_is_posted_as_it_came(token: str, posted: object) -> None:
    heard = []

    def serve(asked: Asked) -> bytes:
        heard.append(asked.body.get("after"))
        following = token if len(heard) == 1 else "null"
        return reply(f'{{"r": [{{"id": {len(heard)}}}], "next": {following}}}'.encode())

    assert read("{records: r, body: {}, pages: {by: cursor, parameter: after, next: next}}", serve) == [1, 2]
    assert heard == [None, posted]


def test_each_item_is_posted_with_its_numbers() -> None:
    def serve(asked: Asked) -> bytes:
        assert asked.body["from"] == 1746748800
        assert asked.body["text"] == "1746748800 for 7"
        return said(records([asked.body["shop"], asked.body["page"]]))

    assert read(
        """
        body: {shop: "{shop}", from: "{date:epoch_seconds}", text: "{date:epoch_seconds} for {shop}", page: 0}
        each: [{shop: 7}]
        """,
        serve,
    ) == [7, 0]


@pytest.mark.parametrize(
    ("status", "good"), [("307 Temporary Redirect", True), ("308 Permanent Redirect", True), ("302 Found", False)]
)
def test_what_is_posted_is_posted_again_elsewhere_or_not_at_all(status: str, good: bool) -> None:
    def serve(asked: Asked) -> bytes:
        if asked.path == "/v1/things":
            return reply(b"", "Location: /v2/things", status=status)
        return said(records([asked.body["n"]]))

    if good:
        assert read("body: {n: 5}", serve) == [5]
    else:
        with pytest.raises(ApiRefusedError, match="where nothing is posted"):
            read("body: {n: 5}", serve)
