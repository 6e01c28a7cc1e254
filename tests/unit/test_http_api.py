"""An API is asked over a real socket: bounded, verified, with secrets that nobody else sees."""

import gzip
import json
import socket
import ssl
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from http_world import URL, source
from nightlake.adapters import http_api
from nightlake.adapters.http_api import Http, is_public
from nightlake.core.errors import (
    AnswerNotJsonError,
    AnswerTooLargeError,
    AnswerTruncatedError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    HostNotAllowedError,
)
from nightlake.core.http_exchange import HttpAnswer, HttpRequest
from odd_server import OddServer, Reply, reply, serving

from local import tls

API = "https://api.example.com"
LOGIN = "https://login.example.com"


class Texts:
    """Secrets as Secrets Manager would give them: the texts of a name one after the other, the last for ever."""

    def __init__(self, texts: Mapping[str, list[str]]) -> None:
        self.texts = {name: list(given) for name, given in texts.items()}

    def read(self, name: str, *, again: bool = False) -> str | None:
        given = self.texts.get(name, [])
        if again and len(given) > 1:
            given.pop(0)
        return given[0] if given else None


@contextmanager
def api(
    *replies: Reply, keep: bool = False, secrets: Mapping[str, list[str]] | None = None, **fields: Any
) -> Iterator[tuple[Http, OddServer]]:
    with (
        serving(*replies, keep=keep) as server,
        Http(source(**fields), Texts(secrets or {}), {API: server.address, LOGIN: server.address}) as http,
    ):
        yield http, server


def ask(http: Http, url: str = f"{URL}?a=b", **options: Any) -> HttpAnswer:
    return http.ask(HttpRequest(url), **options)


def test_an_answer_comes_as_it_is_and_the_question_says_who_asks() -> None:
    with api(reply(b'{"a": 1}', "X-Thing: 5", "ETag: w", status="404 Not Found")) as (http, server):
        assert ask(http) == HttpAnswer(
            404,
            {
                "content-type": "application/json",
                "x-thing": "5",
                "etag": "w",
                "connection": "close",
                "content-length": "8",
            },
            b'{"a": 1}',
        )
    head = server.heard[0].lower()
    assert head.startswith("get /v1/things?a=b http/1.1\r\n")
    for line in ("host: api.example.com", "accept: application/json, */*;q=0.5", "user-agent: nightlake"):
        assert f"\r\n{line}\r\n" in head


def test_own_headers_replace_ours() -> None:
    with api(reply()) as (http, server):
        http.ask(HttpRequest(URL, {"accept": "text/x", "X-Mine": "1"}))
    assert "\r\nAccept: text/x\r\n" in server.heard[0]
    assert "application/json" not in server.heard[0]


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("gzip", gzip.compress(b"[1]")),
        ("GZIP", gzip.compress(b"[1]")),
        ("gzip", gzip.compress(b"[") + gzip.compress(b"1]")),
        ("gzip", gzip.compress(b"[1]") + bytes(512)),
        ("deflate", zlib.compress(b"[1]")),
        ("deflate", zlib.compress(b"[1]")[2:-4]),
        ("identity", b"[1]"),
    ],
    ids=range(7),
)
def test_what_is_packed_is_unpacked(name: str, packed: bytes) -> None:
    with api(reply(packed, f"Content-Encoding: {name}")) as (http, _):
        assert ask(http).body == b"[1]"


BOMB = gzip.compress(b"0" * (64 << 20))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", ApiUnavailableError),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ApiUnavailableError),
        (reply(b"[1, 2", length=100), AnswerTruncatedError),
        (reply(b"5\r\n[1, 2", "Transfer-Encoding: chunked", length=-1), AnswerTruncatedError),
        (reply(b"zz\r\n[1]", "Transfer-Encoding: chunked", length=-1), AnswerTruncatedError),
        (reply(gzip.compress(b"[1]" * 100)[:-9], "Content-Encoding: gzip"), AnswerTruncatedError),
        (reply(b"no gzip at all", "Content-Encoding: gzip"), AnswerTruncatedError),
        (reply(b"[1]", "Content-Encoding: br"), AnswerNotJsonError),
        (reply(b"0" * 5000), AnswerTooLargeError),
        (reply(b"4000\r\n" + b"0" * 0x4000 + b"\r\n", "Transfer-Encoding: chunked", length=-1), AnswerTooLargeError),
        (reply(BOMB, "Content-Encoding: gzip"), AnswerTooLargeError),
        (reply(zlib.compress(b"0" * (64 << 20)), "Content-Encoding: deflate"), AnswerTooLargeError),
        ([reply(b"[1", length=10), 1.0], ApiUnavailableError),
        ([1.0], ApiUnavailableError),
    ],
    ids=range(14),
)
def test_what_is_no_whole_answer_has_a_name(said: Reply, error: type[Exception]) -> None:
    with api(said, max_answer_bytes=4096, timeout_seconds=0.2) as (http, _), pytest.raises(error) as raised:
        ask(http)
    assert str(raised.value).startswith(URL)
    assert "a=b" not in str(raised.value)


