"""The role of people and BI tools: published tables through the BI workgroup, what is published, and nothing else."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import Construct
from nightlake.core.table import PRIVATE_SUFFIX

from infra.arn import spelled_arn
from infra.catalog import Catalog
from infra.lake import Lake
from infra.nag import acknowledge, wildcard
from infra.settings import Settings

_PRIVATE = f"*{PRIVATE_SUFFIX}"


class BiReader(Construct):
    """A role that may query the served database, but neither its `*_private` tables nor their files.

    Attributes:
        role: Assumed by `settings.bi_readers`, or where none are named by whoever this account's policies allow.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, lake: Lake, catalog: Catalog
    ) -> None:
        super().__init__(scope, construct_id)
        readers: list[iam.IPrincipal] = [iam.ArnPrincipal(arn) for arn in settings.bi_readers]
        self.role = iam.Role(
            self,
            "Role",
            role_name=f"nightlake-{settings.stage}-bi-reader-{Aws.REGION}",
            description="Reads published data through the BI workgroup",
            assumed_by=iam.CompositePrincipal(*readers) if readers else iam.AccountRootPrincipal(),
        )
        for statement in (
            *_query(catalog),
            *_read_catalog(catalog),
            *_read_data(lake),
            *_write_results(lake),
            _use_key(lake),
        ):
            self.role.add_to_policy(statement)
        tables = spelled_arn("glue", f"table/{catalog.database}/*")
        acknowledge(
            self.role,
            {
                wildcard(self, tables): "Tables come and go with the contracts; those of personal columns are denied.",
                wildcard(
                    self, lake.lake.arn_for_objects("data/*")
                ): "Published files; those of private tables are denied.",
                wildcard(
                    self, lake.lake.arn_for_objects("snapshots/*")
                ): "Which files are published, by pipeline; the indexes of keys are denied.",
                wildcard(self, lake.results.arn_for_objects("bi/*")): "Athena writes one file per query as its reader.",
            },
        )


def _query(catalog: Catalog) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            sid="QueryInTheBiWorkgroup",
            actions=[
                "athena:BatchGetNamedQuery",
                "athena:BatchGetQueryExecution",
                "athena:GetNamedQuery",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:GetQueryResultsStream",
                "athena:GetWorkGroup",
                "athena:ListNamedQueries",
                "athena:ListQueryExecutions",
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
            ],
            resources=[spelled_arn("athena", f"workgroup/{catalog.bi_workgroup.name}")],
        ),
        iam.PolicyStatement(
            sid="BrowseTheCatalogInAthena",
            actions=[
                "athena:GetDataCatalog",
                "athena:GetDatabase",
                "athena:GetTableMetadata",
                "athena:ListDatabases",
                "athena:ListTableMetadata",
            ],
            resources=[spelled_arn("athena", "datacatalog/AwsDataCatalog")],
        ),
    ]


def _read_catalog(catalog: Catalog) -> list[iam.PolicyStatement]:
    actions = [
        "glue:BatchGetPartition",
        "glue:GetDatabase",
        "glue:GetDatabases",
        "glue:GetPartition",
        "glue:GetPartitions",
        "glue:GetTable",
        "glue:GetTables",
    ]
    return [
        iam.PolicyStatement(
            sid="ReadServedTables",
            actions=actions,
            resources=[
                spelled_arn("glue", "catalog"),
                spelled_arn("glue", f"database/{catalog.database}"),
                spelled_arn("glue", f"table/{catalog.database}/*"),
            ],
        ),
        iam.PolicyStatement(
            sid="NotPrivateTables",
            effect=iam.Effect.DENY,
            actions=["glue:BatchGetPartition", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable"],
            resources=[spelled_arn("glue", f"table/{catalog.database}/{_PRIVATE}")],
        ),
    ]


def _read_data(lake: Lake) -> list[iam.PolicyStatement]:
    bucket = lake.lake
    return [
        iam.PolicyStatement(
            sid="ReadPublishedFiles",
            actions=["s3:GetObject"],
            # HEAD and the manifests name the files of one state, and tell how fresh it is.
            resources=[bucket.arn_for_objects("data/*"), bucket.arn_for_objects("snapshots/*")],
        ),
        iam.PolicyStatement(
            sid="ListPublishedFiles",
            actions=["s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": ["data/*", "empty/*"]}},
        ),
        iam.PolicyStatement(
            sid="NotPrivateFiles",
            effect=iam.Effect.DENY,
            actions=["s3:GetObject"],
            resources=[
                bucket.arn_for_objects(f"data/*/{_PRIVATE}/*"),
                bucket.arn_for_objects(f"snapshots/*/{_PRIVATE}/*"),
                bucket.arn_for_objects("snapshots/*/indexes/*"),
            ],
        ),
    ]


def _write_results(lake: Lake) -> list[iam.PolicyStatement]:
    bucket = lake.results
    return [
        iam.PolicyStatement(
            sid="KeepOwnResults",
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
            resources=[bucket.arn_for_objects("bi/*")],
        ),
        iam.PolicyStatement(
            sid="ListOwnResults",
            actions=["s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": ["bi/*"]}},
        ),
        iam.PolicyStatement(
            sid="LocateBuckets",
            actions=["s3:GetBucketLocation"],
            resources=[bucket.bucket_arn, lake.lake.bucket_arn],
        ),
    ]


def _use_key(lake: Lake) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="UseTheLakeKeyThroughS3",
        actions=["kms:Decrypt", "kms:GenerateDataKey"],
        resources=[lake.key.key_arn],
        conditions={"StringEquals": {"kms:ViaService": f"s3.{Aws.REGION}.amazonaws.com"}},
    )
