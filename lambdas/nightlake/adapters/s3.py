"""One bucket of Amazon S3 as a Store: pinned versions, conditional writes, ETags without quotes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from nightlake.core.store import ObjectInfo, ObjectNotFoundError, PreconditionFailedError, Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import TagTypeDef

_PIECE_BYTES: Final = 1 << 20
_BODY_RETRIES: Final = 5
_DELETE_AT_ONCE: Final = 1000
_MISSING: Final = ("NoSuchKey", "NoSuchVersion", "404")
# Objects under a key of KMS are read with signatures of version 4 alone, and a region's own address redirects nobody.
_LINKS: Final = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
_CONFLICT: Final = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


def _client() -> "S3Client":
    return boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 8}))


@cache
def _link_client() -> "S3Client":
    return boto3.client("s3", config=_LINKS)


class Objects(Store):
    """The objects of one bucket. What S3 refuses for other reasons is botocore's ClientError."""

    def __init__(self, bucket: str, client: "S3Client | None" = None) -> None:
        self.bucket = bucket
        self._client = client or _client()

    def read(self, key: str, version_id: str | None = None) -> tuple[bytes, ObjectInfo] | None:
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=key, **_version(version_id))
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise
        return answer["Body"].read(), _info(key, answer, size=answer["ContentLength"])

    def stream(
        self, key: str, start: int = 0, end: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        options = _version(version_id)
        breaks = 0
        while end is None or start < end:
            if start or end is not None:  # S3 refuses any range of an empty object
                options["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            with self._missing(key):
                answer = self._client.get_object(Bucket=self.bucket, Key=key, **options)
            # boto3 retries requests, not bodies; what goes on must be the same object
            options["IfMatch"] = answer["ETag"]
            end = start + answer["ContentLength"]
            try:
                with closing(answer["Body"]) as body:
                    for piece in body.iter_chunks(_PIECE_BYTES):
                        start += len(piece)
                        yield piece
            except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                breaks += 1
                if breaks > _BODY_RETRIES:
                    raise

    def head(self, key: str, version_id: str | None = None) -> ObjectInfo | None:
        try:
            answer = self._client.head_object(Bucket=self.bucket, Key=key, **_version(version_id))
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise
        return _info(key, answer, size=answer["ContentLength"])

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                yield _info(item["Key"], item, size=item["Size"])

    def list_versions(self, prefix: str) -> Iterator[ObjectInfo]:
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Versions", ()):
                if item["IsLatest"]:
                    yield _info(item["Key"], item, size=item["Size"])

    def put(
        self,
        key: str,
        body: bytes | IO[bytes],
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
        content_type: str | None = None,
    ) -> str:
        options: dict[str, Any] = {}
        if if_match is not None:
            options["IfMatch"] = f'"{if_match}"'
        if if_none_match:
            options["IfNoneMatch"] = "*"
        if content_type is not None:
            options["ContentType"] = content_type
        try:
            answer = self._client.put_object(Bucket=self.bucket, Key=key, Body=body, **options)
        except ClientError as error:
            # S3 answers If-Match of a missing object with NoSuchKey
            if _code(error) in _CONFLICT or (if_match is not None and _code(error) in _MISSING):
                raise PreconditionFailedError(
                    f"s3://{self.bucket}/{key} is not what this write expects; read it again"
                ) from error
            raise
        return _etag(answer)

    def copy(self, source_bucket: str, source_key: str, key: str, *, source_etag: str) -> str:
        try:
            with self._missing(source_key, source_bucket):
                answer = self._client.copy_object(
                    Bucket=self.bucket,
                    Key=key,
                    CopySource={"Bucket": source_bucket, "Key": source_key},
                    CopySourceIfMatch=f'"{source_etag}"',
                )
        except ClientError as error:
            if _code(error) in _CONFLICT:
                raise PreconditionFailedError(
                    f"s3://{source_bucket}/{source_key} has changed since it was read (its ETag was {source_etag})"
                ) from error
            raise
        return _etag(answer["CopyObjectResult"])

    def link(self, key: str, *, seconds: int) -> str:
        """A URL under which anybody reads the object for so long, at most as long as the role's own credentials."""
        return _link_client().generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=seconds
        )

    def delete(self, keys: Iterable[str]) -> None:
        remaining = iter(keys)
        while some := list(islice(remaining, _DELETE_AT_ONCE)):
            answer = self._client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
            )
            for failure in answer.get("Errors", ()):
                raise ClientError({"Error": failure}, "DeleteObjects")

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        tag_set: list[TagTypeDef] = [{"Key": name, "Value": value} for name, value in tags.items()]
        with self._missing(key):
            self._client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging={"TagSet": tag_set})

    @contextmanager
    def _missing(self, key: str, bucket: str | None = None) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if _code(error) not in _MISSING:
                raise
            raise ObjectNotFoundError(f"s3://{bucket or self.bucket}/{key} is not there; see who deleted it") from error


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _version(version_id: str | None) -> dict[str, Any]:
    return {"VersionId": version_id} if version_id else {}


def _etag(answer: Any) -> str:
    return str(answer["ETag"]).strip('"')


def _info(key: str, answer: Any, *, size: int) -> ObjectInfo:
    return ObjectInfo(key, answer.get("VersionId", ""), _etag(answer), size, answer["LastModified"])
