"""What the functions of one kind of source have besides their task: where its APIs and databases are, their secrets.

A model is a kind of source, too: what it recommends is delivered to a pipeline that publishes it.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from aws_cdk import Annotations, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct
from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Pipeline
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.source import S3Source

from infra.arn import spelled_arn
from infra.database import TrialDatabase
from infra.lake import bucket_arn
from infra.network import Network, own_network, trial_network
from infra.settings import Database, Settings, SettingsError

SourceKind = Literal["http", "postgres", "model"]

_GET_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - an action
# A statement of more ARNs could be longer than a policy may be: CDK deals out statements, but splits none.
_ARNS = 20


class _Reached(NamedTuple):
    """A database that sources read: what its functions are told, and the ARNs of its secret and of that one's key."""

    told: dict[str, object]
    secret: str
    key: str | None


class Sources(Construct):
    """The world outside that the pipelines of one stage read.

    Attributes:
        kinds: The kinds of their sources.
        network: Where the functions stand that read databases; None where they need no network of their own.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, pipelines: Sequence[Pipeline]
    ) -> None:
        """Makes what is missing: a network, and the trial databases that sources read.

        Raises:
            SettingsError: a source reads a database that the stage does not have.
        """
        super().__init__(scope, construct_id)
        self._settings = settings
        sources = [(pipeline.name, source) for pipeline in pipelines for source in pipeline.sources]
        models = [pipeline.model for pipeline in pipelines if pipeline.model]
        self.kinds = frozenset((*(source.from_ for _, source in sources), *(["model"] if models else [])))
        apis = [(name, source) for name, source in sources if isinstance(source, HttpSource)]
        self._landed = [f"{name}/{source.dataset}/*" for name, source in apis]
        fed = {model.delivers_to for model in models}
        self._delivered = [
            (source.dataset, f"{source.landing}*")
            for name, source in sources
            if name in fed and isinstance(source, S3Source)
        ]
        self._api_secrets = sorted({source.auth.secret for _, source in apis if source.auth})
        read = {
            source.database: _database(settings, source.database, reader=f"pipelines/{name}: source {source.dataset}")
            for name, source in sources
            if isinstance(source, PostgresSource)
        }
        self.network = self._network(read)
        self._databases = {name: self._reach(name, database) for name, database in sorted(read.items())}

    def environment(self, kind: SourceKind) -> dict[str, str]:
        """What the functions of that kind are told."""
        if kind == "model":
            return {}
        if kind == "http":
            return {"ENDPOINTS": json.dumps(self._settings.endpoints)} if self._settings.endpoints else {}
        told = {name: reached.told for name, reached in self._databases.items()}
        return {
            "DATABASES": Stack.of(self).to_json_string(told),
            **(self.network.environment if self.network else {}),
        }

    def rights(self, kind: SourceKind) -> Iterator[iam.PolicyStatement]:
        """What the functions of that kind may do besides."""
        if kind == "model":
            return
        if kind == "http":
            landed = [f"{bucket_arn(self._settings.stage, 'raw')}/{pattern}" for pattern in self._landed]
            yield from _statements(["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], landed)
            yield from _statements([_GET_SECRET], [_secret_arn(name) for name in self._api_secrets])
        else:
            yield from _statements([_GET_SECRET], [reached.secret for reached in self._databases.values()])
            yield from _statements(["kms:Decrypt"], [each.key for each in self._databases.values() if each.key])

    def deliveries(self, actions: Sequence[str], dataset: str | None) -> Iterator[iam.PolicyStatement]:
        """These actions on what models deliver to the pipelines that publish it, all or the one dataset of it."""
        bucket = bucket_arn(self._settings.stage, "raw")
        delivered = [f"{bucket}/{pattern}" for name, pattern in self._delivered if dataset in (None, name)]
        yield from _statements(actions, delivered)

    def _network(self, databases: dict[str, Database]) -> Network | None:
        if not databases or self._settings.stage == "local":
            return None
        if self._settings.network:
            secrets = [_secret_arn(database.secret_name) for database in databases.values() if database.secret_name]
            scope = Construct(self, "Network")
            return own_network(scope, settings=self._settings, network=self._settings.network, secrets=secrets)
        return trial_network(Construct(self, "TrialNetwork"), settings=self._settings)

    def _reach(self, name: str, database: Database) -> _Reached:
        if database.trial and self.network:
            if self._settings.stage == "prod":
                Annotations.of(self).add_warning_v2(
                    "nightlake:trial",
                    f"prod makes an empty trial database {name!r}: to read your own, say in cdk.json where it is "
                    "(docs/deploy.md, Your own database).",
                )
            made = TrialDatabase(
                self,
                f"Trial-{name}",
                settings=self._settings,
                network=self.network,
                name=name,
                port=database.port,
            )
            self.network.let_in(made.group, port=database.port)
            told = {"secret_name": made.secret_arn, "host": made.host, "port": database.port, "dbname": made.dbname}
            return _Reached(told, made.secret_arn, None)
        if self.network and database.security_group_id:
            group = ec2.SecurityGroup.from_security_group_id(self, f"Database-{name}", database.security_group_id)
            self.network.let_in(group, port=database.port)
        secret = str(database.secret_name)
        # What settings do not say stands in the secret.
        told = {"secret_name": secret, "host": database.host, "port": database.port, "dbname": database.dbname}
        said = {key: value for key, value in told.items() if key in database.model_fields_set}
        return _Reached(said, _secret_arn(secret), database.secret_key_arn)


def _database(settings: Settings, name: str, *, reader: str) -> Database:
    if name in settings.databases:
        return settings.databases[name]
    example = json.dumps({"databases": {name: {"secret_name": "...", "security_group_id": "sg-..."}}})
    raise SettingsError(
        f"{reader} reads the database {name!r}, which stage {settings.stage} does not have: say in cdk.json where it "
        f'is, context "nightlake:{settings.stage}": {example} and a network, or {{"trial": true}} to make a small one '
        "(docs/deploy.md, Your own database)"
    )


def _secret_arn(name: str) -> str:
    """Secrets Manager adds six characters to a name; an ARN that is given has them."""
    if name.startswith("arn:"):
        return name
    return spelled_arn("secretsmanager", f"secret:{name}-??????")


def _statements(actions: Sequence[str], resources: Sequence[str]) -> Iterator[iam.PolicyStatement]:
    for first in range(0, len(resources), _ARNS):
        yield iam.PolicyStatement(actions=list(actions), resources=list(resources[first : first + _ARNS]))
