"""The deployed lake: both stacks of stage `local`, with IAM enforced, used as a person and the trigger use them."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from local import aws
from local.aws import Endpoint

pytestmark = pytest.mark.e2e


def test_status_names_what_runs_and_what_is_deployed(nightlake: Any, outputs: dict[str, str]) -> None:
    done = nightlake("status", "--json")
    assert done.returncode == 0, done.stdout
    status = json.loads(done.stdout)
    assert status["emulator"]["healthy"] is True
    assert {stack["name"]: stack["status"] for stack in status["stacks"]} == {
        "nightlake-local-stateful": "CREATE_COMPLETE",
        "nightlake-local-stateless": "CREATE_COMPLETE",
    }
    assert status["outputs"]["StateMachineSales"].endswith(":nightlake-local-sales-daily")


def test_doctor_finds_nothing_to_mend(nightlake: Any, outputs: dict[str, str]) -> None:
    done = nightlake("doctor", "--json")
    assert done.returncode == 0, done.stdout
    subjects = {finding["subject"]: finding["verdict"] for finding in json.loads(done.stdout)["findings"]}
    assert subjects["local AWS"] == "ok"
    assert subjects["nightlake-local-stateless"] == "ok"
    assert subjects["lambda concurrency"] == "ok"


def test_a_second_deploy_changes_nothing(nightlake: Any, cloud: Endpoint, outputs: dict[str, str]) -> None:
    def events() -> int:
        client = cloud.client("cloudformation")
        return sum(
            len(client.describe_stack_events(StackName=f"nightlake-local-{half}")["StackEvents"])
            for half in ("stateful", "stateless")
        )

    before = events()
    done = nightlake("deploy", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == outputs
    assert done.stderr.count("(no changes)") == 2
    assert events() == before


@pytest.fixture
def alerts(cloud: Endpoint, outputs: dict[str, str], until: Callable[..., Any]) -> Callable[[int], list[Any]]:
    """alerts(n): the messages on the alert topic since the test began, when at least n came."""
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    arn = f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:alerts-seen"
    topic_may_send = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": outputs["AlertTopic"]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [topic_may_send]})
    queue = sqs.create_queue(QueueName="alerts-seen", Attributes={"Policy": policy})["QueueUrl"]
    sns.subscribe(TopicArn=outputs["AlertTopic"], Protocol="sqs", Endpoint=arn)
    seen: list[Any] = []

    def look() -> list[Any]:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        seen.extend(json.loads(message["Body"]) for message in received)
        return seen

    return lambda count: until(look, lambda messages: len(messages) >= count)


def test_a_night_that_fails_says_why_once(
    nightlake: Any, cloud: Endpoint, outputs: dict[str, str], alerts: Callable[[int], list[Any]]
) -> None:
    done = nightlake("run", "sales", "--date", "2017-02-30", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["status"] == "FAILED"
    assert told["error"] == "InvalidDateError"
    assert "2017-02-30" in told["cause"]

    # A second failure proves by its own alert that the first one's had time to come twice.
    other = nightlake("run", "sales", "--date", "2017-02-31", "--json")
    assert other.returncode == 1
    messages = alerts(2)
    assert len(messages) == 2
    first = next(message for message in messages if "2017-02-30" in message["Message"])
    assert "sales" in first["Message"]
    assert "InvalidDateError" in first["Message"]


def test_the_trigger_hands_the_scheduled_time_to_the_night(cloud: Endpoint, outputs: dict[str, str]) -> None:
    events = cloud.client("events")
    rules = [rule for rule in events.list_rules()["Rules"] if rule.get("ScheduleExpression")]
    rules = [rule for rule in rules if rule["Name"].endswith("-sales-trigger")]
    assert [rule["ScheduleExpression"] for rule in rules] == ["cron(0 3 * * ? *)"]
    (target,) = events.list_targets_by_rule(Rule=rules[0]["Name"])["Targets"]
    assert target["Arn"] == outputs["StateMachineSales"]
    transformer = target["InputTransformer"]
    assert list(transformer["InputPathsMap"].values()) == ["$.time"]
    (name,) = transformer["InputPathsMap"]
    assert transformer["InputTemplate"] == f'{{"scheduled_time":<{name}>}}'
    assert target["DeadLetterConfig"]["Arn"]


Ask = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def ask(nightlake: Any, cloud: Endpoint, outputs: dict[str, str]) -> Ask:
    """ask(path, key=...): status, parsed body and content type of the API's answer."""
    context = ssl.create_default_context(cafile=str(cloud.ca_bundle))

    def get(path: str, key: str | None = None) -> tuple[int, Any, str]:
        request = urllib.request.Request(outputs["ApiUrl"] + path, headers={"x-api-key": key} if key else {})  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=context) as reply:  # noqa: S310
                return reply.status, json.load(reply), reply.headers["Content-Type"]
        except urllib.error.HTTPError as reply:
            return reply.code, json.load(reply), reply.headers["Content-Type"]

    return get


