"""One night run by moto's interpreter: the rendered definition, moto's S3, Glue and SNS, and scripted functions.

Prepare, DefineTable, Explain and Complete are the real handlers, so that locks, tables and alerts are real too. The
other functions answer as their handlers promise, or fail as a test says. moto is the second interpreter of our
definitions beside the local AWS. What it lacks is named in `gaps` and `spoken` alone.
"""

import importlib
import json
import re
import time
from collections import Counter
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
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.parse import asl_parser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import json_path
from nightlake.core import layout
from nightlake.core.asl_states import machines
from nightlake.core.contract import load_pipelines
from nightlake.core.machine import ModelMachine, read_templates, render, render_of_model
from nightlake.core.pipeline import Pipeline
from nightlake.handlers import contracts, settings

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:nightlake-test-"
LAKE = "nightlake-test-lake"
DATABASES = ("nightlake_test", "nightlake_test_staging", "nightlake_test_quarantine")
ENVIRONMENT = {
    "STAGE": "test",
    "RAW_BUCKET": "nightlake-test-raw",
    "LAKE_BUCKET": LAKE,
    "QUARANTINE_BUCKET": "nightlake-test-quarantine",
    "DATABASE": DATABASES[0],
    "STAGING_DATABASE": DATABASES[1],
    "QUARANTINE_DATABASE": DATABASES[2],
    "AWS_DEFAULT_REGION": REGION,
    "POWERTOOLS_SERVICE_NAME": "prepare",
    "POWERTOOLS_METRICS_NAMESPACE": "Nightlake",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
REAL = ("prepare", "define_table", "explain", "complete")
FUNCTIONS = (
    *REAL,
    *("plan", "plan_http", "plan_postgres", "convert", "convert_postgres", "validate"),
    *("seal", "statement", "audit_across", "audit_merge", "publish", "report"),
)
OF_A_MODEL = (
    *("pin_model", "train_model", "evaluate_model", "promote_model", "measure_model", "score_users"),
    *("deliver_model", "finish_model"),
)

Event = dict[str, Any]
Answer = Callable[[Event], Event]


class FunctionFailedError(Exception):
    """What a function's runtime or Athena reports: an error by name, and whatever else its cause says."""

    def __init__(self, name: str, message: str = "as the test says", **told: object) -> None:
        super().__init__(message)
        self.name = name
        self.told = told


def plan(event: Event) -> Event:
    """Two shards; the delivery never changes."""
    key = f"runs/{event['run_id']}/{event['dataset']}-{event['attempt']}.json"
    boto3.client("s3").put_object(Bucket=LAKE, Key=key, Body=json.dumps([{"index": 0}, {"index": 1}]))
    answer = {"ready": True, "wait_seconds": 0, "changed": event["previous"] != "a", "delivery": "a"}
    return {**answer, "shards": 2, "total": 2, "reused": 0, "shard_file": key, "plan": key}


def validate(event: Event) -> Event:
    """A good source."""
    told = {"rows": 9, "quarantined": 1, "reused": 0, "validation": f"verdict/{event['dataset']}", "error": None}
    again = {"delivery": "a", "shards": None, "shard_file": None, "plan": None}
    return {"dataset": event["dataset"], "status": "good", **told, **again}


def statement(event: Event) -> Event:
    """A text that says what it is for."""
    answer = {"name": event.get("name"), "query": f"{event['kind']} {event.get('name')}", "database": "a_database"}
    fresh = {"table": f"{event.get('name')}__{uuid4().hex}", "location": "staging/somewhere/", "changed": True}
    return {**answer, **fresh}


def pin_model(event: Event) -> Event:
    """The seventh snapshot; version 3 serves."""
    given = {"retrained": event["input"].get("retrained", False), "reason": event["input"].get("reason", "asked")}
    known = {"pipeline": event["pipeline"], "date": "2026-11-20", "run_id": "the run", "snapshot": 7, "champion": 3}
    return {**known, **given, "needs_training": event["purpose"] == "retrain", "duplicate": False}


def measure_model(event: Event) -> Event:
    """Two shards of users; nothing has drifted."""
    key = f"models/{event['pipeline']}/runs/{event['run_id']}/shards.jsonl"
    boto3.client("s3").put_object(Bucket=LAKE, Key=key, Body=json.dumps([{"index": 0}, {"index": 1}]))
    return {"drifted": False, "reasons": [], "users": 4, "shards": 2, "key": key}


def _ended(machine: str, given: str) -> Any:
    """A new execution, described when it has ended."""
    client = boto3.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine, name=str(uuid4()), input=given)["executionArn"]
    while (ended := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.1)  # each look takes moto's execution its time
    return ended


