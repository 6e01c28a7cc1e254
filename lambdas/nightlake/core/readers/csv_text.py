"""The text of a shard of CSV: from its first row on, what is at hand of it, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nightlake.core.readers.boundary import first_record
from nightlake.core.readers.csv_head import Head, read_head, without_footer
from nightlake.core.readers.text import UTF_16, end_of_line, texts
from nightlake.core.shard import Shard
from nightlake.core.source import CsvSource

Stream = Callable[[int, int], Iterator[bytes]]


class Window:
    """The part of a text that is at hand: the bytes `data` from `at` on are still to be read.

    `final` says that the text ends with them. `offset` is the place of `at` in the whole text.
    """

    def __init__(self, pieces: Iterator[bytes], offset: int) -> None:
        self.data = b""
        self.at = 0
        self.final = False
        self._pieces = pieces
        self._before = offset

    @property
    def offset(self) -> int:
        return self._before + self.at

    @property
    def ended(self) -> bool:
        """Whether nothing is left to be read."""
        while self.at == len(self.data) and not self.final:
            self.grow()
        return self.at == len(self.data)

    def grow(self, least: int = 0) -> None:
        """Forget what was read, and get `least` bytes more.

        Without that, get more than what is left, so that reading what is left again and again stays linear.
        """
        gained = [self.data[self.at :]]
        missing = least or len(gained[0]) + 1
        while missing > 0 and not self.final:
            piece = next(self._pieces, None)
            self.final = piece is None
            gained.append(piece or b"")
            missing -= len(gained[-1])
        self._before += self.at
        self.data, self.at = b"".join(gained), 0

    def skip_line(self) -> None:
        """Go on after the line that is being read, however long it is."""
        while (line := end_of_line(self.data, self.at, len(self.data), final=self.final)) is None:
            self.at = len(self.data) - self.data.endswith(b"\r")
            self.grow()
        self.at = line[1]


@dataclass(frozen=True)
class ShardText:
    """The `window` on a shard's text, at its first row; before it, from byte `start` on, stands the object's `head`.

    The shard owns the records that begin at byte `last` or before. Batches of UTF-16 and of a compressed object, which
    are read as a `whole`, say no bytes; offsets are unknown in UTF-16 alone.
    """

    window: Window
    start: int
    head: Head
    last: int
    whole: bool
    has_offsets: bool


def open_text(shard: Shard, source: CsvSource, stream: Stream) -> ShardText:
    """The text that the shard owns (see `Shard`).

    Raises EncodingError for UTF-16 that is not, HeaderMismatchError for a head that nobody can read.
    """
    is_wide = source.encoding == UTF_16
    whole = is_wide or shard.codec is not None
    window = Window(_pieces(shard, source, stream, whole=whole), shard.start)
    if not shard.exact:
        _skip_to_first_record(window, source, len(shard.header or ()))
    start, head = window.offset, Head(end=0, lines=0, skipped=0)
    if shard.start == 0:
        head = _skip_head(window, source, where=shard.object.key)
    # no character takes more than 4 bytes in UTF-8
    return ShardText(window, start, head, 4 * shard.end if whole else shard.end, whole, not is_wide)


def _pieces(shard: Shard, source: CsvSource, stream: Stream, *, whole: bool) -> Iterator[bytes]:
    """The text from the shard's start on, as UTF-8 where it is UTF-16, up to the footer."""
    where = shard.object.key
    pieces = stream(shard.start, shard.object.size - shard.footer)
    if source.encoding == UTF_16:
        pieces = (text.encode() for text in texts(pieces, UTF_16, where=where))
    return without_footer(pieces, source, where=where) if whole else pieces


def _skip_to_first_record(window: Window, source: CsvSource, fields: int) -> None:
    while (guess := first_record(window.data, source, fields, final=window.final)) is None:
        window.grow()
    window.at, goes_on = guess
    if goes_on:
        window.skip_line()


def _skip_head(window: Window, source: CsvSource, *, where: str) -> Head:
    while (head := read_head(window.data, source, final=window.final, where=where)) is None:
        window.grow()
    window.at = head.end
    return head
