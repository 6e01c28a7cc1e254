"""CloudFormation resources that the emulator lacks or half applies, made through its own AWS APIs with boto3.

Every handler has the emulator's shape: create(logical id, properties, stack) and update(physical id, old and new
properties, stack) give the physical id and the attributes, delete(physical id, properties) gives nothing. A handler
without update is replaced on change: the engine creates the new one and deletes the old. boto3 refuses properties that
the API does not know, so that nothing of a template is dropped in silence.
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

Properties = Mapping[str, Any]
Made = tuple[str, dict[str, str]]
"""Physical id (what Ref gives) and attributes (what Fn::GetAtt gives)."""
Handler = dict[str, Any]

_making_clients = threading.Lock()


def client(service: str) -> Any:
    """A client of this emulator as its root user; on the emulator's own event loop it would wait for itself."""
    with _making_clients:
        return _client(service)


@cache
def _client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        region_name=os.environ["MINISTACK_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 (the emulator's root user has no secret)
    )


@contextlib.contextmanager
def _gone_is_fine(*codes: str) -> Iterator[None]:
    """What is already deleted needs no deletion."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def _only(properties: Properties, *names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names if name in properties}


def _refuse(kind: str, properties: Properties, known: set[str]) -> None:
    unknown = sorted(set(properties) - known)
    if unknown:
        raise ValueError(f"{kind}: the local AWS does not apply {', '.join(unknown)}; extend local/resources.py")


# S3 buckets: what the emulator's own handler leaves out.

_BUCKET_APPLIED_BY_EMULATOR = {
    "BucketName",
    "CorsConfiguration",
    "NotificationConfiguration",
    "PublicAccessBlockConfiguration",
    "WebsiteConfiguration",
}


def configure_bucket(bucket: str, old: Properties, new: Properties) -> None:
    """Apply the properties that the emulator drops; one that left the template is removed from the bucket.

    Raises:
        ValueError: a property that neither the emulator nor this function applies.
    """
    _refuse("AWS::S3::Bucket", new, _BUCKET_APPLIED_BY_EMULATOR | set(_BUCKET_PROPERTIES))
    for name, (put, remove) in _BUCKET_PROPERTIES.items():
        if name in new:
            if new[name] != old.get(name):
                put(bucket, new[name])
        elif name in old:
            remove(bucket)


def delete_bucket(bucket: str) -> None:
    """Delete an empty bucket; a bucket with objects or versions fails the stack's deletion, as in AWS."""
    with _gone_is_fine("NoSuchBucket"):
        if client("s3").list_object_versions(Bucket=bucket, MaxKeys=1).keys() & {"Versions", "DeleteMarkers"}:
            raise ValueError(
                f"The bucket you tried to delete is not empty: {bucket}. You must delete all versions in the bucket."
            )
        client("s3").delete_bucket(Bucket=bucket)