def start_execution(event: Event) -> Event:
    """Another machine's execution, to its end."""
    ended = _ended(event["StateMachineArn"], json.dumps(event["Input"]))
    if ended["status"] != "SUCCEEDED":
        raise FunctionFailedError("ExecutionFailed", ended["status"])
    return {"Output": json.loads(ended["output"])}


ANSWERS: dict[str, Answer] = {
    "states": start_execution,
    **dict.fromkeys(("plan", "plan_http", "plan_postgres"), plan),
    **dict.fromkeys(
        ("convert", "convert_postgres"),
        lambda _event: {"fingerprint": "f", "rows": 5, "quarantined": 0, "reused": False},
    ),
    "validate": validate,
    "seal": lambda _event: {"tables": [], "parts": [{"part": 0, "parts": 2}, {"part": 1, "parts": 2}]},
    "statement": statement,
    "audit_across": lambda _event: {},
    "audit_merge": lambda _event: {},
    "publish": lambda _event: {"snapshot": 7, "parent": 6, "tables": []},
    "report": lambda event: {"name": event["name"], "rows": 3, "key": f"reports/{event['name']}"},
    "pin_model": pin_model,
    "train_model": lambda _event: {"version": 4},
    "evaluate_model": lambda event: {"version": event["version"], "promote": True, "reasons": ["it is better"]},
    "promote_model": lambda event: {"champion": event["version"], "previous": event["expected"]},
    "measure_model": measure_model,
    "score_users": lambda _event: {"users": 2, "rows": 40},
    "deliver_model": lambda event: {"date": event["date"]},
    "finish_model": lambda _event: {},
    "athena": lambda event: {"QueryExecution": {"QueryExecutionId": f"id of {event['QueryString']}"}},
}


