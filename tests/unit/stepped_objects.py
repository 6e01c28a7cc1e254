"""A bucket in memory before whose every request something may happen, and which tells what was written and lost."""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO

from memory_objects import MemoryObjects
from nightlake.core.store import ObjectInfo


class SteppedObjects(MemoryObjects):
    """What `objects` is. What its methods `step`, `wrote` and `lost` do is up to who derives from it."""

    def __init__(self, objects: MemoryObjects) -> None:
        super().__init__(objects.bucket)
        self.objects = objects

    def step(self) -> None:
        """Comes before every request, and after a body that was streamed."""

    def wrote(self, key: str) -> None:
        """Comes after the object was put or copied."""

    def lost(self, key: str) -> None:
        """Comes after the object was deleted or tagged, by which it expires."""

    def read(self, key: str, version_id: str | None = None) -> tuple[bytes, ObjectInfo] | None:
        self.step()
        return self.objects.read(key, version_id)

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        self.step()
        yield from self.objects.stream(key, start, end, version_id)
        self.step()

    def head(self, key: str, version_id: str | None = None) -> ObjectInfo | None:
        self.step()
        return self.objects.head(key, version_id)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self.step()
        return self.objects.list(prefix)

    def list_versions(self, prefix: str) -> Iterator[ObjectInfo]:
        self.step()
        return self.objects.list_versions(prefix)

    def put(
        self,
        key: str,
        body: bytes | IO[bytes],
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
        content_type: str | None = None,
    ) -> str:
        self.step()
        etag = self.objects.put(key, body, if_match=if_match, if_none_match=if_none_match, content_type=content_type)
        self.wrote(key)
        return etag

    def copy(self, source_bucket: str, source_key: str, key: str, *, source_etag: str) -> str:
        self.step()
        etag = self.objects.copy(source_bucket, source_key, key, source_etag=source_etag)
        self.wrote(key)
        return etag

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.step()
            self.objects.delete([key])
            self.lost(key)

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        self.step()
        self.objects.tag(key, tags)
        self.lost(key)
