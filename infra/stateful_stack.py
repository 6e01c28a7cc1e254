"""The stateful stack: everything whose loss would be a loss of data; it is deployed first and changes seldom."""

from collections.abc import Sequence

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct
from nightlake.core.pipeline import Pipeline

from infra.api_keys import ApiKeys
from infra.bi_reader import BiReader
from infra.catalog import Catalog
from infra.lake import Lake
from infra.saved_queries import SavedQueries
from infra.settings import Settings


class StatefulStack(Stack):
    """Buckets, keys, databases, workgroups and the table of the API's keys of one stage.

    Attributes:
        lake: Buckets and keys.
        catalog: Databases and workgroups.
    """

    def __init__(self, scope: Construct, *, settings: Settings, pipelines: Sequence[Pipeline]) -> None:
        super().__init__(
            scope,
            f"nightlake-{settings.stage}-stateful",
            description=f"Nightlake {settings.stage}: buckets, keys, databases and workgroups",
            env=Environment(account=settings.account, region=settings.region),
            termination_protection=settings.termination_protection,
        )
        self.lake = Lake(self, "Lake", settings=settings)
        self.catalog = Catalog(self, "Catalog", settings=settings, lake=self.lake)
        for pipeline in pipelines:
            SavedQueries(self, stage=settings.stage, catalog=self.catalog, pipeline=pipeline)
        keys = ApiKeys(self, "ApiKeys", settings=settings)
        reader = BiReader(self, "BiReader", settings=settings, lake=self.lake, catalog=self.catalog)

        for output, value in {
            "RawBucket": self.lake.raw.bucket_name,
            "LakeBucket": self.lake.lake.bucket_name,
            "QuarantineBucket": self.lake.quarantine.bucket_name,
            "ResultsBucket": self.lake.results.bucket_name,
            "Database": self.catalog.database,
            "StagingDatabase": self.catalog.staging_database,
            "QuarantineDatabase": self.catalog.quarantine_database,
            "PipelineWorkgroup": self.catalog.pipeline_workgroup.name,
            "BiWorkgroup": self.catalog.bi_workgroup.name,
            "KeysTable": keys.table.table_name,
            "BiReaderRole": reader.role.role_arn,
        }.items():
            CfnOutput(self, output, value=value)
