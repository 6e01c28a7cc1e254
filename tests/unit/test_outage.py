"""What passes is told from what AWS refuses: only the first is tried again by the state machine."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)
from nightlake.adapters.outage import outage
from nightlake.core.errors import AwsUnavailableError, SourceChangedError
from nightlake.handlers.task import task
from urllib3 import HTTPConnectionPool, exceptions


def refused(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutObject")


@pytest.mark.parametrize(
    "error",
    [
        refused("SlowDown", 503),
        refused("InternalError", 500),
        refused("503", 503),
        refused("ThrottlingException", 400),
        refused("TooManyRequestsException", 429),
        EndpointConnectionError(endpoint_url="https://s3"),
        ConnectTimeoutError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        exceptions.ProtocolError("Connection broken", exceptions.IncompleteRead(1, 2)),
        exceptions.ReadTimeoutError(HTTPConnectionPool("s3"), "/", "Read timed out."),
    ],
    ids=str,
)
def test_an_outage_is_raised_by_a_name_that_is_tried_again(error: Exception, lambda_context: Any) -> None:
    @task
    def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(AwsUnavailableError, match="AWS is busy or does not answer"):
        handler({}, lambda_context)


@pytest.mark.parametrize(
    "error",
    [refused("AccessDenied", 403), refused("NoSuchBucket", 404), NoCredentialsError(), SourceChangedError("gone")],
    ids=str,
)
def test_a_refusal_keeps_its_name(error: Exception, lambda_context: Any) -> None:
    @task
    def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
        raise error

    assert outage(error) is None
    with pytest.raises(type(error)):
        handler({}, lambda_context)
