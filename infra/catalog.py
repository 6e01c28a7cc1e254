"""The catalog and the query engine: Glue databases, and the Athena workgroups of the pipelines, people and the API."""

from aws_cdk import Aws
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.lake import Lake
from infra.nag import acknowledge
from infra.settings import Settings

_ENGINE = "Athena engine version 3"


class Catalog(Construct):
    """Databases and workgroups of one stage. Tables are no part of it: the night makes them from the contracts.

    The Data Catalog's own encryption is a setting of the whole account and is left as the account has it.

    Attributes:
        database: Name of the served database.
        staging_database: Name of the database that merges and audits work in.
        quarantine_database: Name of the database over refused rows.
        pipeline_workgroup: The pipelines' workgroup; its queries may name their own output location.
        bi_workgroup: People's workgroup: its output location and its limit on scanned bytes cannot be overridden.
        api_workgroup: The query API's, likewise: what its callers ask of reports.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, lake: Lake) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._lake = lake
        prefix = f"nightlake_{settings.stage}"
        self.database = self._database("Database", name=prefix, description="Published datasets, views and reports")
        self.staging_database = self._database(
            "StagingDatabase", name=f"{prefix}_staging", description="Tables of nights under way; nobody reads them"
        )
        self.quarantine_database = self._database(
            "QuarantineDatabase", name=f"{prefix}_quarantine", description="Rows that a contract refused"
        )
        self.pipeline_workgroup = self._workgroup(
            "PipelineWorkgroup",
            name="pipeline",
            description="Queries of the nightly pipelines",
            enforce=False,
        )
        acknowledge(
            self.pipeline_workgroup,
            {
                "ATH1": "CREATE TABLE AS with external_location is refused in a workgroup that enforces its settings; "
                "results are encrypted by the default set here and by the encryption of every bucket written to."
            },
        )
        self.bi_workgroup = self._workgroup(
            "BiWorkgroup",
            name="bi",
            description="Queries of people and BI tools",
            enforce=True,
            scan_cutoff_bytes=settings.bi_scan_cutoff_mb * 1_000_000,
        )
        self.api_workgroup = self._workgroup(
            "ApiWorkgroup",
            name="api",
            description="Reports that callers of the query API ask for",
            enforce=True,
            scan_cutoff_bytes=settings.api.query_scan_cutoff_mb * 1_000_000,
        )

    def _database(self, construct_id: str, *, name: str, description: str) -> str:
        database = glue.CfnDatabase(
            self,
            construct_id,
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(name=name, description=description),
        )
        database.apply_removal_policy(self._settings.removal_policy)
        return name

    def _workgroup(
        self, construct_id: str, *, name: str, description: str, enforce: bool, scan_cutoff_bytes: int | None = None
    ) -> athena.CfnWorkGroup:
        workgroup = athena.CfnWorkGroup(
            self,
            construct_id,
            name=f"nightlake-{self._settings.stage}-{name}",
            description=description,
            # A workgroup with any query in its history is deleted only like this.
            recursive_delete_option=not self._settings.retain,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                bytes_scanned_cutoff_per_query=scan_cutoff_bytes,
                enforce_work_group_configuration=enforce,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(selected_engine_version=_ENGINE),
                publish_cloud_watch_metrics_enabled=True,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{self._lake.results.bucket_name}/{name}/",
                    expected_bucket_owner=Aws.ACCOUNT_ID,
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=self._lake.key.key_arn
                    ),
                ),
            ),
        )
        workgroup.apply_removal_policy(self._settings.removal_policy)
        return workgroup
