"""Step Functions as far as we ask it anything: whether an execution still runs."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from nightlake.core.lock import Executions

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def _client() -> "SFNClient":
    return boto3.client("stepfunctions", config=Config(retries={"mode": "standard", "max_attempts": 8}))


class States(Executions):
    """The account's executions; one that ended more than 90 days ago is not remembered."""

    def __init__(self, client: "SFNClient | None" = None) -> None:
        self._states: Any = client or _client()

    def status(self, execution_id: str) -> str | None:
        try:
            return str(self._states.describe_execution(executionArn=execution_id)["status"])
        except self._states.exceptions.ExecutionDoesNotExist:
            return None
