"""Functions of a stage that a command invokes itself."""

import json
from collections.abc import Mapping
from typing import Any

from nightlake.core import errors
from nightlake.core.errors import NightlakeError

from cli.cloud import Cloud
from cli.errors import FunctionFailedError


def invoke(cloud: Cloud, function: str, payload: Mapping[str, Any]) -> Any:
    """What the function answers.

    Raises:
        NightlakeError: the very error that the function raised, where it is one of core/errors.py.
        FunctionFailedError: any other failure of the function.
    """
    reply = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))
    answer = json.load(reply["Payload"])
    if "FunctionError" not in reply:
        return answer
    kind, message = answer.get("errorType", ""), answer.get("errorMessage", "")
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, NightlakeError):
        raise known(message)
    raise FunctionFailedError(f"{function} ended with {kind}: {message}. Its log: /aws/lambda/{function}")
