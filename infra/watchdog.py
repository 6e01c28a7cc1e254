"""What wakes the watchdog: the clock, every five minutes, and every change of its own stack."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

# On the clock's own minutes: a night that is due at 03:00 is looked for at 03:05, not some minutes later.
_EVERY_FIVE_MINUTES = "cron(0/5 * * * ? *)"
# A look that comes late is the next look.
_MAX_EVENT_AGE = Duration.minutes(5)


class Watchdog(Construct):
    """Calls `handler` with EventBridge's events."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str, handler: lambda_.IFunction) -> None:
        super().__init__(scope, construct_id)
        events.Rule(
            self,
            "Clock",
            rule_name=f"{name}-clock",
            description="The watchdog looks whether each night that is due has begun and is there",
            schedule=events.Schedule.expression(_EVERY_FIVE_MINUTES),
            targets=[targets.LambdaFunction(handler, max_event_age=_MAX_EVENT_AGE, retry_attempts=1)],
        )
        events.Rule(
            self,
            "Deployment",
            rule_name=f"{name}-deployment",
            description="The watchdog marks every change of this stack, so that alarms wait a while after it",
            event_pattern=events.EventPattern(
                source=["aws.cloudformation"],
                detail_type=["CloudFormation Stack Status Change"],
                detail={"stack-id": [Aws.STACK_ID]},
            ),
            targets=[targets.LambdaFunction(handler)],
        )
