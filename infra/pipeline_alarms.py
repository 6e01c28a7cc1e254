"""The alarms of one pipeline: whether its night, its sources and its model are as they should be."""

from typing import Final, NamedTuple, TypedDict

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct
from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Pipeline

from infra.alarms import Alarms, Compare, Watch, measured, waiting

# A source nears its limit of refused rows: somebody looks before the night that rejects it.
_QUARANTINE_SHARE = 0.5
# The marker of a deployment is written at once, and takes a minute or two to become an alarm.
_SUPPRESSOR_COMES_WITHIN = Duration.minutes(2)


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


class PipelineAlarms(Alarms):
    """Alarms over the night, and the model, that `watch_...` is called with; quiet just after a deployment."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: str, topic: sns.ITopic, just_deployed: cloudwatch.IAlarm
    ) -> None:
        super().__init__(scope, construct_id, stage=stage, topic=topic)
        self._just_deployed = just_deployed

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
            just_deployed=self._just_deployed,
        )
        self._alarm(
            f"{name}-throttled",
            Watch(
                "Step Functions slows a night down: the account's quota of state transitions is used up.",
                "executions-are-throttled",
                night.machine.metric_throttled(),
            ),
        )
        self._alarm(
            f"{name}-page-failed",
            Watch(
                "The page of a run could not be written; its data is as its outcome says.",
                "a-page-was-not-written",
                measured("PageFailed", self._stage, pipeline=pipeline.name),
            ),
        )
        for source in pipeline.sources:
            self._watch_source(pipeline.name, source.dataset, source.max_quarantined_percent)

    def _what_breaks(self, night: Night) -> dict[str, Watch]:
        """The alarms that make a night broken. They are quiet: the alarm over them notifies once for all."""
        machine, name, latency = night.machine, night.pipeline.name, night.pipeline.latency_minutes
        watches = {
            "failed": Watch(
                "A night failed; its own alert says why.", "a-night-failed", machine.metric_failed(), **_UNTIL_LOOKED
            ),
            "timed-out": Watch(
                "A night took longer than its state machine allows and was stopped.",
                "a-night-timed-out",
                machine.metric_timed_out(),
                **_UNTIL_LOOKED,
            ),
            "aborted": Watch(
                "A night was stopped by hand or by its caller.",
                "a-night-was-aborted",
                machine.metric_aborted(),
                **_UNTIL_LOOKED,
            ),
            "slow": Watch(
                f"A night took longer than the {latency} minutes its contract promises, after its last source was "
                "ready.",
                "a-night-was-slow",
                measured("ProcessingSeconds", self._stage, pipeline=name),
                threshold=latency * 60,
                compare=Compare.GREATER_THAN_THRESHOLD,
            ),
        }
        if night.dead_letters is not None:
            watches |= {
                "not-started": Watch(
                    "Five minutes after it was due, a night has not begun.",
                    "a-night-has-not-begun",
                    measured("NotStarted", self._stage, pipeline=name),
                ),
                "not-finished": Watch(
                    "A night that is due is not published: its sources were ready, and its time is over.",
                    "a-night-has-not-finished",
                    measured("NotFinished", self._stage, pipeline=name),
                ),
                "trigger-dead-letters": Watch(
                    "The trigger could not start a night: its event lies in the dead-letter queue.",
                    "a-night-was-not-started",
                    waiting(night.dead_letters),
                ),
            }
        return {what: watch._replace(notify=False) for what, watch in watches.items()}

    def watch_model(self, model: Model) -> None:
        """A model's executions and their triggers, which are broken or not; and how the model does."""
        name, drift = f"model-{model.pipeline}", model.declared.drift
        watches = {
            f"{kind}-{how}": Watch(
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
        watches["dead-letters"] = Watch(
            "A night, or the schedule, could not start a model's machine: its event lies in the dead-letter queue.",
            "a-models-machine-was-not-started",
            waiting(model.dead_letters),
        )
        broken = [self._alarm(f"{name}-{what}", watch._replace(notify=False)) for what, watch in watches.items()]
        self._any_of(
            f"{name}-is-broken",
            "Recommendations are those of before, or the model is.",
            "a-models-machine-failed",
            broken,
            hold=_SUPPRESSOR_COMES_WITHIN,
            just_deployed=self._just_deployed,
        )
        for what, watch in {
            "drifted": Watch(
                "The model does worse than when it was trained, listening has moved, or it is old: it is trained anew.",
                "a-model-has-drifted",
                measured("ModelDrifted", self._stage, pipeline=model.pipeline),
            ),
            "shifted": Watch(
                f"What is listened to is further than {drift.max_shift:g} from what the model was trained on.",
                "a-model-has-drifted",
                measured("ListeningShift", self._stage, pipeline=model.pipeline),
                threshold=drift.max_shift,
                compare=Compare.GREATER_THAN_THRESHOLD,
                notify=False,
            ),
            "old": Watch(
                f"For more than {2 * drift.max_age_days} days no training has brought a better model.",
                "a-model-is-old",
                measured("ModelAgeDays", self._stage, pipeline=model.pipeline),
                threshold=2 * drift.max_age_days,
                compare=Compare.GREATER_THAN_THRESHOLD,
                notify=False,
            ),
        }.items():
            self._alarm(f"{name}-{what}", watch)

    def _watch_source(self, pipeline: str, dataset: str, limit: float) -> None:
        """One source's audit: its own alert has told of a rejection, but nobody tells that one is near."""
        about = {"pipeline": pipeline, "dataset": dataset}
        self._alarm(
            f"source-{pipeline}-{dataset}-rejected",
            Watch(
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
            Watch(
                f"More than {limit * _QUARANTINE_SHARE:g} % of the rows of {dataset} were refused; above {limit:g} % "
                "the source is rejected.",
                "many-rows-are-refused",
                measured("QuarantinedPercent", self._stage, **about),
                threshold=limit * _QUARANTINE_SHARE,
                compare=Compare.GREATER_THAN_THRESHOLD,
            ),
        )
