"""The stateless stack: everything that can be deployed again without losing anything."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from aws_cdk import Annotations, Aws, CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from nightlake.core.machine import ModelMachine, read_templates, render, render_of_model
from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Pipeline
from nightlake.core.quarantine import quarantine_table
from nightlake.core.source import S3Source
from nightlake.core.table import tables

from infra.alerts import Alerts
from infra.api import Api
from infra.api_keys import table_name
from infra.catalog import Catalog
from infra.dashboard import Dashboard
from infra.functions import ARCHITECTURES, PYTHON, Function
from infra.lake import bucket_name
from infra.lambda_code import SQL, lambda_code
from infra.layer import LAMBDA, layer, token_layer
from infra.model_trigger import ModelTrigger
from infra.monitoring import Model, Monitoring, Night
from infra.settings import FunctionName, Settings
from infra.sources import Sources
from infra.state_machine import StateMachine
from infra.stateful_stack import StatefulStack
from infra.tasks import TASKS, Task, grant
from infra.trigger import Trigger
from infra.watchdog import Watchdog

_MACHINES = Path(__file__).parents[1] / "statemachines"
# A backfill may be of years; each of its nights has its own limit.
_BACKFILL_TIMEOUT = Duration.days(30)
# Each may wait an hour for the other; then a training has its two functions, a scoring as many as there are users.
_RETRAIN_TIMEOUT = Duration.hours(3)
_SCORING_MINUTES = 5 * 60


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
            # Of the 1 MB that CloudFormation takes, a fifth would be blanks.
            suppress_template_indentation=True,
        )
        self._settings = settings
        self._stateful = stateful
        self._alerts = Alerts(self, "Alerts", settings=settings)
        function = partial(
            Function,
            self,
            settings=settings,
            code=lambda_.Code.from_asset(str(lambda_code(pipelines)), exclude=["**/__pycache__"]),
        )
        layers = self._layers()
        environment = self._environment()
        sources = Sources(self, "Sources", settings=settings, pipelines=pipelines)
        functions: dict[str, Function] = {}
        for name, task in self._tasks(sources):
            functions[name] = function(
                _pascal(name),
                name=name,
                description=task.description,
                timeout=task.timeout,
                environment=environment | (sources.environment(task.kind) if task.kind else {}),
                network=sources.network if task.kind == "postgres" else None,
                layers=layers + (self._token_layers() if name == "authorize" else ()),
                asynchronous=task.asynchronous,
            )
            grant(
                functions[name],
                task,
                stage=settings.stage,
                lake=stateful.lake,
                catalog=stateful.catalog,
                sources=sources,
            )
        self._functions = {f"{_pascal(name)}Function": each.version_arn for name, each in functions.items()}
        self._tell_api(functions)
        if settings.webhooks:
            functions["notify"] = function(
                "Notify",
                name="notify",
                description="Carries alerts to chat channels",
                timeout=Duration.seconds(60),
                environment=environment,
                layers=layers,
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
        models = [self._model(each.name, each.model, pipelines) for each in pipelines if each.model]
        if nights:
            self._alerts.watch(
                [
                    *(machine for night in nights for machine in (night.machine, night.backfill) if machine),
                    *(machine for model in models for machine in (model.recommend, model.retrain)),
                ]
            )
            watchdog = functions["watchdog"].live
            Watchdog(self, "WatchdogEvents", name=f"nightlake-{settings.stage}-watchdog", handler=watchdog)
        authorize = functions.get("authorize")
        api = Api(
            self,
            "Api",
            settings=settings,
            handler=functions["query"].live,
            authorizer=authorize.live if authorize else None,
        )
        dashboard = self._monitor(nights, models, functions, api)

        for output, value in {
            "ApiUrl": api.rest_api.url,
            "ApiId": api.rest_api.rest_api_id,
            "ApiStage": api.rest_api.deployment_stage.stage_name,
            "ApiAuth": settings.api.auth.kind,
            **({"UsagePlan": api.usage_plan.usage_plan_id} if api.usage_plan else {}),
            "AlertTopic": self._alerts.topic.topic_arn,
            "Dashboard": dashboard.name,
            **{f"StateMachine{_pascal(night.pipeline.name)}": night.machine.state_machine_arn for night in nights},
            **{
                f"Backfill{_pascal(night.pipeline.name)}": night.backfill.state_machine_arn
                for night in nights
                if night.backfill
            },
            **{f"RecommendMachine{_pascal(each.pipeline)}": each.recommend.state_machine_arn for each in models},
            **{f"RetrainMachine{_pascal(each.pipeline)}": each.retrain.state_machine_arn for each in models},
            **({"PromoteModelFunction": functions["promote_model"].function.function_name} if models else {}),
            "RollbackFunction": functions["rollback"].function.function_name,
            "CollectGarbageFunction": functions["collect_garbage"].function.function_name,
        }.items():
            CfnOutput(self, output, value=value)

    def _tasks(self, sources: Sources) -> Iterator[tuple[FunctionName, Task]]:
        """The functions that this stage has: of the kinds of its sources, and as its API knows its callers."""
        api = self._settings.api
        for name, task in TASKS.items():
            if (task.kind and task.kind not in sources.kinds) or (name == "authorize" and api.auth.iam):
                continue
            yield name, replace(task, never_private=not api.private) if name == "query" else task

    def _tell_api(self, functions: dict[str, Function]) -> None:
        """What only the functions of the API are told: who its callers are, and who may read the answers."""
        api = self._settings.api
        query = functions["query"].function
        query.add_environment("CORS_ORIGINS", json.dumps(api.cors_origins))
        query.add_environment("API_WORKGROUP", self._stateful.catalog.api_workgroup.name)
        query.add_environment("QUERIES_AT_ONCE", json.dumps(api.queries_at_once))
        query.add_environment("SERVES_PRIVATE", json.dumps(api.private))
        if api.auth.iam:
            query.add_environment("CALLERS", json.dumps(api.auth.iam))
        elif api.auth.jwt:
            functions["authorize"].function.add_environment("TOKENS", api.auth.jwt.model_dump_json())
        else:
            functions["authorize"].function.add_environment("KEYS_TABLE", table_name(self._settings.stage))

    def _layers(self) -> tuple[lambda_.ILayerVersion, ...]:
        """What every function carries; nothing where the runtime has the packages."""
        if not self._settings.layer:
            return ()
        found = layer(LAMBDA[self._settings.architecture])
        return (self._layer("Layer", found, "The pinned packages of requirements-lambda.txt"),)

    def _token_layers(self) -> tuple[lambda_.ILayerVersion, ...]:
        """What an authorizer of tokens carries besides."""
        if not (self._settings.layer and self._settings.api.auth.jwt):
            return ()
        found = token_layer(LAMBDA[self._settings.architecture])
        return (self._layer("TokenLayer", found, "The pinned packages of requirements-tokens.txt"),)

    def _layer(self, name: str, directory: Path, description: str) -> lambda_.ILayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=lambda_.Code.from_asset(str(directory)),
            description=description,
            compatible_runtimes=[PYTHON],
            compatible_architectures=[ARCHITECTURES[self._settings.architecture]],
        )

    def _environment(self) -> dict[str, str]:
        """What every function is told; only its grants say what it may touch."""
        lake, catalog = self._stateful.lake, self._stateful.catalog
        return {
            "RAW_BUCKET": lake.raw.bucket_name,
            "LAKE_BUCKET": lake.lake.bucket_name,
            "QUARANTINE_BUCKET": lake.quarantine.bucket_name,
            "DATABASE": catalog.database,
            "STAGING_DATABASE": catalog.staging_database,
            "QUARANTINE_DATABASE": catalog.quarantine_database,
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
        """The state machine of one pipeline and what starts it; a second one for its past days.

        One that is started by request alone has none of these.
        """
        prefix = f"nightlake-{self._settings.stage}-{pipeline.name}"
        catalog, key, topic = self._stateful.catalog, self._stateful.lake.key.key_arn, self._alerts.topic
        lake, results = (bucket_name(self._settings.stage, name) for name in ("lake", "results"))
        own = f"{pipeline.name}/*"
        machine = partial(StateMachine, self, settings=self._settings)
        daily = machine(
            f"Daily-{pipeline.name}",
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
            f"Backfill-{pipeline.name}",
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
            f"Trigger-{pipeline.name}",
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
        name = f"nightlake-{self._settings.stage}-{pipeline}-{kind}"
        return f"arn:{Aws.PARTITION}:states:{Aws.REGION}:{Aws.ACCOUNT_ID}:stateMachine:{name}"

    def _model(self, name: str, declared: Recommender, pipelines: Sequence[Pipeline]) -> Model:
        """The two machines of a pipeline's model and what starts them."""
        publisher = next(each for each in pipelines if each.name == declared.delivers_to)
        topic = self._alerts.topic
        lake = bucket_name(self._settings.stage, "lake")

        def machine(kind: ModelMachine, timeout: Duration) -> StateMachine:
            return StateMachine(
                self,
                f"{kind.capitalize()}-{name}",
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
            f"ModelTrigger-{name}",
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

    def _monitor(
        self, nights: Sequence[Night], models: Sequence[Model], functions: dict[str, Function], api: Api
    ) -> Dashboard:
        catalog = self._stateful.catalog
        monitoring = Monitoring(self, "Monitoring", settings=self._settings, topic=self._alerts.topic)
        for night in nights:
            monitoring.watch_night(night)
        for model in models:
            monitoring.watch_model(model)
        for name, function in functions.items():
            # The state machine retries its Tasks and tells of their failure itself; a command's caller sees it.
            monitoring.watch_function(
                name, function, errors_notify=name in ("query", "authorize", "notify", "watchdog")
            )
        if nights:
            monitoring.watch_watchdog(functions["watchdog"])
        monitoring.watch_api(api.rest_api)
        monitoring.watch_athena(
            workgroup=catalog.pipeline_workgroup.name, most_bytes=self._settings.nights_scan_alarm_gb * 10**9
        )
        monitoring.watch_bi(
            workgroup=catalog.bi_workgroup.name, cutoff_bytes=self._settings.bi_scan_cutoff_mb * 1_000_000
        )
        return Dashboard(
            self,
            "Overview",
            settings=self._settings,
            alarms=monitoring.alarms,
            nights=nights,
            models=models,
            functions=functions,
            api=api.rest_api,
            workgroups=[
                each.name for each in (catalog.pipeline_workgroup, catalog.bi_workgroup, catalog.api_workgroup)
            ],
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


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("_", "-").split("-"))