def _put_encryption(bucket: str, configuration: Properties) -> None:
    rules = [
        {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]} | _only(rule, "BucketKeyEnabled")
        for rule in configuration["ServerSideEncryptionConfiguration"]
    ]
    client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _put_lifecycle(bucket: str, configuration: Properties) -> None:
    rules = [_lifecycle_rule(rule) for rule in configuration["Rules"]]
    client("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    """The API's form of a template's lifecycle rule."""
    made = _only(rule, "Status", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    made["Filter"] = _lifecycle_filter(rule)
    if "Id" in rule:
        made["ID"] = rule["Id"]
    expiration = _renamed(
        rule, ExpirationInDays="Days", ExpirationDate="Date", ExpiredObjectDeleteMarker="ExpiredObjectDeleteMarker"
    )
    if expiration:
        made["Expiration"] = expiration
    for name, days in (("Transitions", "Days"), ("NoncurrentVersionTransitions", "NoncurrentDays")):
        if name in rule:
            made[name] = [
                _only(transition, "StorageClass", "NewerNoncurrentVersions")
                | _renamed(transition, TransitionInDays=days, TransitionDate="Date")
                for transition in rule[name]
            ]
    _refuse("AWS::S3::Bucket lifecycle rule", rule, _LIFECYCLE_RULE)
    return made


_LIFECYCLE_RULE = {
    "AbortIncompleteMultipartUpload",
    "ExpirationDate",
    "ExpirationInDays",
    "ExpiredObjectDeleteMarker",
    "Id",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransitions",
    "ObjectSizeGreaterThan",
    "ObjectSizeLessThan",
    "Prefix",
    "Status",
    "TagFilters",
    "Transitions",
}


def _lifecycle_filter(rule: Properties) -> dict[str, Any]:
    conditions = _only(rule, "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    tags = list(rule.get("TagFilters", ()))
    if len(conditions) + len(tags) > 1:
        return {"And": conditions | ({"Tags": tags} if tags else {})}
    return conditions or ({"Tag": tags[0]} if tags else {"Prefix": ""})


def _renamed(properties: Properties, **names: str) -> dict[str, Any]:
    return {new: properties[old] for old, new in names.items() if old in properties}


def _put_tags(bucket: str, tags: list[dict[str, str]]) -> None:
    client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def _put_versioning(bucket: str, configuration: Properties) -> None:
    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration=dict(configuration))


def _put_logging(bucket: str, configuration: Properties) -> None:
    enabled = {
        "TargetBucket": configuration.get("DestinationBucketName", bucket),
        "TargetPrefix": configuration.get("LogFilePrefix", ""),
    }
    client("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})


def _put_ownership(bucket: str, configuration: Properties) -> None:
    client("s3").put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=dict(configuration))


def _put_acl(bucket: str, canned: str) -> None:
    if canned == "Private":
        # What every bucket is; asking for it is refused where ownership is enforced.
        return
    client("s3").put_bucket_acl(Bucket=bucket, ACL=re.sub(r"(?<!^)(?=[A-Z])", "-", canned).lower())


_BUCKET_PROPERTIES: dict[str, tuple[Callable[[str, Any], None], Callable[[str], Any]]] = {
    "BucketEncryption": (_put_encryption, lambda bucket: client("s3").delete_bucket_encryption(Bucket=bucket)),
    "LifecycleConfiguration": (_put_lifecycle, lambda bucket: client("s3").delete_bucket_lifecycle(Bucket=bucket)),
    "LoggingConfiguration": (
        _put_logging,
        lambda bucket: client("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus={}),
    ),
    "OwnershipControls": (
        _put_ownership,
        lambda bucket: client("s3").delete_bucket_ownership_controls(Bucket=bucket),
    ),
    "Tags": (_put_tags, lambda bucket: client("s3").delete_bucket_tagging(Bucket=bucket)),
    "VersioningConfiguration": (_put_versioning, lambda bucket: _put_versioning(bucket, {"Status": "Suspended"})),
    # After the ownership, which decides whether access control lists are allowed.
    "AccessControl": (_put_acl, lambda bucket: client("s3").put_bucket_acl(Bucket=bucket, ACL="private")),
}


# API Gateway: request validators, and whose key a request counts for.


def _make_validator(_logical_id: str, properties: Properties, _stack: str) -> Made:
    made = client("apigateway").create_request_validator(
        restApiId=properties["RestApiId"],
        **_renamed(
            properties,
            Name="name",
            ValidateRequestBody="validateRequestBody",
            ValidateRequestParameters="validateRequestParameters",
        ),
    )
    return made["id"], {"RequestValidatorId": made["id"]}


def _delete_validator(physical_id: str, properties: Properties) -> None:
    with _gone_is_fine("NotFoundException"):
        client("apigateway").delete_request_validator(restApiId=properties["RestApiId"], requestValidatorId=physical_id)


def configure_method(_physical_id: str, _old: Properties, new: Properties) -> None:
    """Bind a method to the request validator of the template, which the emulator's own handler forgets."""
    if "RequestValidatorId" in new:
        client("apigateway").update_method(
            restApiId=new["RestApiId"],
            resourceId=new["ResourceId"],
            httpMethod=new["HttpMethod"],
            patchOperations=[{"op": "replace", "path": "/requestValidatorId", "value": new["RequestValidatorId"]}],
        )


def configure_rest_api(api_id: str, _old: Properties, new: Properties) -> None:
    """Apply who names the key of a request, which the emulator's own handler forgets when it makes an API."""
    source = new.get("ApiKeySourceType", "HEADER")
    client("apigateway").update_rest_api(
        restApiId=api_id, patchOperations=[{"op": "replace", "path": "/apiKeySource", "value": source}]
    )


# Lambda functions: what the emulator's own handler leaves out.

_FUNCTION_SETTINGS: dict[str, tuple[str, Any]] = {
    "DeadLetterConfig": ("DeadLetterConfig", {}),
    "KmsKeyArn": ("KMSKeyArn", ""),
    "VpcConfig": ("VpcConfig", {}),
}
"""Property of the template -> setting of the API, and its value when the template has none."""


def configure_function(name: str, old: Properties, new: Properties) -> None:
    """Apply reserved concurrency, dead-letter queue, key and network of the template."""
    functions = client("lambda")
    if "ReservedConcurrentExecutions" in new:
        functions.put_function_concurrency(FunctionName=name, **_only(new, "ReservedConcurrentExecutions"))
    elif "ReservedConcurrentExecutions" in old:
        functions.delete_function_concurrency(FunctionName=name)
    changes = {
        setting: new.get(property_name, absent)
        for property_name, (setting, absent) in _FUNCTION_SETTINGS.items()
        if new.get(property_name) != old.get(property_name)
    }
    if changes:
        functions.update_function_configuration(FunctionName=name, **changes)


# SNS topics: what the emulator's own handler leaves out.


def configure_topic(arn: str, old: Properties, new: Properties) -> None:
    """Apply the key of the template; a topic that lost its key is no longer encrypted."""
    if new.get("KmsMasterKeyId") != old.get("KmsMasterKeyId"):
        client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=new.get("KmsMasterKeyId", "")
        )


