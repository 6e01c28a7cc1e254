"""An object of the lake as a file that is read in ranges, and paid from a budget."""

import io
from dataclasses import dataclass
from typing import Final

from nightlake.core.errors import AnswerTooCostlyError
from nightlake.core.store import Store

# A request costs some 30 ms whatever it brings, in which S3 sends about as much.
_REQUEST_BYTES: Final = 1 << 17


@dataclass
class Budget:
    """What answering one request may read, in bytes; small reads count as 128 KiB."""

    left: int = 1 << 26

    def spend(self, size: int) -> None:
        """Raises AnswerTooCostlyError when it is used up."""
        self.left -= max(size, _REQUEST_BYTES)
        if self.left < 0:
            raise AnswerTooCostlyError(
                "The answer lies in more data than one request may read; ask for fewer days, columns or rows, "
                "or for a narrower range of the column that the data is sorted by"
            )


class RangedFile(io.RawIOBase):
    """The bytes of one object; a small one comes whole with the first read."""

    def __init__(self, store: Store, key: str, size: int, budget: Budget) -> None:
        super().__init__()
        self._store, self._key, self._size, self._budget = store, key, size, budget
        self._position = 0
        self._whole = b""

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

    def _read(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        if self._size > _REQUEST_BYTES:
            self._budget.spend(end - start)
            return self._store.get_range(self._key, start, end)
        if not self._whole:
            self._budget.spend(self._size)
            self._whole = self._store.get_range(self._key, 0, self._size)
        return self._whole[start:end]
