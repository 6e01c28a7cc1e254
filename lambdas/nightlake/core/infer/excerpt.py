"""What inference looks at: the head, the middle and the tail of an object, never all of a long one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from nightlake.core.readers.codec import decompress, detect

PART_BYTES: Final = 2 << 20
_MAGIC_BYTES: Final = 16

Stream = Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True)
class Excerpt:
    """Parts of an object's text. The first begins it; `whole` says that there is no other part and nothing left out."""

    parts: tuple[bytes, ...]
    whole: bool

    @property
    def ended(self) -> bool:
        """Whether the last part ends where the object ends."""
        return self.whole or len(self.parts) > 1

    @property
    def head(self) -> bytes:
        return self.parts[0]


def excerpt(size: int, stream: Stream, *, where: str, part_bytes: int = PART_BYTES) -> Excerpt:
    """Three parts of an object of `size` bytes; of a compressed one, its head alone. Raises CompressedObjectError."""
    codec = detect(b"".join(stream(0, min(size, _MAGIC_BYTES))))
    if codec is not None:
        head = _at_most(decompress(stream(0, size), codec, where=where), 3 * part_bytes + 1)
        return Excerpt((head[: 3 * part_bytes],), whole=len(head) <= 3 * part_bytes)
    if size <= 3 * part_bytes:
        return Excerpt((b"".join(stream(0, size)),), whole=True)
    middle = size // 2 // 4 * 4
    spans = ((0, part_bytes), (middle, middle + part_bytes), ((size - part_bytes) // 4 * 4, size))
    return Excerpt(tuple(b"".join(stream(start, end)) for start, end in spans), whole=False)


def _at_most(pieces: Iterator[bytes], limit: int) -> bytes:
    taken, length = [], 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length >= limit:
            break
    return b"".join(taken)[:limit]
