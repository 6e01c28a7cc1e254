"""One night run by moto's interpreter: the real definition, the real handlers, moto's Glue and SNS.

moto is the second interpreter of our definitions beside the local AWS. What it lacks is named in `gaps` alone.
"""

import importlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_aws_sdk
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline
from nightlake.handlers import contracts, settings

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:nightlake-test-"
ENVIRONMENT = {
    "STAGE": "test",
    "LAKE_BUCKET": "nightlake-test-lake",
    "DATABASE": "nightlake_test",
    "STAGING_DATABASE": "nightlake_test_staging",
    "AWS_DEFAULT_REGION": REGION,
    "POWERTOOLS_SERVICE_NAME": "prepare",
    "POWERTOOLS_METRICS_NAMESPACE": "Nightlake",
    "POWERTOOLS_TRACE_DISABLED": "true",
}


@dataclass
class Lambda:
    """Calls our handlers as Lambda does: by version ARN, JSON in and out, an exception by its class name."""

    throttled: int = 0
    crashes: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, parameters: dict[str, Any], **_called_by: object) -> dict[str, Any]:
        """What Step Functions gets; the next `throttled` calls are refused, then one ends in each of `crashes`."""
        if self.throttled:
            self.throttled -= 1
            response = {
                "Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"},
                "ResponseMetadata": {"HTTPStatusCode": 429, "RequestId": "none"},
            }
            raise ClientError(response, "Invoke")  # type: ignore[arg-type]
        if self.crashes:
            failure = {"errorMessage": "the sandbox is gone", "errorType": self.crashes.pop()}
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": failure}
        event = json.loads(parameters["Payload"])
        self.calls.append(event)
        name, version = parameters["FunctionName"].removeprefix(FUNCTION).split(":")
        assert version == "1"
        handler = importlib.import_module(f"nightlake.handlers.{name}").handler
        context = SimpleNamespace(
            function_name=name,
            function_version=version,
            memory_limit_in_mb=512,
            invoked_function_arn=parameters["FunctionName"],
            aws_request_id="a-request",
        )
        try:
            return {"StatusCode": 200, "Payload": json.loads(json.dumps(handler(event, context)))}
        except Exception as error:  # noqa: BLE001 - as Lambda's runtime does
            failure = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": failure}


@dataclass(frozen=True)
class Execution:
    """How an execution ended."""

    arn: str
    status: str
    output: Any
    error: str | None
    cause: str | None
    states: tuple[str, ...]


@dataclass(frozen=True)
class Night:
    """The deployed machine and what it works on."""

    machine: str
    topic: str
    queue: str
    pipeline: Pipeline
    function: Lambda

    def run(self, **given: str) -> Execution:
        """Start an execution with this input and wait for its end."""
        client = boto3.client("stepfunctions")
        started = client.start_execution(stateMachineArn=self.machine, name=str(uuid4()), input=json.dumps(given))
        arn = started["executionArn"]
        while (ended := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.02)
        history = client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        return Execution(
            arn,
            ended["status"],
            json.loads(ended["output"]) if "output" in ended else None,
            ended.get("error"),
            ended.get("cause"),
            tuple(
                event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
            ),
        )

    def alerts(self) -> list[dict[str, str]]:
        """The alerts that a subscriber has got since the last look."""
        client = boto3.client("sqs")
        messages = client.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    def tables(self, database: str) -> dict[str, dict[str, Any]]:
        """The tables of a Glue database by name."""
        found = boto3.client("glue").get_tables(DatabaseName=database)["TableList"]
        return {table["Name"]: table for table in found}


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> Lambda:
    """moto would start a container for a function, names Glue's errors `glue.`, and really waits between retries."""
    function = Lambda()
    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", function.invoke)
    monkeypatch.setitem(state_task_service_aws_sdk._SERVICE_ERROR_NAMES, "glue", "Glue")
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _seconds: None))
    return function


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    (sales,) = load_pipelines(ROOT / "pipelines")
    return sales


@pytest.fixture
def environment(tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the stack tells our functions; they read it once, so they forget it before and after."""
    caches: tuple[Callable[..., Any], ...] = (settings.settings, contracts.pipelines)
    (tmp_path / "sales.json").write_text(pipeline.model_dump_json())
    for name, value in {**ENVIRONMENT, "CONTRACTS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def night(environment: None, gaps: Lambda, pipeline: Pipeline) -> Iterator[Night]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        for database in (ENVIRONMENT["DATABASE"], ENVIRONMENT["STAGING_DATABASE"]):
            boto3.client("glue").create_database(DatabaseInput={"Name": database})
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        queue = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        bound = {
            "Pipeline": "sales",
            "PrepareFunction": f"{FUNCTION}prepare:1",
            "DefineTableFunction": f"{FUNCTION}define_table:1",
            "AlertTopic": topic,
            "Region": REGION,
        }
        definition = (ROOT / "statemachines" / "daily.asl.json").read_text()
        machine = boto3.client("stepfunctions").create_state_machine(
            name="nightlake-test-sales-daily",
            definition=re.sub(r"\$\{(\w+)\}", lambda name: bound[name[1]], definition),
            roleArn="arn:aws:iam::123456789012:role/daily",
        )["stateMachineArn"]
        yield Night(machine, topic, queue, pipeline, gaps)
