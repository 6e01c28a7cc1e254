"""What every alarm has: it says what it means and links the heading of docs/runbook.md that says what to do.

Alerts and alarms share a topic but not a purpose: the alert of a failed execution says why, once, at once; an alarm
tells of what no execution can tell, silence above all. Only alarms that nothing else speaks for notify by themselves.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct
from nightlake.core.metrics import NAMESPACE

RUNBOOK = "docs/runbook.md"

Compare = cloudwatch.ComparisonOperator
Missing = cloudwatch.TreatMissingData


class Watch(NamedTuple):
    """One alarm: it rises when `metric` (CDK's default: five minutes) compares so in `breaching` of `periods`, all of
    them unless it is said.
    """

    meaning: str
    runbook: str
    metric: cloudwatch.IMetric
    threshold: float = 1
    periods: int = 1
    breaching: int | None = None
    compare: cloudwatch.ComparisonOperator = Compare.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
    missing: cloudwatch.TreatMissingData = Missing.NOT_BREACHING
    notify: bool = True


class Alarms(Construct):
    """Alarms of one stage that tell the same topic.

    Attributes:
        names: Of every alarm so far, for the dashboard.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: str, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._notify = actions.SnsAction(topic)
        self.names: list[str] = []

    def _alarm(self, name: str, watch: Watch) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._named(name),
            alarm_description=_description(watch.meaning, watch.runbook),
            metric=watch.metric,
            threshold=watch.threshold,
            evaluation_periods=watch.periods,
            datapoints_to_alarm=watch.breaching,
            comparison_operator=watch.compare,
            treat_missing_data=watch.missing,
        )
        if watch.notify:
            alarm.add_alarm_action(self._notify)
        return alarm

    def _any_of(
        self,
        name: str,
        meaning: str,
        runbook: str,
        children: Sequence[cloudwatch.IAlarm],
        *,
        hold: Duration,
        just_deployed: cloudwatch.IAlarm,
    ) -> None:
        """One alarm for all of `children`: it notifies once, when it has been on for `hold`, and not just after a
        deployment; what is still wrong half an hour later is told then.
        """
        composite = cloudwatch.CompositeAlarm(
            self,
            name,
            composite_alarm_name=self._named(name),
            alarm_description=_description(meaning, runbook),
            alarm_rule=cloudwatch.AlarmRule.any_of(*children),
            actions_suppressor=just_deployed,
            actions_suppressor_wait_period=hold,
            actions_suppressor_extension_period=Duration.minutes(1),
        )
        composite.add_alarm_action(self._notify)

    def _named(self, name: str) -> str:
        self.names.append(f"nightlake-{self._stage}-{name}")
        return self.names[-1]


def measured(name: str, stage: str, *, statistic: str = "Maximum", **about: str) -> cloudwatch.Metric:
    """A metric of our own functions, about what `handlers.task.emit` says it is about.

    The maximum, because a Task that is retried may have written it twice.
    """
    return cloudwatch.Metric(
        namespace=NAMESPACE, metric_name=name, dimensions_map={"stage": stage, **about}, statistic=statistic
    )


def waiting(queue: sqs.IQueue) -> cloudwatch.Metric:
    """How many messages lie in a queue."""
    return queue.metric_approximate_number_of_messages_visible(statistic="Maximum")


def _description(meaning: str, runbook: str) -> str:
    return f"{meaning} What to do: {RUNBOOK}#{runbook}"
