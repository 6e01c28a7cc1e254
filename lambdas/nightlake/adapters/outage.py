"""Tells an outage of AWS, which passes, from what AWS refuses."""

from typing import Final

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from nightlake.core.errors import AwsUnavailableError

_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
_BUSY: Final = frozenset(
    {
        *("InternalError", "InternalServerException", "InternalServiceException", "LimitExceededException"),
        *("RequestLimitExceeded", "RequestTimeout", "ServiceUnavailable", "SlowDown"),
        *("Throttling", "ThrottlingException", "TooManyRequestsException"),
    }
)
_BROKEN: Final = (
    *(ConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError),
    # What botocore lets through where an answer that it reads as a whole breaks off: a listing, an error.
    *(ProtocolError, ReadTimeoutError),
)


def outage(error: Exception) -> AwsUnavailableError | None:
    """The outage that an error is about; None where it is about something else, or no error of AWS.

    By then its client has tried the request several times.
    """
    if isinstance(error, _BROKEN) or (isinstance(error, ClientError) and _is_busy(error)):
        return AwsUnavailableError(f"AWS is busy or does not answer: {error}; it is tried again")
    return None


def _is_busy(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= _SERVER_ERROR or status == _TOO_MANY or error.response["Error"].get("Code") in _BUSY
