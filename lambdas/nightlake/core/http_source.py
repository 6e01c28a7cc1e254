"""What a source says whose rows an HTTP API answers, as written in pipeline.yaml."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from nightlake.core import http_text
from nightlake.core.frozen import Frozen
from nightlake.core.source import Deadline, TextValues

REQUEST: Final = "$request."  # before the name of a value that was asked for, as a column's source
ANSWER: Final = "$."  # before a path in the whole answer

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
_SECRET: Final = re.compile(
    r"(api|app|access|auth|secret|private|bearer|client)[-_]?(key|token|secret|id_?token)|(^|[-_])(passw(or)?d|secret|token)$"
    r"|authorization|cookie|signature",
    re.IGNORECASE,
)
_HOST: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def _address(url: str) -> str:
    """An https address of a host, without what does not belong there."""
    if _CONTROL.search(url) or " " in url:
        raise ValueError("an address has no blanks and no line ends: remove them")
    if not url.startswith("https://"):
        raise ValueError(f"{url!r} is not https: nothing is asked in clear text")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{url!r} is no address: write https://host/path") from None
    if "{" in parts.netloc or parts.hostname is None or not _HOST.fullmatch(parts.hostname.lower()):
        raise ValueError(f"{parts.netloc!r} is no name of a host: write one such as api.example.com")
    if "@" in parts.netloc:
        raise ValueError("an address holds no user and no password: put them into a secret and declare `auth`")
    if port == 0 or parts.fragment or "#" in url:
        raise ValueError(f"{url!r} has a port or a fragment (#...) that nobody can ask for: remove it")
    return url


def _url(url: str) -> str:
    if "?" in url:
        raise ValueError("the url goes up to its '?': write the parameters under `query`")
    return _address(url)


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no name of a host: write one such as pages.example.com, in lower case")
    return host


def _path(path: str) -> str:
    if path.startswith("$") or any(not step for step in path.split(".")):
        raise ValueError(f"{path!r} is no dotted path: write names of objects with dots between, such as data.items")
    return path


Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Parameter = Annotated[str, Field(min_length=1)]
Path = Annotated[str, AfterValidator(_path)]


class HeaderAuth(Frozen):
    """A key in a header of every request."""

    by: Literal["header"]
    name: str = Field("X-Api-Key", min_length=1, description="The header.")
    secret: str = Field(min_length=1, description="The secret whose text, or whose JSON field `key`, is the key.")


class QueryAuth(Frozen):
    """A key in the query of every request."""

    by: Literal["query"]
    name: str = Field(min_length=1, description="The query parameter.")
    secret: str = Field(min_length=1, description="The secret whose text, or whose JSON field `key`, is the key.")


class BearerAuth(Frozen):
    """A token that does not change: `Authorization: Bearer ...`."""

    by: Literal["bearer"]
    secret: str = Field(min_length=1, description="The secret whose text, or whose JSON field `token`, is the token.")


class BasicAuth(Frozen):
    """A user and a password: `Authorization: Basic ...`."""

    by: Literal["basic"]
    secret: str = Field(
        min_length=1,
        description="The secret whose JSON has `username` and `password`, or whose text is `username:password`; "
        "either may be empty.",
    )


class OAuth2Auth(Frozen):
    """A token that is asked for with client credentials (RFC 6749, 4.4), and asked for again when it has expired."""

    by: Literal["oauth2"]
    token_url: Annotated[str, AfterValidator(_address)] = Field(description="Where tokens are given.")
    secret: str = Field(min_length=1, description="The secret whose JSON has `client_id` and `client_secret`.")
    scope: str = Field("", description="The scope that is asked for, if any.")
    parameters: dict[str, str] = Field(
        {}, description="More that is asked with, such as an `audience`; no secret may stand here."
    )


Auth = Annotated[HeaderAuth | QueryAuth | BearerAuth | BasicAuth | OAuth2Auth, Field(discriminator="by")]


class Pages(Frozen):
    """What all ways of paging say."""

    limit: int = Field(100_000, ge=1, description="More pages than this are an error, and no answer without an end.")


class NumberedPages(Pages):
    """Pages by number, as in `?page=2&size=100`.

    Where answers say neither `total` nor `pages`, the first page without records is the end, or one that is not found.
    """

    by: Literal["page"]
    page: str = Field("page", min_length=1, description="The query parameter of the page's number.")
    first: int = Field(1, ge=0, description="The number of the first page.")
    size_parameter: str | None = Field(None, description="The query parameter of the page's size, where there is one.")
    size: int = Field(100, ge=1, description="Records a page.")
    total: Path | None = Field(None, description="Dotted path of the number of all records in an answer.")
    pages: Path | None = Field(None, description="Dotted path of the number of all pages in an answer.")


class OffsetPages(Pages):
    """Pages by offset, as in `?offset=200&limit=100`; without a `total`, one without records is the end."""

    by: Literal["offset"]
    offset: str = Field("offset", min_length=1, description="The query parameter of the first record's number.")
    size_parameter: str = Field("limit", min_length=1, description="The query parameter of the page's size.")
    size: int = Field(100, ge=1, description="Records a page.")
    total: Path | None = Field(None, description="Dotted path of the number of all records in an answer.")


class CursorPages(Pages):
    """Each answer names the next page by a token."""

    by: Literal["cursor"]
    parameter: str = Field(min_length=1, description="The query parameter of the token.")
    next: Path = Field(description="Dotted path of the token in an answer; missing, null or empty, it was the last.")


class LinkedPages(Pages):
    """Each answer has the next page's address: in its Link header (RFC 8288), or in its body."""

    by: Literal["link"]
    next: Path | None = Field(None, description="Dotted path of the address in an answer; without it, the Link header.")


