"""Where bytes lie, how long, and who can read them: the buckets and keys of the synthesized template."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from aws_cdk import Stack, assertions

from infra.lake import SUPERSEDED_TAG, Lake
from infra.settings import load_settings

DATA_BUCKETS = ("raw", "lake", "quarantine", "results")
BUCKETS = (*DATA_BUCKETS, "logs")

Resource = dict[str, Any]


def synthesized(stack: Stack, stage: str, overrides: object = None) -> dict[str, Resource]:
    Lake(stack, "Lake", settings=load_settings(stage, overrides))
    return cast("dict[str, Resource]", assertions.Template.from_stack(stack).to_json()["Resources"])


@pytest.fixture(scope="module")
def resources(new_stack: Callable[[], Stack]) -> dict[str, Resource]:
    return synthesized(new_stack(), "prod")


def bucket(resources: dict[str, Resource], name: str) -> tuple[str, Resource]:
    (found,) = (
        (logical_id, resource)
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::S3::Bucket"
        and resource["Properties"]["BucketName"]["Fn::Join"][1][0] == f"nightlake-prod-{name}-"
    )
    return found


def policy(resources: dict[str, Resource], name: str) -> Resource:
    logical_id, _ = bucket(resources, name)
    (found,) = (
        resource
        for resource in resources.values()
        if resource["Type"] == "AWS::S3::BucketPolicy" and resource["Properties"]["Bucket"] == {"Ref": logical_id}
    )
    return found


def rules(resources: dict[str, Resource], name: str) -> dict[str, Resource]:
    properties = bucket(resources, name)[1]["Properties"]
    return {rule.pop("Id"): rule for rule in map(dict, properties["LifecycleConfiguration"]["Rules"])}


def key_of(resources: dict[str, Resource], name: str) -> str:
    encryption = bucket(resources, name)[1]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert encryption["BucketKeyEnabled"] is True
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    return cast("str", encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]["Fn::GetAtt"][0])


@pytest.mark.parametrize("name", BUCKETS)
def test_nothing_in_a_bucket_can_be_made_public(resources: dict[str, Resource], name: str) -> None:
    properties = bucket(resources, name)[1]["Properties"]
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_refuses_everybody_who_comes_without_tls(resources: dict[str, Resource], name: str) -> None:
    logical_id, _ = bucket(resources, name)
    arn = {"Fn::GetAtt": [logical_id, "Arn"]}
    assert {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [arn, {"Fn::Join": ["", [arn, "/*"]]}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } in policy(resources, name)["Properties"]["PolicyDocument"]["Statement"]


def test_a_bucket_policy_allows_nobody_but_the_log_delivery_of_these_buckets(resources: dict[str, Resource]) -> None:
    allowed = {
        name: [
            statement
            for statement in policy(resources, name)["Properties"]["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow"
        ]
        for name in BUCKETS
    }
    assert {name for name, statements in allowed.items() if statements} == {"logs"}
    for statement in allowed["logs"]:
        assert statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
        assert statement["Action"] == "s3:PutObject"
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


@pytest.mark.parametrize("name", DATA_BUCKETS)
def test_who_touched_a_bucket_is_logged_under_its_name(resources: dict[str, Resource], name: str) -> None:
    assert bucket(resources, name)[1]["Properties"]["LoggingConfiguration"] == {
        "DestinationBucketName": {"Ref": bucket(resources, "logs")[0]},
        "LogFilePrefix": f"{name}/",
    }


def test_refused_rows_are_under_a_key_that_opens_nothing_else(resources: dict[str, Resource]) -> None:
    keys = {name: key_of(resources, name) for name in DATA_BUCKETS}
    assert keys["raw"] == keys["lake"] == keys["results"] != keys["quarantine"]


def test_keys_rotate_and_trust_this_account_alone(resources: dict[str, Resource]) -> None:
    keys = [resource["Properties"] for resource in resources.values() if resource["Type"] == "AWS::KMS::Key"]
    assert keys
    for key in keys:
        assert key["EnableKeyRotation"] is True
        (statement,) = key["KeyPolicy"]["Statement"]
        assert statement["Principal"]["AWS"]["Fn::Join"][1][-2:] == [{"Ref": "AWS::AccountId"}, ":root"]


def test_raw_files_are_archived_after_30_days_and_expire_after_2_years(resources: dict[str, Resource]) -> None:
    assert rules(resources, "raw")["archive-then-expire"] == {
        "Status": "Enabled",
        "Transitions": [{"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": 30}],
        "ExpirationInDays": 731,
    }


def test_days_of_raw_and_quarantine_come_from_settings(new_stack: Callable[[], Stack]) -> None:
    resources = synthesized(
        new_stack(), "prod", {"raw_archive_days": 10, "raw_expiry_days": 400, "quarantine_expiry_days": 5}
    )
    raw = rules(resources, "raw")["archive-then-expire"]
    assert (raw["Transitions"][0]["TransitionInDays"], raw["ExpirationInDays"]) == (10, 400)
    pages = rules(resources, "lake")["pages"]
    assert (pages["Prefix"], pages["ExpirationInDays"]) == ("pages/", 400)
    assert rules(resources, "quarantine")["quarantine"]["ExpirationInDays"] == 5


def test_staging_goes_after_a_week_and_leaves_no_versions(resources: dict[str, Resource]) -> None:
    assert rules(resources, "lake")["staging"] == {
        "Status": "Enabled",
        "Prefix": "staging/",
        "ExpirationInDays": 7,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }


def test_published_data_expires_by_its_tag_and_never_by_age(resources: dict[str, Resource]) -> None:
    expiring = {
        rule_id: rule
        for rule_id, rule in rules(resources, "lake").items()
        if "ExpirationInDays" in rule or "Transitions" in rule
    }
    assert expiring.keys() == {"staging", "queries", "pages", "superseded"}
    key, value = SUPERSEDED_TAG
    assert expiring["superseded"]["TagFilters"] == [{"Key": key, "Value": value}]
    assert expiring["superseded"]["Prefix"] == "data/"


def test_refused_rows_and_query_results_are_short_lived(resources: dict[str, Resource]) -> None:
    assert rules(resources, "quarantine")["quarantine"]["ExpirationInDays"] == 30
    assert rules(resources, "quarantine")["quarantine"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert rules(resources, "results")["results"]["ExpirationInDays"] == 7


@pytest.mark.parametrize("name", BUCKETS)
def test_abandoned_uploads_are_cleared(resources: dict[str, Resource], name: str) -> None:
    assert rules(resources, name)["abort-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_what_was_overwritten_can_be_had_back_for_30_days(resources: dict[str, Resource]) -> None:
    for name in ("raw", "lake"):
        assert bucket(resources, name)[1]["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
        assert rules(resources, name)["noncurrent"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}


def test_a_new_raw_file_is_told_to_event_bridge(resources: dict[str, Resource]) -> None:
    notifications = {
        name: bucket(resources, name)[1]["Properties"].get("NotificationConfiguration") for name in BUCKETS
    }
    assert notifications.pop("raw") == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert not any(notifications.values())


@pytest.mark.parametrize(("stage", "kept"), [("prod", "Retain"), ("dev", "Delete"), ("local", "Delete")])
def test_only_prod_outlives_its_stack_and_then_with_its_bucket_policies(
    new_stack: Callable[[], Stack], stage: str, kept: str
) -> None:
    stateful = {"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key"}
    resources = synthesized(new_stack(), stage).values()
    policies = {resource.get("DeletionPolicy") for resource in resources if resource["Type"] in stateful}
    assert policies == {kept}


def test_no_custom_resource_is_needed(resources: dict[str, Resource]) -> None:
    assert not [resource for resource in resources.values() if resource["Type"].startswith("Custom::")]
