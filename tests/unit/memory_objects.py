"""Buckets in memory: the Store of all unit tests, with versions, ETags, conditional writes and tags.

tests/unit/test_s3.py holds it and the real adapter to the same behaviour.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO

from nightlake.core.store import ObjectInfo, ObjectNotFoundError, PreconditionFailedError, Store


@dataclass
class _Version:
    info: ObjectInfo
    body: bytes
    tags: dict[str, str] = field(default_factory=dict)


class MemoryObjects(Store):
    """One bucket; `others` are buckets that objects can be copied from. A deleted key keeps its older versions."""

    def __init__(
        self,
        bucket: str = "lake",
        *others: "MemoryObjects",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.bucket = bucket
        self._buckets = {store.bucket: store for store in (*others, self)}
        self._now = now
        self._written = 0
        self._objects: dict[str, list[_Version | None]] = {}

    def read(self, key: str, version_id: str | None = None) -> tuple[bytes, ObjectInfo] | None:
        found = self._find(key, version_id)
        return None if found is None else (found.body, found.info)

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        if end is not None and end <= start:
            return
        body = self._get(key, version_id).body[start:end]
        for offset in range(0, len(body), 1 << 16):
            yield body[offset : offset + (1 << 16)]

    def head(self, key: str, version_id: str | None = None) -> ObjectInfo | None:
        found = self._find(key, version_id)
        return None if found is None else found.info

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for info in self.list_versions(prefix):
            yield ObjectInfo(info.key, "", info.etag, info.size, info.modified)

    def list_versions(self, prefix: str) -> Iterator[ObjectInfo]:
        for key in sorted(self._objects, key=str.encode):
            found = self._find(key)
            if found is not None and key.startswith(prefix):
                yield found.info

    def put(
        self,
        key: str,
        body: bytes | IO[bytes],
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
        content_type: str | None = None,  # noqa: ARG002 (no reader of ours asks for it)
    ) -> str:
        current = self._find(key)
        if (if_none_match and current is not None) or (
            if_match is not None and (current is None or current.info.etag != if_match)
        ):
            raise PreconditionFailedError(f"s3://{self.bucket}/{key} is not what this write expects; read it again")
        content = body if isinstance(body, bytes) else body.read()
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self._written += 1
        info = ObjectInfo(key, f"v{self._written}", etag, len(content), self._now())
        self._objects.setdefault(key, []).append(_Version(info, content))
        return etag

    def copy(self, source_bucket: str, source_key: str, key: str, *, source_etag: str) -> str:
        source = self._buckets[source_bucket]._get(source_key)
        if source.info.etag != source_etag:
            raise PreconditionFailedError(f"s3://{source_bucket}/{source_key} has changed since it was read")
        return self.put(key, source.body)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if key in self._objects:
                self._objects[key].append(None)

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        self._get(key).tags = dict(tags)

    def tags(self, key: str) -> dict[str, str]:
        """The tags of an object, for assertions."""
        return self._get(key).tags

    def _find(self, key: str, version_id: str | None = None) -> _Version | None:
        versions = self._objects.get(key, [None])
        if not version_id:
            return versions[-1]
        return next((found for found in versions if found is not None and found.info.version_id == version_id), None)

    def _get(self, key: str, version_id: str | None = None) -> _Version:
        found = self._find(key, version_id)
        if found is None:
            raise ObjectNotFoundError(f"s3://{self.bucket}/{key} is not there; see who deleted it")
        return found


class MeteredObjects(MemoryObjects):
    """A bucket that counts the bytes that are read of its objects."""

    fetched = 0

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        for piece in super().stream(key, start, end, version_id):
            self.fetched += len(piece)
            yield piece
