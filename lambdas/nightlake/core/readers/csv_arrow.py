"""Clean delimited text to columns of strings by Arrow; and what is not clean enough for it."""

import codecs
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from nightlake.core.readers.csv_record import Dialect
from nightlake.core.readers.text import is_utf_8

if TYPE_CHECKING:
    import pyarrow as pa

_ONE_BLOCK: Final = (1 << 31) - 1
# Where it compares eight bytes at once, Arrow may overlook a delimiter after a NUL.
# Source: _mm_cmpistrc in https://github.com/apache/arrow/blob/main/cpp/src/arrow/csv/lexing_internal.h
_NUL: Final = re.compile(rb"\0[^\r\n]*")
_LINE_END: Final = re.compile(rb"[\r\n]")


def unfit_places(text: bytes, encoding: str) -> list[int]:
    """At least one byte of every line that has bytes which are no text of the encoding, or a NUL."""
    places = [found.start() for found in _NUL.finditer(text)] if b"\0" in text else []
    at: int | None = None if text.isascii() or _is_text(text, encoding) else 0
    while at is not None:
        try:
            codecs.decode(memoryview(text)[at:], encoding)
            break
        except UnicodeDecodeError as error:
            places.append(at + error.start)
            line_end = _LINE_END.search(text, places[-1])
            at = line_end and line_end.end()
    return places


def _is_text(text: bytes, encoding: str) -> bool:
    """Whether it is already known that all bytes are text."""
    return encoding == "latin-1" or (encoding == "utf-8" and is_utf_8(text))


class RowParser:
    """Parses records of one dialect, of whose `fields` fields some are `wanted`."""

    def __init__(self, dialect: Dialect, nulls: Sequence[str], *, fields: int, wanted: Sequence[int]) -> None:
        import pyarrow as pa
        from pyarrow import csv

        names = [str(field) for field in range(fields)]
        self._wanted = [names[field] for field in sorted(set(wanted))]
        self._encoding = dialect.encoding
        self._quote = dialect.quote
        self._wrong: list[int] = []
        self._reading = csv.ReadOptions(use_threads=False, block_size=_ONE_BLOCK, column_names=names)
        self._parsing: dict[str, Any] = {
            "delimiter": dialect.delimiter.decode(),
            "double_quote": not dialect.escaped_in_plain,
            "escape_char": "\\" if dialect.escaped_in_plain else False,
            "invalid_row_handler": self._skip,
        }
        self._converting = csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(self._wanted, pa.string()),
            include_columns=self._wanted,
            null_values=list(nulls),
            strings_can_be_null=True,
        )

    def parse(self, text: bytes, spans: Sequence[slice]) -> "tuple[pa.Table, list[int]]":
        """A table with every wanted field under its number, and which records (from 0) have another number of fields.

        Blank lines between the records of these parts of the text count as none. Raises ArrowInvalid.
        """
        import pyarrow as pa
        from pyarrow import csv

        self._wrong = []
        if not spans:
            return pa.table({name: pa.array([], pa.string()) for name in self._wanted}), []
        quote = self._quote.decode() if self._quote and self._quote in text else False
        parsing = csv.ParseOptions(quote_char=quote, **self._parsing)
        source = pa.BufferReader(self._in_utf_8(text, spans))
        return csv.read_csv(source, self._reading, parsing, self._converting), self._wrong

    def _in_utf_8(self, text: bytes, spans: Sequence[slice]) -> "pa.Buffer":
        import pyarrow as pa

        if self._encoding != "utf-8" and not text.isascii():
            return pa.py_buffer(b"".join(text[span] for span in spans).decode(self._encoding).encode())
        if text.startswith(codecs.BOM_UTF8, spans[0].start):
            # Arrow takes one off, but after an object's beginning it is text
            return pa.py_buffer(codecs.BOM_UTF8 + b"".join(text[span] for span in spans))
        if len(spans) == 1:
            return pa.py_buffer(text).slice(spans[0].start, spans[0].stop - spans[0].start)
        return pa.py_buffer(b"".join(text[span] for span in spans))

    def _skip(self, row: Any) -> str:
        self._wrong.append(row.number - 1)
        return "skip"