@dataclass
class Lambda:
    """Calls functions as Lambda does: by version ARN, JSON in and out, an exception by its class name.

    `answers` replaces what a function answers; `throttled` is how many calls are refused before any is heard.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    throttled: int = 0
    calls: list[tuple[str, Event]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def invoke(self, parameters: dict[str, Any], **_called_by: object) -> dict[str, Any]:
        """What Step Functions gets."""
        if self.throttled:
            self.throttled -= 1
            response = {
                "Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"},
                "ResponseMetadata": {"HTTPStatusCode": 429, "RequestId": "none"},
            }
            raise ClientError(response, "Invoke")  # type: ignore[arg-type]
        event = json.loads(parameters["Payload"])
        name, version = parameters["FunctionName"].removeprefix(FUNCTION).split(":")
        assert version == "1"
        self.calls.append((name, event))
        try:
            answer = self.answers.get(name) or self.default(name)
            return {"StatusCode": 200, "Payload": json.loads(json.dumps(answer(event)))}
        except FunctionFailedError as error:
            failure = {"errorMessage": str(error), "errorType": error.name, **error.told}
        except Exception as error:  # noqa: BLE001 - as Lambda's runtime does
            failure = {"errorMessage": str(error), "errorType": type(error).__name__}
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": failure}

    def fail(self, name: str, error: str, *, times: int = 1_000, when: Callable[[Event], bool] = bool) -> None:
        """Let the next calls of a function that `when` is true of fail."""
        left, before = [times], self.answers.get(name) or self.default(name)

        def answer(event: Event) -> Event:
            if when(event) and left[0]:
                left[0] -= 1
                raise FunctionFailedError(error)
            return before(event)

        self.answers[name] = answer

    @staticmethod
    def error(name: str, **told: object) -> Exception:
        """What an answer raises to fail by this name, with this in its cause."""
        return FunctionFailedError(name, **told)

    def events(self, name: str) -> list[Event]:
        """What a function was called with."""
        return [event for called, event in self.calls if called == name]

    def count(self) -> Counter[str]:
        """How often each function was called."""
        return Counter(name for name, _ in self.calls)

    def default(self, name: str) -> Answer:
        """What a function answers when no test says otherwise."""
        return ANSWERS.get(name) or self._real(name)

    def _real(self, name: str) -> Answer:
        assert name in REAL
        handler = importlib.import_module(f"nightlake.handlers.{name}").handler
        context = SimpleNamespace(
            function_name=name, memory_limit_in_mb=512, invoked_function_arn=f"{FUNCTION}{name}:1", aws_request_id="1"
        )
        return lambda event: handler(event, context)


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
class Deployed:
    """A machine, the functions that it calls and who hears of its alerts."""

    machine: str
    queue: str
    topic: str
    function: Lambda

    def run(self, machine: str | None = None, **given: object) -> Execution:
        """Start an execution with this input and wait for its end."""
        ended = _ended(machine or self.machine, json.dumps(given))
        arn = ended["executionArn"]
        history = boto3.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)["events"]
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


@dataclass(frozen=True)
class Model(Deployed):
    """What recommends, `machine`, and what retrains."""

    retrain: str


@dataclass(frozen=True)
class Night(Deployed):
    """The deployed machines and what they work on."""

    backfill: str
    pipeline: Pipeline
    contracts: Path
    bound: dict[str, str]

    def redeploy(self, pipeline: Pipeline) -> None:
        """Let the machine, and the contract, be that of another pipeline."""
        (self.contracts / f"{pipeline.name}.json").write_text(pipeline.model_dump_json())
        contracts.pipelines.cache_clear()
        text = bound_text(definition(pipeline), self.bound)
        boto3.client("stepfunctions").update_state_machine(stateMachineArn=self.machine, definition=text)

    def tables(self, database: str) -> dict[str, dict[str, Any]]:
        """The tables of a Glue database by name."""
        found = boto3.client("glue").get_tables(DatabaseName=database)["TableList"]
        return {table["Name"]: table for table in found}

    def objects(self, prefix: str) -> dict[str, Any]:
        """The JSON objects of the lake bucket below a prefix."""
        s3 = boto3.client("s3")
        found = s3.list_objects_v2(Bucket=LAKE, Prefix=prefix).get("Contents", [])
        return {each["Key"]: json.loads(s3.get_object(Bucket=LAKE, Key=each["Key"])["Body"].read()) for each in found}

    def held_locks(self) -> list[str]:
        """The locks that some execution holds."""
        return [key for key, lock in self.objects(layout.locks(self.pipeline.name)).items() if lock["owner"]]


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> Lambda:
    """moto would start a container for a function, names Glue's errors `glue.`, and really waits.

    It takes `$.a[0].b` for a list, and finds nothing where a wildcard finds an empty one.
    """
    function = Lambda()
    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", function.invoke)
    monkeypatch.setitem(state_task_service_aws_sdk._SERVICE_ERROR_NAMES, "glue", "Glue")
    monkeypatch.setattr(json_path, "_is_singleton_array_access", lambda path: "*" not in path)
    monkeypatch.setattr(json_path, "_contains_slice_or_wildcard_array", lambda path: "*" in path)
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=function.slept.append))

    def wait(_self: WaitFunction, env: object, wait_seconds: int) -> None:
        function.slept.append(wait_seconds)

    monkeypatch.setattr(WaitFunction, "_wait_interval", wait)
    return function


def spoken(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition in moto's words.

    It knows no Athena and breaks off when one machine starts another: both are functions here. It reads JSON but no
    JSON Lines, looks for a ResultWriter's paths in the results, and tolerates no failed child, whatever is declared.
    """
    for machine in list(machines(definition)):
        for state in machine.body["States"].values():
            service = state.get("Resource", "").removeprefix("arn:aws:states:::").partition(":")[0]
            if service in ("athena", "states"):
                state["Resource"] = "arn:aws:states:::lambda:invoke"
                state["Parameters"] = {"FunctionName": f"{FUNCTION}{service}:1", "Payload": state["Parameters"]}
                for key, path in state.get("ResultSelector", {}).items():
                    state["ResultSelector"][key] = path.replace("$.", "$.Payload.")
            if "ItemReader" in state:
                state["ItemReader"]["ReaderConfig"]["InputType"] = "JSON"
                del state["ResultWriter"], state["ToleratedFailurePercentage"]
    return definition


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    """moto parses a definition when its machine is created and whenever it is executed: seconds for a night of ours."""
    parse, trees = asl_parser.AmazonStateLanguageParser.parse, {}

    def parsed(text: str) -> tuple[Any, Any]:
        if text not in trees:
            _, trees[text] = parse(text)
        return Preprocessor().visit(trees[text]), trees[text]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asl_parser.AmazonStateLanguageParser, "parse", staticmethod(parsed))
        yield


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    (sales,) = (each for each in load_pipelines(ROOT / "pipelines") if each.name == "sales")
    return sales


