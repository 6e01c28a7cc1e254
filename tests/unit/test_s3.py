"""The S3 adapter and its twin in memory keep the same promises."""

import io
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.exceptions import ClientError, ResponseStreamingError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from memory_objects import MemoryObjects
from moto import mock_aws
from nightlake.adapters.s3 import Objects
from nightlake.core.shard import Finding
from nightlake.core.store import ObjectNotFoundError, PreconditionFailedError, Store
from urllib3.exceptions import ProtocolError

FINDING = Finding(rule="a", where="b", reason="c")


def s3_client() -> object:
    return boto3.client("s3", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture(params=["s3", "memory"])
def stores(request: pytest.FixtureRequest) -> Iterator[tuple[Store, Store]]:
    """A bucket with versions, and another one."""
    if request.param == "memory":
        raw = MemoryObjects("raw")
        yield MemoryObjects("lake", raw), raw
        return
    with mock_aws():
        client = s3_client()
        for bucket in ("lake", "raw"):
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        yield Objects("lake", client), Objects("raw", client)


@pytest.fixture
def store(stores: tuple[Store, Store]) -> Store:
    return stores[0]


def test_what_is_written_is_read_whole_in_part_and_in_pieces(store: Store) -> None:
    body = bytes(range(256)) * 20_000
    etag = store.put("a/b", io.BytesIO(body))
    info = store.head("a/b")
    assert info is not None
    assert (info.key, info.etag, info.size) == ("a/b", etag, len(body))
    assert info.modified.tzinfo is not None
    assert store.get("a/b") == body
    assert store.read("a/b") == (body, info)
    assert store.get_range("a/b", 3, 9) == body[3:9]
    assert store.get_range("a/b", 9, 9) == b""
    assert b"".join(store.stream("a/b", 5_000_000)) == body[5_000_000:]
    assert len(list(store.stream("a/b"))) > 1


def test_an_empty_object_is_read_as_nothing(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty") == b""
    assert b"".join(store.stream("empty")) == b""
    assert store.get_range("empty", 0, 0) == b""


def test_an_old_version_stays_readable_after_a_new_one_and_a_delete(store: Store) -> None:
    store.put("a", b"old")
    old = store.head("a")
    assert old is not None
    store.put("a", b"new")
    store.delete(["a", "never was"])
    assert store.head("a") is None
    assert store.get("a", old.version_id) == b"old"
    assert store.get_range("a", 1, 3, old.version_id) == b"ld"
    assert store.head("a", old.version_id) == old


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.get("none"),
        lambda store: list(store.stream("none")),
        lambda store: store.get_range("none", 1, 2),
        lambda store: store.tag("none", {"a": "b"}),
        lambda store: store.copy("raw", "none", "a", source_etag="0" * 32),
    ],
)
def test_a_missing_object_is_told_by_name(store: Store, ask: Callable[[Store], object]) -> None:
    with pytest.raises(ObjectNotFoundError, match="none is not there"):
        ask(store)
    assert store.read("none") is None
    assert store.find_model("none", Finding) is None


def test_a_listing_is_in_the_order_of_keys_and_leaves_deleted_ones_out(store: Store) -> None:
    for key in ("p/b", "p/a", "p/é", "p/c", "q/a"):
        store.put(key, key.encode())
    store.put("p/a", b"again")
    store.delete(["p/b"])
    assert [(info.key, info.size, info.version_id) for info in store.list("p/")] == [
        ("p/a", 5, ""),
        ("p/c", 3, ""),
        ("p/é", 4, ""),
    ]
    assert list(store.list_versions("p/")) == [store.head(key) for key in ("p/a", "p/c", "p/é")]


def test_only_the_first_of_two_creations_wins(store: Store) -> None:
    store.put("lock", b"mine", if_none_match=True)
    with pytest.raises(PreconditionFailedError, match="lake/lock is not what this write expects"):
        store.put("lock", b"yours", if_none_match=True)
    assert store.get("lock") == b"mine"
    store.delete(["lock"])
    store.put("lock", b"yours", if_none_match=True)


def test_a_write_replaces_only_what_it_has_read(store: Store) -> None:
    with pytest.raises(PreconditionFailedError):
        store.put("HEAD", b"0", if_match="0" * 32)
    first = store.put("HEAD", b"1")
    second = store.put("HEAD", b"2", if_match=first)
    with pytest.raises(PreconditionFailedError):
        store.put("HEAD", b"3", if_match=first)
    assert store.get("HEAD") == b"2"
    store.put("HEAD", b"3", if_match=second)


