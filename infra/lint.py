"""How findings of cfn-lint are accepted on the resource that has them."""

from typing import cast

from aws_cdk import CfnResource
from constructs import IConstruct


def accept_own_role_dependency(construct: IConstruct) -> None:
    """Accept W3005 on `construct`: CDK lets it wait for its role and the role's policies, and names both."""
    resource = cast("CfnResource", construct.node.default_child)
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
