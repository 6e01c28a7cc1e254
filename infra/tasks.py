"""The functions that a night's Tasks, and the commands beside it, call: what each does, how long, what it may touch.

A right names key patterns, never whole buckets, except to list: S3 answers a question for a missing object with "not
found" only to those who may list its bucket.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from nightlake.core.model.drop_off import RECOMMENDATIONS
from nightlake.core.table import PRIVATE_SUFFIX

from infra.api_keys import table_name
from infra.arn import spelled_arn
from infra.catalog import Catalog
from infra.functions import Function
from infra.lake import Lake, bucket_arn
from infra.nag import acknowledge, wildcard
from infra.settings import FunctionName
from infra.sources import SourceKind, Sources

BucketName = Literal["raw", "lake", "quarantine", "results"]
DatabaseName = Literal["served", "staging", "quarantine"]
MachineKind = Literal["daily", "recommend", "retrain"]

_GET: Final = ("s3:GetObject",)
_GET_VERSION: Final = ("s3:GetObjectVersion",)
_PUT: Final = ("s3:PutObject",)
_DELETE: Final = ("s3:DeleteObject",)
_TAG: Final = ("s3:PutObjectTagging",)
_READ_TABLE: Final = ("glue:GetTable",)
_READ_PUBLISHED: Final = (
    *("glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions"),
    *("glue:GetTable", "glue:GetTables"),
)
_MAKE_TABLE: Final = ("glue:CreateTable", "glue:UpdateTable")
_POINT_PARTITION: Final = ("glue:BatchCreatePartition", "glue:BatchUpdatePartition")
_PROJECT: Final = (
    *("glue:CreateTable", "glue:GetPartitions", "glue:GetTable", "glue:UpdateTable"),
    *("glue:BatchCreatePartition", "glue:BatchDeletePartition", "glue:BatchUpdatePartition"),
)


class Objects(NamedTuple):
    """What may be done with the objects of one bucket whose keys match `patterns`."""

    bucket: BucketName
    patterns: tuple[str, ...]
    actions: tuple[str, ...] = _GET


class Tables(NamedTuple):
    """What may be done with the tables and partitions of one database."""

    database: DatabaseName
    actions: tuple[str, ...]


class Delivers(NamedTuple):
    """What may be done with what a model delivers: all of it, or one dataset."""

    actions: tuple[str, ...]
    dataset: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One function. `kind` is that of the sources without which nobody calls it. `lists` are the buckets that it may
    list; `deliveries` lets it list the versions of the raw bucket, `delivers` is what it may do with what a model puts
    there, `results` read answers of Athena, `asks` put questions about published tables to it in the API's workgroup,
    `executions` ask how an execution of these machines stands, `api_keys` look one key of the API up. `never_private`
    takes the files of private tables away again.
    One that is `asynchronous` is called by events, and has a queue for those that it gave up on.
    """

    description: str
    timeout: Duration
    kind: SourceKind | None = None
    objects: tuple[Objects, ...] = ()
    lists: tuple[BucketName, ...] = ()
    tables: tuple[Tables, ...] = ()
    deliveries: bool = False
    delivers: Delivers | None = None
    results: bool = False
    asks: bool = False
    executions: tuple[MachineKind, ...] = ()
    api_keys: bool = False
    never_private: bool = False
    asynchronous: bool = False


_SHORT: Final = Duration.minutes(1)
_LONG: Final = Duration.minutes(15)
_RUN_NOTES_WRITTEN: Final = Objects("lake", ("runs/*",), _PUT)
_RUN_NOTES: Final = (Objects("lake", ("runs/*",)), _RUN_NOTES_WRITTEN)
_PLANS: Final = (
    Objects("lake", ("staging/*",)),
    Objects("lake", ("staging/*/receipt.json",), _DELETE),
    _RUN_NOTES_WRITTEN,
)
_CONVERTS: Final = (
    Objects("lake", ("staging/*",), (*_GET, *_PUT)),
    Objects("lake", ("runs/*/failures/*",), _PUT),
    Objects("quarantine", ("staging/*",), (*_GET, *_PUT)),
)
_COMMITS: Final = (Objects("lake", ("snapshots/*",)), Objects("lake", ("snapshots/*",), _PUT))
_LOCKS: Final = Objects("lake", ("locks/*",), (*_GET, *_PUT))
_MODELS: Final = Objects("lake", ("models/*",))
_SCORING: Final = ("staging/*/_model/*",)
_LEARNS: Final = (Objects("lake", ("snapshots/*", "data/*")), _MODELS)

