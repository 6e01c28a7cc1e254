"""A queue for events that could not be delivered: encrypted, TLS only, kept for as long as SQS keeps anything."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.nag import acknowledge


def dead_letter_queue(scope: Construct, construct_id: str, *, name: str) -> sqs.Queue:
    """A dead-letter queue called `name`. Its alarm belongs to `infra.monitoring`."""
    queue = sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        # SQS's own key: EventBridge, SNS and Lambda may all write without a statement in a key policy.
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
        removal_policy=RemovalPolicy.DESTROY,
    )
    acknowledge(queue, {"SQS3": "This queue is a dead-letter queue: what arrives here raises an alarm."})
    return queue