def test_what_is_packed_may_come_byte_by_byte() -> None:
    packed = gzip.compress(b"[") + gzip.compress(b"1]")
    pieces = [bytes([byte]) for byte in packed]
    assert b"".join(http_api._unpacked(iter(pieces), "gzip", where="x")) == b"[1]"


def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "answer_seconds", lambda _source: 0.3)
    trickle = [reply(b"[", length=1000), *[part for _ in range(200) for part in (b"1", 0.02)]]
    with api(trickle, timeout_seconds=30) as (http, _), pytest.raises(ApiUnavailableError, match="too slowly"):
        ask(http)


def test_headers_that_never_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "answer_seconds", lambda _source: 0.3)
    trickle = [b"HTTP/1.1 200 OK\r\n", *[part for _ in range(200) for part in (b"X: 1\r\n", 0.02)]]
    with api(trickle, timeout_seconds=30) as (http, _), pytest.raises(ApiUnavailableError):
        ask(http)


def test_a_header_that_stands_twice_is_one_list() -> None:
    with api(reply(b"[]", 'Link: </a>; rel="prev"', 'Link: </b>; rel="next"')) as (http, _):
        assert ask(http).headers["link"] == '</a>; rel="prev", </b>; rel="next"'


@pytest.mark.parametrize("length", ["-1", "many", "3, 3", "1e3"])
def test_a_strange_length_is_survived(length: str) -> None:
    said = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n[1]".encode()
    with api(said) as (http, _):
        assert ask(http).body == b"[1]"


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 1000 + b"\r\n[]",
        b"HTTP/1.1 abc\r\n\r\n[]",
        b"[]",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
)
def test_what_is_no_http_is_not_available(said: bytes) -> None:
    with api(said) as (http, _), pytest.raises(ApiUnavailableError):
        ask(http)


@pytest.mark.parametrize("path", ["/x y", "/\u00e9?\u00fc=\u20ac", "/%2f?a=%zz", "/?", "", "?a=b", "//x"])
def test_a_strange_address_is_asked_for(path: str) -> None:
    with api(reply()) as (http, server):
        assert ask(http, f"{API}{path}").body == b"[]"
    assert len(server.heard) == 1


def test_a_secret_in_an_address_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "nightlake")
    secrets, auth = {"s": ["key-1234"]}, {"by": "query", "name": "k", "secret": "s"}
    with api(b"HTTP/1.1 200 OK\r\nContent-Le", auth=auth, secrets=secrets) as (http, _):
        assert ask(http).body == b""
    assert "key-1234" not in caplog.text


def test_interim_answers_are_stepped_over() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    said = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + hints + hints
    with api(said + reply(b"[1]", keep=True), reply(b"[2]", keep=True), keep=True) as (http, server):
        first = ask(http)
        assert (first.status, first.body, "link" in first.headers) == (200, b"[1]", False)
        assert ask(http).body == b"[2]"
    assert server.connections == 1


def test_interim_answers_that_never_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "answer_seconds", lambda _source: 0.3)
    trickle = [part for _ in range(100) for part in (b"HTTP/1.1 102 Processing\r\n\r\n", 0.01)]
    with api(trickle, timeout_seconds=30) as (http, _), pytest.raises(ApiUnavailableError):
        ask(http)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.0 200 OK\r\n\r\n[1]",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n[1]",
        b"HTTP/1.1 200\r\nConnection: close\r\n\r\n[1]",
        b"HTTP/1.1 200 OK\nContent-Length: 3\n\n[1]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n[\r\n2\r\n1]\r\n0\r\nX-Sum: 7\r\n\r\n",
    ],
    ids=range(5),
)
def test_old_and_odd_servers_are_understood(said: bytes) -> None:
    with api(said) as (http, _):
        assert ask(http).body == b"[1]"


