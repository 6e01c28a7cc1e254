"""Asks an API over https: only public addresses, bounded answers, secrets that nobody else sees."""

import json
import logging
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.client import CONTINUE, OK, SWITCHING_PROTOCOLS, HTTPResponse
from ipaddress import IPv4Address, ip_address
from socket import SHUT_RDWR, SOCK_STREAM, gaierror, getaddrinfo, socket
from threading import Lock, Timer
from time import monotonic
from typing import Any, Final, NoReturn, Protocol
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    IncompleteRead,
    InvalidChunkLength,
    NewConnectionError,
    ProtocolError,
    SSLError,
)

from nightlake.core.errors import (
    AnswerNotJsonError,
    AnswerTooLargeError,
    AnswerTruncatedError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    HostNotAllowedError,
)
from nightlake.core.http_auth import BasicAuth, BearerAuth, HeaderAuth, OAuth2Auth, QueryAuth
from nightlake.core.http_caller import told
from nightlake.core.http_exchange import Fetch, HttpAnswer, HttpRequest, answer_seconds
from nightlake.core.http_source import HttpSource

HIDDEN: Final = "***"
_ACCEPT: Final = "application/json, */*;q=0.5"  # some have JSON only by another name, such as application/geo+json
_CHUNK: Final = 1 << 16
_CONNECT_SECONDS: Final = 10.0
_MARGIN_SECONDS: Final = 60.0  # a token is asked for again so long before it expires
_LIFE_SECONDS: Final = 300.0  # of a token that does not say
_TOKEN_BYTES: Final = 1 << 20
_SHORTEST_HIDDEN: Final = 8  # characters; less would hide what is no secret, and so would what might be a number
_GZIP: Final = b"\x1f\x8b"
_OK: Final = frozenset({200, 201})
_ADDRESSES: Final = 4  # of one host are tried
_NO_CLIENT: Final = frozenset({400, 401})
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429

logging.getLogger("urllib3.connection").setLevel(
    logging.ERROR
)  # its warnings have the address, which may hold a secret


class Secrets(Protocol):
    """Whoever reads secrets."""

    def read(self, name: str, *, again: bool = False) -> str | None:
        """The text of a secret, read `again` where it was remembered; None when there is none."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, also as it would be reached through a tunnel."""
    ip = ip_address(address.partition("%")[0])
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    if isinstance(ip, IPv4Address):
        return True
    inner = (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ()))
    return not ip.is_site_local and all(found is None or is_public(str(found)) for found in inner)


def _addresses(host: str, port: int) -> list[str]:
    """The addresses to connect to, as the host has them now; all of them must be public."""
    try:
        found = [str(info[4][0]) for info in getaddrinfo(host.strip("[]"), port, type=SOCK_STREAM)]
    except (gaierror, UnicodeError) as error:
        raise ApiUnavailableError(f"{host} has no address ({error}); it is tried again") from None
    if private := [address for address in found if not is_public(address)]:
        raise HostNotAllowedError(
            f"{host} has the address {private[0]}, which is none of the internet; ask only public APIs"
        )
    return sorted(dict.fromkeys(found), key=lambda address: ":" in address)[:_ADDRESSES]  # not all places have IPv6