@pytest.fixture
def environment(tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the stack tells our functions; they read it once, so they forget it before and after."""
    caches: tuple[Callable[..., Any], ...] = (settings.settings, contracts.pipelines, contracts.statements)
    (tmp_path / "sales.json").write_text(pipeline.model_dump_json())
    for name, value in {**ENVIRONMENT, "CONTRACTS": str(tmp_path), "SQL": str(tmp_path / "sql")}.items():
        monkeypatch.setenv(name, value)
    for folder in ("views", "reports"):
        (tmp_path / "sql" / "sales" / folder).mkdir(parents=True)
        for name in ("first", "second"):
            (tmp_path / "sql" / "sales" / folder / f"{name}_{folder}.sql").write_text("SELECT 1")
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def night(environment: None, gaps: Lambda, pipeline: Pipeline) -> Iterator[Night]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        for database in DATABASES:
            boto3.client("glue").create_database(DatabaseInput={"Name": database})
        boto3.client("s3").create_bucket(Bucket=LAKE, CreateBucketConfiguration={"LocationConstraint": REGION})
        topic, queue = subscribed()
        backfill = json.loads((ROOT / "statemachines" / "backfill.asl.json").read_text())
        bound = {"Pipeline": "sales", "AlertTopic": topic, "LakeBucket": LAKE, "Region": REGION, "Stage": "test"}
        bound |= {"PipelineWorkgroup": "nightlake-test-pipeline"}
        bound |= {f"{name.title().replace('_', '')}Function": f"{FUNCTION}{name}:1" for name in FUNCTIONS}
        bound["DailyStateMachine"] = deployed("daily", definition(pipeline), bound)
        yield Night(
            machine=bound["DailyStateMachine"],
            backfill=deployed("backfill", spoken(backfill), bound),
            topic=topic,
            queue=queue,
            pipeline=pipeline,
            contracts=settings.settings().contracts,
            function=gaps,
            bound=bound,
        )


@pytest.fixture
def model(gaps: Lambda, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """What recommends and retrains over scripted functions; the machines that they start are a function, too."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        boto3.client("s3").create_bucket(Bucket=LAKE, CreateBucketConfiguration={"LocationConstraint": REGION})
        topic, queue = subscribed()
        bound = {"Pipeline": "sales", "AlertTopic": topic, "LakeBucket": LAKE, "Region": REGION}
        bound |= {f"{name}StateMachine": name.lower() for name in ("Publish", "Recommend", "Retrain")}
        bound |= {f"{name.title().replace('_', '')}Function": f"{FUNCTION}{name}:1" for name in OF_A_MODEL}
        kinds: tuple[ModelMachine, ...] = ("recommend", "retrain")
        templates = read_templates(ROOT / "statemachines")
        recommend, retrain = (deployed(kind, spoken(render_of_model(kind, templates)), bound) for kind in kinds)
        gaps.answers["states"] = start_another
        yield Model(machine=recommend, retrain=retrain, topic=topic, queue=queue, function=gaps)


def start_another(event: Event) -> Event:
    """A machine that is not there; as a night, it publishes."""
    return {"ExecutionArn": event["StateMachineArn"], "Output": {"run_id": "r", "published": {"snapshot": 12}}}


def subscribed() -> tuple[str, str]:
    """A topic, and a queue that gets its messages."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def definition(pipeline: Pipeline) -> dict[str, Any]:
    """The pipeline's night, in moto's words."""
    return spoken(render(pipeline, read_templates(ROOT / "statemachines")))


def bound_text(machine: dict[str, Any], bound: dict[str, str]) -> str:
    """A definition as text, with its names bound."""
    return re.sub(r"\$\{(\w+)\}", lambda name: bound[name[1]], json.dumps(machine))


def deployed(kind: str, machine: dict[str, Any], bound: dict[str, str]) -> str:
    """The ARN of a new machine."""
    arn: str = boto3.client("stepfunctions").create_state_machine(
        name=f"nightlake-test-sales-{kind}",
        definition=bound_text(machine, bound),
        roleArn="arn:aws:iam::123456789012:role/machine",
    )["stateMachineArn"]
    return arn
