"""The lines that a shard owns, as blocks of whole lines, in bounded memory whatever their length."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from nightlake.core.readers.text import MOST_LINES, UTF_16, end_of_line, of_so_many_lines, texts
from nightlake.core.shard import Shard
from nightlake.core.source import LinesSource

_BEYOND = 1 << 16  # bytes fetched at once after the shard's end, for its last line


@dataclass(frozen=True)
class Block:
    """Whole lines: `data` begins at byte `start` of the object.

    One that is `unended` is the beginning of a single line that is longer than any record may be.
    """

    data: bytes
    start: int
    unended: bool = False


class LineBlocks:
    """The lines that begin after the shard's start (at it, where it is exact) and up to its end (included).

    `at` is the byte of the object that the blocks so far reach to, with their line ends; a byte order mark belongs to
    none. UTF-16 is given as UTF-8, and `at` counts in that; `encoding` is what the blocks are written in.
    """

    def __init__(
        self, shard: Shard, source: LinesSource, stream: Callable[[int, int], Iterator[bytes]], *, block_bytes: int
    ) -> None:
        self.encoding = "utf-8" if source.encoding == UTF_16 else source.encoding
        self.at = shard.start
        self._pieces = _pieces(shard, stream)
        self._end = shard.end
        if source.encoding == UTF_16:
            decoded = texts(self._pieces, UTF_16, where=shard.object.key)
            self._pieces = (text.encode() for text in decoded)
            self._end = 4 * shard.end  # no character takes more bytes
        self._limit = source.max_record_bytes
        self._block_bytes = block_bytes
        self._data = b""
        self._ended = False
        if not shard.exact:
            self._skip_line()
        elif shard.start == 0 and self.encoding == "utf-8":
            self._fill(len(codecs.BOM_UTF8))
            if self._data.startswith(codecs.BOM_UTF8):
                self._drop(len(codecs.BOM_UTF8))

    def __iter__(self) -> Iterator[Block]:
        """The blocks; raises EncodingError for UTF-16 that is not."""
        while self.at <= self._end and self._fill(min(self._block_bytes, self._end + 1 - self.at)):
            whole = self._whole_lines()
            while not whole and len(self._data) <= self._limit + 1:  # a CR at its end may be half of a CRLF
                self._fill(2 * len(self._data))
                whole = self._whole_lines()
            if whole:
                whole = of_so_many_lines(self._data, whole, MOST_LINES)
                block = Block(self._data[:whole], self.at)
                self._drop(whole)
            else:
                block = Block(self._data[: self._limit], self.at, unended=True)
                self._skip_line()
            yield block

    def _whole_lines(self) -> int:
        """So many of the bytes at hand are whole lines of this shard."""
        last = self._end - self.at  # where a line of this shard may begin
        if last < len(self._data):
            found = end_of_line(self._data, last, len(self._data), final=self._ended)
            if found is not None:
                return found[1]
        elif self._ended:
            return len(self._data)
        known = len(self._data) - self._data.endswith(b"\r")
        return max(self._data.rfind(b"\n", 0, known), self._data.rfind(b"\r", 0, known)) + 1

    def _fill(self, wanted: int) -> bool:
        """Have so many bytes at hand, or all that there are; whether there are any."""
        gained = [self._data]
        length = len(self._data)
        while length < wanted and not self._ended:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            gained.append(piece)
            length += len(piece)
        self._data = b"".join(gained)
        return length > 0

    def _skip_line(self) -> None:
        """Leave out the rest of the line that goes on here."""
        while self._fill(2):
            found = end_of_line(self._data, 0, len(self._data), final=self._ended)
            if found is not None:
                self._drop(found[1])
                return
            self._drop(len(self._data) - self._data.endswith(b"\r"))

    def _drop(self, length: int) -> None:
        self._data = self._data[length:]
        self.at += length


def _pieces(shard: Shard, stream: Callable[[int, int], Iterator[bytes]]) -> Iterator[bytes]:
    """The shard's bytes, and those after it as long as they are asked for."""
    beyond = range(shard.end, shard.object.size, _BEYOND)
    return chain(
        stream(shard.start, shard.end),
        chain.from_iterable(stream(at, min(at + _BEYOND, shard.object.size)) for at in beyond),
    )
