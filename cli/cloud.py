"""The AWS a command talks to: the local one of this checkout, or the account that the caller's credentials name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from local import aws as local_aws

from cli.errors import LocalAwsDownError, NotDeployedError
from cli.paths import HOME

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

GOOD_STACK = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
"""A stack that is as its template says; anything else was rolled back, failed, or is still at it."""


class Stage(StrEnum):
    """Where the template is deployed to. `local` is this machine."""

    LOCAL = "local"
    DEV = "dev"
    PROD = "prod"


OfStage = Annotated[Stage, typer.Option(help="Which stage; dev and prod use your AWS credentials.")]


@dataclass(frozen=True)
class Cloud:
    """Clients and names of one stage."""

    stage: Stage
    endpoint: local_aws.Endpoint | None

    @property
    def stacks(self) -> tuple[str, str]:
        """The stateful and the stateless stack's name, in the order of their deployment."""
        return f"nightlake-{self.stage}-stateful", f"nightlake-{self.stage}-stateless"

    def environment(self) -> dict[str, str]:
        """The environment for a program that talks to this AWS; the caller's AWS never leaks into the local one."""
        if self.endpoint is None:
            return dict(os.environ)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | self.endpoint.environment()

    def client(self, service: str) -> Any:
        """A boto3 client of this AWS."""
        import boto3

        return self.endpoint.client(service) if self.endpoint else boto3.client(service)  # type: ignore[call-overload]

    def outputs(self) -> dict[str, str]:
        """The outputs of both stacks by their logical ids, without those by which one stack refers to the other.

        Raises:
            NotDeployedError: a stack is missing or was never finished.
        """
        found: dict[str, str] = {}
        for stack in self.stacks:
            described = describe_stack(self.client("cloudformation"), stack)
            if described is None:
                raise NotDeployedError(f"Stack {stack} is not deployed. Deploy it: make deploy STAGE={self.stage}")
            own = (output for output in described.get("Outputs", []) if "ExportName" not in output)
            found |= {output["OutputKey"]: output["OutputValue"] for output in own}
        return found

    def api_url(self, outputs: Mapping[str, str]) -> str:
        """The REST API's address as this machine reaches it; the local AWS serves it under a path of its own."""
        if self.endpoint is None:
            return outputs["ApiUrl"]
        return f"{self.endpoint.url}/restapis/{outputs['ApiId']}/{outputs['ApiStage']}/_user_request_"


def describe_stack(cloudformation: "CloudFormationClient", name: str) -> Any | None:
    """The stack's description, or None where there is no such stack."""
    from botocore.exceptions import ClientError

    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def connect(stage: Stage) -> Cloud:
    """The AWS of `stage`.

    Raises:
        LocalAwsDownError: the stage is `local` and the local AWS is not running.
    """
    if stage is not Stage.LOCAL:
        return Cloud(stage, None)
    endpoint = local_aws.status(HOME).endpoint
    if endpoint is None:
        raise LocalAwsDownError("The local AWS is not running. Start it: .venv/bin/nightlake up")
    return Cloud(stage, endpoint)
