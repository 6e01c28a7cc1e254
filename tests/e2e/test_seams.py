"""The local AWS's Lambda, IAM and Step Functions behave as AWS's, seen through their public APIs."""

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ResponseStreamingError

from local import aws, outages
from local.outages import Outage

pytestmark = pytest.mark.e2e

Template = dict[str, Any]
Deploy = Callable[[str, Template], dict[str, str]]
Until = Callable[..., Any]
Run = Callable[..., dict[str, Any]]

CODE = """
import json, os, sys, time
import boto3

class ShopClosedError(Exception):
    pass

def handler(event, context):
    act = event.get("act")
    if act == "raise":
        raise ShopClosedError("closed on Sundays")
    if act == "exit":
        os._exit(3)
    if act == "sleep":
        time.sleep(event["seconds"])
    if act == "big":
        return "x" * event["bytes"]
    if act == "import":
        import nightlake.handlers
    if act == "metric":
        metric = {"Namespace": "Shop", "Dimensions": [["Source"]], "Metrics": [{"Name": "Rows", "Unit": "Count"}]}
        print(json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": [metric]}, "Source": "tills", "Rows": 42}))
    if act == "read":
        return boto3.client("s3").get_object(Bucket=event["bucket"], Key=event.get("key", "k"))["Body"].read().decode()
    return {"got": event}
"""

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = [{"PolicyName": "own", "PolicyDocument": document}] if statements else []
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, "Policies": policies}}


def function(role_id: str, **properties: Any) -> dict[str, Any]:
    base = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Timeout": 20,
        "Role": {"Fn::GetAtt": [role_id, "Arn"]},
        "Code": {"ZipFile": CODE},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": base | properties}


def machine(definition: dict[str, Any], **properties: Any) -> dict[str, Any]:
    base = {"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "DefinitionString": {"Fn::Sub": json.dumps(definition)}}
    return {"Type": "AWS::StepFunctions::StateMachine", "Properties": base | properties}


def template(resources: dict[str, Any], **outputs: Any) -> Template:
    return {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}


@pytest.fixture(scope="module")
def run(cloud: aws.Endpoint, until: Until) -> Run:
    """run(state machine's ARN, payload): start an execution and describe it once it has ended."""
    states = cloud.client("stepfunctions")

    def to_the_end(machine_arn: str, payload: Any = None) -> Any:
        arn = states.start_execution(stateMachineArn=machine_arn, input=json.dumps(payload or {}))["executionArn"]
        return until(
            lambda: states.describe_execution(executionArn=arn), lambda execution: execution["status"] != "RUNNING"
        )

    return to_the_end


# Lambda and IAM


@pytest.fixture(scope="module")
def functions(deploy: Deploy) -> dict[str, str]:
    bucket_arn = {"Fn::GetAtt": ["Bucket", "Arn"]}
    return deploy(
        "functions",
        template(
            {
                "Bucket": {"Type": "AWS::S3::Bucket"},
                "BucketPolicy": {
                    "Type": "AWS::S3::BucketPolicy",
                    "Properties": {
                        "Bucket": {"Ref": "Bucket"},
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Effect": "Deny",
                                    "Principal": "*",
                                    "Action": "s3:*",
                                    "Resource": [bucket_arn, {"Fn::Sub": "${Bucket.Arn}/*"}],
                                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                                }
                            ],
                        },
                    },
                },
                "Role": role(),
                "Reader": role(
                    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}
                ),
                "Plain": function("Role"),
                "Reading": function("Reader"),
                "Narrow": function("Role", ReservedConcurrentExecutions=1),
                "Hasty": function("Role", Timeout=1),
                "Broken": function("Role", Code={"ZipFile": "import no_such_module\n"}),
                "Handlerless": function("Role", Handler="index.nothing"),
            },
            Bucket={"Ref": "Bucket"},
            Plain={"Fn::GetAtt": ["Plain", "Arn"]},
            Reading={"Fn::GetAtt": ["Reading", "Arn"]},
            Narrow={"Fn::GetAtt": ["Narrow", "Arn"]},
            Hasty={"Fn::GetAtt": ["Hasty", "Arn"]},
            Broken={"Fn::GetAtt": ["Broken", "Arn"]},
            Handlerless={"Fn::GetAtt": ["Handlerless", "Arn"]},
            Role={"Fn::GetAtt": ["Role", "Arn"]},
        ),
    )