# Schedules: what the emulator's own handler leaves out.


def configure_schedule(name: str, _old: Properties, new: Properties) -> None:
    """Apply every property of the template: time zone, dates, key and what happens after completion are dropped."""
    client("scheduler").update_schedule(**(dict(new) | {"Name": name}))


# Athena, CloudWatch, Secrets Manager.


def _make_named_query(_logical_id: str, properties: Properties, _stack: str) -> Made:
    made = client("athena").create_named_query(**properties)
    return made["NamedQueryId"], {"NamedQueryId": made["NamedQueryId"]}


def _delete_named_query(physical_id: str, _properties: Properties) -> None:
    client("athena").delete_named_query(NamedQueryId=physical_id)


def _make_composite_alarm(logical_id: str, properties: Properties, stack: str) -> Made:
    named = {"AlarmName": f"{stack}-{logical_id}"} | dict(properties)
    cloudwatch = client("cloudwatch")
    cloudwatch.put_composite_alarm(**named)
    described = cloudwatch.describe_alarms(AlarmNames=[named["AlarmName"]], AlarmTypes=["CompositeAlarm"])
    return named["AlarmName"], {"Arn": described["CompositeAlarms"][0]["AlarmArn"]}


def _delete_composite_alarm(physical_id: str, _properties: Properties) -> None:
    client("cloudwatch").delete_alarms(AlarmNames=[physical_id])


def _make_rotation(_logical_id: str, properties: Properties, _stack: str) -> Made:
    _refuse("AWS::SecretsManager::RotationSchedule", properties, {"SecretId", "RotationLambdaARN", "RotationRules"})
    client("secretsmanager").rotate_secret(**properties)
    return properties["SecretId"], {"Id": properties["SecretId"]}