def test_nobody_there_is_not_available() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Http(source(), Texts({}), {API: f"http://127.0.0.1:{port}"}) as http, pytest.raises(ApiUnavailableError):
        ask(http)


def test_a_connection_is_used_again() -> None:
    with api(reply(keep=True), keep=True) as (http, server):
        for _ in range(3):
            ask(http)
    assert (len(server.heard), server.connections) == (3, 1)


@pytest.mark.parametrize(
    ("auth", "secret", "told"),
    [
        ({"by": "header", "name": "X-Key"}, "key-1234", "\r\nX-Key: key-1234\r\n"),
        ({"by": "header"}, '{"key": "key-1234"}', "\r\nX-Api-Key: key-1234\r\n"),
        ({"by": "query", "name": "appid"}, "key/1234\n", "GET /v1/things?a=b&appid=key%2F1234 "),
        ({"by": "bearer"}, '{"token": "key-1234"}', "\r\nAuthorization: Bearer key-1234\r\n"),
    ],
)
def test_a_secret_is_told_to_the_api_and_to_nobody_else(auth: dict[str, str], secret: str, told: str) -> None:
    with api(reply(), auth={**auth, "secret": "s"}, secrets={"s": [secret]}, more_hosts=["other.example.com"]) as (
        http,
        server,
    ):
        http._endpoints["https://other.example.com"] = server.address
        ask(http)
        ask(http, "https://other.example.com/x")
    assert told in server.heard[0]
    assert "1234" not in server.heard[1]
    assert http.hide("you sent key-1234 and key%2F1234 and key\\/1234") in (
        "you sent *** and key%2F1234 and key\\/1234",
        "you sent key-1234 and *** and key\\/1234",
    )


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ('{"username": "me", "password": "pass:word"}', "me:pass:word"),
        ('{"username": "sk_live_123"}', "sk_live_123:"),
        ("me@example.com/token:key-1234\n", "me@example.com/token:key-1234"),
        ('{"username": "k\u00f6nig", "password": "\u20ac"}', "k\u00f6nig:\u20ac"),
    ],
)
def test_a_user_and_a_password_are_told(secret: str, told: str) -> None:
    with api(reply(), auth={"by": "basic", "secret": "s"}, secrets={"s": [secret]}) as (http, server):
        ask(http)
    pair = b64encode(told.encode()).decode()
    assert f"\r\nAuthorization: Basic {pair}\r\n" in server.heard[0]
    assert pair not in http.hide(f"you sent {pair}")


@pytest.mark.parametrize("text", [[], [""], ["key-1234"], [":"], ["{}"], ['{"key": "a:b"}'], ["a:b\nc"]])
def test_what_is_no_user_and_no_password_has_a_name(text: list[str]) -> None:
    with (
        api(reply(), auth={"by": "basic", "secret": "s"}, secrets={"s": text}) as (http, _),
        pytest.raises(ApiUnauthorizedError, match="has no username and password"),
    ):
        ask(http)


def test_a_secret_is_read_anew_when_that_is_asked_for() -> None:
    with api(reply(), auth={"by": "bearer", "secret": "s"}, secrets={"s": ["old-key", "new-key"]}) as (http, server):
        ask(http)
        ask(http, renew=True)
    assert ["old-key" in server.heard[0], "new-key" in server.heard[1]] == [True, True]


@pytest.mark.parametrize("text", [[], [""], ["a\nb"], ["schlüssel"]])
def test_a_secret_that_cannot_be_sent_has_a_name(text: list[str]) -> None:
    with (
        api(reply(), auth={"by": "bearer", "secret": "s"}, secrets={"s": text}) as (http, _),
        pytest.raises(ApiUnauthorizedError, match="The secret 's' is not there or has no token"),
    ):
        ask(http)


OAUTH = {"by": "oauth2", "token_url": f"{LOGIN}/token", "secret": "s", "scope": "read all"}
CLIENT = {"s": [json.dumps({"client_id": "me", "client_secret": "pass/word"})]}


