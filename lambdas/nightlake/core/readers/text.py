"""Bytes of an object as lines and as text; how a byte that is no text stays visible."""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

from nightlake.core.errors import EncodingError

UTF_16: Final = "utf-16"
# A wrong byte becomes one lone surrogate: it can neither make nor break a quote, a delimiter or a line end.
WRONG_BYTES: Final = "surrogateescape"
MOST_LINES: Final = 1 << 16  # that are read at once: of refused ones each is an object of its own
_LINE_END: Final = re.compile(rb"[\r\n]")
_CR: Final = 0x0D


def end_of_line(data: bytes, at: int, last: int, *, final: bool) -> tuple[int, int] | None:
    """Where the line that goes on at byte `at` ends, and where the next one begins (after LF, CRLF or CR).

    None when it does not end at byte `last` or before, or when more bytes are needed: `final` data ends the last line.
    """
    found = _LINE_END.search(data, at, last + 1)
    if found is None:
        return (len(data), len(data)) if final and len(data) <= last else None
    end = found.start()
    if data[end] == _CR:
        if end + 1 == len(data) and not final:
            return None
        if data.startswith(b"\n", end + 1):
            return end, end + 2
    return end, end + 1


def count_lines(data: bytes, start: int, end: int) -> int:
    """How many lines these bytes are; the last one may have no end."""
    ends = data.count(b"\n", start, end) + data.count(b"\r", start, end) - data.count(b"\r\n", start, end)
    return ends + (end > start and data[end - 1] not in b"\r\n")


def of_so_many_lines(data: bytes, end: int, lines: int) -> int:
    """Where the first `lines` lines of the bytes up to `end` end, with their line ends; `end` where there are fewer."""
    import numpy as np

    if data.count(b"\n", 0, end) + data.count(b"\r", 0, end) <= lines:
        return end
    content = np.frombuffer(data, np.uint8, end)
    last = int(np.flatnonzero((content == ord("\n")) | (content == ord("\r")))[lines - 1])
    return last + 1 + data.startswith(b"\r\n", last)


def is_utf_8(text: bytes) -> bool:
    """Whether all bytes are text of UTF-8, told by Arrow, which is faster than Python."""
    import pyarrow as pa

    offsets = pa.array([0, len(text)], pa.int32()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(text)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def texts(pieces: Iterable[bytes], encoding: str, *, where: str, final: bool = True) -> Iterator[str]:
    """The pieces of an object as text, wrong bytes as lone surrogates, without its byte order mark.

    `final`: whether they are all of it. Raises EncodingError for UTF-16 that is not.
    """
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    decoder = codecs.getincrementaldecoder(name)("strict" if encoding == UTF_16 else WRONG_BYTES)
    try:
        for piece in pieces:
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=final)
    except UnicodeError as error:
        raise EncodingError(
            f"{where} is not written in {encoding} ({error}); deliver it so, or declare its encoding"
        ) from error


def visible(text: str, encoding: str) -> str:
    r"""The text with every wrong byte spelled out, such as `\xff`."""
    encoding = "utf-8" if encoding == UTF_16 else encoding
    return text.encode(encoding, WRONG_BYTES).decode(encoding, "backslashreplace")
