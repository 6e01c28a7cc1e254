"""The alarms of one stage. Each says what it means and links the heading of docs/runbook.md that says what to do.

Alerts and alarms share a topic but not a purpose: the alert of a failed execution says why, once, at once; an alarm
tells of what no execution can tell, silence above all. Only alarms that nothing else speaks for notify by themselves.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.functions import Function
from infra.settings import Settings

RUNBOOK = "docs/runbook.md"

_HOUR = Duration.hours(1)
_DAY = Duration.days(1)
_API_LATENCY_MS = 3_000
_NEAR_TIMEOUT = 0.8
# People may scan in a day what ten of their queries may at most.
_BI_QUERIES_A_DAY = 10

_Compare = cloudwatch.ComparisonOperator
_Missing = cloudwatch.TreatMissingData


class Night(NamedTuple):
    """What is watched of one pipeline: how long its night may take, how long it may wait for
    sources before, and whether there is one every day.
    """

    pipeline: str
    machine: sfn.StateMachine
    backfill: sfn.StateMachine
    dead_letters: sqs.IQueue
    latency_minutes: int
    deadline_minutes: int
    daily: bool


class _Watch(NamedTuple):
    """One alarm: it rises when `metric` (CDK's default: five minutes) compares so in each of `periods`."""

    meaning: str
    runbook: str
    metric: cloudwatch.IMetric
    threshold: float = 1
    periods: int = 1
    compare: cloudwatch.ComparisonOperator = _Compare.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
    missing: cloudwatch.TreatMissingData = _Missing.NOT_BREACHING
    notify: bool = True


class Monitoring(Construct):
    """Alarms over what `watch_...` is called with.

    Attributes:
        alarms: Every alarm so far, for the dashboard.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._prefix = f"nightlake-{settings.stage}"
        self._notify = actions.SnsAction(topic)
        self.alarms: list[cloudwatch.IAlarm] = []

    def watch_night(self, night: Night) -> None:
        """A pipeline's executions and its trigger; together they say whether the night is broken."""
        name = f"pipeline-{night.pipeline}"
        broken = [self._alarm(f"{name}-{what}", watch) for what, watch in _what_breaks(night).items()]
        self._any_of(f"{name}-night-is-broken", "This night's data is not there.", "the-night-is-broken", broken)
        self._alarm(
            f"{name}-slow",
            _Watch(
                f"A night took longer than the {night.latency_minutes} minutes its contract promises.",
                "a-night-was-slow",
                night.machine.metric_time(statistic="Maximum"),
                threshold=night.latency_minutes * 60_000,
                compare=_Compare.GREATER_THAN_THRESHOLD,
            ),
        )
        self._alarm(
            f"{name}-throttled",
            _Watch(
                "Step Functions slows a night down: the account's quota of state transitions is used up.",
                "executions-are-throttled",
                night.machine.metric_throttled(),
            ),
        )

    def watch_function(self, name: str, function: Function, *, errors_notify: bool) -> None:
        """A function's errors, throttles and duration; `errors_notify` is off where a state machine tells of errors."""
        watched, timeout = function.function, function.timeout
        self._alarm(
            f"function-{name}-errors",
            _Watch(
                f"The function {name} raised errors.",
                "a-function-fails",
                watched.metric_errors(),
                notify=errors_notify,
            ),
        )
        self._alarm(
            f"function-{name}-throttles",
            _Watch(
                f"Invocations of the function {name} were refused: no concurrency is left for it.",
                "a-function-is-throttled",
                watched.metric_throttles(),
            ),
        )
        self._alarm(
            f"function-{name}-near-timeout",
            _Watch(
                f"The function {name} ran for more than {_NEAR_TIMEOUT:.0%} of its {timeout.to_seconds():.0f} seconds.",
                "a-function-is-near-its-timeout",
                watched.metric_duration(statistic="Maximum"),
                threshold=timeout.to_milliseconds() * _NEAR_TIMEOUT,
                compare=_Compare.GREATER_THAN_THRESHOLD,
            ),
        )
        if function.dead_letters:
            self._alarm(
                f"function-{name}-dead-letters",
                _Watch(
                    f"The function {name} gave up on events: they lie in its dead-letter queue.",
                    "a-function-gave-up-on-events",
                    _waiting(function.dead_letters),
                ),
            )

    def watch_api(self, api: apigateway.RestApi) -> None:
        """The query API's own failures and its slowest answers."""
        self._alarm(
            "api-5xx",
            _Watch(
                "The query API answered with 5xx.",
                "the-api-answers-with-5xx",
                api.metric_server_error(),
            ),
        )
        self._alarm(
            "api-slow",
            _Watch(
                f"For a quarter of an hour one answer in a hundred took more than {_API_LATENCY_MS} ms.",
                "the-api-is-slow",
                api.metric_latency(statistic="p99"),
                threshold=_API_LATENCY_MS,
                periods=3,
                compare=_Compare.GREATER_THAN_THRESHOLD,
            ),
        )

    def watch_bi(self, *, workgroup: str, cutoff_bytes: int) -> None:
        """What people scan in a day; a single query is cut off by the workgroup at `cutoff_bytes`."""
        self._alarm(
            "bi-bytes",
            _Watch(
                f"Queries of people scanned more than {_BI_QUERIES_A_DAY} times the limit of one query in a day.",
                "people-scan-too-much",
                processed_bytes(workgroup),
                threshold=cutoff_bytes * _BI_QUERIES_A_DAY,
                compare=_Compare.GREATER_THAN_THRESHOLD,
            ),
        )

    def _alarm(self, name: str, watch: _Watch) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=_description(watch.meaning, watch.runbook),
            metric=watch.metric,
            threshold=watch.threshold,
            evaluation_periods=watch.periods,
            comparison_operator=watch.compare,
            treat_missing_data=watch.missing,
        )
        if watch.notify:
            alarm.add_alarm_action(self._notify)
        self.alarms.append(alarm)
        return alarm

    def _any_of(self, name: str, meaning: str, runbook: str, children: Sequence[cloudwatch.IAlarm]) -> None:
        composite = cloudwatch.CompositeAlarm(
            self,
            name,
            composite_alarm_name=f"{self._prefix}-{name}",
            alarm_description=_description(meaning, runbook),
            alarm_rule=cloudwatch.AlarmRule.any_of(*children),
        )
        composite.add_alarm_action(self._notify)
        self.alarms.append(composite)