def test_a_copy_has_the_bytes_and_tags_go_on_it(stores: tuple[Store, Store]) -> None:
    lake, raw = stores
    etag = raw.put("from", b"bytes")
    assert lake.copy("raw", "from", "to/here", source_etag=etag) == etag
    assert lake.get("to/here") == b"bytes"
    lake.tag("to/here", {"superseded": "true"})
    assert lake.get("to/here") == b"bytes"


def test_memory_refuses_to_copy_a_changed_source() -> None:
    raw = MemoryObjects("raw")
    lake = MemoryObjects("lake", raw)
    old = raw.put("from", b"old")
    raw.put("from", b"new")
    with pytest.raises(PreconditionFailedError, match="from has changed"):
        lake.copy("raw", "from", "to", source_etag=old)
    assert lake.head("to") is None


def test_s3_is_asked_to_refuse_a_copy_of_a_changed_source() -> None:
    client = s3_client()
    with Stubber(client) as stub:  # moto ignores the condition
        stub.add_client_error(
            "copy_object",
            "PreconditionFailed",
            http_status_code=412,
            expected_params={
                "Bucket": "lake",
                "Key": "to",
                "CopySource": {"Bucket": "raw", "Key": "from"},
                "CopySourceIfMatch": '"abc"',
            },
        )
        with pytest.raises(PreconditionFailedError, match="raw/from has changed"):
            Objects("lake", client).copy("raw", "from", "to", source_etag="abc")


def test_a_race_of_two_conditional_writes_is_a_failed_condition() -> None:
    client = s3_client()
    with Stubber(client) as stub:
        stub.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        with pytest.raises(PreconditionFailedError):
            Objects("lake", client).put("a", b"", if_none_match=True)


class Cut(io.BytesIO):
    """A connection that breaks after what it holds."""

    def read(self, size: int | None = -1, **_: object) -> bytes:
        content = super().read(size)
        if not content:
            raise ProtocolError("Connection broken")
        return content


def body(content: io.BytesIO, length: int) -> dict[str, object]:
    return {"Body": StreamingBody(content, length), "ContentLength": length, "ETag": '"abc"'}


def test_a_connection_that_breaks_goes_on_where_it_was_with_the_same_object() -> None:
    client = s3_client()
    asked = {"Bucket": "lake", "Key": "a", "VersionId": "v1"}
    with Stubber(client) as stub:
        stub.add_response("get_object", body(Cut(b"some"), 10), asked)
        rest = {**asked, "Range": "bytes=4-9", "IfMatch": '"abc"'}
        stub.add_response("get_object", body(Cut(b""), 6), rest)
        stub.add_response("get_object", body(io.BytesIO(b""), 6), rest)
        stub.add_response("get_object", body(io.BytesIO(b" bytes"), 6), rest)
        assert b"".join(Objects("lake", client).stream("a", version_id="v1")) == b"some bytes"
        stub.assert_no_pending_responses()


def test_a_connection_that_always_breaks_is_given_up() -> None:
    client = s3_client()
    with Stubber(client) as stub:
        for _ in range(6):
            stub.add_response("get_object", body(Cut(b""), 10))
        with pytest.raises(ResponseStreamingError):
            list(Objects("lake", client).stream("a"))
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("method", ["get_object", "head_object", "put_object"])
def test_what_is_forbidden_is_not_missing(method: str) -> None:
    client = s3_client()
    ask = {
        "get_object": lambda store: store.get("a"),
        "head_object": lambda store: store.head("a"),
        "put_object": lambda store: store.put("a", b"", if_match="b"),
    }
    with Stubber(client) as stub:
        stub.add_client_error(method, "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError, match="AccessDenied"):
            ask[method](Objects("lake", client))


def test_a_model_is_written_and_found_with_its_etag(store: Store) -> None:
    etag = store.put_model("a.json", FINDING, if_none_match=True)
    assert store.get_model("a.json", Finding) == FINDING
    assert store.find_model("a.json", Finding) == (FINDING, etag)
    with pytest.raises(PreconditionFailedError):
        store.put_model("a.json", FINDING, if_none_match=True)


def test_many_keys_are_deleted(store: Store) -> None:
    keys = [f"k/{number:04}" for number in range(1003)]
    for key in keys:
        store.put(key, b"")
    store.delete(keys)
    assert list(store.list("k/")) == []