class _Final(HTTPResponse):
    """Steps over every interim answer (1xx), such as 103 Early Hints, and not only over 100."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, CONTINUE if SWITCHING_PROTOCOLS < status < OK else status, reason


class _Bounded(HTTPConnection):
    """Does not wait for ever for an answer to begin, as it would when its headers came byte by byte."""

    response_class = _Final

    def __init__(self, *options: Any, answer_seconds: float, **named: Any) -> None:
        super().__init__(*options, **named)
        self._seconds = answer_seconds
        self._given_up = False

    def getresponse(self) -> Any:
        timer = Timer(self._seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            answer = super().getresponse()
        finally:
            timer.cancel()
        if self._given_up:
            answer.close()
            raise TimeoutError
        return answer

    def _give_up(self) -> None:
        self._given_up = True
        if self.sock is not None:
            with suppress(OSError):
                socket.shutdown(self.sock, SHUT_RDWR)  # not that of TLS, which is being used


class _Verified(_Bounded, HTTPSConnection):
    """Connects to an address that was looked at, never to one that is looked up again."""

    def _new_conn(self) -> Any:
        name, (*others, last) = self._dns_host, _addresses(self._dns_host, self.port)
        try:
            for self._dns_host in others:
                with suppress(NewConnectionError, ConnectTimeoutError):
                    return super()._new_conn()
            self._dns_host = last
            return super()._new_conn()
        finally:
            self._dns_host = name


class _VerifiedPool(HTTPSConnectionPool):
    ConnectionCls = _Verified


class _LocalPool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class Http(Fetch):
    """Asks the API of one source; may be used by several threads at once.

    `endpoints` are stand-ins: the address of an API, such as https://api.example.com, and that of a local service.
    """

    def __init__(self, source: HttpSource, secrets: Secrets, endpoints: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._secrets = secrets
        self._endpoints = dict(endpoints or {})
        self._own = _origin(source.url)
        self._seconds = answer_seconds(source)
        self._pools: dict[str, HTTPConnectionPool] = {}
        self._lock, self._pool_lock = Lock(), Lock()
        self._said: frozenset[str] = frozenset()
        self._token: tuple[str, float] | None = None

    def __enter__(self) -> "Http":
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.close()

    def official(self, url: str) -> str:
        for official, endpoint in self._endpoints.items():
            if _origin(url) in (endpoint, official.replace("https:", "http:", 1)):
                return official + url.removeprefix(_origin(url))
        return url

    def hide(self, text: str) -> str:
        for secret in sorted(self._said, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    def ask(self, request: HttpRequest, *, renew: bool = False) -> HttpAnswer:
        url, headers = request.url, {"Accept": _ACCEPT, "User-Agent": "nightlake"}
        posted = None if request.body is None else request.body.encode()
        if posted is not None:
            headers["Content-Type"] = "application/json"
        headers = {**headers, **{name.title(): value for name, value in request.headers.items()}}
        if _origin(url) == self._own:  # nobody else is told our secrets
            url, headers = self._signed(url, headers, renew=renew)
        method = "GET" if posted is None else "POST"
        limit = self._source.max_answer_bytes
        return self._exchange(method, url, headers, limit=limit, where=told(request), body=posted)

    def _signed(self, url: str, headers: dict[str, str], *, renew: bool) -> tuple[str, dict[str, str]]:
        match self._source.auth:
            case HeaderAuth(name=name, secret=secret):
                return url, {**headers, name: self._key(secret, "key", renew=renew)}
            case QueryAuth(name=name, secret=secret):
                parts = urlsplit(url)
                pair = urlencode({name: self._key(secret, "key", renew=renew)}, quote_via=quote)
                return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, pair))))), headers
            case BearerAuth(secret=secret):
                return url, {**headers, "Authorization": f"Bearer {self._key(secret, 'token', renew=renew)}"}
            case BasicAuth(secret=secret):
                return url, {**headers, "Authorization": f"Basic {self._pair(secret, renew=renew)}"}
            case OAuth2Auth() as auth:
                return url, {**headers, "Authorization": f"Bearer {self._access_token(auth, renew=renew)}"}
            case _:
                return url, headers

    def _key(self, name: str, field: str, *, renew: bool) -> str:
        """The text of a secret, or that field of its JSON."""
        with self._lock:
            text = self._secrets.read(name, again=renew)
        key = _usable(name, field, _field(text, field) or text)
        self._remember(key)
        return key

    def _pair(self, name: str, *, renew: bool) -> str:
        """User and password of a secret as they are sent; either may be empty, as some APIs want only a key."""
        with self._lock:
            text = self._secrets.read(name, again=renew) or ""
        user, password = (_field(text, field) for field in ("username", "password"))
        whole = user is None and password is None and not text.lstrip().startswith("{")
        said = text.strip() if whole else f"{user or ''}:{password or ''}"
        if ":" not in said or said == ":" or not said.isprintable():
            raise ApiUnauthorizedError(
                f"The secret '{name}' is not there or has no username and password in one line; put it there"
            )
        user, _, password = said.partition(":")
        for part in (said, password or user):  # a name is no secret, and may well be in the records
            self._remember(part)
        pair = b64encode(said.encode()).decode()
        self._remember(pair)
        return pair

    def _remember(self, secret: str) -> None:
        if len(secret) >= _SHORTEST_HIDDEN and not secret.isdigit():
            self._said = self._said | {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]}

    def _access_token(self, auth: OAuth2Auth, *, renew: bool) -> str:
        with self._lock:
            if renew or self._token is None or self._token[1] <= monotonic():
                self._token = self._granted(auth, renew=renew)
            return self._token[0]

    def _granted(self, auth: OAuth2Auth, *, renew: bool) -> tuple[str, float]:
        """A new access token, and until when it is used."""
        text = self._secrets.read(auth.secret, again=renew)
        client = _usable(auth.secret, "client_id", _field(text, "client_id"))
        secret = _usable(auth.secret, "client_secret", _field(text, "client_secret"))
        self._remember(secret)
        form = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {}) | auth.parameters
        answer = self._ask_for_token(auth, {"client_id": client, "client_secret": secret, **form}, {})
        if answer.status in _NO_CLIENT:  # the other way to say who asks, RFC 6749, 2.3.1
            pair = b64encode(f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()).decode()
            self._remember(pair)
            answer = self._ask_for_token(auth, form, {"Authorization": f"Basic {pair}"})
        host = urlsplit(auth.token_url).hostname
        if answer.status == _TOO_MANY or answer.status >= _SERVER_ERROR:
            raise ApiUnavailableError(f"{host}, which gives tokens, answers {answer.status}; it is tried again")
        try:
            told = json.loads(answer.body)
            token, life = told["access_token"], _life(told.get("expires_in"))
        except (ValueError, KeyError, TypeError, AttributeError):
            token, life = None, 0.0
        if answer.status not in _OK or not isinstance(token, str) or not token.isprintable() or not token.isascii():
            raise ApiUnauthorizedError(
                f"{host} gives no token for the client of secret '{auth.secret}' (it answers {answer.status}); renew it"
            )
        self._remember(token)
        return token, monotonic() + max(life - _MARGIN_SECONDS, life / 2)

    def _ask_for_token(self, auth: OAuth2Auth, form: Mapping[str, str], headers: Mapping[str, str]) -> HttpAnswer:
        return self._exchange(
            "POST",
            auth.token_url,
            {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded", **headers},
            limit=_TOKEN_BYTES,
            where=f"https://{urlsplit(auth.token_url).hostname}, which gives tokens,",
            body=urlencode(form).encode(),
        )

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], *, limit: int, where: str, body: bytes | None = None
    ) -> HttpAnswer:
        """One request and its answer; no error tells the address, which may hold a secret."""
        timeout = self._source.timeout_seconds
        until = monotonic() + self._seconds
        pool, target = self._pool(url), url.removeprefix(_origin(url))
        try:
            answer = pool.urlopen(
                method,
                target if target.startswith("/") else f"/{target}",
                body=body,
                headers={**headers, "Accept-Encoding": "gzip, deflate", "Host": urlsplit(url).netloc},
                timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, timeout), read=timeout),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            _unavailable(error, where)
        try:
            names = {name.lower(): answer.headers[name] for name in answer.headers}
            pieces = _unpacked(_pieces(answer, until, where), names.get("content-encoding", ""), where=where)
            content = bytearray()
            for piece in pieces:
                content += piece
                if len(content) > limit:
                    raise AnswerTooLargeError(
                        f"{where} answers more than {limit:,} bytes; ask for smaller pages, or raise max_answer_bytes"
                    )
        except (HTTPError, OSError) as error:
            _broken(error, where)
        else:
            answer.release_conn()
            return HttpAnswer(answer.status, names, bytes(content))
        finally:
            answer.close()

    def _pool(self, url: str) -> HTTPConnectionPool:
        origin = _origin(url)
        with self._pool_lock:
            if origin not in self._pools:
                self._pools[origin] = _new_pool(self._endpoints.get(origin, origin), self._endpoints, self._seconds)
            return self._pools[origin]


def _origin(url: str) -> str:
    """The beginning of an address: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _new_pool(origin: str, endpoints: Mapping[str, str], seconds: float) -> HTTPConnectionPool:
    parts = urlsplit(origin)
    if parts.scheme == "https":
        return _VerifiedPool(str(parts.hostname), parts.port, maxsize=16, answer_seconds=seconds)
    if origin not in endpoints.values():
        raise HostNotAllowedError(f"{origin} is not https; nothing is asked in clear text")
    return _LocalPool(str(parts.hostname), parts.port, maxsize=16, answer_seconds=seconds)


