"""Where the bytes lie: the raw, lake, quarantine and results buckets, their keys and how long each prefix lives."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import Aws, Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.settings import Settings

# Publish puts this tag on the files of a run that no kept snapshot names.
SUPERSEDED_TAG = ("superseded", "true")

_STAGING_DAYS = 7
_RESULT_DAYS = 7
# Longer than their results, so that one whose result is gone can say so.
_QUERY_DAYS = 30
_NONCURRENT_DAYS = 30
_ACCESS_LOG_DAYS = 90


class Lake(Construct):
    """Buckets and keys of one stage. Every bucket is private, TLS only, encrypted, and logs who touched it.

    Attributes:
        key: Encrypts raw, lake and results.
        quarantine_key: Encrypts quarantine alone, so that reading the lake does not open refused rows.
        raw: What producers landed; the only bucket that tells EventBridge of new objects.
        lake: `staging/`, `data/`, `snapshots/`, `runs/`, what the API keeps, and the forever empty `empty/` that
            tables point at.
        quarantine: Refused rows.
        results: Athena's answers, `pipeline/`, `bi/` and `api/`.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.key = self._key("Key", name="lake", description="Raw, published and queried data")
        self.quarantine_key = self._key("QuarantineKey", name="quarantine", description="Rows refused by a contract")
        self._access_logs = s3.Bucket(
            self,
            "AccessLogs",
            bucket_name=bucket_name(settings.stage, "logs"),
            # S3 delivers access logs only to buckets encrypted with its own keys.
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            removal_policy=settings.removal_policy,
            lifecycle_rules=[_expire("access-logs", days=_ACCESS_LOG_DAYS), _ABORT_UPLOADS],
        )
        self.raw = self._bucket(
            "Raw",
            name="raw",
            key=self.key,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="archive-then-expire",
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.DEEP_ARCHIVE,
                            transition_after=Duration.days(settings.raw_archive_days),
                        )
                    ],
                    expiration=Duration.days(settings.raw_expiry_days),
                ),
                _NONCURRENT,
                _ABORT_UPLOADS,
            ],
        )
        _tell_event_bridge(self.raw)
        self.lake = self._bucket(
            "Lake",
            name="lake",
            key=self.key,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="staging",
                    prefix="staging/",
                    expiration=Duration.days(_STAGING_DAYS),
                    noncurrent_version_expiration=Duration.days(1),
                ),
                _expire("queries", days=_QUERY_DAYS, prefix="queries/"),
                # A page tells of a delivery, and goes with it.
                _expire("pages", days=settings.raw_expiry_days, prefix="pages/"),
                # Age counts from creation, not from tagging: the tag itself is the decision, and the noncurrent
                # version is the time left to undo it.
                s3.LifecycleRule(
                    id="superseded",
                    prefix="data/",
                    tag_filters=dict([SUPERSEDED_TAG]),
                    expiration=Duration.days(1),
                ),
                _NONCURRENT,
                _ABORT_UPLOADS,
            ],
        )
        self.quarantine = self._bucket(
            "Quarantine",
            name="quarantine",
            key=self.quarantine_key,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="quarantine",
                    expiration=Duration.days(settings.quarantine_expiry_days),
                    noncurrent_version_expiration=Duration.days(1),
                ),
                _ABORT_UPLOADS,
            ],
        )
        self.results = self._bucket(
            "Results",
            name="results",
            key=self.key,
            versioned=False,
            lifecycle_rules=[_expire("results", days=_RESULT_DAYS), _ABORT_UPLOADS],
        )

        for bucket in (self._access_logs, self.raw, self.lake, self.quarantine, self.results):
            # A bucket that outlives its stack goes on refusing connections without TLS.
            cast("s3.BucketPolicy", bucket.policy).apply_removal_policy(settings.removal_policy)

    def _key(self, construct_id: str, *, name: str, description: str) -> kms.Key:
        return kms.Key(
            self,
            construct_id,
            alias=f"nightlake-{self._settings.stage}-{name}",
            description=f"Nightlake {self._settings.stage}: {description}",
            enable_key_rotation=True,
            removal_policy=self._settings.removal_policy,
        )

    def _bucket(
        self,
        construct_id: str,
        *,
        name: str,
        key: kms.Key,
        versioned: bool,
        lifecycle_rules: Sequence[s3.LifecycleRule],
    ) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct_id,
            bucket_name=bucket_name(self._settings.stage, name),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=versioned,
            server_access_logs_bucket=self._access_logs,
            server_access_logs_prefix=f"{name}/",
            lifecycle_rules=lifecycle_rules,
            removal_policy=self._settings.removal_policy,
        )


def bucket_name(stage: str, name: str) -> str:
    """The name of a bucket, spelled out: what another stack's policies name, where an import would hide it."""
    return f"nightlake-{stage}-{name}-{Aws.ACCOUNT_ID}-{Aws.REGION}"


def bucket_arn(stage: str, name: str) -> str:
    """The ARN of a bucket, spelled out as its name is."""
    return f"arn:{Aws.PARTITION}:s3:::{bucket_name(stage, name)}"


def _tell_event_bridge(bucket: s3.Bucket) -> None:
    # CDK's own `event_bridge_enabled` sets this plain property through a custom resource with a Lambda of its own.
    resource = cast("s3.CfnBucket", bucket.node.default_child)
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )


def _expire(rule_id: str, *, days: int, prefix: str | None = None) -> s3.LifecycleRule:
    return s3.LifecycleRule(id=rule_id, prefix=prefix, expiration=Duration.days(days))


_NONCURRENT = s3.LifecycleRule(
    id="noncurrent",
    noncurrent_version_expiration=Duration.days(_NONCURRENT_DAYS),
    expired_object_delete_marker=True,
)
_ABORT_UPLOADS = s3.LifecycleRule(id="abort-uploads", abort_incomplete_multipart_upload_after=Duration.days(7))
