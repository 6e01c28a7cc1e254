"""The stateless stack: everything that can be deployed again without losing anything."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from aws_cdk import Annotations, Aws, CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from nightlake.core.cron import fires_daily
from nightlake.core.pipeline import Pipeline
from nightlake.core.table import tables

from infra.alerts import Alerts
from infra.api import Api
from infra.dashboard import Dashboard
from infra.functions import ARCHITECTURES, PYTHON, Function
from infra.lambda_code import lambda_code
from infra.layer import LAMBDA, layer
from infra.monitoring import Monitoring, Night
from infra.settings import Settings
from infra.state_machine import StateMachine
from infra.stateful_stack import StatefulStack
from infra.trigger import Trigger

_DAILY = Path(__file__).parents[1] / "statemachines" / "daily.asl.json"


class StatelessStack(Stack):
    """Functions, state machines and their triggers, alerts, alarms and the API of one stage."""

    def __init__(
        self, scope: Construct, *, settings: Settings, pipelines: Sequence[Pipeline], stateful: StatefulStack
    ) -> None:
        super().__init__(
            scope,
            f"nightlake-{settings.stage}-stateless",
            description=f"Nightlake {settings.stage}: functions, state machines, triggers, alarms and the API",
            env=Environment(account=settings.account, region=settings.region),
            termination_protection=settings.termination_protection,
        )
        self._settings = settings
        self._stateful = stateful
        self._alerts = Alerts(self, "Alerts", settings=settings)
        function = partial(
            Function,
            self,
            settings=settings,
            code=lambda_.Code.from_asset(str(lambda_code(pipelines)), exclude=["**/__pycache__"]),
            layer=self._layer(),
            environment=self._environment(),
        )
        self._prepare = function(
            "Prepare",
            name="prepare",
            description="Which day, which run, which tables must exist",
            timeout=Duration.seconds(30),
        )
        self._define_table = function(
            "DefineTable",
            name="define_table",
            description="The definition of one table that does not exist yet",
            timeout=Duration.seconds(30),
        )
        query = function("Query", name="query", description="Answers the query API", timeout=Duration.seconds(29))
        query.function.add_environment("CORS_ORIGINS", json.dumps(settings.api.cors_origins))
        functions = {"prepare": self._prepare, "define_table": self._define_table, "query": query}
        if settings.webhooks:
            functions["notify"] = function(
                "Notify",
                name="notify",
                description="Carries alerts to chat channels",
                timeout=Duration.seconds(60),
                asynchronous=True,
            )
            self._subscribe(functions["notify"])
        elif settings.stage != "local" and not settings.alarm_emails:
            Annotations.of(self).add_warning_v2(
                "nightlake:nobody-hears",
                "Nobody hears of a failed night: set alarm_emails or webhooks "
                f"of nightlake:{settings.stage} in cdk.json.",
            )
        nights = [self._night(pipeline) for pipeline in pipelines]
        if nights:
            self._alerts.watch([night.machine for night in nights])
        api = Api(self, "Api", settings=settings, handler=query.live)
        dashboard = self._monitor(nights, functions, api)

        for output, value in {
            "ApiUrl": api.rest_api.url,
            "ApiId": api.rest_api.rest_api_id,
            "ApiStage": api.rest_api.deployment_stage.stage_name,
            "ApiKeyId": api.key.key_id,
            "AlertTopic": self._alerts.topic.topic_arn,
            "Dashboard": dashboard.name,
            **{f"StateMachine{_pascal(night.pipeline)}": night.machine.state_machine_arn for night in nights},
        }.items():
            CfnOutput(self, output, value=value)

    def _layer(self) -> lambda_.ILayerVersion | None:
        architecture = self._settings.architecture
        if not self._settings.layer:
            return None
        return lambda_.LayerVersion(
            self,
            "Layer",
            code=lambda_.Code.from_asset(str(layer(LAMBDA[architecture]))),
            description="The pinned packages of requirements-lambda.txt",
            compatible_runtimes=[PYTHON],
            compatible_architectures=[ARCHITECTURES[architecture]],
        )

    def _environment(self) -> dict[str, str]:
        """What every function is told; only its grants say what it may touch."""
        lake, catalog = self._stateful.lake, self._stateful.catalog
        return {
            "RAW_BUCKET": lake.raw.bucket_name,
            "LAKE_BUCKET": lake.lake.bucket_name,
            "QUARANTINE_BUCKET": lake.quarantine.bucket_name,
            "RESULTS_BUCKET": lake.results.bucket_name,
            "DATABASE": catalog.database,
            "STAGING_DATABASE": catalog.staging_database,
            "QUARANTINE_DATABASE": catalog.quarantine_database,
            "PIPELINE_WORKGROUP": catalog.pipeline_workgroup.name,
        }

    def _subscribe(self, notify: Function) -> None:
        webhooks = [webhook.model_dump() for webhook in self._settings.webhooks]
        notify.function.add_environment("WEBHOOKS", json.dumps(webhooks))
        for webhook in self._settings.webhooks:
            secret = secretsmanager.Secret.from_secret_name_v2(self, f"Webhook-{webhook.name}", webhook.secret_name)
            secret.grant_read(notify.role)
        self._alerts.topic.add_subscription(
            subscriptions.LambdaSubscription(notify.function, dead_letter_queue=notify.dead_letters)
        )

    def _night(self, pipeline: Pipeline) -> Night:
        """The state machine of one pipeline and what starts it."""
        prefix = f"nightlake-{self._settings.stage}-{pipeline.name}"
        catalog, topic = self._stateful.catalog, self._alerts.topic
        names = tuple(table.name for dataset in pipeline.datasets for table in tables(dataset))
        daily = StateMachine(
            self,
            f"Daily-{pipeline.name}",
            settings=self._settings,
            name=f"{prefix}-daily",
            definition=_DAILY.read_text(),
            timeout=_longest(pipeline),
            substitutions={
                "Pipeline": pipeline.name,
                "PrepareFunction": self._prepare.version_arn,
                "DefineTableFunction": self._define_table.version_arn,
                "AlertTopic": topic.topic_arn,
                "Region": Aws.REGION,
            },
            tables={catalog.database: names, catalog.staging_database: names},
            keys={topic.topic_arn: self._alerts.key.key_arn},
        )
        trigger = Trigger(
            self,
            f"Trigger-{pipeline.name}",
            name=f"{prefix}-trigger",
            schedule=pipeline.schedule,
            machine=daily.machine,
        )
        daily_schedule = fires_daily(pipeline.schedule.cron)
        return Night(
            pipeline=pipeline.name,
            machine=daily.machine,
            dead_letters=trigger.dead_letters,
            latency_minutes=pipeline.latency_minutes,
            deadline_minutes=_deadline_minutes(pipeline),
            daily=daily_schedule,
        )

    def _monitor(self, nights: Sequence[Night], functions: dict[str, Function], api: Api) -> Dashboard:
        catalog = self._stateful.catalog
        monitoring = Monitoring(self, "Monitoring", settings=self._settings, topic=self._alerts.topic)
        for night in nights:
            monitoring.watch_night(night)
        for name, function in functions.items():
            # The state machine retries its Tasks and tells of their failure itself.
            tasks = (self._prepare, self._define_table)
            monitoring.watch_function(name, function, errors_notify=function not in tasks)
        monitoring.watch_api(api.rest_api)
        monitoring.watch_bi(
            workgroup=catalog.bi_workgroup.name, cutoff_bytes=self._settings.bi_scan_cutoff_mb * 1_000_000
        )
        return Dashboard(
            self,
            "Overview",
            settings=self._settings,
            alarms=monitoring.alarms,
            nights=nights,
            functions=functions,
            api=api.rest_api,
            workgroups=[catalog.pipeline_workgroup.name, catalog.bi_workgroup.name],
        )


def _longest(pipeline: Pipeline) -> Duration:
    """How long a night may last: sources may be late, and a slow night is alarmed before it is stopped."""
    return Duration.minutes(_deadline_minutes(pipeline) + 2 * pipeline.latency_minutes)


def _deadline_minutes(pipeline: Pipeline) -> int:
    return max((source.ready.deadline_minutes for source in pipeline.sources), default=0)


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("_", "-").split("-"))
