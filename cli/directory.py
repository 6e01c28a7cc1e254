"""A folder of this machine as a bucket: what `nightlake convert` reads and writes instead of S3.

An ETag is the size and the time of the last change: a file of many gigabytes is never read to be known again.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import typer
from nightlake.core.store import ObjectInfo, ObjectNotFoundError, PreconditionFailedError, Store

_PIECE_BYTES: Final = 1 << 20


def seekable(path: Path) -> Path:
    """The path of a file that can be read anywhere; a pipe or a device is a wrong usage."""
    if path.exists() and not path.is_file():
        raise typer.BadParameter(f"{path} is a pipe or a device, and can be read only once: save it as a file first")
    return path


def read_range(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The bytes `start` to `end` (exclusive) of a file in pieces."""
    left = end - start
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
            yield piece


class Directory(Store):
    """Every key is a path below `root`; a version is the file as it is now."""

    def __init__(self, bucket: str, root: Path) -> None:
        self.bucket = bucket
        self._root = root

    def path(self, key: str) -> Path:
        """Where the object of that key lies."""
        return self._root / key

    def keys(self) -> Iterable[str]:
        """The keys of all objects, in any order."""
        files = (path for path in self._root.rglob("[!.]*") if path.is_file())
        return (path.relative_to(self._root).as_posix() for path in files)

    def read(self, key: str, version_id: str | None = None) -> tuple[bytes, ObjectInfo] | None:
        found = self.head(key, version_id)
        return None if found is None else (self.path(key).read_bytes(), found)

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        found = self.head(key, version_id)
        if found is None:
            raise ObjectNotFoundError(f"{self.path(key)} is not there, or no longer what it was")
        yield from read_range(self.path(key), start, found.size if end is None else min(end, found.size))

    def head(self, key: str, version_id: str | None = None) -> ObjectInfo | None:
        try:
            stat = self.path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        etag = f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
        if version_id not in (None, "", etag):
            return None
        return ObjectInfo(key, etag, etag, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self.list_versions(prefix)

    def list_versions(self, prefix: str) -> Iterator[ObjectInfo]:
        for key in sorted(self.keys(), key=str.encode):
            found = self.head(key) if key.startswith(prefix) else None
            if found is not None:
                yield found

    def put(
        self,
        key: str,
        body: bytes | IO[bytes],
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
        content_type: str | None = None,  # noqa: ARG002 (a file has none)
    ) -> str:
        path = self.path(key)
        current = self.head(key)
        if if_match is not None and (current is None or current.etag != if_match):
            raise PreconditionFailedError(f"{path} is not what this write expects; read it again")
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(f".{path.name}-{os.getpid()}")
        with written.open("wb") as file:
            file.write(body) if isinstance(body, bytes) else shutil.copyfileobj(body, file, _PIECE_BYTES)
        try:
            if if_none_match:
                os.link(written, path)  # fails where there is one already, whoever else writes at the same time
            else:
                written.replace(path)
        except FileExistsError as error:
            raise PreconditionFailedError(f"{path} is there already") from error
        finally:
            written.unlink(missing_ok=True)
        stat = path.stat()
        return f"{stat.st_size:x}-{stat.st_mtime_ns:x}"

    def copy(self, source_bucket: str, source_key: str, key: str, *, source_etag: str) -> str:
        if source_bucket != self.bucket:
            raise ObjectNotFoundError(f"{source_bucket}/{source_key} lies in another folder than {self._root}")
        found = self.head(source_key)
        if found is None:
            raise ObjectNotFoundError(f"{self.path(source_key)} is not there")
        if found.etag != source_etag:
            raise PreconditionFailedError(f"{self.path(source_key)} has changed since it was read")
        with self.path(source_key).open("rb") as file:
            return self.put(key, file)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with suppress(FileNotFoundError):
                self.path(key).unlink()

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        raise NotImplementedError("a file has no tags, and no conversion asks for any")


class DeliveredFiles(Directory):
    """Files from anywhere on this machine under the keys of a delivery; they are only read."""

    def __init__(self, bucket: str, files: Mapping[str, Path]) -> None:
        super().__init__(bucket, Path())
        self._files = files

    def path(self, key: str) -> Path:
        return self._files[key]

    def keys(self) -> Iterable[str]:
        return self._files
