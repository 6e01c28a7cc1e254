"""The alarms of one stage. Each says what it means and links the heading of docs/runbook.md that says what to do.

Alerts and alarms share a topic but not a purpose: the alert of a failed execution says why, once, at once; an alarm
tells of what no execution can tell, silence above all. Only alarms that nothing else speaks for notify by themselves.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypedDict

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct
from nightlake.core.metrics import NAMESPACE
from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Pipeline

from infra.functions import Function
from infra.settings import Settings

RUNBOOK = "docs/runbook.md"

_DAY = Duration.days(1)
_API_LATENCY_MS = 3_000
_NEAR_TIMEOUT = 0.8
# CTAS and views are DDL for Athena, queries are DML.
STATEMENTS = ("DDL", "DML")
# People may scan in a day what ten of their queries may at most.
_BI_QUERIES_A_DAY = 10
# A source nears its limit of refused rows: somebody looks before the night that rejects it.
_QUARANTINE_SHARE = 0.5
# So long after a change of the stack its own trouble is nobody's night: five minutes each.
_SUPPRESSED_PERIODS = 6
# The marker of a deployment is written at once, and takes a minute or two to become an alarm.
_SUPPRESSOR_COMES_WITHIN = Duration.minutes(2)
# The first look after a deployment is at most five minutes away, and its metric a few more.
_FIRST_LOOK_WITHIN = Duration.minutes(10)

_Compare = cloudwatch.ComparisonOperator
_Missing = cloudwatch.TreatMissingData


class _Periods(TypedDict):
    periods: int
    breaching: int


# An execution ends once: its alarm stays on until the watchdog has looked, so that one night is one notification.
_UNTIL_LOOKED: Final[_Periods] = {"periods": 3, "breaching": 1}


class Night(NamedTuple):
    """What is watched of one pipeline; one that is started by request has no backfill and no trigger."""

    pipeline: Pipeline
    machine: sfn.StateMachine
    backfill: sfn.StateMachine | None = None
    dead_letters: sqs.IQueue | None = None


class Model(NamedTuple):
    """What is watched of one pipeline's model."""

    pipeline: str
    declared: Recommender
    recommend: sfn.StateMachine
    retrain: sfn.StateMachine
    dead_letters: sqs.IQueue


