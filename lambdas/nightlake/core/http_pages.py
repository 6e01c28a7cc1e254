"""How an API's answers are continued: the address of the next page, and when there is none."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from nightlake.core import http_text
from nightlake.core.errors import AnswerShapeError, HostNotAllowedError, TotalChangedError
from nightlake.core.frozen import Frozen
from nightlake.core.http_answer import Answer
from nightlake.core.http_source import CursorPages, HttpSource, LinkedPages, NumberedPages, OffsetPages, QueryAuth

_HTTPS: Final = 443
_LINK: Final = re.compile(r"<([^<>]*)>((?:[^,\"<]|\"(?:[^\"\\]|\\.)*\")*)")
_RELATION: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


class Trail(Frozen):
    """How far one item of `each` was read: `page` pages of `records` records; `next` is the address of the next page.

    `total` and `last` are the numbers of all records and all pages, where answers say them; `seen` are digests of the
    records of every page, `asked` of the addresses of those that another page leads to.
    """

    item: int = 0
    page: int = 0
    records: int = 0
    total: int | None = None
    last: int | None = None
    next: str | None = None
    seen: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


def first_url(source: HttpSource, day: date, item: Mapping[str, str | int | float]) -> str:
    """The address of an item's first page."""
    query = {name: http_text.filled(value, day, item) for name, value in source.query.items()}
    url = http_text.filled(source.url, day, item, quote=lambda value: quote(value, safe=""))
    match source.pages:
        case NumberedPages(page=page, first=number, size_parameter=parameter, size=size):
            query |= {page: str(number)} | ({} if parameter is None else {parameter: str(size)})
        case OffsetPages(offset=offset, size_parameter=parameter, size=size):
            query |= {offset: "0", parameter: str(size)}
    return f"{url}?{_encoded(query)}" if query else url


def numbered_url(pages: NumberedPages, url: str, page: int) -> str:
    """The address of the page of that number, counted from 1; `url` is that of any other."""
    return with_parameters(url, {pages.page: str(pages.first + page - 1)})


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

    Raises HostNotAllowedError unless it is https, and of the host of `url` or one of `more_hosts`.
    """
    url = official(urljoin(base, found.strip()))
    try:
        parts = urlsplit(url)
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
    match source.pages:
        case NumberedPages(total=total, pages=pages):
            found = (total, pages)
        case OffsetPages(total=total):
            found = (total, None)
        case CursorPages(next=path) | LinkedPages(next=path):
            found = (path, None)
        case _:
            found = (None, None)
    return tuple(path for path in found if path is not None)


def counted(source: HttpSource, trail: Trail, answer: Answer, *, where: str) -> Trail:
    """The trail with what this answer says of all records and all pages.

    Raises AnswerShapeError when the first answer does not say what it should, TotalChangedError when this one says
    other than the one before.
    """
    match source.pages:
        case NumberedPages(total=total_path, pages=pages_path):
            total, last = (_number(path, answer, trail, where) for path in (total_path, pages_path))
        case OffsetPages(total=total_path):
            total, last = _number(total_path, answer, trail, where), None
        case _:
            return trail
    for name, before, after in (("records", trail.total, total), ("pages", trail.last, last)):
        declared = name == "records" or (isinstance(source.pages, NumberedPages) and source.pages.pages)
        if trail.page and declared and None not in (before, after) and before != after:
            raise TotalChangedError(f"{where} says that there are {after:,} {name}, the one before said {before:,}")
    if isinstance(source.pages, NumberedPages) and not trail.page and last is None and total is not None:
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
    number = Decimal(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(number, Decimal) or number != number.to_integral_value() or not 0 <= number < 1 << 53:
        raise AnswerShapeError(f"{where} has no whole number at {path!r}; mend `pages`, or ask the API's owner")
    return int(number)


def next_url(
    source: HttpSource,
    trail: Trail,
    answer: Answer,
    *,
    url: str,
    links: str,
    official: Callable[[str], str],
    where: str,
) -> str | None:
    """The address of the page after this answer of `url`; None after the last one. `trail` counts this answer.

    `links` is its Link header. Raises AnswerShapeError for a token or address that is none, HostNotAllowedError.
    """
    match source.pages:
        case NumberedPages() as pages:
            more = trail.page < trail.last if trail.last is not None else answer.count > 0
            return numbered_url(pages, url, trail.page + 1) if more else None
        case OffsetPages(offset=offset):
            more = answer.count > 0 and (trail.total is None or trail.records < trail.total)
            return with_parameters(url, {offset: str(trail.records)}) if more else None
        case CursorPages(parameter=parameter, next=path):
            token = _token(answer.values.get(path), path, where)
            return None if token is None else with_parameters(url, {parameter: token})
        case LinkedPages(next=path):
            found = _linked(links) if path is None else _token(answer.values.get(path), path, where)
            return None if found is None else allowed(source, url, found, official=official)
        case _:
            return None


def _token(value: object, path: str, where: str) -> str | None:
    if value is None or value is False or value == "":
        return None
    if isinstance(value, str | Decimal):
        return str(value)
    raise AnswerShapeError(f"{where} has no text at {path!r}, which should lead to the next page; mend `pages`")


def _linked(header: str) -> str | None:
    """The address of relation `next` in a Link header."""
    for link in _LINK.finditer(header):
        relation = _RELATION.search(link[2])
        if relation is not None and "next" in (relation[1] or relation[2]).lower().split():
            return link[1]
    return None
