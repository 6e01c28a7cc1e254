"""The alarms over what all pipelines of a stage share: functions, the API, queries, the watchdog."""

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.alarms import Alarms, Compare, Missing, Watch, measured, waiting
from infra.functions import Function

_DAY = Duration.days(1)
_API_LATENCY_MS = 3_000
_NEAR_TIMEOUT = 0.8
# CTAS and views are DDL for Athena, queries are DML.
STATEMENTS = ("DDL", "DML")
# People may scan in a day what ten of their queries may at most.
_BI_QUERIES_A_DAY = 10
# So long after a change of the stack its own trouble is nobody's night: five minutes each.
_SUPPRESSED_PERIODS = 6
# The first look after a deployment is at most five minutes away, and its metric a few more.
_FIRST_LOOK_WITHIN = Duration.minutes(10)


class Monitoring(Alarms):
    """Alarms over what `watch_...` is called with.

    Attributes:
        just_deployed: On for half an hour after every change of the stack, while the night's own alarm waits.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: str, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id, stage=stage, topic=topic)
        self.just_deployed = self._alarm(
            "just-deployed",
            Watch(
                "The stack was changed within the last half hour: the night's own alarm waits for so long.",
                "just-deployed",
                measured("Deployments", stage, statistic="Sum"),
                periods=_SUPPRESSED_PERIODS,
                breaching=1,
                notify=False,
            ),
        )

    def watch_watchdog(self, function: Function) -> None:
        """The watchdog is the one function whose silence is an alarm: nobody else looks for the night."""
        silent = self._alarm(
            "watchdog-invocations",
            Watch(
                "The watchdog has not looked for a quarter of an hour.",
                "the-watchdog-is-silent",
                function.function.metric_invocations(),
                periods=3,
                compare=Compare.LESS_THAN_THRESHOLD,
                missing=Missing.BREACHING,
                notify=False,
            ),
        )
        self._any_of(
            "watchdog-is-silent",
            "Nobody looks whether nights begin and end.",
            "the-watchdog-is-silent",
            [silent],
            hold=_FIRST_LOOK_WITHIN,
            just_deployed=self.just_deployed,
        )

    def watch_function(self, name: str, function: Function, *, errors_notify: bool) -> None:
        """A function's errors, throttles and duration; `errors_notify` is off where a state machine tells of errors."""
        watched, timeout = function.function, function.timeout
        self._alarm(
            f"function-{name}-errors",
            Watch(
                f"The function {name} raised errors.",
                "a-function-fails",
                watched.metric_errors(),
                notify=errors_notify,
            ),
        )
        self._alarm(
            f"function-{name}-throttles",
            Watch(
                f"Invocations of the function {name} were refused: no concurrency is left for it.",
                "a-function-is-throttled",
                watched.metric_throttles(),
            ),
        )
        self._alarm(
            f"function-{name}-near-timeout",
            Watch(
                f"The function {name} ran for more than {_NEAR_TIMEOUT:.0%} of its {timeout.to_seconds():.0f} seconds.",
                "a-function-is-near-its-timeout",
                watched.metric_duration(statistic="Maximum"),
                threshold=timeout.to_milliseconds() * _NEAR_TIMEOUT,
                compare=Compare.GREATER_THAN_THRESHOLD,
            ),
        )
        if function.dead_letters:
            self._alarm(
                f"function-{name}-dead-letters",
                Watch(
                    f"The function {name} gave up on events: they lie in its dead-letter queue.",
                    "a-function-gave-up-on-events",
                    waiting(function.dead_letters),
                ),
            )

    def watch_api(self, api: apigateway.RestApi) -> None:
        """The query API's own failures and its slowest answers."""
        self._alarm(
            "api-5xx",
            Watch(
                "The query API answered with 5xx.",
                "the-api-answers-with-5xx",
                api.metric_server_error(),
            ),
        )
        self._alarm(
            "api-slow",
            Watch(
                f"For a quarter of an hour one answer in a hundred took more than {_API_LATENCY_MS} ms.",
                "the-api-is-slow",
                api.metric_latency(statistic="p99"),
                threshold=_API_LATENCY_MS,
                periods=3,
                compare=Compare.GREATER_THAN_THRESHOLD,
            ),
        )

    def watch_athena(self, *, workgroup: str, most_bytes: int) -> None:
        """The statements of all nights: those that failed, and what they scanned in a day."""
        for kind in STATEMENTS:
            self._alarm(
                f"athena-failed-{kind.lower()}",
                Watch(
                    f"A statement ({kind}) of a night failed in Athena; the night tries it again, or says why.",
                    "a-statement-failed",
                    failed_queries(workgroup, kind),
                    notify=False,
                ),
            )
        self._alarm(
            "athena-bytes",
            Watch(
                f"The nights' statements scanned more than {most_bytes / 1e9:,.0f} GB in a day.",
                "nights-scan-too-much",
                processed_bytes(workgroup),
                threshold=most_bytes,
                compare=Compare.GREATER_THAN_THRESHOLD,
            ),
        )

    def watch_bi(self, *, workgroup: str, cutoff_bytes: int) -> None:
        """What people scan in a day; a single query is cut off by the workgroup at `cutoff_bytes`."""
        self._alarm(
            "bi-bytes",
            Watch(
                f"Queries of people scanned more than {_BI_QUERIES_A_DAY} times the limit of one query in a day.",
                "people-scan-too-much",
                processed_bytes(workgroup),
                threshold=cutoff_bytes * _BI_QUERIES_A_DAY,
                compare=Compare.GREATER_THAN_THRESHOLD,
            ),
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
