"""The dashboard of one stage: what is promised and how it is kept, its alarms, then nights, functions, API, queries."""

from collections.abc import Iterator, Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct
from nightlake.core.night_times import PARTS

from infra.alarms import measured
from infra.functions import Function
from infra.monitoring import STATEMENTS, failed_queries, processed_bytes
from infra.pipeline_alarms import Model, Night
from infra.settings import Settings

_FULL, _HALF, _THIRD = 24, 12, 8
_DAY = Duration.days(1)
_MOST_ALARMS = 100  # of one widget
_MONTH = 30


class Dashboard(Construct):
    """The dashboard `nightlake-<stage>`; `alarms` are names, the first of `workgroups` is that of the nights.

    Attributes:
        name: Its name.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        alarms: Sequence[str],
        nights: Sequence[Night],
        models: Sequence[Model],
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
                *([_promises(night.pipeline.name, settings.stage)] for night in nights),
                *([widget] for widget in self._alarms(alarms)),
                *(row for night in nights for row in _night_rows(night, settings.stage)),
                *(row for model in models for row in _model_rows(model, settings.stage)),
                _function_row(list(functions.values())),
                _api_row(api),
                _data_row(nights, models, functions, workgroups),
            ],
        )

    def _alarms(self, names: Sequence[str]) -> Iterator[cloudwatch.IWidget]:
        alarms = [cloudwatch.Alarm.from_alarm_name(self, name, name) for name in names]
        for begin in range(0, len(alarms), _MOST_ALARMS):
            some = alarms[begin : begin + _MOST_ALARMS]
            yield cloudwatch.AlarmStatusWidget(title="Alarms", alarms=some, width=_FULL, height=6)


def _promises(pipeline: str, stage: str) -> cloudwatch.IWidget:
    """The share of nights that were on time: on whose day the watchdog never found one unfinished that was due."""
    late = measured("NotFinished", stage, pipeline=pipeline).with_(period=_DAY)
    on_time = cloudwatch.MathExpression(
        expression="TIME_SERIES(100 * (1 - AVG(late)))",
        using_metrics={"late": late},
        label="days without a late night (%)",
        period=_DAY,
    )
    return cloudwatch.SingleValueWidget(
        title=f"{pipeline}: kept promises, last {_MONTH} days; how it stands now",
        width=_FULL,
        height=3,
        metrics=[
            on_time,
            measured("LatenessMinutes", stage, pipeline=pipeline).with_(label="published after (minutes)"),
            measured("FreshnessHours", stage, pipeline=pipeline).with_(label="age of the newest day (hours)"),
            measured("RowsPublished", stage, pipeline=pipeline).with_(label="rows published", period=_DAY),
            measured("Cost", stage, pipeline=pipeline).with_(label="conversion (USD)", period=_DAY),
        ],
        start=f"-P{_MONTH}D",
        period=_DAY,
    )


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    right: Sequence[cloudwatch.IMetric] = (),
    limit: float | None = None,
    stacked: bool = False,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        width=_HALF,
        stacked=stacked,
        left=left,
        right=right or None,
        left_annotations=[cloudwatch.HorizontalAnnotation(value=limit, label="limit")] if limit else None,
    )


def _night_rows(night: Night, stage: str) -> Iterator[list[cloudwatch.IWidget]]:
    machine, name = night.machine, night.pipeline.name
    latency = night.pipeline.latency_minutes * 60
    yield [
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
            f"Processing of {name} (seconds)",
            [measured("ProcessingSeconds", stage, pipeline=name)],
            right=[machine.metric_throttled()],
            limit=latency,
        ),
    ]
    yield [
        _graph(
            f"Parts of a night of {name} (seconds)",
            [measured("PartSeconds", stage, pipeline=name, part=part).with_(label=part, period=_DAY) for part in PARTS],
            stacked=True,
        ),
        _graph(
            f"Rows of {name}: published; quarantined",
            [measured("RowsPublished", stage, pipeline=name).with_(period=_DAY)],
            right=[measured("RowsQuarantined", stage, pipeline=name).with_(period=_DAY)],
        ),
    ]
    sources = [(source.dataset, {"pipeline": name, "dataset": source.dataset}) for source in night.pipeline.sources]
    yield [
        cloudwatch.GraphWidget(
            title=f"Sources of {name}: {title}",
            width=_THIRD,
            left=[measured(metric, stage, **about).with_(label=dataset, period=_DAY) for dataset, about in sources],
        )
        for title, metric in (
            ("seconds from readiness to verdict", "IngestSeconds"),
            ("refused rows (%)", "QuarantinedPercent"),
            ("cost of conversion (USD)", "Cost"),
        )
    ]
    if apis := [
        about for (_, about), each in zip(sources, night.pipeline.sources, strict=True) if each.from_ == "http"
    ]:
        yield _source_apis(name, apis, stage)


def _source_apis(pipeline: str, sources: Sequence[Mapping[str, str]], stage: str) -> list[cloudwatch.IWidget]:
    """How the APIs behave that a pipeline reads."""

    def daily(metric: str, statistic: str, about: Mapping[str, str]) -> cloudwatch.Metric:
        return measured(metric, stage, statistic=statistic, **about).with_(
            label=f"{about['dataset']}: {metric.removeprefix('Api')}", period=_DAY
        )

    return [
        _graph(
            f"APIs that {pipeline} reads: requests; busy, failed",
            [daily("ApiRequests", "Sum", about) for about in sources],
            right=[daily(metric, "Sum", about) for about in sources for metric in ("ApiBusy", "ApiFailed")],
        ),
        _graph(
            f"APIs that {pipeline} reads: seconds for the slowest answer",
            [daily("ApiSlowestSeconds", "Maximum", about) for about in sources],
        ),
    ]


def _model_rows(model: Model, stage: str) -> Iterator[list[cloudwatch.IWidget]]:
    def daily(name: str, label: str) -> cloudwatch.Metric:
        return measured(name, stage, pipeline=model.pipeline).with_(label=label, period=_DAY)

    yield [
        _graph(
            f"Recommendations of {model.pipeline}: hits among the first ones; share of items recommended",
            [daily("RecommendationPrecision", "precision")],
            right=[daily("RecommendationCoverage", "coverage")],
        ),
        _graph(
            f"Model of {model.pipeline}: shift of listening; age (days)",
            [daily("ListeningShift", "shift")],
            right=[daily("ModelAgeDays", "age")],
            limit=model.declared.drift.max_shift,
        ),
    ]
    yield [
        _graph(
            f"{kind} {model.pipeline}",
            [machine.metric_started(), machine.metric_succeeded(), machine.metric_failed()],
            right=[machine.metric_time()],
        )
        for kind, machine in (("Recommend", model.recommend), ("Retrain", model.retrain))
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
    nights: Sequence[Night], models: Sequence[Model], functions: Mapping[str, Function], workgroups: Sequence[str]
) -> list[cloudwatch.IWidget]:
    queues = [
        *(night.dead_letters for night in nights),
        *(model.dead_letters for model in models),
        *(each.dead_letters for each in functions.values()),
    ]
    return [
        _graph(
            "Athena: bytes scanned a day; failed statements",
            [processed_bytes(workgroup) for workgroup in workgroups],
            right=[failed_queries(workgroups[0], kind) for kind in STATEMENTS],
        ),
        _graph(
            "Dead letters",
            [queue.metric_approximate_number_of_messages_visible(statistic="Maximum") for queue in queues if queue],
        ),
    ]
