"""Everything that the template of stage `local` has unlike that of stage `prod`; a test holds both to this list."""

from typing import NamedTuple


class Difference(NamedTuple):
    """One difference: `value` of `properties` in resources of `types`, locally and in prod, and why it must be.

    A property path is dotted; the path `*` is the resource itself, whose value is "absent" or "present". Else a `*` is
    any text. The type `Sources` is all that stands in that construct. Of a policy, each action on each resource is a
    property by itself.
    """

    types: frozenset[str]
    properties: tuple[str, ...]
    local: str
    prod: str
    reason: str


DIFFERENCES = (
    Difference(
        frozenset({"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key", "AWS::DynamoDB::Table"})
        | {"AWS::Glue::Database", "AWS::Athena::WorkGroup"},
        ("DeletionPolicy", "UpdateReplacePolicy"),
        "Delete",
        "Retain",
        "A trial is thrown away as a whole; prod keeps its data when its stack goes.",
    ),
    Difference(
        frozenset({"AWS::Athena::WorkGroup"}),
        ("Properties.RecursiveDeleteOption",),
        "true",
        "false",
        "Follows from the one above: a workgroup with a history of queries is deleted only so.",
    ),
    Difference(
        frozenset({"AWS::Lambda::LayerVersion"}),
        ("*",),
        "absent",
        "present",
        "The emulator runs functions in its own interpreter, which has the same pinned packages for its own processor.",
    ),
    Difference(
        frozenset({"AWS::Lambda::Function"}),
        ("Properties.Layers",),
        "absent",
        "present",
        "Follows from the one above.",
    ),
    Difference(
        frozenset({"Sources"}),
        ("*",),
        "absent",
        "present",
        "PostgreSQL runs on this machine, and so do the functions: there is no network between them.",
    ),
    Difference(
        frozenset({"AWS::Lambda::Function"}),
        ("Properties.VpcConfig",),
        "absent",
        "present",
        "Follows from the one above.",
    ),
    Difference(
        frozenset({"AWS::Lambda::Function"}),
        ("DependsOn",),
        "*",
        "*SourcesTrialNetwork*",
        "Follows from the one above: a function in a network waits for it.",
    ),
    Difference(
        frozenset({"AWS::Lambda::Version"}),
        ("DependsOn",),
        "absent",
        "present",
        "Follows from the one above.",
    ),
    Difference(
        frozenset({"AWS::IAM::Policy"}),
        ("Properties.PolicyDocument.Statement.* ec2:*",),
        "absent",
        "present",
        "Follows from the one above: the interfaces of a network are made in the role's name.",
    ),
    Difference(
        frozenset({"AWS::Lambda::Function"}),
        ("Properties.Environment.Variables.DATABASES",),
        '{"app":*',
        "*MasterUserSecret.SecretArn*",
        "Where the databases are. As long as nobody says otherwise, prod makes one for a trial.",
    ),
    Difference(
        frozenset({"AWS::IAM::Policy"}),
        ("Properties.PolicyDocument.Statement.Allow secretsmanager:GetSecretValue on *nightlake/local/*",),
        "present",
        "absent",
        "Follows from the one above.",
    ),
    Difference(
        frozenset({"AWS::IAM::Policy"}),
        ("Properties.PolicyDocument.Statement.Allow secretsmanager:GetSecretValue on *MasterUserSecret.SecretArn*",),
        "absent",
        "present",
        "Follows from the one above.",
    ),
    Difference(
        frozenset({"AWS::Lambda::Function"}),
        ("Properties.ReservedConcurrentExecutions",),
        "absent",
        "*",
        "In prod a night must not take the concurrency that readers of the API need; here nights come when you say.",
    ),
    Difference(
        frozenset({"AWS::Logs::LogGroup"}),
        ("Properties.RetentionInDays",),
        "1",
        "365",
        "Logs of a trial are of no use a day later.",
    ),
    Difference(
        frozenset({"AWS::StepFunctions::StateMachine"}),
        ("Properties.LoggingConfiguration.IncludeExecutionData",),
        "true",
        "false",
        "Inputs and outputs in the log help who develops; in prod they could show what is not for who reads logs.",
    ),
)


def differences_table() -> str:
    """The list as a table for docs/fidelity.md."""
    rows = [
        (
            ", ".join(sorted(kind.removeprefix("AWS::") for kind in difference.types)),
            ", ".join("itself" if path == "*" else _shown(path) for path in difference.properties),
            _shown(difference.local),
            _shown(difference.prod),
            difference.reason,
        )
        for difference in DIFFERENCES
    ]
    head = [("resource", "property", "local", "prod", "why"), ("---",) * 5]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *rows])


def _shown(text: str) -> str:
    text = text.removeprefix("Properties.")
    return f"`{text}`" if "*" in text else text
