"""The one factory of Lambda functions: runtime, own narrow role, log group, tracing, layer, published version."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.arn import spelled_arn
from infra.dead_letters import dead_letter_queue
from infra.lint import accept_own_role_dependency
from infra.nag import acknowledge
from infra.network import Network
from infra.settings import FunctionName, Settings

PYTHON = lambda_.Runtime.PYTHON_3_13
ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


class Function(Construct):
    """The handler `nightlake.handlers.<name>.handler` as a function called `nightlake-<stage>-<name>`.

    Its role starts with nothing but its own log group and X-Ray; whoever composes the stack grants the rest.

    Attributes:
        function: The function.
        role: Its own role.
        timeout: After which Lambda kills it.
        dead_letters: Where events go that an asynchronous function failed on; None for a synchronous one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        name: FunctionName,
        description: str,
        code: lambda_.Code,
        layers: Sequence[lambda_.ILayerVersion],
        environment: Mapping[str, str],
        timeout: Duration,
        asynchronous: bool = False,
        network: Network | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.timeout = timeout
        self._name = physical_name = f"nightlake-{settings.stage}-{name}"
        capacity = settings.function(name)
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/lambda/{physical_name}",
            retention=settings.log_retention,
            # A retained group of this name would stop the stack from being created again.
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What the function {physical_name} may do",
        )
        log_group.grant_write(self.role)
        if network:
            for statement in _network_interfaces(physical_name):
                self.role.add_to_principal_policy(statement)
        self.dead_letters: sqs.Queue | None = (
            dead_letter_queue(self, "DeadLetters", name=f"{physical_name}-dead-letters") if asynchronous else None
        )
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=physical_name,
            description=description,
            runtime=PYTHON,
            architecture=ARCHITECTURES[settings.architecture],
            code=code,
            layers=list(layers) or None,
            handler=f"nightlake.handlers.{name}.handler",
            role=self.role,
            environment={
                "STAGE": settings.stage,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": "Nightlake",
                "POWERTOOLS_LOG_LEVEL": "INFO",
                **environment,
            },
            timeout=timeout,
            memory_size=capacity.memory_mb,
            reserved_concurrent_executions=capacity.reserved_concurrency,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            # The runtime's own lines, too: of starts, ends and what a handler let through.
            logging_format=lambda_.LoggingFormat.JSON,
            dead_letter_queue=self.dead_letters,
            # A night in flight finishes on the version it began with, also while the next one is deployed.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=[network.functions] if network else None,
        )
        accept_own_role_dependency(self.function)
        acknowledge(
            self.function,
            {"L1": "The layer is built and tested for Python 3.13; the runtime moves together with its wheels."},
        )
        acknowledge(
            self.role,
            {"IAM5[Resource::*]": "X-Ray and Lambda's own network interfaces have no resources to name beforehand."},
        )

    @property
    def version_arn(self) -> str:
        """ARN of the version that this deployment publishes: what a night calls, from its first state to its last.

        The function is spelled out: to a nested stack, of all its versions, only the newest one's number is told.
        """
        return spelled_arn("lambda", f"function:{self._name}:{self.function.current_version.version}")

    @cached_property
    def live(self) -> lambda_.Alias:
        """An alias on that version, for a caller that keeps an ARN over deployments (API Gateway)."""
        return lambda_.Alias(self, "Live", alias_name="live", version=self.function.current_version)


def _network_interfaces(function: str) -> Iterator[iam.PolicyStatement]:
    """What the Lambda service does in the role's name to put a function into a VPC; the function's code may not.

    Source: Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC".
    """
    actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ]
    code = spelled_arn("lambda", f"function:{function}")
    yield iam.PolicyStatement(actions=actions, resources=["*"])
    yield iam.PolicyStatement(
        effect=iam.Effect.DENY,
        actions=actions,
        resources=["*"],
        conditions={"ArnLike": {"lambda:SourceFunctionArn": [code, f"{code}:*"]}},
    )
