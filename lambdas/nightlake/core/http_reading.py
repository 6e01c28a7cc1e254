"""What one answer of an API has: its records, in one part or several, and what it says of other pages."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nightlake.core.header import check_header
from nightlake.core.http_answer import Answer, Span, exact, find
from nightlake.core.http_columns import HttpColumns
from nightlake.core.http_pages import told_by_headers, value_paths
from nightlake.core.http_paging import CursorPages
from nightlake.core.http_records import items
from nightlake.core.http_source import HttpSource

_HEX: Final = 16


@dataclass(frozen=True)
class Part:
    """An answer, or one of those that are in it: its text, and what was found there."""

    text: str
    found: Answer


@dataclass(frozen=True)
class Reading:
    """One answer: `found` says what pages go by, `parts` have the records."""

    text: str
    found: Answer
    parts: tuple[Part, ...]

    @property
    def records(self) -> int:
        """So many in all parts."""
        return sum(part.found.count for part in self.parts)

    def keys(self, path: str) -> tuple[str, ...]:
        """Digests of what stands at the path in each record (or answer, where it is split) that has something there."""
        from nightlake.core.readers.json_record import find as value_at

        span = self.found.records
        spans = items(self.text, span.start) if span.kind == "list" else iter([(span.start, span.end)] * span.count)
        records = (exact(self.text[start:end]) for start, end in spans)
        values = (value_at(record, path) for record in records if isinstance(record, dict))
        return tuple(digest(json.dumps(value, default=str)) for value in values if value is not None)

    @property
    def lacks_records(self) -> bool:
        """Whether null stands where they should be."""
        return any(found.records.kind == "null" for found in (self.found, *(part.found for part in self.parts)))


def digest(text: str) -> str:
    """A short name of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX]


NOTHING = Reading("", Answer(Span(0, 0, 0, "null"), {}, {}), (Part("", Answer(Span(0, 0, 0, "null"), {}, {})),))


def read_answer(
    source: HttpSource, columns: HttpColumns, text: str, headers: Mapping[str, str], *, where: str
) -> Reading:
    """Look through an answer with these headers.

    Raises AnswerNotJsonError, AnswerTruncatedError, AnswerShapeError, ApiRefusedError for one that says that it is an
    error, or HeaderMismatchError for columns that are not those of the dataset.
    """
    found = find(
        text,
        records=source.records if source.split is None else source.split,
        layout=source.layout if source.split is None else "rows",
        values=value_paths(source),
        last=source.pages.last if isinstance(source.pages, CursorPages) else None,
        optional=source.records_optional,
        error=source.error,
        where=where,
    )
    parts = (Part(text, found),) if source.split is None else tuple(_parts(source, text, found.records, where))
    for part in parts:
        if part.found.names or (source.layout == "columns" and part.found.records.kind == "object"):
            check_header(part.found.names, columns.source, columns.dataset, where=where)
    return Reading(text, replace(found, values={**found.values, **told_by_headers(source, headers)}), parts)


def _parts(source: HttpSource, text: str, span: Span, where: str) -> Iterator[Part]:
    """The answers in an answer."""
    spans = {"list": items(text, span.start), "object": iter([(span.start, span.end)]), "null": iter(())}
    for number, (start, end) in enumerate(spans[span.kind], 1):
        part = text[start:end]
        found = find(
            part,
            records=source.records,
            layout=source.layout,
            optional=source.records_optional,
            where=f"{where}, answer {number} at {source.split or 'its top'!r}",
        )
        yield Part(part, found)
