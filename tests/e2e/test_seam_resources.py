"""The local AWS's CloudFormation: what a template says of a resource is what its API shows, or the stack fails."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from local import aws

pytestmark = pytest.mark.e2e

Template = dict[str, Any]
Deploy = Callable[[str, Template], dict[str, str]]
Until = Callable[..., Any]


def template(resources: dict[str, Any], **outputs: Any) -> Template:
    return {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}


# S3


def bucket(**properties: Any) -> Template:
    return template({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}}, Bucket={"Ref": "Bucket"})


FULL = {
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {
                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/shop"},
                "BucketKeyEnabled": True,
            }
        ]
    },
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "archive",
                "Status": "Enabled",
                "Transitions": [{"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": 30}],
                "ExpirationInDays": 730,
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
            {
                "Id": "superseded",
                "Status": "Enabled",
                "Prefix": "data/",
                "TagFilters": [{"Key": "superseded", "Value": "true"}],
                "ExpirationInDays": 7,
            },
        ]
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "Tags": [{"Key": "team", "Value": "shop"}],
    "VersioningConfiguration": {"Status": "Enabled"},
}


def test_a_bucket_is_what_its_template_says(cloud: aws.Endpoint, deploy: Deploy) -> None:
    name = deploy("bucket", bucket(**FULL))["Bucket"]
    s3 = cloud.client("s3")

    rule = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["BucketKeyEnabled"] is True
    archive, superseded = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert archive["Transitions"] == [{"Days": 30, "StorageClass": "DEEP_ARCHIVE"}]
    assert archive["Expiration"] == {"Days": 730}
    assert archive["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert archive["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert superseded["Filter"]["And"]["Prefix"] == "data/"
    assert superseded["Filter"]["And"]["Tags"] == [{"Key": "superseded", "Value": "true"}]
    assert {"Key": "team", "Value": "shop"} in s3.get_bucket_tagging(Bucket=name)["TagSet"]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    ownership = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]
    assert ownership["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_what_leaves_the_template_leaves_the_bucket(cloud: aws.Endpoint, deploy: Deploy) -> None:
    name = deploy("shrinking", bucket(**FULL))["Bucket"]
    deploy("shrinking", bucket(Tags=[{"Key": "team", "Value": "bakery"}]))
    s3 = cloud.client("s3")

    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=name)
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "team", "Value": "bakery"}]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"


def test_a_bucket_property_that_nobody_applies_fails_the_stack(cloud: aws.Endpoint, deploy: Deploy) -> None:
    with pytest.raises(AssertionError, match="does not apply AccelerateConfiguration"):
        deploy("unknown", bucket(BucketName="half-made", AccelerateConfiguration={"AccelerationStatus": "Enabled"}))

    assert "half-made" not in [known["Name"] for known in cloud.client("s3").list_buckets()["Buckets"]]


def test_a_bucket_with_objects_survives_its_stack(cloud: aws.Endpoint, deploy: Deploy, until: Until) -> None:
    name = deploy("full", bucket())["Bucket"]
    s3, cloudformation = cloud.client("s3"), cloud.client("cloudformation")
    s3.put_object(Bucket=name, Key="k", Body=b"precious")

    cloudformation.delete_stack(StackName="full")
    until(
        lambda: cloudformation.describe_stacks(StackName="full")["Stacks"][0]["StackStatus"],
        lambda status: status == "DELETE_FAILED",
    )

    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"precious"
    s3.delete_object(Bucket=name, Key="k")


# Nested stacks


def test_an_update_of_a_nested_stack_keeps_what_it_does_not_touch(cloud: aws.Endpoint, deploy: Deploy) -> None:
    note = {"Type": "String", "Name": "/nested/note", "Value": {"Fn::Sub": "${Text} of ${Logs.Arn}"}}
    inner = template(
        {"Logs": {"Type": "AWS::Logs::LogGroup"}, "Note": {"Type": "AWS::SSM::Parameter", "Properties": note}},
        Logs={"Fn::GetAtt": ["Logs", "Arn"]},
    )
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="nested-templates")
    body = json.dumps({"Parameters": {"Text": {"Type": "String"}}, **inner})
    s3.put_object(Bucket="nested-templates", Key="inner.json", Body=body.encode())

    def outer(text: str) -> Template:
        url = f"https://s3.{aws.REGION}.amazonaws.com/nested-templates/inner.json"
        nested = {"TemplateURL": url, "Parameters": {"Text": text}}
        resources = {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": nested}}
        return template(resources, Logs={"Fn::GetAtt": ["Nested", "Outputs.Logs"]})

    logs = deploy("outer", outer("first"))["Logs"]
    assert deploy("outer", outer("second"))["Logs"] == logs
    told = cloud.client("ssm").get_parameter(Name="/nested/note")["Parameter"]["Value"]
    assert told == f"second of {logs}"


# API Gateway

CODE = """
import json