TASKS: Final[dict[FunctionName, Task]] = {
    "prepare": Task(
        description="Which day, which run, which tables must exist; locks; an unfinished projection",
        timeout=Duration.minutes(5),
        objects=(
            _LOCKS,
            Objects("lake", ("triggers/*",), (*_GET, *_PUT)),
            Objects("lake", ("snapshots/*",)),
        ),
        lists=("lake",),
        tables=(Tables("served", _PROJECT),),
        executions=("daily",),
    ),
    "define_table": Task(description="The definition of one table, where it has another or none", timeout=_SHORT),
    "plan": Task(
        description="Whether a source is ready, and its shards",
        timeout=_LONG,
        objects=(
            Objects("raw", ("*",), _GET_VERSION),
            *_PLANS,
        ),
        lists=("lake",),
        deliveries=True,
    ),
    "plan_http": Task(
        description="Whether an API has answered for a day, its answers landed, and their shards",
        timeout=_LONG,
        kind="http",
        objects=(*_PLANS, Objects("lake", ("runs/*/validation/*",))),
        lists=("raw", "lake"),
    ),
    "plan_postgres": Task(
        description="Whether a day of a table is closed, and its shards",
        timeout=_LONG,
        kind="postgres",
        objects=(*_PLANS, Objects("lake", ("snapshots/*",))),
        lists=("lake",),
    ),
    "convert": Task(
        description="One shard to Parquet, refused rows to quarantine, and a receipt",
        timeout=_LONG,
        objects=(
            Objects("raw", ("*",), _GET_VERSION),
            *_CONVERTS,
        ),
        lists=("raw", "lake", "quarantine"),
    ),
    "convert_postgres": Task(
        description="One part of a table to Parquet, without the rows that another day has published",
        timeout=_LONG,
        kind="postgres",
        objects=(*_CONVERTS, Objects("lake", ("snapshots/*", "data/*"))),
        lists=("lake", "quarantine"),
    ),
    "validate": Task(
        description="The verdict on one source",
        timeout=_LONG,
        objects=(
            Objects("lake", ("snapshots/*", "staging/*")),
            *_RUN_NOTES,
            Objects("quarantine", ("staging/*",)),
            Objects("quarantine", ("*/run=*",), (*_PUT, *_DELETE)),
        ),
        lists=("lake", "quarantine"),
        tables=(Tables("quarantine", (*_READ_TABLE, *_POINT_PARTITION)),),
    ),
    "explain": Task(
        description="What becomes of a source that failed, and what is told of it",
        timeout=_SHORT,
        objects=(Objects("lake", ("runs/*",)),),
        lists=("lake",),
    ),
    "seal": Task(
        description="Copies what the receipts name into the run's own prefix",
        timeout=_LONG,
        objects=(Objects("lake", ("staging/*",)), Objects("lake", ("data/*",), _PUT), *_RUN_NOTES),
        lists=("lake",),
        tables=(Tables("staging", (*_READ_TABLE, "glue:UpdateTable", *_POINT_PARTITION)),),
    ),
    "statement": Task(
        description="The text of one statement for this run",
        timeout=_SHORT,
        objects=_RUN_NOTES,
        lists=("lake",),
        tables=(Tables("served", _READ_TABLE),),
    ),
    "audit_across": Task(
        description="The verdict on keys and relationships",
        timeout=Duration.minutes(5),
        objects=_RUN_NOTES,
        lists=("lake",),
        results=True,
    ),
    "audit_merge": Task(
        description="The verdict on a merge, and its files sealed",
        timeout=_LONG,
        objects=(Objects("lake", ("staging/*",)), Objects("lake", ("data/*",), _PUT), *_RUN_NOTES),
        lists=("lake",),
        tables=(Tables("staging", (*_READ_TABLE, *_MAKE_TABLE, *_POINT_PARTITION)),),
        results=True,
    ),
    "publish": Task(
        description="The commit: a snapshot, HEAD, and the catalog after it",
        timeout=_LONG,
        objects=(
            Objects("lake", ("data/*",), (*_GET, *_PUT)),
            Objects("lake", ("locks/*", "runs/*")),
            *_COMMITS,
        ),
        lists=("lake",),
        tables=(Tables("served", _PROJECT),),
    ),
    "report": Task(
        description="One report as JSON",
        timeout=Duration.minutes(5),
        objects=(Objects("lake", ("reports/*",), _PUT),),
        results=True,
    ),
    "complete": Task(
        description="The run record and its page, in whatever way the night ended, and the locks released",
        timeout=Duration.minutes(5),
        objects=(
            _LOCKS,
            Objects("lake", ("snapshots/*",)),
            *_RUN_NOTES,
            Objects("lake", ("reports/*",)),
            Objects("lake", ("pages/*",), _PUT),
            Objects("raw", ("*",), _GET_VERSION),
        ),
        lists=("lake",),
        deliveries=True,
        tables=(Tables("staging", ("glue:DeleteTable",)),),
    ),
    "rollback": Task(
        description="Moves HEAD to another snapshot, and the catalog after it",
        timeout=_LONG,
        objects=_COMMITS,
        lists=("lake",),
        tables=(Tables("served", _PROJECT),),
    ),
    "collect_garbage": Task(
        description="Tags files that no kept snapshot names",
        timeout=_LONG,
        objects=(
            Objects("lake", ("snapshots/*",), (*_GET, *_PUT, *_DELETE)),
            _LOCKS,
            Objects("lake", ("data/*",), _TAG),
            Objects("lake", ("models/*/scored/*",)),
        ),
        lists=("lake",),
        executions=("daily",),
    ),
    "watchdog": Task(
        description="Looks whether each night that is due has begun and is there",
        timeout=_SHORT,
        asynchronous=True,
        objects=(
            Objects("lake", ("snapshots/*/HEAD", "triggers/*", "locks/*")),
            Objects("lake", ("watchdog/*",), (*_GET, *_PUT)),
        ),
        lists=("lake",),
        executions=("daily",),
    ),
    "pin_model": Task(
        description="Which snapshot a model learns from or scores, and its lock",
        timeout=_SHORT,
        kind="model",
        objects=(_LOCKS, Objects("lake", ("snapshots/*",)), _MODELS),
        lists=("lake",),
        executions=("recommend", "retrain"),
    ),
    "train_model": Task(
        description="A new version of a model: candidates tried, the best one fitted",
        timeout=_LONG,
        kind="model",
        objects=(*_LEARNS, Objects("lake", ("models/*/versions/*",), _PUT)),
        lists=("lake",),
        never_private=True,
    ),
    "evaluate_model": Task(
        description="The verdict on a version of a model, against the champion and popularity",
        timeout=_LONG,
        kind="model",
        objects=(*_LEARNS, Objects("lake", ("models/*/verdict.json",), _PUT)),
        lists=("lake",),
        never_private=True,
    ),
    "promote_model": Task(
        description="Moves CHAMPION to another version of a model",
        timeout=_SHORT,
        kind="model",
        objects=(_MODELS, Objects("lake", ("models/*/CHAMPION",), _PUT)),
        lists=("lake",),
    ),
    "measure_model": Task(
        description="How the champion does on what is new, whether it drifts, and the shards of users",
        timeout=_LONG,
        kind="model",
        objects=(
            *_LEARNS,
            Objects("lake", ("models/*/measurement.json", "models/*/shards.jsonl", *_SCORING), _PUT),
        ),
        lists=("lake",),
        never_private=True,
    ),
    "score_users": Task(
        description="The lists of one shard of users, delivered as Parquet",
        timeout=_LONG,
        kind="model",
        objects=(_MODELS, Objects("lake", _SCORING), Objects("lake", ("models/*/receipts/*",), _PUT)),
        lists=("lake",),
        delivers=Delivers(_PUT, RECOMMENDATIONS),
    ),
    "deliver_model": Task(
        description="Proves that all users have a list, and completes the delivery",
        timeout=_LONG,
        kind="model",
        objects=(_MODELS, Objects("lake", _SCORING)),
        lists=("lake", "raw"),
        delivers=Delivers((*_PUT, *_DELETE)),
    ),
    "finish_model": Task(
        description="What was published with which version, in whatever way it ended, and the lock released",
        timeout=_SHORT,
        kind="model",
        objects=(
            _LOCKS,
            Objects("lake", ("snapshots/*",)),
            Objects("lake", ("models/*/scored/*", "models/*/runs/*/record.json"), _PUT),
        ),
        lists=("lake",),
    ),
    "query": Task(
        description="Answers the query API",
        timeout=Duration.seconds(29),
        objects=(
            Objects("lake", ("snapshots/*", "data/*", "reports/*", "pages/*", "runs/*/records/*")),
            Objects("lake", ("models/*/CHAMPION", "models/*/scored/*")),
            Objects("lake", ("queries/*",), (*_GET, *_PUT)),
            # Athena writes and reads its answers with the rights of whoever asks.
            Objects("results", ("api/*",), (*_GET, *_PUT, "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")),
        ),
        lists=("lake", "results"),
        tables=(Tables("served", _READ_PUBLISHED),),
        asks=True,
    ),
    "authorize": Task(
        description="Says who asks the query API",
        timeout=Duration.seconds(10),
        api_keys=True,
    ),
}


