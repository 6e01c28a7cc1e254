"""Reads secrets from AWS Secrets Manager and remembers them for the life of the function."""

from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from nightlake.core.errors import SecretUnreadableError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Secrets:
    """Secret texts by name; a remembered one is read again on request, because secrets are rotated."""

    def __init__(self, client: "SecretsManagerClient | None" = None) -> None:
        self._client = client or boto3.client("secretsmanager")
        self._texts: dict[str, str] = {}

    def read(self, name: str, *, again: bool = False) -> str | None:
        """The text of the secret's current version; None when there is no such secret or it has no text.

        Raises SecretUnreadableError when Secrets Manager refuses or does not answer.
        """
        if again or name not in self._texts:
            try:
                answer = self._client.get_secret_value(SecretId=name)
            except self._client.exceptions.ResourceNotFoundException:
                return None
            except (BotoCoreError, ClientError) as error:
                raise SecretUnreadableError(
                    f"Secret '{name}' cannot be read ({error}); let the function's role read and decrypt it"
                ) from error
            if "SecretString" not in answer:
                return None
            self._texts[name] = answer["SecretString"]
        return self._texts[name]
