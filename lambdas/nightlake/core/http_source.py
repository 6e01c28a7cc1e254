"""What a source says whose rows an HTTP API answers, as written in pipeline.yaml."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Final, Literal

from pydantic import Field, JsonValue, model_validator

from nightlake.core import http_text
from nightlake.core.http_auth import Auth, HeaderAuth, OAuth2Auth, QueryAuth
from nightlake.core.http_paging import AnyPages, CursorPages, NumberedPages, OffsetPages
from nightlake.core.http_records import KEY, POSITION, VALUE, Layout
from nightlake.core.http_types import (
    CONTROL,
    HEADER,
    TOKEN,
    EmptyStatus,
    Host,
    Name,
    Path,
    PathOrTop,
    Texts,
    Url,
    dotted,
)
from nightlake.core.source import Deadline, TextValues

REQUEST: Final = "$request."  # before the name of a value that was asked for, as a column's source
ANSWER: Final = "$."  # before a path in the whole answer

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


_BESIDE: Final = {"keyed": (KEY, VALUE), "values": (POSITION, VALUE)}  # what a record is called and knows, by layout


class HttpSource(TextValues):
    """Rows that an HTTP API answers with, as JSON.

    The texts of `url`, `query`, `body` and `headers` may hold `{date:%Y-%m-%d}`, `{date+1:...}` (days later) and the
    names of an item of `each`. A column's source name is a dotted path in a record; `$.path` is one in the whole
    answer, and `$request.name` a value of the item of `each` that was asked for. With `layout: keyed` the name of a
    record is `$key`, and `$value` the record where it is no object; with `arrays` the names are places, from 0; with
    `values` the place is `$position`, and the record `$value`.
    """

    from_: Literal["http"] = Field(alias="from", description="The kind of source.")
    url: Url = Field(description="What is asked, https, without its query.")
    query: dict[str, Texts] = Field(
        {}, description="The query's parameters; one with a list of values stands there once for each."
    )
    body: dict[str, JsonValue] | None = Field(
        None,
        description="Posted, as JSON, to an API that is asked so; what writes may not be asked. A text that is nothing "
        "but the place of a number becomes the number. The parameters of `pages` are dotted paths in it.",
    )
    headers: dict[str, str] = Field({}, description="More headers of every request.")
    each: tuple[dict[Name, str | int | float], ...] = Field(
        (), description="Asked once for each of these (with all pages): names and values that the texts above mention."
    )
    auth: Auth | None = Field(
        None, description="How the API knows us. Nothing of it goes to another host than that of `url`."
    )
    pages: AnyPages | None = Field(None, description="How an answer is continued; without it, one answer is all.")
    split: PathOrTop | None = Field(
        None,
        description="Dotted path of a list of answers in one (the top when empty), such as days that have hours, or "
        "places that have columns: `records` and `$.path` are looked for in each.",
    )
    records: PathOrTop = Field("", description="Dotted path of the records in an answer; the whole answer when empty.")
    layout: Layout = Field(
        "rows",
        description="Whether the records are a list of objects (or one object), an object of lists of equal length, an "
        "object of records, a list of lists, one whose first list has names, a list of plain values, or the whole "
        "answer a record a line.",
    )
    records_optional: bool = Field(
        False, description="Whether an answer without `records`, or with null there, has none; else that is an error."
    )
    empty_statuses: tuple[EmptyStatus, ...] = Field(
        (), description="Statuses, such as 404, that say that a day has no records."
    )
    error: Path | None = Field(
        None,
        description="Dotted path of what only an answer has that is an error, whatever its status: anything but null, "
        "false, 0 and what is empty.",
    )
    more_hosts: tuple[Host, ...] = Field(
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
        yield from self._faults_of_headers()
        yield from self._faults_of_parameters()
        yield from self._faults_of_columns()
        yield from self._faults_of_items()
        yield from self._faults_of_lines()
        yield from self._faults_of_split()
        if self.connections > 1 and not (
            isinstance(self.pages, NumberedPages) and (self.pages.total or self.pages.pages)
        ):
            yield "connections: only numbered pages with `total` or `pages` can be asked for at once: remove it"

    def _faults_of_lines(self) -> Iterator[str]:
        within = [path for path in (self.pages.paths if self.pages else ()) if not path.startswith(HEADER)]
        within += [mapping.source for mapping in self.columns if mapping.source.startswith(ANSWER)]
        for path in (self.records, self.error, *within):
            if self.layout == "lines" and path:
                yield f"{path!r} is looked for in one JSON text, an answer of lines has many: remove it"
        if (
            isinstance(self.pages, CursorPages)
            and self.pages.last
            and self.layout in ("columns", "keyed", "arrays", "table", "values")
        ):
            yield "pages: only a list of objects has a last record: write where the answer has the token as `next`"

    def _faults_of_split(self) -> Iterator[str]:
        if self.split is not None and self.layout == "lines":
            yield "split: an answer of lines has no list of answers: remove it"
        keyed = isinstance(self.pages, NumberedPages) and self.pages.key is not None
        if keyed and self.split is None and self.layout != "rows":
            yield "pages: only a list of objects has keys: remove `key`"

    def _faults_of_headers(self) -> Iterator[str]:
        for name, value in self.headers.items():
            if not TOKEN.fullmatch(name) or CONTROL.search(value) or not value.isascii():
                yield f"{name!r} is no header: write a name of letters and hyphens, and a value of ASCII in one line"
            elif name.lower() in _OURS:
                yield f"the header {name!r} is set by whoever asks: remove it"
        names = [name.lower() for name in self.headers]
        if len(set(names)) < len(names):
            yield "a header stands twice in `headers`, as upper and lower case mean the same: keep one"
        if isinstance(self.auth, HeaderAuth) and (
            not TOKEN.fullmatch(self.auth.name) or self.auth.name.lower() in {*names, *_OURS}
        ):
            yield f"{self.auth.name!r} is no header that `auth` can set: write another, or remove it from `headers`"

    def _faults_of_parameters(self) -> Iterator[str]:
        more = self.auth.parameters if isinstance(self.auth, OAuth2Auth) else {}
        for name in (*self.query, *self.headers, *more, *_names(self.body)):
            if _SECRET.search(name):
                yield f"{name!r} looks like a secret, which no file may hold: put it into a secret and declare `auth`"
        paging = () if self.body is not None else self._paging
        for path in self._paging:
            if self.body is not None and not _has_room(self.body, path):
                yield f"{path!r} is no place in `body`: write an object where it goes through what is none"
        for name in sorted({*paging} & {*self.query}):
            yield f"the parameter {name!r} is that of `pages`: remove it from `query`"
        if isinstance(self.auth, QueryAuth) and self.auth.name in (*self.query, *paging):
            yield f"the parameter {self.auth.name!r} is that of `auth`: remove the other one"

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
            if path in _BESIDE.get(self.layout, ()):
                continue
            if self.layout == "values" and not path.startswith((REQUEST, ANSWER)):
                yield f"{path!r} is in no list of values: write {VALUE} for the value, {POSITION} for its place"
            if path.startswith("$") and not path.startswith((REQUEST, ANSWER)):
                yield f"{path!r} is no place: write $.path for one in the answer, $request.name for what was asked"
            elif path.startswith(ANSWER):
                try:
                    dotted(path.removeprefix(ANSWER))
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
            yield (
                f"{{{unknown[0]}}} is in no item of `each`: add it there, or write {{{{ and }}}} for braces, "
                "{date:%Y-%m-%d} for the day"
            )
        elif idle := sorted(known - mentioned):
            yield f"{idle[0]!r} of `each` is mentioned in no url, query, header or column: mention it, or remove it"
        elif strange := [text for text in self.headers.values() for item in self.each if not _fits_header(text, item)]:
            yield f"the header {strange[0]!r} would not be ASCII in one line for every item of `each`: mend the items"
        elif len({tuple(sorted(item.items(), key=lambda pair: pair[0])) for item in self.each}) < len(self.each):
            yield "an item stands twice in `each`, and its rows would come twice: keep one"

    @property
    def _texts(self) -> tuple[str, ...]:
        values = chain.from_iterable(self.query.values())
        return (self.url, *values, *self.headers.values(), *_texts(self.body))


def _has_room(body: JsonValue, path: str) -> bool:
    """Whether something can be put there."""
    for step in path.split(".")[:-1]:
        body = body.get(step, {}) if isinstance(body, dict) else None
    return isinstance(body, dict) and "" not in path.split(".")


def _names(value: JsonValue) -> Iterator[str]:
    """All names of objects in a value of JSON."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(inner)


def _texts(value: JsonValue) -> Iterator[str]:
    """All texts in a value of JSON."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def _fits_header(text: str, item: Mapping[str, str | int | float]) -> bool:
    value = http_text.filled(text, date(2000, 1, 1), item)
    return value.isascii() and not CONTROL.search(value)
