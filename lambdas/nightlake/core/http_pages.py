"""How an API's answers are continued: the address of the next page, and when there is none."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from pydantic import JsonValue

from nightlake.core import http_text
from nightlake.core.errors import AnswerShapeError, HostNotAllowedError, TotalChangedError
from nightlake.core.frozen import Frozen
from nightlake.core.http_answer import Answer
from nightlake.core.http_auth import QueryAuth
from nightlake.core.http_paging import AnyPages, CursorPages, LinkedPages, NumberedPages, OffsetPages, Pages
from nightlake.core.http_source import HttpSource
from nightlake.core.http_text import Value
from nightlake.core.http_types import HEADER

_HTTP: Final = 80
_HTTPS: Final = 443
_DIGITS: Final = 40  # of a number, which is posted as one
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_LINK: Final = re.compile(r"<([^<>]*)>((?:[^,\"<]|\"(?:[^\"\\]|\\.)*\")*)")
_RELATION: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


class Question(NamedTuple):
    """An address, and what is posted there, if anything is."""

    url: str
    body: str | None = None

    def saying(self, parameters: Mapping[str, JsonValue]) -> "Question":
        """The question with these parameters: of its query, or of its body, where they are dotted paths."""
        if self.body is None:
            texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
            return self._replace(url=with_parameters(self.url, texts))
        body = json.loads(self.body)
        for path, value in parameters.items():
            *steps, name = path.split(".")
            inner = body
            for step in steps:
                inner = inner.setdefault(step, {})
            inner[name] = value
        return self._replace(body=json.dumps(body))


class Trail(Frozen):
    """How far one item of `each` was read: `page` pages of `records` records; the next page is at the address `next`.

    What is posted there is `body`. `total` and `last` are the numbers of all records and all pages, where answers say
    them; `seen` are digests of the records of every page, `asked` of the questions that another page leads to. `keys`
    are those of the page before, `final` those that the last page had before any page was read.
    """

    item: int = 0
    page: int = 0
    records: int = 0
    total: int | None = None
    last: int | None = None
    next: str | None = None
    body: str | None = None
    seen: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    final: tuple[str, ...] | None = None


def first_question(source: HttpSource, day: date, item: Mapping[str, Value]) -> Question:
    """What is asked for an item's first page."""
    query = [(name, http_text.filled(text, day, item)) for name, texts in source.query.items() for text in texts]
    url = http_text.filled(source.url, day, item, quote=lambda value: quote(value, safe=""))
    body = None if source.body is None else json.dumps(http_text.filled_json(source.body, day, item))
    return Question(f"{url}?{_encoded(query)}" if query else url, body).saying(_of_first(source.pages))


def _of_first(pages: AnyPages | None) -> Mapping[str, JsonValue]:
    match pages:
        case NumberedPages(page=page, first=number, size_parameter=parameter, size=size):
            return {page: number} | ({} if parameter is None else {parameter: size})
        case OffsetPages(offset=offset, first=number, size_parameter=parameter, size=size):
            return {offset: number, parameter: size}
        case _:
            return {}


def numbered(pages: NumberedPages, question: Question, page: int) -> Question:
    """What is asked for the page of that number, counted from 1; `question` is that of any other."""
    return question.saying({pages.page: pages.first + page - 1})


def with_parameters(url: str, parameters: Mapping[str, str], *, without: frozenset[str] = frozenset()) -> str:
    """The address with these parameters in its query, and none of those in `without`."""
    parts = urlsplit(url)
    if not parameters and not {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} & without:
        return url  # spelled as it came
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in {*parameters} | without]
    return urlunsplit(parts._replace(query=_encoded([*kept, *parameters.items()])))


def _encoded(query: Any) -> str:
    return urlencode(query, quote_via=quote, safe=",:")


def allowed(source: HttpSource, base: str, found: str, *, official: Callable[[str], str]) -> str:
    """The address that an answer leads to, seen from the address `base`, without the parameter of `auth`.

    One in clear text is asked by https: an API behind a proxy may not know better. Raises HostNotAllowedError unless
    it is https then, and of the host of `url` or one of `more_hosts`.
    """
    url = official(urljoin(base, found.strip()))
    try:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.port in (None, _HTTP):
            parts = parts._replace(scheme="https", netloc=parts.netloc.removesuffix(f":{_HTTP}"))
        place = (parts.hostname, parts.port or _HTTPS)
    except ValueError:
        raise HostNotAllowedError(f"An answer of {_host(source.url)} leads to what is no address") from None
    own = urlsplit(source.url)
    mays = {(own.hostname, own.port or _HTTPS), *((host, _HTTPS) for host in source.more_hosts)}
    if parts.scheme != "https" or place not in mays or "@" in parts.netloc:
        raise HostNotAllowedError(
            f"An answer of {_host(source.url)} leads to {parts.scheme}://{parts.hostname}, port {place[1]}; if that is "
            "meant, declare an https host in `more_hosts`"
        )
    secret = frozenset({source.auth.name} if isinstance(source.auth, QueryAuth) else ())
    return with_parameters(urlunsplit(parts._replace(fragment="")), {}, without=secret)


def _host(url: str) -> str:
    return str(urlsplit(url).hostname)


def value_paths(source: HttpSource) -> tuple[str, ...]:
    """What besides its records is read in an answer to go on."""
    return tuple(path for path in (source.pages.paths if source.pages else ()) if not path.startswith(HEADER))


