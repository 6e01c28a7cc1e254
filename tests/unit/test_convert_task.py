"""Task Convert in Lambda: one shard of the sales delivery, from the raw bucket to receipt and quarantine."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from nightlake.core.errors import PipelineNotDeployedError, SourceChangedError
from nightlake.core.shard import Receipt, ShardFailure
from nightlake.handlers import convert

BUCKET = "nightlake-dev-{}-123456789012-eu-west-1"
KEY = "sales/customers/2017/06/12/customers.csv"
HEADER = "household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count"
GOOD = "1,65+,35-49K,Homeowner,Married,2,2 Adults No Kids,0"
BAD = "2,65+,Secret,Homeowner,Divorced,2,2 Adults No Kids,0"


@pytest.fixture
def shard(environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A shard as the Distributed Map gives it: an object of one good and one bad row."""
    environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        for name in ("raw", "lake", "quarantine"):
            place = {"LocationConstraint": "eu-west-1"}
            client.create_bucket(Bucket=BUCKET.format(name), CreateBucketConfiguration=place)
        client.put_bucket_versioning(Bucket=BUCKET.format("raw"), VersioningConfiguration={"Status": "Enabled"})
        body = f"{HEADER}\n{GOOD}\n{BAD}\n".encode()
        put = client.put_object(Bucket=BUCKET.format("raw"), Key=KEY, Body=body)
        yield {
            "pipeline": "sales",
            "dataset": "customers",
            "date": "2017-06-12",
            "index": 0,
            "object": {
                "key": KEY,
                "version_id": put["VersionId"],
                "etag": put["ETag"].strip('"'),
                "size": len(body),
            },
            "start": 0,
            "end": len(body),
            "header": HEADER.split(","),
            "fingerprint": "f" * 40,
        }


def keys(bucket: str) -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET.format(bucket))
    return [item["Key"] for item in found.get("Contents", ())]


def test_a_shard_is_converted_once_and_its_receipt_is_found_again(
    shard: dict[str, Any], lambda_context: Any, log: Callable[[], list[dict[str, Any]]]
) -> None:
    first = convert.handler({"shard": shard, "run_id": "run-1"}, lambda_context)
    assert first == {"fingerprint": "f" * 40, "rows": 1, "quarantined": 1, "reused": False}
    written = keys("lake")
    assert len(written) == 3  # two tables and the receipt
    assert len(keys("quarantine")) == 1
    body = boto3.client("s3").get_object(
        Bucket=BUCKET.format("lake"), Key=f"staging/sales/customers/{'f' * 40}/receipt.json"
    )
    receipt = Receipt.model_validate_json(body["Body"].read())
    assert [rule.rule for rule in receipt.rules] == ["customers.marital_status.enum"]
    assert convert.handler({"shard": shard, "run_id": "run-1"}, lambda_context) == first
    assert convert.handler({"shard": shard, "run_id": "run-2"}, lambda_context) == first | {"reused": True}
    assert keys("lake") == written
    line = log()[0]
    assert (line["pipeline"], line["dataset"], line["date"], line["run_id"]) == (
        "sales",
        "customers",
        "2017-06-12",
        "run-1",
    )
    assert "Secret" not in json.dumps(log())


def test_a_version_that_was_deleted_after_the_plan_fails_by_name(shard: dict[str, Any], lambda_context: Any) -> None:
    boto3.client("s3").delete_object(Bucket=BUCKET.format("raw"), Key=KEY, VersionId=shard["object"]["version_id"])
    with pytest.raises(SourceChangedError, match=KEY):
        convert.handler({"shard": shard, "run_id": "run-1"}, lambda_context)
    (note,) = keys("lake")
    assert note == f"runs/sales/2017-06-12/run-1/failures/customers/{'f' * 40}.json"
    body = boto3.client("s3").get_object(Bucket=BUCKET.format("lake"), Key=note)["Body"].read()
    failure = ShardFailure.model_validate_json(body)
    assert (failure.error, failure.run_id) == ("SourceChangedError", "run-1")
    assert KEY in failure.cause


def test_a_pipeline_that_is_not_deployed_is_named(shard: dict[str, Any], lambda_context: Any) -> None:
    with pytest.raises(PipelineNotDeployedError, match="'other' is not in this deployment"):
        convert.handler({"shard": shard | {"pipeline": "other"}, "run_id": "run-1"}, lambda_context)
