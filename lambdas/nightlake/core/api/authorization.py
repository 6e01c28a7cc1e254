"""What an authorizer tells API Gateway: who asks and that he may, or that nobody knows him."""

from typing import Any

from nightlake.core.api.caller import Caller


def allow(method_arn: str, caller: Caller, *, usage_key: str | None = None) -> dict[str, Any]:
    """The caller may ask every route of the stage: what he sees of it is the routes' to say.

    API Gateway keeps the answer for all his requests, so it must not be of one method alone. `usage_key` is the value
    of the usage plan's key that counts his requests.
    """
    counted = {"usageIdentifierKey": usage_key} if usage_key else {}
    return _answer("Allow", method_arn, caller.name) | {"context": caller.context()} | counted


def deny(method_arn: str) -> dict[str, Any]:
    """Whoever asks is none of ours; API Gateway keeps this, too, so that guessing costs no more invocations."""
    return _answer("Deny", method_arn, "nobody")


def _answer(effect: str, method_arn: str, principal: str) -> dict[str, Any]:
    api, stage, *_ = method_arn.split("/")
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": f"{api}/{stage}/*"}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