def handler(event, context):
    asked = event.get("queryStringParameters") or {}
    if asked.get("q") == "raise":
        raise ValueError("the vault code is 1234")
    if asked.get("q") == "malformed":
        return {"rows": []}
    return {"statusCode": 200, "body": json.dumps(event["requestContext"]["identity"])}
"""


@pytest.fixture(scope="module")
def api(cloud: aws.Endpoint, deploy: Deploy) -> dict[str, str]:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
    proxy = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": uri}}

    def method(verb: str, **properties: Any) -> dict[str, Any]:
        base = {
            "RestApiId": {"Ref": "Api"},
            "ResourceId": {"Ref": "Rows"},
            "HttpMethod": verb,
            "AuthorizationType": "NONE",
            "ApiKeyRequired": True,
            "RequestValidatorId": {"Ref": "Validator"},
            "Integration": proxy,
        }
        return {"Type": "AWS::ApiGateway::Method", "Properties": base | properties}

    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": CODE},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
                "Principal": "apigateway.amazonaws.com",
            },
        },
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "shop"}},
        "Rows": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "rows",
            },
        },
        "Validator": {
            "Type": "AWS::ApiGateway::RequestValidator",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ValidateRequestParameters": True,
                "ValidateRequestBody": True,
            },
        },
        "Model": {
            "Type": "AWS::ApiGateway::Model",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ContentType": "application/json",
                "Name": "Row",
                "Schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
            },
        },
        "Get": method("GET", RequestParameters={"method.request.querystring.q": True}),
        "Post": method("POST", RequestModels={"application/json": "Row"}),
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": ["Get", "Post"],
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployment"}, "StageName": "v1"},
        },
        "Key": {
            "Type": "AWS::ApiGateway::ApiKey",
            "Properties": {"Enabled": True, "Value": "a-key-of-more-than-twenty-characters"},
        },
        "Plan": {
            "Type": "AWS::ApiGateway::UsagePlan",
            "Properties": {"ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}]},
        },
        "PlanKey": {
            "Type": "AWS::ApiGateway::UsagePlanKey",
            "Properties": {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}},
        },
    }
    return deploy("api", template(resources, Api={"Ref": "Api"}, Key={"Ref": "Key"}))


Answer = tuple[int, Any]


@pytest.fixture
def ask(cloud: aws.Endpoint, api: dict[str, str]) -> Callable[..., Answer]:
    import ssl

    context = ssl.create_default_context(cafile=str(cloud.ca_bundle))

    def send(path: str, body: Any = None, key: str = "a-key-of-more-than-twenty-characters") -> Answer:
        request = urllib.request.Request(  # noqa: S310
            f"{cloud.url}/restapis/{api['Api']}/v1/_user_request_{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": key, "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, context=context) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return send


def test_the_api_names_the_callers_key(api: dict[str, str], ask: Callable[..., Answer]) -> None:
    status, identity = ask("/rows?q=1")

    assert status == 200
    assert identity["apiKeyId"] == api["Key"]
    assert ask("/rows?q=1", key="another")[0] == 403


def test_the_api_refuses_a_missing_parameter_and_a_wrong_body(ask: Callable[..., Answer]) -> None:
    assert ask("/rows") == (400, {"message": "Missing required request parameters: [q]"})
    assert ask("/rows", {"id": "seven"}) == (400, {"message": "Invalid request body"})
    assert ask("/rows", {"id": 7})[0] == 200


@pytest.mark.parametrize("cause", ["raise", "malformed"])
def test_the_api_tells_nothing_of_a_failed_function(ask: Callable[..., Answer], cause: str) -> None:
    assert ask(f"/rows?q={cause}") == (502, {"message": "Internal server error"})


# Types that the emulator lacks


def test_saved_queries_can_be_read(cloud: aws.Endpoint, deploy: Deploy) -> None:
    query = {"Database": "shop", "Name": "top products", "QueryString": "SELECT 1", "WorkGroup": "primary"}
    deploy("queries", template({"Query": {"Type": "AWS::Athena::NamedQuery", "Properties": query}}))
    changed = query | {"QueryString": "SELECT 2"}
    deploy("queries", template({"Query": {"Type": "AWS::Athena::NamedQuery", "Properties": changed}}))
    athena = cloud.client("athena")
    known = athena.list_named_queries(WorkGroup="primary")["NamedQueryIds"]
    found = [athena.get_named_query(NamedQueryId=each)["NamedQuery"] for each in known]

    assert [each["QueryString"] for each in found if each["Name"] == "top products"] == ["SELECT 2"]


def test_a_composite_alarm_follows_its_children(cloud: aws.Endpoint, deploy: Deploy, until: Until) -> None:
    alarm = {
        "MetricName": "Rows",
        "Namespace": "Shop",
        "ComparisonOperator": "LessThanThreshold",
        "EvaluationPeriods": 1,
        "Period": 60,
        "Statistic": "Sum",
        "Threshold": 1,
        "TreatMissingData": "notBreaching",
    }
    outputs = deploy(
        "alarms",
        template(
            {
                "Few": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
                "Any": {
                    "Type": "AWS::CloudWatch::CompositeAlarm",
                    "Properties": {"AlarmName": "any", "AlarmRule": {"Fn::Sub": 'ALARM("${Few}")'}},
                },
            },
            Few={"Ref": "Few"},
            Arn={"Fn::GetAtt": ["Any", "Arn"]},
        ),
    )
    cloudwatch = cloud.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=outputs["Few"], StateValue="ALARM", StateReason="trial")

    def state() -> Any:
        found = cloudwatch.describe_alarms(AlarmNames=["any"], AlarmTypes=["CompositeAlarm"])
        return found["CompositeAlarms"][0]["StateValue"]

    assert until(state, lambda value: value == "ALARM")
    assert outputs["Arn"].endswith(":alarm:any")


def test_a_network_has_its_rules_and_a_function_its_network(cloud: aws.Endpoint, deploy: Deploy) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    group = {"GroupDescription": "trial", "VpcId": {"Ref": "Vpc"}}
    rule = {"GroupId": {"Ref": "Database"}, "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    outputs = deploy(
        "network",
        template(
            {
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
                "Subnet": {
                    "Type": "AWS::EC2::Subnet",
                    "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"},
                },
                "Clients": {"Type": "AWS::EC2::SecurityGroup", "Properties": group},
                "Database": {"Type": "AWS::EC2::SecurityGroup", "Properties": group},
                "In": {
                    "Type": "AWS::EC2::SecurityGroupIngress",
                    "Properties": rule | {"SourceSecurityGroupId": {"Ref": "Clients"}, "Description": "from functions"},
                },
                "Out": {"Type": "AWS::EC2::SecurityGroupEgress", "Properties": rule | {"CidrIp": "10.0.0.0/16"}},
                "Logs": {"Type": "AWS::Logs::LogGroup"},
                "Role": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
                },
                "Flow": {
                    "Type": "AWS::EC2::FlowLog",
                    "Properties": {
                        "ResourceId": {"Ref": "Vpc"},
                        "ResourceType": "VPC",
                        "TrafficType": "REJECT",
                        "LogGroupName": {"Ref": "Logs"},
                        "DeliverLogsPermissionArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    },
                },
                "Function": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Runtime": "python3.13",
                        "Handler": "index.handler",
                        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                        "Code": {"ZipFile": CODE},
                        "VpcConfig": {"SubnetIds": [{"Ref": "Subnet"}], "SecurityGroupIds": [{"Ref": "Clients"}]},
                    },
                },
            },
            **{name: {"Ref": name} for name in ("Database", "Clients", "Vpc", "Subnet", "Function")},
        ),
    )
    ec2 = cloud.client("ec2")
    group = ec2.describe_security_groups(GroupIds=[outputs["Database"]])["SecurityGroups"][0]
    flows = ec2.describe_flow_logs()["FlowLogs"]
    network = cloud.client("lambda").get_function_configuration(FunctionName=outputs["Function"])["VpcConfig"]

    peers = [pair["GroupId"] for allowed in group["IpPermissions"] for pair in allowed["UserIdGroupPairs"]]
    assert peers == [outputs["Clients"]]
    assert "10.0.0.0/16" in [part["CidrIp"] for allowed in group["IpPermissionsEgress"] for part in allowed["IpRanges"]]
    assert outputs["Vpc"] in [flow["ResourceId"] for flow in flows]
    assert network["SubnetIds"] == [outputs["Subnet"]]


def test_a_topic_keeps_its_key(cloud: aws.Endpoint, deploy: Deploy) -> None:
    def topic(**properties: Any) -> Template:
        return template({"Topic": {"Type": "AWS::SNS::Topic", "Properties": properties}}, Topic={"Ref": "Topic"})

    arn = deploy("topic", topic(KmsMasterKeyId="alias/shop"))["Topic"]
    sns = cloud.client("sns")

    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["KmsMasterKeyId"] == "alias/shop"
    deploy("topic", topic(DisplayName="shop"))
    assert not sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("KmsMasterKeyId")


def test_an_object_may_be_encrypted_with_the_accounts_key(cloud: aws.Endpoint, deploy: Deploy) -> None:
    name = deploy("managed-key", bucket())["Bucket"]
    s3 = cloud.client("s3")

    s3.put_object(Bucket=name, Key="k", Body=b"bread", ServerSideEncryption="aws:kms")

    assert s3.head_object(Bucket=name, Key="k")["SSEKMSKeyId"].endswith(":alias/aws/s3")
    s3.delete_object(Bucket=name, Key="k")


def test_a_secret_is_known_by_its_arn_and_rotates(cloud: aws.Endpoint, deploy: Deploy) -> None:
    function_arn = "arn:aws:lambda:us-east-1:000000000000:function:rotate"

    def secret(length: int) -> Template:
        resources = {
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Description": f"{length}", "GenerateSecretString": {"PasswordLength": 20}},
            },
            "Rotation": {
                "Type": "AWS::SecretsManager::RotationSchedule",
                "Properties": {
                    "SecretId": {"Ref": "Secret"},
                    "RotationLambdaARN": function_arn,
                    "RotationRules": {"AutomaticallyAfterDays": length},
                },
            },
        }
        return template(resources, Arn={"Ref": "Secret"})

    arn = deploy("secret", secret(30))["Arn"]
    manager = cloud.client("secretsmanager")
    password = manager.get_secret_value(SecretId=arn)["SecretString"]
    again = deploy("secret", secret(60))["Arn"]
    described = manager.describe_secret(SecretId=arn)

    assert arn.startswith("arn:aws:secretsmanager:")
    assert again == arn
    assert manager.get_secret_value(SecretId=arn)["SecretString"] == password
    assert described["Description"] == "60"
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 60}


# EventBridge and Scheduler


def test_an_event_for_a_missing_target_lands_in_the_queue(cloud: aws.Endpoint, deploy: Deploy, until: Until) -> None:
    missing = "arn:aws:states:us-east-1:000000000000:stateMachine:nobody"
    outputs = deploy(
        "dead-letters",
        template(
            {
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Rule": {
                    "Type": "AWS::Events::Rule",
                    "Properties": {
                        "EventPattern": {"source": ["shop"]},
                        "Targets": [
                            {
                                "Id": "t",
                                "Arn": missing,
                                "RoleArn": "arn:aws:iam::000000000000:role/nobody",
                                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}},
                            }
                        ],
                    },
                },
            },
            Queue={"Ref": "Queue"},
            Rule={"Fn::GetAtt": ["Rule", "Arn"]},
        ),
    )
    cloud.client("events").put_events(Entries=[{"Source": "shop", "DetailType": "sold", "Detail": '{"bread": 2}'}])
    sqs = cloud.client("sqs")
    message = until(
        lambda: sqs.receive_message(QueueUrl=outputs["Queue"], MessageAttributeNames=["All"]).get("Messages")
    )[0]

    assert json.loads(message["Body"])["detail"] == {"bread": 2}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["TARGET_ARN"] == missing
    assert attributes["RULE_ARN"] == outputs["Rule"]
    assert attributes["ERROR_CODE"] == "NO_RESOURCE"


def test_a_schedule_fires_in_its_zone_and_tells_its_time(cloud: aws.Endpoint, deploy: Deploy, until: Until) -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    soon = (datetime.now(kolkata) + timedelta(seconds=2)).replace(microsecond=0)
    outputs = deploy(
        "schedule",
        template(
            {
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Schedule": {
                    "Type": "AWS::Scheduler::Schedule",
                    "Properties": {
                        "ScheduleExpression": f"at({soon.replace(tzinfo=None).isoformat()})",
                        "ScheduleExpressionTimezone": kolkata.key,
                        "FlexibleTimeWindow": {"Mode": "OFF"},
                        "Target": {
                            "Arn": {"Fn::GetAtt": ["Queue", "Arn"]},
                            "RoleArn": "arn:aws:iam::000000000000:role/nobody",
                            "Input": '{"time": "<aws.scheduler.scheduled-time>"}',
                        },
                    },
                },
            },
            Queue={"Ref": "Queue"},
        ),
    )
    sqs = cloud.client("sqs")
    message = until(lambda: sqs.receive_message(QueueUrl=outputs["Queue"]).get("Messages"))[0]

    told = datetime.fromisoformat(json.loads(message["Body"])["time"])
    assert abs(told - soon) < timedelta(minutes=1)
