"""Compressed text: which codec an object is written with, told by its content, and its text as a stream.

A compressed object is one shard: no worker can begin in its middle. Positions and offsets of its records are those of
its text.
"""

import bz2
import io
from collections.abc import Iterable, Iterator
from typing import Final

from nightlake.core.errors import CompressedObjectError
from nightlake.core.shard import Codec
from nightlake.core.source import AnyS3Source, TextSource

# What one core decompresses, in MB of text a second (8 columns of sales, 34 MB): gzip 490, zstd 1,340, bzip2 44.
# Converting the text, at 20 MB/s where all is slow and at 150 where nothing is, comes on top: 8 GiB of text are at most
# 10 of the 15 minutes of a Lambda. An object is refused at Plan when that is what it would hold if it were packed as
# loosely as text ever is: gzip and zstd to a quarter, bzip2 to an eighth.
TEXT_LIMIT: Final = 8 << 30
SIZE_LIMITS: Final[dict[Codec, int]] = {"gzip": 2 << 30, "zstd": 2 << 30, "bzip2": 1 << 30}

_BZIP2: Final = tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90"))
_MAGICS: Final[dict[Codec, tuple[bytes, ...]]] = {
    "gzip": (b"\x1f\x8b\x08",),
    "zstd": (b"\x28\xb5\x2f\xfd", *(bytes((0x50 + kind,)) + b"\x2a\x4d\x18" for kind in range(16))),  # or a note
    "bzip2": _BZIP2,
}
_REFUSED: Final = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\xfd7zXZ\x00": "xz",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
_AT_ONCE: Final = 1 << 20


def detect(head: bytes) -> Codec | None:
    """The codec of an object that begins with these bytes (16 tell); None for text, and for codecs that are refused."""
    return next((codec for codec, magics in _MAGICS.items() if head.startswith(magics)), None)


def check(head: bytes, source: AnyS3Source, size: int, *, where: str) -> None:
    """Raise CompressedObjectError when an object of `size` bytes is compressed as no reader of the source takes it."""
    refused = next((name for magic, name in _REFUSED.items() if head.startswith(magic)), None)
    codec = detect(head)
    if refused or (codec and not isinstance(source, TextSource)):
        told = "gzip, zstd or bzip2, or uncompressed" if isinstance(source, TextSource) else "as Parquet"
        raise CompressedObjectError(f"{where} is compressed ({refused or codec}); deliver it {told}")
    if codec and size > SIZE_LIMITS[codec]:
        raise CompressedObjectError(
            f"{where} has {size:,} bytes of {codec}, which one worker must read alone, and {SIZE_LIMITS[codec]:,} at "
            "most; deliver it in several objects, or uncompressed"
        )


def decompress(pieces: Iterable[bytes], codec: Codec, *, where: str) -> Iterator[bytes]:
    """The text of a whole compressed object, or of several one after the other, in pieces of at most 1 MiB.

    Raises CompressedObjectError when the object is damaged or cut off, or its text is longer than `TEXT_LIMIT`. (Only a
    checksum tells that a byte was changed; zstd may be written without.)
    """
    compressed = _File(iter(pieces))
    length = 0
    try:
        for text in _bzip2(compressed) if codec == "bzip2" else _arrow(compressed, codec):
            length += len(text)
            if length > TEXT_LIMIT:
                raise CompressedObjectError(
                    f"{where} holds more than {TEXT_LIMIT:,} bytes of text, which one worker must read alone; deliver "
                    "it in several objects"
                )
            yield text
    except OSError as error:
        if compressed.failed:
            raise
        raise CompressedObjectError(
            f"{where} is damaged or cut off after {length:,} bytes of text ({error}); deliver the whole object"
        ) from error


def _arrow(file: "_File", codec: str) -> Iterator[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), codec)
    while text := stream.read(_AT_ONCE):
        yield text


def _bzip2(file: "_File") -> Iterator[bytes]:
    """Arrow's own takes no empty parts, and BZ2File leaves out what follows a part and is none."""
    while data := file.read(_AT_ONCE):
        while data:
            part = bz2.BZ2Decompressor()
            while not part.eof:
                if text := part.decompress(data, _AT_ONCE):
                    yield text
                data = file.read(_AT_ONCE) if part.needs_input else b""
                if part.needs_input and not data:
                    raise OSError("it ends in the middle")
            data = part.unused_data


class _File(io.RawIOBase):
    """The pieces as a file that can only be read; `failed` says that they, not their content, were the problem."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.failed = False

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, and none only at the end."""
        while not self._rest:
            try:
                piece = next(self._pieces, None)
            except Exception:
                self.failed = True
                raise
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def readable(self) -> bool:
        return True
