"""The table of the API's keys: what is kept of each, found by its hash."""

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.settings import Settings


class ApiKeys(Construct):
    """The keys of one stage. A revoked or expired key stays, so that it is known whose it was.

    Attributes:
        table: The table. No key is in it, only hashes of 256 random bits, so DynamoDB's own encryption is enough.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=table_name(settings.stage),
            partition_key=dynamodb.Attribute(name="hash", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=settings.removal_policy,
        )


def table_name(stage: str) -> str:
    """The name of the table, spelled out as those of buckets are."""
    return f"nightlake-{stage}-keys"
