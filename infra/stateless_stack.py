"""The stateless stack: everything that can be deployed again without losing anything."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from aws_cdk import Annotations, CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from nightlake.core.pipeline import Pipeline

from infra.alerts import Alerts
from infra.api import Api
from infra.api_keys import table_name
from infra.dashboard import Dashboard
from infra.functions import ARCHITECTURES, PYTHON, Function
from infra.lambda_code import lambda_code
from infra.layer import LAMBDA, layer, token_layer
from infra.monitoring import Monitoring
from infra.pipeline_stack import PipelineStack
from infra.settings import FunctionName, Settings
from infra.sources import Sources
from infra.stateful_stack import StatefulStack
from infra.tasks import TASKS, Task, grant
from infra.watchdog import Watchdog


class StatelessStack(Stack):
    """What the pipelines of one stage share, functions, alerts and the API, and in it a nested stack of each."""

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
        called = {f"{_pascal(name)}Function": each.version_arn for name, each in functions.items()}
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
        monitoring = Monitoring(self, "Monitoring", stage=settings.stage, topic=self._alerts.topic)
        stacks = [
            PipelineStack(
                self,
                settings=settings,
                stateful=stateful,
                pipeline=pipeline,
                pipelines=pipelines,
                functions=called,
                alerts=self._alerts,
                just_deployed=monitoring.just_deployed,
            )
            for pipeline in pipelines
        ]
        nights, models = [each.night for each in stacks], [each.model for each in stacks if each.model]
        if stacks:
            self._alerts.watch()
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
        self._monitor(monitoring, functions, api, watched=bool(stacks))
        catalog = stateful.catalog
        dashboard = Dashboard(
            self,
            "Overview",
            settings=settings,
            alarms=[*(name for each in stacks for name in each.alarms.names), *monitoring.names],
            nights=nights,
            models=models,
            functions=functions,
            api=api.rest_api,
            workgroups=[
                each.name for each in (catalog.pipeline_workgroup, catalog.bi_workgroup, catalog.api_workgroup)
            ],
        )

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

    def _monitor(self, monitoring: Monitoring, functions: dict[str, Function], api: Api, *, watched: bool) -> None:
        """Alarms over what is shared; `watched` where there are nights that the watchdog looks for."""
        catalog = self._stateful.catalog
        for name, function in functions.items():
            # The state machine retries its Tasks and tells of their failure itself; a command's caller sees it.
            monitoring.watch_function(
                name, function, errors_notify=name in ("query", "authorize", "notify", "watchdog")
            )
        if watched:
            monitoring.watch_watchdog(functions["watchdog"])
        monitoring.watch_api(api.rest_api)
        monitoring.watch_athena(
            workgroup=catalog.pipeline_workgroup.name, most_bytes=self._settings.nights_scan_alarm_gb * 10**9
        )
        monitoring.watch_bi(
            workgroup=catalog.bi_workgroup.name, cutoff_bytes=self._settings.bi_scan_cutoff_mb * 1_000_000
        )


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("_", "-").split("-"))
