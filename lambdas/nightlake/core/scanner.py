"""Cuts a text object into ranges of whole records and counts them, in one pass that never looks at a field.

It knows of the csv module's dialect only where a record ends, so that its counts can prove what a reader read: a line
end (LF, CRLF or CR) ends a record, unless it stands in a quoted field, and a quoted field begins with a quote that
begins a field.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from nightlake.core.errors import CsvTruncatedError
from nightlake.core.readers.text import UTF_16, texts
from nightlake.core.source import CsvSource, JsonLinesSource

_LINE_END: Final = re.compile(rb"\r\n?|\n")
_CLOSING: Final = re.compile(rb'[^"]*+(?:""[^"]*+)*+"')
_FIELD: Final = b"\0"  # stands for a quoted field where only what is outside matters
_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True)
class Span:
    """The bytes `start` to `end` (exclusive): so many whole records, blank ones included, from the line `line` on."""

    start: int
    end: int
    records: int
    line: int


def scan(pieces: Iterable[bytes], source: CsvSource | JsonLinesSource, *, size: int, where: str) -> Iterator[Span]:
    """The spans of an object of `size` bytes, each but the last of at least `source.shard_bytes`; none of no bytes.

    UTF-16 is not cut. Raises CsvTruncatedError when the object ends inside quotes, EncodingError for UTF-16 that is
    not.
    """
    encoding = source.encoding
    if encoding == UTF_16:
        pieces = (text.encode() for text in texts(pieces, UTF_16, where=where))
        encoding = "utf-8"
    counter = _Counter(source.delimiter.encode(encoding) if isinstance(source, CsvSource) else None)
    mark = codecs.BOM_UTF8 if source.encoding == "utf-8" else b""
    limit = None if source.encoding == UTF_16 else source.shard_bytes
    for span in _scan(pieces, counter, mark, limit):
        yield Span(span.start, size if limit is None else min(span.end, size), span.records, span.line)
    if counter.inside:
        raise CsvTruncatedError(
            f"{where} ends inside the quotes that open in line {counter.opened}; deliver the whole object, "
            "or close them there"
        )


def _scan(pieces: Iterable[bytes], counter: "_Counter", mark: bytes, limit: int | None) -> Iterator[Span]:
    """The last span may end one byte late."""
    start = offset = records = 0
    line = 1
    for text in _settled(pieces, mark, counter.inseparable):
        at = len(mark) if offset == 0 and text.startswith(mark) else 0
        while at < len(text):
            wanted = len(text) if limit is None else start + limit - offset
            end = counter.next_end(text, at, wanted)
            records += counter.count(text[at:end])
            at = end
            if limit is not None and at >= wanted and counter.at_record_end:
                yield Span(start, offset + at, records, line)
                start, records, line = offset + at, 0, counter.line
        offset += len(text)
    if offset > start:
        yield Span(start, offset, records, line)


class _Counter:
    """Counts records and lines of text that comes in parts; a part ends `inseparable` only where all ends."""

    def __init__(self, delimiter: bytes | None) -> None:
        self._delimiter = delimiter or b""
        self._quotes = delimiter is not None
        opening = rb'"(?:(?<=[\r\n]")|(?<=' + re.escape(self._delimiter) + rb'"))'
        self._opening = re.compile(opening)
        self._quoted = re.compile(opening + rb'[^"]*+(?:""[^"]*+)*+"')
        self._before = b"\n"
        self.inside = False
        self.line = 1
        self._open_part = (b"", 1)

    @property
    def inseparable(self) -> bytes:
        """Bytes that no part may end with: half of a CRLF, of a doubled quote, or of a delimiter."""
        return b'\r"' + (self._delimiter if len(self._delimiter) > 1 else b"")

    @property
    def at_record_end(self) -> bool:
        """Whether what was counted ends with a whole record."""
        return not self.inside and self._before == b"\n"

    def next_end(self, text: bytes, at: int, wanted: int) -> int:
        """The first line end at `wanted` or later that can end a record, else the text's end; `at` is counted up to."""
        if at < wanted:
            at = wanted - 1
        elif self.inside and (closing := _CLOSING.match(text, at)):
            at = closing.end()
        found = _LINE_END.search(text, at)
        return found.end() if found else len(text)

    def count(self, part: bytes) -> int:
        """The records that end in the next part of the text."""
        lines = _line_ends(part)
        records = self._outside_ends(part) if self._quotes and (self.inside or b'"' in part) else lines
        self.line += lines
        self._before = b""
        if part.endswith((b"\r", b"\n")):
            self._before = b"\n"
        elif part.endswith(self._delimiter):
            self._before = self._delimiter
        return records

    @property
    def opened(self) -> int:
        """The line in which the quotes that are open were opened."""
        text, line = self._open_part
        at = 0
        while (opening := self._opening.search(text, at)) and (field := self._quoted.match(text, opening.start())):
            at = field.end()
        return line + _line_ends(text[: opening.start() if opening else at])

    def _outside_ends(self, part: bytes) -> int:
        before, line = self._before, self.line
        if self.inside:
            closing = _CLOSING.match(part)
            if closing is None:
                return 0
            line += _line_ends(closing[0])
            before, part = b"", part[closing.end() :]
        text = before + part
        outside = self._quoted.sub(_FIELD, text)
        # what was not closed is left, and all that follows it is inside
        opening = self._opening.search(outside)
        self.inside = opening is not None
        if opening:
            outside = outside[: opening.start()]
            self._open_part = (text, line - _line_ends(before))
        return _line_ends(outside) - _line_ends(before)


def _line_ends(text: bytes) -> int:
    carriage_returns = text.count(b"\r")
    return text.count(b"\n") + (carriage_returns and carriage_returns - text.count(b"\r\n"))


def _settled(pieces: Iterable[bytes], mark: bytes, inseparable: bytes) -> Iterator[bytes]:
    """The same bytes in parts that end with no `inseparable` byte; a missing last line end is added."""
    waiting: list[bytes] = []
    length = 0
    last = b""
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= _AT_ONCE:
            text = b"".join(waiting)
            settled = text.rstrip(inseparable)
            waiting = [text[len(settled) :]]
            length = len(waiting[0])
            if settled:
                last = settled[-1:]
                yield settled
    rest = b"".join(waiting)
    only_mark = rest == mark and not last
    last = rest[-1:] or last
    if last not in {b"", b"\n", b"\r"} and not only_mark:
        rest += b"\n"
    if rest:
        yield rest
