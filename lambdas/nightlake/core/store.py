"""What an object store must do for us: one bucket of S3, or its twin in memory.

The errors here are caught where they are expected; whoever lets one through to a state tells its name there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol, TypeVar

from pydantic import BaseModel

from nightlake.core.errors import NightlakeError

Model = TypeVar("Model", bound=BaseModel)


class ObjectNotFoundError(NightlakeError):
    """Raised when an object, or that version of it, is not in the bucket."""


class PreconditionFailedError(NightlakeError):
    """Raised when an object is not (or no longer) what a conditional write or copy expects; nothing was written."""


@dataclass(frozen=True)
class ObjectInfo:
    """One object: `etag` without quotes, `size` in bytes, `modified` in UTC; `version_id` is "" where not told."""

    key: str
    version_id: str
    etag: str
    size: int
    modified: datetime


class Store(Protocol):
    """One bucket. Every version id is optional: without one, the newest version is meant."""

    bucket: str

    def read(self, key: str, version_id: str | None = None) -> tuple[bytes, ObjectInfo] | None:
        """An object and what it is, from one request; None when it is not there."""

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        """The bytes `start` to `end` (exclusive, default: all) in pieces. Raises ObjectNotFoundError."""

    def head(self, key: str, version_id: str | None = None) -> ObjectInfo | None:
        """What an object is; None when it is not there."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects below the prefix in the order of their keys, without version ids."""

    def list_versions(self, prefix: str) -> Iterator[ObjectInfo]:
        """The same, each with the id of its newest version."""

    def put(
        self,
        key: str,
        body: bytes | IO[bytes],
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
        content_type: str | None = None,
    ) -> str:
        """Write an object and return its ETag.

        Raises PreconditionFailedError when the object is not the one of ETag `if_match`, when there is one already
        (`if_none_match`), or when another conditional write of the key is under way.
        """

    def copy(self, source_bucket: str, source_key: str, key: str, *, source_etag: str) -> str:
        """Copy an object of at most 5 GB and return the copy's ETag.

        Raises PreconditionFailedError when the source has another ETag, ObjectNotFoundError when it is gone.
        """

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """Replace an object's tags. Raises ObjectNotFoundError."""

    def get(self, key: str, version_id: str | None = None) -> bytes:
        """All bytes of an object. Raises ObjectNotFoundError."""
        found = self.read(key, version_id)
        if found is None:
            version = f", version {version_id}" if version_id else ""
            raise ObjectNotFoundError(f"s3://{self.bucket}/{key}{version} is not there; see who deleted it")
        return found[0]

    def get_range(self, key: str, start: int, end: int, version_id: str | None = None) -> bytes:
        """The bytes `start` to `end` (exclusive) of an object. Raises ObjectNotFoundError."""
        return b"".join(self.stream(key, start, end, version_id))

    def get_model(self, key: str, model: type[Model]) -> Model:
        """The JSON object as a model. Raises ObjectNotFoundError, or pydantic's ValidationError."""
        return model.model_validate_json(self.get(key))

    def find_model(self, key: str, model: type[Model]) -> tuple[Model, str] | None:
        """The JSON object as a model, with its ETag for `if_match`; None when it is not there."""
        found = self.read(key)
        return None if found is None else (model.model_validate_json(found[0]), found[1].etag)

    def put_model(self, key: str, model: BaseModel, *, if_match: str | None = None, if_none_match: bool = False) -> str:
        """Write a model as JSON and return its ETag. Raises PreconditionFailedError as `put` does."""
        return self.put(
            key,
            model.model_dump_json(by_alias=True).encode(),
            if_match=if_match,
            if_none_match=if_none_match,
            content_type="application/json",
        )