def test_a_token_is_got_once_and_anew_when_it_is_refused() -> None:
    grants = iter(["first-token", "second-token"])

    def serve(heard: bytes) -> bytes:
        if heard.startswith(b"POST /token"):
            return reply(json.dumps({"access_token": next(grants), "expires_in": 3600}).encode())
        return reply()

    with api(serve, auth=OAUTH, secrets=CLIENT) as (http, server):
        ask(http)
        ask(http)
        ask(http, renew=True)
    told = [line for heard in server.heard for line in heard.split("\r\n") if "token" in line.lower()]
    assert [line for line in told if line.startswith("Authorization")] == [
        "Authorization: Bearer first-token",
        "Authorization: Bearer first-token",
        "Authorization: Bearer second-token",
    ]
    form = "client_id=me&client_secret=pass%2Fword&grant_type=client_credentials&scope=read+all"
    assert [heard.endswith(f"\r\n\r\n{form}") for heard in server.heard] == [True, False, False, True, False]
    assert http.hide("pass/word first-token") == "*** ***"


def test_a_client_says_who_it_is_in_the_other_way_where_the_first_is_refused() -> None:
    def serve(heard: bytes) -> bytes:
        if b"Authorization: Basic bWU6cGFzcyUyRndvcmQ=\r\n" in heard and heard.endswith(
            b"\r\n\r\ngrant_type=client_credentials&scope=read+all"
        ):
            return reply(b'{"access_token": "token-1"}')
        return reply() if b"Bearer token-1" in heard else reply(b'{"error": "invalid_client"}', status="401 No")

    with api(serve, auth=OAUTH, secrets=CLIENT) as (http, server):
        assert ask(http).body == b"[]"
    assert len(server.heard) == 3


def test_a_token_that_is_over_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(http_api, "monotonic", lambda: now[0])
    granted = reply(b'{"access_token": "token-1", "expires_in": "120"}')
    with api(lambda heard: granted if b"/token" in heard else reply(), auth=OAUTH, secrets=CLIENT) as (http, server):
        for now[0] in (0, 59, 61):
            ask(http)
    assert sum("POST" in heard for heard in server.heard) == 2


@pytest.mark.parametrize("life", ["null", '"soon"', "0", "-1", "[]", "3600", '"3600.0"'])
def test_a_token_is_used_however_its_life_is_told(life: str) -> None:
    granted = reply(b'{"access_token": "token-1", "expires_in": %s}' % life.encode(), status="201 Created")
    with api(lambda heard: granted if b"/token" in heard else reply(), auth=OAUTH, secrets=CLIENT) as (http, server):
        ask(http)
        ask(http)
    assert [heard.split(" ")[0] for heard in server.heard] == ["POST", "GET", "GET"]


def test_a_token_is_asked_for_with_what_else_its_giver_wants() -> None:
    auth = {**OAUTH, "parameters": {"audience": "https://api.example.com/"}}
    granted = reply(b'{"access_token": "token-1"}')
    with api(lambda heard: granted if b"/token" in heard else reply(), auth=auth, secrets=CLIENT) as (http, server):
        ask(http)
    assert server.heard[0].endswith("&scope=read+all&audience=https%3A%2F%2Fapi.example.com%2F")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (reply(b'{"error": "invalid_client"}', status="401 Unauthorized"), ApiUnauthorizedError),
        (reply(b"<html>"), ApiUnauthorizedError),
        (reply(b"[]"), ApiUnauthorizedError),
        (reply(b'{"access_token": 5}'), ApiUnauthorizedError),
        (reply(b'{"access_token": "a\\nb"}'), ApiUnauthorizedError),
        (reply(b"", status="503 Busy"), ApiUnavailableError),
    ],
)
def test_no_token_has_a_name(said: bytes, error: type[Exception]) -> None:
    with api(said, auth=OAUTH, secrets=CLIENT) as (http, _), pytest.raises(error, match=r"login\.example\.com"):
        ask(http)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104
        *(
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "::",
            "::1",
            "fe80::1",
            "fe80::1%eth0",
        ),
        *("fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:53aa:64c::80ff:fffe", "2001:db8::1"),
    ],
)
def test_an_address_that_is_none_of_the_internet_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_public(address)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in ("93.184.216.34", address)]
    monkeypatch.setattr(http_api, "getaddrinfo", lambda *_, **__: found)
    with Http(source(), Texts({})) as http, pytest.raises(HostNotAllowedError, match=r"api\.example\.com has the addr"):
        ask(http)


