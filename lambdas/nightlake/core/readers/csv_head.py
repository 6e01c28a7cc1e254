"""What stands around the rows of a CSV object: its mark, the lines before its header, the header, and the footer."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from nightlake.core.errors import EncodingError, HeaderMismatchError
from nightlake.core.readers.csv_record import Dialect, Record, dialect_of, raw_text, read_record
from nightlake.core.readers.text import UTF_16, end_of_line, texts
from nightlake.core.source import CsvSource

HEAD_BYTES: Final = 1 << 20
TAIL_BYTES: Final = 64 << 10
_MAX_NAMES: Final = 2_000
_LINE_END: Final = re.compile(rb"\r\n?|\n")


@dataclass(frozen=True)
class Head:
    """What stands before the rows, which begin at byte `end`: `lines` in all, `header` (0 or 1) and `skipped` records.

    `names` are those of the header; None where the source has none.
    """

    end: int
    lines: int
    skipped: int
    header: int = 0
    names: tuple[str, ...] | None = None


def find_head(data: bytes, source: CsvSource, *, final: bool, where: str) -> Head:
    """The head of an object, from its first bytes as they lie there: HEAD_BYTES, or all (`final`).

    Of UTF-16, places are those of its text in UTF-8. Raises HeaderMismatchError when they hold no header that can be
    read, EncodingError when they are in another encoding.
    """
    if source.encoding == UTF_16:
        data = "".join(texts([data], UTF_16, where=where, final=final)).encode()
    head = read_head(data, source, final=final, where=where)
    if head is None:
        raise HeaderMismatchError(
            f"{where} has no header in its first {len(data):,} bytes; close its quotes, "
            "or declare what stands before it (skip_lines, comment)"
        )
    return head


def read_head(data: bytes, source: CsvSource, *, final: bool, where: str) -> Head | None:
    """The head of the text that begins with these bytes; None when more are needed. Raises what `find_head` does."""
    dialect = dialect_of(source)
    at = len(codecs.BOM_UTF8) if source.encoding == "utf-8" and data.startswith(codecs.BOM_UTF8) else 0
    lines = 0
    while lines < source.skip_lines and at < len(data):
        line = end_of_line(data, at, len(data), final=final)
        if line is None:
            return None
        at = line[1]
        lines += 1
    if not final and len(data) < at + len(codecs.BOM_UTF8):
        return None
    if not source.header:
        return Head(at, lines, skipped=lines)
    skipped = lines
    while at < len(data):
        record = read_record(data, at, dialect, None, final=final)
        if record is None:
            return None
        lines += record.lines
        if record.kind != "skipped":
            return Head(record.end, lines, skipped, 1, _names(data, record, dialect, where))
        skipped += 1
        at = record.end
    if final:
        raise HeaderMismatchError(f"{where} has no header; deliver at least that")
    return None


def _names(data: bytes, record: Record, dialect: Dialect, where: str) -> tuple[str, ...]:
    for rule, reason in record.defects:
        found = raw_text(data, record, dialect)[:200]
        if rule == "encoding":
            raise EncodingError(
                f"{where} does not begin with text in {dialect.encoding} ({found!r}); deliver it so, "
                "or declare its encoding"
            )
        raise HeaderMismatchError(f"{where}: its header {reason} ({found!r})")
    if len(record.fields) > _MAX_NAMES:
        raise HeaderMismatchError(
            f"{where} has {len(record.fields):,} columns; deliver at most {_MAX_NAMES:,}, or declare its delimiter"
        )
    return record.fields


def footer_bytes(tail: bytes, source: CsvSource, *, size: int, head: Head | None = None, where: str) -> int:
    """How many bytes the footer takes of an object of `size` bytes, from its last TAIL_BYTES (or all of them).

    Raises HeaderMismatchError when the object has fewer lines after its head, or longer ones.
    """
    if source.footer_lines == 0:
        return 0
    begins = [0, *(end.end() for end in _LINE_END.finditer(tail) if end.end() < len(tail))]
    if len(tail) < size:
        del begins[0]  # that line may begin before the tail
    wanted = source.footer_lines
    if len(begins) < wanted or size - len(tail) + begins[-wanted] < (head.end if head else 0):
        raise HeaderMismatchError(
            f"{where} does not end with {wanted} lines of at most {TAIL_BYTES:,} bytes after its header; "
            "deliver its footer, or declare other footer_lines"
        )
    return len(tail) - begins[-wanted]


def without_footer(pieces: Iterable[bytes], source: CsvSource, *, where: str) -> Iterator[bytes]:
    """The pieces of a whole text up to its footer. Raises what `footer_bytes` does."""
    held, given = b"", 0
    for piece in pieces:
        held += piece
        if len(held) > TAIL_BYTES:
            yield held[:-TAIL_BYTES]
            given += len(held) - TAIL_BYTES
            held = held[-TAIL_BYTES:]
    footer = footer_bytes(held, source, size=given + len(held), where=where)
    yield held[: len(held) - footer]
