"""How an API's answers are continued, as written in pipeline.yaml."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nightlake.core.frozen import Frozen
from nightlake.core.http_types import Path, Said


class Pages(Frozen):
    """What all ways of paging say.

    Where an answer says it, it is a dotted path in the answer, or `$header.` and the name of a header.
    """

    total: Said | None = Field(
        None,
        description="Where an answer says how many records all pages have together (they must be as many), or with "
        "`split` how many answers: a dotted path, or `$header.` and the name of a header.",
    )
    more: Said | None = Field(None, description="Where it says true as long as pages follow.")
    done: Said | None = Field(None, description="Where it says true once no page follows.")
    limit: int = Field(100_000, ge=1, description="More pages than this are an error, and no answer without an end.")

    @property
    def paths(self) -> tuple[str, ...]:
        """Where answers say what is needed to go on."""
        return tuple(path for path in (self.total, self.more, self.done) if path is not None)

    @model_validator(mode="after")
    def _says_its_end_once(self) -> "Pages":
        if self.more and self.done:
            raise ValueError("`more` and `done` say the same: keep one")
        return self


class NumberedPages(Pages):
    """Pages by number, as in `?page=2&size=100`.

    Where answers say neither `total`, `pages`, `more` nor `done`, the first page without records is the end, or one
    that is not found.
    """

    by: Literal["page"]
    page: str = Field("page", min_length=1, description="The query parameter of the page's number.")
    first: int = Field(1, ge=0, description="The number of the first page.")
    size_parameter: str | None = Field(None, description="The query parameter of the page's size, where there is one.")
    size: int = Field(100, ge=1, description="Records a page.")
    pages: Said | None = Field(None, description="Where an answer says how many pages there are.")
    key: Path | None = Field(
        None,
        description="Dotted path of what tells records apart (with `split` answers). The last page is asked for before "
        "all others and after them: unless both have the same keys, and no page has one of the page before, records "
        "have moved, and all pages are read anew.",
    )

    @property
    def paths(self) -> tuple[str, ...]:
        return (*super().paths, *((self.pages,) if self.pages else ()))

    @model_validator(mode="after")
    def _knows_its_last_page(self) -> "NumberedPages":
        if self.key and not (self.total or self.pages):
            raise ValueError("`key` needs `total` or `pages`, which say what the last page is: write one")
        return self


class OffsetPages(Pages):
    """Pages by offset, as in `?offset=200&limit=100`; without a `total`, one without records is the end."""

    by: Literal["offset"]
    offset: str = Field("offset", min_length=1, description="The query parameter of the first record's number.")
    first: int = Field(0, ge=0, description="The number of the very first record.")
    size_parameter: str = Field("limit", min_length=1, description="The query parameter of the page's size.")
    size: int = Field(100, ge=1, description="Records a page.")


class CursorPages(Pages):
    """Each answer names the next page by a token, or its last record does."""

    by: Literal["cursor"]
    parameter: str = Field(min_length=1, description="The query parameter of the token.")
    next: Said | None = Field(
        None, description="Where an answer has the token; missing, null or empty, it was the last."
    )
    last: Path | None = Field(
        None,
        description="Dotted path of the token in the last record, instead; a page without records is the end, unless "
        "`more` or `done` says so.",
    )

    @property
    def paths(self) -> tuple[str, ...]:
        return (*super().paths, *((self.next,) if self.next else ()))

    @model_validator(mode="after")
    def _has_one_token(self) -> "CursorPages":
        if (self.next is None) == (self.last is None):
            raise ValueError("a cursor is found at `next` in an answer, or at `last` in its last record: write one")
        return self


class LinkedPages(Pages):
    """Each answer has the next page's address: in its Link header (RFC 8288), or in its body."""

    by: Literal["link"]
    next: Path | None = Field(
        None,
        description="Dotted path in an answer of the address, of an object with it as `href` or `url`, or of a list of "
        "such, of which one has the `rel` or `relation` next; without it, the Link header.",
    )

    @property
    def paths(self) -> tuple[str, ...]:
        return (*super().paths, *((self.next,) if self.next else ()))


AnyPages = Annotated[NumberedPages | OffsetPages | CursorPages | LinkedPages, Field(discriminator="by")]
