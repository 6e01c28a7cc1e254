"""Where the records of a block of delimited text end, found by vectors; what only the reference can tell is hard.

The text begins with a record. From there quotes open and close in turn, so a line end ends a record when an even number
of quotes stands before it. That is true up to the first quote that stands where none may: its record is hard, and after
it all begins anew, perhaps with the other half of the quotes as the opening ones. So everything is known for each half.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

_LF: Final = 0x0A
_CR: Final = 0x0D
_BACKSLASH: Final = 0x5C


@dataclass(frozen=True)
class Marks:
    """The bytes that mean something, each one byte, and what a record may be: of many lines, and how long.

    `quote` and `comment` may be None. A quote is escaped by a backslash if `backslash`, else by another quote. With
    `trailing`, a delimiter ends every record, too.
    """

    delimiter: int
    quote: int | None
    comment: int | None
    backslash: bool
    multiline: bool
    trailing: bool
    max_record_bytes: int


class Structure:
    """The lines and records of a text, with which the object ends if it is `final`; the caller may know `hard` places.

    `line_ends` are all physical ones (exclusive): after LF, CRLF or CR, inside quotes or not, and a final text's end.
    If `fields` are given, records of several lines that have another number of them are hard: their lines after the
    first may be records of their own.
    """

    def __init__(
        self, text: bytes, marks: Marks, *, final: bool, hard: Sequence[int] = (), fields: int | None = None
    ) -> None:
        import numpy as np

        self._marks = marks
        self._final = final
        self._fields = fields
        self._bytes = np.frombuffer(text, np.uint8)
        self._hard = np.array(hard, np.int64)
        self._escaped = self._hard[:0]
        self._quotes = self._hard[:0]
        if marks.quote is not None and marks.quote in text:
            self._quotes = np.flatnonzero(self._bytes == marks.quote)
        if marks.backslash and b"\\" in text:
            self._take_escaped()
        self.line_ends = self._find_line_ends(text)
        self._halves: dict[int, tuple[Places, Places]] = {}

    def clean(self, at: int) -> "tuple[Places, bool]":
        """Where the records from `at` on end, up to the first hard one, and whether that follows."""
        half = int(self._quotes.searchsorted(at)) & 1
        if half not in self._halves:
            self._halves[half] = self._read(half)
        ends, hard = self._halves[half]
        first = ends.searchsorted(at, side="right")
        next_hard = hard.searchsorted(at)
        if next_hard == len(hard):
            return ends[first:], False
        return ends[first : ends.searchsorted(hard[next_hard], side="right")], True

    def lines_before(self, places: "Places") -> "Places":
        """How many lines end at each of these places or before it, which begin records."""
        import numpy as np

        if len(places) == len(self.line_ends):
            return np.arange(len(places))
        return self.line_ends.searchsorted(places, side="right")

    def _take_escaped(self) -> None:
        """What follows a backslash is text, if it is a quote, a delimiter or a backslash, else its record is hard."""
        import numpy as np

        backslashes = np.flatnonzero(self._bytes == _BACKSLASH)
        number = np.arange(len(backslashes))
        begins = np.diff(backslashes, prepend=-2) != 1
        escaping = backslashes[(number - np.maximum.accumulate(np.where(begins, number, 0))) % 2 == 0]
        escaped = self._bytes[np.minimum(escaping + 1, len(self._bytes) - 1)]
        known = (escaped == _BACKSLASH) | (escaped == self._marks.delimiter) | (escaped == self._marks.quote)
        known &= escaping + 1 < len(self._bytes)
        self._hard = np.concatenate((self._hard, escaping[~known]))
        self._escaped = escaping[known] + 1
        self._quotes = np.setdiff1d(self._quotes, self._escaped, assume_unique=True)

    def _find_line_ends(self, text: bytes) -> "Places":
        import numpy as np

        ends = np.flatnonzero(self._bytes == _LF) + 1
        if b"\r" in text:
            returns = np.flatnonzero(self._bytes == _CR) + 1
            inner = returns[returns < len(text)]
            lone = inner[self._bytes[inner] != _LF]
            ends = np.union1d(ends, lone) if len(lone) else ends
        # a CR at the end of a text that goes on may be half of a CRLF
        if self._final and text and not (len(ends) and ends[-1] == len(text)):
            ends = np.append(ends, len(text))
        return ends

    def _read(self, half: int) -> "tuple[Places, Places]":
        """Where records end, and the places that are hard, when every other quote opens, from the one at `half` on."""
        import numpy as np

        ends, inside = self.line_ends, self.line_ends[:0]
        if len(self._quotes):
            is_outside = (self._quotes.searchsorted(self.line_ends) & 1) == half
            ends, inside = self.line_ends[is_outside], self.line_ends[~is_outside]
        starts = np.concatenate((self.line_ends[:0], [0], ends))[:-1]
        hard = [self._hard, self._misplaced(half), starts[ends - starts > self._marks.max_record_bytes]]
        if not self._marks.multiline:
            hard.append(inside - 1)
        if self._marks.comment is not None:
            hard.append(starts[self._bytes[starts] == self._marks.comment])
        if self._marks.trailing:
            hard.append(self._without_trailing(starts, ends))
        if self._fields is not None:
            hard.append(self._wrong_in_lines(starts, ends, half))
        return ends, np.sort(np.concatenate(hard), kind="stable")

    def _without_trailing(self, starts: "Places", ends: "Places") -> "Places":
        """Where records begin that are not blank and do not end with a delimiter."""
        import numpy as np

        last = ends - 1
        last = last - (self._bytes[last] == _LF)
        last = np.where(last >= starts, last - (self._bytes[last] == _CR), last)
        ended = (self._bytes[last] == self._marks.delimiter) & ~np.isin(last, self._escaped)
        without: Places = starts[~ended & (last >= starts)]
        return without

    def _misplaced(self, half: int) -> "Places":
        """The quotes that do not begin a field when they open, or do not end one when they close; one left open."""
        import numpy as np

        opening, closing = self._quotes[half::2], self._quotes[1 - half :: 2]
        last = len(self._bytes) - 1
        begins = self._may_adjoin(self._bytes.take(opening - 1, mode="wrap")) | (opening == 0)
        ends = self._may_adjoin(self._bytes.take(closing + 1, mode="clip")) | (closing == last)
        if len(self._escaped):
            begins &= ~np.isin(opening - 1, self._escaped)
        if self._final and (len(self._quotes) - half) % 2:
            begins[-1] = False
        return np.sort(np.concatenate((opening[~begins], closing[~ends])), kind="stable")

    def _wrong_in_lines(self, starts: "Places", ends: "Places", half: int) -> "Places":
        """Where records of several lines begin that have a wrong number of fields."""
        import numpy as np

        before_end, before_start = (self.line_ends.searchsorted(places, side="right") for places in (ends, starts))
        lines = before_end - before_start
        starts, ends = starts[lines > 1], ends[lines > 1]
        delimiters = np.flatnonzero(self._bytes == self._marks.delimiter)
        outside = (self._quotes.searchsorted(delimiters) & 1) == half
        delimiters = np.setdiff1d(delimiters[outside], self._escaped, assume_unique=True)
        fields = delimiters.searchsorted(ends) - delimiters.searchsorted(starts) + 1
        wrong: Places = starts[fields != self._fields]
        return wrong

    def _may_adjoin(self, neighbours: "NDArray[np.uint8]") -> "NDArray[np.bool_]":
        """Whether each byte may stand beside a field's quotes; a quote is the other half of a doubled one."""
        may: NDArray[np.bool_] = (neighbours == self._marks.delimiter) | (neighbours == _LF) | (neighbours == _CR)
        return may if self._marks.backslash else may | (neighbours == self._marks.quote)