def grant(function: Function, task: Task, *, stage: str, lake: Lake, catalog: Catalog, sources: Sources) -> None:
    """Add to the function's role what its task needs, by statements of its own: the buckets' and keys' policies, which
    belong to the other stack, stay as they are.
    """
    own = (
        *(sources.rights(task.kind) if task.kind else ()),
        *(sources.deliveries(*task.delivers) if task.delivers else ()),
    )
    reason = "Only keys, tables and executions of the task's own kind: see infra/tasks.py."
    for statement in (*_object_rights(task, stage, lake), *_other_rights(task, stage, catalog), *own):
        function.role.add_to_principal_policy(statement)
        wildcards = (wildcard(function.role, arn) for arn in statement.resources if "*" in arn)
        acknowledge(function.role, dict.fromkeys(wildcards, reason))


def _object_rights(task: Task, stage: str, lake: Lake) -> Iterator[iam.PolicyStatement]:
    for bucket, patterns, actions in task.objects:
        arns = [f"{bucket_arn(stage, bucket)}/{pattern}" for pattern in patterns]
        yield iam.PolicyStatement(actions=list(actions), resources=arns)
    if task.never_private:
        private = f"{bucket_arn(stage, 'lake')}/data/*/*{PRIVATE_SUFFIX}/*"
        yield iam.PolicyStatement(effect=iam.Effect.DENY, actions=[*_GET], resources=[private])
    if task.lists:
        buckets = [bucket_arn(stage, bucket) for bucket in task.lists]
        yield iam.PolicyStatement(actions=["s3:ListBucket"], resources=buckets)
    if task.deliveries:
        yield iam.PolicyStatement(actions=["s3:ListBucketVersions"], resources=[bucket_arn(stage, "raw")])
    read: set[BucketName] = {bucket for bucket, _, actions in task.objects if {*actions} & {*_GET, *_GET_VERSION}}
    written: set[BucketName] = {bucket for bucket, _, actions in task.objects if {*actions} & {*_PUT}}
    if task.results:
        read.add("results")
    if task.delivers:
        written.add("raw")
    for used, action in ((read | written, "kms:Decrypt"), (written, "kms:GenerateDataKey")):
        if keys := dict.fromkeys(_key(lake, bucket).key_arn for bucket in sorted(used)):
            yield iam.PolicyStatement(actions=[action], resources=list(keys))


