"""The table of the API's keys, as far as the API asks it anything: one key by its hash."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from nightlake.core.api_key import ApiKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def _client() -> "DynamoDBClient":
    # A caller waits, and API Gateway waits for no authorizer longer than 30 s.
    config = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "max_attempts": 3})
    return boto3.client("dynamodb", config=config)


class Keys:
    """The keys in a table whose partition key is `hash`."""

    def __init__(self, table: str, client: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._dynamodb: Any = client or _client()

    def find(self, digest: str) -> ApiKey | None:
        """The key of this hash as it is now, revoked or not; None when there is none."""
        found = self._dynamodb.get_item(TableName=self._table, Key={"hash": {"S": digest}}, ConsistentRead=True)
        return ApiKey.of_item(found["Item"]) if "Item" in found else None
