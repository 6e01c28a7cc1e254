"""The dashboard of one stage: its alarms, then nights, functions, API and queries, one row each."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.functions import Function
from infra.monitoring import Night, processed_bytes
from infra.settings import Settings

_FULL, _HALF = 24, 12


class Dashboard(Construct):
    """The dashboard `nightlake-<stage>`.

    Attributes:
        name: Its name.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        alarms: Sequence[cloudwatch.IAlarm],
        nights: Sequence[Night],
        functions: Mapping[str, Function],
        api: apigateway.RestApi,
        workgroups: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = f"nightlake-{settings.stage}"
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self.name,
            widgets=[
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=_FULL, height=6)],
                *(_night_row(night) for night in nights),
                _function_row(list(functions.values())),
                _api_row(api),
                _data_row(nights, functions, workgroups),
            ],
        )


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    right: Sequence[cloudwatch.IMetric] = (),
    limit: float | None = None,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        width=_HALF,
        left=left,
        right=right or None,
        left_annotations=[cloudwatch.HorizontalAnnotation(value=limit, label="limit")] if limit else None,
    )


def _night_row(night: Night) -> list[cloudwatch.IWidget]:
    machine, name = night.machine, night.pipeline
    return [
        _graph(
            f"Nights of {name}",
            [
                machine.metric_started(),
                machine.metric_succeeded(),
                machine.metric_failed(),
                machine.metric_timed_out(),
                machine.metric_aborted(),
            ],
        ),
        _graph(
            f"Duration of {name} (ms)",
            [machine.metric_time(statistic="Maximum")],
            right=[machine.metric_throttled()],
            limit=night.latency_minutes * 60_000,
        ),
    ]


def _function_row(functions: Sequence[Function]) -> list[cloudwatch.IWidget]:
    watched = [each.function for each in functions]
    return [
        _graph(
            "Functions: invocations; errors and throttles",
            [each.metric_invocations() for each in watched],
            right=[metric for each in watched for metric in (each.metric_errors(), each.metric_throttles())],
        ),
        _graph("Functions: longest run (ms)", [each.metric_duration(statistic="Maximum") for each in watched]),
    ]


def _api_row(api: apigateway.RestApi) -> list[cloudwatch.IWidget]:
    return [
        _graph("API: requests", [api.metric_count()], right=[api.metric_client_error(), api.metric_server_error()]),
        _graph("API: latency (ms)", [api.metric_latency(statistic=statistic) for statistic in ("p50", "p99")]),
    ]


def _data_row(
    nights: Sequence[Night], functions: Mapping[str, Function], workgroups: Sequence[str]
) -> list[cloudwatch.IWidget]:
    queues = [*(night.dead_letters for night in nights), *(each.dead_letters for each in functions.values())]
    return [
        _graph("Athena: bytes scanned a day", [processed_bytes(workgroup) for workgroup in workgroups]),
        _graph(
            "Dead letters",
            [queue.metric_approximate_number_of_messages_visible(statistic="Maximum") for queue in queues if queue],
        ),
    ]
