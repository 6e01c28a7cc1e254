"""What a source says whose rows an HTTP API answers, as written in pipeline.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from nightlake.core.frozen import Frozen
from nightlake.core.source import Deadline, TextValues

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


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


class OAuth2Auth(Frozen):
    """A token that is asked for with client credentials (RFC 6749, 4.4), and asked for again when it has expired."""

    by: Literal["oauth2"]
    token_url: str = Field(min_length=1, description="Where tokens are given.")
    secret: str = Field(min_length=1, description="The secret whose JSON has `client_id` and `client_secret`.")
    scope: str = Field("", description="The scope that is asked for, if any.")


Auth = Annotated[HeaderAuth | QueryAuth | BearerAuth | OAuth2Auth, Field(discriminator="by")]


class Pages(Frozen):
    """What all ways of paging say."""

    limit: int = Field(100_000, ge=1, description="More pages than this are an error, and no answer without an end.")


class NumberedPages(Pages):
    """Pages by number, as in `?page=2&size=100`."""

    by: Literal["page"]
    page: str = Field("page", min_length=1, description="The query parameter of the page's number.")
    first: int = Field(1, ge=0, description="The number of the first page.")
    size_parameter: str | None = Field(None, description="The query parameter of the page's size, where there is one.")
    size: int = Field(100, ge=1, description="Records a page.")
    total: str | None = Field(None, description="Dotted path of the number of all records in an answer.")
    pages: str | None = Field(None, description="Dotted path of the number of all pages in an answer.")


class OffsetPages(Pages):
    """Pages by offset, as in `?offset=200&limit=100`."""

    by: Literal["offset"]
    offset: str = Field("offset", min_length=1, description="The query parameter of the first record's number.")
    size_parameter: str = Field("limit", min_length=1, description="The query parameter of the page's size.")
    size: int = Field(100, ge=1, description="Records a page.")
    total: str | None = Field(None, description="Dotted path of the number of all records in an answer.")


class CursorPages(Pages):
    """Each answer names the next page by a token."""

    by: Literal["cursor"]
    parameter: str = Field(min_length=1, description="The query parameter of the token.")
    next: str = Field(min_length=1, description="Dotted path of the token in an answer; missing or null ends.")


class LinkedPages(Pages):
    """Each answer has the next page's address: in its Link header (RFC 8288), or in its body."""

    by: Literal["link"]
    next: str | None = Field(None, description="Dotted path of the address in an answer; without it, the Link header.")


AnyPages = Annotated[NumberedPages | OffsetPages | CursorPages | LinkedPages, Field(discriminator="by")]


class HttpSource(TextValues):
    """Rows that an HTTP API answers with, as JSON.

    The texts of `url`, `query` and `headers` may hold `{date:%Y-%m-%d}`, `{date+1:...}` (days later) and the names of
    an item of `each`. A column's source name is a dotted path in a record; `$.path` is one in the whole answer, and
    `$request.name` a value of the item of `each` that was asked for.
    """

    from_: Literal["http"] = Field(alias="from", description="The kind of source.")
    url: str = Field(pattern=r"^https://", description="What is asked, without its query.")
    query: dict[str, str] = Field({}, description="The query's parameters.")
    headers: dict[str, str] = Field({}, description="More headers of every request.")
    each: tuple[dict[Name, str | int | float], ...] = Field(
        (), description="Asked once for each of these (with all pages): names and values that the texts above mention."
    )
    auth: Auth | None = Field(None, description="How the API knows us.")
    pages: AnyPages | None = Field(None, description="How an answer is continued; without it, one answer is all.")
    records: str = Field("", description="Dotted path of the records in an answer; the whole answer when empty.")
    layout: Literal["rows", "columns"] = Field(
        "rows",
        description="Whether the records are a list of objects (or one object), or an object of lists of equal length.",
    )
    more_hosts: tuple[str, ...] = Field((), description="Hosts besides that of `url` to which a next page may lead.")
    requests_per_second: float = Field(5.0, gt=0, le=1000, description="At most so many requests begin in a second.")
    connections: int = Field(1, ge=1, le=16, description="So many numbered pages are asked for at once.")
    timeout_seconds: float = Field(30.0, gt=0, le=300, description="Without a byte for so long, an answer is given up.")
    max_answer_bytes: int = Field(32 << 20, ge=1 << 10, le=128 << 20, description="A larger answer is refused.")
    ready: Deadline = Field(Deadline(), description="How long the night waits for an API that is not.")
