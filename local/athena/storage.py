"""The objects that tables are made of: an S3 endpoint as the engine sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from local.athena.errors import FilesystemError

_DELETE_BATCH = 1000
_SCHEMES = {"s3", "s3a", "s3n"}


@dataclass(frozen=True)
class Object:
    """One object: its whole address (`s3://bucket/key`), its size in bytes and when it was written (UTC)."""

    uri: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """What the engine asks of S3. Addresses are `s3://bucket/key`."""

    def list(self, prefix: str) -> tuple[Object, ...]:
        """Every object whose address begins with the prefix, in order of their keys."""

    def read(self, uri: str) -> bytes: ...

    def write(self, uri: str, body: bytes) -> None: ...

    def delete(self, uris: Iterable[str]) -> None: ...

    def url(self, uri: str) -> str:
        """What DuckDB is to open for an address."""


class S3:
    """An S3 endpoint behind a boto3 client; DuckDB's connections must hold a secret for the same endpoint."""

    def __init__(self, client: Any, encryption: Mapping[str, str] | None = None) -> None:
        self._s3 = client
        self._encryption = dict(encryption or {})

    def list(self, prefix: str) -> tuple[Object, ...]:
        bucket, key = split(prefix)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        try:
            return tuple(
                Object(f"s3://{bucket}/{each['Key']}", each["Size"], each["LastModified"])
                for page in pages
                for each in page.get("Contents", ())
            )
        except self._s3.exceptions.NoSuchBucket as error:
            raise FilesystemError(f"Failed to list directory: {prefix}: the specified bucket does not exist") from error

    def read(self, uri: str) -> bytes:
        bucket, key = split(uri)
        body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def write(self, uri: str, body: bytes) -> None:
        bucket, key = split(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=body, **self._encryption)

    def delete(self, uris: Iterable[str]) -> None:
        by_bucket: dict[str, list[str]] = {}
        for uri in uris:
            bucket, key = split(uri)
            by_bucket.setdefault(bucket, []).append(key)
        for bucket, keys in by_bucket.items():
            for start in range(0, len(keys), _DELETE_BATCH):
                batch = [{"Key": key} for key in keys[start : start + _DELETE_BATCH]]
                self._s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})

    def url(self, uri: str) -> str:
        return uri


def split(uri: str) -> tuple[str, str]:
    """The bucket and key of `s3://bucket/key`; raises ValueError for anything else."""
    parts = urlsplit(uri, allow_fragments=False)
    if parts.scheme.lower() not in _SCHEMES or not parts.netloc:
        raise ValueError(f"{uri!r} is not an S3 address: write s3://bucket/prefix/")
    return parts.netloc, uri.split(parts.netloc, 1)[1].removeprefix("/")


def folder(location: str) -> str:
    """A location as the prefix of what lies in it: with s3 as its scheme and one slash at its end."""
    bucket, key = split(location)
    key = key.rstrip("/")
    return f"s3://{bucket}/{key}/" if key else f"s3://{bucket}/"