AnyPages = Annotated[NumberedPages | OffsetPages | CursorPages | LinkedPages, Field(discriminator="by")]


class HttpSource(TextValues):
    """Rows that an HTTP API answers with, as JSON.

    The texts of `url`, `query` and `headers` may hold `{date:%Y-%m-%d}`, `{date+1:...}` (days later) and the names of
    an item of `each`. A column's source name is a dotted path in a record; `$.path` is one in the whole answer, and
    `$request.name` a value of the item of `each` that was asked for.
    """

    from_: Literal["http"] = Field(alias="from", description="The kind of source.")
    url: Annotated[str, AfterValidator(_url)] = Field(description="What is asked, https, without its query.")
    query: dict[str, str] = Field({}, description="The query's parameters.")
    headers: dict[str, str] = Field({}, description="More headers of every request.")
    each: tuple[dict[Name, str | int | float], ...] = Field(
        (), description="Asked once for each of these (with all pages): names and values that the texts above mention."
    )
    auth: Auth | None = Field(
        None, description="How the API knows us. Nothing of it goes to another host than that of `url`."
    )
    pages: AnyPages | None = Field(None, description="How an answer is continued; without it, one answer is all.")
    records: Annotated[str, AfterValidator(lambda path: path and _path(path))] = Field(
        "", description="Dotted path of the records in an answer; the whole answer when empty."
    )
    layout: Literal["rows", "columns"] = Field(
        "rows",
        description="Whether the records are a list of objects (or one object), or an object of lists of equal length.",
    )
    more_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        (), description="Hosts besides that of `url` to which a next page or a redirect may lead."
    )
    requests_per_second: float = Field(5.0, gt=0, le=1000, description="At most so many requests begin in a second.")
    connections: int = Field(1, ge=1, le=16, description="So many numbered pages are asked for at once.")
    timeout_seconds: float = Field(30.0, gt=0, le=300, description="Without a byte for so long, an answer is given up.")
    max_answer_bytes: int = Field(32 << 20, ge=1 << 10, le=64 << 20, description="A larger answer is refused.")
    ready: Deadline = Field(Deadline(), description="How long the night waits for an API that is not.")

    @model_validator(mode="after")
    def _can_be_asked(self) -> "HttpSource":
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        yield from self._faults_of_parameters()
        yield from self._faults_of_columns()
        yield from self._faults_of_items()
        if self.connections > 1 and not (
            isinstance(self.pages, NumberedPages) and (self.pages.total or self.pages.pages)
        ):
            yield "connections: only numbered pages with `total` or `pages` can be asked for at once: remove it"

    def _faults_of_parameters(self) -> Iterator[str]:
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or _CONTROL.search(value) or not value.isascii():
                yield f"{name!r} is no header: write a name of letters and hyphens, and a value of ASCII in one line"
            elif name.lower() in _OURS:
                yield f"the header {name!r} is set by whoever asks: remove it"
        names = [name.lower() for name in self.headers]
        if len(set(names)) < len(names):
            yield "a header stands twice in `headers`, as upper and lower case mean the same: keep one"
        more = self.auth.parameters if isinstance(self.auth, OAuth2Auth) else {}
        for name in (*self.query, *self.headers, *more):
            if _SECRET.search(name):
                yield f"{name!r} looks like a secret, which no file may hold: put it into a secret and declare `auth`"
        for name in sorted({*self._paging} & {*self.query}):
            yield f"the parameter {name!r} is that of `pages`: remove it from `query`"
        if isinstance(self.auth, QueryAuth) and self.auth.name in (*self.query, *self._paging):
            yield f"the parameter {self.auth.name!r} is that of `auth`: remove the other one"
        if isinstance(self.auth, HeaderAuth) and (
            not _HEADER.fullmatch(self.auth.name) or self.auth.name.lower() in {*names, *_OURS}
        ):
            yield f"{self.auth.name!r} is no header that `auth` can set: write another, or remove it from `headers`"

    @property
    def _paging(self) -> tuple[str, ...]:
        match self.pages:
            case NumberedPages(page=first, size_parameter=second):
                return (first,) if second is None else (first, second)
            case OffsetPages(offset=first, size_parameter=second):
                return first, second
            case CursorPages(parameter=first):
                return (first,)
            case _:
                return ()

    def _faults_of_columns(self) -> Iterator[str]:
        for mapping in self.columns:
            path = mapping.source
            if path.startswith("$") and not path.startswith((REQUEST, ANSWER)):
                yield f"{path!r} is no place: write $.path for one in the answer, $request.name for what was asked"
            elif path.startswith(ANSWER):
                try:
                    _path(path.removeprefix(ANSWER))
                except ValueError as error:
                    yield str(error)
            elif self.layout == "columns" and self.records and path.startswith(f"{self.records}."):
                yield f"{path!r} is looked for within {self.records!r}: write the name of the list alone"

    def _faults_of_items(self) -> Iterator[str]:
        try:
            mentioned = {name for text in self._texts for name in http_text.names(text)}
        except ValueError as error:
            yield str(error)
            return
        mentioned |= {
            mapping.source.removeprefix(REQUEST) for mapping in self.columns if mapping.source.startswith(REQUEST)
        }
        known = set(self.each[0]) if self.each else set()
        if any(set(item) != known for item in self.each):
            yield "the items of `each` have not all the same names: let every item have them all"
        elif unknown := sorted(mentioned - known):
            yield f"{{{unknown[0]}}} is in no item of `each`: add it there, or write {{date:%Y-%m-%d}} for the day"
        elif idle := sorted(known - mentioned):
            yield f"{idle[0]!r} of `each` is mentioned in no url, query, header or column: mention it, or remove it"
        elif strange := [text for text in self.headers.values() for item in self.each if not _fits_header(text, item)]:
            yield f"the header {strange[0]!r} would not be ASCII in one line for every item of `each`: mend the items"
        elif len({tuple(sorted(item.items(), key=lambda pair: pair[0])) for item in self.each}) < len(self.each):
            yield "an item stands twice in `each`, and its rows would come twice: keep one"

    @property
    def _texts(self) -> tuple[str, ...]:
        return (self.url, *self.query.values(), *self.headers.values())


def _fits_header(text: str, item: Mapping[str, str | int | float]) -> bool:
    value = http_text.filled(text, date(2000, 1, 1), item)
    return value.isascii() and not _CONTROL.search(value)