def _other_rights(task: Task, stage: str, catalog: Catalog) -> Iterator[iam.PolicyStatement]:
    databases = {
        "served": catalog.database,
        "staging": catalog.staging_database,
        "quarantine": catalog.quarantine_database,
    }
    for database, actions in task.tables:
        name = databases[database]
        places = ("catalog", f"database/{name}", f"table/{name}/*")
        yield iam.PolicyStatement(actions=list(actions), resources=[spelled_arn("glue", place) for place in places])
    if task.results:
        workgroup = spelled_arn("athena", f"workgroup/{catalog.pipeline_workgroup.name}")
        yield iam.PolicyStatement(actions=["athena:GetQueryResults"], resources=[workgroup])
        yield iam.PolicyStatement(actions=[*_GET], resources=[f"{bucket_arn(stage, 'results')}/pipeline/*"])
    if task.asks:
        workgroup = spelled_arn("athena", f"workgroup/{catalog.api_workgroup.name}")
        verbs = ("GetQueryExecution", "GetQueryResults", "StartQueryExecution", "StopQueryExecution")
        asked = [f"athena:{verb}" for verb in verbs]
        private = spelled_arn("glue", f"table/{catalog.database}/*{PRIVATE_SUFFIX}")
        buckets = [bucket_arn(stage, name) for name in ("lake", "results")]
        yield iam.PolicyStatement(actions=asked, resources=[workgroup])
        yield iam.PolicyStatement(
            actions=["athena:GetDataCatalog"], resources=[spelled_arn("athena", "datacatalog/AwsDataCatalog")]
        )
        yield iam.PolicyStatement(actions=["s3:GetBucketLocation"], resources=buckets)
        yield iam.PolicyStatement(effect=iam.Effect.DENY, actions=[*_READ_PUBLISHED], resources=[private])
    if task.executions:
        machines = [spelled_arn("states", f"execution:nightlake-{stage}-*-{kind}:*") for kind in task.executions]
        yield iam.PolicyStatement(actions=["states:DescribeExecution"], resources=machines)
    if task.api_keys:
        keys = spelled_arn("dynamodb", f"table/{table_name(stage)}")
        yield iam.PolicyStatement(actions=["dynamodb:GetItem"], resources=[keys])


def _key(lake: Lake, name: BucketName) -> kms.Key:
    return lake.quarantine_key if name == "quarantine" else lake.key