def _what_breaks(night: Night) -> dict[str, _Watch]:
    """The alarms that make a night broken. They are quiet: the alarm over them notifies once for all."""
    # A night that waits or takes longer than yesterday's must not look missing for the difference.
    hours = 24 + math.ceil((night.deadline_minutes + night.latency_minutes) / 60) + 1
    machine = night.machine
    watches = {
        "failed": _Watch("A night failed; its own alert says why.", "a-night-failed", machine.metric_failed()),
        "timed-out": _Watch(
            "A night took longer than its state machine allows and was stopped.",
            "a-night-timed-out",
            machine.metric_timed_out(),
        ),
        "aborted": _Watch(
            "A night was stopped by hand or by its caller.", "a-night-was-aborted", machine.metric_aborted()
        ),
        "missing": _Watch(
            f"No night has succeeded in the last {hours} hours.",
            "no-night-has-succeeded",
            machine.metric_succeeded(period=_HOUR),
            periods=hours,
            compare=_Compare.LESS_THAN_THRESHOLD,
            missing=_Missing.BREACHING,
        ),
        "not-started": _Watch(
            "The trigger could not start a night: its event lies in the dead-letter queue.",
            "a-night-was-not-started",
            _waiting(night.dead_letters),
        ),
    }
    if not night.daily:
        # CloudWatch looks back a week at most, and silence on a day without a night means nothing.
        del watches["missing"]
    return {what: watch._replace(notify=False) for what, watch in watches.items()}


def processed_bytes(workgroup: str) -> cloudwatch.Metric:
    """Bytes that a workgroup's queries scanned, by day."""
    return cloudwatch.Metric(
        namespace="AWS/Athena",
        metric_name="ProcessedBytes",
        dimensions_map={"WorkGroup": workgroup},
        period=_DAY,
        statistic="Sum",
    )


def _waiting(queue: sqs.IQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(statistic="Maximum")


def _description(meaning: str, runbook: str) -> str:
    return f"{meaning} What to do: {RUNBOOK}#{runbook}"