def test_the_api_tells_its_datasets_to_who_has_a_key(ask: Ask, api_key: str) -> None:
    status, body, _ = ask("/v1/health", api_key)
    assert (status, body["status"], body["stage"]) == (200, "ok", "local")
    status, body, _ = ask("/v1/datasets", api_key)
    assert status == 200
    assert {dataset["name"] for dataset in body["datasets"]} == {
        *("transactions", "products", "customers", "sales_enriched"),
        *("weather", "app_logs", "users", "activity_enriched", "orders"),
        *("tracks", "listeners", "listens", "heard"),
        *("recommendations", "popular_tracks", "model_metrics"),
    }
    status, body, _ = ask("/v1/datasets/customers", api_key)
    assert status == 200
    assert body["name"] == "customers"


def test_the_api_may_read_what_it_answers_from(ask: Ask, api_key: str) -> None:
    for name in ("reports", "runs", "snapshots"):
        status, body, _ = ask(f"/v1/{name}", api_key)
        assert (status, list(body)) == (200, [name])
    for path in ("/v1/reports/none", "/v1/runs/20261122T030000Z-00000001", "/v1/datasets/customers_private/rows"):
        assert ask(path, api_key)[0] == 404


def test_the_api_refuses_in_words(ask: Ask, api_key: str) -> None:
    status, body, kind = ask("/v1/datasets/nope", api_key)
    assert (status, kind) == (404, "application/problem+json")
    assert "nope" in body["detail"]
    status, body, _ = ask("/v1/datasets?limt=5", api_key)
    assert status == 400
    assert "limt" in body["detail"]


def test_the_buckets_are_as_the_template_says(cloud: Endpoint, outputs: dict[str, str]) -> None:
    s3 = cloud.client("s3")
    for output in ("RawBucket", "LakeBucket", "QuarantineBucket", "ResultsBucket"):
        bucket = outputs[output]
        rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        assert any(
            statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy["Statement"]
            if "Condition" in statement
        )


def test_the_night_may_do_what_its_states_do_and_nothing_else(cloud: Endpoint, outputs: dict[str, str]) -> None:
    """The emulator does not evaluate a state machine's role, so its policies are simulated as IAM would decide."""
    iam = cloud.client("iam")
    role = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=outputs["StateMachineSales"])["roleArn"]
    table = f"arn:aws:glue:us-east-1:000000000000:table/{outputs['Database']}"
    prepare = cloud.client("lambda").get_function(FunctionName="nightlake-local-prepare")["Configuration"][
        "FunctionArn"
    ]

    def decision(action: str, resource: str) -> str:
        found = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource])
        return str(found["EvaluationResults"][0]["EvalDecision"])

    assert decision("glue:GetTable", f"{table}/transactions") == "allowed"
    assert decision("glue:CreateTable", f"{table}/customers_private") == "allowed"
    assert decision("sns:Publish", outputs["AlertTopic"]) == "allowed"
    assert decision("lambda:InvokeFunction", f"{prepare}:1") == "allowed"
    assert decision("lambda:InvokeFunction", f"{prepare.replace('prepare', 'define_table')}:1") == "allowed"
    assert decision("glue:DeleteTable", f"{table}/transactions") == "implicitDeny"
    assert decision("glue:GetTable", f"{table}/another") == "implicitDeny"
    assert decision("lambda:InvokeFunction", prepare.replace("prepare", "query")) == "implicitDeny"
    assert decision("s3:GetObject", f"arn:aws:s3:::{outputs['LakeBucket']}/data/x") == "implicitDeny"
