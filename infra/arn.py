"""ARNs that are spelled out, of what has a name that is known: where a reference would be one too many."""

from aws_cdk import Aws


def spelled_arn(service: str, resource: str) -> str:
    """The ARN of something of this service in the account and region of the stack that it stands in."""
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"
