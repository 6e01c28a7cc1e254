"""An object of the lake as a file that is read in ranges, and paid from a budget."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from nightlake.core.errors import AnswerTooCostlyError

# A request costs some 30 ms whatever it brings, in which S3 sends about as much.
_REQUEST_BYTES: Final = 1 << 17
# What lies between two ranges is read with them, when that is less than another request would cost.
_GAP_BYTES: Final = 1 << 18


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

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Read these ranges in few requests and hold them for the reads to come."""
        merged: list[tuple[int, int]] = []
        for start, end in sorted(ranges):
            if merged and start - merged[-1][1] <= _GAP_BYTES:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        for start, end in merged:
            if self._find(start, end) is None:
                self._held.append((start, self._get(start, end)))

    def moved(self) -> "RangedFile":
        """The same with what it holds. This one holds nothing any more, however long somebody keeps it."""
        other = RangedFile(self._source, self._key, self._size, self._budget)
        other._held, self._held = self._held, []
        return other

    def whole(self) -> bytes | None:
        """All bytes, if they are held: Arrow reads them without asking us."""
        return next((content for _, content in self._held if len(content) == self._size), None)

    def _read(self, start: int, end: int) -> bytes | memoryview:
        if start >= end:
            return b""
        found = self._find(start, end)
        if found is None and self._whole:
            self._held.append((0, self._get(0, self._size)))
            found = self._find(start, end)
        return self._get(start, end) if found is None else found

    def _find(self, start: int, end: int) -> memoryview | None:
        for begin, content in self._held:
            if begin <= start and end <= begin + len(content):
                return memoryview(content)[start - begin : end - begin]
        return None

    def _get(self, start: int, end: int) -> bytes:
        self._budget.spend(end - start)
        return self._source.get_range(self._key, start, end)