def _usable(name: str, field: str, key: str | None) -> str:
    key = (key or "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ApiUnauthorizedError(
            f"The secret '{name}' is not there or has no {field} in one line of ASCII; put it there"
        )
    return key


def _life(said: object) -> float:
    """For how many seconds a token can be used, as it says; the usual ones where it does not."""
    try:
        life = float(said)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return _LIFE_SECONDS
    return life if life > 0 else _LIFE_SECONDS


def _field(text: str | None, name: str) -> str | None:
    """A field of a secret that is a JSON object."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else None


def _pieces(answer: urllib3.BaseHTTPResponse, until: float, where: str) -> Iterator[bytes]:
    """What comes, as it comes: a slow answer must not come for ever."""
    while piece := answer.read1(_CHUNK, decode_content=False):
        yield piece
        if monotonic() > until:
            raise ApiUnavailableError(f"{where} answers too slowly to end in time; it is tried again")


def _unpacked(pieces: Iterator[bytes], encoding: str, *, where: str) -> Iterator[bytes]:
    """The bytes of a body, a bounded piece at a time however well they were packed."""
    match encoding.strip().lower():
        case "" | "identity":
            return pieces
        case "gzip" | "x-gzip":
            return _inflated(pieces, lambda _first: zlib.MAX_WBITS | 16, where)
        case "deflate":  # some leave out the header of zlib
            return _inflated(
                pieces, lambda first: zlib.MAX_WBITS if first & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS, where
            )
        case other:
            raise AnswerNotJsonError(
                f"{where} answers in the encoding {other!r}, nobody asked for; ask the API's owner"
            )


def _inflated(pieces: Iterator[bytes], bits: Callable[[int], int], where: str) -> Iterator[bytes]:
    """`bits` says by its first byte how a body is packed; one of gzip may have several members."""
    unpacker, rest = None, b""
    try:
        for piece in pieces:
            rest += piece
            while rest:
                if unpacker is None or (unpacker.eof and rest.startswith(_GZIP)):
                    unpacker = zlib.decompressobj(bits(rest[0]))
                elif unpacker.eof:
                    rest = rest if _GZIP.startswith(rest) else b""  # behind the end some fill up with zeros
                    break
                yield unpacker.decompress(rest, _CHUNK)
                rest = unpacker.unconsumed_tail or unpacker.unused_data
    except zlib.error as error:
        raise AnswerTruncatedError(f"{where} answers what is packed wrongly ({error}); it is tried again") from None
    if unpacker is not None and not unpacker.eof:
        raise AnswerTruncatedError(f"{where} ends in the middle of what it packed; it is tried again")


def _unavailable(error: HTTPError, where: str) -> NoReturn:
    """Without `from`: errors of urllib3 may carry the address, and a log tells of every cause."""
    if isinstance(error, SSLError):
        raise ApiUnavailableError(f"{where} shows no certificate that can be verified; it is tried again") from None
    raise ApiUnavailableError(f"{where} does not answer ({type(error).__name__}); it is tried again") from None


def _broken(error: Exception, where: str) -> NoReturn:
    if isinstance(error, IncompleteRead | InvalidChunkLength | ProtocolError):
        raise AnswerTruncatedError(f"{where} ends before its end ({type(error).__name__}); it is tried again") from None
    raise ApiUnavailableError(f"{where} stops in the middle ({type(error).__name__}); it is tried again") from None
