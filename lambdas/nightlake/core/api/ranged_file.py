"""An object of the lake as a file that is read in ranges, and paid from a budget."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from nightlake.core.errors import AnswerTooCostlyError

if TYPE_CHECKING:
    import pyarrow as pa

# A request costs some 30 ms whatever it brings, in which S3 sends about as much.
_REQUEST_BYTES: Final = 1 << 17
# What lies between two ranges is read with them, when that is less than another request would cost.
GAP_BYTES: Final = 1 << 18

Range = tuple[int, int]
"""From the first byte to the one behind the last."""


@dataclass
class Budget:
    """What answering one request may read in bytes and decode in rows, some ten seconds of work each.

    Small reads count as 128 KiB, and what is kept counts, too: so the same question is refused or answered whatever was
    asked before.
    """

    left: int = 1 << 26
    rows: int = 30_000_000
    requests: int = 0
    """How often it was spent from."""

    def spend(self, size: int) -> None:
        """Raises AnswerTooCostlyError when it is used up."""
        self.requests += 1
        self.left -= max(size, _REQUEST_BYTES)
        self._refuse()

    def look_at(self, rows: int) -> None:
        """Raises AnswerTooCostlyError when it is used up."""
        self.rows -= rows
        self._refuse()

    def _refuse(self) -> None:
        if min(self.left, self.rows) < 0:
            raise AnswerTooCostlyError(
                "The answer lies in more data than one request may read; ask for fewer days, columns or rows, "
                "or for a narrower range of the column that the data is sorted by"
            )


class Ranges(Protocol):
    """Where the bytes come from."""

    def get(self, key: str) -> bytes:
        """All bytes of an object. Raises ObjectNotFoundError."""

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes `start` to `end` (exclusive) of an object. Raises ObjectNotFoundError."""


class RangedFile(io.RawIOBase):
    """The bytes of one object; one of at most `whole` bytes comes whole with the first read."""

    def __init__(self, source: Ranges, key: str, size: int, budget: Budget, *, whole: int = _REQUEST_BYTES) -> None:
        super().__init__()
        self._source, self._key, self._size, self._budget = source, key, size, budget
        self._whole = size <= whole
        self._position = 0
        self._held: list[tuple[int, bytes]] = []

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        start, end = self._position, min(self._position + len(buffer), self._size)
        content = self._read(start, end)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def fetch(self, ranges: Iterable[Range]) -> None:
        """Read these ranges in few requests and hold them for the reads to come."""
        for start, end in _merged(ranges):
            self._hold(start, end)

    def buffer(self, ranges: Iterable[Range]) -> "pa.Buffer":
        """The object with zeros outside of these ranges, which are fetched: Arrow reads it without asking us."""
        import numpy as np
        import pyarrow as pa

        merged = _merged(ranges)
        if merged == [(0, self._size)]:
            return pa.py_buffer(self._hold(0, self._size))
        content = np.zeros(self._size, np.uint8)  # the system gives memory only to what is written
        for start, end in merged:
            content[start:end] = np.frombuffer(self._hold(start, end), np.uint8)
        return pa.py_buffer(content)

    def moved(self) -> "RangedFile":
        """The same with what it holds. This one holds nothing any more, however long somebody keeps it."""
        other = RangedFile(self._source, self._key, self._size, self._budget)
        other._held, self._held = self._held, []
        return other

    def _read(self, start: int, end: int) -> bytes | memoryview:
        if start >= end:
            return b""
        found = self._find(start, end)
        if found is None and self._whole:
            found = self._hold(0, self._size)[start:end]
        return self._get(start, end) if found is None else found

    def _hold(self, start: int, end: int) -> memoryview:
        found = self._find(start, end)
        if found is None:
            content = self._get(start, end)
            self._held.append((start, content))
            found = memoryview(content)
        return found

    def _find(self, start: int, end: int) -> memoryview | None:
        for begin, content in self._held:
            if begin <= start and end <= begin + len(content):
                return memoryview(content)[start - begin : end - begin]
        return None

    def _get(self, start: int, end: int) -> bytes:
        self._budget.spend(end - start)
        return self._source.get_range(self._key, start, end)


def _merged(ranges: Iterable[Range]) -> list[Range]:
    """The same bytes and what lies between near ones, in their order."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start - merged[-1][1] <= GAP_BYTES:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
