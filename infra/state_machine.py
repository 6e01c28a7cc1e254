"""A state machine of one pipeline: its definition, a role derived from it, full logs."""

import json
import re
from collections.abc import Mapping
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct
from nightlake.core.errors import NightlakeError

from infra.lint import accept_own_role_dependency
from infra.nag import acknowledge, wildcard
from infra.settings import Settings
from infra.state_machine_role import Reach, statements

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class DefinitionError(NightlakeError):
    """A definition names a `${Name}` that the stack does not know; the message lists what it knows."""


class StateMachine(Construct):
    """A Standard state machine called `name`.

    Attributes:
        machine: The state machine.
        role: Its role: what `infra.state_machine_role` derives from the definition, log delivery, X-Ray.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        name: str,
        definition: Mapping[str, Any],
        timeout: Duration,
        substitutions: Mapping[str, str],
        tables: Mapping[str, tuple[str, ...]],
        read: Mapping[str, tuple[str, ...]],
        write: Mapping[str, tuple[str, ...]],
        keys: Mapping[str, str],
    ) -> None:
        """The own time limit of `definition` gives way to `timeout`; of `substitutions` it need not use all.

        `tables`, `read`, `write` and `keys` are those of `infra.state_machine_role.Reach`.

        Raises:
            DefinitionError: the definition uses a name that `substitutions` lacks.
            RoleError: the definition asks for a right that cannot be derived.
        """
        super().__init__(scope, construct_id)
        text = json.dumps({**definition, "TimeoutSeconds": timeout.to_seconds()}, separators=(",", ":"))
        used = _used(text, substitutions)
        reach = Reach(
            partition=Aws.PARTITION,
            region=Aws.REGION,
            account=Aws.ACCOUNT_ID,
            state_machine=name,
            tables=tables,
            read=read,
            write=write,
            keys=keys,
        )
        self.role = self._role(name, json.loads(_bound(text, used)), reach)
        self.machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            # Inline, not from_file: template tests and cfn-lint see the states.
            definition_body=sfn.DefinitionBody.from_string(text),
            definition_substitutions=used,
            role=self.role,
            logs=sfn.LogOptions(
                # The prefix keeps the group's resource policy, which all log deliveries share, below its size limit.
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    retention=settings.log_retention,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=settings.log_execution_data,
            ),
            tracing_enabled=True,
        )
        accept_own_role_dependency(self.machine)
        acknowledge(
            self.role,
            {"IAM5[Resource::*]": "Log delivery and X-Ray have no resources to name: AWS demands * for both."},
        )

    def _role(self, name: str, definition: Mapping[str, object], reach: Reach) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": reach.arn("states", "stateMachine:*")},
                },
            ),
            description=f"What the state machine {name} may do, derived from its definition",
        )
        for statement in statements(definition, reach):
            role.add_to_principal_policy(
                iam.PolicyStatement(
                    actions=list(statement.actions),
                    resources=list(statement.resources),
                    conditions={"StringLike": {"s3:prefix": list(statement.prefixes)}} if statement.prefixes else None,
                )
            )
            narrowest = "The narrowest form that AWS offers: see the integration in infra/state_machine_role.py."
            actions = (f"IAM5[Action::{action}]" for action in statement.actions if "*" in action)
            resources = (wildcard(role, resource) for resource in statement.resources if "*" in resource)
            acknowledge(role, dict.fromkeys((*actions, *resources), narrowest))
        return role


def _used(definition: str, substitutions: Mapping[str, str]) -> dict[str, str]:
    names = sorted(set(_PLACEHOLDER.findall(definition)))
    if unknown := [name for name in names if name not in substitutions]:
        wrong, known = ", ".join(unknown), ", ".join(sorted(substitutions))
        raise DefinitionError(f"the definition uses {wrong}, which the stack does not know: it knows {known}")
    return {name: substitutions[name] for name in names}


def _bound(definition: str, substitutions: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda name: substitutions[name[1]], definition)
