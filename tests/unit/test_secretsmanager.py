"""Secrets are remembered, read again when asked, and an unreadable one is told by name."""

from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from mypy_boto3_secretsmanager import SecretsManagerClient
from nightlake.adapters.secretsmanager import Secrets
from nightlake.core.errors import SecretUnreadableError


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-west-1")


def test_a_secret_is_remembered_until_it_is_asked_for_again(client: SecretsManagerClient) -> None:
    client.create_secret(Name="chat/ops", SecretString="old")
    secrets = Secrets(client)
    assert secrets.read("chat/ops") == "old"
    client.put_secret_value(SecretId="chat/ops", SecretString="new")
    assert secrets.read("chat/ops") == "old"
    assert secrets.read("chat/ops", again=True) == "new"
    assert secrets.read("chat/ops") == "new"


def test_no_secret_and_no_text_are_none_and_not_remembered(client: SecretsManagerClient) -> None:
    secrets = Secrets(client)
    assert secrets.read("chat/ops") is None
    client.create_secret(Name="chat/ops", SecretBinary=b"bytes")
    assert secrets.read("chat/ops") is None
    client.put_secret_value(SecretId="chat/ops", SecretString="text")
    assert secrets.read("chat/ops") == "text"


def test_a_secret_that_may_not_be_read_is_told_by_name(client: SecretsManagerClient) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("get_secret_value", "AccessDeniedException", "not authorized to kms:Decrypt")
        with pytest.raises(SecretUnreadableError, match=r"'chat/ops' cannot be read \(.*AccessDeniedException.*role"):
            Secrets(client).read("chat/ops")
        stub.assert_no_pending_responses()