class _Watch(NamedTuple):
    """One alarm: it rises when `metric` (CDK's default: five minutes) compares so in `breaching` of `periods`, all of
    them unless it is said.
    """

    meaning: str
    runbook: str
    metric: cloudwatch.IMetric
    threshold: float = 1
    periods: int = 1
    breaching: int | None = None
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
        self._stage = settings.stage
        self._notify = actions.SnsAction(topic)
        self.alarms: list[cloudwatch.IAlarm] = []
        self._just_deployed = self._alarm(
            "just-deployed",
            _Watch(
                "The stack was changed within the last half hour: the night's own alarm waits for so long.",
                "just-deployed",
                measured("Deployments", settings.stage, statistic="Sum"),
                periods=_SUPPRESSED_PERIODS,
                breaching=1,
                notify=False,
            ),
        )

    def watch_night(self, night: Night) -> None:
        """A pipeline's executions, its trigger and what the watchdog sees: together they say whether its night is
        broken. And its time, and each of its sources.
        """
        pipeline = night.pipeline
        name = f"pipeline-{pipeline.name}"
        broken = [self._alarm(f"{name}-{what}", watch) for what, watch in self._what_breaks(night).items()]
        self._any_of(
            f"{name}-night-is-broken",
            "This night's data is not there, or was not in time.",
            "the-night-is-broken",
            broken,
            hold=_SUPPRESSOR_COMES_WITHIN,
        )
        self._alarm(
            f"{name}-throttled",
            _Watch(
                "Step Functions slows a night down: the account's quota of state transitions is used up.",
                "executions-are-throttled",
                night.machine.metric_throttled(),
            ),
        )
        self._alarm(
            f"{name}-page-failed",
            _Watch(
                "The page of a run could not be written; its data is as its outcome says.",
                "a-page-was-not-written",
                measured("PageFailed", self._stage, pipeline=pipeline.name),
            ),
        )
        for source in pipeline.sources:
            self._watch_source(pipeline.name, source.dataset, source.max_quarantined_percent)

    def _what_breaks(self, night: Night) -> dict[str, _Watch]:
        """The alarms that make a night broken. They are quiet: the alarm over them notifies once for all."""
        machine, name, latency = night.machine, night.pipeline.name, night.pipeline.latency_minutes
        watches = {
            "failed": _Watch(
                "A night failed; its own alert says why.", "a-night-failed", machine.metric_failed(), **_UNTIL_LOOKED
            ),
            "timed-out": _Watch(
                "A night took longer than its state machine allows and was stopped.",
                "a-night-timed-out",
                machine.metric_timed_out(),
                **_UNTIL_LOOKED,
            ),
            "aborted": _Watch(
                "A night was stopped by hand or by its caller.",
                "a-night-was-aborted",
                machine.metric_aborted(),
                **_UNTIL_LOOKED,
            ),
            "slow": _Watch(
                f"A night took longer than the {latency} minutes its contract promises, after its last source was "
                "ready.",
                "a-night-was-slow",
                measured("ProcessingSeconds", self._stage, pipeline=name),
                threshold=latency * 60,
                compare=_Compare.GREATER_THAN_THRESHOLD,
            ),
        }
        if night.dead_letters is not None:
            watches |= {
                "not-started": _Watch(
                    "Five minutes after it was due, a night has not begun.",
                    "a-night-has-not-begun",
                    measured("NotStarted", self._stage, pipeline=name),
                ),
                "not-finished": _Watch(
                    "A night that is due is not published: its sources were ready, and its time is over.",
                    "a-night-has-not-finished",
                    measured("NotFinished", self._stage, pipeline=name),
                ),
                "trigger-dead-letters": _Watch(
                    "The trigger could not start a night: its event lies in the dead-letter queue.",
                    "a-night-was-not-started",
                    _waiting(night.dead_letters),
                ),
            }
        return {what: watch._replace(notify=False) for what, watch in watches.items()}

    def watch_model(self, model: Model) -> None:
        """A model's executions and their triggers, which are broken or not; and how the model does."""
        name, drift = f"model-{model.pipeline}", model.declared.drift
        watches = {
            f"{kind}-{how}": _Watch(
                f"{said} {ended}; its own alert says why.", "a-models-machine-failed", metric, **_UNTIL_LOOKED
            )
            for kind, said, machine in (
                ("recommend", "Recommending", model.recommend),
                ("retrain", "Retraining", model.retrain),
            )
            for how, ended, metric in (
                ("failed", "failed", machine.metric_failed()),
                ("timed-out", "took longer than its state machine allows", machine.metric_timed_out()),
                ("aborted", "was stopped by hand", machine.metric_aborted()),
            )
        }
        watches["dead-letters"] = _Watch(
            "A night, or the schedule, could not start a model's machine: its event lies in the dead-letter queue.",
            "a-models-machine-was-not-started",
            _waiting(model.dead_letters),
        )
        broken = [self._alarm(f"{name}-{what}", watch._replace(notify=False)) for what, watch in watches.items()]
        self._any_of(
            f"{name}-is-broken",
            "Recommendations are those of before, or the model is.",
            "a-models-machine-failed",
            broken,
            hold=_SUPPRESSOR_COMES_WITHIN,
        )
        for what, watch in {
            "drifted": _Watch(
                "The model does worse than when it was trained, listening has moved, or it is old: it is trained anew.",
                "a-model-has-drifted",
                measured("ModelDrifted", self._stage, pipeline=model.pipeline),
            ),
            "shifted": _Watch(
                f"What is listened to is further than {drift.max_shift:g} from what the model was trained on.",
                "a-model-has-drifted",
                measured("ListeningShift", self._stage, pipeline=model.pipeline),
                threshold=drift.max_shift,
                compare=_Compare.GREATER_THAN_THRESHOLD,
                notify=False,
            ),
            "old": _Watch(
                f"For more than {2 * drift.max_age_days} days no training has brought a better model.",
                "a-model-is-old",
                measured("ModelAgeDays", self._stage, pipeline=model.pipeline),
                threshold=2 * drift.max_age_days,
                compare=_Compare.GREATER_THAN_THRESHOLD,
                notify=False,
            ),
        }.items():
            self._alarm(f"{name}-{what}", watch)

    def _watch_source(self, pipeline: str, dataset: str, limit: float) -> None:
        """One source's audit: its own alert has told of a rejection, but nobody tells that one is near."""
        about = {"pipeline": pipeline, "dataset": dataset}
        self._alarm(
            f"source-{pipeline}-{dataset}-rejected",
            _Watch(
                f"The night gave up the source {dataset}; its own alerts say why.",
                "a-source-was-rejected",
                measured("Rejected", self._stage, **about),
                notify=False,
            ),
        )
        if not limit:  # a single refused row rejects it
            return
        self._alarm(
            f"source-{pipeline}-{dataset}-quarantined",
            _Watch(
                f"More than {limit * _QUARANTINE_SHARE:g} % of the rows of {dataset} were refused; above {limit:g} % "
                "the source is rejected.",
                "many-rows-are-refused",
                measured("QuarantinedPercent", self._stage, **about),
                threshold=limit * _QUARANTINE_SHARE,
                compare=_Compare.GREATER_THAN_THRESHOLD,
            ),
        )

    def watch_watchdog(self, function: Function) -> None:
        """The watchdog is the one function whose silence is an alarm: nobody else looks for the night."""
        silent = self._alarm(
            "watchdog-invocations",
            _Watch(
                "The watchdog has not looked for a quarter of an hour.",
                "the-watchdog-is-silent",
                function.function.metric_invocations(),
                periods=3,
                compare=_Compare.LESS_THAN_THRESHOLD,
                missing=_Missing.BREACHING,
                notify=False,
            ),
        )
        self._any_of(
            "watchdog-is-silent",
            "Nobody looks whether nights begin and end.",
            "the-watchdog-is-silent",
            [silent],
            hold=_FIRST_LOOK_WITHIN,
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

    def watch_athena(self, *, workgroup: str, most_bytes: int) -> None:
        """The statements of all nights: those that failed, and what they scanned in a day."""
        for kind in STATEMENTS:
            self._alarm(
                f"athena-failed-{kind.lower()}",
                _Watch(
                    f"A statement ({kind}) of a night failed in Athena; the night tries it again, or says why.",
                    "a-statement-failed",
                    failed_queries(workgroup, kind),
                    notify=False,
                ),
            )
        self._alarm(
            "athena-bytes",
            _Watch(
                f"The nights' statements scanned more than {most_bytes / 1e9:,.0f} GB in a day.",
                "nights-scan-too-much",
                processed_bytes(workgroup),
                threshold=most_bytes,
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
            alarm_name=f"nightlake-{self._stage}-{name}",
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
        self.alarms.append(alarm)
        return alarm

    def _any_of(
        self, name: str, meaning: str, runbook: str, children: Sequence[cloudwatch.IAlarm], *, hold: Duration
    ) -> None:
        """One alarm for all of `children`: it notifies once, when it has been on for `hold`, and not just after a
        deployment; what is still wrong half an hour later is told then.
        """
        composite = cloudwatch.CompositeAlarm(
            self,
            name,
            composite_alarm_name=f"nightlake-{self._stage}-{name}",
            alarm_description=_description(meaning, runbook),
            alarm_rule=cloudwatch.AlarmRule.any_of(*children),
            actions_suppressor=self._just_deployed,
            actions_suppressor_wait_period=hold,
            actions_suppressor_extension_period=Duration.minutes(1),
        )
        composite.add_alarm_action(self._notify)
        self.alarms.append(composite)


def measured(name: str, stage: str, *, statistic: str = "Maximum", **about: str) -> cloudwatch.Metric:
    """A metric of our own functions, about what `handlers.task.emit` says it is about.

    The maximum, because a Task that is retried may have written it twice.
    """
    return cloudwatch.Metric(
        namespace=NAMESPACE, metric_name=name, dimensions_map={"stage": stage, **about}, statistic=statistic
    )


def failed_queries(workgroup: str, kind: str) -> cloudwatch.Metric:
    """How many of a workgroup's statements failed: Athena counts none, but times each, by how it ended."""
    return cloudwatch.Metric(
        namespace="AWS/Athena",
        metric_name="TotalExecutionTime",
        dimensions_map={"WorkGroup": workgroup, "QueryState": "FAILED", "QueryType": kind},
        statistic="SampleCount",
    )


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