def found_at(*addresses: str) -> list[Any]:
    """What a name is found to be."""
    families = {True: socket.AF_INET6, False: socket.AF_INET}
    return [(families[":" in each], socket.SOCK_STREAM, 6, "", (each, 443)) for each in addresses]


def test_a_host_that_moves_to_a_private_address_is_not_followed(
    certified: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection is to an address that was looked at: what a name was before says nothing."""
    answers = [found_at("127.0.0.1"), found_at("10.0.0.1")]
    monkeypatch.setattr(http_api, "getaddrinfo", lambda *_, **__: answers.pop(0))
    monkeypatch.setattr(http_api, "is_public", lambda address: address == "127.0.0.1")
    url = f"https://abc.execute-api.localhost:{certified.port}/x"
    with Http(source(url=url), Texts({})) as http:
        assert ask(http, url).body == b"[1]"
        with pytest.raises(HostNotAllowedError, match=r"10\.0\.0\.1"):
            ask(http, url)
    assert len(certified.heard) == 1


@pytest.mark.parametrize("dead", ["127.0.0.2", "::1"])
def test_an_address_where_nobody_is_gives_way_to_the_next(
    certified: OddServer, monkeypatch: pytest.MonkeyPatch, dead: str
) -> None:
    monkeypatch.setattr(http_api, "getaddrinfo", lambda *_, **__: found_at(dead, dead, "127.0.0.1"))
    monkeypatch.setattr(http_api, "is_public", lambda _address: True)
    url = f"https://abc.execute-api.localhost:{certified.port}/x"
    with Http(source(url=url), Texts({})) as http:
        assert ask(http, url).body == b"[1]"


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111"])
def test_an_address_of_the_internet_is_taken(address: str) -> None:
    assert is_public(address)


def test_a_name_without_an_address_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(http_api, "getaddrinfo", unknown)
    with Http(source(), Texts({})) as http, pytest.raises(ApiUnavailableError, match="has no address"):
        ask(http)


def test_clear_text_is_for_stand_ins_only() -> None:
    with Http(source(), Texts({})) as http, pytest.raises(HostNotAllowedError, match="is not https"):
        ask(http, "http://api.example.com/")


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OddServer]:
    """A server that proves to be any host below localhost; all its names lead to it."""
    material = tls.ensure(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(material.certificate, material.key)
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    looked = []
    monkeypatch.setattr(http_api, "getaddrinfo", lambda name, *_, **__: looked.append(name) or here)  # type: ignore[func-returns-value]
    monkeypatch.setattr(http_api, "is_public", lambda _address: len(looked) < 2)
    monkeypatch.setenv("SSL_CERT_FILE", str(material.authority))
    with serving(reply(b"[1]"), tls=context) as server:
        yield server


def test_a_server_proves_its_name_at_the_address_that_was_looked_at(certified: OddServer) -> None:
    url = f"https://abc.execute-api.localhost:{certified.port}/x"
    with Http(source(url=url), Texts({})) as http:
        assert ask(http, url).body == b"[1]"
    assert f"\r\nHost: abc.execute-api.localhost:{certified.port}\r\n" in certified.heard[0]


def test_a_server_that_cannot_prove_its_name_hears_nothing(certified: OddServer) -> None:
    url = f"https://api.example.com:{certified.port}/x"
    with (
        Http(source(url=url, auth={"by": "bearer", "secret": "s"}), Texts({"s": ["key-1234"]})) as http,
        pytest.raises(ApiUnavailableError, match="no certificate"),
    ):
        ask(http, url)
    assert certified.heard == []


def test_a_stand_in_is_told_apart_from_what_it_stands_for() -> None:
    with Http(source(), Texts({}), {API: "http://127.0.0.1:9"}) as http:
        assert http.official("http://127.0.0.1:9/x?y") == f"{API}/x?y"
        assert http.official("http://api.example.com/x") == f"{API}/x"
        assert http.official("http://127.0.0.1:99/x") == "http://127.0.0.1:99/x"
