"""A small PostgreSQL database for a trial: encrypted, private, its password made and rotated by RDS."""

from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.nag import acknowledge
from infra.network import Network
from infra.settings import Settings

_TRIAL = "A trial: one small server that is thrown away, and whose data is somebody's sample."


class TrialDatabase(Construct):
    """An empty database in `network`.

    Attributes:
        secret_arn: Of the secret that RDS keeps: `username` and `password` alone.
        host: Its address.
        port: Its port.
        dbname: The name of the database that is made in it.
        group: Its security group.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, network: Network, name: str, port: int
    ) -> None:
        super().__init__(scope, construct_id)
        self.port, self.dbname = port, name.replace("-", "_")
        self.group = ec2.SecurityGroup(
            self,
            "Group",
            vpc=network.vpc,
            description=f"The trial database {name} of nightlake {settings.stage}",
            allow_all_outbound=False,
        )
        instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=f"nightlake-{settings.stage}-trial-{name}",
            engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9),
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO),
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[self.group],
            publicly_accessible=False,
            port=port,
            database_name=self.dbname,
            credentials=rds.Credentials.from_username("nightlake"),
            manage_master_user_password=True,
            allocated_storage=20,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            iam_authentication=True,
            # Refuses connections without TLS.
            parameters={"rds.force_ssl": "1"},
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            auto_minor_version_upgrade=True,
            backup_retention=Duration.days(1),
            # Gives way to a database of the settings in one deployment.
            deletion_protection=False,
            # Where data is kept it is kept as a snapshot: a server that stayed would hold its network, too.
            removal_policy=RemovalPolicy.SNAPSHOT if settings.retain else RemovalPolicy.DESTROY,
        )
        self.host = instance.db_instance_endpoint_address
        server = cast("rds.CfnDBInstance", instance.node.default_child)
        self.secret_arn = server.attr_master_user_secret_secret_arn
        acknowledge(instance, dict.fromkeys(("RDS3", "RDS10", "RDS11", "SMG4"), _TRIAL))
