"""Whom a failure reaches: an encrypted topic, its subscribers, and a rule for executions that could not alert."""

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.arn import spelled_arn
from infra.settings import Settings

# No Catch sees these, so the definition's own alert cannot have been sent.
_UNCATCHABLE = ["States.Runtime", "States.DataLimitExceeded"]


class Alerts(Construct):
    """The topic of one stage.

    Attributes:
        topic: The topic; TLS only.
        key: Its key. The AWS-managed key of SNS cannot be used by alarms and rules.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._stage = settings.stage
        name = f"nightlake-{settings.stage}-alerts"
        self.key = kms.Key(
            self,
            "Key",
            alias=name,
            description=f"Nightlake {settings.stage}: alerts",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.topic = sns.Topic(self, "Topic", topic_name=name, master_key=self.key, enforce_ssl=True)
        own_account = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        alarms = iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=own_account)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(actions=["sns:Publish"], principals=[alarms], resources=[self.topic.topic_arn])
        )
        # EventBridge sends no source account along when it uses a key, so its statement has no condition.
        for publisher in (alarms, iam.ServicePrincipal("events.amazonaws.com")):
            self.key.grant(publisher, "kms:Decrypt", "kms:GenerateDataKey*")
        for address in settings.alarm_emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(address))

    def watch(self) -> None:
        """Alert when an execution of the stage's machines ends in a way that its definition could not alert of.

        A failure that a Catch has seen is quiet here: AlertFailure has told of it, with its reason.
        """
        # Not each machine: of a pattern's 2,048 characters, those of ten pipelines would be too many.
        machines = spelled_arn("states", f"stateMachine:nightlake-{self._stage}-")
        events.Rule(
            self,
            "EndedWithoutAlert",
            description="Executions that were stopped, timed out or broke off where no Catch sees it",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [{"prefix": machines}],
                    "$or": [
                        {"status": ["TIMED_OUT", "ABORTED"]},
                        {"status": ["FAILED"], "error": _UNCATCHABLE},
                    ],
                },
            ),
            targets=[targets.SnsTopic(self.topic, message=_message())],
        )


def _message() -> events.RuleTargetInput:
    run, status, error, execution = (
        events.EventField.from_path(f"$.detail.{name}") for name in ("name", "status", "error", "executionArn")
    )
    region = events.EventField.region
    console = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
    return events.RuleTargetInput.from_multiline_text(
        "\n".join(
            (
                f"Nightlake: a night ended {status} before it could say why",
                f"Run: {run}",
                f"Error: {error}",
                f"Execution: {console}#/v2/executions/details/{execution}",
            )
        )
    )