def invoke(cloud: aws.Endpoint, function_arn: str, **event: Any) -> Any:
    answer = cloud.client("lambda").invoke(FunctionName=function_arn, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def test_a_function_reads_only_what_its_role_grants(cloud: aws.Endpoint, functions: dict[str, str]) -> None:
    cloud.client("s3").put_object(Bucket=functions["Bucket"], Key="k", Body=b"hello")

    assert invoke(cloud, functions["Reading"], act="read", bucket=functions["Bucket"]) == "hello"
    refused = invoke(cloud, functions["Plain"], act="read", bucket=functions["Bucket"])

    assert "is not authorized to perform: s3:GetObject" in refused["errorMessage"]


def test_only_who_may_list_a_bucket_learns_that_an_object_is_missing(
    cloud: aws.Endpoint, functions: dict[str, str]
) -> None:
    refused = invoke(cloud, functions["Reading"], act="read", bucket=functions["Bucket"], key="gone")

    assert "(AccessDenied)" in refused["errorMessage"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        cloud.client("s3").get_object(Bucket=functions["Bucket"], Key="gone")


def test_a_call_that_one_grant_alone_allows_is_written_down(
    cloud: aws.Endpoint, home: Path, functions: dict[str, str]
) -> None:
    cloud.client("s3").put_object(Bucket=functions["Bucket"], Key="k", Body=b"hello")
    invoke(cloud, functions["Reading"], act="read", bucket=functions["Bucket"])

    notes = [json.loads(line) for line in (home / aws.GRANTS_USED).read_text().splitlines()]
    bucket = f"arn:aws:s3:::{functions['Bucket']}"
    of_bucket = [(note["action"], note["resource"]) for note in notes if note["resource"].startswith(bucket)]
    assert of_bucket == [("s3:GetObject", f"{bucket}/*")]


def test_an_exception_keeps_its_class_message_and_place(cloud: aws.Endpoint, functions: dict[str, str]) -> None:
    failure = invoke(cloud, functions["Plain"], act="raise")

    assert (failure["errorType"], failure["errorMessage"]) == ("ShopClosedError", "closed on Sundays")
    assert 'raise ShopClosedError("closed on Sundays")' in "".join(failure["stackTrace"])
    assert failure["requestId"]


@pytest.mark.parametrize(
    ("name", "event", "error"),
    [
        ("Plain", {"act": "exit"}, "Runtime.ExitError"),
        ("Hasty", {"act": "sleep", "seconds": 5}, "Sandbox.Timedout"),
        ("Broken", {}, "Runtime.ImportModuleError"),
        ("Handlerless", {}, "Runtime.HandlerNotFound"),
    ],
)
def test_what_is_no_exception_has_the_runtimes_error_name(
    cloud: aws.Endpoint, functions: dict[str, str], name: str, event: dict[str, Any], error: str
) -> None:
    assert invoke(cloud, functions[name], **event)["errorType"] == error


def test_a_function_has_only_its_deployed_code(cloud: aws.Endpoint, functions: dict[str, str]) -> None:
    assert invoke(cloud, functions["Plain"], act="import")["errorType"] == "ModuleNotFoundError"


def test_embedded_metrics_reach_cloudwatch(cloud: aws.Endpoint, functions: dict[str, str]) -> None:
    invoke(cloud, functions["Plain"], act="metric")

    assert metric_sum(cloud, "Shop", "Rows", Source="tills") == 42


def metric_sum(cloud: aws.Endpoint, namespace: str, name: str, **dimensions: str) -> float:
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 60,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def test_versions_of_a_function_share_its_reserved_concurrency(cloud: aws.Endpoint, functions: dict[str, str]) -> None:
    client, name = cloud.client("lambda"), functions["Plain"]
    version = client.publish_version(FunctionName=name)["FunctionArn"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.invoke(FunctionName=version, Payload=b"{}")
    finally:
        client.delete_function_concurrency(FunctionName=name)
    assert json.load(client.invoke(FunctionName=version, Payload=b"{}")["Payload"]) == {"got": {}}


# Step Functions


@pytest.fixture(scope="module")
def machines(deploy: Deploy, functions: dict[str, str]) -> dict[str, str]:
    def task(name: str, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
        body = {"FunctionName": functions[name], "Payload": parameters}
        return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": body, "End": True} | fields

    caught = {"Type": "Pass", "End": True}
    retry = {"ErrorEquals": ["ShopClosedError"], "IntervalSeconds": 30, "MaxDelaySeconds": 1, "MaxAttempts": 2}
    named = {"Type": "Pass", "Parameters": {"name.$": "$$.State.Name"}, "End": True}
    definitions = {
        "Catching": {
            "Try": task("Plain", {"act": "raise"}, Catch=[{"ErrorEquals": ["ShopClosedError"], "Next": "Caught"}]),
            "Caught": caught,
        },
        "Throttled": {
            "Try": task("Narrow", {"act": "sleep", "seconds": 3}),
        },
        "Retrying": {"Try": task("Plain", {"act": "raise"}, Retry=[retry])},
        "Jittering": {"Try": task("Plain", {"act": "raise"}, Retry=[retry | {"JitterStrategy": "FULL"}])},
        "Large": {
            "Try": task(
                "Plain", {"act": "big", "bytes": 300_000}, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "No"}]
            ),
            "No": caught,
        },
        "Pathless": {"Try": {"Type": "Pass", "Parameters": {"a.$": "$.missing.field"}, "End": True}},
        "Inputless": {"Try": {"Type": "Pass", "InputPath": "$.missing", "End": True}},
        "Nullable": {"Try": {"Type": "Pass", "Parameters": {"a.$": "$.there"}, "End": True}},
        "Choosing": {
            "Try": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.asked", "IsPresent": False, "Next": "No"},
                    {"Variable": "$.value", "StringEquals": "x", "Next": "No"},
                ],
                "Default": "Yes",
            },
            "No": {"Type": "Pass", "Result": "no", "End": True},
            "Yes": {"Type": "Pass", "Result": "yes", "End": True},
        },
        "Nesting": {
            "Try": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync:2",
                "Parameters": {"StateMachineArn.$": "$.machine", "Input": {}},
                "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}],
                "End": True,
            },
            "Caught": caught,
        },
        "Waiting": {"Try": {"Type": "Wait", "Seconds": 600, "End": True}},
        "Branching": {
            "Try": {
                "Type": "Parallel",
                "Branches": [{"StartAt": name, "States": {name: named}} for name in ("Left", "Right")],
                "End": True,
            }
        },
        "Queueing": {
            "Try": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "MaxConcurrencyPath": "$.at_once",
                "ItemProcessor": {"StartAt": "Serve", "States": {"Serve": {"Type": "Wait", "Seconds": 1, "End": True}}},
                "End": True,
            }
        },
    }
    limits = {"Waiting": 1}
    resources: dict[str, Any] = {"Role": role(), "Log": {"Type": "AWS::Logs::LogGroup"}}
    for name, states in definitions.items():
        definition = {"StartAt": "Try", "States": states}
        resources[name] = machine(definition | ({"TimeoutSeconds": limits[name]} if name in limits else {}))
    resources["Catching"]["Properties"]["LoggingConfiguration"] = {
        "Level": "ALL",
        "IncludeExecutionData": False,
        "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["Log", "Arn"]}}}],
    }
    return deploy("machines", template(resources, Log={"Ref": "Log"}, **{name: {"Ref": name} for name in definitions}))