def told_by_headers(source: HttpSource, headers: Mapping[str, str]) -> dict[str, str]:
    """What an answer's headers say of the pages, by where it is declared to be; names of headers are lower case."""
    paths = [path for path in (source.pages.paths if source.pages else ()) if path.startswith(HEADER)]
    names = {path: path.removeprefix(HEADER).lower() for path in paths}
    return {path: headers[name].strip() for path, name in names.items() if name in headers}


def counted(source: HttpSource, trail: Trail, answer: Answer, *, where: str) -> Trail:
    """The trail with what this answer says of all records and all pages.

    Raises AnswerShapeError when the first answer does not say what it should, TotalChangedError when this one says
    other than the one before.
    """
    pages = source.pages
    if pages is None:
        return trail
    told = pages.pages if isinstance(pages, NumberedPages) else None
    total, last = _number(pages.total, answer, trail, where), _number(told, answer, trail, where)
    for name, before, after in (("records", trail.total, total), ("pages", trail.last, last)):
        if (name == "records" or told) and None not in (before, after) and before != after:
            raise TotalChangedError(f"{where} says that there are {after:,} {name}, the one before said {before:,}")
    if isinstance(pages, NumberedPages) and not trail.page and last is trail.last is None and total is not None:
        last = 1 if total <= answer.count or not answer.count else -(-total // answer.count)
    return trail.model_copy(
        update={
            "total": trail.total if total is None else total,
            "last": trail.last if last is None else max(1, last),
        }
    )


def _number(path: str | None, answer: Answer, trail: Trail, where: str) -> int | None:
    if path is None or (trail.page and path not in answer.values):
        return None
    value = answer.values.get(path)
    if path.startswith(HEADER) and isinstance(value, str):
        value = value.rpartition("/")[2]  # Content-Range: items 0-24/300
    number = Decimal(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(number, Decimal) or number != number.to_integral_value() or not 0 <= number < 1 << 53:
        raise AnswerShapeError(f"{where} has no whole number at {path!r}; mend `pages`, or ask the API's owner")
    return int(number)


def next_question(
    source: HttpSource,
    trail: Trail,
    answer: Answer,
    *,
    question: Question,
    links: str,
    official: Callable[[str], str],
    where: str,
) -> Question | None:
    """What is asked after this answer to a question; None after the last one. `trail` counts this answer.

    `links` is its Link header. Raises AnswerShapeError for a token or address that is none, HostNotAllowedError.
    """
    pages = source.pages
    more = None if pages is None or trail.last is not None else _more(pages, answer, where)
    following: Question | None = None
    match pages:
        case NumberedPages():
            more = answer.count > 0 if more is None else more
            if trail.page < trail.last if trail.last is not None else more:
                return numbered(pages, question, trail.page + 1)
            return None
        case OffsetPages(offset=offset, first=first):
            if more is None:
                more = answer.count > 0 and (trail.total is None or trail.records < trail.total)
            following = question.saying({offset: first + trail.records}) if answer.count else None
        case CursorPages(parameter=parameter):
            token = _token(pages, answer, posted=question.body is not None, where=where, ended=more is False)
            more = token is not None if more is None else more
            following = None if token is None else question.saying({parameter: token})
        case LinkedPages(next=path) if more is not False:
            found = _linked(links) if path is None else _address(answer.values.get(path), path, where)
            more = found is not None if more is None else more
            url = None if found is None else allowed(source, question.url, found, official=official)
            following = None if url is None else question._replace(url=url)
    if more and following is None:
        raise AnswerShapeError(f"{where} says that there is more, and nothing that leads there; mend `pages`")
    return following if more else None


def _more(pages: Pages, answer: Answer, where: str) -> bool | None:
    """Whether an answer says that pages follow; None where it is not declared to."""
    for path, means in ((pages.more, True), (pages.done, False)):
        if path is not None:
            flag = _FLAGS.get(str(answer.values.get(path)).lower())
            if flag is None:
                raise AnswerShapeError(f"{where} has neither true nor false at {path!r}; mend `pages`")
            return flag is means
    return None


def _token(pages: CursorPages, answer: Answer, *, posted: bool, where: str, ended: bool) -> JsonValue:
    """What leads to the next page; None where nothing does."""
    if ended or (pages.last and not answer.count):
        return None
    path = pages.next or pages.last
    value = answer.last if pages.last else answer.values.get(str(path))
    if not pages.last and (value is None or value is False or value == ""):
        return None
    if posted and isinstance(value, Decimal | str | list | dict):
        return _plain(value)
    if isinstance(value, Decimal | str):
        return str(value)
    raise AnswerShapeError(f"{where} has no text at {path!r}, which should lead to the next page; mend `pages`")


def _plain(value: Any) -> JsonValue:
    """A value as JSON writes it."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, Decimal):
        if value.adjusted() > _DIGITS:
            return str(value)
        return int(value) if value == value.to_integral_value() else float(value)
    return cast("JsonValue", value)


def _address(value: Any, path: str, where: str) -> str | None:
    """The address of the next page: a text, or what an object or one of a list of links has as such."""
    if isinstance(value, list):
        links = [link for link in value if isinstance(link, dict)]
        value = next((link for link in links if "next" in (link.get("rel"), link.get("relation"))), None)
    if isinstance(value, dict) and ("href" in value or "url" in value):
        value = value.get("href", value.get("url"))
    if value is None or value is False or value == "":
        return None
    if isinstance(value, str):
        return value
    raise AnswerShapeError(f"{where} has no address at {path!r}, which should lead to the next page; mend `pages`")


def _linked(header: str) -> str | None:
    """The address of relation `next` in a Link header."""
    for link in _LINK.finditer(header):
        relation = _RELATION.search(link[2])
        if relation is not None and "next" in (relation[1] or relation[2]).lower().split():
            return link[1]
    return None
