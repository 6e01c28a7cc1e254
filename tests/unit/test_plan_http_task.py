"""Task Plan of an API in Lambda: answers are landed in the raw bucket, and a secret is told to the API alone."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
from conftest import Context
from http_world import Api, World, dataset, source
from moto import mock_aws
from nightlake.adapters.s3 import Objects
from nightlake.core import layout
from nightlake.core.errors import ApiUnauthorizedError
from nightlake.core.http_behaviour import find_asked
from nightlake.handlers import plan_http
from nightlake.handlers.settings import settings
from odd_server import reply, serving
from pydantic import ValidationError

BUCKET = "nightlake-dev-{}-123456789012-eu-west-1"
EVENT = {
    "pipeline": "p",
    "dataset": "t",
    "date": "2025-05-09",
    "run_id": "run-1",
    "attempt": 1,
    "scheduled_at": "2025-05-10T03:00:00Z",
    "previous": None,
}


@dataclass(frozen=True)
class LongContext(Context):
    """A function that has all its time."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def bank(environment: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`bank(*replies)`: an API that wants a key, and the stage local that talks to it."""
    asking = source(auth={"by": "header", "secret": "api/key"}, records="items")
    pipeline = World(asking, Api(lambda _: None), dataset(id="bigint")).pipeline  # type: ignore[arg-type, return-value]
    (tmp_path / "contracts" / "p.json").write_text(pipeline.model_dump_json())
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", STAGE="local")
        for name in ("raw", "lake"):
            place = {"LocationConstraint": "eu-west-1"}
            boto3.client("s3").create_bucket(Bucket=BUCKET.format(name), CreateBucketConfiguration=place)
        boto3.client("s3").put_bucket_versioning(
            Bucket=BUCKET.format("raw"), VersioningConfiguration={"Status": "Enabled"}
        )
        boto3.client("secretsmanager").create_secret(Name="api/key", SecretString="old-secret")
        yield lambda address: environment(ENDPOINTS=json.dumps({"https://api.example.com": address}))


def test_a_day_is_asked_for_once_with_the_key(bank: Any, log: Callable[[], list[dict[str, Any]]]) -> None:
    with serving(reply(b'{"items": [{"id": 1}]}')) as server:
        bank(server.address)
        planned = plan_http.handler(EVENT, LongContext())
        assert (planned["ready"], planned["changed"], planned["shards"]) == (True, True, 1)
        assert plan_http.handler(EVENT, LongContext())["delivery"] == planned["delivery"]
    assert len(server.heard) == 1
    assert "\r\nX-Api-Key: old-secret\r\n" in server.heard[0]
    shards = boto3.client("s3").get_object(Bucket=BUCKET.format("lake"), Key=planned["shard_file"])["Body"].read()
    shard = json.loads(shards)
    assert (shard["object"]["key"], shard["records"]) == ("p/t/2025/05/09/0001/answers-000001.jsonl", 1)
    landed = boto3.client("s3").get_object(
        Bucket=BUCKET.format("raw"), Key=shard["object"]["key"], VersionId=shard["object"]["version_id"]
    )
    assert json.loads(landed["Body"].read())["body"] == '{"items": [{"id": 1}]}'
    assert "old-secret" not in json.dumps(log())
    # Of both functions, the second of which asked nothing.
    asked = find_asked(Objects(BUCKET.format("lake")), layout.asked("p", date(2025, 5, 9), "run-1", "t"))
    assert asked is not None
    assert (asked.requests, asked.failed) == (1, 0)


def test_a_key_that_was_rotated_is_read_anew(bank: Any) -> None:
    def guarded(heard: bytes) -> bytes:
        if b"new-secret" in heard:
            return reply(b'{"items": []}')
        boto3.client("secretsmanager").put_secret_value(SecretId="api/key", SecretString="new-secret")
        return reply(b"who are you?", status="401 Unauthorized")

    with serving(guarded) as server:
        bank(server.address)
        assert plan_http.handler(EVENT, LongContext())["ready"]
    assert len(server.heard) == 2


def test_what_a_refusal_says_of_the_key_is_masked(bank: Any, log: Callable[[], list[dict[str, Any]]]) -> None:
    with serving(reply(b"no such key: old-secret", status="403 Forbidden")) as server:
        bank(server.address)
        with pytest.raises(ApiUnauthorizedError, match=r"no such key: \*\*\*"):
            plan_http.handler(EVENT, LongContext())
    assert "old-secret" not in json.dumps(log())


@pytest.mark.parametrize(
    ("stage", "address"),
    [("dev", "http://127.0.0.1:80"), ("local", "http://10.0.0.1:80"), ("local", "http://127.0.0.1:80@evil.com")],
)
def test_only_this_machine_stands_in_and_only_locally(
    environment: Callable[..., None], stage: str, address: str
) -> None:
    environment(STAGE=stage, ENDPOINTS=json.dumps({"https://api.example.com": address}))
    with pytest.raises(ValidationError, match="stand-ins of the stage local"):
        settings()