def test_a_state_machine_catches_an_exception_by_its_class(run: Run, machines: dict[str, str]) -> None:
    ended = run(machines["Catching"])

    assert ended["status"] == "SUCCEEDED"
    caught = json.loads(ended["output"])
    assert caught["Error"] == "ShopClosedError"
    assert json.loads(caught["Cause"])["errorMessage"] == "closed on Sundays"


def test_an_execution_that_fails_within_another_is_described_in_the_cause(run: Run, machines: dict[str, str]) -> None:
    ended = run(machines["Nesting"], {"machine": machines["Pathless"]})

    caught = json.loads(ended["output"])
    assert caught["Error"] == "States.TaskFailed"
    inner = json.loads(caught["Cause"])
    assert (inner["StateMachineArn"], inner["Status"], inner["Error"]) == (
        *(machines["Pathless"], "FAILED"),
        "States.Runtime",
    )


def test_a_throttled_function_has_the_documented_error_name(
    cloud: aws.Endpoint, run: Run, until: Until, machines: dict[str, str]
) -> None:
    states = cloud.client("stepfunctions")
    first = states.start_execution(stateMachineArn=machines["Throttled"])["executionArn"]
    until(
        lambda: states.get_execution_history(executionArn=first)["events"],
        lambda events: any(event["type"] == "TaskScheduled" for event in events),
    )

    assert run(machines["Throttled"])["error"] == "Lambda.TooManyRequestsException"


