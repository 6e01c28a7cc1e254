"""Every alarm can be acted upon: it links a heading of the runbook, and silence alarms as loudly as failure."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.pipeline import Pipeline

from infra.tasks import TASKS

ROOT = Path(__file__).parents[2]
PREFIX = "nightlake-dev"

Templates = Callable[[str, str], dict[str, Any]]


def resources(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}


@pytest.fixture(scope="module")
def dev(template: Templates) -> dict[str, Any]:
    return template("dev", "stateless")


@pytest.fixture(scope="module")
def alarms(dev: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Metric alarms by name without the stage's prefix."""
    return {
        each["AlarmName"].removeprefix(f"{PREFIX}-"): each for each in resources(dev, "AWS::CloudWatch::Alarm").values()
    }


@pytest.fixture(scope="module")
def broken(dev: dict[str, Any]) -> dict[str, Any]:
    (composite,) = resources(dev, "AWS::CloudWatch::CompositeAlarm").values()
    return composite


@pytest.fixture(scope="module")
def topic(dev: dict[str, Any]) -> dict[str, str]:
    (logical_id,) = resources(dev, "AWS::SNS::Topic")
    return {"Ref": logical_id}


def anchors() -> set[str]:
    """The anchors that GitHub gives the runbook's headings."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_alarm_says_what_to_do_under_a_heading_that_exists(
    alarms: dict[str, dict[str, Any]], broken: dict[str, Any]
) -> None:
    linked = {name: alarm["AlarmDescription"] for name, alarm in {**alarms, "broken": broken}.items()}
    found = {name: re.search(r"What to do: docs/runbook\.md#(\S+)$", text) for name, text in linked.items()}
    assert [name for name, link in found.items() if link is None or link[1] not in anchors()] == []


def test_the_night_is_broken_when_any_of_its_alarms_is_on(
    dev: dict[str, Any], alarms: dict[str, dict[str, Any]], broken: dict[str, Any], topic: dict[str, str]
) -> None:
    names = {logical_id: each["AlarmName"] for logical_id, each in resources(dev, "AWS::CloudWatch::Alarm").items()}
    rule = json.dumps(broken["AlarmRule"])
    children = {names[logical_id] for logical_id in re.findall(r'"Fn::GetAtt": \["(\w+)", "Arn"\]', rule)}
    assert children == {
        f"{PREFIX}-pipeline-sales-{what}" for what in ("failed", "timed-out", "aborted", "missing", "not-started")
    }
    assert "AND" not in rule
    assert broken["AlarmActions"] == [topic]


def test_what_makes_a_night_broken_notifies_through_the_one_alarm_only(alarms: dict[str, dict[str, Any]]) -> None:
    quiet = {name for name, alarm in alarms.items() if "AlarmActions" not in alarm}
    assert quiet == {
        f"pipeline-sales-{what}" for what in ("failed", "timed-out", "aborted", "missing", "not-started")
    } | {f"function-{name}-errors" for name in TASKS if name != "query"}


def test_every_other_alarm_notifies_the_topic(alarms: dict[str, dict[str, Any]], topic: dict[str, str]) -> None:
    assert {json.dumps(alarm["AlarmActions"]) for alarm in alarms.values() if "AlarmActions" in alarm} == {
        json.dumps([topic])
    }


@pytest.mark.parametrize(
    ("name", "namespace", "metric"),
    [
        ("pipeline-sales-failed", "AWS/States", "ExecutionsFailed"),
        ("pipeline-sales-timed-out", "AWS/States", "ExecutionsTimedOut"),
        ("pipeline-sales-aborted", "AWS/States", "ExecutionsAborted"),
        ("pipeline-sales-throttled", "AWS/States", "ExecutionThrottled"),
        ("function-prepare-errors", "AWS/Lambda", "Errors"),
        ("function-prepare-throttles", "AWS/Lambda", "Throttles"),
        ("function-define_table-errors", "AWS/Lambda", "Errors"),
        ("function-define_table-throttles", "AWS/Lambda", "Throttles"),
        ("function-query-errors", "AWS/Lambda", "Errors"),
        ("function-query-throttles", "AWS/Lambda", "Throttles"),
        ("api-5xx", "AWS/ApiGateway", "5XXError"),
    ],
)
def test_one_occurrence_is_enough_and_no_data_is_good(
    alarms: dict[str, dict[str, Any]], name: str, namespace: str, metric: str
) -> None:
    alarm = alarms[name]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (namespace, metric, "Sum")
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"


def test_silence_for_longer_than_a_day_and_a_night_is_an_alarm(
    alarms: dict[str, dict[str, Any]], pipelines: tuple[Pipeline, ...]
) -> None:
    (sales,) = pipelines
    missing = alarms["pipeline-sales-missing"]
    assert (missing["MetricName"], missing["Statistic"]) == ("ExecutionsSucceeded", "Sum")
    assert (missing["Threshold"], missing["ComparisonOperator"]) == (1, "LessThanThreshold")
    assert missing["TreatMissingData"] == "breaching"
    hours = missing["EvaluationPeriods"] * missing["Period"] / 3600
    deadline = max(source.ready.deadline_minutes for source in sales.sources)
    assert hours > 24 + (deadline + sales.latency_minutes) / 60
    # CloudWatch's own limit on how far an alarm of hourly periods looks back.
    assert hours <= 7 * 24


def test_a_night_is_slow_when_it_takes_longer_than_its_contract_promises(
    alarms: dict[str, dict[str, Any]], pipelines: tuple[Pipeline, ...]
) -> None:
    (sales,) = pipelines
    slow = alarms["pipeline-sales-slow"]
    assert (slow["MetricName"], slow["Statistic"]) == ("ExecutionTime", "Maximum")
    assert slow["Threshold"] == sales.latency_minutes * 60_000
    assert slow["ComparisonOperator"] == "GreaterThanThreshold"


def test_a_dead_letter_of_the_trigger_is_an_alarm_as_long_as_it_lies_there(
    dev: dict[str, Any], alarms: dict[str, dict[str, Any]]
) -> None:
    queues = {name: each["QueueName"] for name, each in resources(dev, "AWS::SQS::Queue").items()}
    lost = alarms["pipeline-sales-not-started"]
    (dimension,) = lost["Dimensions"]
    assert queues[dimension["Value"]["Fn::GetAtt"][0]] == f"{PREFIX}-sales-trigger-dead-letters"
    assert (lost["MetricName"], lost["Statistic"], lost["Threshold"]) == (
        *("ApproximateNumberOfMessagesVisible", "Maximum"),
        1,
    )


def test_a_function_alarms_before_its_timeout_kills_it(dev: dict[str, Any], alarms: dict[str, dict[str, Any]]) -> None:
    timeouts = {each["FunctionName"]: each["Timeout"] for each in resources(dev, "AWS::Lambda::Function").values()}
    for name in ("prepare", "define_table", "query"):
        near = alarms[f"function-{name}-near-timeout"]
        assert near["MetricName"] == "Duration"
        assert near["Threshold"] == timeouts[f"{PREFIX}-{name}"] * 1000 * 0.8


def test_the_dashboard_shows_every_alarm_and_every_kind_of_thing(dev: dict[str, Any]) -> None:
    (dashboard,) = resources(dev, "AWS::CloudWatch::Dashboard").values()
    assert dashboard["DashboardName"] == PREFIX
    body = json.dumps(dashboard["DashboardBody"])
    alarm_ids = {*resources(dev, "AWS::CloudWatch::Alarm"), *resources(dev, "AWS::CloudWatch::CompositeAlarm")}
    assert [logical_id for logical_id in alarm_ids if logical_id not in body] == []
    for namespace in ("AWS/States", "AWS/Lambda", "AWS/ApiGateway", "AWS/Athena", "AWS/SQS"):
        assert namespace in body
