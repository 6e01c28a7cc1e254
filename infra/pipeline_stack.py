"""The nested stack of one pipeline: its machines, what starts them, and the alarms over them.

CloudFormation limits a template, not an application: a pipeline more is a template more (docs/adr/0017).
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from aws_cdk import Aws, Duration, NestedStack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct
from nightlake.core.machine import ModelMachine, read_templates, render, render_of_model
from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Pipeline
from nightlake.core.quarantine import quarantine_table
from nightlake.core.source import S3Source
from nightlake.core.table import tables

from infra.alerts import Alerts
from infra.arn import spelled_arn
from infra.catalog import Catalog
from infra.lake import bucket_name
from infra.lambda_code import SQL
from infra.model_trigger import ModelTrigger
from infra.pipeline_alarms import Model, Night, PipelineAlarms
from infra.settings import Settings
from infra.state_machine import StateMachine
from infra.stateful_stack import StatefulStack
from infra.trigger import Trigger

_MACHINES = Path(__file__).parents[1] / "statemachines"
# A backfill may be of years; each of its nights has its own limit.
_BACKFILL_TIMEOUT = Duration.days(30)
# Each may wait an hour for the other; then a training has its two functions, a scoring as many as there are users.
_RETRAIN_TIMEOUT = Duration.hours(3)
_SCORING_MINUTES = 5 * 60


class PipelineStack(NestedStack):
    """What belongs to `pipeline` alone.

    Attributes:
        night: Its machines and its trigger.
        model: Those of its model; None where it has none.
        alarms: The alarms over both.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        stateful: StatefulStack,
        pipeline: Pipeline,
        pipelines: Sequence[Pipeline],
        functions: Mapping[str, str],
        alerts: Alerts,
        just_deployed: cloudwatch.IAlarm,
    ) -> None:
        """`pipelines` are all of the stage, of which one publishes what this one's model recommends; `functions` is
        what definitions call them -> the ARN of a version.
        """
        super().__init__(
            scope,
            pipeline.name,
            description=f"Nightlake {settings.stage}: the pipeline {pipeline.name}",
            suppress_template_indentation=True,
        )
        self._settings = settings
        self._stateful = stateful
        self._alerts = alerts
        self._functions = functions
        self.night = self._night(pipeline)
        self.model = self._model(pipeline.name, pipeline.model, pipelines) if pipeline.model else None
        self.alarms = PipelineAlarms(
            self, "Alarms", stage=settings.stage, topic=alerts.topic, just_deployed=just_deployed
        )
        self.alarms.watch_night(self.night)
        if self.model:
            self.alarms.watch_model(self.model)

    def _night(self, pipeline: Pipeline) -> Night:
        """The state machine of one pipeline and what starts it; a second one for its past days.

        One that is started by request alone has none of these.
        """
        prefix = f"nightlake-{self._settings.stage}-{pipeline.name}"
        catalog, key, topic = self._stateful.catalog, self._stateful.lake.key.key_arn, self._alerts.topic
        lake, results = (bucket_name(self._settings.stage, name) for name in ("lake", "results"))
        own = f"{pipeline.name}/*"
        machine = partial(StateMachine, self, settings=self._settings)
        daily = machine(
            "Daily",
            name=f"{prefix}-daily",
            definition=render(
                pipeline, read_templates(_MACHINES), convert_concurrency=self._settings.convert_concurrency
            ),
            timeout=_longest(pipeline),
            substitutions={
                "Pipeline": pipeline.name,
                "AlertTopic": topic.topic_arn,
                "LakeBucket": lake,
                "PipelineWorkgroup": catalog.pipeline_workgroup.name,
                "Region": Aws.REGION,
                "Stage": self._settings.stage,
                **self._functions,
            },
            tables=_tables(pipeline, catalog),
            read={lake: (f"data/{own}",)},
            write={lake: (f"staging/{own}", f"runs/{own}"), results: ("pipeline/*",)},
            keys={topic.topic_arn: self._alerts.key.key_arn, lake: key, results: key},
        )
        if pipeline.schedule.by_request:
            return Night(pipeline=pipeline, machine=daily.machine)
        backfill = machine(
            "Backfill",
            name=f"{prefix}-backfill",
            definition=json.loads((_MACHINES / "backfill.asl.json").read_text()),
            timeout=_BACKFILL_TIMEOUT,
            substitutions={"DailyStateMachine": self._machine_arn(pipeline.name, "daily")},
            tables={},
            read={},
            write={},
            keys={},
        )
        trigger = Trigger(
            self,
            "Trigger",
            name=f"{prefix}-trigger",
            schedule=pipeline.schedule,
            machine=daily.machine,
            bucket=bucket_name(self._settings.stage, "raw"),
            arrivals=[source.arrivals for source in pipeline.sources if isinstance(source, S3Source)]
            if pipeline.schedule.on_delivery
            else [],
        )
        return Night(
            pipeline=pipeline, machine=daily.machine, backfill=backfill.machine, dead_letters=trigger.dead_letters
        )

    def _machine_arn(self, pipeline: str, kind: str) -> str:
        """Spelled out, since machines that start each other cannot refer to each other."""
        return spelled_arn("states", f"stateMachine:nightlake-{self._settings.stage}-{pipeline}-{kind}")

    def _model(self, name: str, declared: Recommender, pipelines: Sequence[Pipeline]) -> Model:
        """The two machines of a pipeline's model and what starts them."""
        publisher = next(each for each in pipelines if each.name == declared.delivers_to)
        topic = self._alerts.topic
        lake = bucket_name(self._settings.stage, "lake")

        def machine(kind: ModelMachine, timeout: Duration) -> StateMachine:
            return StateMachine(
                self,
                kind.capitalize(),
                settings=self._settings,
                name=f"nightlake-{self._settings.stage}-{name}-{kind}",
                definition=render_of_model(
                    kind, read_templates(_MACHINES), convert_concurrency=self._settings.convert_concurrency
                ),
                timeout=timeout,
                substitutions={
                    "Pipeline": name,
                    "AlertTopic": topic.topic_arn,
                    "LakeBucket": lake,
                    "Region": Aws.REGION,
                    "PublishStateMachine": self._machine_arn(publisher.name, "daily"),
                    "RecommendStateMachine": self._machine_arn(name, "recommend"),
                    "RetrainStateMachine": self._machine_arn(name, "retrain"),
                    **self._functions,
                },
                tables={},
                read={lake: (f"models/{name}/runs/*",)},
                write={lake: (f"models/{name}/runs/*",)},
                keys={topic.topic_arn: self._alerts.key.key_arn, lake: self._stateful.lake.key.key_arn},
            )

        recommend = machine("recommend", _longest(publisher).plus(Duration.minutes(_SCORING_MINUTES)))
        retrain = machine("retrain", _RETRAIN_TIMEOUT)
        trigger = ModelTrigger(
            self,
            "ModelTrigger",
            stage=self._settings.stage,
            pipeline=name,
            cron=declared.retrain.cron,
            recommend=recommend.machine,
            retrain=retrain.machine,
        )
        return Model(
            pipeline=name,
            declared=declared,
            recommend=recommend.machine,
            retrain=retrain.machine,
            dead_letters=trigger.dead_letters,
        )


def _tables(pipeline: Pipeline, catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """The tables that a night makes and queries in each database, views and the attempts of merges among them."""
    served = tuple(table.name for dataset in pipeline.datasets for table in tables(dataset))
    views = tuple(sorted(file.stem for file in (SQL / pipeline.name / "views").glob("*.sql")))
    return {
        catalog.database: (*served, *pipeline.merge, *views),
        catalog.staging_database: (*served, *(f"{merge}__*" for merge in pipeline.merge)),
        catalog.quarantine_database: (quarantine_table(pipeline.name).name,),
    }


def _longest(pipeline: Pipeline) -> Duration:
    """How long a night may last: sources may be late, and a slow night is alarmed before it is stopped."""
    return Duration.minutes(_deadline_minutes(pipeline) + 2 * pipeline.latency_minutes)


def _deadline_minutes(pipeline: Pipeline) -> int:
    return max((source.ready.deadline_minutes for source in pipeline.sources), default=0)