def test_retry_delays_are_capped(run: Run, machines: dict[str, str]) -> None:
    # Uncapped, the two delays would be 30 and 60 seconds: longer than `run` waits.
    assert run(machines["Retrying"])["error"] == "ShopClosedError"


def test_delays_with_jitter_differ(cloud: aws.Endpoint, run: Run, machines: dict[str, str]) -> None:
    arn = run(machines["Jittering"])["executionArn"]
    events = cloud.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
    tries = [event["timestamp"] for event in events if event["type"] == "TaskScheduled"]
    delays = [(after - before).total_seconds() for before, after in itertools.pairwise(tries)]

    assert len(delays) == 2
    assert abs(delays[0] - delays[1]) > 1e-3


def test_a_result_above_the_limit_ends_the_execution_uncaught(run: Run, machines: dict[str, str]) -> None:
    ended = run(machines["Large"])

    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_a_path_to_nowhere_ends_the_execution(run: Run, machines: dict[str, str]) -> None:
    ended = run(machines["Pathless"])

    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "'$.missing.field' specified for the field 'a.$'" in ended["cause"]


def test_an_input_path_to_nowhere_ends_the_execution(run: Run, machines: dict[str, str]) -> None:
    ended = run(machines["Inputless"])

    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")


def test_a_path_to_null_is_a_path_to_somewhere(run: Run, machines: dict[str, str]) -> None:
    assert json.loads(run(machines["Nullable"], {"there": None})["output"]) == {"a": None}


@pytest.mark.parametrize(
    ("payload", "output"), [({}, "no"), ({"asked": None, "value": "x"}, "no"), ({"asked": None, "value": None}, "yes")]
)
def test_a_null_is_present_to_a_choice(run: Run, machines: dict[str, str], payload: Any, output: str) -> None:
    assert json.loads(run(machines["Choosing"], payload)["output"]) == output


def test_a_choice_by_a_missing_variable_ends_the_execution(run: Run, machines: dict[str, str]) -> None:
    ended = run(machines["Choosing"], {"asked": 1})

    assert ended["error"] == "States.Runtime"
    assert "Invalid path '$.value'" in ended["cause"]


def test_the_history_tells_of_the_states_in_branches(cloud: aws.Endpoint, run: Run, machines: dict[str, str]) -> None:
    ended = run(machines["Branching"])
    events = cloud.client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])["events"]

    assert json.loads(ended["output"]) == [{"name": "Left"}, {"name": "Right"}]
    for details in ("stateEnteredEventDetails", "stateExitedEventDetails"):
        assert sorted(event[details]["name"] for event in events if details in event) == ["Left", "Right", "Try"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))


