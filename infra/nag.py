"""How AWS Solutions findings of cdk-nag are checked at synth and acknowledged on the resource that has them."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, App, Stack, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct


def check(app: App) -> None:
    """Let every synth of `app` fail on a finding of the AWS Solutions rules that nobody has acknowledged."""
    Validations.of(app).add_plugins(AwsSolutionsChecks())


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept findings on `construct` and below it.

    Args:
        construct: The resource that has the findings; never a whole stack.
        reasons: Why each is right here, by rule without its pack's name, for example `S1` or what `wildcard` returns.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason) for rule, reason in reasons.items())
    )


def wildcard(construct: IConstruct, arn: str) -> str:
    """The finding that cdk-nag makes of a statement on `construct` whose resource `arn` holds a `*`."""
    return f"IAM5[Resource::{_flat(Stack.of(construct).resolve(arn))}]"


def _flat(reference: object) -> str:
    # The same text that cdk-nag's own utils/flatten-cfn-reference makes.
    match reference:
        case {"Fn::Join": [str(delimiter), [*items]]}:
            return delimiter.join(map(_flat, items))
        case {"Fn::GetAtt": [resource, attribute]}:
            return f"<{_flat(resource)}.{_flat(attribute)}>"
        case {"Ref": resource}:
            return f"<{_flat(resource)}>"
        case {"Fn::ImportValue": name}:
            return _flat(name)
        case str(text):
            return text
        case _:
            raise TypeError(f"cdk-nag's name of {reference!r} is not known; see its flatten-cfn-reference")
