"""Derives what a state machine's role must be allowed from the definition's own resources.

One table, `INTEGRATIONS`, maps every service integration to the statements it needs; an integration that is not in the
table is refused by name, so a definition cannot gain a right that nobody wrote down. Pure: strings in, strings out.

Sources: Step Functions developer guide, "IAM policies for integrated services", "for using Distributed Map states",
"Run Athena queries", "Start a new state machine from a running execution", "Add EventBridge events".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from nightlake.core.errors import NightlakeError

_CATALOG = "AwsDataCatalog"
_READ_KEY = ("kms:Decrypt",)
_WRITE_KEY = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey")


class RoleError(NightlakeError):
    """A state of the definition asks for rights that cannot be derived; the message says which and what to write."""


@dataclass(frozen=True)
class Statement:
    """One Allow statement; `prefixes` are the key patterns that a listing of a bucket is limited to."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a pipeline may touch where its definition names it only at run time (`$.database`, `$.key`, a query's text).

    `tables` maps a Glue database to the table names of the pipeline; `read` and `write` map a bucket to key patterns;
    `keys` maps a topic's ARN or a bucket's name to the ARN of the KMS key that encrypts it.
    """

    partition: str
    region: str
    account: str
    state_machine: str
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    write: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def bucket(self, name: str) -> str:
        return f"arn:{self.partition}:s3:::{name}"

    def objects(self, name: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{self.bucket(name)}/{pattern}" for pattern in patterns)

    def encrypted(self, names: tuple[str, ...], actions: tuple[str, ...]) -> Iterator[Statement]:
        keys = tuple(dict.fromkeys(self.keys[name] for name in names if name in self.keys))
        if keys:
            yield Statement(actions, keys)


@dataclass(frozen=True)
class _Part:
    """A part of a state that calls a service: a Task itself, or the reader or writer of a Map."""

    state: str
    resource: str
    parameters: Mapping[str, Any]
    reach: Reach

    def literal(self, name: str) -> str:
        """The parameter as written, for what decides a resource's ARN and so must not come from the input."""
        value = self.parameters.get(name)
        if not isinstance(value, str):
            reason = f"needs {name} as a literal or a ${{Name}}: the role is derived from it, so it cannot be a path"
            raise self.error(reason)
        return value

    def error(self, reason: str) -> RoleError:
        return RoleError(f"state {self.state!r}: {self.resource} {reason}.")

    def patterns(self, bucket: str, name: str, declared: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Key patterns of an object parameter: as written, or what the pipeline may touch when it is a path."""
        if isinstance(value := self.parameters.get(name), str):
            return (value if name == "Key" else f"{value}*",)
        if bucket not in declared:
            reason = f"takes {name} from its input, and the pipeline declares no keys for bucket {bucket}: add them"
            raise self.error(reason)
        return declared[bucket]


Integration = Callable[[_Part], Iterator[Statement]]


def statements(definition: Mapping[str, Any], reach: Reach) -> tuple[Statement, ...]:
    """The Allow statements of the role that runs `definition` (ASL whose `${Name}`s are already bound).

    Log delivery and X-Ray depend on the machine's settings, not on its states: CDK's StateMachine adds those.
    Raises RoleError for an integration outside the table and for a resource that cannot be told from the definition.
    """
    derived = (part for name, state in _states(definition) for part in _parts(name, state, reach))
    return tuple(dict.fromkeys(chain.from_iterable(derived)))


def _states(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), *filter(None, (state.get("ItemProcessor"), state.get("Iterator")))):
            yield from _states(inner)


def _parts(name: str, state: Mapping[str, Any], reach: Reach) -> Iterator[Iterator[Statement]]:
    if state["Type"] == "Task":
        yield _integration(_Part(name, state["Resource"], state.get("Parameters", {}), reach), INTEGRATIONS)
    if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        yield _distributed_map(name, state, reach)
        for field_name, table in (("ItemReader", READERS), ("ResultWriter", WRITERS)):
            if "Resource" in (part := state.get(field_name, {})):
                yield _integration(_Part(name, part["Resource"], part.get("Parameters", {}), reach), table)


def _integration(part: _Part, table: Mapping[str, Integration]) -> Iterator[Statement]:
    called = re.fullmatch(r"arn:[^:]+:states:::(.+)", part.resource)
    if called is None or called[1] not in table:
        known = ", ".join(sorted(table))
        raise part.error(f"is not in the table of infra/state_machine_role.py ({known}): add it there with its rights")
    return table[called[1]](part)


def _invoke_function(part: _Part) -> Iterator[Statement]:
    # A night in flight keeps calling the version it began with while a deployment publishes the next one: the role
    # allows every version of exactly this function, whose ARN is what stands before the version.
    function, _, version = part.literal("FunctionName").rpartition(":")
    if not version or function.endswith(":function"):
        raise part.error("must call a published version: give FunctionName as <function ARN>:<version>")
    yield Statement(("lambda:InvokeFunction",), (f"{function}:*",))


def _publish(part: _Part) -> Iterator[Statement]:
    topic = part.literal("TopicArn")
    yield Statement(("sns:Publish",), (topic,))
    yield from part.reach.encrypted((topic,), ("kms:Decrypt", "kms:GenerateDataKey*"))


def _glue_table(part: _Part) -> Iterator[Statement]:
    action = part.resource.rpartition(":")[2]
    database = part.parameters.get("DatabaseName")
    tables = {database: part.reach.tables.get(database, ())} if isinstance(database, str) else part.reach.tables
    if not any(tables.values()):
        raise part.error(f"works on database {database or 'of its input'}, where the pipeline declares no tables")
    yield Statement((f"glue:{action[0].upper()}{action[1:]}",), _catalog_arns(part.reach, tables))


def _catalog_arns(reach: Reach, tables: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Glue checks a call on a table against the catalog, its database and the table."""
    databases = (reach.arn("glue", f"database/{database}") for database in tables)
    # IAM limits a policy's size: beyond some length the tables of a stage's own database can only be named as a whole.
    exact = sum(_ARN + len(database) + len(table) for database in tables for table in tables[database]) <= _NAMED
    named = tables if exact else dict.fromkeys(tables, ("*",))
    names = (reach.arn("glue", f"table/{database}/{table}") for database in named for table in named[database])
    return (reach.arn("glue", "catalog"), *databases, *names)


def _put_events(part: _Part) -> Iterator[Statement]:
    yield Statement(("events:PutEvents",), (part.reach.arn("events", "event-bus/default"),))


def _start_execution(part: _Part) -> Iterator[Statement]:
    yield Statement(("states:StartExecution",), (part.literal("StateMachineArn"),))


def _run_execution(part: _Part) -> Iterator[Statement]:
    machine = part.literal("StateMachineArn")
    if ":stateMachine:" not in machine:
        raise part.error("needs the ARN of its state machine spelled out (...:stateMachine:NAME), not a reference")
    rule = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    yield Statement(("states:StartExecution",), (machine,))
    yield Statement(
        ("states:DescribeExecution", "states:StopExecution"),
        (f"{machine.replace(':stateMachine:', ':execution:')}:*",),
    )
    yield Statement(("events:DescribeRule", "events:PutRule", "events:PutTargets"), (part.reach.arn("events", rule),))


def _athena(*actions: str) -> Integration:
    def derive(part: _Part) -> Iterator[Statement]:
        workgroup = part.reach.arn("athena", f"workgroup/{part.literal('WorkGroup')}")
        yield Statement(actions, (workgroup,))

    return derive


def _run_query(part: _Part) -> Iterator[Statement]:
    """Athena works with the caller's rights, so they span the catalog and the objects that the pipeline may touch."""
    reach = part.reach
    yield from _athena(
        "athena:BatchGetQueryExecution",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:GetWorkGroup",
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
    )(part)
    yield Statement(("athena:GetDataCatalog",), (reach.arn("athena", f"datacatalog/{_CATALOG}"),))
    yield Statement(_QUERY_CATALOG, _catalog_arns(reach, reach.tables))
    # Lake Formation has no resource to name; the action is refused or granted by its own permissions.
    yield Statement(("lakeformation:GetDataAccess",), ("*",))
    buckets = tuple(dict.fromkeys((*reach.read, *reach.write)))
    yield Statement(
        ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
        tuple(reach.bucket(bucket) for bucket in buckets),
    )
    readable = tuple(
        arn for kind in (reach.read, reach.write) for name in kind for arn in reach.objects(name, kind[name])
    )
    writable = tuple(arn for name in reach.write for arn in reach.objects(name, reach.write[name]))
    yield Statement(("s3:GetObject",), tuple(dict.fromkeys(readable)))
    yield Statement(("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"), writable)
    yield from reach.encrypted(tuple(reach.read), _READ_KEY)
    yield from reach.encrypted(tuple(reach.write), ("kms:Decrypt", "kms:GenerateDataKey"))


# What the ARNs of tables may take in one statement, of the 6,144 characters of a managed policy.
_NAMED = 4_000
# An ARN without its database and table.
_ARN = 50
# What selects, CREATE TABLE AS and CREATE VIEW need; nothing that a night asks of Athena deletes.
_QUERY_CATALOG = (
    "glue:BatchCreatePartition",
    "glue:BatchGetPartition",
    "glue:CreatePartition",
    "glue:CreateTable",
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
    "glue:UpdatePartition",
    "glue:UpdateTable",
)


def _distributed_map(name: str, state: Mapping[str, Any], reach: Reach) -> Iterator[Statement]:
    """A Distributed Map starts its own machine; the machine is named in the ARN, since it does not exist yet."""
    if not state.get("Label"):
        raise RoleError(f"state {name!r}: a Distributed Map needs a Label, which its child executions' ARNs carry.")
    machine = reach.state_machine
    yield Statement(("states:StartExecution",), (reach.arn("states", f"stateMachine:{machine}"),))
    yield Statement(
        ("states:DescribeExecution", "states:StopExecution"), (reach.arn("states", f"execution:{machine}:*"),)
    )
    yield Statement(("states:RedriveExecution",), (reach.arn("states", f"execution:{machine}/{state['Label']}:*"),))


def _read_object(part: _Part) -> Iterator[Statement]:
    bucket = part.literal("Bucket")
    patterns = part.patterns(bucket, "Key", part.reach.read)
    yield Statement(("s3:GetObject",), part.reach.objects(bucket, patterns))
    yield from part.reach.encrypted((bucket,), _READ_KEY)


def _list_objects(part: _Part) -> Iterator[Statement]:
    bucket = part.literal("Bucket")
    patterns = part.patterns(bucket, "Prefix", part.reach.read)
    yield Statement(("s3:ListBucket",), (part.reach.bucket(bucket),), prefixes=patterns)
    yield Statement(("s3:GetObject",), part.reach.objects(bucket, patterns))
    yield from part.reach.encrypted((bucket,), _READ_KEY)


def _write_results(part: _Part) -> Iterator[Statement]:
    bucket = part.literal("Bucket")
    patterns = part.patterns(bucket, "Prefix", part.reach.write)
    yield Statement(
        ("s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"),
        part.reach.objects(bucket, patterns),
    )
    yield from part.reach.encrypted((bucket,), _WRITE_KEY)


INTEGRATIONS: Mapping[str, Integration] = {
    "lambda:invoke": _invoke_function,
    "sns:publish": _publish,
    "events:putEvents": _put_events,
    "aws-sdk:glue:getTable": _glue_table,
    "aws-sdk:glue:createTable": _glue_table,
    "aws-sdk:glue:updateTable": _glue_table,
    "aws-sdk:glue:deleteTable": _glue_table,
    "aws-sdk:glue:getPartitions": _glue_table,
    "aws-sdk:glue:batchCreatePartition": _glue_table,
    "aws-sdk:glue:batchUpdatePartition": _glue_table,
    "aws-sdk:glue:batchDeletePartition": _glue_table,
    "athena:startQueryExecution": _run_query,
    "athena:startQueryExecution.sync": _run_query,
    "athena:getQueryExecution": _athena("athena:GetQueryExecution"),
    "athena:getQueryResults": _athena("athena:GetQueryResults"),
    "athena:stopQueryExecution": _athena("athena:StopQueryExecution"),
    "states:startExecution": _start_execution,
    "states:startExecution.sync": _run_execution,
    "states:startExecution.sync:2": _run_execution,
}
READERS: Mapping[str, Integration] = {"s3:getObject": _read_object, "s3:listObjectsV2": _list_objects}
WRITERS: Mapping[str, Integration] = {"s3:putObject": _write_results}