def test_a_map_works_on_as_many_items_at_once_as_its_input_says(
    cloud: aws.Endpoint, run: Run, machines: dict[str, str]
) -> None:
    ended = run(machines["Queueing"], {"items": [1, 2], "at_once": 1})
    events = cloud.client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])["events"]

    assert [event["type"] for event in events if event["type"].startswith("Wait")] == [
        "WaitStateEntered",
        "WaitStateExited",
        "WaitStateEntered",
        "WaitStateExited",
    ]


def test_a_state_machine_times_out_and_stays_so(cloud: aws.Endpoint, run: Run, machines: dict[str, str]) -> None:
    arn = run(machines["Waiting"])["executionArn"]
    states = cloud.client("stepfunctions")

    assert states.describe_execution(executionArn=arn)["status"] == "TIMED_OUT"
    assert states.get_execution_history(executionArn=arn)["events"][-1]["type"] == "ExecutionTimedOut"
    assert metric_sum(cloud, "AWS/States", "ExecutionsTimedOut", StateMachineArn=machines["Waiting"]) == 1


def test_executions_are_counted_and_logged(
    cloud: aws.Endpoint, run: Run, until: Until, machines: dict[str, str]
) -> None:
    before = metric_sum(cloud, "AWS/States", "ExecutionsSucceeded", StateMachineArn=machines["Catching"])
    arn = run(machines["Catching"], {"secret": "customer 42"})["executionArn"]
    logs = cloud.client("logs")
    lines = until(
        lambda: [
            json.loads(event["message"])
            for event in logs.filter_log_events(logGroupName=machines["Log"])["events"]
            if arn in event["message"]
        ],
        lambda found: any(line["type"] == "ExecutionSucceeded" for line in found),
    )

    assert metric_sum(cloud, "AWS/States", "ExecutionsSucceeded", StateMachineArn=machines["Catching"]) == before + 1
    assert lines[0]["type"] == "ExecutionStarted"
    assert "TaskFailed" in {line["type"] for line in lines}
    assert "customer 42" not in json.dumps(lines)


def test_a_range_of_a_version_is_that_range(cloud: aws.Endpoint, functions: dict[str, str]) -> None:
    s3, bucket = cloud.client("s3"), functions["Bucket"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="lines", Body=b"one\ntwo\nthree\n")["VersionId"]

    def part(span: str) -> bytes:
        found: bytes = s3.get_object(Bucket=bucket, Key="lines", VersionId=version, Range=span)["Body"].read()
        return found

    assert [part("bytes=4-7"), part("bytes=8-"), part("bytes=-3")] == [b"two\n", b"three\n", b"ee\n"]
    with pytest.raises(ClientError, match="InvalidRange"):
        part("bytes=99-")


def test_an_outage_of_s3_comes_on_command_and_goes(cloud: aws.Endpoint, home: Path, functions: dict[str, str]) -> None:
    bucket, key = functions["Bucket"], "outages/lines"
    patient, once = cloud.client("s3"), Config(retries={"total_max_attempts": 1})
    hasty = boto3.client(
        "s3",
        endpoint_url=cloud.url,
        region_name=aws.REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        verify=str(cloud.ca_bundle),
        config=once,
    )
    try:
        outages.order(
            home,
            Outage(kind="slow_down", method="PUT", keys="outages/", every=2),
            Outage(kind="break_off", method="GET", keys="outages/", times=1),
        )
        hasty.put_object(Bucket=bucket, Key=key, Body=b"one\n")
        with pytest.raises(ClientError, match="SlowDown") as busy:
            hasty.put_object(Bucket=bucket, Key=key, Body=b"two\n")
        assert busy.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        patient.put_object(Bucket=bucket, Key=key, Body=b"three\n")
        patient.put_object(Bucket=bucket, Key=key, Body=b"four, at the second try\n")
        with pytest.raises(ResponseStreamingError):
            patient.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert patient.get_object(Bucket=bucket, Key=key)["Body"].read() == b"four, at the second try\n"
    finally:
        outages.order(home)
    for _ in range(2):
        hasty.put_object(Bucket=bucket, Key=key, Body=b"as usual\n")
