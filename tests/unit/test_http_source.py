"""What pipeline.yaml may say of an API, and why it may not say the rest."""

from datetime import date
from typing import Any

import pytest
from http_world import source
from nightlake.core.http_pages import first_question, with_parameters
from nightlake.core.http_text import filled
from pydantic import ValidationError

EACH = [{"city": "Bonn", "lat": 50.7}, {"city": "Köln", "lat": 51}]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"url": "http://api.example.com/x"}, "is not https"),
        ({"url": "ftp://api.example.com/x"}, "is not https"),
        ({"url": "https://api.example.com/x?a=b"}, "write the parameters under `query`"),
        ({"url": "https://me:pass@api.example.com/x"}, "no user and no password"),
        ({"url": "https://api.example.com/x#y"}, "fragment"),
        ({"url": "https://api.example.com/a b"}, "no blanks"),
        ({"url": "https://api.example.com:99999/"}, "is no address"),
        ({"url": "https://localhost/x"}, "is no name of a host"),
        ({"url": "https://127.0.0.1/x"}, "is no name of a host"),
        ({"url": "https://[::1]/x"}, "is no name of a host"),
        ({"url": "https://{city}.example.com/x", "each": EACH}, "is no name of a host"),
        ({"query": {"day": "{day}"}}, "{day} is in no item of `each`"),
        ({"query": {"day": "{}"}}, "holds no name"),
        ({"query": {"day": "{date}"}}, "{date} is no date"),
        ({"query": {"day": "{date:%H}"}}, "is no format of a day"),
        ({"query": {"day": "{date:today}"}}, "is no format of a day"),
        ({"query": {"day": "{date+x:%Y}"}}, "is no date"),
        ({"query": {"day": "{date:%Y"}}, "has a brace"),
        ({"each": [{"a": 1}]}, "'a' of `each` is mentioned in no"),
        ({"each": [{"a": 1}, {"b": 1}], "query": {"q": "{a}"}}, "have not all the same names"),
        ({"each": [{"a": 1}, {"a": 1}], "query": {"q": "{a}"}}, "an item stands twice"),
        ({"each": [{"a": "x\ny"}], "headers": {"q": "{a}"}}, "would not be ASCII in one line"),
        ({"each": [{"1a": 1}]}, "pattern"),
        ({"each": [{"a": True}]}, "valid"),
        ({"query": {"api_key": "123"}}, "looks like a secret"),
        ({"query": {"access_token": "123"}}, "looks like a secret"),
        ({"headers": {"Authorization": "Bearer x"}}, "looks like a secret"),
        ({"headers": {"Cookie": "a=b"}}, "looks like a secret"),
        ({"headers": {"Host": "a"}}, "is set by whoever asks"),
        ({"headers": {"X-A": "a\r\nHost: b"}}, "is no header"),
        ({"headers": {"X A": "a"}}, "is no header"),
        ({"headers": {"X-A": "a", "x-a": "b"}}, "stands twice in `headers`"),
        ({"query": {"page": "1"}, "pages": {"by": "page"}}, "'page' is that of `pages`"),
        ({"query": {"after": "1"}, "pages": {"by": "cursor", "parameter": "after", "next": "n"}}, "that of `pages`"),
        ({"query": {"id": "1"}, "auth": {"by": "query", "name": "id", "secret": "s"}}, "is that of `auth`"),
        ({"auth": {"by": "header", "name": "Host", "secret": "s"}}, "is no header that `auth` can set"),
        ({"auth": {"by": "oauth2", "token_url": "http://a.example.com", "secret": "s"}}, "is not https"),
        ({"connections": 2}, "only numbered pages"),
        ({"connections": 2, "pages": {"by": "page"}}, "only numbered pages"),
        ({"records": "a..b"}, "is no dotted path"),
        ({"records": "$.a"}, "is no dotted path"),
        ({"pages": {"by": "page", "total": ""}}, "is no dotted path"),
        ({"more_hosts": ["https://a.example.com"]}, "is no name of a host"),
        ({"more_hosts": ["A.example.com"]}, "in lower case"),
        ({"columns": {"x": "$request.city"}}, "{city} is in no item of `each`"),
        ({"columns": {"x": "$city"}}, "is no place"),
        ({"columns": {"x": "$."}}, "is no dotted path"),
        ({"records": "hourly", "layout": "columns", "columns": {"x": "hourly.time"}}, "is looked for within 'hourly'"),
        ({"timeout_seconds": 0}, "greater than 0"),
        ({"pages": {"by": "cursor", "parameter": "c"}}, "write one"),
        ({"pages": {"by": "cursor", "parameter": "c", "next": "n", "last": "id"}}, "write one"),
        ({"pages": {"by": "link", "more": "a", "done": "b"}}, "keep one"),
        ({"pages": {"by": "page", "total": "$header."}}, "names no header"),
        ({"pages": {"by": "page", "total": "$header.X Total"}}, "names no header"),
        (
            {"pages": {"by": "cursor", "parameter": "c", "last": "id"}, "layout": "keyed"},
            "only a list of objects has a last record",
        ),
        ({"pages": {"by": "page", "pages": "n"}, "layout": "lines"}, "'n' is looked for in one JSON text"),
        ({"records": "r", "layout": "lines"}, "'r' is looked for in one JSON text"),
        ({"error": "e", "layout": "lines"}, "'e' is looked for in one JSON text"),
        ({"columns": {"x": "$.a"}, "layout": "lines"}, "'$.a' is looked for in one JSON text"),
        ({"columns": {"x": "$key"}}, "is no place"),
        ({"columns": {"x": "$position"}}, "is no place"),
        ({"layout": "values", "columns": {"x": "$key"}}, "is in no list of values"),
        ({"layout": "values", "columns": {"x": "name"}}, "write $value for the value, $position for its place"),
        ({"pages": {"by": "page", "key": "id"}}, "`key` needs `total` or `pages`"),
        ({"pages": {"by": "page", "key": "id", "total": "n"}, "layout": "keyed"}, "only a list of objects has keys"),
        ({"empty_statuses": [401]}, "never says that there is nothing"),
        ({"empty_statuses": [500]}, "never says that there is nothing"),
        ({"empty_statuses": [200]}, "never says that there is nothing"),
        ({"query": {"n": 5}}, "5 is neither a text nor a list of texts"),
        ({"query": {"n": ["a", None]}}, "['a', None] is neither a text nor a list of texts"),
        ({"body": {"a": [{"api_key": "x"}]}}, "looks like a secret"),
        ({"body": {"day": ["{day}"]}}, "{day} is in no item of `each`"),
        ({"body": {"a": 1}, "pages": {"by": "page", "page": "a.page"}}, "is no place in `body`"),
        (
            {"body": {"query": "{ shop }"}},
            "{ shop } is in no item of `each`: add it there, or write {{ and }} for braces",
        ),
        ({"body": []}, "should be an object"),
        (
            {
                "auth": {
                    "by": "oauth2",
                    "token_url": "https://a.example.com",
                    "secret": "s",
                    "parameters": {"client_secret": "x"},
                }
            },
            "looks like a secret",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as raised:
        source(**said)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ({}, "https://api.example.com/v1/things"),
        ({"url": "https://api.example.com:8443/{city}", "each": EACH[1:], "columns": {"lat": "$request.lat"}},
         "https://api.example.com:8443/K%C3%B6ln"),
        ({"query": {"q": "{city} & {lat}", "filter": '{{"a": 1}}'}, "each": EACH},
         "https://api.example.com/v1/things?q=Bonn%20%26%2050.7&filter=%7B%22a%22:%201%7D"),
        ({"query": {"hourly": "a,b"}, "pages": {"by": "page", "first": 0, "size_parameter": "n", "size": 7}},
         "https://api.example.com/v1/things?hourly=a,b&page=0&n=7"),
        ({"query": {"f[]": ["a", "{date:%j}"], "g": "c"}, "pages": {"by": "page", "first": 0}},
         "https://api.example.com/v1/things?f%5B%5D=a&f%5B%5D=059&g=c&page=0"),
        ({"pages": {"by": "offset"}}, "https://api.example.com/v1/things?offset=0&limit=100"),
    ],
)  # fmt: skip
def test_what_is_asked_is_spelled_for_the_wire(said: dict[str, Any], url: str) -> None:
    asking = source(**said)
    assert first_question(asking, date(2024, 2, 28), (asking.each or ({},))[0]) == (url, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{date:%Y-%m-%d}", "2024-02-28"),
        ("{date+2:%d.%m.%y}", "01.03.24"),
        ("{date-28:%Y/%j}", "2024/031"),
        ("{date:epoch_seconds}/{date+1:epoch_milliseconds}", "1709078400/1709164800000"),
        ("{date:%Y-%m-%d}T00:00:00Z", "2024-02-28T00:00:00Z"),
        ("{{date}}", "{date}"),
    ],
)
def test_the_day_is_written_as_the_api_wants_it(text: str, value: str) -> None:
    assert filled(text, date(2024, 2, 28), {}) == value


def test_parameters_are_replaced_and_others_kept_as_they_were() -> None:
    assert with_parameters("https://a/b?c=1&c=2&d=&e=%2F", {"d": "x y"}) == "https://a/b?c=1&c=2&e=%2F&d=x%20y"
    assert with_parameters("https://a/b?q=a+b~c", {}) == "https://a/b?q=a+b~c"
