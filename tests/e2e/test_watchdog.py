"""The watchdog as it is deployed: it may look where it has to, and its metrics and the alarms over them are there."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.aws import Endpoint

pytestmark = pytest.mark.e2e

WATCHED = ("NotStarted", "NotFinished")


@pytest.mark.usefixtures("outputs")
def test_a_look_is_a_gauge_of_every_pipeline_that_is_deployed(cloud: Endpoint, until: Callable[..., Any]) -> None:
    answer = cloud.client("lambda").invoke(FunctionName="nightlake-local-watchdog", Payload=b'{"source": "test"}')
    assert "FunctionError" not in answer
    pipelines = {seen["pipeline"] for seen in json.load(answer["Payload"])["watched"]}
    assert "sales" in pipelines
    cloudwatch = cloud.client("cloudwatch")

    def measured() -> set[tuple[str, str]]:
        found = cloudwatch.list_metrics(Namespace="Nightlake")["Metrics"]
        told = [(each["MetricName"], {item["Name"]: item["Value"] for item in each["Dimensions"]}) for each in found]
        return {
            (name, about["pipeline"]) for name, about in told if about.get("stage") == "local" and "pipeline" in about
        }

    expected = {(name, pipeline) for name in WATCHED for pipeline in pipelines}
    assert until(measured, lambda found: found >= expected)


@pytest.mark.usefixtures("outputs")
def test_the_clock_and_the_stack_wake_it(cloud: Endpoint) -> None:
    events = cloud.client("events")
    for rule in ("clock", "deployment"):
        (target,) = events.list_targets_by_rule(Rule=f"nightlake-local-watchdog-{rule}")["Targets"]
        assert ":function:nightlake-local-watchdog" in target["Arn"]


@pytest.mark.usefixtures("outputs")
def test_every_line_of_its_log_is_json(cloud: Endpoint, until: Callable[..., Any]) -> None:
    cloud.client("lambda").invoke(FunctionName="nightlake-local-watchdog", Payload=b'{"source": "test"}')
    logs = cloud.client("logs")

    def lines() -> list[str]:
        events = logs.filter_log_events(logGroupName="/aws/lambda/nightlake-local-watchdog")["events"]
        return [each["message"] for each in events]

    written = until(lines, lambda found: any("Night watched" in line for line in found))
    # The emulator writes the runtime's own lines as text, whatever LogFormat says.
    ours = [json.loads(line) for line in written if not line.startswith(("START ", "END ", "REPORT "))]
    looks = [line for line in ours if line.get("message") == "Night watched"]
    assert all(line["pipeline"] and line["correlation_id"] == line["function_request_id"] for line in looks)
