"""A web ACL in front of the API, where a stage's settings ask for one: AWS's own rules, and a rate for each address."""

from collections.abc import Iterator

from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.settings import Firewall as Limits

_MANAGED = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": (),
    # A question with many conditions, or a cursor, is longer than the 2,048 bytes that the rule takes for normal.
    "AWSManagedRulesCommonRuleSet": ("SizeRestrictions_QUERYSTRING",),
}


class Firewall(Construct):
    """A regional web ACL of the API's stage. What it blocks is counted by rule in CloudWatch, and sampled."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str, limits: Limits, protected: str) -> None:
        """`protected` is the ARN of the API's stage."""
        super().__init__(scope, construct_id)
        acl = waf.CfnWebACL(
            self,
            "WebAcl",
            name=name,
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility(name),
            rules=list(_rules(limits)),
        )
        waf.CfnWebACLAssociation(self, "Association", resource_arn=protected, web_acl_arn=acl.attr_arn)


def _rules(limits: Limits) -> Iterator[waf.CfnWebACL.RuleProperty]:
    """The rate first: what is too much needs no closer look."""
    rate = waf.CfnWebACL.RateBasedStatementProperty(
        limit=limits.requests_per_address, evaluation_window_sec=300, aggregate_key_type="IP"
    )
    yield waf.CfnWebACL.RuleProperty(
        name="RatePerAddress",
        priority=0,
        statement=waf.CfnWebACL.StatementProperty(rate_based_statement=rate),
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_visibility("RatePerAddress"),
    )
    for priority, (name, counted) in enumerate(_MANAGED.items(), start=1):
        group = waf.CfnWebACL.ManagedRuleGroupStatementProperty(
            vendor_name="AWS",
            name=name,
            rule_action_overrides=[
                waf.CfnWebACL.RuleActionOverrideProperty(
                    name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={})
                )
                for rule in counted
            ],
        )
        yield waf.CfnWebACL.RuleProperty(
            name=name,
            priority=priority,
            statement=waf.CfnWebACL.StatementProperty(managed_rule_group_statement=group),
            override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
            visibility_config=_visibility(name),
        )


def _visibility(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
