"""Every alarm can be acted upon: it links a heading of the runbook, and silence alarms as loudly as failure."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
PREFIX = "nightlake-dev"
WATCHED_EVERY = 300
BROKEN = (
    *("failed", "timed-out", "aborted", "not-started", "not-finished", "slow"),
    "trigger-dead-letters",
)

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
def composites(dev: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Alarms over alarms by name without the stage's prefix."""
    found = resources(dev, "AWS::CloudWatch::CompositeAlarm").values()
    return {each["AlarmName"].removeprefix(f"{PREFIX}-"): each for each in found}


@pytest.fixture(scope="module")
def topic(dev: dict[str, Any]) -> dict[str, str]:
    (logical_id,) = resources(dev, "AWS::SNS::Topic")
    return {"Ref": logical_id}


def functions(alarms: dict[str, dict[str, Any]]) -> set[str]:
    return {name.removeprefix("function-").removesuffix("-errors") for name in alarms if name.endswith("-errors")}


def anchors() -> set[str]:
    """The anchors that GitHub gives the runbook's headings."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_alarm_says_what_to_do_under_a_heading_that_exists(
    alarms: dict[str, dict[str, Any]], composites: dict[str, dict[str, Any]]
) -> None:
    linked = {name: alarm["AlarmDescription"] for name, alarm in {**alarms, **composites}.items()}
    found = {name: re.search(r"What to do: docs/runbook\.md#(\S+)$", text) for name, text in linked.items()}
    assert [name for name, link in found.items() if link is None or link[1] not in anchors()] == []


@pytest.fixture(scope="module")
def children(dev: dict[str, Any]) -> Callable[[str], set[str]]:
    """`children(name)`: the alarms that a composite alarm is made of."""
    metric_alarms = resources(dev, "AWS::CloudWatch::Alarm")
    names = {key: each["AlarmName"].removeprefix(f"{PREFIX}-") for key, each in metric_alarms.items()}

    def found(name: str) -> set[str]:
        composites = resources(dev, "AWS::CloudWatch::CompositeAlarm").values()
        (rule,) = [json.dumps(each["AlarmRule"]) for each in composites if each["AlarmName"] == f"{PREFIX}-{name}"]
        assert "AND" not in rule
        return {names[key] for key in re.findall(r'"Fn::GetAtt": \["(\w+)", "Arn"\]', rule)}

    return found


def test_the_night_is_broken_when_any_of_its_alarms_is_on(
    children: Callable[[str], set[str]], composites: dict[str, dict[str, Any]], topic: dict[str, str]
) -> None:
    assert children("pipeline-sales-night-is-broken") == {f"pipeline-sales-{what}" for what in BROKEN}
    assert composites["pipeline-sales-night-is-broken"]["AlarmActions"] == [topic]


def test_what_something_else_tells_of_is_quiet(
    alarms: dict[str, dict[str, Any]], children: Callable[[str], set[str]], pipelines: tuple[Pipeline, ...]
) -> None:
    quiet = {name for name, alarm in alarms.items() if "AlarmActions" not in alarm}
    told_by_the_night = {f"function-{name}-errors" for name in functions(alarms)} - {
        f"function-{name}-errors" for name in ("query", "authorize", "notify", "watchdog")
    }
    told_by_an_alert = {
        f"source-{each.name}-{source.dataset}-rejected" for each in pipelines for source in each.sources
    }
    told_by_one_for_all = children("watchdog-is-silent").union(
        *(children(f"pipeline-{each.name}-night-is-broken") for each in pipelines)
    )
    models = [each.name for each in pipelines if each.model]
    told_by_one_for_all |= set().union(*(children(f"model-{name}-is-broken") for name in models))
    told_by_the_drift = {f"model-{name}-{how}" for name in models for how in ("shifted", "old")}
    athena = {"athena-failed-ddl", "athena-failed-dml"}
    told = told_by_the_night | told_by_an_alert | told_by_one_for_all | told_by_the_drift
    assert quiet == told | athena | {"just-deployed"}


def test_every_other_alarm_notifies_the_topic(alarms: dict[str, dict[str, Any]], topic: dict[str, str]) -> None:
    assert {json.dumps(alarm["AlarmActions"]) for alarm in alarms.values() if "AlarmActions" in alarm} == {
        json.dumps([topic])
    }


@pytest.mark.parametrize(
    ("name", "namespace", "metric"),
    [
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


@pytest.mark.parametrize(
    ("name", "metric"),
    [("failed", "ExecutionsFailed"), ("timed-out", "ExecutionsTimedOut"), ("aborted", "ExecutionsAborted")],
)
def test_an_execution_that_ends_badly_is_on_until_the_watchdog_has_looked(
    alarms: dict[str, dict[str, Any]], name: str, metric: str
) -> None:
    alarm = alarms[f"pipeline-sales-{name}"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/States", metric, "Sum")
    assert (alarm["Threshold"], alarm["DatapointsToAlarm"], alarm["TreatMissingData"]) == (1, 1, "notBreaching")
    assert alarm["EvaluationPeriods"] * alarm["Period"] >= 2 * WATCHED_EVERY


def test_a_night_is_slow_when_it_takes_longer_than_its_contract_promises(
    alarms: dict[str, dict[str, Any]], pipelines: tuple[Pipeline, ...]
) -> None:
    (sales,) = [each for each in pipelines if each.name == "sales"]
    slow = alarms["pipeline-sales-slow"]
    assert (slow["MetricName"], slow["Statistic"]) == ("ProcessingSeconds", "Maximum")
    assert slow["Threshold"] == sales.latency_minutes * 60
    assert slow["ComparisonOperator"] == "GreaterThanThreshold"


def test_a_dead_letter_of_the_trigger_is_an_alarm_as_long_as_it_lies_there(
    dev: dict[str, Any], alarms: dict[str, dict[str, Any]]
) -> None:
    queues = {name: each["QueueName"] for name, each in resources(dev, "AWS::SQS::Queue").items()}
    lost = alarms["pipeline-sales-trigger-dead-letters"]
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


def test_the_dashboard_shows_every_alarm_and_every_kind_of_thing(
    dev: dict[str, Any], alarms: dict[str, dict[str, Any]], composites: dict[str, dict[str, Any]]
) -> None:
    (dashboard,) = resources(dev, "AWS::CloudWatch::Dashboard").values()
    assert dashboard["DashboardName"] == PREFIX
    body = json.dumps(dashboard["DashboardBody"])
    names = [*alarms, *composites]
    assert [name for name in names if f':alarm:{PREFIX}-{name}\\"' not in body] == []
    for namespace in ("AWS/States", "AWS/Lambda", "AWS/ApiGateway", "AWS/Athena", "AWS/SQS"):
        assert namespace in body


def test_the_dashboard_says_of_every_pipeline_how_its_promises_are_kept(
    dev: dict[str, Any], pipelines: tuple[Pipeline, ...]
) -> None:
    (dashboard,) = resources(dev, "AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["DashboardBody"]).replace("\\", "")
    assert body.count("100 * (1 - AVG(late))") == len(pipelines)
    for metric in ("NotFinished", "LatenessMinutes", "FreshnessHours", "RowsPublished", "PartSeconds", "Cost"):
        assert body.count(f'"{metric}"') >= len(pipelines)
