"""How functions reach databases: in the user's VPC, or in a small one of our own; never through the internet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from aws_cdk import Annotations, Aws, Fn, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import settings as given
from infra.lake import bucket_arn
from infra.settings import Settings

_TLS = ec2.Port.tcp(443)
_TRIAL_CIDR = "10.71.0.0/24"
_PRIVATE = ec2.SubnetType.PRIVATE_ISOLATED


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where functions stand: their subnets, and the group that may go to S3, Secrets Manager and databases alone.

    `environment` is what a function there is told besides.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    functions: ec2.SecurityGroup
    environment: dict[str, str]

    def let_in(self, database: ec2.ISecurityGroup, *, port: int) -> None:
        """Let the functions connect to a database of that group."""
        self.functions.connections.allow_to(database, ec2.Port.tcp(port), "A database that pipelines read")


def own_network(scope: Construct, *, settings: Settings, network: given.Network, secrets: Sequence[str]) -> Network:
    """The user's VPC, to which a group, and where they are wanted a gateway to S3 and an endpoint of Secrets Manager
    are added that no one else there notices. `secrets` are the ARNs that may be read through it.
    """
    vpc = ec2.Vpc.from_vpc_attributes(
        scope, "Vpc", vpc_id=network.vpc_id, availability_zones=["as your subnets"] * len(network.subnet_ids)
    )
    private = [ec2.Subnet.from_subnet_id(scope, subnet, subnet) for subnet in network.subnet_ids]
    for subnet in private:
        Annotations.of(subnet).acknowledge_warning("@aws-cdk/aws-ec2:noSubnetRouteTableId", "Nobody asks for it.")
    subnets = ec2.SubnetSelection(subnets=private)
    functions = _functions(scope, vpc, settings)
    functions.add_egress_rule(ec2.Peer.prefix_list(network.s3_prefix_list_id), _TLS, "S3")
    if network.route_table_ids:
        ec2.CfnVPCEndpoint(
            scope,
            "S3",
            vpc_id=network.vpc_id,
            service_name=f"com.amazonaws.{Aws.REGION}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=list(network.route_table_ids),
        )
    if group := network.secrets_endpoint_security_group_id:
        theirs = ec2.SecurityGroup.from_security_group_id(scope, "SecretsEndpointGroup", group)
        functions.connections.allow_to(theirs, _TLS, "Secrets Manager")
        return Network(vpc=vpc, subnets=subnets, functions=functions, environment={})
    # Without private DNS, which would lead everybody else in the VPC to an endpoint that serves only us.
    endpoint = _secrets_endpoint(scope, vpc, subnets, functions, secrets, private_dns=False)
    name = Fn.select(1, Fn.split(":", Fn.select(0, endpoint.vpc_endpoint_dns_entries)))
    environment = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"https://{name}"}
    return Network(vpc=vpc, subnets=subnets, functions=functions, environment=environment)


def trial_network(scope: Construct, *, settings: Settings) -> Network:
    """A VPC with two private subnets and no way out but to S3 and Secrets Manager."""
    vpc = ec2.Vpc(
        scope,
        "Vpc",
        vpc_name=f"nightlake-{settings.stage}-trial",
        ip_addresses=ec2.IpAddresses.cidr(_TRIAL_CIDR),
        # Chosen by CloudFormation: with an account in the settings, CDK would ask it for its zones at synth.
        availability_zones=[Fn.select(number, Fn.get_azs()) for number in range(2)],
        nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="Private", subnet_type=_PRIVATE, cidr_mask=26)],
        # Nothing stands in the default group; to empty it, CDK would deploy a function of its own.
        restrict_default_security_group=False,
    )
    vpc.add_flow_log(
        "FlowLog",
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(
            logs.LogGroup(
                scope,
                "FlowLogs",
                log_group_name=f"/nightlake/{settings.stage}/trial-network",
                retention=settings.log_retention,
                removal_policy=RemovalPolicy.DESTROY,
            )
        ),
    )
    subnets = ec2.SubnetSelection(subnet_type=_PRIVATE)
    functions = _functions(scope, vpc, settings)
    functions.add_egress_rule(ec2.Peer.any_ipv4(), _TLS, "S3, the only address to which there is a route")
    s3 = vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3, subnets=[subnets])
    bucket = bucket_arn(settings.stage, "*")
    s3.add_to_policy(_ours(["s3:*"], [bucket, f"{bucket}/*"]))
    # One zone is enough for a trial: an endpoint is paid for by zone and hour.
    one = ec2.SubnetSelection(subnets=vpc.isolated_subnets[:1])
    _secrets_endpoint(scope, vpc, one, functions, ["*"], private_dns=True)
    return Network(vpc=vpc, subnets=subnets, functions=functions, environment={})


def _functions(scope: Construct, vpc: ec2.IVpc, settings: Settings) -> ec2.SecurityGroup:
    return ec2.SecurityGroup(
        scope,
        "Functions",
        vpc=vpc,
        description=f"Functions of nightlake {settings.stage} that read databases",
        allow_all_outbound=False,
    )


def _secrets_endpoint(
    scope: Construct,
    vpc: ec2.IVpc,
    subnets: ec2.SubnetSelection,
    functions: ec2.SecurityGroup,
    secrets: Sequence[str],
    *,
    private_dns: bool,
) -> ec2.InterfaceVpcEndpoint:
    group = ec2.SecurityGroup(
        scope, "Secrets", vpc=vpc, description="The endpoint of Secrets Manager", allow_all_outbound=False
    )
    functions.connections.allow_to(group, _TLS, "Secrets Manager")
    endpoint = ec2.InterfaceVpcEndpoint(
        scope,
        "SecretsEndpoint",
        vpc=vpc,
        service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
        subnets=subnets,
        security_groups=[group],
        open=False,
        private_dns_enabled=private_dns,
    )
    endpoint.add_to_policy(_ours(["secretsmanager:GetSecretValue"], secrets))
    return endpoint


def _ours(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    """What anybody of this account may do through an endpoint."""
    return iam.PolicyStatement(
        principals=[cast("iam.IPrincipal", iam.AnyPrincipal())],
        actions=list(actions),
        resources=list(resources),
        conditions={"StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}},
    )