def _delete_rotation(physical_id: str, _properties: Properties) -> None:
    with _gone_is_fine("ResourceNotFoundException"):
        client("secretsmanager").cancel_rotate_secret(SecretId=physical_id)


# EC2: the network around a database.


def _permission(properties: Properties, peer: str) -> dict[str, Any]:
    """One IpPermission of a template's security group rule; `peer` names the property of the group at the other end."""
    described = _only(properties, "Description")
    permission: dict[str, Any] = _only(properties, "IpProtocol", "FromPort", "ToPort")
    for name, key, member in (
        ("CidrIp", "IpRanges", "CidrIp"),
        ("CidrIpv6", "Ipv6Ranges", "CidrIpv6"),
        (peer, "UserIdGroupPairs", "GroupId"),
    ):
        if name in properties:
            permission[key] = [{member: properties[name]} | described]
    return permission


def _rule_handler(verb: str, peer: str) -> Handler:
    """Handlers of AWS::EC2::SecurityGroupIngress or Egress, which differ in the API's verb and the peer's property."""
    known = {"GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description", peer}

    def make(logical_id: str, properties: Properties, stack: str) -> Made:
        _refuse(f"AWS::EC2::SecurityGroup{verb.title()}", properties, known)
        authorize = getattr(client("ec2"), f"authorize_security_group_{verb}")
        made = authorize(GroupId=properties["GroupId"], IpPermissions=[_permission(properties, peer)])
        rules = made.get("SecurityGroupRules")
        physical_id = rules[0]["SecurityGroupRuleId"] if rules else f"{stack}-{logical_id}"
        return physical_id, {"Id": physical_id}

    def delete(_physical_id: str, properties: Properties) -> None:
        with _gone_is_fine("InvalidGroup.NotFound", "InvalidPermission.NotFound"):
            revoke = getattr(client("ec2"), f"revoke_security_group_{verb}")
            revoke(GroupId=properties["GroupId"], IpPermissions=[_permission(properties, peer)])

    return {"create": make, "delete": delete}


def _make_flow_log(_logical_id: str, properties: Properties, _stack: str) -> Made:
    wanted = {name: value for name, value in properties.items() if name not in {"ResourceId", "Tags"}}
    if "Tags" in properties:
        wanted["TagSpecifications"] = [{"ResourceType": "vpc-flow-log", "Tags": properties["Tags"]}]
    made = client("ec2").create_flow_logs(ResourceIds=[properties["ResourceId"]], **wanted)
    return made["FlowLogIds"][0], {"Id": made["FlowLogIds"][0]}


def _delete_flow_log(physical_id: str, _properties: Properties) -> None:
    client("ec2").delete_flow_logs(FlowLogIds=[physical_id])


MISSING_TYPES: dict[str, Handler] = {
    "AWS::Athena::NamedQuery": {"create": _make_named_query, "delete": _delete_named_query},
    "AWS::CloudWatch::CompositeAlarm": {"create": _make_composite_alarm, "delete": _delete_composite_alarm},
    "AWS::EC2::FlowLog": {"create": _make_flow_log, "delete": _delete_flow_log},
    "AWS::EC2::SecurityGroupEgress": _rule_handler("egress", "DestinationSecurityGroupId"),
    "AWS::EC2::SecurityGroupIngress": _rule_handler("ingress", "SourceSecurityGroupId"),
    "AWS::SecretsManager::RotationSchedule": {"create": _make_rotation, "delete": _delete_rotation},
}
"""Types that the emulator does not know."""

REPLACED_TYPES: dict[str, Handler] = {
    "AWS::ApiGateway::RequestValidator": {"create": _make_validator, "delete": _delete_validator},
}
"""Types that the emulator takes in silence and does nothing for."""
